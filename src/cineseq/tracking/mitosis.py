"""Signs of mitosis in the parent of a division: it rounds up and condenses before it divides."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cineseq.tracking.candidates import Candidates
from cineseq.tracking.linking_problem import LinkingProblem

LATE, EARLIER = 2, 6
"""Last frames of a parent, in which it rounds up and condenses; the frames before are compared with them."""
WEIGHT = 1.0
"""Log odds that each sign adds where it is complete. Its absence changes nothing."""


def mitosis_cues(problem: LinkingProblem, candidates: Candidates) -> np.ndarray:
    """Return the log odds that signs of mitosis add to each division, shape (divisions,).

    They are measured along the likeliest history of the parent: the nearest predicted object of each frame before.
    """
    c = candidates
    link = c.steps == 1
    distance = problem.distance(c.source[link], c.target[link])
    order = np.argsort(-distance, kind="stable")
    before = np.full(c.objects, -1)
    before[c.target[link][order]] = c.source[link][order]  # the nearest is written last
    signs = mitosis(problem.table, before, c.parent)
    return WEIGHT * (signs["condensed"] + signs["rounded"])


def mitosis(objects: pd.DataFrame, before: np.ndarray, parent: np.ndarray) -> dict[str, np.ndarray]:
    """Return how much parents round up and condense before they divide, compared with their own earlier frames.

    Parameters
    ----------
    objects
        The objects.
    before
        Row of the object before each one, -1 for none, shape (objects,).
    parent
        Rows of the parents, shape (divisions,).

    Returns
    -------
    dict
        ``condensed``: highest brightness of the last two frames minus the median of up to six frames before, 0 to 1;
        ``rounded``: decrease of eccentricity plus decrease of log area, 0 to 0.5 each. 0 where unknown: without a
        movie, or before the third frame of the parent. Shape (divisions,) each.
    """
    # Rows of the last frames of each parent, the last first, shape (frames, divisions); -1 before its first frame.
    rows = [np.asarray(parent, np.int64)]
    for _ in range(LATE + EARLIER - 1):
        rows.append(np.where(rows[-1] >= 0, before[rows[-1]], -1))
    history = np.array(rows)
    log_area = np.log(objects["area_px"].to_numpy(float))
    columns = objects["brightness"].to_numpy(float), objects["eccentricity"].to_numpy(float), log_area
    change = []
    for values, sign in zip(columns, (1, -1, -1), strict=True):
        seen = sign * np.where(history >= 0, values[history], np.nan)
        late = np.fmax.reduce(seen[:LATE])
        known = (~np.isnan(seen[LATE:])).any(axis=0)
        usual = np.full(len(late), np.nan)
        usual[known] = np.nanmedian(seen[LATE:, known], axis=0)
        change.append(np.nan_to_num(late - usual))
    brighter, rounder, smaller = change
    rounded = np.clip(rounder, 0, 0.5) + np.clip(smaller, 0, 0.5)
    return {"condensed": np.clip(brighter, 0, 1), "rounded": rounded}
