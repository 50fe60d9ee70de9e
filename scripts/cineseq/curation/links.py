"""How sure a link is: what the best other way of linking the same objects would cost."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.spatial import KDTree
from scipy.special import expit

from cineseq.tracking.gaps import ALONE
from cineseq.tracking.scene import Scene

PART = 2.0
"""Cost of a cell that is linked to nothing, as in linking."""
LEAST_NOISE = 1.0
"""Twice the variance of a step in px2 that is always allowed for; centroids of masks are no more exact."""
OFFSET, SLOPE = -1.7, 0.37
"""Log odds of a link by its margin, fitted to annotated epithelium at three, five and seven times its interval."""
CLAIMED = -2
"""Stands for a rival where the best other way is that another cell takes the second object."""
GAP_SCALE = 0.15
"""Change of a gap's cost that makes it 2.7 times less likely."""


def link_confidence(scene: Scene, before: np.ndarray, candidate: np.ndarray) -> pd.DataFrame:
    """Return how sure every link is.

    The cost of a link is that of linking: squared distance over squared search range, less the share of overlap. Its
    margin is what the cheapest exchange would cost more: leaving both objects alone, giving the first object another
    successor, or the second another predecessor, where whoever loses theirs is left alone or takes what became free.
    The margin is measured in units of the noise, which is twice the variance of the steps of this field (from their
    median, as for normal steps in two directions), and turned into ``confidence`` by a logistic function that was
    fitted to one annotated movie: about the share of right links there, a ranking elsewhere. A link over a gap is
    compared with leaving the gap open, by the cost of closing gaps; that scale is a rule, not a fit.

    Parameters
    ----------
    scene
        All objects.
    before
        The object before each object, its mother's last one, or -1, shape (objects,).
    candidate
        Objects that others may be linked to instead, shape (objects,); fragments may not.

    Returns
    -------
    pandas.DataFrame
        One row per link: ``source`` and ``target`` (rows of the objects), ``step_px`` (after the common motion),
        ``confidence`` (0 to 1) and ``rival``, the object that the first one would best be linked to instead; where the
        best other way has none, -1, or -2 when it gives the second object to another cell.
    """
    arrows = _arrows(scene, before)
    gap = arrows["frames"].to_numpy() > 1
    arrows["margin"], arrows["rival"] = np.inf, -1
    arrows.loc[~gap, ["margin", "rival"]] = _margins(scene, arrows[~gap], candidate)
    links = arrows[~arrows["divides"]].reset_index(drop=True)
    gap = links["frames"].to_numpy() > 1
    step = links["step_px"].to_numpy()
    spread = max(float(np.median(step[~gap] ** 2)) / np.log(2), LEAST_NOISE) if (~gap).any() else LEAST_NOISE
    logit = OFFSET + SLOPE * links["margin"].to_numpy() * scene.reach**2 / spread
    size = np.log(scene.table["area_px"].to_numpy())
    change = np.abs(size[links["target"]] - size[links["source"]])
    cost = step / (scene.reach * np.sqrt(links["frames"].to_numpy())) + change
    logit[gap] = (ALONE - cost[gap]) / GAP_SCALE
    links["confidence"] = expit(logit)
    return links[["source", "target", "step_px", "confidence", "rival"]].astype({"rival": np.int64})


def _arrows(scene: Scene, before: np.ndarray) -> pd.DataFrame:
    """List links and divisions as pairs of objects, with the frames and the px between them."""
    target = np.flatnonzero(before >= 0)
    source = before[target]
    frames = scene.frame[target] - scene.frame[source]
    moved = scene.points[target] - scene.points[source] - scene.motion.shift[source] * frames[:, None]
    divides = np.bincount(source, minlength=len(before))[source] == 2
    step = np.hypot(*moved.T)
    return pd.DataFrame({"source": source, "target": target, "frames": frames, "divides": divides, "step_px": step})


def _margins(scene: Scene, arrows: pd.DataFrame, candidate: np.ndarray) -> np.ndarray:
    """Return what the cheapest exchange costs more and the successor in it, or -1, shape (arrows, 2)."""
    n = len(scene.table)
    source, target = arrows["source"].to_numpy(), arrows["target"].to_numpy()
    discounts = csr_matrix(
        (scene.discounts["discount"], (scene.discounts["source"], scene.discounts["target"])), shape=(n, n)
    )
    own = 1 + (arrows["step_px"].to_numpy() / scene.reach) ** 2 - _values(discounts, source, target)
    to, of, leaving, entering = np.full(n, -1), np.full(n, -1), np.full(n, PART), np.full(n, PART)
    to[source], of[target], leaving[source], entering[target] = target, source, own, own
    mother = np.zeros(n, bool)
    mother[source[arrows["divides"]]] = True
    i, j, distance = _near(scene, candidate)
    cost = 1 + (distance / scene.reach) ** 2 - _values(discounts, i, j)
    costs = csr_matrix((cost + 1, (i, j)), shape=(n, n))  # one more, so that no cost looks like an absent pair
    exchanges = []
    other = (to[i] >= 0) & (to[i] != j)
    a, b, loser = i[other], j[other], of[j[other]]
    swapped = _values(costs, loser, to[a]) - 1
    instead = np.where((swapped >= 0) & (swapped < PART), swapped, PART)
    made_up = np.where(loser >= 0, instead - entering[b], 0.0)
    exchanges.append(np.c_[a, cost[other] - leaving[a] + made_up, b])
    other = (of[j] >= 0) & (of[j] != i) & ~mother[i]
    a = of[j[other]]
    exchanges.append(np.c_[a, cost[other] + PART - leaving[a] - leaving[i[other]], np.full(len(a), CLAIMED)])
    exchanges.append(np.c_[source, PART - own, np.full(len(source), -1)])
    every = pd.DataFrame(np.concatenate(exchanges), columns=["source", "margin", "rival"])
    best = every.sort_values(["margin", "rival"]).drop_duplicates("source").set_index("source")
    return best.loc[source, ["margin", "rival"]].to_numpy()


def _values(table: csr_matrix, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return np.asarray(table[rows, columns]).ravel() if len(rows) else np.empty(0)


def _near(scene: Scene, candidate: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pairs of objects of consecutive frames that linking may compare, and their distance in px."""
    found = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    expected = scene.points + scene.motion.shift
    for before, after in pairwise(scene.rows):
        p, q = (np.flatnonzero(candidate[rows]) + rows.start for rows in (before, after))
        if len(p) and len(q):
            near = KDTree(expected[p]).sparse_distance_matrix(
                KDTree(scene.points[q]), scene.reach, output_type="coo_matrix"
            )
            found.append((p[near.row], q[near.col], near.data))
    i, j, distance = (np.concatenate(part) for part in zip(*found, strict=True))
    allowed = scene.passable(i, j)
    return i[allowed], j[allowed], distance[allowed]
