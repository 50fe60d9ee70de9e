"""Nested cross-validation: out-of-fold predictions of many models and responses on the same outer folds."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import joblib
import numpy as np

from cineseq.files import digest
from cineseq.prediction.crossval.covariates import CovariateModel, natural_splines
from cineseq.prediction.crossval.elastic_net import NestedFit, PathGrid, Split, least_squares, nested_elastic_net, stack
from cineseq.prediction.crossval.feature_blocks import Block
from cineseq.prediction.crossval.folds import FoldPlan, inner_splits
from cineseq.prediction.crossval.left_out import training_blocks
from cineseq.prediction.crossval.nonlinear import Nonlinear, gradient_boosting, kernel_ridge
from cineseq.prediction.crossval.transform import Weighing, design
from cineseq.progress import progress
from cineseq.workflow.fingerprint import fingerprint

logger = logging.getLogger(__name__)
FOLDER = ".unfinished"
NOTHING_KEPT = joblib.Memory(None, verbose=0)


@contextmanager
def kept_fits(beside: Path) -> Iterator[joblib.Memory]:
    """Yield a cache of finished fits, which is removed on success and kept when the run is interrupted.

    A fit is identified by the content of its arguments. The cache is named by a fingerprint of the code and of library
    versions, so that fits of other code are never reused.

    Parameters
    ----------
    beside
        A result of the step; the cache is a hidden folder next to it.
    """
    root = beside.parent / FOLDER
    store = root / _fingerprint()
    if store.exists():
        logger.info("Continuing with the fits of an earlier run in %s.", FOLDER)
    yield joblib.Memory(store, verbose=0)
    shutil.rmtree(root, ignore_errors=True)


def _fingerprint() -> str:
    versions = [f"{name}={version(name)}" for name in ("numpy", "scipy", "scikit-learn")]
    return digest(" ".join([*versions, fingerprint(Path(__file__))]).encode())[:16]


COVARIATES = ("technical", "size", "cycle", "technical_cycle_size")
LINEAR = (*COVARIATES, "class")
NONLINEAR = "nonlinear"
STACKED = ("expression", "morphology", "embedding", "features")
RESPONSES_PER_TASK = 25
Learner = Callable[..., NestedFit]


@dataclass(frozen=True)
class Procedure:
    """How models are fitted in an outer fold.

    Attributes
    ----------
    grid
        Penalties of the elastic nets.
    inner
        Number of grouped inner folds, which choose the penalty.
    min_detected, max_genes
        Filter of genes, see :func:`cineseq.prediction.crossval.transform.kept_genes`.
    weighing
        Whether all columns have equal weight, or all blocks.
    nonlinear
        Learner of the model ``nonlinear``.
    """

    grid: PathGrid
    inner: int
    min_detected: float
    max_genes: int | None
    weighing: Weighing = "columns"
    nonlinear: Nonlinear | None = None


@dataclass(frozen=True)
class _Task:
    """One fit: a model in an outer fold for some responses."""

    model: str
    fold: int
    responses: slice


def out_of_fold(
    designs: dict[str, tuple[Block, ...]],
    responses: np.ndarray,
    plan: FoldPlan,
    procedure: Procedure,
    threads: int,
    *,
    kept: joblib.Memory = NOTHING_KEPT,
) -> dict[str, np.ndarray]:
    """Predict every cell by models that were trained without its group.

    Parameters
    ----------
    designs
        Blocks of every model; those in ``COVARIATES`` are fitted by penalised splines, ``class`` by least squares,
        ``nonlinear`` by the learner of that name, the others by elastic net.
    responses
        Shape (cells, responses).
    plan
        Outer folds and groups.
    procedure
        How models are fitted in an outer fold.
    threads
        Number of worker processes.
    kept
        Cache of fits, see :func:`cineseq.prediction.crossval.out_of_fold.kept_fits`.

    Returns
    -------
    dict
        Predictions per model, each of the shape of ``responses``; ``both_late`` is added where expression and another
        block were fitted.
    """
    return _fits(designs, responses, plan, procedure, threads, kept=kept)[0]


def out_of_fold_without(
    designs: dict[str, tuple[Block, ...]],
    responses: np.ndarray,
    plan: FoldPlan,
    procedure: Procedure,
    threads: int,
    *,
    kept: joblib.Memory = NOTHING_KEPT,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Predict every cell, and again without each block of training cells; arguments as in :func:`out_of_fold`.

    Returns
    -------
    tuple of dict
        The predictions of :func:`out_of_fold`, and predictions without each of the
        :func:`cineseq.prediction.crossval.left_out.training_blocks` at the penalties already chosen, shape (blocks,
        cells, responses). Models that are not linear have none of the latter.
    """
    return _fits(designs, responses, plan, procedure, threads, kept=kept, blocks=training_blocks(plan))


def _fits(
    designs: dict[str, tuple[Block, ...]],
    responses: np.ndarray,
    plan: FoldPlan,
    procedure: Procedure,
    threads: int,
    *,
    kept: joblib.Memory,
    blocks: np.ndarray | None = None,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    splits = plan.splits()
    tasks = _tasks(designs, responses.shape[1], len(splits))
    fit_fold, fit_covariates = kept.cache(_fit_fold), kept.cache(_fit_covariates)
    learners = {name: _learner(name, procedure) for name in designs}
    calls = (
        joblib.delayed(fit_covariates)(
            designs[t.model],
            responses[:, t.responses],
            splits[t.fold],
            plan.units,
            procedure.inner,
            left_out=blocks,
        )
        if t.model in COVARIATES
        else joblib.delayed(fit_fold)(
            designs[t.model],
            responses[:, t.responses],
            splits[t.fold],
            plan.units,
            procedure,
            learn=learners[t.model],
            left_out=blocks,
        )
        for t in tasks
    )
    found = _Found(responses, splits, blocks)
    parts: dict[tuple[int, int], dict[str, NestedFit]] = {}
    for task, fit in zip(progress(tasks, "Fits", logger), workers(threads, "generator")(calls), strict=False):
        found.add(task.model, task.fold, task.responses, fit)
        if task.model in STACKED:
            parts.setdefault((task.fold, task.responses.start), {})[task.model] = fit
    if "expression" in designs and len(set(designs) & set(STACKED)) > 1:
        for (fold, start), fits in parts.items():
            columns = slice(start, start + fits["expression"].test.shape[1])
            # Stacking (Breiman 1996) of the models of single modalities, fold by fold.
            own = responses[splits[fold][0], columns]
            found.add("both_late", fold, columns, stack([fits[n] for n in STACKED if n in fits], own))
    return found.predicted, found.without


@dataclass
class _Found:
    """Predictions of all cells, filled in fold by fold."""

    responses: np.ndarray
    splits: list[Split]
    blocks: np.ndarray | None
    predicted: dict[str, np.ndarray] = field(default_factory=dict)
    without: dict[str, np.ndarray] = field(default_factory=dict)

    def add(self, model: str, fold: int, columns: slice, fit: NestedFit) -> None:
        """Add one fit."""
        train, test = self.splits[fold]
        self.predicted.setdefault(model, np.empty_like(self.responses))[test, columns] = fit.test
        if self.blocks is None or fit.without is None:
            return
        # Blocks of test cells were not trained with; leaving them out changes nothing.
        count = int(self.blocks.max()) + 1
        whole = self.without.setdefault(model, np.empty((count, *self.responses.shape)))
        whole[:, test, columns] = fit.test
        whole[np.unique(self.blocks[train])[:, None], test, columns] = fit.without


def workers(threads: int, returned: Literal["list", "generator"] = "list") -> joblib.Parallel:
    """Return a pool of processes with one BLAS thread each; with one thread the calls run in this process."""
    # joblib 1.6 ignores the limit when it is passed to Parallel itself; only the configuration is used.
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        return joblib.Parallel(n_jobs=threads, return_as=returned)


def _tasks(designs: dict[str, tuple[Block, ...]], responses: int, folds: int) -> list[_Task]:
    """Return all fits, the widest models first, so that workers finish at about the same time."""
    widest = sorted(designs, key=lambda name: -sum(len(b.names) for b in designs[name]))
    return [
        _Task(name, fold, slice(start, min(start + step, responses)))
        for name in widest
        for step in [responses if name in LINEAR else RESPONSES_PER_TASK]
        for fold in range(folds)
        for start in range(0, responses, step)
    ]


def _learner(model: str, procedure: Procedure) -> Learner:
    if model == NONLINEAR:
        return kernel_ridge if procedure.nonlinear == "kernel_ridge" else gradient_boosting
    return least_squares if model in LINEAR else nested_elastic_net


def _fit_fold(
    blocks: tuple[Block, ...],
    responses: np.ndarray,
    split: Split,
    units: np.ndarray,
    procedure: Procedure,
    *,
    learn: Learner,
    left_out: np.ndarray | None,
) -> NestedFit:
    """Fit one outer fold: select, scale and fit on its training cells, and predict its test cells."""
    train, test = split
    columns = design(blocks, train, procedure.min_detected, procedure.max_genes, procedure.weighing)
    own = responses[train]
    if any(procedure.grid.agreements):
        first = design(blocks[:1], train, procedure.min_detected, procedure.max_genes).shape[1]
        learn = partial(nested_elastic_net, first=first)
    left_out = None if left_out is None else left_out[train]
    if not columns.shape[1]:
        mean = own.mean(axis=0)
        test_mean = np.tile(mean, (len(test), 1))
        without = None if left_out is None else np.tile(test_mean, (len(np.unique(left_out)), 1, 1))
        return NestedFit(test_mean, np.tile(mean, (len(train), 1)), without)
    inner = inner_splits(units[train], procedure.inner)
    return learn(columns[train], columns[test], own, inner, procedure.grid, blocks=left_out)


def _fit_covariates(
    blocks: tuple[Block, ...],
    responses: np.ndarray,
    split: Split,
    units: np.ndarray,
    inner: int,
    *,
    left_out: np.ndarray | None,
) -> NestedFit:
    """Fit penalised splines of the covariates to the training cells of one outer fold."""
    train, test = split
    model = CovariateModel.of(natural_splines(blocks[0], train), train, units, inner)
    fit = model.predict(responses)
    without = None if left_out is None else model.without(responses, left_out)[:, test]
    return NestedFit(fit[test], fit[train], without)
