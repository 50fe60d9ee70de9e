"""Scores of tracking against annotated or simulated tracks: Cell Tracking Challenge measures, divisions, deaths."""

from __future__ import annotations

import logging
import warnings
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

from cineseq.tracking.assignment import match

MIN_OVERLAP = 0.3
"""Lowest intersection over union of a one-to-one match."""


def score_ctc(result: Path, truth: Path) -> dict[str, float]:
    """Score a folder in the format of the Cell Tracking Challenge against another, with traccuracy.

    Parameters
    ----------
    result
        Folder with ``mask*.tif`` and ``res_track.txt``.
    truth
        Folder with ``man_track*.tif`` and ``man_track.txt``, or of the same layout as the result.

    Returns
    -------
    dict
        ``TRA``, ``DET``, ``LNK``, ``AOGM`` (Matula et al. 2015) and ``division_precision``, ``division_recall``,
        ``division_F1`` with a tolerance of one frame, ``true_divisions``; NaN where the truth has no division.
    """
    from traccuracy.matchers import CTCMatcher, IOUMatcher  # noqa: PLC0415 - 2 s, and only scoring needs it
    from traccuracy.metrics import CTCMetrics, DivisionMetrics  # noqa: PLC0415

    # TRA, DET, LNK and AOGM (Matula et al. 2015); then divisions with a tolerance of one frame.
    ctc = _run(result, truth, CTCMatcher(), CTCMetrics())
    division = DivisionMetrics(max_frame_buffer=1)
    try:
        divided = _run(result, truth, CTCMatcher(), division)
    except TypeError:
        # A mask that covers two true cells matches both, but divisions can only be scored one to one.
        divided = _run(result, truth, IOUMatcher(iou_threshold=MIN_OVERLAP, one_to_one=True), division)
    buffered = divided["results"]["Frame Buffer 1"]
    names = {"division_precision": "Division Precision", "division_recall": "Division Recall"}
    scores = {name: float(ctc["results"][name]) for name in ("TRA", "DET", "LNK", "AOGM")}
    scores |= {name: float(buffered[key]) for name, key in names.items()}
    scores["division_F1"] = float(buffered["Division F1"])
    scores["true_divisions"] = float(buffered["Total GT Divisions"])
    return scores


def _run(result: Path, truth: Path, matcher: Any, metric: Any) -> dict[str, Any]:
    """Run one metric of traccuracy; the graphs are read each time, since traccuracy modifies them."""
    from traccuracy import run_metrics  # noqa: PLC0415
    from traccuracy.loaders import load_ctc_data  # noqa: PLC0415

    # Progress bars of traccuracy would make the log unreadable.
    with warnings.catch_warnings(), redirect_stderr(StringIO()):
        warnings.simplefilter("ignore")
        logging.getLogger("traccuracy").setLevel(logging.ERROR)
        graphs = [load_ctc_data(str(f), str(_track_file(f)), run_checks=False) for f in (truth, result)]
        return run_metrics(gt_data=graphs[0], pred_data=graphs[1], matcher=matcher, metrics=[metric])[0][0]


def _track_file(folder: Path) -> Path:
    return next(folder / name for name in ("man_track.txt", "res_track.txt") if (folder / name).exists())


def score_deaths(
    predicted: pd.DataFrame, truth: pd.DataFrame, *, tolerance_frames: int, distance_px: float
) -> dict[str, float]:
    """Score deaths by position and time, one to one.

    Parameters
    ----------
    predicted, truth
        One row per death: ``frame``, ``y_px``, ``x_px`` (and ``fov`` and ``sample`` where there are several fields).
    tolerance_frames, distance_px
        Largest distance of a prediction from a true death, in frames and in px.

    Returns
    -------
    dict
        ``precision``, ``recall``, ``F1``, ``predicted``, ``true``; NaN where there is no prediction or no true death.
    """
    # Distances in px and in frames of every pair, shape (predicted, true); pairs within both tolerances may match.
    apart = cdist(predicted[["y_px", "x_px"]], truth[["y_px", "x_px"]])
    late = np.abs(predicted["frame"].to_numpy()[:, None] - truth["frame"].to_numpy()[None, :])
    allowed = (apart <= distance_px) & (late <= tolerance_frames)
    for name in ("sample", "fov"):
        if name in predicted and name in truth:
            allowed &= predicted[name].to_numpy()[:, None] == truth[name].to_numpy()[None, :]
    # Exact one-to-one matching; the no-link cost is so high that the number of matches is as large as possible.
    rows, cols = np.nonzero(allowed)
    cost = apart[rows, cols] / (distance_px + 1e-9) + late[rows, cols] / (tolerance_frames + 1)
    hits = len(match(rows, cols, cost, (len(predicted), len(truth)), no_link_cost=1e6)[0])
    precision = hits / len(predicted) if len(predicted) else np.nan
    recall = hits / len(truth) if len(truth) else np.nan
    both = len(predicted) + len(truth)
    f1 = 2 * hits / both if both else np.nan
    return {
        "precision": precision,
        "recall": recall,
        "F1": f1,
        "predicted": float(len(predicted)),
        "true": float(len(truth)),
    }
