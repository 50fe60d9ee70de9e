"""Expression for the explorer: the genes that differ most between cells, in 8 bits each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

LEVELS = 255
TARGET = 10_000.0
"""Counts to which cells are scaled when the counts have no median, because every cell is empty."""


@dataclass(frozen=True)
class QuantisedGenes:
    """Expression as whole numbers.

    Attributes
    ----------
    names
        Genes, in alphabetical order.
    highest
        Shape (genes,): log1p of normalised counts that the level 255 stands for.
    levels
        Shape (genes, cells), uint8: expression as a share of ``highest``.
    total
        Genes that were measured.
    """

    names: list[str]
    highest: np.ndarray
    levels: np.ndarray
    total: int


def quantise(counts: sparse.csr_matrix, genes: pd.Index, most: int) -> QuantisedGenes:
    """Normalise counts to the median total, take log1p, and keep the genes with the highest variance.

    Parameters
    ----------
    counts
        Shape (cells, genes).
    genes
        Names of the genes.
    most
        Largest number of genes.
    """
    totals = np.asarray(counts.sum(axis=1), float).ravel()
    median = np.median(totals[totals > 0]) if (totals > 0).any() else TARGET
    scale = np.divide(median, totals, out=np.zeros_like(totals), where=totals > 0)
    logged = (sparse.diags(scale) @ counts).tocsc().astype(np.float32).log1p()
    mean = np.asarray(logged.mean(axis=0)).ravel()
    variance = np.asarray(logged.multiply(logged).mean(axis=0)).ravel() - mean**2
    kept = np.argsort(-variance, kind="stable")[:most]
    kept = kept[np.argsort(genes.to_numpy(str)[kept], kind="stable")]
    shown = logged[:, kept]
    highest = shown.max(axis=0).toarray().ravel() if shown.shape[0] else np.zeros(len(kept))
    step = np.divide(LEVELS, highest, out=np.zeros(len(kept)), where=highest > 0)
    levels = np.rint((shown @ sparse.diags(step)).toarray().T).astype(np.uint8)
    return QuantisedGenes([str(genes[i]) for i in kept], highest.astype(float), levels, len(genes))
