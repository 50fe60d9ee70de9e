"""How many pairs are wrong, from a curve of deliberate mis-pairing."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.special import expit, ndtri
from scipy.stats import rankdata

from cineseq.io.paired import PairedData
from cineseq.text import number

DOSES = (0.1, 0.2, 0.3, 0.4, 0.5)
REPLICATES = 4
FOLDS = 10
PENALTY = 1.0
"""Ridge penalty, in variances of a principal component per cell."""
FEWEST_CELLS = 100
MOST_EXPRESSION, MOST_IMAGING = 20, 8
"""Principal components of expression and of imaging features at most."""
DETECTED = 3.0
"""An imaging component counts if expression predicts it with a correlation above this over the root of the cells."""
LARGEST_ERROR = 0.015
"""Largest standard error of the fraction at which it is said."""
LARGEST_DEPARTURE = 0.05
"""Largest distance between the estimate without deliberate mis-pairing and that of the curve."""
MOST_GENES, MOST_CELLS = 500, 3000
"""Genes that vary most, and cells, from which the fraction is estimated at most."""
ROUNDS, REFITS, RESAMPLED = 200, 2, 40


@dataclass(frozen=True)
class WrongPairs:
    """The fraction of pairs that are wrong.

    Attributes
    ----------
    fraction, standard_error
        The estimate and its standard error; NaN where it cannot be estimated.
    association
        Largest out-of-fold correlation of an imaging component with its prediction from expression.
    reason
        Why the fraction cannot be estimated; empty if it can.
    doses, estimates
        Fractions of cells that were deliberately mis-paired, and the mean estimate at each, shape (d,).
    """

    fraction: float
    standard_error: float
    association: float
    reason: str
    doses: np.ndarray = field(default_factory=lambda: np.empty(0))
    estimates: np.ndarray = field(default_factory=lambda: np.empty(0))


def wrong_pairs_of(data: PairedData, seed: int = 0) -> WrongPairs:
    """Return the fraction of paired cells that are wrong, from function, morphology and counts within samples."""
    if data.counts is None:
        return WrongPairs(np.nan, np.nan, np.nan, "there are no counts")
    rows = np.random.default_rng(seed).permutation(len(data.obs))[:MOST_CELLS]
    imaging = pd.concat([data.function, data.morphology], axis=1).iloc[rows].to_numpy(np.float64)
    counts = data.counts[rows]
    total = np.maximum(np.asarray(counts.sum(axis=1), dtype=np.float64).ravel(), 1.0)
    mean = np.asarray(counts.mean(axis=0)).ravel()
    dense = counts[:, np.argsort(-mean, kind="stable")[: 4 * MOST_GENES]].toarray() / total[:, None] * np.median(total)
    logged = np.log1p(dense)
    logged = logged[:, np.argsort(-logged.var(axis=0), kind="stable")[:MOST_GENES]]
    # Differences between samples would remain in pairs that are wrong within a sample.
    sample = data.obs["sample"].to_numpy()[rows]
    return wrong_pairs(
        _within(imaging, sample), _within(logged, sample), _within(np.log(total)[:, None], sample), seed=seed
    )


def _within(values: np.ndarray, sample: np.ndarray) -> np.ndarray:
    """Return the columns less their means over the rows of the same sample; same shape."""
    table = pd.DataFrame(values)
    return (table - table.groupby(sample).transform("mean")).to_numpy()


def wrong_pairs(
    imaging: np.ndarray, expression: np.ndarray, further: np.ndarray | None = None, *, seed: int = 0
) -> WrongPairs:
    """Estimate the fraction of pairs that are wrong, as a mixture of cells that follow the association and that do not.

    Expression predicts imaging features out of fold. Of right pairs, features scatter around the prediction; of wrong
    ones, they scatter as in all cells. The weights of this mixture are fitted by expectation maximisation. Then a
    fraction of the cells is deliberately mis-paired and everything is fitted again: if the fraction m is wrong
    already, a dose f makes it 1 - (1 - m)(1 - f), and the line through all doses gives m.

    Parameters
    ----------
    imaging
        Features of function and morphology, shape (cells, features); columns with missing values are not used.
    expression
        Log normalised counts, shape (cells, genes).
    further
        Further columns of the sequenced side that predict beside its principal components, such as the logarithm of
        total counts, shape (cells, columns).
    seed
        Of the folds, the doses and the resampling.

    Notes
    -----
    Cells that do not follow the association for another reason count as wrong, so the fraction is an upper bound where
    right pairs scatter with heavier tails than a Gaussian.
    """
    rng = np.random.default_rng(seed)
    n = len(imaging)
    if n < FEWEST_CELLS:
        return WrongPairs(np.nan, np.nan, np.nan, f"there are {n} pairs, and at least {FEWEST_CELLS} are needed")
    features = _components(_normal_scores(imaging), MOST_IMAGING)
    genes = _components(expression, min(MOST_EXPRESSION, n // 10))
    if further is not None:
        genes = np.column_stack([genes, _components(further, further.shape[1])])
    if not features.shape[1] or not genes.shape[1]:
        return WrongPairs(np.nan, np.nan, np.nan, "imaging features or counts do not vary")
    fold = rng.permutation(n) % FOLDS
    predicted = _out_of_fold(genes, features, fold)
    r = np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(features.T, predicted.T, strict=True)])
    largest = float(r.max())
    used = r > DETECTED / np.sqrt(n)
    if not used.any():
        reason = f"expression does not predict imaging features (largest out-of-fold correlation {number(largest)})"
        return WrongPairs(np.nan, np.nan, largest, reason)
    features = features[:, used]
    predicted = _refitted(genes, features, fold, predicted[:, used])
    estimate = _wrong_weight(features, predicted)
    # The error beyond that of drawing cells: the fraction among these very cells is asked for.
    draws = [rng.integers(n, size=n) for _ in range(RESAMPLED)]
    spread = float(np.var([_wrong_weight(features[rows], predicted[rows]) for rows in draws]))
    error = float(np.sqrt(max(spread - estimate * (1 - estimate) / n, spread / 4)))
    if error > LARGEST_ERROR:
        reason = (
            f"the association of expression with imaging features is too weak to tell wrong pairs in {n} cells "
            f"(largest out-of-fold correlation {number(largest)}; the standard error would be {number(error)})"
        )
        return WrongPairs(np.nan, error, largest, reason)
    doses = np.array([0.0, *DOSES])
    estimates = np.array([estimate, *(_at_dose(dose, genes, features, fold, rng) for dose in DOSES)])
    # 1 - estimate = (1 - m)(1 - dose): the slope through the origin.
    kept = 1 - doses
    fraction = 1 - float(kept @ (1 - estimates) / (kept @ kept))
    if abs(fraction - estimate) > LARGEST_DEPARTURE:
        reason = (
            f"deliberate mis-pairing is not recovered: without it the fraction would be {number(estimate)}, and the "
            f"curve over doses gives {number(fraction)}"
        )
        return WrongPairs(np.nan, error, largest, reason, doses, estimates)
    return WrongPairs(min(max(fraction, 0.0), 1.0), error, largest, "", doses, estimates)


def _normal_scores(values: np.ndarray) -> np.ndarray:
    """Return normal scores of the columns without missing values that vary, shape (cells, columns)."""
    values = values[:, np.isfinite(values).all(axis=0)]
    values = values[:, np.ptp(values, axis=0) > 0] if len(values) and values.shape[1] else values
    return ndtri((rankdata(values, axis=0) - 0.5) / len(values))


def _components(values: np.ndarray, most: int) -> np.ndarray:
    """Return the first principal components of standardised columns, with unit variance, shape (cells, components)."""
    varying = values[:, values.std(axis=0) > 0]
    if not varying.shape[1]:
        return varying
    scaled = (varying - varying.mean(axis=0)) / varying.std(axis=0)
    left, size, _ = np.linalg.svd(scaled, full_matrices=False)
    count = min(most, int((size > 1e-6 * size[0]).sum()))
    return left[:, :count] * np.sqrt(len(values))


def _out_of_fold(
    genes: np.ndarray, features: np.ndarray, fold: np.ndarray, weight: np.ndarray | None = None
) -> np.ndarray:
    """Return features predicted by ridge regression on the components of expression, shape (cells, features)."""
    predicted = np.empty_like(features)
    weight = np.ones(len(genes)) if weight is None else weight
    for held_out in range(FOLDS):
        train, test = fold != held_out, fold == held_out
        x, y, w = genes[train], features[train], weight[train][:, None]
        x_mean, y_mean = (w * x).sum(axis=0) / w.sum(), (w * y).sum(axis=0) / w.sum()
        gram = (w * (x - x_mean)).T @ (x - x_mean) + PENALTY * np.eye(x.shape[1])
        slopes = np.linalg.solve(gram, (w * (x - x_mean)).T @ (y - y_mean))
        predicted[test] = (genes[test] - x_mean) @ slopes + y_mean
    return predicted


def _at_dose(dose: float, genes: np.ndarray, features: np.ndarray, fold: np.ndarray, rng: np.random.Generator) -> float:
    """Return the mean estimate after a fraction of the cells got the expression of another one."""
    estimates = []
    for _ in range(REPLICATES):
        rows = rng.permutation(len(genes))[: round(dose * len(genes))]
        mixed = genes.copy()
        mixed[rows] = genes[np.roll(rows, 1)]
        predicted = _refitted(mixed, features, fold, _out_of_fold(mixed, features, fold))
        estimates.append(_wrong_weight(features, predicted))
    return float(np.mean(estimates))


def _right_probability(features: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return the probability that each cell follows the prediction, by expectation maximisation, shape (cells,)."""
    n = len(features)
    design = np.column_stack([np.ones(n), predicted])
    unrelated = _log_density(features - features.mean(axis=0))
    right = np.full(n, 0.9)
    for _ in range(ROUNDS):
        # Maximisation: the line of the right pairs and the scatter around it, each cell weighted.
        weighted = design * right[:, None]
        line = np.linalg.lstsq(weighted.T @ design, weighted.T @ features, rcond=None)[0]
        share = float(np.clip(right.mean(), 1e-4, 1 - 1e-4))
        # Expectation: the probability of being right.
        log_odds = np.log(share / (1 - share)) + _log_density(features - design @ line, right) - unrelated
        new = expit(log_odds)
        done = np.abs(new - right).max() < 1e-4
        right = new
        if done:
            break
    return right


def _wrong_weight(features: np.ndarray, predicted: np.ndarray) -> float:
    return float(1 - _right_probability(features, predicted).mean())


def _refitted(genes: np.ndarray, features: np.ndarray, fold: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return predictions fitted again with cells weighted by the probability that they are paired rightly."""
    for _ in range(REFITS):
        predicted = _out_of_fold(genes, features, fold, _right_probability(features, predicted))
    return predicted


def _log_density(residual: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    """Return the log density of a centred Gaussian with the (weighted) covariance of the residuals, shape (n,)."""
    weight = np.ones(len(residual)) if weight is None else weight
    covariance = (residual * weight[:, None]).T @ residual / max(weight.sum(), 1.0)
    covariance += 1e-6 * np.eye(residual.shape[1])
    _, log_determinant = np.linalg.slogdet(covariance)
    return -0.5 * (log_determinant + np.einsum("ij,ij->i", residual, np.linalg.solve(covariance, residual.T).T))
