"""The sister test: a state of survivors against the fate of the sister, within strata of field and birth time.

Odds ratio, interval and p-value of :func:`associate` have one estimand: the common odds ratio within strata, where a
family counts as its effective number of independent survivors. :func:`gee_p` is a second opinion.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
import statsmodels.api as sm
from sklearn.preprocessing import SplineTransformer

from cineseq.lineage.sister_score import Summaries, score, weights
from cineseq.text import count, significant

GEE_AT_MOST = 4_000_000
"""Largest number of survivors times covariates of the GEE; beyond it the fit takes minutes and is left out."""

LARGEST_LOG_ODDS = 15.0
SAME = 1e-6
"""Relative singular value below which a direction of the spline basis is treated as linearly dependent."""

NOT_ESTIMABLE = "not estimable"
CONSTANT = "no p-value: the state does not vary within strata"


@dataclass(frozen=True)
class Association:
    """Comparison of a state between both arms; numbers that are not estimable are NaN, and the note says why.

    Attributes
    ----------
    exposed, other
        Informative families of each arm: those of strata with both.
    rate
        Fraction with the state in the other arm, each family counted once.
    effective
        Number of balanced pairs of independent survivors that carry as much information.
    repeated
        Root cells with several informative families.
    odds_ratio, low, high
        Mantel-Haenszel odds ratio and its 95 % interval.
    p_value
        Two-sided.
    note
        Why a number is missing; empty if none is.
    """

    exposed: int
    other: int
    rate: float
    effective: float
    repeated: int
    odds_ratio: float = np.nan
    low: float = np.nan
    high: float = np.nan
    p_value: float = np.nan
    note: str = ""

    @property
    def tested(self) -> bool:
        """Whether both arms were large enough."""
        return not self.note.startswith(NOT_ESTIMABLE)


def associate(every: Summaries, fewest: int, kind: np.ndarray | None = None) -> Association:
    """Compare a state between the arms within strata.

    Parameters
    ----------
    every
        Families with a single column, a state of 0 or 1 per survivor.
    fewest
        Smallest number of informative families of an arm.
    kind
        As :func:`cineseq.lineage.sister_score.weights`.
    """
    informs = every.informative if len(every.exposed) else np.zeros(0, bool)
    families = every.only(informs)
    exposed, other = int(families.exposed.sum()), int((~families.exposed).sum())
    rate = float(families.mean[~families.exposed].mean()) if other else np.nan
    repeated = several_families(families.root_cell)
    if min(exposed, other) < fewest:
        reason = (
            f"{NOT_ESTIMABLE}: {exposed} and {other} families in strata with both arms, {fewest} of each are needed"
        )
        return Association(exposed, other, rate, 0.0, repeated, note=reason)
    # Independent survivors per family, (families, 1); the score test, and the odds ratio with its design effect.
    weight = weights(every, kind)[informs]
    found = score(families, weight)
    effect = float(found.design_effect[0])
    odds_ratio, low, high, missing = mantel_haenszel(families, weight[:, 0], effect)
    p = float(found.p_value[0])
    note = "; ".join(filter(None, (missing, "" if np.isfinite(p) else CONSTANT)))
    effective = float(found.information[0]) / effect
    return Association(exposed, other, rate, effective, repeated, odds_ratio, low, high, p, note)


def several_families(root_cell: np.ndarray) -> int:
    """Return the number of root cells with several families, from that of each family, shape (families,)."""
    return int((np.unique(root_cell, return_counts=True)[1] > 1).sum())


def mantel_haenszel(
    families: Summaries, weight: np.ndarray, design_effect: float = 1.0
) -> tuple[float, float, float, str]:
    """Return the Mantel-Haenszel odds ratio, the ends of its 95 % interval, and why it is missing.

    Parameters
    ----------
    families
        Families with a single column.
    weight
        Effective number of independent survivors, shape (families,).
    design_effect
        Factor by which families of one root cell increase the variance of the logarithm.

    References
    ----------
    Mantel and Haenszel, J. Natl. Cancer Inst. 22 (1959) 719; variance of Robins, Breslow and Greenland, Biometrics 42
    (1986) 311.
    """
    tables = stratified_tables(families.exposed.astype(float), families.mean[:, 0], families.stratum, weight)
    cross = (tables[0, 0] * tables[1, 1]).sum(), (tables[0, 1] * tables[1, 0]).sum()
    if min(cross) <= 0:
        return np.nan, np.nan, np.nan, "odds ratio not estimable: " + _which_is_empty(families)
    table = sm.stats.StratifiedTable(tables)
    centre = np.log(table.oddsratio_pooled)
    reach = np.log(table.oddsratio_pooled_confint()) - centre
    low, high = np.exp(centre + np.sqrt(design_effect) * reach)
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


def _which_is_empty(families: Summaries) -> str:
    state = families.mean[:, 0]
    arms = {"exposed": state[families.exposed], "other": state[~families.exposed]}
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
