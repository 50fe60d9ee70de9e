"""Densities whose parameters the movie teaches: heavy-tailed residuals, tables of overlap, and rates of events.

Every parameter has a prior, stated as a value and the number of observations that it counts for, so that a short movie
gives sensible figures and a long one its own. All fits take weights: the probabilities of the events that they are
fitted to, as in expectation maximisation (Dempster, Laird and Rubin 1977, J. R. Stat. Soc. B 39, 1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import lgamma

import numpy as np
from scipy.stats import gamma

TAILS = 4.0
"""Degrees of freedom of the densities of sizes and shapes."""
TAILS_OF_STEPS = (1.5, 2.0, 3.0, 4.0, 6.0, 10.0)
"""Degrees of freedom of steps; the likeliest is chosen, since some cells hardly move while others run."""
PRIOR = 10.0
"""Observations that the prior of a location or scale counts for."""
PRIOR_OF_TAILS = 10.0
"""Log likelihood by which degrees of freedom that differ from four by a factor e must fit better."""
LEAST_VARIANCE = 0.3
"""Lower bound of the variance of a step in px2; centroids of masks are not more exact."""
KERNEL, PER_WIDTH = 4, 4
"""Half width of the kernel of a density in standard deviations, and points of its grid per standard deviation."""
BINS = np.array([0.0, 0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
"""Lower edges of the bins of the overlap of masks (intersection over union)."""
PRIOR_OF_OVERLAP = 20.0
"""Observations that the prior of a table of overlap counts for."""


@dataclass(frozen=True)
class Change:
    """A change of size or shape: a Student t distribution with four degrees of freedom.

    Attributes
    ----------
    centre, scale
        Its location and scale.
    prior
        Location and scale before the movie is seen.
    least
        Lower bound of the scale.
    """

    centre: float
    scale: float
    prior: tuple[float, float]
    least: float = 0.05

    @classmethod
    def expected(cls, centre: float, scale: float) -> Change:
        """Return the distribution before the movie is seen."""
        return cls(centre, scale, (centre, scale))

    def log_density(self, value: np.ndarray) -> np.ndarray:
        """Return the log density of each value, shape of ``value``."""
        return log_student(value - self.centre, self.scale)

    def fitted(self, value: np.ndarray, weight: np.ndarray) -> Change:
        """Return the distribution fitted to weighted values (Lange, Little and Taylor 1989, JASA 84, 881)."""
        pull = weight * (TAILS + 1) / (TAILS + ((value - self.centre) / self.scale) ** 2)
        centre = ((pull * value).sum() + PRIOR * self.prior[0]) / (pull.sum() + PRIOR)
        square = ((pull * (value - centre) ** 2).sum() + PRIOR * self.prior[1] ** 2) / (weight.sum() + PRIOR)
        return replace(self, centre=float(centre), scale=float(np.sqrt(max(square, self.least**2))))


def log_student(value: np.ndarray, scale: float) -> np.ndarray:
    """Return the log density of a Student t distribution with four degrees of freedom."""
    constant = lgamma((TAILS + 1) / 2) - lgamma(TAILS / 2) - 0.5 * np.log(TAILS * np.pi) - np.log(scale)
    return constant - (TAILS + 1) / 2 * np.log1p((value / scale) ** 2 / TAILS)


def log_kernel_density(value: np.ndarray, width: float) -> np.ndarray:
    """Return the log density of each value among all of them: a Gaussian kernel estimate on a grid.

    Parameters
    ----------
    value
        Finite values, shape (values,); at least one.
    width
        Standard deviation of the kernel.
    """
    step = width / PER_WIDTH
    at = np.round((value - value.min()) / step).astype(np.int64) + KERNEL * PER_WIDTH
    count = np.bincount(at, minlength=int(at.max()) + KERNEL * PER_WIDTH + 1).astype(float)
    kernel = np.exp(-0.5 * (np.arange(-KERNEL * PER_WIDTH, KERNEL * PER_WIDTH + 1) / PER_WIDTH) ** 2)
    smooth = np.convolve(count, kernel / kernel.sum(), mode="same")
    return np.log(smooth[at] / (len(value) * step))


@dataclass(frozen=True)
class Step:
    """A residual step in two dimensions: a Student t distribution around the predicted place.

    Attributes
    ----------
    variance
        Its squared scale in px2.
    tails
        Its degrees of freedom.
    prior
        Variance before the movie is seen, and the observations that it counts for.
    least
        Lower bound of the squared scale in px2.
    """

    variance: float
    tails: float
    prior: tuple[float, float]
    least: float = LEAST_VARIANCE

    def log_density(self, squared: np.ndarray, frames: np.ndarray | float = 1.0) -> np.ndarray:
        """Return the log density (per px2) of steps with these squared lengths over this number of frames."""
        variance = self.variance * frames
        return -np.log(2 * np.pi * variance) - (self.tails + 2) / 2 * np.log1p(squared / (self.tails * variance))

    def quantile(self, share: float) -> float:
        """Return the length in px that this share of the steps does not exceed."""
        return float(np.sqrt(self.tails * self.variance * ((1 - share) ** (-2 / self.tails) - 1)))

    def fitted(self, squared: np.ndarray, weight: np.ndarray, tails: tuple[float, ...] = ()) -> Step:
        """Return the distribution fitted to weighted squared steps; ``tails`` are degrees of freedom to choose from."""
        total = weight.sum() + self.prior[1]
        fits = []
        for freedom in tails or (self.tails,):
            variance = self.variance
            for _ in range(4):
                pull = weight * (freedom + 2) / (freedom + squared / variance)
                variance = max((pull @ squared + 2 * self.prior[1] * self.prior[0]) / (2 * total), self.least)
            one = replace(self, variance=float(variance), tails=freedom)
            unusual = PRIOR_OF_TAILS * np.log(freedom / TAILS) ** 2
            fits.append((float(weight @ one.log_density(squared)) - unusual, one))
        return max(fits, key=lambda fit: fit[0])[1]


@dataclass(frozen=True)
class Overlap:
    """What the overlap of masks says for an event: a log likelihood ratio for each of :data:`BINS`."""

    ratio: np.ndarray

    @classmethod
    def unknown(cls) -> Overlap:
        """Return a table that says nothing."""
        return cls(np.zeros(len(BINS)))

    def log_ratio(self, overlap: np.ndarray) -> np.ndarray:
        """Return the log likelihood ratio of each overlap."""
        return self.ratio[_bin(overlap)]

    def fitted(self, overlap: np.ndarray, weight: np.ndarray, before: Overlap | None = None) -> Overlap:
        """Return the table of candidates that are events with these probabilities, shape (candidates,) each.

        ``before`` is the table before the movie is seen; None for one that says nothing.
        """
        where = _bin(overlap)
        events, others = (np.bincount(where, w, len(BINS)) for w in (weight, 1 - weight))
        usual = (events + others + 0.1) / (events + others + 0.1).sum()
        likely = usual if before is None else usual * np.exp(before.ratio)
        events = events + PRIOR_OF_OVERLAP * likely / likely.sum()
        others = others + PRIOR_OF_OVERLAP * usual
        return Overlap(np.log(events / events.sum()) - np.log(others / others.sum()))


def _bin(overlap: np.ndarray) -> np.ndarray:
    return np.searchsorted(BINS, overlap, side="right") - 1


@dataclass(frozen=True)
class Rate:
    """Probability of an event per object and frame.

    Attributes
    ----------
    value
        The estimate.
    prior
        Its value before the movie is seen, and the observations that it counts for.
    events, chances
        Expected number of events in the movie, and of objects that could have had one.
    fixed
        Whether the settings state it.
    """

    value: float
    prior: tuple[float, float]
    events: float = 0.0
    chances: float = 0.0
    fixed: bool = False

    @classmethod
    def expected(cls, start: float, prior: float, counts_for: float, stated: float | None = None) -> Rate:
        """Return the rate before the movie is seen: ``stated`` if the settings state it, else to be learnt."""
        if stated is not None:
            return cls(stated, (stated, counts_for), fixed=True)
        return cls(start, (prior, counts_for))

    def fitted(self, events: float, chances: float) -> Rate:
        """Return the rate after so many events of so many chances."""
        events = max(events, 0.0)
        value = (events + self.prior[0] * self.prior[1]) / (chances + self.prior[1])
        return replace(self, value=self.value if self.fixed else value, events=events, chances=chances)

    @property
    def interval(self) -> tuple[float, float]:
        """Interval of 95 % of the rate: gamma quantiles of the events and chances, those of the prior included."""
        events, chances = self.events + self.prior[0] * self.prior[1], self.chances + self.prior[1]
        low, high = gamma.ppf([0.025, 0.975], events) / chances
        return float(low), float(min(high, 1.0))
