"""A guarded step: every way in which its child may end, and what the parent makes of it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from cineseq.workflow.guard import AGAIN_LATER, CRASHED
from cineseq.workflow.set_aside import Record, read_record, record_of, status_of

HEAD = """
import os, resource, signal, sys, time, types
from pathlib import Path
from types import SimpleNamespace

class Files(list):
    def items(self):
        return [(Path(name).name.split(".")[0].split("@")[0], name) for name in self]

snakemake = SimpleNamespace(
    rule="measure",
    input=Files({inputs}),
    output=Files(["results/r/fov/s/a/tracks.parquet", "results/r/reports/measure/s@a.json"]),
    params={{}}, threads=1, log=["results/r/logs/measure/s@a.log"],
    resources=dict(attempt={attempt}, mem_mb={mem_mb}, runtime={runtime}),
    wildcards=SimpleNamespace(sample="s", fov="a"),
)
from cineseq.workflow.guard import guard
guard(snakemake)
from cineseq.errors import UserError
from cineseq.workflow.guard import failed, started
"""
LOADED = (
    HEAD
    + """
started()
"""
)
STEP = (
    HEAD
    + """
from cineseq.files import write_json
from cineseq.workflow.step import run

def main(*, tracks: Path, s: Path) -> None:
    {body}

run(main, snakemake)
"""
)
LOG = Path("results/r/logs/measure/s@a.log")
TABLE = "results/r/fov/s/a/tracks.parquet"


def end_of(
    folder: Path, script: str, mode: str = "on", retries: int = 0, **facts: object
) -> subprocess.CompletedProcess[str]:
    """Run a guarded script in a folder."""
    (folder / LOG).parent.mkdir(parents=True, exist_ok=True)
    values = {"inputs": [], "attempt": 1, "mem_mb": 1000, "runtime": 60} | facts
    environment = os.environ | {"CINESEQ_GUARD": mode, "CINESEQ_RETRIES": str(retries), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", script.format(**values)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def reason_in(folder: Path) -> tuple[str, str]:
    """Return the reason and the sentence by which both products are set aside."""
    found = [status_of(folder / name) for name in (TABLE, "results/r/reports/measure/s@a.json")]
    assert found[0] is not None
    assert found[0] == found[1]
    assert (found[0].step, *found[0].field) == ("measure", "s", "a")
    assert pd.read_parquet(folder / TABLE).empty
    return found[0].reason, found[0].sentence


LONG = {"runtime": 0.02, "mem_mb": 50_000, "mode": "limits"}
"""Little time; much memory, since that of the processes of this test counts."""


@pytest.mark.parametrize(
    ("script", "facts", "reason", "sentence"),
    [
        (LOADED + "os.kill(os.getpid(), signal.SIGKILL)", {}, "memory", "it was killed, as happens"),
        (LOADED + "os.kill(os.getpid(), signal.SIGSEGV)", {}, "crashed", "it crashed (SIGSEGV)"),
        (LOADED + "sys.exit(3)", {}, "crashed", "it ended with status 3 and did not say why"),
        (LOADED + "time.sleep(30)", LONG, "time", "it takes longer than 1 s, the time"),
        (
            LOADED + "held = bytearray(400_000_000); time.sleep(30)",
            {"mem_mb": 400, "mode": "limits"},
            "memory",
            "it needs more than 380 MB, the memory",
        ),
        (HEAD + "os.kill(os.getpid(), signal.SIGKILL)", {}, "memory", "it was killed"),
    ],
    ids=["killed", "signal", "exit", "time", "limit", "killed while it imports"],
)
def test_an_end_without_a_word(
    tmp_path: Path, script: str, facts: dict[str, object], reason: str, sentence: str
) -> None:
    done = end_of(tmp_path, script, **facts)
    assert done.returncode == 0, done.stderr
    found = reason_in(tmp_path)
    assert found[0] == reason
    assert found[1].startswith(sentence)
    assert f"ERROR measure, sample s, field a: {found[1]}" in (tmp_path / LOG).read_text()
    assert read_record(record_of(tmp_path / LOG)).tries == (reason in ("memory", "time"))


@pytest.mark.parametrize(
    ("body", "reason", "sentence"),
    [
        ("raise UserError('a.tif: no frame.')", "refused", "a.tif: no frame."),
        ("raise SystemExit('odd')", "crashed", "it ended with status 1 and did not say why"),
        ("1 / 0", "crashed", "The step failed; this is a bug in cineseq or in a library that it uses (ZeroDiv"),
        (
            "room = resource.getrlimit(resource.RLIMIT_AS)[1]; "
            "resource.setrlimit(resource.RLIMIT_AS, (2 ** 31, room)); bytearray(2 ** 32)",
            "memory",
            "The step failed",
        ),
    ],
    ids=["UserError", "SystemExit", "bug", "MemoryError"],
)
def test_an_end_that_says_why(tmp_path: Path, body: str, reason: str, sentence: str) -> None:
    done = end_of(tmp_path, STEP, body=body)
    assert done.returncode == 0, done.stderr
    found = reason_in(tmp_path)
    assert found[0] == reason
    assert found[1].startswith(sentence)
    assert sentence not in done.stderr, "the run says it at its end"


def test_a_success_costs_nothing_and_ends_what_was_set_aside(tmp_path: Path) -> None:
    end_of(tmp_path, LOADED + "os.kill(os.getpid(), signal.SIGKILL)")
    end_of(tmp_path, LOADED + "os.kill(os.getpid(), signal.SIGKILL)")
    path = record_of(tmp_path / LOG)
    assert read_record(path).tries == 2
    done = end_of(tmp_path, STEP, body="write_json({}, tracks); write_json({}, s)")
    assert done.returncode == 0, done.stderr
    assert status_of(tmp_path / TABLE) is None
    # The number of tries stays: it is a parameter of the rule, and another one would repeat the step.
    assert read_record(path) == Record(2, None)


def test_memory_and_time_are_tried_again_with_more_and_a_refusal_is_not(tmp_path: Path) -> None:
    killed = LOADED + "os.kill(os.getpid(), signal.SIGKILL)"
    for attempt in (1, 2):
        assert end_of(tmp_path, killed, retries=2, attempt=attempt).returncode == AGAIN_LATER
        assert not (tmp_path / TABLE).exists()
    assert end_of(tmp_path, killed, retries=2, attempt=3).returncode == 0
    assert reason_in(tmp_path)[0] == "memory"
    assert end_of(tmp_path, STEP, retries=2, body="raise UserError('no.')").returncode == 0
    assert reason_in(tmp_path) == ("refused", "no.")


@pytest.mark.parametrize(
    ("script", "body", "status"),
    [
        (STEP, "raise OSError(28, 'No space left on device')", CRASHED),
        (HEAD + "import no_such_library", "", 1),
        (LOADED + "os.kill(os.getpid(), signal.SIGTERM)", "", 128 + signal.SIGTERM),
    ],
    ids=["disk full", "broken installation", "interrupted"],
)
def test_a_fault_of_the_machine_is_none_of_the_field(tmp_path: Path, script: str, body: str, status: int) -> None:
    assert end_of(tmp_path, script, body=body).returncode == status
    assert not (tmp_path / TABLE).exists()


def test_where_no_field_may_fail_the_step_fails(tmp_path: Path) -> None:
    assert end_of(tmp_path, STEP, mode="off", body="raise UserError('no.')").returncode == 65
    assert not (tmp_path / TABLE).exists()


def test_what_follows_passes_the_first_status_on(tmp_path: Path) -> None:
    end_of(tmp_path, STEP, body="raise UserError('no.')")
    first = tmp_path / "results/r/fov/s/a/masks.parquet"
    (tmp_path / TABLE).rename(first)
    for mode in ("on", "off"):
        done = end_of(tmp_path, HEAD + "raise SystemExit(9)", mode=mode, inputs=[str(first.relative_to(tmp_path))])
        assert done.returncode == 0, done.stderr
        assert reason_in(tmp_path) == ("refused", "no.")
    assert "Passed on, since sample s, field a is set aside (measure): no." in (tmp_path / LOG).read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_parent_that_ends_takes_its_child_with_it(tmp_path: Path, number: int) -> None:
    (tmp_path / LOG).parent.mkdir(parents=True)
    script = LOADED.format(inputs=[], attempt=1, mem_mb=1000, runtime=60)
    script += "print(os.getpid(), flush=True); time.sleep(30)"
    environment = os.environ | {"CINESEQ_GUARD": "on"}
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert child != parent.pid
        parent.send_signal(number)
        assert parent.wait(10) == -number
    end = time.monotonic() + 10
    while Path(f"/proc/{child}").exists() and "Z" not in Path(f"/proc/{child}/stat").read_text().split()[2]:
        assert time.monotonic() < end, "the child goes on"
        time.sleep(0.05)
    assert not (tmp_path / TABLE).exists()


def test_the_parent_imports_no_library(tmp_path: Path) -> None:
    code = "import sys, json; import cineseq.workflow.guard; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    loaded = json.loads(done.stdout)
    assert not {"numpy", "pandas", "pydantic", "yaml", "psutil"} & set(loaded)
