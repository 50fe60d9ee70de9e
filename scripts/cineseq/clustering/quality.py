"""Quality control of sequenced cells, with the reason for each cell that fails."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse

from cineseq.clustering.counts import CountKind
from cineseq.config.clustering import Clusters

PANEL_FRACTION = 0.1
"""Of a small panel of genes, no more than this fraction need be detected."""


def quality_of_cells(counts: sparse.csr_matrix, genes: pd.Index, kind: CountKind, settings: Clusters) -> pd.DataFrame:
    """Measure the quality of each cell and say which pass.

    Parameters
    ----------
    counts
        As given, shape (cells, genes).
    genes
        Gene names; mitochondrial ones start with ``MT-`` (any case).
    kind
        Totals are only judged where the values are counts.
    settings
        The thresholds.

    Returns
    -------
    pandas.DataFrame
        ``total_counts``, ``genes_detected``, ``mitochondrial_fraction`` (NaN where no such gene was measured),
        ``passes_qc`` and ``qc_reason`` (missing where it passes; several reasons are joined by ``; ``).
    """
    countable = kind in {"counts", "fractional"}
    totals = np.asarray(counts.sum(axis=1)).ravel()
    detected = counts.getnnz(axis=1) if not counts.nnz else np.diff(counts.indptr)
    mitochondrial = np.asarray(genes.str.upper().str.startswith("MT-"), dtype=bool)
    fraction = np.full(len(totals), np.nan)
    if countable and mitochondrial.any():
        of_them = np.asarray(counts[:, mitochondrial].sum(axis=1)).ravel()
        np.divide(of_them, totals, out=fraction, where=totals > 0)
    enough_genes = min(settings.min_genes, PANEL_FRACTION * len(genes))
    reasons = {
        f"fewer than {settings.min_counts} counts": totals < settings.min_counts if countable else totals == np.inf,
        f"fewer than {enough_genes:.0f} genes": detected < enough_genes,
        f"more than {settings.max_mitochondrial:.0%} mitochondrial": fraction > settings.max_mitochondrial,
    }
    reason = _joined(reasons, len(totals))
    return pd.DataFrame(
        {
            "total_counts": totals.clip(min=0),
            "genes_detected": detected.astype(np.int64),
            "mitochondrial_fraction": fraction,
            "passes_qc": reason == "",
            "qc_reason": pd.Series(reason, dtype="string").where(reason != "", pd.NA),
        }
    )


def no_counts(cells: int) -> pd.DataFrame:
    """Return the quality of cells without any counts: none passes."""
    return pd.DataFrame(
        {
            "total_counts": np.zeros(cells),
            "genes_detected": np.zeros(cells, dtype=np.int64),
            "mitochondrial_fraction": np.full(cells, np.nan),
            "passes_qc": np.zeros(cells, dtype=bool),
            "qc_reason": pd.array(["no counts"] * cells, dtype="string"),
        }
    )


def _joined(reasons: dict[str, np.ndarray], cells: int) -> np.ndarray:
    joined = np.full(cells, "", dtype=object)
    for text, fails in reasons.items():
        separator = np.where(fails & (joined != ""), "; ", "")
        joined = joined + separator + np.where(fails, text, "")
    return joined
