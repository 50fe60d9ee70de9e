"""Time the imports of each script: ``python benchmarks/bench_import.py [BEFORE] [AFTER]``.

Every script runs in a fresh process up to the point where a rule would call it, three times, and the minimum is
printed: seconds for the first checkout, for the second if there is one, and their ratio. Bytecode is kept, as for jobs.
The last line is the sum.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REPEATS = 3
PROGRAM = """
import runpy, sys, time
start = time.perf_counter()
runpy.run_path(sys.argv[1], run_name="a_rule")
print(time.perf_counter() - start)
"""


def seconds(script: Path, repeats: int = REPEATS) -> float:
    """Return the minimum time, in seconds, of several fresh processes.

    Raises
    ------
    subprocess.CalledProcessError
        When the script cannot be imported.
    """
    checkout = script.parents[1]
    folder = checkout / "src" if (checkout / "src").is_dir() else checkout / "scripts"
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": ""}
    command = [sys.executable, "-c", PROGRAM, str(script)]
    # The first run fills the caches and does not count.
    runs = [
        subprocess.run(command, env=environment, cwd=checkout, check=True, capture_output=True, text=True)
        for _ in range(repeats + 1)
    ]
    return min(float(run.stdout.splitlines()[-1]) for run in runs[1:])


def main() -> None:
    """Print one line per script and the sum."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkouts", nargs="*", type=Path, default=[ROOT], help="one or two folders; default: this one")
    parser.add_argument("--scripts", nargs="*", help="names without .py; default: every script that all checkouts have")
    asked = parser.parse_args()
    checkouts = [folder.resolve() for folder in asked.checkouts]
    names = asked.scripts or sorted(set.intersection(*(_scripts(checkout) for checkout in checkouts)))
    for checkout in checkouts:
        for name in sorted(_scripts(checkout) - set(names)) if not asked.scripts else ():
            print(f"{name:32} only in {checkout.name}")
    rows = {}
    for name in names:
        rows[name] = [seconds(checkout / "scripts" / f"{name}.py") for checkout in checkouts]
        print(_line(name, rows[name]), flush=True)
    print(_line("all", [sum(times) for times in zip(*rows.values(), strict=True)]))


def _scripts(checkout: Path) -> set[str]:
    return {path.stem for path in (checkout / "scripts").glob("*.py")}


def _line(name: str, times: list[float]) -> str:
    ratio = f"{times[1] / times[0]:8.2f}" if len(times) > 1 else ""
    return f"{name:32}" + "".join(f"{time:8.2f} s" for time in times) + ratio


if __name__ == "__main__":
    main()
