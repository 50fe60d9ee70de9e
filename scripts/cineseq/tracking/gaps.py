"""Closing gaps: one assignment between the ends and the starts of tracklets."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from cineseq.tracking.assignment import match
from cineseq.tracking.scene import Scene

ALONE = 0.8
"""Cost of leaving a tracklet as it is; a pair costs its distance over the search range plus its change of size."""


def close_gaps(scene: Scene, tracklet: np.ndarray, max_gap: int) -> np.ndarray:
    """Join a tracklet that ends to one that starts a few frames later.

    Done before divisions, so that a cell that re-appears is not taken for a daughter. A gap of g frames allows
    sqrt(g + 1) times the search range.

    Parameters
    ----------
    scene
        The objects.
    tracklet
        Tracklet of each object, 0 to n - 1, shape (objects,).
    max_gap
        Most frames in a row without the cell.

    Returns
    -------
    numpy.ndarray
        Tracklet of each object after joining, shape (objects,).
    """
    if max_gap == 0 or len(tracklet) == 0:
        return tracklet
    points, frame, shift, reach = scene.points, scene.frame, scene.motion.shift, scene.reach
    size = np.log(scene.table["area_px"].to_numpy())
    _, starts = np.unique(tracklet, return_index=True)
    ends = len(tracklet) - 1 - np.unique(tracklet[::-1], return_index=True)[1]
    farthest = reach * np.sqrt(max_gap + 1) + np.abs(shift).max() * (max_gap + 1)
    near = KDTree(points[ends]).sparse_distance_matrix(KDTree(points[starts]), farthest, output_type="coo_matrix")
    e, s = ends[near.row], starts[near.col]
    steps = frame[s] - frame[e]
    steps_allowed = (steps >= 2) & (steps <= max_gap + 1) & scene.passable(e, s)
    e, s, steps, row, col = (v[steps_allowed] for v in (e, s, steps, near.row, near.col))
    left = np.hypot(*(points[s] - points[e] - shift[e] * steps[:, None]).T)
    costs = left / (reach * np.sqrt(steps)) + np.abs(size[s] - size[e])
    a, b = match(row, col, costs, (len(ends), len(starts)), ALONE)
    return joined(tracklet, tracklet[ends[a]], tracklet[starts[b]])


def joined(tracklet: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Rename every tracklet to the first of its chain; each is continued once and continues one at most."""
    head = np.arange(tracklet.max() + 1)
    head[after] = before
    while (head[head] != head).any():
        head = head[head]
    return head[tracklet]
