"""Correlation of fates by genealogical distance, and the joint fates of sisters."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cineseq.lineage.pair_statistics import pair_correlation, pair_odds_ratio
from cineseq.lineage.relatives import interval_note, matching_note
from cineseq.lineage.trees import LineageTrees
from cineseq.tables.contract import empty
from cineseq.tables.lineage import FATE_ENDS, FATE_ODDS
from cineseq.text import count, interval, number, ratio

MOST_GENERATIONS = 4
"""Third cousins. Movies hold few more distant pairs, and the candidates grow fourfold with each generation."""

BASELINE = "unrelated neighbours show the effect of field and time alone; intervals are in the table"
QUANTITIES = {"fate": None, "division_time": 0.0, "death_time": 1.0}


def related_over(families: LineageTrees, generations: int) -> np.ndarray:
    """Return the pairs of cells whose last common ancestor is a given number of generations back.

    Parameters
    ----------
    families
        The trees.
    generations
        1 for sisters, 2 for cousins, 3 for second cousins, ...

    Returns
    -------
    numpy.ndarray
        Positions of cells, shape (pairs, 2).
    """
    parent = families.cells["parent"].to_numpy()
    side = np.full(len(parent), -1)
    for daughter in (0, 1):
        side[families.sisters[:, daughter]] = daughter
    # Walk up the tree: ``line`` are the cells, ``branch`` their ancestors one generation below the common one.
    line = np.flatnonzero(side >= 0)
    branch = line
    for _ in range(generations - 1):
        branch = parent[branch]
        kept = branch >= 0
        line, branch = line[kept], branch[kept]
        kept = side[branch] >= 0
        line, branch = line[kept], branch[kept]
    # Join the descendants of both daughters of each ancestor.
    table = pd.DataFrame({"cell": line, "ancestor": parent[branch], "side": side[branch]})
    table = table[table["ancestor"] >= 0]
    left, right = (table[table["side"] == number] for number in (0, 1))
    return left.merge(right, on="ancestor")[["cell_x", "cell_y"]].to_numpy()


def decay_table(families: LineageTrees, neighbours: np.ndarray) -> pd.DataFrame:
    """Correlate fates and times of relatives by genealogical distance, the generations to the common ancestor.

    Parameters
    ----------
    families
        The trees.
    neighbours
        Pairs of unrelated cells, as :func:`~cineseq.lineage.relatives.relatives_of` finds them, shape (pairs, 2).

    Returns
    -------
    pandas.DataFrame
        The table :data:`cineseq.tables.lineage.CORRELATION_DECAY`; 0 generations means unrelated neighbours of similar
        birth time.
    """
    cells = families.cells
    died, condition, root_cell = (cells[c].to_numpy() for c in ("died", "condition", "root_cell"))
    lived = (cells["end"] - cells["birth"]).to_numpy()
    # Pairs (pairs, 2) of relatives by the generations to their common ancestor; 0 stands for neighbours.
    apart = {number: related_over(families, number) for number in range(1, MOST_GENERATIONS + 1)}
    apart[0] = neighbours
    rows = []
    for name in sorted(cells["condition"].unique()):
        for generations, all_pairs in sorted(apart.items()):
            pairs = all_pairs[(condition[all_pairs] == name).all(axis=1)]
            for quantity, fate in QUANTITIES.items():
                known = np.isfinite(died[pairs]) if fate is None else died[pairs] == fate
                both = pairs[known.all(axis=1)]
                values = (died if fate is None else lived)[both]
                r = pair_correlation(values[:, 0], values[:, 1], root_cell[both[:, 0]])
                relation = "" if generations else "neighbours"
                notes = (r.note, matching_note(families, relation, both), interval_note(relation, r.low))
                note = "; ".join(filter(None, notes))
                rows.append((name, generations, quantity, len(both), r.value, r.low, r.high, note))
    return pd.DataFrame(
        rows, columns=["condition", "generations", "quantity", "pairs", "r", "low", "high", "note"]
    ).astype({"generations": "Int64", "pairs": "Int64"})


def decay_lines(table: pd.DataFrame) -> list[str]:
    """Return one sentence per condition on how the correlation of fates decays with genealogical distance."""
    lines = []
    fates = table[(table["quantity"] == "fate") & table["low"].notna()]
    for condition, rows in fates.groupby("condition", sort=True):
        by = rows.set_index("generations")
        each = [f"{_relation(apart)} {number(by.loc[apart, 'r'])}" for apart in (1, 2, 3, 4, 0) if apart in by.index]
        if 1 in by.index and len(each) > 1:
            lines.append(f"{condition}: correlation of fates by genealogical distance: {', '.join(each)} ({BASELINE}).")
    return lines


def _relation(generations: int) -> str:
    return ("unrelated neighbours", "sisters", "cousins", "second cousins", "third cousins")[generations]


def fate_pairs_table(families: LineageTrees) -> pd.DataFrame:
    """Count how both sisters ended, with the counts expected if the sisters of a condition were independent.

    Returns
    -------
    pandas.DataFrame
        The table :data:`cineseq.tables.lineage.FATE_PAIRS`; one row per unordered pair of ends.
    """
    cells, sisters = families.cells, families.sisters
    end = ends_of(cells)[sisters]
    condition = cells["condition"].to_numpy()[sisters[:, 0]]
    rows = []
    for name in np.unique(condition):
        here = end[condition == name]
        frequency = np.bincount(here.ravel(), minlength=len(FATE_ENDS)) / here.size
        low, high = here.min(axis=1), here.max(axis=1)
        for i, first in enumerate(FATE_ENDS):
            for j, second in enumerate(FATE_ENDS[i:], start=i):
                expected = len(here) * frequency[i] * frequency[j] * (1 if i == j else 2)
                rows.append((name, first, second, int(((low == i) & (high == j)).sum()), expected))
    return pd.DataFrame(rows, columns=["condition", "fate", "sister_fate", "pairs", "expected"])


def ends_of(cells: pd.DataFrame) -> np.ndarray:
    """Return the position in :data:`cineseq.tables.lineage.FATE_ENDS` of every cell's end, shape (cells,)."""
    return np.select([cells["died"] == 0, cells["died"] == 1, cells["alive_at_end"] == 1], [0, 1, 2], 3)


def fate_odds_table(families: LineageTrees, relatives: dict[str, np.ndarray]) -> pd.DataFrame:
    """Estimate the odds ratio of the fates of relatives in each condition.

    Parameters
    ----------
    families
        The trees.
    relatives
        Pairs of each relation, as :func:`cineseq.lineage.relatives.relatives_of` returns. Only pairs with both fates
        known (division or death) count.

    Returns
    -------
    pandas.DataFrame
        The table :data:`cineseq.tables.lineage.FATE_ODDS`.

    References
    ----------
    Cohen, Educ. Psychol. Meas. 20 (1960) 37 (kappa, here with the pooled rate of both members).
    """
    cells = families.cells
    died, condition, root_cell = (cells[c].to_numpy() for c in ("died", "condition", "root_cell"))
    rows = []
    for name in sorted(cells["condition"].unique()):
        for relation, all_pairs in relatives.items():
            pairs = all_pairs[(condition[all_pairs] == name).all(axis=1)]
            known = pairs[np.isfinite(died[pairs]).all(axis=1)]
            fates = died[known]
            odds, kappa = (
                f(fates[:, 0], fates[:, 1], root_cell[known[:, 0]]) for f in (pair_odds_ratio, pair_correlation)
            )
            note = "; ".join(filter(None, (odds.note, interval_note(relation, odds.low))))
            rows.append((name, relation, len(known), odds.value, odds.low, odds.high, kappa.value, note))
    return pd.DataFrame(rows, columns=empty(FATE_ODDS).columns)


def fate_odds_lines(table: pd.DataFrame) -> list[str]:
    """Return one sentence per condition on the odds ratio of sisters' fates."""
    lines = []
    for row in table[table["relation"] == "sisters"].itertuples():
        if not np.isfinite(row.odds_ratio):
            kappa = f"; kappa {number(row.kappa)}" if np.isfinite(row.kappa) else ""
            lines.append(f"{row.condition}: the odds ratio of sisters' fates is {row.note}{kappa}.")
            continue
        ends = f" {interval(row.low, row.high, ratio)}" if np.isfinite(row.low) else ""
        note = f"; {row.note}" if row.note else ""
        lines.append(
            f"{row.condition}: the odds of a death are {ratio(row.odds_ratio)}{ends} times as high where the sister "
            f"died as where it divided, kappa {number(row.kappa)} ({count(row.pairs, 'pair')}{note})."
        )
    if table.loc[table["relation"] == "sisters", "odds_ratio"].notna().any():
        lines.append(
            "These odds ratios pool fields and birth times, so stress that cells of one field and time share may "
            "increase them; the permutation within strata tests whether sisters are more alike than that."
        )
    return lines
