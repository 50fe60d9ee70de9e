"""How long Snakemake takes to plan large studies, and how much memory.

Prints one line per case: its fields and jobs, seconds by the clock, user CPU seconds and peak memory of its own
``snakemake -n``. Run as ``python benchmarks/bench_dry_run.py [--cases NAME ...]``; ``CASES`` says what they are.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

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
class Case:
    """A study of some fields that all give the same columns, and what is asked of it."""

    fields: int
    columns: dict[str, str]
    options: tuple[str, ...] = ()


CASES = {
    "start": Case(1, MASKS, ("tracking",)),
    "jobs_10000": Case(1667, MASKS, ("tracking",)),
    "fields_10000": Case(10000, MASKS, ("tracking",)),
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


def plan(case: Case, folder: Path) -> str:
    """Plan a case in a folder; return its figures, separated by tabs."""
    config = make_study(folder, case)
    command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", "-s", str(ROOT / "Snakefile")]
    command += ["-d", str(folder), "--configfile", str(config), "--cores", "2", *case.options]
    said = folder / "said.txt"
    start = time.perf_counter()
    with said.open("w") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(said.read_text())
    jobs = re.search(r"total\s+(\d+)", said.read_text())
    return f"{case.fields}\t{jobs[1] if jobs else '?'}\t{seconds:.1f}\t{used.ru_utime:.1f}\t{used.ru_maxrss / 1024:.0f}"


def main(names: list[str]) -> None:
    """Plan the named cases."""
    print("case\tfields\tjobs\tseconds\tuser_seconds\tpeak_mb")
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            print(f"{name}\t{plan(CASES[name], Path(folder))}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    main(parser.parse_args().cases)
