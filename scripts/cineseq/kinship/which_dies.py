"""Which of two sisters dies: features before the fate, compared within pairs by conditional logistic regression."""

from __future__ import annotations

import numpy as np
import pandas as pd
from statsmodels.discrete.conditional_models import ConditionalLogit

from cineseq.family_results import WHICH_SISTER_DIES
from cineseq.kinship.before_fate import FEATURES, FEWEST_FRAMES
from cineseq.statistics.fdr import benjamini_hochberg
from cineseq.statistics.permutation import p_value

FEWEST_PAIRS = 10
LEVEL = 0.05
SIGNS_AT_ONCE = 10_000_000
"""Signs drawn at once; bounds the memory of the permutations."""


def which_sister_dies(measured: pd.DataFrame, discordant: int, permutations: int, seed: int) -> pd.DataFrame:
    """Relate each feature before the fate to which sister of a pair died; every pair is a stratum of its own.

    What sisters share (field, birth, mother, condition) cannot matter here. The odds ratio is per standard deviation
    of a sister about the mean of her pair: what differs between pairs only is no scale for what differs within. Its
    null swaps the fates of the two sisters within pairs; the statistic is the sum over pairs of the difference, died
    less other, which is the score of the model at no effect.

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
    sides = [measured.xs(side, level="side") if len(measured) else measured for side in ("died", "other")]
    rows = []
    for feature in FEATURES:
        both = np.column_stack([side[feature] for side in sides]) if len(measured) else np.empty((0, 2))
        pairs = both[np.isfinite(both).all(axis=1)]
        rows.append({"feature": feature, "discordant": discordant} | _compare(pairs, permutations, rng))
    table = pd.DataFrame(rows, columns=[c.name for c in WHICH_SISTER_DIES.columns])
    return table.assign(q_value=benjamini_hochberg(table["p_permutation"].to_numpy(float)))


def _compare(pairs: np.ndarray, permutations: int, rng: np.random.Generator) -> dict[str, float | int | str]:
    difference = pairs[:, 0] - pairs[:, 1]
    higher = int((difference > 0).sum())
    row: dict[str, float | int | str] = {"pairs": len(pairs), "higher": higher, "note": ""}
    row |= dict.fromkeys(("sd", "odds_ratio", "low", "high", "p_value", "p_permutation"), np.nan)
    if len(pairs) < FEWEST_PAIRS:
        known = f"{len(pairs)} pairs of which one sister died and the other is known not to have were measured"
        return row | {"note": f"not estimable: {known} in {FEWEST_FRAMES} common frames, {FEWEST_PAIRS} are needed"}
    sd = float(np.sqrt((difference**2).mean() / 2))
    if not sd > 1e-9 * max(1.0, float(np.abs(pairs).max())):
        return row | {"note": "not estimable: the two sisters of a pair do not differ"}
    row |= {"sd": sd, "p_permutation": _swapped_p(difference / sd, permutations, rng)}
    lower = int((difference < 0).sum())
    if not (higher and lower):
        never = "lower" if higher else "higher"
        note = f"odds ratio not estimable: in no pair was it {never} in the one that died (separation)"
        return row | {"note": note}
    fit = ConditionalLogit(
        np.tile([1, 0], len(pairs)),
        ((pairs - pairs.mean()) / sd).reshape(-1, 1),
        groups=np.repeat(np.arange(len(pairs)), 2),
    ).fit(disp=0)
    ends = np.exp(np.concatenate([fit.params, fit.conf_int()[0]]))
    if not np.isfinite(ends).all():
        return row | {"note": "odds ratio not estimable: the fit did not converge"}
    return row | dict(zip(("odds_ratio", "low", "high"), ends, strict=True)) | {"p_value": float(fit.pvalues[0])}


def _swapped_p(difference: np.ndarray, permutations: int, rng: np.random.Generator) -> float:
    """Return the two-sided p-value of the sum of differences when the sisters of a pair change places."""
    null = []
    at_once = max(1, SIGNS_AT_ONCE // len(difference))
    for start in range(0, permutations, at_once):
        signs = rng.integers(0, 2, (min(at_once, permutations - start), len(difference)), dtype=np.int8) * 2 - 1
        null.append(np.abs(signs @ difference))
    return float(p_value(abs(difference.sum()) - 1e-9, np.concatenate(null)))


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
        ratio = f"odds ratio per SD {row.odds_ratio:.2f} [{row.low:.2f}, {row.high:.2f}]"
        ratio = ratio if np.isfinite(row.odds_ratio) else row.note
        verdict = "is associated with which sister dies" if len(shown) else "is the nearest of them, and not shown"
        lines.append(
            f"The {FEATURES[row.feature]} {verdict}: {ratio}, p = {row.p_permutation:.2g} by swaps within pairs, "
            f"q = {row.q_value:.2g} over {len(tested)} features."
        )
    return lines
