"""How long Snakemake takes to plan large studies, and how much memory.

Prints one line per study: fields, jobs, seconds and peak memory of ``snakemake -n tracking`` on given masks.
Run as ``python benchmarks/bench_dry_run.py [FIELDS ...]``; 2000 and 10000 by default (about 10,000 and 50,000 jobs).
"""

import argparse
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FIELDS_PER_SAMPLE = 100


def make_study(folder: Path, fields: int) -> Path:
    """Write a sheet of ``fields`` fields with (empty) files of masks, and its configuration."""
    lines = ["sample\tfov\tmasks"]
    for number in range(fields):
        mask = folder / f"m{number}.tif"
        mask.touch()
        lines.append(f"s{number // FIELDS_PER_SAMPLE}\tf{number % FIELDS_PER_SAMPLE}\t{mask.name}")
    (folder / "samples.tsv").write_text("\n".join(lines) + "\n")
    config = folder / "study.yaml"
    config.write_text("samples: samples.tsv\n")
    return config


def main(sizes: list[int]) -> None:
    """Plan studies of several sizes."""
    print("fields\tjobs\tseconds\tpeak_mb_of_all_so_far")
    for fields in sizes:
        with tempfile.TemporaryDirectory() as name:
            config = make_study(Path(name), fields)
            command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", "-s", str(ROOT / "Snakefile")]
            command += ["-d", name, "--configfile", str(config), "--cores", "2", "tracking"]
            start = time.perf_counter()
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            seconds = time.perf_counter() - start
        jobs = re.search(r"total\s+(\d+)", said)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"{fields}\t{jobs[1] if jobs else '?'}\t{seconds:.1f}\t{peak:.0f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fields", nargs="*", type=int, default=[2000, 10000])
    main(parser.parse_args().fields)
