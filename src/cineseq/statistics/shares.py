"""Share of variance of a linear model with many small coefficients, without choosing or holding out anything.

Held-out R² is what a fitted model predicts, which is less than what the predictors explain: coefficients are
estimated with error. The share of the random-effects model has no such loss, whatever the number of predictors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import t as student

from cineseq.statistics import CONFIDENCE
from cineseq.statistics.metrics import centred

LARGEST = 0.999
STEPS = 400
POWERS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
MOSTLY_BLANK, LEAST_BLANK = 0.5, 0.1
"""Fractions of directions without predictors, which measure the noise: above the first the power is 0; below
the second, powers below 1 cannot be distinguished from noise."""
SMALLEST_SPREAD = 1e-6
MOST_PREDICTORS = 2000
"""Genes from which a share is estimated, the most variable ones; the work grows with the cube of their number."""
DRAWS = 400
"""Random shares from which the interval is read."""
FEWEST_FREE = 3
"""Fewest cells beyond the number of groups for which a share can be estimated."""


@dataclass(frozen=True)
class Share:
    """Share of variance with its 95 % interval; NaN where it is not estimable."""

    share: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")


@dataclass(frozen=True)
class Spectrum:
    """Targets in the basis of the predictors, as the likelihood needs them.

    Attributes
    ----------
    values
        Eigenvalues of the predictors' similarity of cells, of mean 1 over cells, shape (directions,); the last may be 0
        and then stands for all directions in which the predictors do not vary.
    energy
        Mean square of the targets in each direction, shape (directions,).
    times
        How many directions each stands for, shape (directions,).
    predictors
        Number of directions in which the predictors vary.
    targets
        Effective number of targets: 1 if all are perfectly correlated, their number if none are.
    """

    values: np.ndarray
    energy: np.ndarray
    times: np.ndarray
    predictors: int
    targets: float

    def to_power(self, power: float) -> Spectrum:
        """Return the spectrum with eigenvalues to a power, of mean 1 over cells again; 0 stays 0."""
        values = np.where(self.values > 0, self.values**power, 0)
        return replace(self, values=values * self.times.sum() / (values @ self.times))


def variance_share(predictors: np.ndarray, targets: np.ndarray, groups: np.ndarray) -> Share:
    """Return the share of the variance within groups that a linear function of the predictors has.

    Group means are fixed effects, and coefficients of the standardised predictors are random. What each principal
    component explains is proportional to a power of that component's variance. With at most half as many predictors as
    cells, the power is 0 (every component alike) and the share is the adjusted R², which holds whatever the
    coefficients are. With more predictors the power is estimated: it is 1 if all coefficients have equal variances, and
    higher if leading components explain more. Share and power are estimated by restricted maximum likelihood.

    The model's own parameter is what random coefficients would explain on average, which for high powers hangs on a few
    leading components. What is returned is the share that these targets have, given the model: the expected sum of
    squares of their linear part, divided by the sum of squares. The interval holds the middle 95 % of random shares
    from the joint distribution of power, parameter and linear part, and what the score test of the parameter accepts.

    Parameters
    ----------
    predictors
        Shape (cells, predictors), without missing values; columns that do not vary within groups are left out.
    targets
        Shape (cells, targets); a missing value is replaced by the mean of its group. Several targets count by their
        variance.
    groups
        Group of each cell, shape (cells,); one label for all cells takes out the overall mean only.

    Returns
    -------
    Share
        0 to 1; NaN where too few cells are left, or predictors or targets do not vary within groups.

    References
    ----------
    Patterson and Thompson, Biometrika 58 (1971) 545; Dicker, Biometrika 101 (2014) 269; the share of these targets:
    Moser et al., PLoS Genetics 11 (2015) e1004969; several targets: Satterthwaite, Biometrics Bull. 2 (1946) 110.
    """
    spectrum = spectrum_of(predictors, targets, groups)
    if spectrum is None:
        return Share()
    # Likelihood of each share at each power, shape (steps,); without variance of eigenvalues it tells nothing.
    grid = np.linspace(0, LARGEST, STEPS)
    blank = spectrum.times[spectrum.values == 0].sum() / spectrum.times.sum()
    powers = POWERS[:1] if blank >= MOSTLY_BLANK else [p for p in POWERS if p >= 1 or blank >= LEAST_BLANK]
    candidates = [spectrum.to_power(power) for power in powers]
    candidates = [c for c in candidates if np.ptp(c.values) > SMALLEST_SPREAD]
    if not candidates:
        return Share()
    chosen = max(candidates, key=lambda candidate: _log_likelihood(candidate, grid).max())
    best = _most_likely(chosen, grid)
    share = _of_these_targets(chosen, best)
    # Profile score over the grid and its standard deviation, each of shape (steps,).
    score, deviation = _score(chosen, grid)
    quantile = student.ppf((1 + CONFIDENCE) / 2, chosen.times.sum())
    accepted = grid[np.abs(score) <= quantile * deviation]
    tested = [_of_these_targets(chosen, value) for value in (accepted[[0, -1]] if len(accepted) else (best,))]
    # Middle of the random shares; 0 is in the interval if, and only if, the test accepts it.
    low, high = np.quantile(_random_shares(candidates, grid), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    low = 0.0 if len(accepted) and accepted[0] == 0 else min(float(low), *tested, share)
    return Share(share, low, max(float(high), *tested, share))


def spectrum_of(predictors: np.ndarray, targets: np.ndarray, groups: np.ndarray) -> Spectrum | None:
    """Return the targets in the basis of the predictors, both centred by group; None where nothing varies."""
    codes = np.unique(groups, return_inverse=True)[1]
    free = len(codes) - (int(codes.max()) + 1 if len(codes) else 0)
    if free < FEWEST_FREE:
        return None
    # Both sides centred by group; columns of mean square 1 per degree of freedom.
    x, y = centred(predictors, codes), np.nan_to_num(centred(targets, codes))
    length = np.sqrt(np.square(x).sum(axis=0))
    x = x[:, length > 1e-8 * max(1.0, float(np.abs(predictors).max(initial=0)))]
    if not x.shape[1] or not np.square(y).sum() > 0:
        return None
    x = x * np.sqrt(free / np.square(x).sum(axis=0)) / np.sqrt(x.shape[1])
    # Eigenvalues, and sums of squares of the targets along the eigenvectors, from the smaller of the two products.
    if x.shape[1] <= len(x):
        values, vectors = np.linalg.eigh(x.T @ x)
        seen = values > values[-1] * 1e-10
        along = (vectors[:, seen].T @ (x.T @ y)) / np.sqrt(values[seen])[:, None]
    else:
        values, vectors = np.linalg.eigh(x @ x.T)
        seen = values > values[-1] * 1e-10
        along = vectors[:, seen].T @ y
    energy = np.square(along).sum(axis=1)
    values, times = values[seen], np.ones(int(seen.sum()))
    if (blank := free - len(values)) > 0:
        rest = max(0.0, np.square(y).sum() - energy.sum()) / blank
        values, energy, times = np.append(values, 0), np.append(energy, rest), np.append(times, blank)
    covariance = y.T @ y if y.shape[1] <= len(y) else y @ y.T
    effective = float(np.trace(covariance) ** 2 / np.square(covariance).sum())
    return Spectrum(values, energy, times, int(seen.sum()), effective)


def _most_likely(spectrum: Spectrum, grid: np.ndarray) -> float:
    """Return the share of greatest restricted likelihood, by a parabola through the best step and its neighbours."""
    log_likelihood = _log_likelihood(spectrum, grid)
    at = int(log_likelihood.argmax())
    if at in (0, len(grid) - 1):
        return float(grid[at])
    below, top, above = log_likelihood[at - 1 : at + 2]
    shift = 0.5 * (below - above) / (below - 2 * top + above)
    return float(grid[at] + shift * (grid[1] - grid[0]))


def _log_likelihood(spectrum: Spectrum, grid: np.ndarray) -> np.ndarray:
    # Variance of each direction up to a common factor, shape (steps, directions); the factor is profiled out.
    variance, free = grid[:, None] * spectrum.values + 1 - grid[:, None], spectrum.times.sum()
    scale = (spectrum.energy / variance) @ spectrum.times / free
    return -0.5 * (free * np.log(scale) + np.log(variance) @ spectrum.times)


def _linear_part(spectrum: Spectrum, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the expected linear fraction of the targets, and its variance, each of shape (directions,)."""
    variance = share * spectrum.values + 1 - share
    scale = (spectrum.energy / variance) @ spectrum.times / spectrum.times.sum()
    fraction = share * spectrum.values / variance
    return fraction, fraction * (1 - share) * scale


def _of_these_targets(spectrum: Spectrum, share: float) -> float:
    """Return the expected share of the linear part of these targets, where random coefficients would have ``share``."""
    fraction, spread = _linear_part(spectrum, float(share))
    linear = (np.square(fraction) * spectrum.energy + spread) @ spectrum.times
    noise = (np.square(1 - fraction) * spectrum.energy + spread) @ spectrum.times
    return float(linear / (linear + noise))


def _random_shares(candidates: list[Spectrum], grid: np.ndarray) -> np.ndarray:
    """Return random shares of the population that these targets are a sample of, shape (DRAWS,)."""
    rng = np.random.default_rng(0)
    # Power and parameter, by their likelihood; every share of the grid is as likely before.
    likelihood = np.array([_log_likelihood(candidate, grid) for candidate in candidates])
    weight = np.exp(likelihood - likelihood.max()).ravel()
    picks = np.unravel_index(rng.choice(weight.size, DRAWS, p=weight / weight.sum()), likelihood.shape)
    return np.array([_random_share(candidates[power], float(grid[at]), rng) for power, at in zip(*picks, strict=True)])


def _random_share(spectrum: Spectrum, share: float, rng: np.random.Generator) -> float:
    # Linear part of the targets: along the targets, and across them if there are several, each (directions,).
    fraction, spread = _linear_part(spectrum, share)
    spread, length, others = spread / spectrum.targets, np.sqrt(spectrum.energy), spectrum.targets - 1
    along = fraction * length + np.sqrt(spread) * rng.normal(size=len(spread))
    across = spread * (2 * rng.standard_gamma(others / 2, len(spread)) if others > 0 else 0.0)
    linear = (np.square(along) + across) @ spectrum.times
    noise = (np.square(length - along) + across) @ spectrum.times
    # Sums of squares of a population, given those of this sample.
    linear, noise = np.array([linear, noise]) / rng.chisquare(spectrum.times.sum() * spectrum.targets, 2)
    return float(linear / (linear + noise))


def _score(spectrum: Spectrum, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the derivative of the log-likelihood at every share, and its standard deviation there."""
    share, values, times = grid[:, None], spectrum.values, spectrum.times
    variance, free = share * values + 1 - share, times.sum()
    slope = (values - 1) / variance
    slope = slope - (slope @ times)[:, None] / free
    scaled = spectrum.energy / variance
    score = (slope * scaled) @ times / (scaled @ times / free)
    # Variance with random coefficients, less what is due to their length, which is part of the share itself.
    of_length = grid * ((slope / variance) @ values)
    spread = 2 * np.square(slope) @ times - 2 * np.square(of_length) / spectrum.predictors
    return score, np.sqrt(np.maximum(spread, 0) / spectrum.targets)
