"""A run that is killed again and again ends with the same tables, also while what it left is still writing."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.workflow.conftest import ROOT, Project
from unlock_if_stale import holders

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
TARGETS = ("tracking", "features")


def digests(folder: Path) -> dict[str, str]:
    """Return the hash of every product; logs, benchmarks and hidden files (temporary names, stamps) do not count."""
    products = [p for p in sorted((folder / "results").rglob("*")) if p.is_file()]
    kept = [p for p in products if not {"logs", "benchmarks"} & set(p.parts) and not p.name.startswith(".")]
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in kept}


def locks(folder: Path) -> list[Path]:
    """Return the files of Snakemake's lock."""
    return list((folder / ".snakemake" / "locks").glob("*"))


def unlock_if_stale(folder: Path, status: int = 0) -> str:
    """Run the script that ``make demo`` runs first; return what it said."""
    command = [sys.executable, str(ROOT / "tools/unlock_if_stale.py")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    return done.stderr


def kill_at(project: Project, products: int, kill: Callable[[int, int], None]) -> list[int]:
    """Start a run, kill it once so many files of one field are there and a job runs; return what is alive then."""
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "-d", str(project.folder)]
    command += ["--configfile", str(project.folder / "study.yaml"), "--cores", "2", *TARGETS]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    run = subprocess.Popen(command, cwd=project.folder, start_new_session=True, **silent)
    finished = project.folder / "results/small/fov/s/a"
    while not (
        locks(project.folder)
        and len(list(finished.glob("[!.]*"))) >= products
        and set(holders(project.folder)) - {run.pid}
    ):
        assert run.poll() is None, "the run ended before it could be killed"
        time.sleep(0.05)
    kill(run.pid, signal.SIGKILL)
    run.wait()
    return holders(project.folder)


def wait_for_orphans(folder: Path) -> None:
    """Wait until nothing that a killed run left is alive."""
    end = time.monotonic() + 120
    while holders(folder):
        assert time.monotonic() < end, "what a killed run left does not end"
        time.sleep(0.1)


@pytest.fixture
def cloned(small: Project) -> Project:
    """Return the small study in a folder that holds the workflow too, as a clone does."""
    for name in ("Snakefile", "config", "rules", "scripts", "src", "profiles"):
        (small.folder / name).symlink_to(ROOT / name)
    return small


def test_killed_three_times(cloned: Project) -> None:
    folder = cloned.folder
    cloned.snakemake(*TARGETS)
    whole = digests(folder)
    subprocess.run(["rm", "-r", str(folder / "results"), str(folder / ".snakemake")], check=True)

    # Snakemake alone is killed, and started again while its job goes on writing.
    assert kill_at(cloned, 0, os.kill), "no job outlived its run"
    assert "Snakemake is at work here" in unlock_if_stale(folder, status=1)
    assert locks(folder), "the lock was cleared beside living jobs"
    cloned.snakemake("--unlock")
    # Again, and its job ends by itself before the lock is cleared.
    kill_at(cloned, 1, os.kill)
    wait_for_orphans(folder)
    assert locks(folder)
    unlock_if_stale(folder)
    assert not locks(folder), "the lock of a dead run stays"
    # Run and jobs are killed at once.
    kill_at(cloned, 2, os.killpg)
    wait_for_orphans(folder)
    assert len(digests(folder)) < len(whole), "every kill came too late to interrupt anything"
    assert "Clearing the lock" in unlock_if_stale(folder)
    assert not locks(folder), "the lock of a dead run stays"

    cloned.snakemake(*TARGETS)
    assert digests(folder) == whole
    assert not cloned.half_written()
