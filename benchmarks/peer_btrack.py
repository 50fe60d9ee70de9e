"""Link objects with btrack (Ulicna et al. 2021); run by ``bench_tracking.py`` in an environment of its own.

Reads a table of ``frame``, ``label``, ``y_px``, ``x_px``; writes the same rows with their ``track``, and a table of
``track`` and ``parent``. Prints the processor seconds of linking.
"""

import argparse
import time
from pathlib import Path

import btrack
import numpy as np
import pandas as pd
from btrack.btypes import PyTrackObject
from btrack.config import TrackerConfig
from btrack.models import HypothesisModel, MotionModel

# The published settings for cells (models/cell_config.json of btrack), which its package fetches from elsewhere.
STEP = np.eye(6) + np.eye(6, k=3)
MOTION = {
    "name": "cell_motion",
    "dt": 1.0,
    "measurements": 3,
    "states": 6,
    "accuracy": 7.5,
    "prob_not_assign": 0.001,
    "max_lost": 5,
    "A": STEP,
    "H": np.eye(3, 6),
    "P": 150.0 * np.diag([0.1, 0.1, 0.1, 1, 1, 1]),
    "G": 15.0 * np.array([[0.5, 0.5, 0.5, 1, 1, 1]]),
    "R": 5.0 * np.eye(3),
}
HYPOTHESES = {
    "name": "cell_hypothesis",
    "hypotheses": ["P_FP", "P_init", "P_term", "P_link", "P_branch", "P_dead"],
    "lambda_time": 5.0,
    "lambda_dist": 3.0,
    "lambda_link": 10.0,
    "lambda_branch": 50.0,
    "eta": 1e-10,
    "theta_dist": 20.0,
    "theta_time": 5.0,
    "dist_thresh": 40,
    "time_thresh": 2,
    "apop_thresh": 5,
    "segmentation_miss_rate": 0.1,
    "apoptosis_rate": 0.001,
    "relax": True,
}


def main() -> None:
    """Link and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=Path, required=True)
    parser.add_argument("--tracks", type=Path, required=True)
    parser.add_argument("--parents", type=Path, required=True)
    parser.add_argument("--reach", type=float, required=True, help="search radius in px")
    options = parser.parse_args()
    points = pd.read_csv(options.points)
    objects = []
    for row in points.itertuples():
        new = PyTrackObject()
        new.ID, new.t, new.x, new.y, new.z, new.dummy = row.Index, row.frame, row.x_px, row.y_px, 0.0, False
        objects.append(new)
    started = time.process_time()
    with btrack.BayesianTracker(verbose=False) as tracker:
        settings = TrackerConfig(motion_model=MotionModel(**MOTION), hypothesis_model=HypothesisModel(**HYPOTHESES))
        settings.max_search_radius = options.reach
        tracker.configure(settings)
        tracker.append(objects)
        high = points[["x_px", "y_px"]].max() + 1
        tracker.volume = ((0, high["x_px"]), (0, high["y_px"]), (-1e5, 1e5))
        tracker.track(step_size=100)
        tracker.optimize()
        found = tracker.tracks
    print(time.process_time() - started)
    track = np.full(len(points), -1)
    parents = []
    for one in found:
        # Objects that stand in for a missed detection have negative references.
        real = np.array([ref for ref in one.refs if ref >= 0], int)
        track[real] = one.ID
        if not one.is_root and one.parent != one.ID:
            parents.append((one.ID, one.parent))
    # An object that is in no track is a track of its own.
    alone = track < 0
    track[alone] = track.max() + 1 + np.arange(alone.sum())
    points.assign(track=track)[["frame", "label", "track"]].to_csv(options.tracks, index=False)
    pd.DataFrame(parents, columns=["track", "parent"]).to_csv(options.parents, index=False)


if __name__ == "__main__":
    main()
