"""Print every figure of the imaging side as one table: figure, value, what was asked, whether it is met.

Run: ``make bench-imaging`` (an hour on two cores), or for some of it
``.venv/bin/python benchmarks/bench_imaging.py --parts linking points``. Each part is a script, ``bench_<part>.py``, and
runs in a process of its own. A part that fails does not stop the others; it is named at the end, and the exit status is
1.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
PARTS = ("tracking", "held_out", "linking", "points", "deaths", "segmentation", "memory")
NEED_DATA = {"tracking", "held_out", "linking", "segmentation"}


def lines(part: str, arguments: list[str]) -> Iterator[str]:
    """Run a part; yield the lines that it prints.

    Raises
    ------
    subprocess.CalledProcessError
        When the part fails; what it had printed before has been yielded.
    """
    # Two threads are what segmentation is timed with; everything else is one thread's work.
    threads = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(HERE / f"bench_{part}.py"), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=threads) as running:
        for line in running.stdout or ():
            yield line.rstrip()
    if running.returncode:
        raise subprocess.CalledProcessError(running.returncode, command)


def main() -> None:
    """Run the parts and count what was missed.

    Raises
    ------
    SystemExit
        When a part failed, after the others have run.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    parser.add_argument("--data", type=Path, default=HERE / "../../shared/data", help="folder of the real data")
    parser.add_argument("--frames", type=int, default=500, help="of the movie on which memory is measured")
    options = parser.parse_args()
    print(f"{'figure':<76} {'value':>11}   {'asked':<18} met", flush=True)
    ok = missed = 0
    failed = []
    for part in options.parts:
        given = [f"--data={options.data}"] if part in NEED_DATA else []
        given += [f"--frames={options.frames}"] if part == "memory" else []
        try:
            for line in lines(part, given):
                print(line, flush=True)
                ok, missed = ok + line.endswith(" ok"), missed + line.endswith(" MISSED")
        except subprocess.CalledProcessError as error:
            print(
                f"{part} FAILED with status {error.returncode}; figures that it did not print are lacking.", flush=True
            )
            failed.append(part)
    print(f"{ok} of {ok + missed} figures are met.")
    if failed:
        msg = f"{len(failed)} of {len(options.parts)} parts failed: {', '.join(failed)}."
        raise SystemExit(msg)


if __name__ == "__main__":
    main()
