"""Link points with laptrack (Fukai and Kawaguchi 2023); run by ``bench_linking.py`` in the environment of the peers.

Reads a table of ``frame``, ``label``, ``y_px`` and ``x_px``; writes the same rows with their ``track``, and a table of
``track`` and ``parent``. Prints the processor seconds of linking, without reading and writing.
"""

import argparse
import time
from pathlib import Path

import pandas as pd
from laptrack import LapTrack


def main() -> None:
    """Link and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=Path, required=True)
    parser.add_argument("--tracks", type=Path, required=True)
    parser.add_argument("--parents", type=Path, required=True)
    parser.add_argument("--reach", type=float, required=True, help="largest step, also to a daughter, in px")
    options = parser.parse_args()
    points = pd.read_csv(options.points)
    linker = LapTrack(cutoff=options.reach**2, splitting_cutoff=options.reach**2)
    started = time.process_time()
    tracks, splits, _ = linker.predict_dataframe(
        points, ["y_px", "x_px"], frame_col="frame", only_coordinate_cols=False
    )
    print(time.process_time() - started)
    named = tracks.rename(columns={"track_id": "track"})
    named["frame"] = tracks.index.get_level_values("frame") if "frame" not in named else named["frame"]
    named[["frame", "label", "track"]].to_csv(options.tracks, index=False)
    parents = splits.rename(columns={"child_track_id": "track", "parent_track_id": "parent"})
    parents[["track", "parent"]].to_csv(options.parents, index=False)


if __name__ == "__main__":
    main()
