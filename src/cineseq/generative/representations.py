"""Latent variables of a kind of measurement, learned in training cells only."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy import sparse

from cineseq.prediction.crossval.folds import NotEstimableError
from cineseq.prediction.crossval.transform import SMALLEST_DEVIATION, kept_genes

COMPONENTS = 50
MAX_COLUMNS = 2000
MIN_DETECTED = 0.05
Columns: TypeAlias = np.ndarray | sparse.csr_matrix
"""Columns of cells, shape (cells, columns); those of genes may be sparse, and only the kept ones are made dense."""
FEWEST_AXES = 2


@dataclass(frozen=True)
class Representation:
    """Latent variables: principal components of standardised columns, in the scale of the columns.

    Components keep their variances, so that distances between latents are those between standardised columns.

    Attributes
    ----------
    columns
        Positions of the columns of the input that are represented, shape (kept,).
    fill, centre, scale
        What a missing value becomes, and mean and standard deviation in the training cells, shape (kept,) each.
    axes
        Orthonormal axes, shape (kept, latents).
    """

    columns: np.ndarray
    fill: np.ndarray
    centre: np.ndarray
    scale: np.ndarray
    axes: np.ndarray

    @property
    def latents(self) -> int:
        """Number of latent variables."""
        return self.axes.shape[1]

    def standardised(self, values: Columns) -> np.ndarray:
        """Return the kept columns, imputed and scaled, shape (cells, features) to (cells, kept)."""
        kept = _dense(values[:, self.columns])
        return (np.where(np.isfinite(kept), kept, self.fill) - self.centre) / self.scale

    def transform(self, values: Columns) -> np.ndarray:
        """Return the latents of cells, shape (cells, features) to (cells, latents)."""
        return self.standardised(values) @ self.axes

    def inverse(self, latents: np.ndarray) -> np.ndarray:
        """Return the kept columns in the units of the input, shape (cells, latents) to (cells, kept)."""
        return (latents @ self.axes.T) * self.scale + self.centre


def fit(
    values: Columns,
    train: np.ndarray,
    *,
    components: int = COMPONENTS,
    genes: bool = False,
    min_detected: float = MIN_DETECTED,
    max_columns: int | None = MAX_COLUMNS,
) -> Representation:
    """Learn principal components of standardised columns in the training cells.

    Parameters
    ----------
    values
        Shape (cells, features), NaN where missing; only rows of ``train`` are looked at. Genes may be sparse.
    train
        Positions of the training cells, shape (training cells,).
    components
        Number of components; fewer where cells or columns are fewer.
    genes
        Whether columns are genes, which are chosen by detection and variance in the training cells.
    min_detected
        Least fraction of training cells in which a gene is not zero.
    max_columns
        Largest number of genes, the most variable ones; None for no limit.

    Raises
    ------
    NotEstimableError
        When no column varies in the training cells.
    """
    rows = values[train]
    if not genes:
        kept = np.isfinite(_dense(rows)).any(axis=0)
    elif sparse.issparse(rows):
        kept = _kept_sparse(rows, min_detected, max_columns)
    else:
        kept = kept_genes(_dense(rows), min_detected, max_columns)
    columns = np.flatnonzero(kept)
    own = _dense(rows[:, columns])
    known = np.isfinite(own)
    # A missing value becomes the median of the training cells.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        fill = np.nan_to_num(np.nanmedian(np.where(known, own, np.nan), axis=0)) if len(columns) else np.empty(0)
    own = np.where(known, own, fill)
    centre, scale = own.mean(axis=0), own.std(axis=0)
    varies = scale > SMALLEST_DEVIATION * np.maximum(1, np.abs(centre))
    if not varies.any():
        msg = "nothing varies between the training cells"
        raise NotEstimableError(msg)
    columns, fill, centre, scale = columns[varies], fill[varies], centre[varies], scale[varies]
    axes = principal_axes((own[:, varies] - centre) / scale, components, beyond_noise=genes)
    return Representation(columns, fill, centre, scale, axes)


def _dense(values: Columns) -> np.ndarray:
    return np.asarray(values if isinstance(values, np.ndarray) else values.toarray(), dtype=np.float64)


def _kept_sparse(values: sparse.csr_matrix, min_detected: float, max_genes: int | None) -> np.ndarray:
    """Return which genes pass the filters of :func:`kept_genes`, without a dense array, shape (genes,)."""
    values = sparse.csr_matrix(values, dtype=np.float64)
    cells = values.shape[0]
    mean = np.asarray(values.mean(axis=0)).ravel()
    variance = np.asarray(values.multiply(values).mean(axis=0)).ravel() - mean**2
    detected = np.bincount(values.indices[values.data != 0], minlength=values.shape[1]) / cells
    keep = (detected >= min_detected) & (variance > SMALLEST_DEVIATION**2)
    if max_genes is not None and keep.sum() > max_genes:
        spread = np.where(keep, variance, -1.0)
        keep = np.zeros_like(keep)
        keep[np.argsort(-spread, kind="stable")[:max_genes]] = True
    return keep


def principal_axes(standardised: np.ndarray, components: int, *, beyond_noise: bool = False) -> np.ndarray:
    """Return orthonormal axes of largest variance of centred columns, shape (columns, components).

    With ``beyond_noise``, axes end where columns that are independent would have as large ones by chance, but two are
    kept: scores along axes of noise are larger in the cells that the axes were fitted to than in others.

    The smaller of the two products of the columns is decomposed. Each axis points to where its largest entry is
    positive, so that results do not depend on the machine.

    References
    ----------
    Marchenko and Pastur, Mat. Sb. 72 (1967) 507 (largest variance of independent columns).
    """
    wide = standardised.shape[1] > len(standardised)
    values, vectors = np.linalg.eigh(standardised @ standardised.T if wide else standardised.T @ standardised)
    seen = values > values[-1] * 1e-10
    if beyond_noise:
        cells, columns = standardised.shape
        edge = (1 + np.sqrt(columns / cells)) ** 2 * cells * np.square(standardised).mean()
        seen &= (values > edge) | (np.arange(len(values)) >= len(values) - FEWEST_AXES)
    values, vectors = values[seen][::-1][:components], vectors[:, seen][:, ::-1][:, :components]
    axes = (standardised.T @ vectors) / np.sqrt(values) if wide else vectors
    largest = np.abs(axes).argmax(axis=0)
    return axes * np.where(axes[largest, np.arange(axes.shape[1])] < 0, -1.0, 1.0)


def fit_blocks(
    values: Sequence[Columns], train: np.ndarray, *, components: int = COMPONENTS, genes: bool = False
) -> Blocks:
    """Learn the latents of each block apart, as :func:`fit`; blocks count the same, whatever their columns."""
    parts = tuple(fit(block, train, components=components, genes=genes) for block in values)
    total = [float(part.transform(block[train]).var(axis=0).sum()) for part, block in zip(parts, values, strict=True)]
    most = max(total)
    return Blocks(parts, tuple(float(np.sqrt(most / one)) for one in total))


@dataclass(frozen=True)
class Blocks:
    """Representations of several blocks of columns side by side, each of the same total variance.

    Attributes
    ----------
    parts
        One per block.
    weights
        Factor of the latents of each block.
    """

    parts: tuple[Representation, ...]
    weights: tuple[float, ...]

    @property
    def latents(self) -> int:
        """Number of latent variables."""
        return sum(part.latents for part in self.parts)

    def standardised(self, values: Sequence[Columns]) -> np.ndarray:
        """Return the kept columns of all blocks, imputed, scaled and weighted, shape (cells, kept)."""
        parts = zip(self.parts, values, self.weights, strict=True)
        return np.column_stack([w * part.standardised(v) for part, v, w in parts])

    def transform(self, values: Sequence[Columns]) -> np.ndarray:
        """Return the latents of cells, one array (cells, features) per block, shape (cells, latents)."""
        parts = zip(self.parts, values, self.weights, strict=True)
        return np.column_stack([w * part.transform(v) for part, v, w in parts])

    def inverse(self, latents: np.ndarray) -> list[np.ndarray]:
        """Return the kept columns of every block in the units of the input, shape (cells, kept) each."""
        ends = np.cumsum([part.latents for part in self.parts])[:-1]
        parts = zip(self.parts, np.split(latents, ends, axis=1), self.weights, strict=True)
        return [part.inverse(own / w) for part, own, w in parts]
