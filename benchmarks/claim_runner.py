"""Draw the studies of claims, and print one line per claim: required, before, now, with standard errors."""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import math
import os
import pkgutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from truth.claims import Claim, Measured

NOT_CLAIMS = {"claims", "designs"}


@dataclass(frozen=True)
class Benchmark:
    """A package of modules with ``CLAIMS``, and where its numbers are kept.

    Attributes
    ----------
    package
        Name of the package in ``benchmarks``, such as ``truth``.
    before
        Folder of the tables of numbers that were measured before the methods were mended.
    folder
        Folder in which measured numbers are kept, one file per claim.
    """

    package: str
    before: Path
    folder: Path

    @classmethod
    def of(cls, package: str) -> Benchmark:
        """Return the benchmark of a package next to this file."""
        return cls(package, Path(__file__).parent / package / "before", Path("results") / f"bench_{package}")


def all_claims(benchmark: Benchmark) -> list[Claim]:
    """Return the claims of every module of a benchmark's package, in the order of their modules' names."""
    path = importlib.import_module(benchmark.package).__path__
    names = sorted(module.name for module in pkgutil.iter_modules(path))
    found = [importlib.import_module(f"{benchmark.package}.{name}") for name in names if name not in NOT_CLAIMS]
    return [claim for module in found for claim in getattr(module, "CLAIMS", ())]


def read_before(folder: Path) -> dict[str, Measured]:
    """Return what was measured before the methods were mended, by the name of the claim."""
    rows: list[dict[str, str]] = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            rows += csv.DictReader(file)
    return {
        row["claim"]: Measured(
            float(row["value"]), float(row["standard_error"]), int(row["studies"]), int(row["not_estimable"])
        )
        for row in rows
    }


def measure(claim: Claim, studies: int, workers: ProcessPoolExecutor | None) -> Measured:
    """Draw the studies of a claim, seeds 0, 1, ..., and return their mean."""
    seeds = range(studies)
    if workers is None:
        return Measured.of([claim.study(seed) for seed in seeds])
    return Measured.of(list(workers.map(claim.study, seeds, chunksize=max(1, studies // 64))))


def kept(claim: Claim, studies: int, folder: Path) -> Measured | None:
    """Return an earlier measurement with at least as many studies; None where there is none."""
    path = folder / f"{claim.name}.json"
    if not path.exists():
        return None
    earlier = Measured(**json.loads(path.read_text(encoding="utf-8")))
    return earlier if earlier.studies >= studies else None


def keep(claim: Claim, measured: Measured, folder: Path) -> None:
    """Write a measurement for later runs, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{claim.name}.{os.getpid()}"
    temporary.write_text(json.dumps(asdict(measured)), encoding="utf-8")
    temporary.replace(folder / f"{claim.name}.json")


def line(claim: Claim, before: Measured | None, now: Measured) -> str:
    """Return one line of the table."""
    verdict = "harder design" if claim.harder else "holds" if now.within(claim) else "FAILS"
    missing = f", not estimable {now.not_estimable} of {now.studies}" if now.not_estimable else ""
    return (
        f"{verdict:13}  {claim.name:58}  required {_required(claim):14}  before {_number(before):13}  "
        f"now {_number(now):13}  {claim.measures}; {claim.design}{missing}"
    )


def _number(measured: Measured | None) -> str:
    if measured is None:
        return "-"
    if math.isnan(measured.value):
        return "not estimable"
    return f"{measured.value:.3f} ({measured.standard_error:.3f})"


def _required(claim: Claim) -> str:
    low, high = claim.at_least, claim.at_most
    if math.isinf(low):
        return "-" if math.isinf(high) else f"<= {high:g}"
    return f">= {low:g}" if math.isinf(high) else f"{low:g} to {high:g}"


def main(benchmark: Benchmark, description: str | None) -> None:
    """Measure the claims that were named, or all; exit with 1 when one fails."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="beginnings of claims' names; default: all")
    parser.add_argument("--fraction", type=float, default=1.0, help="share of the studies to draw; default 1")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes; default: one per core")
    parser.add_argument("--fresh", action="store_true", help="measure again what was measured")
    parser.add_argument(
        "--csv", type=Path, help="also write the numbers to this file, in the format of the tables before"
    )
    asked = parser.parse_args()
    claims = [c for c in all_claims(benchmark) if not asked.names or c.name.startswith(tuple(asked.names))]
    if not claims:
        parser.error(f"no claim begins with {' or '.join(asked.names)}")
    before = read_before(benchmark.before)
    results: dict[str, Measured] = {}
    workers = ProcessPoolExecutor(asked.jobs) if asked.jobs > 1 else None
    for claim in claims:
        studies = claim.quick(asked.fraction)
        earlier = None if asked.fresh else kept(claim, studies, benchmark.folder)
        results[claim.name] = earlier or measure(claim, studies, workers)
        keep(claim, results[claim.name], benchmark.folder)
        print(line(claim, before.get(claim.name), results[claim.name]), flush=True)
    if asked.csv:
        write_csv(results, asked.csv)
    failed = [c.name for c in claims if not c.harder and not results[c.name].within(c)]
    print(f"{len(claims)} claims, {len(failed)} that fail" + (f": {', '.join(failed)}" if failed else ""))
    raise SystemExit(bool(failed))


def write_csv(results: dict[str, Measured], path: Path) -> None:
    """Write measured numbers in the format of the tables before."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["claim", "value", "standard_error", "studies", "not_estimable"])
        for name, m in results.items():
            writer.writerow([name, f"{m.value:.4f}", f"{m.standard_error:.4f}", m.studies, m.not_estimable])
