"""Sensitivity of the odds ratio of a state to wrong death calls, wrong pairs, and unknown fates."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
import pandas as pd

from cineseq.config.lineage import Lineage
from cineseq.lineage.sister_test import stratified_tables
from cineseq.lineage.state_by_sister import families_with_state, survivors_with
from cineseq.lineage.trees import LineageTrees, birth_edges, strata_between
from cineseq.tables.contract import empty
from cineseq.tables.lineage import LINEAGE_SENSITIVITY
from cineseq.text import count, number, percent, ratio

ERRORS = ("death_calls", "pairing", "unknown_fates")
DESCRIPTIONS = {
    "death_calls": "wrong death calls",
    "pairing": "wrong pairs of cell and barcode",
    "unknown_fates": "unknown fates of sisters",
}


def sensitivity_table(
    families: LineageTrees, status: pd.DataFrame, states: pd.DataFrame, pairs: pd.DataFrame | None, settings: Lineage
) -> pd.DataFrame:
    """Bound the odds ratio of every state (sister died against survived) under each kind of error.

    The bounds are extremes: they assume that all errors of one kind occur in the families in which they matter most,
    and in one direction. Random errors move the odds ratio towards 1 and stay within the bounds.

    Parameters
    ----------
    families, status, states
        As for :func:`~cineseq.lineage.state_by_sister.compare_states`.
    pairs
        The pairs table, whose posteriors give the expected number of wrong pairs; None where there is none.
    settings
        ``death_precision`` and ``death_recall`` of the death calls, and the strata.

    Returns
    -------
    pandas.DataFrame
        The table :data:`cineseq.tables.lineage.LINEAGE_SENSITIVITY`.

    References
    ----------
    Rothman, Greenland and Lash, Modern Epidemiology (2008), chapter 19 (bias analysis).
    """
    measured = states.reindex(families.cells["track_id"]).reset_index(drop=True)
    known, every = (survivors_with(families, status, "died", arms) for arms in (("survived",), ("survived", "unknown")))
    edges = birth_edges(known["birth"].to_numpy(), settings.birth_time_bins)
    known, every = (
        cells.assign(stratum=strata_between(cells["field"].to_numpy(), cells["birth"].to_numpy(), edges))
        for cells in (known, every)
    )
    wrong_pairs = _wrong_pairs(families, status, pairs)
    rows = []
    for state in measured.columns:
        main, wide = (
            families_with_state(cells.assign(state=measured.loc[cells.index, state].to_numpy(float)))
            for cells in (known, every)
        )
        # Known families keep their weight; the only change is that unknown families join an arm.
        wide["weight"] = main["weight"].reindex(wide.index).fillna(1.0)
        bounds = {
            "death_calls": _death_calls(main, settings),
            "pairing": _pairing(main, wrong_pairs),
            "unknown_fates": _unknown_fates(wide),
        }
        odds_ratio = _odds_ratio(main, main["exposed"].to_numpy(float))
        fewest = {"death_calls": fewest_wrong_calls(main)}
        for error in ERRORS:
            concerned, least, most, note = bounds[error]
            rows.append((state, error, concerned, odds_ratio, least, most, fewest.get(error, np.nan), note))
    table = pd.DataFrame(rows, columns=[c.name for c in LINEAGE_SENSITIVITY.columns])
    return table if len(table) else empty(LINEAGE_SENSITIVITY)


def _odds_ratio(families: pd.DataFrame, exposed: np.ndarray, state: np.ndarray | None = None) -> float:
    """Return the Mantel-Haenszel odds ratio; ``exposed`` may be the fraction of a family that counts as exposed."""
    state = families["state"].to_numpy(float) if state is None else state
    tables = stratified_tables(exposed, state, families["stratum"].to_numpy(), families["weight"].to_numpy())
    total = tables.sum(axis=(0, 1))
    tables, total = tables[..., total > 0], total[total > 0]
    cross = (tables[0, 0] * tables[1, 1] / total).sum(), (tables[0, 1] * tables[1, 0] / total).sum()
    return float(cross[0] / cross[1]) if min(cross) > 0 else np.nan


def _death_calls(families: pd.DataFrame, settings: Lineage) -> tuple[int, float, float, str]:
    precision, recall = settings.death_precision, settings.death_recall
    if precision is None or recall is None:
        return 0, np.nan, np.nan, "not measured: set lineage.death_precision and lineage.death_recall for your movies"
    exposed, state = families["exposed"].to_numpy(bool), families["state"].to_numpy(float)
    false = (1 - precision) * exposed.sum()
    missed = min(float((~exposed).sum()), precision * exposed.sum() * (1 - recall) / recall)
    bounds = []
    for towards in (1, -1):
        # The odds ratio is smallest if false deaths are in families with the state and missed ones in those without
        # it, and largest in the reverse case; shape of every array: (families,).
        alive = _fraction_moved(exposed, towards * state, false)
        dead = _fraction_moved(~exposed, -towards * state, missed)
        bounds.append(_odds_ratio(families, exposed - alive + dead))
    note = f"{number(false, 1)} deaths called wrongly, {number(missed, 1)} missed among sisters that count as alive"
    return round(false + missed), *bounds, _open_end(bounds, note)


def fewest_wrong_calls(families: pd.DataFrame) -> float:
    """Return the fewest families whose wrong death call could bring the odds ratio to 1; NaN where there is none.

    The wrong calls are of one kind, false deaths or missed ones, in the families in which they matter most.

    Parameters
    ----------
    families
        As :func:`cineseq.lineage.state_by_sister.families_with_state` returns.
    """
    exposed, state = families["exposed"].to_numpy(bool), families["state"].to_numpy(float)
    odds_ratio = _odds_ratio(families, exposed.astype(float))
    if not np.isfinite(odds_ratio):
        return np.nan
    towards = 1 if odds_ratio > 1 else -1
    found = []
    for arm, change, priority in ((exposed, -1, towards * state), (~exposed, 1, -towards * state)):

        def crossed(wrong: int, arm: np.ndarray = arm, change: int = change, first: np.ndarray = priority) -> bool:
            moved = _odds_ratio(families, exposed + change * _fraction_moved(arm, first, wrong))
            return bool(towards * (moved - 1) <= 0)

        found.append(bisect_left(range(int(arm.sum())), x=True, key=crossed))
    return float(min(found))


def _wrong_pairs(families: LineageTrees, status: pd.DataFrame, pairs: pd.DataFrame | None) -> float:
    """Return the expected fraction of wrong pairs among the survivors; NaN where there are no posteriors."""
    if pairs is None:
        return np.nan
    survivors = families.cells.loc[status["sequenced"].to_numpy(bool), "track_id"]
    posterior = pairs.loc[(pairs["status"] == "singlet") & pairs["track_id"].isin(survivors), "posterior"]
    return float(1 - posterior.mean()) if posterior.notna().any() else np.nan


def _pairing(families: pd.DataFrame, wrong: float) -> tuple[int, float, float, str]:
    if not np.isfinite(wrong):
        return 0, np.nan, np.nan, "not measured: the pairs have no posterior"
    exposed, state = families["exposed"].to_numpy(bool), families["state"].to_numpy(float)
    bounds = []
    for towards in (-1, 1):
        changed = state.copy()
        for arm, direction in ((exposed, towards), (~exposed, -towards)):
            moved = _fraction_moved(arm & (state == (direction < 0)), np.zeros(len(state)), wrong * arm.sum())
            changed += direction * moved
        bounds.append(_odds_ratio(families, exposed.astype(float), changed))
    low, high = bounds
    return round(wrong * len(state)), low, high, _open_end(bounds, f"{percent(wrong, 1)} of pairs expected to be wrong")


def _unknown_fates(families: pd.DataFrame) -> tuple[int, float, float, str]:
    unknown = (families["status"] == "unknown").to_numpy(bool)
    exposed, state = families["exposed"].to_numpy(float), families["state"].to_numpy(float)
    bounds = [_odds_ratio(families, np.where(unknown, died, exposed)) for died in (1 - state, state)]
    note = "all unknown sisters of survivors with the state taken as alive and the others as dead, and the reverse"
    low, high = bounds
    return int(unknown.sum()), low, high, _open_end(bounds, note)


def _fraction_moved(eligible: np.ndarray, priority: np.ndarray, families: float) -> np.ndarray:
    """Return the fraction of each family that changes arm, shape (families,).

    ``families`` change in total, highest priority first; families of equal priority change by the same fraction.
    """
    fraction = np.zeros(len(eligible))
    left = families
    for value in np.unique(priority[eligible])[::-1]:
        group = eligible & (priority == value)
        fraction[group] = min(1.0, left / group.sum())
        left -= fraction[group].sum()
    return fraction


def _open_end(bounds: list[float], note: str) -> str:
    return note if np.isfinite(bounds).all() else f"{note}; a missing bound is unbounded"


def sensitivity_lines(table: pd.DataFrame, state: str | None) -> list[str]:
    """Report the bounds of the odds ratio of one state under each kind of error."""
    rows = table[(table["state"] == state) & table["odds_ratio"].notna()]
    if not len(rows):
        return []
    texts = []
    for row in rows.itertuples():
        if row.note.startswith("not measured"):
            texts.append(f"{DESCRIPTIONS[row.error]}: {row.note}")
            continue
        ends = [ratio(end) if np.isfinite(end) else "unbounded" for end in (row.least, row.most)]
        one_sided = (row.least > 1) == (row.most > 1) and np.isfinite([row.least, row.most]).all()
        crosses = "" if one_sided else ", which includes 1"
        of_families = count(row.families, "family", "families")
        texts.append(f"{DESCRIPTIONS[row.error]} ({of_families}): {ends[0]} to {ends[1]}{crosses}")
    fewest = rows["fewest_to_1"].dropna()
    at_least = count(fewest.iloc[0], "wrong death call") if len(fewest) else ""
    return [
        f"At worst, the odds ratio of '{state}' ({ratio(rows['odds_ratio'].iloc[0])}) could be, by "
        f"{'; by '.join(texts)}.",
        *([f"At least {at_least} would be needed to bring the odds ratio of '{state}' to 1."] if at_least else []),
    ]
