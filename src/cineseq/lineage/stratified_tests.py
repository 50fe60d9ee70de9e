"""State of survivors against what became of the sister, within strata of field and birth time."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import stats
from scipy.special import gammaln
from sklearn.preprocessing import SplineTransformer

from cineseq.statistics import CONFIDENCE
from cineseq.statistics.permutation import p_value

GEE_AT_MOST = 4_000_000
"""Survivors times covariates; beyond this the second opinion takes minutes and is left out."""

SIGNS_AT_ONCE = 2**23
"""Signs of founders that are held at once."""

NO_SCORE = "every stratum holds one founder, or its scores cancel"
"""Why founders' scores give no p-value though there is something that varies."""

LARGEST_LOG_ODDS = 15.0
SAME = 1e-6
"""Directions of a spline with less than this part of the largest spread are combinations of the others."""


@dataclass(frozen=True)
class Units:
    """Families that enter one contrast; a family is one pair of sisters, or one cell without a sister.

    Attributes
    ----------
    exposed
        Whether the family is in the first arm (sister died, or no sister), shape (families,).
    state
        Mean state of its sequenced survivors, shape (families,).
    stratum
        Stratum, from 0, shape (families,).
    weight
        Independent survivors that the family is worth, shape (families,); see :func:`family_weights`.
    """

    exposed: np.ndarray
    state: np.ndarray
    stratum: np.ndarray
    weight: np.ndarray

    @property
    def informative(self) -> np.ndarray:
        """Families of strata that hold both arms, shape (families,)."""
        size, exposed = self.counts()
        return ((exposed > 0) & (exposed < size))[self.stratum]

    def counts(self) -> tuple[np.ndarray, np.ndarray]:
        """Return families, and exposed families, of each stratum."""
        return np.bincount(self.stratum), np.bincount(self.stratum, self.exposed).astype(int)

    def only(self, rows: np.ndarray) -> Units:
        """Return the families that a boolean mask selects."""
        stratum = np.unique(self.stratum[rows], return_inverse=True)[1]
        return Units(self.exposed[rows], self.state[rows], stratum, self.weight[rows])

    @property
    def effective(self) -> float:
        """Harmonic number of pairs of survivors, sum over strata of n1 n0 / (n1 + n0), n being sums of weights."""
        total = np.bincount(self.stratum, self.weight)
        exposed = np.bincount(self.stratum, self.weight * self.exposed)
        return float(np.divide(exposed * (total - exposed), total, out=np.zeros_like(total), where=total > 0).sum())


def family_weights(survivors: np.ndarray, state: np.ndarray, stratum: np.ndarray) -> np.ndarray:
    """Return how many independent survivors each family is worth, m / (1 + (m - 1) r).

    The correlation r of the states of doubly surviving sisters is estimated about the means of their strata, with the
    negative expectation that centring gives to unrelated cells put right, and kept between 0 and 1.

    Parameters
    ----------
    survivors
        Measured survivors m of each family (1 or 2), shape (families,).
    state
        Their mean state, 0, 1/2 or 1, shape (families,).
    stratum
        Stratum, from 0, shape (families,).

    References
    ----------
    Kish, Survey Sampling (1965), section 5.4 (design effect).
    """
    pair = survivors == 2
    state, stratum = state[pair], stratum[pair]
    cells = 2.0 * np.bincount(stratum)
    mean = np.divide(2 * np.bincount(stratum, state), cells, out=np.zeros_like(cells), where=cells > 0)[stratum]
    split = state == 0.5
    both = np.where(split, -mean * (1 - mean), (state - mean) ** 2)
    spread = np.where(split, mean**2 + (1 - mean) ** 2, 2 * (state - mean) ** 2)
    total = np.bincount(stratum, spread)
    usable = cells > 2
    cross = np.bincount(stratum, both)[usable] + total[usable] / (2 * (cells[usable] - 1))
    variance = total[usable].sum() / 2
    r = float(np.clip(cross.sum() / variance, 0, 1)) if variance > 0 else 1.0
    return np.where(pair, 2 / (1 + r), 1.0)


def permutation_p(units: Units, permutations: int, rng: np.random.Generator) -> float:
    """Return the two-sided p-value of sister status permuted among families within strata.

    The statistic is the sum, over exposed families, of the family's mean state less the stratum's. Its permutation
    distribution is that of one multivariate hypergeometric draw per stratum, which is what is drawn here, so the cost
    grows with strata rather than with families.

    Parameters
    ----------
    units
        Informative families; states 0, 1/2 or 1.
    permutations
        Number of draws.
    rng
        Random numbers.

    References
    ----------
    Good, Permutation, Parametric and Bootstrap Tests of Hypotheses (2005), chapter 6 (stratified permutation).
    """
    size, exposed = units.counts()
    doubled = np.rint(2 * units.state).astype(int)
    zeros, halves, ones = (np.bincount(units.stratum, doubled == value).astype(int) for value in (0, 1, 2))
    expected = (exposed * (halves / 2 + ones) / size).sum()
    observed = abs(units.state[units.exposed].sum() - expected)
    log_factorial = gammaln(np.arange(1, size.max() + 2))
    drawn = np.zeros(permutations)
    for layout in zip(zeros, halves, ones, exposed, strict=True):
        values, cumulative = _sum_of_exposed(*layout, log_factorial)
        drawn += values[np.searchsorted(cumulative, rng.random(permutations), side="right").clip(max=len(values) - 1)]
    null = np.abs(drawn / 2 - expected)
    return float(p_value(observed - 1e-9, null)) if null.max() > 1e-9 else np.nan


def founder_p(units: Units, founder: np.ndarray, permutations: int, rng: np.random.Generator) -> float:
    """Return the two-sided p-value of the same statistic where founders have several families, which are alike.

    Every founder's score is the sum over its families of exposure and state, each less the mean of the stratum,
    multiplied; signs of founders are drawn at random. The scores drawn are divided by the root of the other
    founders' share of the families of the stratum, because centring takes the founder's own share of the spread away.

    Parameters
    ----------
    units
        Informative families.
    founder
        Founder of each family, shape (families,).
    permutations
        Number of draws.
    rng
        Random numbers.

    References
    ----------
    Hemerik, Goeman and Finos, J. R. Stat. Soc. B 82 (2020) 841 (tests by flipping signs of scores); Bell and
    McCaffrey, Survey Methodology 28 (2002) 169 (the correction for leverage).
    """
    observed, scores = founder_scores(units.exposed, units.state[:, None], units.stratum, founder)
    scores = scores[:, 0]
    scores = scores[np.abs(scores) > 1e-12]
    if not len(scores):
        return np.nan
    step = max(1, SIGNS_AT_ONCE // len(scores))
    null = [
        rng.integers(0, 2, (min(step, permutations - start), len(scores)), dtype=np.int8) @ (2 * scores)
        for start in range(0, permutations, step)
    ]
    return float(p_value(abs(observed[0]) - 1e-9, np.abs(np.concatenate(null) - scores.sum())))


def several_families(founder: np.ndarray) -> int:
    """Return how many founders have several of the families, given the founder of each, shape (families,)."""
    return int((np.unique(founder, return_counts=True)[1] > 1).sum())


def founder_scores(
    exposed: np.ndarray, values: np.ndarray, stratum: np.ndarray, founder: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the statistic of :func:`founder_p`, shape (columns,), and the scores flipped, shape (founders, columns).

    Strata of one founder, which is compared with nobody, count in neither.

    Parameters
    ----------
    exposed, stratum, founder
        Arm, stratum from 0, and founder of each family, shape (families,).
    values
        Values of each family, shape (families, columns).
    """
    size = np.bincount(stratum)
    pairs = np.column_stack([np.unique(founder, return_inverse=True)[1], stratum])
    both, group = np.unique(pairs, axis=0, return_inverse=True)
    others = 1 - np.bincount(group.ravel()) / size[both[:, 1]]
    others = others[group.ravel()]
    compared = others > 1e-12
    centred = values - pd.DataFrame(values).groupby(stratum).transform("mean").to_numpy()
    share = np.bincount(stratum, exposed) / size
    score = ((exposed - share[stratum]) * compared)[:, None] * centred
    drawn = pd.DataFrame(score / np.sqrt(np.where(compared, others, 1.0))[:, None])
    return score.sum(axis=0), drawn.groupby(pairs[:, 0]).sum().to_numpy()


def _sum_of_exposed(
    zeros: int, halves: int, ones: int, exposed: int, log_factorial: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return twice the sum of states of ``exposed`` families drawn from a stratum: its values, and their cumulative.

    The counts drawn are multivariate hypergeometric. Counts too far from their mean to occur in any number of
    permutations (Bernstein's inequality) are left out, so that large strata stay cheap.
    """
    total = zeros + halves + ones
    half = _likely(halves, total, exposed)[:, None]
    one = _likely(ones, total, exposed)[None, :]
    none = exposed - half - one
    possible = (none >= 0) & (none <= zeros)
    log_weight = -sum(
        log_factorial[drawn] + log_factorial[there - drawn] for drawn, there in ((half, halves), (one, ones))
    )
    none = none.clip(0, zeros)
    log_weight = np.where(possible, log_weight - log_factorial[none] - log_factorial[zeros - none], -np.inf)
    twice = np.broadcast_to(half + 2 * one, log_weight.shape)
    weight = np.bincount(twice.ravel(), np.exp(log_weight - log_weight.max()).ravel())
    values = np.flatnonzero(weight)
    cumulative = np.cumsum(weight[values])
    return values, cumulative / cumulative[-1]


def _likely(kind: int, total: int, drawn: int) -> np.ndarray:
    """Return the counts of one kind that may be among ``drawn`` of ``total``, without the all but impossible ones."""
    mean = drawn * kind / total
    reach = 10 * np.sqrt(mean * (1 - kind / total)) + 40
    low, high = max(0, drawn - (total - kind), int(mean - reach)), min(kind, drawn, int(mean + reach) + 1)
    return np.arange(low, high + 1)


def mantel_haenszel(units: Units) -> tuple[float, float, float, str]:
    """Return the odds ratio within strata, its 95 % interval, and why it is missing.

    Families enter with the mean state of their survivors and their weight, so that the interval neither takes two
    alike sisters for two observations nor two unlike ones for one.

    References
    ----------
    Mantel and Haenszel, J. Natl. Cancer Inst. 22 (1959) 719; variance of Robins, Breslow and Greenland, Biometrics 42
    (1986) 311.
    """
    tables = stratified_tables(units.exposed.astype(float), units.state, units.stratum, units.weight)
    cross = (tables[0, 0] * tables[1, 1]).sum(), (tables[0, 1] * tables[1, 0]).sum()
    if min(cross) <= 0:
        return np.nan, np.nan, np.nan, "odds ratio not estimable: " + _which_is_empty(units)
    table = sm.stats.StratifiedTable(tables)
    low, high = table.oddsratio_pooled_confint()
    return float(table.oddsratio_pooled), float(low), float(high), ""


def stratified_tables(exposed: np.ndarray, state: np.ndarray, stratum: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return weighted families by arm (exposed first) and state (with it first), shape (2, 2, strata).

    ``exposed`` and ``state`` may be shares of a family between 0 and 1; every argument has shape (families,).
    """
    arms = []
    for share in (exposed, 1 - exposed):
        with_state = np.bincount(stratum, weight * state * share)
        arms.append([with_state, np.bincount(stratum, weight * share) - with_state])
    return np.array(arms, dtype=float)


def _which_is_empty(units: Units) -> str:
    arms = {"exposed": units.state[units.exposed], "other": units.state[~units.exposed]}
    texts = [f"{values.sum():g} of {len(values)} {name} families have the state" for name, values in arms.items()]
    return " and ".join(texts) + ", and no stratum holds the comparison both ways"


def _spline(time: np.ndarray) -> np.ndarray:
    """Return a basis of a cubic spline of time, of lower degree where there are few times, shape (cells, columns)."""
    times = len(np.unique(time))
    if times < 2:
        return np.empty((len(time), 0))
    spline = SplineTransformer(n_knots=min(3, times), degree=min(3, times - 1), include_bias=False)
    basis = spline.fit_transform(time[:, None])
    basis, size, _ = np.linalg.svd(basis - basis.mean(axis=0), full_matrices=False)
    return basis[:, size > size[0] * SAME] * np.sqrt(len(time))


def gee_p(cells: pd.DataFrame) -> tuple[float, str]:
    """Return the p-value of exposure from a logistic GEE, and why it is missing.

    Clusters are founder families with exchangeable correlation; fields are fixed effects; birth time enters as a
    spline.

    Parameters
    ----------
    cells
        Survivors with ``state`` (0 or 1), ``exposed``, ``field``, ``birth`` and ``founder``.

    References
    ----------
    Liang and Zeger, Biometrika 73 (1986) 13.
    """
    cells = cells.sort_values("founder", kind="stable")
    by_field = cells.groupby("field")
    mixed = (by_field["state"].transform("nunique") > 1) & (by_field["exposed"].transform("nunique") > 1)
    used = cells[mixed]
    if len(used) < 20 or used["founder"].nunique() < 10:
        return np.nan, "GEE not estimable: too few survivors in fields that hold both arms and both states"
    if len(used) * (used["field"].nunique() + 4) > GEE_AT_MOST:
        return np.nan, "GEE not computed: too many survivors and fields"
    fields = pd.get_dummies(used["field"], drop_first=True).to_numpy(float)
    times = _spline(used["birth"].to_numpy(float))
    design = np.column_stack([np.ones(len(used)), used["exposed"].to_numpy(float), times, fields])
    if design.shape[1] > len(used) / 3 or np.linalg.matrix_rank(design) < design.shape[1]:
        return np.nan, "GEE not estimable: too many fields for the survivors"
    model = sm.GEE(
        used["state"].to_numpy(float),
        design,
        groups=used["founder"].to_numpy(),
        family=sm.families.Binomial(),
        cov_struct=sm.cov_struct.Exchangeable(),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # separation and non-convergence are judged by the estimates below
        try:
            fit = model.fit(maxiter=60)
        except (np.linalg.LinAlgError, ValueError, FloatingPointError, ZeroDivisionError):
            return np.nan, "GEE not estimable: it did not converge"
    if not np.isfinite(fit.pvalues[1]) or abs(fit.params[1]) > LARGEST_LOG_ODDS or not fit.converged:
        return np.nan, "GEE not estimable: it did not converge"
    return float(fit.pvalues[1]), ""


FEWEST_FOUNDERS = 5


def jackknife_interval(units: Units, founder: np.ndarray) -> tuple[float, float, str]:
    """Return the 95 % interval of the odds ratio of Mantel and Haenszel, and why it is missing.

    Founders are left out one at a time, with all their families; the interval of the log odds ratio is that of t with
    one degree of freedom less than there are founders. Weights of families are taken as known.

    Parameters
    ----------
    units
        Informative families, with an odds ratio that is estimable.
    founder
        Founder of each family, shape (families,).

    References
    ----------
    Miller, Biometrika 61 (1974) 1 (the jackknife).
    """
    pairs = np.column_stack([np.unique(founder, return_inverse=True)[1], units.stratum])
    both, group = np.unique(pairs, axis=0, return_inverse=True)
    exposed = units.exposed.astype(float)
    own = stratified_tables(exposed, units.state, group.ravel(), units.weight)
    every = stratified_tables(exposed, units.state, units.stratum, units.weight)
    total = _products(every).sum(axis=1)
    change = _products(every[:, :, both[:, 1]] - own) - _products(every[:, :, both[:, 1]])
    without = total[:, None] + np.array([np.bincount(both[:, 0], part) for part in change])
    founders = without.shape[1]
    if founders < FEWEST_FOUNDERS:
        return np.nan, np.nan, f"no interval: the families come from {founders} founders"
    if without.min() <= 1e-9:
        return np.nan, np.nan, "no interval: without one of the founders the odds ratio is not estimable"
    log_odds = np.log(without[0] / without[1])
    error = np.sqrt((founders - 1) / founders * ((log_odds - log_odds.mean()) ** 2).sum())
    ends = np.log(total[0] / total[1]) + np.array([-1, 1]) * stats.t.ppf((1 + CONFIDENCE) / 2, founders - 1) * error
    low, high = np.exp(ends)
    return float(low), float(high), ""


def founders_once(units: Units, founder: np.ndarray) -> Units:
    """Return the families with their weights divided by the number of families of their founder.

    As if families of a founder told the same, so that what is effective grows with founders alone.
    """
    _, code, families = np.unique(founder, return_inverse=True, return_counts=True)
    return replace(units, weight=units.weight / families[code])


def _products(tables: np.ndarray) -> np.ndarray:
    """Return the two sums' terms of which the odds ratio is the quotient, of tables (2, 2, n), shape (2, n)."""
    size = tables.sum(axis=(0, 1))
    terms = np.array([tables[0, 0] * tables[1, 1], tables[0, 1] * tables[1, 0]])
    return np.divide(terms, size, out=np.zeros_like(terms), where=size > 1e-9)
