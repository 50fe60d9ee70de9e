"""Values to explain, with missing values: training means and scales, errors of held-out cells, noise ceiling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import sparse

from cineseq.config.expression import Normalisation
from cineseq.expression.normalise import thin
from cineseq.io.counts import log_normalised
from cineseq.prediction.crossval.folds import FoldPlan
from cineseq.prediction.crossval.ridge import Chosen, RidgeFold, predict, predict_best, predict_without
from cineseq.statistics.jackknife import group_sums
from cineseq.statistics.metrics import centred
from cineseq.statistics.position import Place, SpatialNulls, spatial_nulls


@dataclass(frozen=True)
class Targets:
    """Values to explain.

    Attributes
    ----------
    values
        Shape (cells, targets), single precision; NaN where a target was not measured; such a cell is left out for
        that target.
    weigh
        Weights of targets in the total: by their ``variance``, or all ``equal`` (divided by their standard deviation in
        the training cells of each fold).
    centre
        Groups within which the values are centred, shape (cells,); None where they are not.
    components
        Number of principal components that stand for the targets in the total; None: the targets themselves.
    axes
        Principal axes of the training cells of each fold, shape (targets, components) each, see :meth:`with_axes`.
    by_position
        How the targets vary with position, see :meth:`along_position`; None where permuted targets need not.
    """

    values: np.ndarray
    weigh: Literal["variance", "equal"]
    centre: np.ndarray | None = None
    components: int | None = None
    axes: tuple[np.ndarray, ...] | None = None
    by_position: SpatialNulls | None = None

    def along_position(self, place: Place | None) -> Targets:
        """Return targets that vary with position as before when their rows are reordered; unchanged without a place."""
        if place is None:
            return self
        fields = np.unique(place.fields, return_inverse=True)[1]
        # A missing value has the mean of its field; 0 for one that is missing in the whole field.
        known = np.isfinite(self.values)
        sums = group_sums(np.where(known, self.values, 0.0), fields)
        means = sums / np.maximum(group_sums(known.astype(float), fields), 1.0)
        found = spatial_nulls(np.where(known, self.values, means[fields]), place.position, fields)
        return replace(self, by_position=found) if found.share else self

    def rows(self, order: np.ndarray) -> Targets:
        """Return the targets with reordered rows, centred again."""
        values = self.values[order]
        if self.by_position is not None:
            drawn = self.by_position.permuted(order).astype(values.dtype)
            values = np.where(np.isfinite(values), drawn, np.nan).astype(values.dtype)
        return replace(self, values=values if self.centre is None else centred(values, self.centre))

    def within(self, centre: np.ndarray | None) -> Targets:
        """Return the targets centred within groups, unchanged without groups."""
        if centre is None:
            return self
        return replace(self, values=centred(self.values, centre), centre=centre)

    def with_axes(self, plan: FoldPlan) -> Targets:
        """Return the targets with the leading principal axes of the training cells of every fold, if they are wanted.

        Components count by their variance, so columns of noise weigh little. A missing value has the mean.
        """
        if self.components is None:
            return self
        axes = []
        for train, _ in plan.splits():
            own = np.nan_to_num(self.values[train] - np.nanmean(self.values[train], axis=0))
            axes.append(np.linalg.svd(own, full_matrices=False)[2][: self.components].T)
        return replace(self, axes=tuple(axes))


@dataclass(frozen=True)
class Errors:
    """Errors of held-out cells, 0 where a target was not measured.

    Attributes
    ----------
    residual, baseline
        Measured minus predicted, and measured minus the training mean, shape (cells, targets).
    known
        Whether the target was measured, shape (cells, targets).
    weight
        Weights of errors in the total, shape (cells, targets).
    axes
        Principal axes of each fold, see :class:`Targets`.
    """

    residual: np.ndarray
    baseline: np.ndarray
    known: np.ndarray
    weight: np.ndarray
    axes: tuple[np.ndarray, ...] | None = None

    def in_total(self, errors: np.ndarray, plan: FoldPlan) -> np.ndarray:
        """Return errors as they count in the total: weighted, and projected on the principal axes of their fold."""
        if self.axes is None:
            return errors * self.weight
        projected = np.empty_like(errors)
        for (_, test), axes in zip(plan.splits(), self.axes, strict=True):
            projected[test] = errors[test] @ axes @ axes.T
        return projected


def single_precision(values: np.ndarray) -> np.ndarray:
    """Return targets centred and scaled for single precision; folds use their own mean and scale."""
    deviation = np.nanstd(values, axis=0)
    return ((values - np.nanmean(values, axis=0)) / np.where(deviation > 0, deviation, 1)).astype(np.float32)


def errors_of(by_fold: list[RidgeFold], targets: Targets, plan: FoldPlan) -> Errors:
    """Predict targets out of fold; return the errors of the model and of the training mean."""
    values, known = targets.values, np.isfinite(targets.values)
    means = training_means(values, plan)
    predicted = predict(by_fold, values) if targets.axes is None else _by_components(by_fold, targets, means)
    residual, baseline = (np.where(known, values - p, 0).astype(float) for p in (predicted, means))
    weight = np.ones_like(values) if targets.weigh == "variance" else _training_scales(values, plan)
    return Errors(residual, baseline, known, weight, targets.axes)


def residuals_without(
    by_fold: list[RidgeFold], targets: Targets, plan: FoldPlan, blocks: np.ndarray
) -> Iterator[np.ndarray]:
    """Yield the residuals of :func:`errors_of` by models trained without each block, each (cells, targets).

    Parameters
    ----------
    by_fold, targets, plan
        As in :func:`errors_of`.
    blocks
        See :func:`cineseq.prediction.crossval.left_out.training_blocks`.
    """
    values, known = targets.values, np.isfinite(targets.values)
    if targets.axes is None:
        for predicted in predict_without(by_fold, values, blocks):
            yield np.where(known, values - predicted, 0).astype(float)
        return
    means = training_means(values, plan)
    chosen = [Chosen.of((fold,), scores) for fold, _, scores in _component_scores(by_fold, targets, means)]
    for block in range(int(blocks.max()) + 1):
        predicted, cells = means.copy(), np.flatnonzero(blocks == block)
        for fold, own, axes in zip(by_fold, chosen, targets.axes, strict=True):
            predicted[fold.test] += own.without(cells) @ axes.T
        yield np.where(known, values - predicted, 0).astype(float)


def _by_components(by_fold: list[RidgeFold], targets: Targets, means: np.ndarray) -> np.ndarray:
    """Predict the scores on the principal axes of each fold; return the predicted targets."""
    predicted = means.copy()
    for fold, axes, scores in _component_scores(by_fold, targets, means):
        predicted[fold.test] += predict_best((fold,), scores) @ axes.T
    return predicted


def _component_scores(
    by_fold: list[RidgeFold], targets: Targets, means: np.ndarray
) -> Iterator[tuple[RidgeFold, np.ndarray, np.ndarray]]:
    """Yield each fold with its principal axes and the scores of all cells, shape (cells, components)."""
    for fold, axes in zip(by_fold, targets.axes or (), strict=True):
        # Around the mean of the training cells of this fold.
        yield fold, axes, np.nan_to_num(targets.values - means[fold.test[0]]) @ axes.astype(means.dtype)


def training_means(values: np.ndarray, plan: FoldPlan) -> np.ndarray:
    """Return the mean of the measured training cells of the fold of each cell, shape as ``values``."""
    means = np.empty_like(values)
    for train, test in plan.splits():
        means[test] = np.nanmean(values[train], axis=0)
    return means


def _training_scales(values: np.ndarray, plan: FoldPlan) -> np.ndarray:
    """Return 1 / standard deviation of the training cells of the fold of each cell; 0 where they are constant."""
    scales = np.zeros_like(values)
    for train, test in plan.splits():
        deviation = np.nanstd(values[train], axis=0)
        scales[test] = np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    return scales


def noise_ceiling(
    counts: sparse.csr_matrix,
    genes: np.ndarray,
    thinnings: int,
    seed: int,
    normalisation: Normalisation = "median",
    *,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Return the reliability of each gene: correlation between two halves of its counts, corrected to full depth.

    Parameters
    ----------
    counts
        Whole counts, shape (cells, genes).
    genes
        Positions of the genes.
    thinnings
        Number of random halvings to average.
    seed
        Seed of the halvings.
    normalisation
        Normalisation of each half.
    groups
        Groups within which halves are correlated, such as fields, shape (cells,); None: over all cells.

    Returns
    -------
    numpy.ndarray
        2 r / (1 + r), shape (genes,); about 0 or slightly below for pure noise, NaN for a constant half.

    References
    ----------
    Spearman and Brown, Br. J. Psychol. 3 (1910); count thinning: Neufeld et al., Biostatistics 25 (2024) 270.
    """
    rng = np.random.default_rng(seed)
    groups = np.zeros(counts.shape[0], int) if groups is None else groups
    reliability = np.zeros((thinnings, len(genes)))
    for number in range(thinnings):
        # Binomial thinning into two halves, each normalised and centred, shape (cells, genes).
        first, second = (
            log_normalised(half, normalisation)[:, genes].toarray().astype(float) for half in thin(counts, rng)
        )
        first, second = centred(first, groups), centred(second, groups)
        length = np.sqrt(np.square(first).sum(axis=0) * np.square(second).sum(axis=0))
        with np.errstate(invalid="ignore", divide="ignore"):
            r = (first * second).sum(axis=0) / np.where(length > 0, length, np.nan)
        # Spearman-Brown: reliability at full depth from the correlation of halves.
        reliability[number] = 2 * r / (1 + r)
    return reliability.mean(axis=0)
