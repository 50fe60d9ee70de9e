"""Measure the time and memory that Snakemake needs to plan large studies.

Run: ``make bench-workflow``, or ``python benchmarks/bench_dry_run.py [--cases NAME ...]``; ``CASES`` lists
them with their limits. Prints one line per score of ``snakemake -n`` for each case: the number of jobs, processor
seconds and peak memory, which have limits, and elapsed seconds, which depend on the load of the machine.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from math import inf
from pathlib import Path

from scores import Score

ROOT = Path(__file__).resolve().parents[1]
FIELDS_PER_SAMPLE = 100
MASKS = {"masks": "masks/{sample}_{fov}.tif"}
MOVIES = {
    "images": "movies/{sample}_{fov}.tif",
    "compartments": "cages.csv",
    "barcodes": "barcodes.csv",
    "counts": "{sample}.h5",
}
CONFIG = """
samples: samples.tsv
channels: {names: [nuclear, lipid], function: [lipid]}
function: {scores: [{name: lipid, channel: lipid}]}
"""


@dataclass(frozen=True)
class Limits:
    """The smallest number of jobs of a case, and the limits of planning them."""

    jobs: float = -inf
    seconds: float = inf
    peak_gb: float = inf


@dataclass(frozen=True)
class Case:
    """A study of some fields with the same columns, the options of Snakemake, and the limits."""

    fields: int
    columns: dict[str, str]
    options: tuple[str, ...] = ()
    limits: Limits = Limits()


CASES = {
    "start": Case(1, MASKS, ("tracking",)),
    "jobs_10000": Case(2000, MASKS, ("tracking",), Limits(jobs=10_000, seconds=30)),
    "fields_10000": Case(10000, MASKS, ("tracking",), Limits(seconds=150, peak_gb=2)),
    "movies_2000": Case(2000, MOVIES, ("all",)),
    "movies_2000_slurm": Case(2000, MOVIES, ("--profile", str(ROOT / "profiles" / "slurm"), "all")),
}


def make_study(folder: Path, case: Case) -> Path:
    """Write the sheet of a case, the (empty) files that it names, and its configuration."""
    lines = ["\t".join(("sample", "fov", *case.columns))]
    for number in range(case.fields):
        field = {"sample": f"s{number // FIELDS_PER_SAMPLE}", "fov": f"f{number % FIELDS_PER_SAMPLE}"}
        names = [text.format(**field) for text in case.columns.values()]
        for name in names:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).touch()
        lines.append("\t".join((*field.values(), *names)))
    (folder / "samples.tsv").write_text("\n".join(lines) + "\n")
    config = folder / "study.yaml"
    config.write_text(CONFIG)
    return config


def plan(name: str, case: Case, folder: Path) -> list[Score]:
    """Plan a case in a folder, in a separate process, and score the time and memory."""
    config = make_study(folder, case)
    command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", "-s", str(ROOT / "Snakefile")]
    command += ["-d", str(folder), "--configfile", str(config), "--cores", "2", *case.options]
    output = folder / "output.txt"
    start = time.perf_counter()
    with output.open("w") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    found = re.search(r"total\s+(\d+)", output.read_text())
    if status or found is None:
        raise SystemExit(output.read_text())
    return [
        Score(f"{name}, {case.fields} fields: jobs", int(found[1]), low=case.limits.jobs),
        Score(f"{name}: processor seconds", used.ru_utime + used.ru_stime, high=case.limits.seconds),
        Score(f"{name}: peak memory, GB", used.ru_maxrss * 1024 / 1e9, high=case.limits.peak_gb),
        Score(f"{name}: elapsed seconds", seconds),
    ]


def main(names: list[str]) -> None:
    """Plan the named cases."""
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            for score in plan(name, CASES[name], Path(folder)):
                print(score, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    main(parser.parse_args().cases)
