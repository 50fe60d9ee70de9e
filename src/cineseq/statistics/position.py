"""Null of values that vary smoothly with the position of a cell in its field.

Cells that are close are alike in what varies smoothly, so they cannot be exchanged, and two surfaces of the same field
correlate by chance. The covariance of the values with position is estimated. Values are divided by its square root,
permuted, and multiplied by it again; a surface that all fields share is kept as it is. Where values do not follow the
position, this is the permutation alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cineseq.statistics.metrics import centred

WAVES = 6
"""Number of cosines along each axis, the constant included; the shortest are 1.75 waves across the frame."""
MARGIN = 0.15
"""The basis spans the frame and this fraction of itself on either side, since cosines are flat at their ends."""
LENGTHS = (0.25, 0.5, 1.0)
"""Distances over which surfaces vary that are compared, as fractions of the frame."""
SHARES = np.array([0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95])
"""Shares of a surface in the sum of its own variance and that of the noise that are compared."""
RATIOS = SHARES / (1 - SHARES)
SMALLEST = 1e-9
"""Sums of squares and eigenvalues below this are zero."""
ROUNDING = 1e-6
"""Principal axes whose length is below this fraction of the longest are rounding."""


@dataclass(frozen=True)
class Place:
    """Where cells are.

    Attributes
    ----------
    position
        Row and column in the frame, shape (cells, 2); NaN where unknown.
    fields
        Field of each cell, shape (cells,).
    """

    position: np.ndarray
    fields: np.ndarray

    def rows(self, rows: np.ndarray) -> Place:
        """Return where some of the cells are."""
        return Place(self.position[rows], self.fields[rows])


@dataclass(frozen=True)
class _Surfaces:
    """Smooth functions of the position, and their cross products within each field.

    Attributes
    ----------
    basis
        Cosines of the position, weighted and centred within fields, shape (cells, terms); 0 for unknown positions.
    rows
        Cells of each field.
    axes, spread
        Eigenvectors, shape (fields, terms, terms), and eigenvalues, shape (fields, terms), of the cross products.
    """

    basis: np.ndarray
    rows: list[np.ndarray]
    axes: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, basis: np.ndarray, rows: list[np.ndarray]) -> _Surfaces:
        """Return the surfaces of a basis."""
        cross = np.stack([basis[own].T @ basis[own] for own in rows])
        spread, axes = np.linalg.eigh(cross)
        return cls(basis, rows, axes, np.clip(spread, 0, None))

    def along(self, values: np.ndarray) -> np.ndarray:
        """Return products of the axes with values of shape (cells, columns), shape (fields, terms, columns)."""
        parts = [axes.T @ (self.basis[own].T @ values[own]) for own, axes in zip(self.rows, self.axes, strict=True)]
        return np.stack(parts)


@dataclass(frozen=True)
class SpatialNull:
    """How values vary with position; see :func:`spatial_null`.

    Attributes
    ----------
    own, common
        Variance of surfaces of single fields, and of one that all fields share, relative to that of the noise.
    surface
        The shared surface as fitted, shape (cells, columns).
    surfaces
        Basis of the surfaces; None where no position is known.
    """

    own: float
    common: float
    surface: np.ndarray
    surfaces: _Surfaces | None = None

    @property
    def share(self) -> float:
        """Share of the variance within fields that follows the position."""
        return (self.own + self.common) / (1 + self.own + self.common)

    def whitened(self, values: np.ndarray) -> np.ndarray:
        """Return values of shape (cells, columns) without what their position tells, which may be exchanged."""
        return self._times_power(values - self.surface, -0.5) if self.share else values

    def coloured(self, exchanged: np.ndarray) -> np.ndarray:
        """Return values that vary with position again from exchanged ones, shape (cells, ..., columns)."""
        if not self.share:
            return exchanged
        between = (len(self.surface), *(1,) * (exchanged.ndim - 2), -1)
        flat = self._times_power(exchanged.reshape(len(exchanged), -1), 0.5)
        return flat.reshape(exchanged.shape) + self.surface.reshape(between)

    def uncorrelated(self, columns: np.ndarray) -> np.ndarray:
        """Return columns times the inverse square root of the covariance of all cells, shape (cells, columns).

        Values that are multiplied by it are not correlated any more. A regression of these on columns that are
        multiplied by it, too, is one by generalised least squares, and its tests allow for the position.
        """
        if self.surfaces is None or not self.share:
            return columns
        left, whole = self._times_power(columns, -0.5), self._whole
        if whole is None:
            return left
        axes, size = whole
        return left + axes @ (((1 + size) ** -0.5 - 1)[:, None] * (axes.T @ left))

    @cached_property
    def _whole(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The shared surface after the fields' own are taken out: axes (cells, terms) and their relative variances."""
        if self.surfaces is None or not self.common:
            return None
        axes, singular, _ = np.linalg.svd(self._times_power(self.surfaces.basis, -0.5), full_matrices=False)
        return axes, self.common * singular**2

    def _times_power(self, values: np.ndarray, power: float) -> np.ndarray:
        """Return a power of the covariance of each field times values, shape (cells, columns)."""
        if self.surfaces is None or not self.own:
            return values
        result = values.copy()
        for rows, axes, spread in zip(self.surfaces.rows, self.surfaces.axes, self.surfaces.spread, strict=True):
            # The covariance is 1 + own B B', and B'B has these axes and eigenvalues.
            known = spread > SMALLEST
            factor = ((1 + self.own * spread[known]) ** power - 1) / spread[known]
            turned = self.surfaces.basis[rows] @ axes[:, known]
            result[rows] += (turned * factor) @ (turned.T @ values[rows])
        return result


@dataclass(frozen=True)
class SpatialNulls:
    """Many columns whose principal axes each vary with position in their own way; see :func:`spatial_nulls`.

    Attributes
    ----------
    values
        The columns, shape (cells, columns).
    axes
        Principal axes of the columns within fields that follow the position, shape (columns, axes).
    parts
        Positions of axes that vary with position alike, with how they do.
    share
        Share of the variance within fields of all columns that follows the position.
    """

    values: np.ndarray
    axes: np.ndarray
    parts: tuple[tuple[np.ndarray, SpatialNull], ...]
    share: float

    @cached_property
    def _whitened(self) -> tuple[np.ndarray, np.ndarray]:
        """Scores on the axes without what position tells, (cells, axes), and the rest of the columns."""
        scores = self.values @ self.axes
        white = np.empty_like(scores)
        for own, null in self.parts:
            white[:, own] = null.whitened(scores[:, own])
        return white, self.values - scores @ self.axes.T

    def permuted(self, rows: np.ndarray) -> np.ndarray:
        """Return the columns of permuted cells, which vary with position as before.

        Parameters
        ----------
        rows
            The cell that each cell is exchanged with, shape (cells, ...).

        Returns
        -------
        numpy.ndarray
            Shape (cells, ..., columns).
        """
        if not self.parts:
            return self.values[rows]
        white, rest = self._whitened
        scores = white[rows]
        for own, null in self.parts:
            scores[..., own] = null.coloured(scores[..., own])
        return rest[rows] + scores @ self.axes.T


def spatial_null(values: np.ndarray, position: np.ndarray, fields: np.ndarray) -> SpatialNull:
    """Estimate how values vary with position within fields, by restricted maximum likelihood.

    A value is the sum of the mean of its field, a surface that all fields share, a surface of its field alone, and
    noise. Surfaces are Gaussian processes with a squared exponential covariance, in a basis of cosines. Variances are
    the same for all columns and fields.

    Parameters
    ----------
    values
        Shape (cells, columns).
    position
        Row and column in the frame, shape (cells, 2); NaN where unknown. The frame is taken to span the positions of
        all fields.
    fields
        Field of each cell, shape (cells,).

    References
    ----------
    Solin and Särkkä, Stat. Comput. 30 (2020) 419 (the basis); Wagner and Dray, Methods Ecol. Evol. 6 (2015) 1169
    (spatially restricted null models); Freedman and Lane, J. Bus. Econ. Stat. 1 (1983) 292 (a fit that is kept).
    """
    return _most_likely(values, position, fields, apart=False)[0][1]


def spatial_nulls(values: np.ndarray, position: np.ndarray, fields: np.ndarray) -> SpatialNulls:
    """Estimate how many columns vary with position, each principal axis within fields in its own way.

    Columns that follow one surface together have few axes that do, and these keep it when cells are permuted.
    Parameters and method are those of :func:`spatial_null`.
    """
    values = np.asarray(values, float)
    own = centred(values, fields)
    length, axes = np.linalg.svd(own, full_matrices=False)[1:]
    axes = axes[length > length.max(initial=0.0) * ROUNDING].T
    if not axes.size:
        return SpatialNulls(values, axes, (), 0.0)
    found = [part for part in _most_likely(values @ axes, position, fields, apart=True) if part[1].share]
    kept = np.concatenate([part for part, _ in found]) if found else np.empty(0, dtype=int)
    ends = np.cumsum([len(part) for part, _ in found])
    parts = tuple((np.arange(end - len(part), end), null) for end, (part, null) in zip(ends, found, strict=True))
    squares = np.square(own @ axes).sum(axis=0)
    share = sum(null.share * squares[part].sum() for part, null in found) / squares.sum()
    return SpatialNulls(values, axes[:, kept], parts, float(share))


def _most_likely(
    values: np.ndarray, position: np.ndarray, fields: np.ndarray, *, apart: bool
) -> list[tuple[np.ndarray, SpatialNull]]:
    """Return columns that vary with position alike, with how they do; all columns together unless ``apart``."""
    fields = np.unique(fields, return_inverse=True)[1]
    # Rows of each field, and deviations from the mean of the field, shape (cells, columns).
    rows = np.split(np.argsort(fields, kind="stable"), np.cumsum(np.bincount(fields))[:-1])
    own = centred(values, fields)
    every = np.arange(values.shape[1])
    if not np.square(own).sum() > SMALLEST * np.square(values).sum():
        return [(every, SpatialNull(0.0, 0.0, np.zeros_like(own)))]
    known = np.isfinite(position).all(axis=1).any()
    bases = [basis for length in LENGTHS if known and (basis := _basis(position, fields, length)).any()]
    if not bases:
        return [(every, SpatialNull(0.0, 0.0, np.zeros_like(own)))]
    surfaces = [_Surfaces.of(basis, rows) for basis in bases]
    # Deviance of each length and pair of variances, for each column or all together, (lengths, own, common, columns).
    deviance = np.stack([_deviance(own, each, apart=apart) for each in surfaces])
    best = deviance.reshape(-1, deviance.shape[-1]).argmin(axis=0)
    found = []
    for number in np.unique(best):
        columns = np.flatnonzero(best == number) if apart else every
        length, first, second = np.unravel_index(number, deviance.shape[:-1])
        found.append((columns, _at(own[:, columns], surfaces[length], RATIOS[first], RATIOS[second])))
    return found


def _basis(position: np.ndarray, fields: np.ndarray, length: float) -> np.ndarray:
    """Return cosines of the position, centred within fields, of mean square 1 over cells, shape (cells, terms)."""
    known = np.isfinite(position).all(axis=1)
    low, high = position[known].min(axis=0), position[known].max(axis=0)
    inner = 1 - 2 * MARGIN
    unit = MARGIN + inner * (position - low) / np.where(high > low, high - low, 1.0)
    down, across = (waves[1:] for waves in np.indices((WAVES, WAVES)).reshape(2, -1))
    # Square root of the spectral density of the squared exponential covariance at each wave.
    weight = np.exp(-((down**2 + across**2) * (np.pi * inner * length) ** 2) / 4)
    cosines = weight * np.cos(np.pi * down * unit[:, :1]) * np.cos(np.pi * across * unit[:, 1:])
    within = np.nan_to_num(centred(np.where(known[:, None], cosines, np.nan), fields))
    size = np.square(within).sum() / known.sum()
    return within / np.sqrt(size) if size > SMALLEST else np.zeros_like(within)


def _deviance(own: np.ndarray, surfaces: _Surfaces, *, apart: bool) -> np.ndarray:
    """Return the deviance of all pairs of ``RATIOS``, of each column ``apart`` or of all, (own, common, columns)."""
    columns, free = own.shape[1], len(own) - len(surfaces.rows)
    along = surfaces.along(own)
    total = np.square(own).sum(axis=0)
    found = []
    for ratio in RATIOS:
        # Surfaces of single fields: the inverse of 1 + ratio B B' by Woodbury's identity.
        inflation = 1 + ratio * surfaces.spread
        left = total - (ratio * np.square(along) / inflation[..., None]).sum(axis=(0, 1))
        size, _, turned = _shared(surfaces, along, inflation)
        shared = 1 + RATIOS[:, None] * size
        # What is left of each column, (common, columns), and the logarithm of the determinant, (common,).
        rest = left - (RATIOS[:, None, None] * np.square(turned) / shared[..., None]).sum(axis=1)
        determinant = np.log(inflation).sum() + np.log(shared).sum(axis=1)
        if apart:
            found.append(determinant[:, None] + free * np.log(np.maximum(rest, np.finfo(float).tiny)))
        else:
            found.append(columns * (determinant + free * np.log(rest.sum(axis=1)))[:, None])
    return np.stack(found)


def _shared(surfaces: _Surfaces, along: np.ndarray, inflation: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the cross products of the basis over all fields, given the surfaces of single fields.

    Their eigenvalues (terms,), eigenvectors (terms, terms), and products of these with values, (terms, columns).
    """
    axes = surfaces.axes
    cross = np.einsum("fij,fj,fkj->ik", axes, surfaces.spread / inflation, axes, optimize=True)
    product = np.einsum("fij,fjc->ic", axes, along / inflation[..., None], optimize=True)
    size, turn = np.linalg.eigh(cross)
    return np.clip(size, 0, None), turn, turn.T @ product


def _at(own: np.ndarray, surfaces: _Surfaces, ratio: float, common: float) -> SpatialNull:
    """Return how values vary at given variances, with the shared surface as fitted."""
    size, turn, turned = _shared(surfaces, surfaces.along(own), 1 + ratio * surfaces.spread)
    surface = surfaces.basis @ (turn @ (common * turned / (1 + common * size)[:, None]))
    return SpatialNull(float(ratio), float(common), surface, surfaces)
