"""Latent variables of a kind of measurement, learned in training cells only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cineseq.prediction.crossval.transform import SMALLEST_DEVIATION, kept_genes

COMPONENTS = 50
MAX_COLUMNS = 2000
MIN_DETECTED = 0.05


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

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Return the latents of cells, shape (cells, features) to (cells, latents)."""
        kept = np.asarray(values[:, self.columns], dtype=np.float64)
        kept = np.where(np.isfinite(kept), kept, self.fill)
        return ((kept - self.centre) / self.scale) @ self.axes

    def inverse(self, latents: np.ndarray) -> np.ndarray:
        """Return the kept columns in the units of the input, shape (cells, latents) to (cells, kept)."""
        return (latents @ self.axes.T) * self.scale + self.centre


def fit(
    values: np.ndarray,
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
        Shape (cells, features), NaN where missing; only rows of ``train`` are looked at.
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
    raise NotImplementedError


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

    def transform(self, values: Sequence[np.ndarray]) -> np.ndarray:
        """Return the latents of cells, one array (cells, features) per block, shape (cells, latents)."""
        parts = zip(self.parts, values, self.weights, strict=True)
        return np.column_stack([w * part.transform(v) for part, v, w in parts])

    def inverse(self, latents: np.ndarray) -> list[np.ndarray]:
        """Return the kept columns of every block in the units of the input, shape (cells, kept) each."""
        ends = np.cumsum([part.latents for part in self.parts])[:-1]
        parts = zip(self.parts, np.split(latents, ends, axis=1), self.weights, strict=True)
        return [part.inverse(own / w) for part, own, w in parts]
