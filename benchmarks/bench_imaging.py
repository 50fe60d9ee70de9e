"""Print the scores of the imaging steps as one table: score, value, target, and whether it is met.

Run: ``make bench-imaging`` (an hour on two cores), or for some of it
``.venv/bin/python benchmarks/bench_imaging.py --parts linking points``. Each part is a script, ``bench_<part>.py``, and
runs in a separate process. A part that fails does not stop the others; it is named at the end, and the exit status is
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
    """Run a part and yield the lines that it prints.

    Raises
    ------
    subprocess.CalledProcessError
        When the part fails, after its output has been yielded.
    """
    # Segmentation is timed with two threads; everything else uses one.
    threads = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(HERE / f"bench_{part}.py"), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=threads) as running:
        for line in running.stdout or ():
            yield line.rstrip()
    if running.returncode:
        raise subprocess.CalledProcessError(running.returncode, command)


def main() -> None:
    """Run the parts and count the targets that were missed.

    Raises
    ------
    SystemExit
        When a part failed, after the others have run.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    parser.add_argument("--data", type=Path, default=HERE / "../../shared/data", help="folder of the real data")
    parser.add_argument(
        "--frames", type=int, default=500, help="number of frames of the movie on which memory is measured"
    )
    options = parser.parse_args()
    print(f"{'score':<76} {'value':>11}   {'target':<18} met", flush=True)
    ok = missed = 0
    failed = []
    for part in options.parts:
        options_of_part = [f"--data={options.data}"] if part in NEED_DATA else []
        options_of_part += [f"--frames={options.frames}"] if part == "memory" else []
        try:
            for line in lines(part, options_of_part):
                print(line, flush=True)
                ok, missed = ok + line.endswith(" ok"), missed + line.endswith(" MISSED")
        except subprocess.CalledProcessError as error:
            print(
                f"{part} FAILED with status {error.returncode}; scores that it did not print are missing.", flush=True
            )
            failed.append(part)
    print(f"{ok} of {ok + missed} targets are met.")
    if failed:
        msg = f"{len(failed)} of {len(options.parts)} parts failed: {', '.join(failed)}."
        raise SystemExit(msg)


if __name__ == "__main__":
    main()
