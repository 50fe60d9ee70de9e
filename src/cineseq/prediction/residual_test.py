"""The test of what is added to covariates, on what these leave of the function and of the added columns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cineseq.prediction.crossval.folds import CrossvalCells
from cineseq.prediction.crossval.ridge import RidgeFold, Tuning, predict, ridge_folds
from cineseq.statistics.clustered import orthonormal_basis
from cineseq.statistics.family_variance import family_variance_ratio, without_likeness
from cineseq.statistics.permutation import draw_rows, exchangeable_blocks
from cineseq.statistics.position import SpatialNull

FEWEST_LEFT = 10
"""Degrees of freedom that the covariates must leave for a test."""
ROUNDING = 1e-6
"""A column is determined by the covariates where they leave less than this fraction of its deviation."""


@dataclass(frozen=True)
class ResidualTest:
    """What covariates leave of a function, and how it is permuted.

    Attributes
    ----------
    cells
        Function, folds, strata and families of the cells.
    families
        Number of the family of each cell, from 0, shape (cells,).
    ratio
        Variance of the function between families over that within.
    basis
        Orthonormal basis of covariates and fields after :func:`without_likeness`, shape (cells, rank).
    own
        Residuals of the function, shape (cells, columns).
    """

    cells: CrossvalCells
    families: np.ndarray
    ratio: float
    basis: np.ndarray
    own: np.ndarray

    @classmethod
    def of(cls, cells: CrossvalCells, design: np.ndarray) -> ResidualTest | None:
        """Fit covariates and fields; None where they leave too little.

        Curves of the design are not penalised, and its fit is to all cells, so that nothing of it is left in the
        residuals. The fit takes more of the variance between families than of that within, and permuted residuals are
        fitted once more; so cells of a family are first made uncorrelated.

        Parameters
        ----------
        cells
            Function, folds, strata and families.
        design
            Covariates and indicators of fields, shape (cells, terms).

        References
        ----------
        Freedman and Lane, J. Bus. Econ. Stat. 1 (1983) 292; Winkler et al., NeuroImage 92 (2014) 381.
        """
        families = np.unique(cells.families, return_inverse=True)[1]
        first = orthonormal_basis(design)
        if len(design) - first.shape[1] < FEWEST_LEFT:
            return None
        # Likeness of families in the residuals, and the basis and residuals after it is taken out, (cells, ...).
        ratio = family_variance_ratio(cells.values - first @ (first.T @ cells.values), first, families)
        basis = orthonormal_basis(without_likeness(design, families, ratio))
        own = without_likeness(cells.values, families, ratio)
        return cls(cells, families, ratio, basis, own - basis @ (basis.T @ own))

    @cached_property
    def by_position(self) -> SpatialNull | None:
        """How the residuals vary with position; None where the null does not keep it."""
        return self.cells.null_of(self.own)

    def permuted(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Return residuals of permuted residuals, whole families within strata, shape (cells, count, columns).

        Permuted residuals vary with position as those of the function do, before covariates are fitted to them again.
        """
        exchange = exchangeable_blocks(self.cells.strata, self.cells.families)
        # Orders of the cells, shape (count, cells), and the residuals in these orders.
        rows = np.array([draw_rows(exchange, rng) for _ in range(count)], dtype=int).reshape(count, len(self.own))
        by_position = self.by_position
        if by_position is None:
            drawn = self.own[rows.T]
        else:
            drawn = by_position.coloured(by_position.whitened(self.own)[rows.T])
        flat = drawn.reshape(len(self.own), -1)
        return (flat - self.basis @ (self.basis.T @ flat)).reshape(drawn.shape)

    def second_stage(self, added: np.ndarray, tuning: Tuning) -> list[RidgeFold] | None:
        """Prepare the regression on what the covariates leave of the added columns.

        Parameters
        ----------
        added
            The added columns, shape (cells, columns).
        tuning
            Of the ridge regression.

        Returns
        -------
        list of RidgeFold or None
            None where the covariates determine every added column.
        """
        left = without_likeness(added, self.families, self.ratio)
        left = left - self.basis @ (self.basis.T @ left)
        left = left[:, left.std(axis=0) > ROUNDING * added.std(axis=0)]
        return ridge_folds([left] * self.cells.plan.folds, self.cells.plan, tuning) if left.shape[1] else None

    def explained(self, stages: list[list[RidgeFold]], targets: np.ndarray) -> np.ndarray:
        """Return the fraction of targets that added columns explain in held-out cells, shape (n, stages).

        Parameters
        ----------
        stages
            From :meth:`second_stage`, one per set of added columns.
        targets
            Residuals, shape (cells, n, columns).
        """
        flat = targets.reshape(len(targets), -1)
        missed = [targets - predict(folds, flat).reshape(targets.shape) for folds in stages]
        with np.errstate(invalid="ignore", divide="ignore"):
            total = np.square(targets).sum(axis=(0, 2))
            return np.column_stack([1 - np.square(part).sum(axis=(0, 2)) / total for part in missed])
