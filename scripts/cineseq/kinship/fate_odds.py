"""How many times as high the odds of a death are where the relative died, and the kappa of the pairs."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cineseq.family_results import FATE_ODDS
from cineseq.kinship.correlation import pair_correlation, pair_odds_ratio
from cineseq.kinship.families import Families
from cineseq.kinship.relatives import interval_note
from cineseq.tables import empty


def fate_odds_table(families: Families, relatives: dict[str, np.ndarray]) -> pd.DataFrame:
    """Relate the fates of relatives by odds ratios, condition by condition.

    Parameters
    ----------
    families
        The trees.
    relatives
        Pairs of each relation, as :func:`cineseq.kinship.relatives.relatives_of` returns; those with both fates known
        (division or death) count.

    Returns
    -------
    pandas.DataFrame
        The table :data:`cineseq.family_results.FATE_ODDS`.

    References
    ----------
    Cohen, Educ. Psychol. Meas. 20 (1960) 37 (kappa; for members without an order, expected from their common rate).
    """
    cells = families.cells
    died, condition, founder = (cells[c].to_numpy() for c in ("died", "condition", "founder"))
    rows = []
    for name in sorted(cells["condition"].unique()):
        for relation, everyone in relatives.items():
            pairs = everyone[(condition[everyone] == name).all(axis=1)]
            known = pairs[np.isfinite(died[pairs]).all(axis=1)]
            fates = died[known]
            odds, kappa = (
                f(fates[:, 0], fates[:, 1], founder[known[:, 0]]) for f in (pair_odds_ratio, pair_correlation)
            )
            note = "; ".join(filter(None, (odds.note, interval_note(relation, odds.low))))
            rows.append((name, relation, len(known), odds.value, odds.low, odds.high, kappa.value, note))
    return pd.DataFrame(rows, columns=empty(FATE_ODDS).columns)


def fate_odds_lines(table: pd.DataFrame) -> list[str]:
    """Return one sentence per condition on the odds of a death where the sister died."""
    lines = []
    for row in table[table["relation"] == "sisters"].itertuples():
        if not np.isfinite(row.odds_ratio):
            kappa = f"; kappa {row.kappa:.2f}" if np.isfinite(row.kappa) else ""
            lines.append(f"{row.condition}: the odds ratio of sisters' fates is {row.note}{kappa}.")
            continue
        interval = f" [{row.low:.3g}, {row.high:.3g}]" if np.isfinite(row.low) else ""
        note = f"; {row.note}" if row.note else ""
        lines.append(
            f"{row.condition}: the odds of a death are {row.odds_ratio:.3g}{interval} times as high where the sister "
            f"died as where she divided, kappa {row.kappa:.2f} ({row.pairs:,} pairs{note})."
        )
    if table.loc[table["relation"] == "sisters", "odds_ratio"].notna().any():
        lines.append(
            "These odds ratios pool fields and birth times, whose shared stress may raise them; whether sisters are "
            "alike beyond it is tested by the permutation within strata."
        )
    return lines
