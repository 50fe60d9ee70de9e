"""Read spoilt inputs: ``python benchmarks/bench_inputs.py [--count N] [--fraction F] [--formats NAME ...]``.

1,000 inputs in 28 formats are cut off, have bits flipped, parts of their headers exchanged, or sizes made huge, from
fixed seeds. Each is read in a process of its own by the function that the workflow uses, and what happened is counted:

    same       what was read is equal to what the whole input holds
    refused    one sentence for the user
    traceback  any other exception
    hang       more than 30 s of one core, or 180 s in all
    crash      the process was ended by a signal
    changed    what was read differs, without a word

Required are 0 traceback, 0 hang and 0 crash. Every change in silence is listed with the reason why no structure or
checksum of the format could tell, or as one WITHOUT REASON. The counts of the code before the mends are in
``inputs/before/counts.csv``, those after in ``inputs/after.csv``. ``--write FILE`` writes the counts as such a table.
"""

from __future__ import annotations

import argparse
import csv
import logging
import os
import pickle
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from inputs.formats import FORMATS, Format, Parts
from inputs.mutations import KINDS, spoil
from inputs.reasons import reason

from cineseq.errors import UserError

OUTCOMES = ("same", "refused", "traceback", "hang", "crash", "changed")
FORBIDDEN = ("traceback", "hang", "crash")
COUNT = 1_000
CPU_SECONDS, WALL_SECONDS = 30, 180
MEMORY = 8 << 30
"""Bytes that reading a spoilt input may take beyond those of the process that starts it."""
BEFORE = Path(__file__).parent / "inputs" / "before" / "counts.csv"


@dataclass(frozen=True)
class Spoilt:
    """One spoilt input: its number, which seeds everything drawn for it, and how it is spoilt."""

    number: int
    format: Format
    kind: str


@dataclass(frozen=True)
class Result:
    """What happened to a spoilt input; ``detail`` is the sentence, the last line of a traceback, or what changed."""

    spoilt: Spoilt
    file: str
    outcome: str
    detail: str

    def __str__(self) -> str:
        return f"{self.spoilt.format.name} {self.spoilt.number}, {self.file}, {self.spoilt.kind}: {self.detail}"


def all_spoilt(count: int, names: list[str]) -> list[Spoilt]:
    """Return the inputs to read: formats and kinds in turn."""
    every = [Spoilt(i, FORMATS[i % len(FORMATS)], KINDS[i // len(FORMATS) % len(KINDS)]) for i in range(count)]
    return [spoilt for spoilt in every if spoilt.format.name in names]


def in_process(work: Spoilt, whole: Parts | None, folder: Path) -> tuple[str, str, object]:
    """Write an input, spoil it if there is something to compare with, read it, and return file, outcome and detail."""
    folder.mkdir()
    path = work.format.write(folder)
    file = "" if whole is None else spoil(_root(path, folder), work.kind, np.random.default_rng(work.number))
    try:
        found = work.format.read(path)
    except UserError as error:
        return file, "refused", str(error)
    except Exception as error:  # noqa: BLE001 - that is what is counted
        last = traceback.extract_tb(error.__traceback__)[-1]
        return file, "traceback", f"{type(error).__name__}: {str(error)[:150]} ({last.filename}:{last.lineno})"
    if whole is None:
        return file, "same", found
    changed = sorted(name for name in whole if found.get(name) != whole[name])
    return file, "changed" if changed else "same", ", ".join(changed)


def _root(path: Path, folder: Path) -> Path:
    """Return the file, or the folder if the input is made of several files."""
    return path if path.parent == folder else path.parent


class Worker:
    """A forked process that reads one input."""

    def __init__(self, work: Spoilt, whole: Parts | None, folder: Path) -> None:
        self.work, self.folder, self.started = work, folder / f"{work.format.name}-{work.number}", time.monotonic()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.answer = folder / f"{work.format.name}-{work.number}.pickle"
        self.pid = os.fork()
        if self.pid == 0:
            self._run(whole)

    def _run(self, whole: Parts | None) -> None:
        logging.disable(logging.CRITICAL)
        warnings.simplefilter("ignore")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os.setsid()
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)
        if whole is not None:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))
            limit = psutil.Process().memory_info().vms + MEMORY
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        status = 1
        try:
            self.answer.write_bytes(pickle.dumps(in_process(self.work, whole, self.folder)))
            status = 0
        finally:
            os._exit(status)

    def ended(self) -> tuple[str, str, object] | None:
        """Return file, outcome and detail once the process has ended, and remove what it wrote."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        late = time.monotonic() - self.started > WALL_SECONDS
        if pid == 0 and not late:
            return None
        if pid == 0:
            os.killpg(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        found = self._outcome(status, late=pid == 0)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.answer.unlink(missing_ok=True)
        return found

    def _outcome(self, status: int, *, late: bool) -> tuple[str, str, object]:
        ended_by = signal.Signals(os.WTERMSIG(status)) if os.WIFSIGNALED(status) else None
        if late or ended_by in (signal.SIGXCPU, signal.SIGKILL):
            return "?", "hang", f"{CPU_SECONDS} s of one core or {WALL_SECONDS} s in all were not enough"
        if ended_by is not None:
            return "?", "crash", ended_by.name
        if status or not self.answer.is_file():
            return "?", "traceback", f"the process ended with status {os.waitstatus_to_exitcode(status)}"
        return pickle.loads(self.answer.read_bytes())


def read_all(works: list[Spoilt], jobs: int, folder: Path) -> Iterator[Result]:
    """Yield what happened to each input, as it ends; first each format is read whole."""
    formats = list({work.format.name: work.format for work in works}.values())
    wholes: dict[str, Parts] = {}
    for worker, (_, outcome, found) in _pool([(Spoilt(-1, f, "whole"), None) for f in formats], jobs, folder):
        if outcome != "same" or not isinstance(found, dict):
            sys.exit(f"{worker.work.format.name}: the whole input is not read: {found}")
        wholes[worker.work.format.name] = found
    for worker, (file, outcome, detail) in _pool([(w, wholes[w.format.name]) for w in works], jobs, folder):
        yield Result(worker.work, file, outcome, str(detail))


def _pool(
    works: list[tuple[Spoilt, Parts | None]], jobs: int, folder: Path
) -> Iterator[tuple[Worker, tuple[str, str, object]]]:
    running: list[Worker] = []
    todo = works[::-1]
    while todo or running:
        while todo and len(running) < jobs:
            running.append(Worker(*todo.pop(), folder))
        for worker in list(running):
            found = worker.ended()
            if found is not None:
                running.remove(worker)
                yield worker, found
        time.sleep(0.005)


def table(results: list[Result], before: dict[str, dict[str, int]]) -> list[str]:
    """Return the lines of the table of counts: now, and in brackets before."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for result in results:
        counts[result.spoilt.format.name][result.outcome] += 1
    lines = [f"{'format':22}{'inputs':>8}" + "".join(f"{outcome:>16}" for outcome in OUTCOMES)]
    rows = [(name, counts[name], before.get(name)) for name in (f.name for f in FORMATS) if name in counts]
    earlier = Counter({o: sum(row[o] for row in before.values()) for o in OUTCOMES}) if before else None
    rows.append(("all", sum(counts.values(), Counter()), earlier))
    for name, now, was in rows:
        cells = [f"{now[o]}" + (f" ({was[o]})" if was else "") for o in OUTCOMES]
        lines.append(f"{name:22}{now.total():>8}" + "".join(f"{cell:>16}" for cell in cells))
    return lines


def read_before(path: Path) -> dict[str, dict[str, int]]:
    """Return the counts of the code before, by format and outcome."""
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        return {row["format"]: {o: int(row[o]) for o in OUTCOMES} for row in csv.DictReader(file)}


def write_counts(results: list[Result], path: Path) -> None:
    """Write the counts of each format as a table."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["format", "inputs", *OUTCOMES])
        for name in (f.name for f in FORMATS):
            mine = [r.outcome for r in results if r.spoilt.format.name == name]
            writer.writerow([name, len(mine), *(mine.count(o) for o in OUTCOMES)])


def main() -> None:
    """Read the spoilt inputs and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=COUNT, help="number of inputs")
    parser.add_argument("--fraction", type=float, default=1.0, help="fraction of the inputs, the first ones")
    parser.add_argument("--formats", nargs="+", default=[f.name for f in FORMATS], help="only these formats")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time")
    parser.add_argument("--write", type=Path, help="write the counts to this file")
    parser.add_argument("--show", nargs="*", default=[*FORBIDDEN], help="outcomes that are listed one by one")
    told = parser.parse_args()
    works = all_spoilt(round(told.count * told.fraction), told.formats)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        results = sorted(read_all(works, told.jobs, Path(folder)), key=lambda r: r.spoilt.number)
    for line in table(results, read_before(BEFORE)):
        print(line)
    for outcome in told.show:
        for result in (r for r in results if r.outcome == outcome):
            print(f"{outcome.upper()}  {result}")
    unexplained = 0
    for result in (r for r in results if r.outcome == "changed"):
        why = reason(result.spoilt.format.name, result.spoilt.kind, result.file, result.detail.split(", "))
        unexplained += not why
        print(f"CHANGED  {result}: {why or 'WITHOUT REASON'}")
    print(f"{len(results)} inputs in {time.monotonic() - started:.0f} s")
    if told.write:
        write_counts(results, told.write)
    forbidden = sum(r.outcome in FORBIDDEN for r in results)
    if forbidden or unexplained:
        sys.exit(f"{forbidden} tracebacks, hangs or crashes; {unexplained} changes in silence without a reason")


if __name__ == "__main__":
    main()
