"""Which of two sisters dies: features before the fate, compared within pairs by conditional logistic regression."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from statsmodels.discrete.conditional_models import ConditionalLogit
from statsmodels.tools.sm_exceptions import ConvergenceWarning

from cineseq.family_results import WHICH_SISTER_DIES
from cineseq.kinship.before_fate import FEATURES, FEWEST_FRAMES, UNITS
from cineseq.statistics.fdr import benjamini_hochberg
from cineseq.statistics.permutation import p_value

FEWEST_PAIRS = 10
LEVEL = 0.05
STEEPEST = 10.0
"""Largest log odds ratio that it or its interval may reach; beyond, the sisters are all but separated."""
SIGNS_AT_ONCE = 10_000_000
"""Signs drawn at once; bounds the memory of the permutations."""


def which_sister_dies(measured: pd.DataFrame, discordant: int, permutations: int, seed: int) -> pd.DataFrame:
    """Relate each feature before the fate to which sister of a pair died; every pair is a stratum of its own.

    What sisters share (field, birth, mother, condition) cannot matter here. The odds ratio is per standard deviation
    of a sister about the mean of her pair: what differs between pairs only is no scale for what differs within. Its
    null swaps the fates of the two sisters within pairs, in all pairs of a founder together, for they are kin; the
    statistic is the sum over pairs of the difference, died less other, which is the score of the model at no effect.

    Parameters
    ----------
    measured
        As :func:`cineseq.kinship.before_fate.measured_before_fate` returns, of all fields.
    discordant
        Pairs of which one died and the other is known not to have, measured or not.
    permutations, seed
        Of the null.

    Returns
    -------
    pandas.DataFrame
        The table :data:`cineseq.family_results.WHICH_SISTER_DIES`; one row per feature.

    References
    ----------
    Breslow and Day, Statistical Methods in Cancer Research I (1980), chapter 7 (matched pairs).
    """
    rng = np.random.default_rng(seed)
    rows = []
    for feature in FEATURES:
        pairs = _pairs_with(feature, measured)
        rows.append({"feature": feature, "discordant": discordant} | _compare(pairs, permutations, rng))
    table = pd.DataFrame(rows, columns=[c.name for c in WHICH_SISTER_DIES.columns])
    return table.assign(q_value=benjamini_hochberg(table["p_permutation"].to_numpy(float)))


def _pairs_with(feature: str, measured: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs of which both sisters have the feature, as ``died`` and ``other``, ``founder`` and ``unit``."""
    if not len(measured):
        return pd.DataFrame({name: [] for name in ("died", "other", "founder", "unit")})
    sides = {side: measured.xs(side, level="side") for side in ("died", "other")}
    one = sides["died"]
    unit = UNITS.get(feature, "")
    units = [unit.format(length=length, time=time) for length, time in zip(one["length"], one["time"], strict=True)]
    pairs = pd.DataFrame({side: values[feature] for side, values in sides.items()})
    pairs = pairs.assign(founder=one["founder"], unit=units)
    return pairs[np.isfinite(pairs[["died", "other"]]).all(axis=1)]


def _compare(pairs: pd.DataFrame, permutations: int, rng: np.random.Generator) -> dict[str, float | int | str]:
    difference = (pairs["died"] - pairs["other"]).to_numpy(float)
    higher = int((difference > 0).sum())
    units = sorted(set(pairs["unit"]))
    row: dict[str, float | int | str] = {"pairs": len(pairs), "higher": higher, "unit": "", "note": ""}
    row |= dict.fromkeys(("sd", "odds_ratio", "low", "high", "p_value", "p_permutation"), np.nan)
    if len(pairs) < FEWEST_PAIRS:
        known = f"{len(pairs)} pairs of which one sister died and the other is known not to have were measured"
        return row | {"note": f"not estimable: {known} in {FEWEST_FRAMES} common frames, {FEWEST_PAIRS} are needed"}
    if len(units) > 1:
        return row | {"note": f"not estimable: fields differ in unit ({', '.join(units)})"}
    sd = float(np.sqrt((difference**2).mean() / 2))
    if not sd > 1e-9 * max(1.0, float(pairs[["died", "other"]].abs().max(axis=None))):
        return row | {"note": "not estimable: the two sisters of a pair do not differ"}
    by_founder = pd.Series(difference / sd).groupby(pairs["founder"].to_numpy()).sum().to_numpy()
    row |= {"unit": units[0], "sd": sd, "p_permutation": _swapped_p(by_founder, permutations, rng)}
    found = _odds_ratio(difference / sd)
    several = int((pairs["founder"].value_counts() > 1).sum())
    kin = f"{several} founders have several pairs: swapped together, but the interval takes them as independent"
    return row | found | {"note": "; ".join(filter(None, (found["note"], kin if several else "")))}


def _odds_ratio(difference: np.ndarray) -> dict[str, float | str]:
    """Return the odds ratio, its interval and p-value, or a note; differences are in within-pair SDs."""
    if not (difference > 0).any() or not (difference < 0).any():
        never = "lower" if (difference > 0).any() else "higher"
        return {"note": f"odds ratio not estimable: in no pair was it {never} in the one that died (separation)"}
    values = np.column_stack([difference / 2, -difference / 2]).reshape(-1, 1)
    groups = np.repeat(np.arange(len(difference)), 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            fit = ConditionalLogit(np.tile([1, 0], len(difference)), values, groups=groups).fit(disp=0)
        except ConvergenceWarning:
            return {"note": "odds ratio not estimable: the fit did not converge"}
    ends = np.concatenate([fit.params, fit.conf_int()[0]])
    if not (np.abs(ends) <= STEEPEST).all():
        return {"note": "odds ratio not estimable: it has no bound, hardly a pair differs the other way (separation)"}
    names = ("odds_ratio", "low", "high")
    return dict(zip(names, np.exp(ends), strict=True)) | {"p_value": float(fit.pvalues[0]), "note": ""}


def _swapped_p(by_founder: np.ndarray, permutations: int, rng: np.random.Generator) -> float:
    """Return the two-sided p-value of the sum of differences when the sisters of all pairs of a founder change places.

    The differences are summed over the pairs of each founder, shape (founders,).
    """
    null = []
    at_once = max(1, SIGNS_AT_ONCE // len(by_founder))
    for start in range(0, permutations, at_once):
        signs = rng.integers(0, 2, (min(at_once, permutations - start), len(by_founder)), dtype=np.int8) * 2 - 1
        null.append(np.abs(signs @ by_founder))
    return float(p_value(abs(by_founder.sum()) - 1e-9, np.concatenate(null)))


def which_dies_lines(table: pd.DataFrame, frames: float) -> list[str]:
    """Say which features go with the death of one sister rather than the other, or why that is not estimable."""
    tested = table[table["p_permutation"].notna()].sort_values(["p_permutation", "feature"], kind="stable")
    discordant = int(table["discordant"].iloc[0])
    if not len(tested):
        return [f"Which sister dies: {table['note'].iloc[0]} ({discordant} such pairs are in the trees)."]
    lines = [
        f"Which sister dies, among {discordant} pairs of which one died and the other is known not to have: "
        f"{int(tested['pairs'].max())} were measured in a median of {frames:.0f} common frames before either's fate."
    ]
    shown = tested[tested["q_value"] <= LEVEL]
    for row in (shown if len(shown) else tested.head(1)).itertuples():
        scale = f" ({row.sd:.2g} {row.unit})" if row.unit else ""
        ratio = f"odds ratio per SD{scale} {row.odds_ratio:.2f} [{row.low:.2f}, {row.high:.2f}]"
        ratio = ratio if np.isfinite(row.odds_ratio) else row.note
        verdict = "is associated with which sister dies" if len(shown) else "is the nearest of them, and not shown"
        lines.append(
            f"The {FEATURES[row.feature]} {verdict}: {ratio}, p = {row.p_permutation:.2g} by swaps within pairs, "
            f"q = {row.q_value:.2g} over {len(tested)} features."
        )
    return lines


def call_lines(called: int, total: int) -> list[str]:
    """Warn where deaths were called from what is compared; ``called`` of ``total`` deaths, neither given nor seen."""
    if not called:
        return []
    return [
        f"{called} of {total} of these deaths were called from shape, brightness and speed in the last frames "
        "against those before, so that area, growth and speed before a death are in part evidence of the call itself."
    ]
