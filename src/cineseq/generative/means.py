"""Conditional means of one modality given the other, by learners that inner grouped folds choose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import joblib
import numpy as np
import pandas as pd

from cineseq.generative.learners import KernelMean, LinearMean, kernel_ridge, partial_least_squares, ridge
from cineseq.generative.network import NetworkMean, network
from cineseq.generative.representations import principal_axes
from cineseq.prediction.crossval.feature_blocks import Block
from cineseq.prediction.crossval.folds import FoldPlan, inner_splits
from cineseq.prediction.crossval.out_of_fold import workers
from cineseq.prediction.crossval.transform import design
from cineseq.statistics.metrics import r2
from cineseq.statistics.streams import child_seed, stream

LEARNERS = ("ridge", "pls", "kernel_ridge", "network")
"""Learners, the simplest first; the first of two that are equally good is chosen."""
AVERAGE = "average"
"""Mean of kernel ridge and network, which is compared where both are."""
MEAN = "mean"
"""What is chosen where no learner is better than the mean of the training cells."""
MOST_INPUTS = 100
"""With more predictors than this, learners other than ridge see their principal components."""
COMPONENTS = 50


@dataclass(frozen=True)
class Learning:
    """How conditional means are learned.

    Attributes
    ----------
    learners
        Which of :data:`LEARNERS` are compared.
    inner
        Number of grouped inner folds, which choose penalties and learners.
    min_detected, max_genes
        Filters of genes among the predictors, fitted to the training cells of each fold.
    """

    learners: tuple[str, ...] = LEARNERS
    inner: int = 3
    min_detected: float = 0.05
    max_genes: int | None = 2000


LEARNING = Learning()


@dataclass(frozen=True)
class MeanModel:
    """Conditional mean that was learned in some training cells.

    Attributes
    ----------
    centre, scale
        Mean of the predictors, shape (predictors,), and their root mean variance, by which all are divided.
    axes
        Principal axes of the predictors, shape (predictors, components); without columns where all are used.
    models
        Learners that were fitted, by name; ``ridge`` to all predictors, others to the components.
    baseline
        Mean of the training cells, shape (targets,).
    learner
        Name of the learner chosen for each target, shape (targets,); ``mean`` where none is better than the mean.
    held_out
        Predictions of the training cells by the chosen learners of the inner folds, shape (training cells, targets).
    inner_r2
        R² of each learner in the inner folds, by its name, shape (targets,) each.
    """

    centre: np.ndarray
    scale: float
    axes: np.ndarray
    models: dict[str, LinearMean | KernelMean | NetworkMean]
    baseline: np.ndarray
    learner: np.ndarray
    held_out: np.ndarray
    inner_r2: dict[str, np.ndarray]

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return the conditional mean of cells, shape (cells, predictors) to (cells, targets)."""
        return self.choose(self.by_learner(x), len(x))

    def choose(self, by_learner: dict[str, np.ndarray], cells: int) -> np.ndarray:
        """Return the values of the chosen learner of each target, from those of every learner."""
        return _chosen(by_learner, self.learner, np.tile(self.baseline, (cells, 1)))

    def by_learner(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Return the conditional mean of cells by every learner, shape (cells, targets) each."""
        scaled = (x - self.centre) / self.scale
        few = scaled @ self.axes if self.axes.shape[1] else scaled
        found = {name: model.predict(scaled if name == "ridge" else few) for name, model in self.models.items()}
        return _with_average(found)


def fit_mean(x: np.ndarray, y: np.ndarray, units: np.ndarray, seed: int, learning: Learning = LEARNING) -> MeanModel:
    """Learn the conditional mean in training cells; learners and penalties are chosen by inner grouped folds.

    Parameters
    ----------
    x, y
        Predictors and targets of the training cells, shapes (cells, predictors) and (cells, targets), without missing
        values. Their scales count: the columns of larger variance weigh more in distances between cells, and in the
        training of a network.
    units
        Group of each cell, shape (cells,).
    seed
        Seed of initial weights, batches and landmarks.
    learning
        Learners and inner folds.
    """
    # Predictors on one common scale; components of many.
    centre = x.mean(axis=0)
    scale = float(np.sqrt(x.var(axis=0).mean())) or 1.0
    scaled = (x - centre) / scale
    axes = principal_axes(scaled, COMPONENTS) if x.shape[1] > MOST_INPUTS else np.empty((x.shape[1], 0))
    few = scaled @ axes if axes.shape[1] else scaled
    # Every learner, with its predictions of the cells that inner folds hold out.
    inner = inner_splits(units, learning.inner)
    models: dict[str, LinearMean | KernelMean | NetworkMean] = {}
    held_out: dict[str, np.ndarray] = {}
    for name in (known for known in LEARNERS if known in learning.learners):
        if name == "network":
            models[name], held_out[name] = network(few, y, inner, child_seed(seed, "network"))
            continue
        if name == "ridge":
            tuned = ridge(scaled, y, inner)
        elif name == "pls":
            tuned = partial_least_squares(few, y, inner)
        else:
            tuned = kernel_ridge(few, y, inner, stream(seed, "landmarks"))
        models[name], held_out[name] = tuned.model, tuned.held_out
    held_out = _with_average(held_out)
    # The learner of least inner error of each target.
    means = np.empty_like(y)
    for own, held in inner:
        means[held] = y[own].mean(axis=0)
    scores = {name: np.asarray(r2(y - guess, y - means)) for name, guess in held_out.items()}
    learner = chosen_learners(scores)
    return MeanModel(
        centre, scale, axes, models, y.mean(axis=0), learner, _chosen(held_out, learner, means.copy()), scores
    )


def chosen_learners(scores: dict[str, np.ndarray]) -> np.ndarray:
    """Return the name of the learner of highest R² of each target; ``mean`` where none is above 0."""
    names, found = np.array([MEAN, *scores], dtype=object), [np.nan_to_num(v, nan=-1.0) for v in scores.values()]
    return names[np.vstack([np.zeros_like(found[0]), *found]).argmax(axis=0)]


@dataclass(frozen=True)
class CrossFitted:
    """Conditional means of held-out cells.

    Attributes
    ----------
    mean
        Prediction of each cell by models of the other outer folds, each target by its chosen learner, shape (cells,
        targets).
    baseline
        Mean of the training cells of each cell's fold, shape (cells, targets).
    by_learner
        Predictions of held-out cells by each learner alone, shape (cells, targets) each.
    learner
        Names of the learners that were chosen, shape (folds, targets).
    choices
        One row per fold and learner: ``fold``, ``learner``, ``targets`` for which it was chosen, mean ``inner_r2``.
    """

    mean: np.ndarray
    baseline: np.ndarray
    by_learner: dict[str, np.ndarray]
    learner: np.ndarray
    choices: pd.DataFrame


def cross_fitted(
    x: np.ndarray | Sequence[Block],
    y: np.ndarray,
    folds: FoldPlan,
    seed: int,
    learning: Learning = LEARNING,
    *,
    threads: int = 1,
) -> CrossFitted:
    """Predict targets of held-out groups, with everything learned in the other groups.

    Parameters
    ----------
    x
        Predictors: an array of shape (cells, predictors), or blocks, which are selected, imputed and scaled in the
        training cells of each fold.
    y
        Targets, shape (cells, targets); a missing value of a training cell is replaced by the mean.
    folds
        Outer folds and groups.
    seed
        Seed of initial weights, batches and landmarks.
    learning
        Learners and inner folds.
    threads
        Number of worker processes; the result does not depend on it.
    """
    splits = folds.splits()
    calls = [
        joblib.delayed(_fold)(x, y, folds, number=k, seed=child_seed(seed, str(k)), learning=learning)
        for k in range(len(splits))
    ]
    done = list(workers(threads)(calls))
    # Put the parts of the folds together.
    baseline, mean = (np.empty(y.shape) for _ in range(2))
    by_learner = {name: np.empty(y.shape) for name in done[0][1]}
    choices = []
    for number, ((_, test), (model, guesses)) in enumerate(zip(splits, done, strict=True)):
        baseline[test] = model.baseline
        mean[test] = model.choose(guesses, len(test))
        for name, guess in guesses.items():
            by_learner[name][test] = guess
        choices += [choice_row(number, name, model) for name in [*model.inner_r2, MEAN]]
    learner = np.array([model.learner for model, _ in done])
    return CrossFitted(mean, baseline, by_learner, learner, pd.DataFrame(choices))


def choice_row(fold: int, name: str, model: MeanModel) -> dict[str, object]:
    """Return how many targets a learner was chosen for, and its mean R² in the inner folds (0 for the mean)."""
    inner_r2 = float(np.mean(model.inner_r2.get(name, np.zeros(1))))
    return {"fold": fold, "learner": name, "targets": int((model.learner == name).sum()), "inner_r2": inner_r2}


def _fold(
    x: np.ndarray | Sequence[Block], y: np.ndarray, plan: FoldPlan, *, number: int, seed: int, learning: Learning
) -> tuple[MeanModel, dict[str, np.ndarray]]:
    """Return the model of one outer fold, and its predictions of the test cells by every learner."""
    train, test = plan.splits()[number]
    columns = x if isinstance(x, np.ndarray) else design(x, train, learning.min_detected, learning.max_genes)
    own = np.asarray(y[train], dtype=np.float64)
    known = np.isfinite(own)
    means = np.where(known, own, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    own = np.where(known, own, means)
    model = fit_mean(np.asarray(columns[train], dtype=np.float64), own, plan.units[train], seed, learning)
    return model, model.by_learner(np.asarray(columns[test], dtype=np.float64))


def _with_average(found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    if {"kernel_ridge", "network"} <= set(found):
        return found | {AVERAGE: (found["kernel_ridge"] + found["network"]) / 2}
    return found


def _chosen(by_learner: dict[str, np.ndarray], learner: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Return the values of the chosen learner of each target, in place of ``means``, shape (cells, targets)."""
    for name, values in by_learner.items():
        own = learner == name
        means[:, own] = values[:, own]
    return means
