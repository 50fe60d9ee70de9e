"""Selection, imputation and scaling of features, always fitted to the training cells of a fold only."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Literal

import numpy as np

from cineseq.prediction.crossval.feature_blocks import Block
from cineseq.statistics.metrics import centred

SMALLEST_DEVIATION = 1e-8
Weighing = Literal["columns", "blocks"]


def kept_genes(values: np.ndarray, min_detected: float, max_genes: int | None) -> np.ndarray:
    """Return which genes pass the filters in the training cells, as a boolean array of shape (genes,).

    Parameters
    ----------
    values
        Log-normalised expression of the training cells, shape (cells, genes).
    min_detected
        Least fraction of cells in which a gene is not zero.
    max_genes
        Largest number of genes, the most variable ones; None for no limit.
    """
    keep = (values != 0).mean(axis=0) >= min_detected
    keep &= values.std(axis=0) > SMALLEST_DEVIATION
    if max_genes is not None and keep.sum() > max_genes:
        spread = np.where(keep, values.var(axis=0), -1.0)
        keep = np.zeros_like(keep)
        keep[np.argsort(-spread, kind="stable")[:max_genes]] = True
    return keep


def standardised(block: Block, train: np.ndarray, min_detected: float, max_genes: int | None) -> Block:
    """Select, impute and scale the columns of a block, all fitted to its training cells.

    Missing values are replaced by the median of the training cells. Columns are centred within ``block.centre``, if it
    is given, and scaled to mean 0 and standard deviation 1 in the training cells; columns that are constant there are
    dropped.

    Returns
    -------
    Block
        All cells, training and test, with the remaining columns.
    """
    values, names = block.values, np.array(block.names, dtype=object)
    # Columns kept, shape (cells, columns); then missing values become the median of the training cells.
    if block.kind == "genes":
        keep = kept_genes(values[train], min_detected, max_genes)
        values, names = values[:, keep], names[keep]
    if np.isnan(values).any():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            median = np.nan_to_num(np.nanmedian(values[train], axis=0))
        values = np.where(np.isnan(values), median, values)
    # Centre within groups, then scale by the training cells; columns that are constant there go.
    size = np.abs(values[train].mean(axis=0))
    if block.centre is not None:
        values = centred(values, block.centre)
    mean, deviation = values[train].mean(axis=0), values[train].std(axis=0)
    varies = deviation > SMALLEST_DEVIATION * np.maximum(1, size)
    return Block((values[:, varies] - mean[varies]) / deviation[varies], tuple(names[varies]), block.kind)


def design(
    blocks: Sequence[Block],
    train: np.ndarray,
    min_detected: float,
    max_genes: int | None,
    weighing: Weighing = "columns",
) -> np.ndarray:
    """Standardise blocks and concatenate their columns, shape (cells, columns).

    With ``weighing`` of ``blocks``, columns are scaled so that all blocks have the same total variance, regardless of
    their number of columns.
    """
    parts = [standardised(b, train, min_detected, max_genes).values for b in blocks]
    if weighing == "blocks":
        widest = max(part.shape[1] for part in parts)
        parts = [part * np.sqrt(widest / max(1, part.shape[1])) for part in parts]
    return np.column_stack(parts)
