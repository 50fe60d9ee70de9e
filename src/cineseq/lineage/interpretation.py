"""What an odds ratio of a state, sister died against lived, leaves possible; ``docs/sisters.md`` has the reasons."""

from __future__ import annotations

import math

import pandas as pd

from cineseq.statistics import ALPHA

LESS = (
    "The interval lies below 1. Left over are a protective state that both sisters inherit, in place before the "
    "division, and a mark of families at less risk that protects nobody; a protective state reached by chance and a "
    "mark of the stress that killed the sister would not leave this, though the absence of either would. To separate "
    "the two: state against time since drug, beside untreated lineages (there before the drug if inherited, lost with "
    "the stress if a mark). State concordance in doubly surviving pairs must be high for either, and a proxy of the "
    "state before the death equal in both sisters."
)
MORE = (
    "The interval lies above 1, which argues against a protective state that both sisters inherit, though the absence "
    "of one would leave this. Left over are a protective state that each daughter reaches by chance in families that "
    "differ in risk, and a mark of the stress that killed the sister. To separate the two: a proxy of the state in "
    "the sister before she died (rarer than in the survivor if it protects, as frequent if it is a mark), state "
    "concordance in doubly surviving pairs (low if by chance), and state against time since drug, beside untreated "
    "lineages (rising after the drug only if a mark)."
)
_ALL = (
    "Left over are a state that has nothing to do with death and a protective state that each daughter reaches by "
    "chance, which both leave 1.0, and, as far as the interval reaches, an inherited protective state below 1 and a "
    "mark of stress above it. To separate them: a proxy of the state in the sister before she died (rarer than in the "
    "survivor if it protects by chance), state concordance in doubly surviving pairs (high if inherited), and state "
    "against time since drug, beside untreated lineages (rising after the drug only if a mark)."
)
SPANS = f"1.0 is not excluded, and 1.0 does not refute protection. {_ALL}"
NO_INTERVAL = f"There is no interval to read, and 1.0 would not refute protection. {_ALL}"


def reading(low: float, high: float) -> str:
    """Say which explanations an odds ratio leaves, and which measurements would separate them.

    Parameters
    ----------
    low, high
        Ends of its 95 % interval; NaN where there is none.
    """
    if high < 1:
        return LESS
    if low > 1:
        return MORE
    return SPANS if low <= 1 <= high else NO_INTERVAL


def interval_to_read(low: float, high: float, q: float) -> tuple[float, float]:
    """Return the interval to read a state by: one that holds 1 where the state was not shown among all those tested.

    Parameters
    ----------
    low, high
        Ends of the 95 % interval of its odds ratio; NaN where there is none.
    q
        False discovery rate over the states tested.
    """
    return (low, high) if q <= ALPHA or math.isnan(low + high) else (min(low, 1.0), max(high, 1.0))


def readings(tested: pd.DataFrame) -> list[str]:
    """Say of each tested state what its odds ratio leaves, knowing of the others.

    The values of one column, such as clusters, share one total. Where some lie above 1 and others below, they may be
    one finding, and which value it is of cannot be told from them: both readings are given.

    Parameters
    ----------
    tested
        ``state``, ``low``, ``high`` and ``q`` of each state, one row each.
    """
    ends = [interval_to_read(low, high, q) for low, high, q in tested[["low", "high", "q"]].itertuples(index=False)]
    rows = pd.DataFrame(ends, columns=["low", "high"], dtype=float)
    rows["state"] = tested["state"].astype(str).to_numpy()
    # A state that is a column by itself has no "=".
    rows["column"] = rows["state"].str.split("=", n=1).str[0]
    texts = pd.Series([reading(*pair) for pair in ends], dtype=object)
    for column, own in rows.groupby("column"):
        less, more = own.index[own["high"] < 1], own.index[own["low"] > 1]
        if len(less) and len(more):
            below, above = (", ".join(f"'{name}'" for name in own.loc[side, "state"]) for side in (less, more))
            texts[[*less, *more]] = (
                f"A cell has one value of '{column}', so that {above} above 1 and {below} below 1 may be one finding, "
                f"and these odds ratios do not say of which value. If of {above}: {MORE} If of {below}: {LESS}"
            )
    return texts.tolist()
