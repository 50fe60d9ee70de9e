"""Link objects with laptrack (Fukai and Kawaguchi 2023); run by other benchmarks in the environment of the peers.

Reads a table of ``frame``, ``label``, ``y_px`` and ``x_px``, and for the methods with overlaps a stack of masks; writes
the same rows with their ``track``, and a table of ``track`` and ``parent``. Prints the processor seconds of linking,
without reading and writing.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from laptrack import LapTrack, OverLapTrack

# Its own coefficients, 1 less the overlap over the area of the later object, and the cutoffs of the example of its
# documentation ("Tracking by overlaps").
OVERLAP = {"cutoff": 0.9, "gap_closing_cutoff": 0.9, "gap_closing_max_frame_count": 1, "splitting_cutoff": 0.9}
# The best settings for the second area of the epidermis, as published in results/homeostasis of laptrack-optimisation
# (run 04, overlap, 2022-09-09); the movie of the benchmark is the first area.
OFFSET, COST = 0.20838289500932858, -np.log(0.01)
LINK_PX, GAP_PX, SPLIT_PX = 11.336491560670634, 25.006460914732212, 20.261072961287592


def shares(masks: np.ndarray) -> dict[tuple[int, int, int, int], float]:
    """Return shared pixels over the area of the later object, by frame and label of both, up to two apart."""
    found = {}
    for gap in (1, 2):
        for frame in range(len(masks) - gap):
            before, after = masks[frame].astype(np.int64), masks[frame + gap].astype(np.int64)
            both = (before > 0) & (after > 0)
            pairs, pixels = np.unique(np.stack([before[both], after[both]]), axis=1, return_counts=True)
            area = np.bincount(after.ravel())
            for one, other, shared in zip(*pairs.tolist(), pixels.tolist(), strict=True):
                found[frame, one, frame + gap, other] = shared / area[other]
    return found


def tuned(masks: np.ndarray) -> LapTrack:
    """Return laptrack with the published cost: the logarithm of the share, for objects within a distance."""
    share = shares(masks)

    def metric(reach: float):
        def cost(one: np.ndarray, other: np.ndarray) -> float:
            if (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2 > reach**2:
                return np.inf
            early, late = (one, other) if one[2] < other[2] else (other, one)
            value = share.get((int(early[2]), int(early[3]), int(late[2]), int(late[3])), 0.0)
            return -np.log((value + OFFSET) / (1 + OFFSET))

        return cost

    return LapTrack(
        metric=metric(LINK_PX),
        cutoff=COST,
        gap_closing_metric=metric(GAP_PX),
        gap_closing_cutoff=COST,
        gap_closing_max_frame_count=1,
        splitting_metric=metric(SPLIT_PX),
        splitting_cutoff=COST,
    )


def link(method: str, points: pd.DataFrame, masks: np.ndarray | None, reach: float):
    """Return tracks and splits as laptrack does."""
    if method == "overlap":
        tracks, splits, _ = OverLapTrack(**OVERLAP).predict_overlap_dataframe(list(masks))
        return tracks.reset_index(), splits
    linker = tuned(masks) if method == "tuned" else LapTrack(cutoff=reach**2, splitting_cutoff=reach**2)
    columns = ["y_px", "x_px", "frame", "label"] if method == "tuned" else ["y_px", "x_px"]
    tracks, splits, _ = linker.predict_dataframe(points, columns, frame_col="frame", only_coordinate_cols=False)
    return tracks, splits


def main() -> None:
    """Link and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=Path, required=True)
    parser.add_argument("--tracks", type=Path, required=True)
    parser.add_argument("--parents", type=Path, required=True)
    parser.add_argument("--method", choices=["split", "overlap", "tuned"], default="split")
    parser.add_argument("--masks", type=Path, help="stack of labels, .npy")
    parser.add_argument("--reach", type=float, default=0, help="largest step, also to a daughter, in px")
    options = parser.parse_args()
    points = pd.read_csv(options.points)
    masks = None if options.method == "split" else np.load(options.masks)
    started = time.process_time()
    tracks, splits = link(options.method, points, masks, options.reach)
    print(time.process_time() - started)
    named = tracks.rename(columns={"track_id": "track"})
    named["frame"] = tracks.index.get_level_values("frame") if "frame" not in named else named["frame"]
    named[["frame", "label", "track"]].to_csv(options.tracks, index=False)
    parents = splits.rename(columns={"child_track_id": "track", "parent_track_id": "parent"})
    parents = parents if len(parents) else pd.DataFrame({"track": [], "parent": []}, dtype=int)
    parents[["track", "parent"]].to_csv(options.parents, index=False)


if __name__ == "__main__":
    main()
