"""A run that is killed again and again ends with the same tables."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.workflow.conftest import ROOT, Project

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
TARGETS = ("tracking", "features")


def digests(folder: Path) -> dict[str, str]:
    """Return the hash of every product; logs, benchmarks and hidden files (temporary names, stamps) do not count."""
    products = [p for p in sorted((folder / "results").rglob("*")) if p.is_file()]
    kept = [p for p in products if not {"logs", "benchmarks"} & set(p.parts) and not p.name.startswith(".")]
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in kept}


def kill_after(project: Project, seconds: float) -> None:
    """Start a run and kill it and its jobs with SIGKILL."""
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "-d", str(project.folder)]
    command += ["--configfile", str(project.folder / "study.yaml"), "--cores", "2", *TARGETS]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    time.sleep(seconds)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()


def test_killed_three_times(small: Project) -> None:
    small.snakemake(*TARGETS)
    whole = digests(small.folder)
    subprocess.run(["rm", "-r", str(small.folder / "results"), str(small.folder / ".snakemake")], check=True)

    unfinished = 0
    for seconds in (5.0, 9.0, 13.0):
        kill_after(small, seconds)
        unfinished += len(digests(small.folder)) < len(whole)
        subprocess.run([sys.executable, str(ROOT / "scripts/unlock_if_stale.py")], cwd=small.folder, check=False)
        small.snakemake("--unlock")
    assert unfinished, "every kill came too late to interrupt anything"
    small.snakemake(*TARGETS)
    assert digests(small.folder) == whole
