"""Nested cross-validation: out-of-fold predictions of many models and responses on the same outer folds."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
Learner = Callable[[np.ndarray, np.ndarray, np.ndarray, list[Split], PathGrid], NestedFit]


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
    splits = plan.splits()
    tasks = _tasks(designs, responses.shape[1], len(splits))
    fit_fold, fit_covariates = kept.cache(_fit_fold), kept.cache(_fit_covariates)
    learners = {name: _learner(name, procedure) for name in designs}
    calls = (
        joblib.delayed(fit_covariates)(
            designs[t.model], responses[:, t.responses], splits[t.fold], plan.units, procedure.inner
        )
        if t.model in COVARIATES
        else joblib.delayed(fit_fold)(
            designs[t.model], responses[:, t.responses], splits[t.fold], plan.units, procedure, learn=learners[t.model]
        )
        for t in tasks
    )
    predicted = {name: np.empty_like(responses) for name in designs}
    parts: dict[tuple[int, int], dict[str, NestedFit]] = {}
    for task, fit in zip(progress(tasks, "Fits", logger), workers(threads, "generator")(calls), strict=False):
        predicted[task.model][splits[task.fold][1], task.responses] = fit.test
        if task.model in STACKED:
            parts.setdefault((task.fold, task.responses.start), {})[task.model] = fit
    if "expression" in designs and len(set(designs) & set(STACKED)) > 1:
        predicted["both_late"] = _stacked(parts, responses, splits)
    return predicted


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
) -> NestedFit:
    """Fit one outer fold: select, scale and fit on its training cells, and predict its test cells."""
    train, test = split
    columns = design(blocks, train, procedure.min_detected, procedure.max_genes, procedure.weighing)
    own = responses[train]
    if any(procedure.grid.agreements):
        first = design(blocks[:1], train, procedure.min_detected, procedure.max_genes).shape[1]
        learn = partial(nested_elastic_net, first=first)
    if not columns.shape[1]:
        mean = own.mean(axis=0)
        return NestedFit(np.tile(mean, (len(test), 1)), np.tile(mean, (len(train), 1)))
    return learn(columns[train], columns[test], own, inner_splits(units[train], procedure.inner), procedure.grid)


def _fit_covariates(
    blocks: tuple[Block, ...], responses: np.ndarray, split: Split, units: np.ndarray, inner: int
) -> NestedFit:
    """Fit penalised splines of the covariates to the training cells of one outer fold."""
    train, test = split
    fit = CovariateModel.of(natural_splines(blocks[0], train), train, units, inner).predict(responses)
    return NestedFit(fit[test], fit[train])


def _stacked(
    parts: dict[tuple[int, int], dict[str, NestedFit]], responses: np.ndarray, splits: list[Split]
) -> np.ndarray:
    # Stacking (Breiman 1996) of the models of single modalities, fold by fold; shape (cells, responses).
    stacked = np.empty_like(responses)
    for (fold, start), fits in parts.items():
        train, test = splits[fold]
        columns = slice(start, start + fits["expression"].test.shape[1])
        stacked[test, columns] = stack([fits[name] for name in STACKED if name in fits], responses[train, columns])
    return stacked
