"""The association of a state with the fate of the sister in each sample, and what one more sample would show."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import norm

from cineseq.config.lineage import Lineage
from cineseq.lineage.sister_test import associate
from cineseq.lineage.state_by_sister import families_with_state, summaries_of, survivors_with
from cineseq.lineage.trees import LineageTrees, strata
from cineseq.statistics import CONFIDENCE
from cineseq.statistics.by_sample import Row, rows_over_samples
from cineseq.tables.contract import empty
from cineseq.tables.lineage import STATE_BY_SAMPLE

FEWEST_FAMILIES = 2
"""Smallest number of informative families of an arm in one sample."""


def state_by_sample(
    families: LineageTrees, status: pd.DataFrame, states: pd.DataFrame, settings: Lineage
) -> pd.DataFrame:
    """Compare each state between survivors of a dead and of a living sister in every sample by itself.

    Parameters
    ----------
    families, status, states, settings
        As :func:`cineseq.lineage.state_by_sister.compare_states`.

    Returns
    -------
    pandas.DataFrame
        As :data:`cineseq.tables.lineage.STATE_BY_SAMPLE`. Odds ratios over samples are means on the log scale.
    """
    measured = states.reindex(families.cells["track_id"]).reset_index(drop=True)
    cells = survivors_with(families, status, "died", ("survived",))
    cells["stratum"] = strata(cells["field"].to_numpy(), cells["birth"].to_numpy(), settings.birth_time_bins)
    cells["sample"] = families.cells.loc[cells.index, "sample"]
    rows: list[Row] = []
    for state in measured.columns:
        own = cells.assign(state=measured.loc[cells.index, state].to_numpy(float)).dropna(subset="state")
        found = [_of_sample(part) | {"part": "sample", "sample": name} for name, part in own.groupby("sample")]
        errors = [_log_error(row) for row in found]
        over = rows_over_samples(found, errors, "odds_ratio", scale=(np.log, np.exp)) if found else []
        rows += [{"state": state} | row for row in (*found, *over)]
    return pd.DataFrame(rows, columns=list(empty(STATE_BY_SAMPLE).columns))


def _of_sample(cells: pd.DataFrame) -> Row:
    found = associate(summaries_of(families_with_state(cells)), FEWEST_FAMILIES)
    row = {"n": len(cells), "groups": found.exposed + found.other, "grouped_by": "family", "note": found.note or None}
    ratio = found.odds_ratio if 0 < found.odds_ratio < np.inf else np.nan
    return row | {"odds_ratio": ratio, "odds_ratio_low": found.low, "odds_ratio_high": found.high}


def _log_error(row: Row) -> float:
    """Return the standard error of a log odds ratio, from its interval; NaN without one."""
    low, high = row["odds_ratio_low"], row["odds_ratio_high"]
    if not (0 < low < high < np.inf):
        return np.nan
    return float(np.log(high / low) / (2 * norm.ppf((1 + CONFIDENCE) / 2)))
