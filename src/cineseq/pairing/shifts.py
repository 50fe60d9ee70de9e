"""Which shift of the map of barcodes is right: candidates, their evidence and their probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, maximum_filter
from scipy.spatial import cKDTree
from scipy.special import betaln, log_ndtr, logsumexp, ndtri
from scipy.stats import rankdata

from cineseq.pairing.scatter import Scatter, nearest

BINS_PER_PITCH = 20
SMOOTHED = 2.0
"""Standard deviation of the smoothing of the histogram of differences, in bins."""
APART = 0.3
"""Distance in pitches within which two candidates are the same."""
MOST_CANDIDATES = 80
MOST_POINTS = 2000
"""Points from which a translation is refined; of more, every second, third ... is taken."""
REFINED = 3
DECAY = 2.0
"""The prior of a shift falls by exp(-2) per pitch: on a square lattice, none has half of the prior."""
NOTHING_FITS = 0.05
"""Prior of a map that does not belong to these compartments, or is off by more than the largest shift."""
FAR = 2.0
MOST_CELLS = 3


@dataclass(frozen=True)
class Extent:
    """The part of the plane that the image shows: ``low`` and ``high`` corners, shape (2,), px."""

    low: np.ndarray
    high: np.ndarray

    def holds(self, points: np.ndarray) -> np.ndarray:
        """Return whether each point lies in the window, shape (n,)."""
        return np.all((points >= self.low) & (points <= self.high), axis=1)

    def beyond_rows(self, points: np.ndarray) -> np.ndarray:
        """Return whether each point lies above or below the window, shape (n,)."""
        return (points[:, 0] < self.low[0]) | (points[:, 0] > self.high[0])

    def beyond_columns(self, points: np.ndarray) -> np.ndarray:
        """Return whether each point lies beside the window and not above or below it, shape (n,)."""
        return ~self.holds(points) & ~self.beyond_rows(points)

    def overlap(self, step: np.ndarray) -> Extent:
        """Return the part that the window shares with itself when it is moved."""
        return Extent(np.maximum(self.low, self.low + step), np.minimum(self.high, self.high + step))

    @property
    def area(self) -> float:
        """Area in square px."""
        return float(np.prod(np.maximum(self.high - self.low, 1.0)))


@dataclass(frozen=True)
class Contents:
    """What is known of compartments and barcodes beside their positions.

    Attributes
    ----------
    occupancy
        Live cells of each compartment, shape (m,).
    counts
        Total counts of each barcode, shape (n,); NaN where unknown.
    """

    occupancy: np.ndarray
    counts: np.ndarray


def candidates(
    points: np.ndarray, centres: np.ndarray, pitch: float, furthest: float, most: int = MOST_CANDIDATES
) -> np.ndarray:
    """Return translations that bring many points onto centres, shape (c, 2), px.

    They are the peaks of the histogram of differences between all centres and points.

    Parameters
    ----------
    points, centres
        Positions of barcodes and compartments, shapes (n, 2) and (m, 2), px.
    pitch
        Distance between neighbouring compartments, px.
    furthest
        Largest translation along each axis, in pitches.
    most
        Number of peaks that are taken, the highest first.
    """
    reach = (furthest + 0.5) * pitch
    tree = cKDTree(centres)
    near = cKDTree(points).sparse_distance_matrix(tree, reach, p=np.inf, output_type="ndarray")
    difference = centres[near["j"]] - points[near["i"]]
    # Histogram with a border of one pitch, so that a peak at the largest shift has its flanks.
    edges = np.linspace(-reach, reach, int(np.ceil(2 * reach / pitch * BINS_PER_PITCH)) + 1)
    histogram, _, _ = np.histogram2d(difference[:, 0], difference[:, 1], bins=(edges, edges))
    smooth = gaussian_filter(histogram, SMOOTHED)
    peak = (smooth == maximum_filter(smooth, size=BINS_PER_PITCH // 2)) & (smooth > 0)
    rows = np.argwhere(peak)
    rows = rows[np.argsort(-smooth[peak], kind="stable")][:most]
    middle = (edges[:-1] + edges[1:]) / 2
    found = np.concatenate([np.zeros((1, 2)), middle[rows]])
    some = thinned(points)
    found = np.stack([_refined(some, tree, step, pitch) for step in found])
    # Along each axis; maps in register are off by less than the distance to a neighbour, which may lie aslant.
    length = np.linalg.norm(found, axis=1, ord=np.inf if furthest >= 1 else 2)
    found = found[length <= (furthest + 0.25) * pitch]
    return _distinct(found, APART * pitch) if len(found) else np.zeros((1, 2))


def thinned(points: np.ndarray) -> np.ndarray:
    """Return at most 2,000 of the points, evenly spaced in their order."""
    return points[:: len(points) // MOST_POINTS + 1]


def _refined(points: np.ndarray, tree: cKDTree, step: np.ndarray, pitch: float) -> np.ndarray:
    """Return the translation after a few rounds of the mean of the offsets from the nearest centres, far ones less."""
    for _ in range(REFINED):
        distance, which = tree.query(points + step)
        weight = np.exp(-((distance / (0.2 * pitch)) ** 2) / 2) + 1e-12
        step = step + (weight[:, None] * (tree.data[which] - points - step)).sum(axis=0) / weight.sum()
    return step


def _distinct(steps: np.ndarray, apart: float) -> np.ndarray:
    """Return the steps that are not within a distance of an earlier one that is kept."""
    close = np.linalg.norm(steps[:, None] - steps, axis=-1) <= apart
    kept = np.zeros(len(steps), bool)
    for place in range(len(steps)):
        kept[place] = not close[place, kept].any()
    return steps[kept]


def geometry(
    points: np.ndarray, steps: np.ndarray, centres: np.ndarray, window: Extent, scatter: Scatter
) -> tuple[np.ndarray, float]:
    """Return the log likelihood of the positions of barcodes under each translation, shape (c,), and under none.

    Barcodes are a Poisson process around the compartments, with uniform stray ones. Only what both images show counts:
    a barcode that a translation moves out of the image says nothing about it, because compartments there are unknown.
    Where the compartments repeat under the translation, those outside the image are taken to go on likewise, so that
    an array without edges has the same likelihood under all of its periods.

    Parameters
    ----------
    points
        Positions of barcodes, shape (n, 2), px.
    steps
        Translations of the barcodes, shape (c, 2), px.
    centres
        Centres of the compartments, shape (m, 2), px.
    window
        The image, the same for both maps.
    scatter
        The mixture.
    """
    tree = cKDTree(centres)
    inside = np.stack([window.holds(points + step) for step in steps])  # (c, n)
    logs = np.stack([np.log(scatter.total(nearest(points + step, tree)[0])) for step in steps])  # (c, n)
    uniform = np.log(len(points) / window.area)
    # The best translation, by the mean over the barcodes that it leaves in the image, predicts those beyond it.
    overlap = inside.mean(axis=1)
    best = int(np.argmax(np.where(overlap >= 0.5, (np.where(inside, logs - uniform, 0)).sum(axis=1), -np.inf)))
    expected = np.where(inside[best], logs[best], uniform)
    repeats = np.array([_repeats(tree, step - steps[best], window, scatter) for step in steps])[:, None]
    beyond = np.logaddexp(
        np.log(np.maximum(repeats, 1e-12)) + expected, np.log(np.maximum(1 - repeats, 1e-12)) + uniform
    )
    total = np.where(inside, logs, 0).sum(axis=1)
    # Beyond each side of the image the array goes on, with barcodes as it repeats, or it ends, and they are stray.
    for beyond_side in (window.beyond_rows, window.beyond_columns):
        ghosts = scatter.own * np.array([beyond_side(centres + step).sum() for step in steps])
        out = np.stack([beyond_side(points + step) for step in steps])
        goes_on, ends = np.where(out, beyond, 0).sum(axis=1) - ghosts, out.sum(axis=1) * np.log(scatter.stray)
        total += np.logaddexp(goes_on, ends) - np.log(2)
    # Compartments that the image of the barcodes does not show are not expected to have one.
    unseen = np.array([(~window.holds(centres - step)).sum() for step in steps])
    return total + scatter.own * unseen, len(points) * uniform


def _repeats(tree: cKDTree, step: np.ndarray, window: Extent, scatter: Scatter) -> float:
    """Return the fraction of compartments that have another one where the translation moves them."""
    moved = tree.data + step
    moved = moved[window.holds(moved)]
    return float((tree.query(moved)[0] <= 2 * scatter.spread).mean()) if len(moved) else 1.0


def of_contents(
    points: np.ndarray, steps: np.ndarray, centres: np.ndarray, reach: np.ndarray, *, window: Extent, contents: Contents
) -> np.ndarray:
    """Return the log Bayes factor of each translation from cells and counts, shape (c,); NaN if all hold as many.

    Counts rise with the cells of the compartment, and a compartment with cells is likelier to have a barcode. Under a
    wrong translation neither is so.
    """
    tree, known = cKDTree(centres), np.isfinite(contents.counts)
    cells = np.log1p(np.minimum(contents.occupancy, MOST_CELLS))
    if np.ptp(cells) == 0:
        return np.full(len(steps), np.nan)
    factors = np.zeros(len(steps))
    for place, step in enumerate(steps):
        distance, which = tree.query(points + step)
        near = distance <= reach[which]
        barcodes = np.bincount(which[near], minlength=len(centres))
        covered = window.holds(centres - step)
        factors[place] = _presence(barcodes[covered] > 0, contents.occupancy[covered] > 0)
        alone = near & known & (barcodes[which] == 1)
        factors[place] += _slope(cells[which[alone]], contents.counts[alone])
    return factors


def _presence(barcode: np.ndarray, cell: np.ndarray) -> float:
    """Return the log Bayes factor of two rates of barcodes, the higher one with cells, against one rate."""
    with_cell, without = barcode[cell], barcode[~cell]
    if not len(with_cell) or not len(without):
        return 0.0
    ones = np.array([with_cell.sum(), without.sum()])
    zeros = np.array([len(with_cell), len(without)]) - ones
    two, one = betaln(ones + 1, zeros + 1).sum(), betaln(ones.sum() + 1, zeros.sum() + 1)
    rate, size = (ones + 1) / (ones + zeros + 2), ones + zeros + 3
    z = (rate[0] - rate[1]) / np.sqrt((rate * (1 - rate) / size).sum())
    return float(two - one + np.log(2) + log_ndtr(z))


def _slope(cells: np.ndarray, counts: np.ndarray) -> float:
    """Return the log Bayes factor of counts that rise with the cells, with a unit-information prior."""
    n = len(counts)
    if n < 4 or np.ptp(cells) == 0 or np.ptp(counts) == 0:
        return 0.0
    score = ndtri((rankdata(counts) - 0.5) / n)
    r = float(np.corrcoef(cells, score)[0, 1])
    unexplained = max(1 - r**2, 1e-9)
    two_sided = (n - 2) / 2 * np.log1p(n) - (n - 1) / 2 * np.log1p(n * unexplained)
    t = r * np.sqrt((n - 2) / unexplained)
    return float(two_sided + np.log(2) + log_ndtr(t))


def probabilities(
    steps: np.ndarray, positions: np.ndarray, contents: np.ndarray, nothing: float, pitch: float
) -> tuple[np.ndarray, float]:
    """Return the probability of each translation, shape (c,), and the log likelihood of all above that of none.

    The probabilities sum to less than 1.
    The rest is that of a translation further than those, or that the map does not belong to the compartments.

    Parameters
    ----------
    steps
        Translations, shape (c, 2), px.
    positions, contents
        Log likelihood of the positions, and log Bayes factor of cells and counts, shape (c,).
    nothing
        Log likelihood of positions that have nothing to do with the compartments.
    pitch
        Distance between neighbouring compartments, px.
    """
    length = np.linalg.norm(steps, axis=1) / pitch
    prior = -DECAY * (length - length.min())
    prior = prior - logsumexp(prior) + np.log(1 - 2 * NOTHING_FITS)
    log_weight = prior + positions + contents
    far = positions[length > FAR]
    others = [nothing] + ([float(logsumexp(far) - np.log(len(far)))] if len(far) else [])
    others = np.log(NOTHING_FITS) + np.array(others)
    chance = np.exp(log_weight - logsumexp(np.concatenate([log_weight, others])))
    return chance, float(logsumexp(log_weight)) - nothing
