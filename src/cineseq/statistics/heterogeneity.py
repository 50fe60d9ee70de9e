"""Effects that differ between samples: their mean, and the interval in which the effect of one more sample falls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import chi2, norm
from scipy.stats import t as student

from cineseq.statistics import CONFIDENCE

FEWEST_SAMPLES = 3
"""With fewer samples there is no prediction interval: it has two degrees of freedom fewer than samples."""
SMALLEST_ERROR = 1e-6
"""A standard error below this fraction of the largest one is rounding, and its sample is left out."""
LEVELS = (np.arange(60) + 0.5) / 60
"""Levels of the quantiles by which a distribution is represented, shape (quantiles,)."""


@dataclass(frozen=True)
class RandomEffects:
    """The distribution of an effect over samples.

    Attributes
    ----------
    mean, low, high
        Mean effect over samples and the ends of its 95 % interval.
    new_low, new_high
        Ends of the 95 % prediction interval: the effect of one more sample of the same kind.
    spread
        Standard deviation of the true effects over samples.
    samples
        Number of samples.
    """

    mean: float
    low: float
    high: float
    new_low: float
    new_high: float
    spread: float
    samples: int


def random_effects(effects: np.ndarray, errors: np.ndarray) -> RandomEffects | None:
    """Return the mean effect over samples and its prediction interval.

    Parameters
    ----------
    effects, errors
        Effect of each sample and its standard error, each shape (samples,). Samples whose effect is unknown, or whose
        error is unknown or zero beside the others, are left out.

    Returns
    -------
    RandomEffects or None
        None with fewer than :data:`FEWEST_SAMPLES` samples.

    Notes
    -----
    The variance between samples is that of Paule and Mandel; the interval of the mean is that of Hartung, Knapp, Sidik
    and Jonkman, not shortened where effects are more alike than their errors say (Röver, Knapp & Friede 2015). Of
    two prediction intervals the outer ends are returned: the usual one, with Student's t of samples - 2 degrees of
    freedom (Higgins et al. 2009), is short where the variance between samples is small beside the errors and is
    estimated as zero; that from the confidence distribution of this variance (Nagashima et al. 2019) is short with
    three or four samples. Effects are taken as normally distributed over samples.

    References
    ----------
    IntHout, Ioannidis, Rovers & Goeman, BMJ Open 6 (2016) e010247; Higgins, Thompson & Spiegelhalter, J. R. Stat. Soc.
    A 172 (2009) 137; Nagashima, Noma & Furukawa, Stat. Methods Med. Res. 28 (2019) 1689; Paule & Mandel, J. Res. Natl.
    Bur. Stand. 87 (1982) 377; Röver, Knapp & Friede, BMC Med. Res. Methodol. 15 (2015) 99.
    """
    effects, errors = np.asarray(effects, float), np.asarray(errors, float)
    usable = np.isfinite(effects) & np.isfinite(errors) & (errors > SMALLEST_ERROR * np.nanmax(errors, initial=0.0))
    effects, variances = effects[usable], np.square(errors[usable])
    samples = len(effects)
    if samples < FEWEST_SAMPLES:
        return None
    # Variance between samples (Paule and Mandel), and the weighted mean of the effects.
    between = _variance_between(effects, variances, samples - 1)
    weights = 1 / (variances + between)
    mean = float(weights @ effects / weights.sum())
    # Interval of the mean (Hartung and Knapp), and the outer ends of the two prediction intervals.
    excess = max(_scatter(between, effects, variances) / (samples - 1), 1.0)
    variance = excess / weights.sum()
    level = (1 + CONFIDENCE) / 2
    half = float(student.ppf(level, samples - 1) * np.sqrt(variance))
    usual = float(student.ppf(level, samples - 2) * np.sqrt(between + variance))
    low, high = np.quantile(_one_more(effects, variances), [1 - level, level])
    new = float(min(low, mean - usual)), float(max(high, mean + usual))
    return RandomEffects(mean, mean - half, mean + half, *new, float(np.sqrt(between)), samples)


def _scatter(between: float, effects: np.ndarray, variances: np.ndarray) -> float:
    """Return Cochran's Q with a variance between samples added to those of the effects."""
    weights = 1 / (variances + between)
    return float(weights @ np.square(effects - weights @ effects / weights.sum()))


def _variance_between(effects: np.ndarray, variances: np.ndarray, wanted: float) -> float:
    """Return the variance between samples at which Q has a value; 0 where Q is less without any."""
    if _scatter(0.0, effects, variances) <= wanted:
        return 0.0
    # Q falls as the variance grows, and is at most the sum of squares over the variance.
    most = float(np.square(effects - effects.mean()).sum() / wanted) * 1.01
    return float(brentq(lambda v: _scatter(v, effects, variances) - wanted, 0.0, most))


def _one_more(effects: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """Return quantiles that represent the effect of one more sample, flat.

    There is a variance between samples for each quantile of Q, which is chi-squared at the true variance.
    """
    freedom = len(effects) - 1
    between = np.array([_variance_between(effects, variances, q) for q in chi2.ppf(LEVELS, freedom)])
    # Shapes (variances, samples), then (variances,).
    weights = 1 / (variances + between[:, None])
    total = weights.sum(axis=1)
    mean = weights @ effects / total
    error = np.sqrt((weights * np.square(effects - mean[:, None])).sum(axis=1) / freedom / total)
    # The error of the mean and the deviation of the sample from it, shape (variances, errors, deviations).
    errors = error[:, None, None] * student.ppf(LEVELS, freedom)[:, None]
    deviations = np.sqrt(between)[:, None, None] * norm.ppf(LEVELS)
    return (mean[:, None, None] + errors + deviations).ravel()
