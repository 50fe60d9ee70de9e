"""Explanations compatible with the odds ratio of a state (sister died or lived); see ``docs/sisters.md`` for why."""

from __future__ import annotations

import math

import pandas as pd

from cineseq.statistics import ALPHA

OTHERS = (
    "This list is not complete. The death itself may change the state of the survivor (debris, space, signals of the "
    "dying cell), RNA of the dead sister may be counted with that of the survivor, and survivors may have been "
    "selected by the fate of the sister; a change by the death would depend on the time since it, and would also be "
    "seen beside dead cage-mates that are not sisters."
)
"""Holds for every odds ratio; said once beside the explanations of one or several states."""
TO_SEPARATE = (
    "To separate these: measure a proxy of the state in the sister before it died, the state of both sisters in doubly "
    "surviving pairs, and the state against time since drug, next to untreated lineages."
)
LESS = (
    "The interval lies below 1. Compatible explanations include a protective state that both sisters inherit, in place "
    "before the division (the proxy is then equal in both sisters, doubly surviving pairs are alike, and the state is "
    "present before the drug), and a marker of families at less risk that is not itself protective (likewise, but the "
    "state is lost with the stress). A protective state reached by chance and a marker of the stress that killed the "
    "sister would not give this result, though the absence of either would."
)
MORE = (
    "The interval lies above 1, which argues against a protective state that both sisters inherit, though the absence "
    "of such a state would give this result. Compatible explanations include a protective state that each daughter "
    "reaches by chance in families that differ in risk (the proxy is then rarer in the dead sister, and doubly "
    "surviving pairs are not alike), and a marker of the stress that killed the sister (the proxy is then as frequent "
    "in it, and the state rises after the drug only)."
)
_ALL = (
    "Compatible explanations include a state that has nothing to do with death and a protective state that each "
    "daughter reaches by chance (the proxy is then rarer in the dead sister), which both give 1.0, and, as far as the "
    "interval extends, an inherited protective state below 1 (doubly surviving pairs are then alike) and a marker of "
    "stress above 1 (the state then rises after the drug only)."
)
SPANS = f"1.0 is not excluded, and 1.0 does not refute protection. {_ALL}"
NO_INTERVAL = f"There is no interval to interpret, and 1.0 would not refute protection. {_ALL}"


def reading(low: float, high: float) -> str:
    """Return the explanations compatible with an odds ratio, each with what measurements would then show.

    :data:`OTHERS` and :data:`TO_SEPARATE`, which hold for every odds ratio, are not part of it.

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
    """Return the interval to interpret, extended to include 1 where the q-value does not reach the level.

    Parameters
    ----------
    low, high
        Ends of the 95 % interval of its odds ratio; NaN where there is none.
    q
        False discovery rate over the states tested.
    """
    return (low, high) if q <= ALPHA or math.isnan(low + high) else (min(low, 1.0), max(high, 1.0))


def readings(tested: pd.DataFrame) -> list[str]:
    """Return the interpretation of each tested state, given the other states.

    The values of one column, such as clusters, exclude each other. Odds ratios above 1 for some and below 1 for others
    may reflect a single association, and they do not show which value it concerns. Both interpretations are then given.

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
                f"A cell has one value of '{column}', so {above} above 1 and {below} below 1 may be a single "
                f"association; these odds ratios do not show which value it concerns. If {above}: {MORE} "
                f"If {below}: {LESS}"
            )
    return texts.tolist()
