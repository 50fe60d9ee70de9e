"""A step on one field of view runs guarded: its failure sets the field aside, and the run goes on.

A script of a field calls :func:`guard` before it imports anything else. There the process divides: a child goes on with
the script, and the small parent waits for it. A refusal, a crash, a death by a signal, by memory or by time becomes a
status (:mod:`cineseq.workflow.set_aside`), and the declared products are written as placeholders that say it. A field
that is set aside already is passed on without a child. Nothing is imported here but the standard library.

The Snakefile says by two variables of the environment how it is done:

``CINESEQ_GUARD``
    ``off`` if no field may fail, ``on``, or ``limits`` if the parent also ends a child that exceeds its job's memory or
    time, shortly before a scheduler would end the whole job. Without it nothing is guarded.
``CINESEQ_RETRIES``
    How often Snakemake repeats a failed job, each time with more memory and time.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

from cineseq.workflow.set_aside import (
    AGAIN,
    REASONS,
    Reason,
    Record,
    Status,
    read_record,
    record_of,
    status_of,
    write_record,
)

MADE_BY_RULES = "results/"
REFUSED, CRASHED, AGAIN_LATER = 65, 70, 75
"""Exit statuses of a step, after ``sysexits.h``: wrong data, a bug, and what may succeed with more memory or time."""
SHARE_OF_LIMITS = 0.95
"""Share of a job's memory and time at which its child is ended."""
GRACE = 5.0
"""Seconds that an interrupted child has to tidy up."""
LONGEST_SENTENCE = 2000
MACHINE_IS_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EMFILE, errno.ENFILE}
"""Faults of the machine, which say nothing about a field."""
SEEN_EVERY = (0.01, 0.05)
"""Seconds between two looks at the child: at first, and later."""
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Channel:
    """What a child tells its parent: nothing outside a guarded process."""

    writer: int | None = None

    @classmethod
    def tell(cls, **said: str) -> None:
        if cls.writer is not None:
            os.write(cls.writer, (json.dumps(said) + "\n").encode())


def started() -> None:
    """Tell the parent that all is imported; an end before that is no fault of the field, unless memory ran out."""
    _Channel.tell(event="started")


def failed(error: BaseException, sentence: str, *, refused: bool) -> int:
    """Tell the parent why the step fails, and return the exit status.

    Parameters
    ----------
    error
        What was raised; it counts as memory if that ran out somewhere below, also on the GPU.
    sentence
        What the user is told.
    refused
        Whether the data were refused; otherwise it is a bug.
    """
    below = list(_causes(error))
    if any(isinstance(e, OSError) and e.errno in MACHINE_IS_FULL for e in below):
        _Channel.tell(event="machine", sentence=sentence[:LONGEST_SENTENCE])
        return CRASHED
    memory = any(isinstance(e, MemoryError) or type(e).__name__ == "OutOfMemoryError" for e in below)
    reason: Reason = "memory" if memory else "refused" if refused else "crashed"
    _Channel.tell(event="failed", reason=reason, sentence=sentence[:LONGEST_SENTENCE])
    return {"refused": REFUSED, "crashed": CRASHED}.get(reason, AGAIN_LATER)


def _causes(error: BaseException | None) -> Iterable[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@dataclass(frozen=True)
class Job:
    """The facts of a job that the parent needs; those of a rule on one field of view."""

    step: str
    sample: str
    fov: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    log: Path
    attempts_left: int
    seconds: float | None = None
    megabytes: float | None = None

    @classmethod
    def of(cls, snakemake: Any) -> Job:
        """Read the facts from what Snakemake gives to a script."""
        resources = dict(snakemake.resources.items())
        limits = os.environ.get("CINESEQ_GUARD") == "limits"
        return cls(
            snakemake.rule,
            str(snakemake.wildcards.sample),
            str(snakemake.wildcards.fov),
            tuple(map(str, snakemake.input)),
            tuple(map(str, snakemake.output)),
            Path(str(snakemake.log[0])),
            int(os.environ.get("CINESEQ_RETRIES", "0")) + 1 - int(resources.get("attempt", 1)),
            SHARE_OF_LIMITS * 60 * float(resources["runtime"]) if limits and "runtime" in resources else None,
            SHARE_OF_LIMITS * float(resources["mem_mb"]) if limits and "mem_mb" in resources else None,
        )

    def status(self, reason: Reason, sentence: str) -> Status:
        """Return the status of the field after this step."""
        return Status(self.step, self.sample, self.fov, reason, sentence)

    def note(self, level: str, text: str) -> None:
        """Add a line to the log, laid out as the step's own lines are."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        name = f"{self.step}, sample {self.sample}, field {self.fov}"
        with self.log.open("a", encoding="utf-8") as stream:
            stream.write(f"{time.strftime('%H:%M:%S')} {level} {name}: {text}\n")


def guard(snakemake: Any) -> None:
    """Go on with the script in a child process; the parent ends here, once the child has.

    Parameters
    ----------
    snakemake
        Object that Snakemake adds to a script's globals; None on the command line, where nothing is guarded.
    """
    mode = os.environ.get("CINESEQ_GUARD")
    if snakemake is None or mode is None:
        return
    job = Job.of(snakemake)
    made = (Path(name) for name in job.inputs if name.startswith(MADE_BY_RULES))
    passed_on = next((status for status in map(status_of, made) if status), None)
    if passed_on:
        job.log.unlink(missing_ok=True)
        job.note("INFO", f"Passed on, since {passed_on.text}")
        _write_placeholders(job, passed_on)
        sys.exit(0)
    if mode == "off":
        return
    # What is buffered here would be written by both.
    sys.stdout.flush()
    sys.stderr.flush()
    reader, _Channel.writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _prepare_child()
        return
    os.close(_Channel.writer)
    _Channel.writer = None
    sys.exit(_conclude(job, _wait(child, reader, job)))


def _prepare_child() -> None:
    """Let the child be the first to die for want of memory, and die with its parent."""
    os.setpgid(0, 0)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


@dataclass
class End:
    """How a child ended: its exit status (negative: a signal), what it told, and for what the parent ended it."""

    status: int
    told: dict[str, dict[str, str]] = field(default_factory=dict)
    stopped_for: Reason | None = None


def _wait(child: int, reader: int, job: Job) -> End:
    """Wait for the child; end it where it exceeds its limits, and end with it where someone interrupts."""
    began, interrupted = time.monotonic(), list[tuple[int, float]]()

    def interrupt(number: int, _frame: FrameType | None) -> None:
        interrupted.append((number, time.monotonic()))
        _kill(child, number)

    heard = [number for number in INTERRUPTS if signal.getsignal(number) != signal.SIG_IGN]  # nohup ignores one
    for number in heard:
        signal.signal(number, interrupt)
    limit = _Limit(child, job.megabytes) if job.megabytes else None
    stopped_for: Reason | None = None
    while (ended := os.waitpid(child, os.WNOHANG))[0] == 0:
        now = time.monotonic()
        if job.seconds is not None and now - began > job.seconds:
            stopped_for = "time"
        elif limit is not None and limit.is_exceeded(now):
            stopped_for = "memory"
        if stopped_for or (interrupted and now - interrupted[0][1] > GRACE):
            _kill(child, signal.SIGKILL)
        time.sleep(SEEN_EVERY[now - began > 1])
    _kill(child, signal.SIGKILL)  # what it has started
    for number in heard:
        signal.signal(number, signal.SIG_DFL)
    if interrupted:
        os.kill(os.getpid(), interrupted[0][0])
    return End(os.waitstatus_to_exitcode(ended[1]), _told(reader), stopped_for)


def _kill(child: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child, number)


def _told(reader: int) -> dict[str, dict[str, str]]:
    os.set_blocking(reader, False)
    try:
        lines = os.read(reader, 65_536).decode().splitlines()
    except BlockingIOError:
        lines = []
    os.close(reader)
    return {said["event"]: said for said in map(json.loads, lines)}


class _Limit:
    """Memory of a child and of what it has started, beside that of the processes of the job that wait for it."""

    def __init__(self, child: int, megabytes: float) -> None:
        import psutil  # noqa: PLC0415 - only where a scheduler limits the memory

        self._psutil = psutil
        self._child = psutil.Process(child)
        own = psutil.Process()
        waiting = [own, *(p for p in own.parents() if p.uids().real == os.getuid())]
        self._left = megabytes * 1e6 - sum(map(self._bytes, waiting))
        self._next = 0.0

    def _bytes(self, process: Any) -> int:
        try:
            return int(process.memory_info().rss)
        except self._psutil.Error:
            return 0

    def is_exceeded(self, now: float) -> bool:
        """Whether the child takes more than is left for it; it is measured five times a second."""
        if now < self._next:
            return False
        self._next = now + 0.2
        try:
            family = [self._child, *self._child.children(recursive=True)]
        except self._psutil.Error:
            return False
        return sum(map(self._bytes, family)) > self._left


def _conclude(job: Job, end: End) -> int:
    """Turn the end of a child into the exit status of the job; set the field aside where that is the end of it."""
    path = record_of(job.log)
    if end.status == 0:
        if path.is_file():
            write_record(replace(read_record(path), status=None), path)
        return 0
    said = _reason(job, end)
    if said is None:
        return end.status if end.status > 0 else 128 - end.status
    reason, sentence = said
    if "failed" not in end.told:
        job.note("ERROR", sentence)
    if reason in AGAIN and job.attempts_left > 0:
        return AGAIN_LATER
    status = job.status(reason, sentence)
    _write_placeholders(job, status)
    job.note("WARNING", "The field is set aside; the run goes on without it.")
    before = read_record(path)
    write_record(Record(before.tries + (reason in AGAIN), status), path)
    return 0


def _reason(job: Job, end: End) -> tuple[Reason, str] | None:
    """Return why the field is set aside and the sentence; None where the end is no fault of the field."""
    if end.stopped_for == "time":
        return (
            "time",
            f"it takes longer than {round(job.seconds or 0)} s, the time that the profile gives it; give it more.",
        )
    if end.stopped_for == "memory":
        return (
            "memory",
            f"it needs more than {round(job.megabytes or 0)} MB, the memory that the profile gives; give it more.",
        )
    if "failed" in end.told:
        told = end.told["failed"]
        return next(reason for reason in REASONS if reason == told["reason"]), told["sentence"]
    if end.status < 0:
        return _reason_of_signal(-end.status)
    if "machine" in end.told or "started" not in end.told:
        return None
    return "crashed", f"it ended with status {end.status} and did not say why; its log has what it said before."


def _reason_of_signal(number: int) -> tuple[Reason, str] | None:
    """Return what a signal means that the parent did not send; None for those by which someone interrupts a step."""
    if number == signal.SIGKILL:
        return "memory", "it was killed, as happens where the memory of the machine runs out; give it more."
    if number in INTERRUPTS:
        return None
    return "crashed", f"it crashed ({signal.Signals(number).name}); its log has what it said before."


def _write_placeholders(job: Job, status: Status) -> None:
    """Write every declared product as a placeholder.

    The module is named, not imported: it knows the registry of products, a change of which repeats no step.
    """
    write = import_module("cineseq.workflow.placeholders").write_placeholder
    for name in job.outputs:
        write(Path(name), status)
