"""Squared errors of held-out cells by the other modality, by covariates, and by both, of many targets at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from scipy import sparse

from cineseq.generative.means import Learning, cross_fitted
from cineseq.prediction.beyond_covariates import Added, Adjustment
from cineseq.prediction.crossval.covariates import CovariateModel
from cineseq.prediction.crossval.feature_blocks import Block, joined
from cineseq.prediction.crossval.folds import CrossvalCells, FoldPlan
from cineseq.prediction.crossval.left_out import training_blocks
from cineseq.prediction.crossval.ridge import Chosen, RidgeFold, Tuning, ridge_fold, ridge_folds
from cineseq.prediction.crossval.transform import design
from cineseq.statistics.metrics import GroupedSums

COVARIATES = ("size", "cycle", "technical")
"""Kinds of covariates, each of which is a model of its own."""


@dataclass(frozen=True)
class Covariates:
    """What else is known of the cells.

    Attributes
    ----------
    blocks
        Covariates by their kind, see :data:`COVARIATES`; kinds that were not measured are left out.
    apart
        Covariates that some targets have instead, as pairs of the positions of these targets and the block, by kind:
        a gene must not be explained by a score that it is part of.
    """

    blocks: dict[str, Block] = field(default_factory=dict)
    apart: dict[str, tuple[tuple[np.ndarray, Block], ...]] = field(default_factory=dict)

    def by_targets(self, kinds: Sequence[str], targets: int) -> list[tuple[np.ndarray, Block | None]]:
        """Return sets of targets with the covariates of some kinds that they have, side by side."""
        sets: list[tuple[np.ndarray, dict[str, Block]]] = [(np.arange(targets), self.blocks)]
        for kind in kinds:
            for own, block in self.apart.get(kind, ()):
                sets = [(np.setdiff1d(columns, own), blocks) for columns, blocks in sets]
                sets.append((own, self.blocks | {kind: block}))
        return [(columns, joined(*(blocks.get(kind) for kind in kinds))) for columns, blocks in sets if len(columns)]


@dataclass(frozen=True)
class Fitting:
    """How models are fitted.

    Attributes
    ----------
    inner
        Number of grouped inner folds.
    components, penalties
        Principal components of the predictors, and ridge penalties.
    min_detected, max_genes
        Filter of genes among the predictors.
    learning
        Learners of the best model; None fits linear ones only.
    seed, threads
        Of the best model.
    """

    inner: int
    components: int
    penalties: int
    min_detected: float
    max_genes: int | None
    learning: Learning | None = None
    seed: int = 1
    threads: int = 1

    @property
    def tuning(self) -> Tuning:
        """Settings of the ridge regressions."""
        return Tuning(self.inner, self.components, self.penalties)


@dataclass(frozen=True)
class HeldOut:
    """Sums of squared errors of the same held-out cells, of every target.

    Attributes
    ----------
    total
        Of the mean of the field.
    models
        By model: ``linear`` and ``best`` (the other modality), the kinds of covariates, ``covariates`` (all of them)
        and ``joint`` (all of them and the other modality, linear); those that were not fitted are left out.
    folds
        The regressions of ``linear``.
    best
        Predictions of ``best``, shape (cells, targets); None where it was not fitted.
    """

    total: GroupedSums
    models: dict[str, GroupedSums]
    folds: list[RidgeFold]
    best: np.ndarray | None

    def parts(self) -> dict[str, GroupedSums]:
        """Return the numerators of all shares of variance.

        These are the models, ``nonlinear`` (best minus linear), and of linear models and covariates together the parts
        ``unique`` to the other modality, ``unique_covariates``, and ``common`` to both: ``linear`` is ``unique`` plus
        ``common``.
        """
        errors = self.models
        found = {name: self.total - own for name, own in errors.items()}
        if "best" in errors:
            found["nonlinear"] = errors["linear"] - errors["best"]
        if "joint" in errors:
            found["unique"] = errors["covariates"] - errors["joint"]
            found["unique_covariates"] = errors["linear"] - errors["joint"]
            found["common"] = found["linear"] - found["unique"]
        return found


class Fit(Protocol):
    """A model of one outer fold."""

    def predict(self) -> np.ndarray:
        """Predict the test cells, shape (test cells, targets)."""

    def without(self, cells: np.ndarray) -> np.ndarray:
        """Predict them by the model that was trained without some cells."""


@dataclass(frozen=True)
class _FieldMean:
    """What is predicted without a predictor: the mean of the field, which is 0."""

    shape: tuple[int, int]

    def predict(self) -> np.ndarray:
        return np.zeros(self.shape)

    def without(self, cells: np.ndarray) -> np.ndarray:
        del cells
        return np.zeros(self.shape)


@dataclass(frozen=True)
class _Sum:
    """Covariates, and the other modality on what they leave."""

    first: Fit
    second: Fit

    def predict(self) -> np.ndarray:
        return self.first.predict() + self.second.predict()

    def without(self, cells: np.ndarray) -> np.ndarray:
        return self.first.without(cells) + self.second.without(cells)


def held_out(
    predictors: Sequence[Block], values: np.ndarray, cells: CrossvalCells, covariates: Covariates, fitting: Fitting
) -> HeldOut:
    """Predict targets of held-out groups within fields by the other modality, by covariates, and by both.

    Covariates are fitted by penalised splines. Of both, the second stage is a ridge regression of what the covariates
    leave of the targets on what they leave of the other modality, see
    :func:`cineseq.prediction.beyond_covariates.increments`.

    Parameters
    ----------
    predictors
        Blocks of the other modality, centred within the same fields as the values.
    values
        Targets centred within fields, shape (cells, targets); NaN where not measured.
    cells
        The cells with their ``centre``, see :meth:`CrossvalCells.within_fields`.
    covariates
        What else is known of the cells.
    fitting
        How models are fitted.
    """
    plan, tuning = cells.plan, fitting.tuning
    designs = [design(predictors, train, fitting.min_detected, fitting.max_genes) for train, _ in plan.splits()]
    folds = ridge_folds(designs, plan, tuning)
    models = {"linear": error_sums([Chosen.of((fold,), values) for fold in folds], values, plan)}
    best = None
    if fitting.learning is not None:
        best = cross_fitted(predictors, values, plan, fitting.seed, fitting.learning, threads=fitting.threads).mean
        models["best"] = GroupedSums(_grouped(_squares(values, best), plan.units, plan.groups))
    # Covariates of each kind, all of them, and these with the other modality.
    own = replace(cells, fields=cells.centre)
    present = [kind for kind in COVARIATES if kind in covariates.blocks]
    for kind in present:
        models[kind] = _over_targets(covariates, [kind], values, plan, _alone(own, fitting))
    if present:
        added = Added(tuple(predictors), fitting.min_detected, fitting.max_genes)
        models["covariates"] = _over_targets(covariates, present, values, plan, _alone(own, fitting))
        models["joint"] = _over_targets(covariates, present, values, plan, _jointly(own, fitting, added))
    return HeldOut(summed_squares(values, plan), models, folds, best)


Fits = Callable[[Block, np.ndarray], list[Fit]]


def _alone(cells: CrossvalCells, fitting: Fitting) -> Fits:
    """Return what fits covariates alone, one model per outer fold."""

    def fits(block: Block, values: np.ndarray) -> list[Fit]:
        adjustment = Adjustment(block, cells, fitting.inner)
        found: list[Fit] = []
        for train, test in cells.plan.splits():
            found.append(_of_covariates(adjustment.model(train), test, values))
        return found

    return fits


def _jointly(cells: CrossvalCells, fitting: Fitting, added: Added) -> Fits:
    """Return what fits covariates, and the other modality to what they leave, one model per outer fold."""

    def fits(block: Block, values: np.ndarray) -> list[Fit]:
        adjustment = Adjustment(block, cells, fitting.inner)
        found: list[Fit] = []
        for train, test in cells.plan.splits():
            model = adjustment.model(train)
            first = _of_covariates(model, test, values)
            columns = added.residuals(adjustment, model)
            if not columns.shape[1]:
                found.append(first)
                continue
            second = ridge_fold(columns, (train, test), cells.plan.units, fitting.tuning)
            found.append(_Sum(first, Chosen.of((second,), values - model.predict(values))))
        return found

    return fits


def _of_covariates(model: CovariateModel, test: np.ndarray, values: np.ndarray) -> Fit:
    """Return the fit of covariates to the test cells of its fold."""
    if not model.alternatives:
        return _FieldMean((len(test), values.shape[1]))
    return Chosen.of(tuple(fold.at(test) for fold in model.alternatives), values)


def _over_targets(
    covariates: Covariates, kinds: Sequence[str], values: np.ndarray, plan: FoldPlan, fits: Fits
) -> GroupedSums:
    """Return the sums of all targets, of which some have covariates of their own."""
    parts = [
        (columns, error_sums(fits(block, values[:, columns]), values[:, columns], plan))
        for columns, block in covariates.by_targets(kinds, values.shape[1])
        if block is not None
    ]
    order = np.argsort(np.concatenate([columns for columns, _ in parts]))
    shares = zip(*((own.groups, own.blocks, own.others) for _, own in parts), strict=True)
    return GroupedSums(*(np.concatenate(share, axis=1)[:, order] for share in shares))


def error_sums(fits: Sequence[Fit], values: np.ndarray, plan: FoldPlan) -> GroupedSums:
    """Return the squared errors of held-out cells, and of models that were trained without each block of cells.

    Parameters
    ----------
    fits
        One per outer fold.
    values
        Shape (cells, targets); a cell whose value is missing has no error.
    plan
        Outer folds and groups.
    """
    blocks = training_blocks(plan)
    count = int(blocks.max()) + 1
    groups = np.zeros((plan.groups, values.shape[1]))
    own, others = np.zeros((2, count, values.shape[1]))
    for (train, test), fit in zip(plan.splits(), fits, strict=True):
        squares = _squares(values[test], fit.predict())
        groups += _grouped(squares, plan.units[test], plan.groups)
        of_blocks = _grouped(squares, blocks[test], count)
        own += of_blocks
        # Models of this fold were trained without its own cells; those of other folds, again without each block.
        inside = np.unique(blocks[test])
        others[inside] += squares.sum(axis=0) - of_blocks[inside]
        for block in np.unique(blocks[train]):
            others[block] += _squares(values[test], fit.without(np.flatnonzero(blocks == block))).sum(axis=0)
    return GroupedSums(groups, own, others)


def summed_squares(values: np.ndarray, plan: FoldPlan) -> GroupedSums:
    """Return the squares of values centred within fields: the errors of the mean of the field."""
    squares, blocks = _squares(values, np.zeros_like(values)), training_blocks(plan)
    own = _grouped(squares, blocks, int(blocks.max()) + 1)
    return GroupedSums(_grouped(squares, plan.units, plan.groups), own, own.sum(axis=0) - own)


def _squares(values: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    return np.square(np.where(np.isfinite(values), values - predicted, 0.0), dtype=np.float64)


def _grouped(squares: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Return sums within groups, shape (groups, targets)."""
    member = sparse.csr_matrix((np.ones(len(labels)), (labels, np.arange(len(labels)))), shape=(count, len(labels)))
    return member @ squares
