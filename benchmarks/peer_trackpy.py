"""Link objects with trackpy (Crocker and Grier 1996); run by ``bench_tracking.py`` in the environment of the peers.

Reads a table of ``frame``, ``label``, ``y_px``, ``x_px``; writes the same rows with their ``track``, and an empty table
of ``track`` and ``parent``, since trackpy knows no divisions. Prints the processor seconds of linking.
"""

import argparse
import time
from pathlib import Path

import pandas as pd
import trackpy


def main() -> None:
    """Link and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=Path, required=True)
    parser.add_argument("--tracks", type=Path, required=True)
    parser.add_argument("--parents", type=Path, required=True)
    parser.add_argument("--reach", type=float, required=True, help="largest step in px")
    options = parser.parse_args()
    points = pd.read_csv(options.points)
    trackpy.quiet()
    started = time.process_time()
    linked = trackpy.link(points, options.reach, pos_columns=["y_px", "x_px"], adaptive_stop=2, adaptive_step=0.9)
    print(time.process_time() - started)
    named = linked.rename(columns={"particle": "track"})
    named[["frame", "label", "track"]].to_csv(options.tracks, index=False)
    pd.DataFrame({"track": [], "parent": []}, dtype=int).to_csv(options.parents, index=False)


if __name__ == "__main__":
    main()
