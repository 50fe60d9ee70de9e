"""The sister test: a state of survivors against the fate of the sister, within strata of field and birth time.

The reported p-value (``p_permutation``) is that of :func:`permutation_p`, or of :func:`root_cell_p` if a root cell has
several families; :func:`gee_p` is a second test.
"""

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
from cineseq.text import count, significant

GEE_AT_MOST = 4_000_000
"""Largest number of survivors times covariates of the GEE; beyond it the fit takes minutes and is left out."""

SIGNS_AT_ONCE = 2**23
"""Number of signs held in memory at once."""

NO_SCORE = "every stratum holds one root cell, or its scores cancel"
"""Reason why scores of root cells give no p-value although the values vary."""

LARGEST_LOG_ODDS = 15.0
SAME = 1e-6
"""Relative singular value below which a direction of the spline basis is treated as linearly dependent."""


@dataclass(frozen=True)
class Units:
    """Families of one contrast; a family is a pair of sisters or a single cell without a sister.

    Attributes
    ----------
    exposed
        Whether the family is in the first arm (sister died, or no sister), shape (families,).
    state
        Mean state of its sequenced survivors, shape (families,).
    stratum
        Stratum, from 0, shape (families,).
    weight
        Effective number of independent survivors of the family, shape (families,); see :func:`family_weights`.
    """

    exposed: np.ndarray
    state: np.ndarray
    stratum: np.ndarray
    weight: np.ndarray

    @property
    def informative(self) -> np.ndarray:
        """Whether the stratum of a family holds both arms, shape (families,)."""
        size, exposed = self.counts()
        return ((exposed > 0) & (exposed < size))[self.stratum]

    def counts(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the number of families and of exposed families of each stratum, shape (strata,) each."""
        return np.bincount(self.stratum), np.bincount(self.stratum, self.exposed).astype(int)

    def only(self, rows: np.ndarray) -> Units:
        """Return the families that a boolean mask selects."""
        stratum = np.unique(self.stratum[rows], return_inverse=True)[1]
        return Units(self.exposed[rows], self.state[rows], stratum, self.weight[rows])

    @property
    def effective(self) -> float:
        """Effective number of balanced pairs: sum over strata of n1 n0 / (n1 + n0), with sums of weights n1 and n0."""
        total = np.bincount(self.stratum, self.weight)
        exposed = np.bincount(self.stratum, self.weight * self.exposed)
        return float(np.divide(exposed * (total - exposed), total, out=np.zeros_like(total), where=total > 0).sum())


def family_weights(survivors: np.ndarray, state: np.ndarray, stratum: np.ndarray) -> np.ndarray:
    """Return the effective number of independent survivors of each family, m / (1 + (m - 1) r).

    The correlation r of the states of doubly surviving sisters is estimated about the means of their strata. It is
    corrected for the negative bias that centring introduces, and limited to the range from 0 to 1.

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
    # Pairs with two measured survivors, shape (pairs,), and the mean state of their strata.
    pair = survivors == 2
    state, stratum = state[pair], stratum[pair]
    cells = 2.0 * np.bincount(stratum)
    mean = np.divide(2 * np.bincount(stratum, state), cells, out=np.zeros_like(cells), where=cells > 0)[stratum]
    # Cross product and sum of squares of both members about the stratum mean, from the pair's mean state alone.
    split = state == 0.5
    both = np.where(split, -mean * (1 - mean), (state - mean) ** 2)
    spread = np.where(split, mean**2 + (1 - mean) ** 2, 2 * (state - mean) ** 2)
    # Pooled over strata with more than one pair; a stratum of c cells has expected cross product -total / (2 (c - 1)).
    total = np.bincount(stratum, spread)
    usable = cells > 2
    cross = np.bincount(stratum, both)[usable] + total[usable] / (2 * (cells[usable] - 1))
    variance = total[usable].sum() / 2
    r = float(np.clip(cross.sum() / variance, 0, 1)) if variance > 0 else 1.0
    return np.where(pair, 2 / (1 + r), 1.0)


def permutation_p(units: Units, permutations: int, rng: np.random.Generator) -> float:
    """Return the two-sided p-value of sister status permuted among families within strata.

    The statistic is the sum over exposed families of the mean state of the family minus that of the stratum. Its
    permutation distribution is a sum of one multivariate hypergeometric draw per stratum. These are drawn directly,
    so the cost grows with the number of strata rather than of families.

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
    # Families with state 0, 1/2 and 1 in each stratum, shape (strata,).
    size, exposed = units.counts()
    doubled = np.rint(2 * units.state).astype(int)
    zeros, halves, ones = (np.bincount(units.stratum, doubled == value).astype(int) for value in (0, 1, 2))
    expected = (exposed * (halves / 2 + ones) / size).sum()
    observed = abs(units.state[units.exposed].sum() - expected)
    # Null: sum over strata of the states of the exposed families (doubled, integer), shape (permutations,).
    log_factorial = gammaln(np.arange(1, size.max() + 2))
    drawn = np.zeros(permutations)
    for layout in zip(zeros, halves, ones, exposed, strict=True):
        values, cumulative = _sum_of_exposed(*layout, log_factorial)
        drawn += values[np.searchsorted(cumulative, rng.random(permutations), side="right").clip(max=len(values) - 1)]
    null = np.abs(drawn / 2 - expected)
    return float(p_value(observed - 1e-9, null)) if null.max() > 1e-9 else np.nan


def root_cell_p(units: Units, root_cell: np.ndarray, permutations: int, rng: np.random.Generator) -> float:
    """Return the two-sided p-value of the same statistic where a root cell has several families.

    The score of a root cell is the sum over its families of (exposure - stratum mean) * (state - stratum mean). The
    null distribution flips the signs of these scores at random. Flipped scores are divided by the square root of the
    fraction of the stratum's families that belong to other root cells, because centring reduces their variance.

    Parameters
    ----------
    units
        Informative families.
    root_cell
        Root cell of each family, shape (families,).
    permutations
        Number of draws.
    rng
        Random numbers.

    References
    ----------
    Hemerik, Goeman and Finos, J. R. Stat. Soc. B 82 (2020) 841 (tests by flipping signs of scores); Bell and
    McCaffrey, Survey Methodology 28 (2002) 169 (the correction for leverage).
    """
    observed, scores = root_cell_scores(units.exposed, units.state[:, None], units.stratum, root_cell)
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


def several_families(root_cell: np.ndarray) -> int:
    """Return the number of root cells with several families, from the root cell of each family, shape (families,)."""
    return int((np.unique(root_cell, return_counts=True)[1] > 1).sum())


def root_cell_scores(
    exposed: np.ndarray, values: np.ndarray, stratum: np.ndarray, root_cell: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the statistic of :func:`root_cell_p`, shape (columns,), and the scores, shape (root cells, columns).

    Strata with a single root cell hold no comparison and are left out of both.

    Parameters
    ----------
    exposed, stratum, root_cell
        Arm, stratum from 0, and root cell of each family, shape (families,).
    values
        Values of each family, shape (families, columns).
    """
    # Fraction of the stratum's families that belong to other root cells, shape (families,).
    size = np.bincount(stratum)
    pairs = np.column_stack([np.unique(root_cell, return_inverse=True)[1], stratum])
    both, group = np.unique(pairs, axis=0, return_inverse=True)
    others = 1 - np.bincount(group.ravel()) / size[both[:, 1]]
    others = others[group.ravel()]
    compared = others > 1e-12
    # Score contributions, shape (families, columns), and the leverage-corrected ones that are flipped.
    centred = values - pd.DataFrame(values).groupby(stratum).transform("mean").to_numpy()
    rate = np.bincount(stratum, exposed) / size
    score = ((exposed - rate[stratum]) * compared)[:, None] * centred
    flipped = pd.DataFrame(score / np.sqrt(np.where(compared, others, 1.0))[:, None])
    return score.sum(axis=0), flipped.groupby(pairs[:, 0]).sum().to_numpy()


def _sum_of_exposed(
    zeros: int, halves: int, ones: int, exposed: int, log_factorial: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the distribution of twice the sum of states of ``exposed`` families drawn from a stratum.

    The numbers of families drawn with state 0, 1/2 and 1 are multivariate hypergeometric. Numbers so far from their
    mean that they never occur in practice (Bernstein's inequality) are left out, so that large strata stay cheap.

    Returns
    -------
    tuple of numpy.ndarray
        Values, and their cumulative probabilities.
    """
    total = zeros + halves + ones
    half = _likely(halves, total, exposed)[:, None]
    one = _likely(ones, total, exposed)[None, :]
    none = exposed - half - one
    possible = (none >= 0) & (none <= zeros)
    # Log probability of each (halves drawn, ones drawn) up to a constant, shape (halves, ones).
    log_weight = -sum(
        log_factorial[drawn] + log_factorial[there - drawn] for drawn, there in ((half, halves), (one, ones))
    )
    none = none.clip(0, zeros)
    log_weight = np.where(possible, log_weight - log_factorial[none] - log_factorial[zeros - none], -np.inf)
    # Add up the probabilities of equal sums.
    twice = np.broadcast_to(half + 2 * one, log_weight.shape)
    weight = np.bincount(twice.ravel(), np.exp(log_weight - log_weight.max()).ravel())
    values = np.flatnonzero(weight)
    cumulative = np.cumsum(weight[values])
    return values, cumulative / cumulative[-1]


def _likely(kind: int, total: int, drawn: int) -> np.ndarray:
    """Return the numbers of one kind that may be among ``drawn`` of ``total``, without negligible ones."""
    mean = drawn * kind / total
    reach = 10 * np.sqrt(mean * (1 - kind / total)) + 40
    low, high = max(0, drawn - (total - kind), int(mean - reach)), min(kind, drawn, int(mean + reach) + 1)
    return np.arange(low, high + 1)


def mantel_haenszel(units: Units) -> tuple[float, float, float, str]:
    """Return the Mantel-Haenszel odds ratio, the ends of its 95 % interval, and why it is missing.

    Families enter with the mean state of their survivors and their weight, so that correlated sisters do not count as
    independent observations.

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
    """Return weighted counts of families by arm (exposed first) and state (present first), shape (2, 2, strata).

    ``exposed`` and ``state`` may be fractions between 0 and 1; every argument has shape (families,).
    """
    arms = []
    for in_arm in (exposed, 1 - exposed):
        with_state = np.bincount(stratum, weight * state * in_arm)
        arms.append([with_state, np.bincount(stratum, weight * in_arm) - with_state])
    return np.array(arms, dtype=float)


def _which_is_empty(units: Units) -> str:
    arms = {"exposed": units.state[units.exposed], "other": units.state[~units.exposed]}
    texts = [
        f"{significant(values.sum())} of {count(len(values), f'{name} family', f'{name} families')} have the state"
        for name, values in arms.items()
    ]
    return " and ".join(texts) + ", so that a Mantel-Haenszel sum is zero"


def _spline(time: np.ndarray) -> np.ndarray:
    """Return an orthogonal basis of a cubic spline of time, shape (cells, columns); lower degree with few times."""
    times = len(np.unique(time))
    if times < 2:
        return np.empty((len(time), 0))
    spline = SplineTransformer(n_knots=min(3, times), degree=min(3, times - 1), include_bias=False)
    basis = spline.fit_transform(time[:, None])
    basis, size, _ = np.linalg.svd(basis - basis.mean(axis=0), full_matrices=False)
    return basis[:, size > size[0] * SAME] * np.sqrt(len(time))


def gee_p(cells: pd.DataFrame) -> tuple[float, str]:
    """Return the p-value of exposure from a logistic GEE, and why it is missing.

    Clusters are the descendants of one root cell, with exchangeable correlation. Fields are fixed effects, and birth
    time enters as a spline.

    Parameters
    ----------
    cells
        Survivors with ``state`` (0 or 1), ``exposed``, ``field``, ``birth`` and ``root_cell``.

    References
    ----------
    Liang and Zeger, Biometrika 73 (1986) 13.
    """
    cells = cells.sort_values("root_cell", kind="stable")
    by_field = cells.groupby("field")
    mixed = (by_field["state"].transform("nunique") > 1) & (by_field["exposed"].transform("nunique") > 1)
    used = cells[mixed]
    if len(used) < 20 or used["root_cell"].nunique() < 10:
        return np.nan, "GEE not estimable: too few survivors in fields that hold both arms and both states"
    if len(used) * (used["field"].nunique() + 4) > GEE_AT_MOST:
        return np.nan, "GEE not computed: too many survivors and fields"
    # Design: intercept, exposure, spline of birth time, and indicators of fields, shape (cells, columns).
    fields = pd.get_dummies(used["field"], drop_first=True).to_numpy(float)
    times = _spline(used["birth"].to_numpy(float))
    design = np.column_stack([np.ones(len(used)), used["exposed"].to_numpy(float), times, fields])
    if design.shape[1] > len(used) / 3 or np.linalg.matrix_rank(design) < design.shape[1]:
        return np.nan, "GEE not estimable: too many fields for the survivors"
    model = sm.GEE(
        used["state"].to_numpy(float),
        design,
        groups=used["root_cell"].to_numpy(),
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


FEWEST_ROOT_CELLS = 5


def jackknife_interval(units: Units, root_cell: np.ndarray) -> tuple[float, float, str]:
    """Return the jackknife 95 % interval of the Mantel-Haenszel odds ratio, and why it is missing.

    Root cells are left out one at a time, with all their families. The interval of the log odds ratio uses
    Student's t with one degree of freedom less than the number of root cells. Family weights are taken as known.

    Parameters
    ----------
    units
        Informative families, with an estimable odds ratio.
    root_cell
        Root cell of each family, shape (families,).

    References
    ----------
    Miller, Biometrika 61 (1974) 1 (the jackknife).
    """
    # Weighted 2 x 2 tables of each stratum, and of each root cell within a stratum, shape (2, 2, n).
    pairs = np.column_stack([np.unique(root_cell, return_inverse=True)[1], units.stratum])
    both, group = np.unique(pairs, axis=0, return_inverse=True)
    exposed = units.exposed.astype(float)
    own = stratified_tables(exposed, units.state, group.ravel(), units.weight)
    every = stratified_tables(exposed, units.state, units.stratum, units.weight)
    # Both sums of the odds ratio with each root cell left out, shape (2, root cells): only its strata change.
    total = _products(every).sum(axis=1)
    change = _products(every[:, :, both[:, 1]] - own) - _products(every[:, :, both[:, 1]])
    without = total[:, None] + np.array([np.bincount(both[:, 0], part) for part in change])
    root_cells = without.shape[1]
    if root_cells < FEWEST_ROOT_CELLS:
        return np.nan, np.nan, f"no interval: the families come from {count(root_cells, 'root cell')}"
    if without.min() <= 1e-9:
        return np.nan, np.nan, "no interval: without one of the root cells the odds ratio is not estimable"
    # Jackknife standard error of the log odds ratio.
    log_odds = np.log(without[0] / without[1])
    error = np.sqrt((root_cells - 1) / root_cells * ((log_odds - log_odds.mean()) ** 2).sum())
    ends = np.log(total[0] / total[1]) + np.array([-1, 1]) * stats.t.ppf((1 + CONFIDENCE) / 2, root_cells - 1) * error
    low, high = np.exp(ends)
    return float(low), float(high), ""


def root_cells_once(units: Units, root_cell: np.ndarray) -> Units:
    """Return the families with their weights divided by the number of families of their root cell.

    This assumes that families of one root cell are fully dependent, so that the effective number counts root cells.
    """
    _, code, families = np.unique(root_cell, return_inverse=True, return_counts=True)
    return replace(units, weight=units.weight / families[code])


def _products(tables: np.ndarray) -> np.ndarray:
    """Return the terms of both sums of the Mantel-Haenszel odds ratio, shape (2, n), from tables of (2, 2, n)."""
    size = tables.sum(axis=(0, 1))
    terms = np.array([tables[0, 0] * tables[1, 1], tables[0, 1] * tables[1, 0]])
    return np.divide(terms, size, out=np.zeros_like(terms), where=size > 1e-9)
