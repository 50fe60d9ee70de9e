"""Null of values that vary smoothly with the position of a cell in its field.

Cells that are close are alike in what varies smoothly, so they cannot be exchanged, and two surfaces of the same field
correlate by chance. The covariance of the values with position is estimated. Values are divided by its square root,
permuted, and multiplied by it again; a surface that all fields share is kept as it is. Where values do not follow the
position, this is the permutation alone.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    fields = np.unique(fields, return_inverse=True)[1]
    # Rows of each field, and deviations from the mean of the field, shape (cells, columns).
    rows = np.split(np.argsort(fields, kind="stable"), np.cumsum(np.bincount(fields))[:-1])
    own = centred(values, fields)
    best, least = SpatialNull(0.0, 0.0, np.zeros_like(own)), np.inf
    if not np.square(own).sum() > SMALLEST * np.square(values).sum():
        return best
    # The length scale of greatest restricted likelihood; without variation or positions, no surface.
    for length in LENGTHS if np.isfinite(position).all(axis=1).any() else ():
        basis = _basis(position, fields, length)
        if basis.any():
            found, deviance = _fitted(own, _Surfaces.of(basis, rows))
            if deviance < least:
                best, least = found, deviance
    return best


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


def _fitted(own: np.ndarray, surfaces: _Surfaces) -> tuple[SpatialNull, float]:
    """Return the variances of least deviance among ``RATIOS``, and that deviance."""
    columns, free = own.shape[1], own.size - len(surfaces.rows) * own.shape[1]
    along, spread, axes = surfaces.along(own), surfaces.spread, surfaces.axes
    total = np.square(own).sum()
    best, least = SpatialNull(0.0, 0.0, np.zeros_like(own)), np.inf
    for ratio in RATIOS:
        # Surfaces of single fields: the inverse of 1 + ratio B B' by Woodbury's identity.
        inflation = 1 + ratio * spread
        left = total - (ratio * np.square(along) / inflation[..., None]).sum()
        # The shared surface: cross products of the basis over all fields, given the surfaces of single fields.
        cross = np.einsum("fij,fj,fkj->ik", axes, spread / inflation, axes, optimize=True)
        product = np.einsum("fij,fjc->ic", axes, along / inflation[..., None], optimize=True)
        size, turn = np.linalg.eigh(cross)
        size, turned = np.clip(size, 0, None), turn.T @ product
        shared = 1 + RATIOS[:, None] * size
        rest = left - (RATIOS[:, None] * np.square(turned).sum(axis=1) / shared).sum(axis=1)
        deviance = columns * (np.log(inflation).sum() + np.log(shared).sum(axis=1)) + free * np.log(rest)
        number = int(deviance.argmin())
        if deviance[number] < least:
            least, common = float(deviance[number]), float(RATIOS[number])
            surface = surfaces.basis @ (turn @ (common * turned / shared[number][:, None]))
            best = SpatialNull(float(ratio), common, surface, surfaces)
    return best, least
