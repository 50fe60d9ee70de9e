"""How far generated cells can be told from real ones, and whether they are those of their own pair."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from cineseq.statistics.metrics import area_under_curve

SAMPLES = 39
"""Samples per cell: the 80 % interval is from the 4th to the 36th, the 95 % interval from the first to the last."""
FOLDS = 3
CONDITIONS = 10
"""Principal components of the condition that the classifier sees."""
NEIGHBOURS = 10
CHUNK = 500


def c2st(condition: np.ndarray, real: np.ndarray, generated: np.ndarray, units: np.ndarray, seed: int) -> float:
    """Return how well a classifier tells generated from real cells, given their condition, in held-out groups.

    Parameters
    ----------
    condition
        What was generated from, shape (cells, conditions).
    real, generated
        The cells and one sample of each, shape (cells, features) each.
    units
        Group of each cell, shape (cells,); a cell and its sample are in the same fold.
    seed
        Seed of the classifier.

    Returns
    -------
    float
        Area under the curve; .5 where they cannot be told apart. NaN with fewer than 30 cells.

    References
    ----------
    Lopez-Paz and Oquab, ICLR (2017) (classifier two-sample tests).
    """
    from sklearn.decomposition import PCA  # noqa: PLC0415 - seconds
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415
    from sklearn.model_selection import GroupKFold, cross_val_predict  # noqa: PLC0415

    if len(real) < 30:
        return float("nan")
    few = PCA(min(CONDITIONS, *condition.shape), random_state=seed).fit_transform(condition)
    inputs = np.vstack([np.column_stack([few, real]), np.column_stack([few, generated])])
    kinds = np.repeat([0, 1], len(real))
    groups = np.unique(units, return_inverse=True)[1]
    groups = np.tile(groups if groups.max() + 1 >= FOLDS else np.arange(len(real)), 2)
    classifier = HistGradientBoostingClassifier(max_iter=80, learning_rate=0.1, random_state=seed % 2**32)
    chance = cross_val_predict(classifier, inputs, kinds, groups=groups, cv=GroupKFold(FOLDS), method="predict_proba")
    return area_under_curve(chance[:, 1], kinds == 1)


def energy_score(real: np.ndarray, samples: np.ndarray) -> float:
    """Return the mean energy score of cells; less is better.

    Parameters
    ----------
    real
        Shape (cells, features).
    samples
        Shape (samples, cells, features), at least two samples.

    References
    ----------
    Gneiting and Raftery, J. Am. Stat. Assoc. 102 (2007) 359.
    """
    number = len(samples)
    to_real = np.linalg.norm(samples - real, axis=2).mean()
    apart = [np.linalg.norm(samples[a + 1 :] - samples[a], axis=2).sum() for a in range(number - 1)]
    return float(to_real - np.sum(apart) / (number * (number - 1) / 2 * len(real)) / 2)


def coverage(real: np.ndarray, samples: np.ndarray, level: float) -> float:
    """Return the share of values within the interval of their samples, between order statistics.

    Parameters
    ----------
    real, samples
        As in :func:`energy_score`.
    level
        Share of values that are expected within, such as .8; exact for 39 samples and levels of .8 and .95.
    """
    ordered = np.sort(samples, axis=0)
    out = max(1, round((1 - level) / 2 * (len(samples) + 1)))
    return float(((real > ordered[out - 1]) & (real < ordered[-out])).mean())


def pair_match_ranks(real: np.ndarray, generated: np.ndarray) -> np.ndarray:
    """Return the rank of each cell among all by their distance to what was generated for it, shape (cells,).

    0: the real cell is the nearest of all; .5 on average where what is generated is of no cell in particular.
    """
    ranks = np.empty(len(real))
    for start in range(0, len(real), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(real)))
        apart = cdist(generated[rows], real)
        own = apart[np.arange(len(rows)), rows][:, None]
        ranks[rows] = ((apart < own).sum(axis=1) + ((apart == own).sum(axis=1) - 1) / 2) / max(len(real) - 1, 1)
    return ranks


def nearest_distance(cells: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the distance of each cell to the nearest of others, shape (cells,)."""
    found = np.empty(len(cells))
    for start in range(0, len(cells), CHUNK):
        found[start : start + CHUNK] = cdist(cells[start : start + CHUNK], others).min(axis=1)
    return found


def memorisation(generated: np.ndarray, real: np.ndarray, train: np.ndarray) -> float:
    """Return the median distance of generated cells to training cells over that of real held-out cells.

    Near 1 where generated cells are as far from training cells as real ones; near 0 where they are copies.
    """
    usual = float(np.median(nearest_distance(real, train)))
    return float(np.median(nearest_distance(generated, train))) / usual if usual > 0 else float("nan")


def purity(generated: np.ndarray, labels: np.ndarray, real: np.ndarray, real_labels: np.ndarray) -> float:
    """Return the share of the nearest real cells of generated cells that have their class."""
    shares = []
    many = min(NEIGHBOURS, len(real))
    for start in range(0, len(generated), CHUNK):
        near = np.argpartition(cdist(generated[start : start + CHUNK], real), many - 1, axis=1)[:, :many]
        shares.append((real_labels[near] == labels[start : start + CHUNK, None]).mean(axis=1))
    return float(np.concatenate(shares).mean())


def predicted_classes(train: np.ndarray, labels: np.ndarray, cells: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the classes that a classifier, trained on real cells, gives to cells of several sources.

    Parameters
    ----------
    train, labels
        Features of training cells, shape (cells, features), and their classes, shape (cells,); at least two classes.
    cells
        Features of the cells to classify, by source, shape (cells, features) each.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - seconds

    centre, scale = train.mean(axis=0), np.sqrt(train.var(axis=0).mean()) or 1.0
    classifier = LogisticRegression(class_weight="balanced", max_iter=500).fit((train - centre) / scale, labels)
    return {source: classifier.predict((values - centre) / scale) for source, values in cells.items()}


def macro_f1(true: np.ndarray, predicted: np.ndarray) -> float:
    """Return the mean over classes of the harmonic mean of precision and recall."""
    scores = []
    for label in np.unique(true):
        hit = ((true == label) & (predicted == label)).sum()
        scores.append(2 * hit / ((true == label).sum() + (predicted == label).sum()))
    return float(np.mean(scores))


def pearson_within(real: np.ndarray, predicted: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the correlation of measured and predicted values within classes, shape (features,); NaN if constant."""
    from cineseq.statistics.metrics import centred  # noqa: PLC0415 - beside its only use

    a, b = centred(real, classes), centred(predicted, classes)
    size = np.sqrt(np.square(a).sum(axis=0) * np.square(b).sum(axis=0))
    return np.where(size > 0, (a * b).sum(axis=0) / np.where(size > 0, size, 1), np.nan)
