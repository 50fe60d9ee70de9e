"""Whether the genes that predict a function are those that separate clusters."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from cineseq.statistics.permutation import p_value

LEVELS = 10
DRAWS = 9999


def overlap_row(function: str, rows: pd.DataFrame, selected_frequency: float, seed: int) -> dict[str, object]:
    """Test whether the selected genes of a function and the cluster markers share more or fewer genes than by chance.

    Parameters
    ----------
    function
        Its name.
    rows
        Its gene rows with ``is_marker`` and ``mean``; the genes tested in both analyses are the universe.
    selected_frequency
        Frequency from which a gene counts as selected.
    seed
        Seeds the draws of :func:`matched_overlap`.

    Returns
    -------
    dict
        One row of the table ``marker_overlap``. Two nulls: any gene for any other, and any for one that is expressed
        as much, because both analyses find well expressed genes more easily.
    """
    both = rows[rows["is_marker"].notna()]
    if not len(both):
        return {
            "function": function,
            "selected": int((rows["frequency"] >= selected_frequency).sum()),
            "note": "not estimable: no table of cluster markers",
        }
    marker = both["is_marker"].to_numpy(bool)
    chosen = (both["frequency"] >= selected_frequency).to_numpy()
    shared, markers, selected = int((marker & chosen).sum()), int(marker.sum()), int(chosen.sum())
    row = {"function": function, "selected": selected, "markers": markers, "shared": shared}
    if not selected or not markers:
        return row | {
            "note": f"not estimable: {'no gene was selected' if not selected else 'there is no cluster marker'}"
        }
    chance = stats.hypergeom(len(both), markers, selected)
    matched = matched_overlap(both["mean"].to_numpy(float), marker, chosen, np.random.default_rng(seed))
    return row | {
        "jaccard": shared / (markers + selected - shared),
        "expected": chance.mean(),
        "p_value": min(1.0, chance.sf(shared - 1)),
        "p_fewer": min(1.0, chance.cdf(shared)),
        "expected_matched": matched.mean(),
        "p_matched": p_value(shared, matched),
        "p_fewer_matched": p_value(-shared, -matched),
        "note": None,
    }


def matched_overlap(mean: np.ndarray, marker: np.ndarray, chosen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw how many genes are shared when the chosen ones change places with others of like mean expression.

    Parameters
    ----------
    mean
        Mean expression of each gene, shape (genes,); genes of one tenth of its range of ranks are alike.
    marker, chosen
        Whether each gene is in either list, shape (genes,).
    rng
        Draws.

    Returns
    -------
    numpy.ndarray
        Shared genes in each draw, shape (draws,): a sum of hypergeometric draws, one per tenth.
    """
    level = (stats.rankdata(mean, "ordinal") - 1).astype(int) * LEVELS // len(mean)
    genes, markers, taken = (np.bincount(level, weight, LEVELS).astype(int) for weight in (None, marker, chosen))
    return rng.hypergeometric(markers, genes - markers, taken, size=(DRAWS, LEVELS)).sum(axis=1)
