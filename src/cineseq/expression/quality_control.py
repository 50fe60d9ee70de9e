"""Quality control of sequenced cells, with the reason for each cell that fails."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
from scipy import sparse

from cineseq.config.expression import Clusters
from cineseq.expression.normalise import CountKind
from cineseq.io.paired import PairedData
from cineseq.text import number, percent

logger = logging.getLogger(__name__)

PANEL_FRACTION = 0.1
"""In a small gene panel, at most this fraction of the genes must be detected."""

MITOCHONDRIAL = r"(?i)(?:[a-z0-9.]+_+)?mt[-:].+"
"""Symbols of mitochondrial genes, also after the name of a genome, such as ``GRCh38_MT-ND1`` or ``mm10___mt-Nd1``."""
HUMAN = "198888 198763 198804 198712 228253 198899 198938 198840 212907 198886 198786 198695 198727 211459 210082"
MOUSE = "64341 64345 64351 64354 64356 64357 64358 64360 65947 64363 64367 64368 64370 64337 64339"
MITOCHONDRIAL_IDS = frozenset(
    [f"ENSG{int(n):011d}" for n in HUMAN.split()] + [f"ENSMUSG{int(n):011d}" for n in MOUSE.split()]
)
"""Ensembl identifiers of the 13 proteins and 2 ribosomal RNAs of the mitochondrial genomes of human and mouse."""
MULTIPLET = "more than one cell or barcode in its compartment"
MANY = ("multi_cell", "multi_barcode")


def multiplets(obs: pd.DataFrame) -> pd.arrays.BooleanArray:
    """Return which cells are multiplets by their pairing, missing where unknown; nullable, shape (cells,).

    Parameters
    ----------
    obs
        Annotation of the cells. Its columns ``status``, ``occupancy`` (cells in the compartment) and ``barcodes``
        are used where present. A cell is a multiplet if its compartment has several cells or barcodes, or by its
        status; it is not if its compartment has one cell, or by the status ``singlet``. The number of
        cells does not follow from a single barcode.
    """
    cells = pd.Series(pd.NA, obs.index, dtype="Float64")
    occupancy, barcodes = (
        pd.to_numeric(obs[name], errors="coerce").astype("Float64") if name in obs else cells
        for name in ("occupancy", "barcodes")
    )
    status = obs["status"].astype("string") if "status" in obs else pd.Series(pd.NA, obs.index, dtype="string")
    many, one = ((occupancy > 1), (barcodes > 1), status.isin(MANY)), ((occupancy == 1), status == "singlet")
    is_many, is_one = (
        np.any([flag.fillna(value=False).to_numpy(bool) for flag in flags], axis=0) for flags in (many, one)
    )
    return pd.arrays.BooleanArray(is_many, ~(is_many | is_one))


def quality_of_cells(
    counts: sparse.csr_matrix,
    genes: pd.Index,
    kind: CountKind,
    settings: Clusters,
    multiplet: pd.arrays.BooleanArray | None = None,
) -> pd.DataFrame:
    """Compute quality metrics of each cell and whether it passes.

    Parameters
    ----------
    counts
        Counts before normalisation, shape (cells, genes).
    genes
        Gene names; see :func:`mitochondrial_genes`.
    kind
        Kind of the values; the threshold on totals applies to counts only.
    settings
        The thresholds.
    multiplet
        As returned by :func:`multiplets`; multiplets fail. None if unknown.

    Returns
    -------
    pandas.DataFrame
        ``total_counts``, ``genes_detected``, ``mitochondrial_fraction`` (NaN where no such gene was measured),
        ``multiplet``, ``passes_qc`` and ``qc_reason`` (missing if it passes; several reasons are joined by ``; ``).
    """
    countable = kind in {"counts", "fractional"}
    # Counts, detected genes and mitochondrial fraction of each cell, shape (cells,).
    totals = np.asarray(counts.sum(axis=1)).ravel()
    detected = counts.getnnz(axis=1) if not counts.nnz else np.diff(counts.indptr)
    mitochondrial = mitochondrial_genes(genes)
    fraction = np.full(len(totals), np.nan)
    if countable and mitochondrial.any():
        of_them = np.asarray(counts[:, mitochondrial].sum(axis=1)).ravel()
        np.divide(of_them, totals, out=fraction, where=totals > 0)
    # Cells that each criterion fails, and the reasons of each cell.
    enough_genes = min(settings.min_genes, PANEL_FRACTION * len(genes))
    few_counts = totals < settings.min_counts if countable else totals == np.inf
    reasons = {
        f"fewer than {number(settings.min_counts, 0)} counts": few_counts,
        f"fewer than {number(enough_genes, 0)} genes": detected < enough_genes,
        f"more than {percent(settings.max_mitochondrial, 0)} mitochondrial": fraction > settings.max_mitochondrial,
    }
    multiplet = unknown_multiplets(len(totals)) if multiplet is None else multiplet
    reasons[MULTIPLET] = multiplet.fillna(value=False).to_numpy(bool)
    reason = _joined(reasons, len(totals))
    return pd.DataFrame(
        {
            "total_counts": totals.clip(min=0),
            "genes_detected": detected.astype(np.int64),
            "mitochondrial_fraction": fraction,
            "multiplet": multiplet,
            "passes_qc": reason == "",
            "qc_reason": pd.Series(reason, dtype="string").where(reason != "", pd.NA),
        }
    )


def mitochondrial_genes(genes: pd.Index) -> np.ndarray:
    """Return which genes are mitochondrial, shape (genes,): by symbol, after a genome or not, or identifier."""
    names = pd.Series(genes.astype(str))
    without_version = names.str.replace(r"\.\d+$", "", regex=True).str.replace(
        r"^[A-Za-z0-9]+_+(?=ENS)", "", regex=True
    )
    return (names.str.fullmatch(MITOCHONDRIAL) | without_version.isin(MITOCHONDRIAL_IDS)).to_numpy(bool)


def unknown_multiplets(cells: int) -> pd.arrays.BooleanArray:
    """Return an all-missing array for cells of which it is unknown whether they are multiplets."""
    return pd.array([pd.NA] * cells, dtype="boolean")


def no_counts(cells: int) -> pd.DataFrame:
    """Return the quality table of cells without counts, none of which passes."""
    return pd.DataFrame(
        {
            "total_counts": np.zeros(cells),
            "genes_detected": np.zeros(cells, dtype=np.int64),
            "mitochondrial_fraction": np.full(cells, np.nan),
            "multiplet": unknown_multiplets(cells),
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


def usable_cells(data: PairedData, clusters: pd.DataFrame | None) -> PairedData:
    """Return the cells that passed quality control; all cells if there was none."""
    if clusters is None:
        return data
    passes = clusters["passes_qc"].reindex(data.obs.index).fillna(value=False).to_numpy(bool)
    logger.info("Kept %d of %d paired cells that passed quality control.", passes.sum(), len(passes))
    return data.subset(passes)
