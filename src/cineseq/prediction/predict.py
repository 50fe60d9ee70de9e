"""Prediction of every function of a study: models, genes and tables."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace

import joblib
import numpy as np
import pandas as pd

from cineseq.expression.normalise import expression_of
from cineseq.prediction.beyond_covariates import (
    COVARIATE_BLOCKS,
    beyond_rows,
    with_q_values_by_kind,
)
from cineseq.prediction.by_sample import by_sample_rows
from cineseq.prediction.cluster_labels import fit_of_labels
from cineseq.prediction.crossval.feature_blocks import Block, all_blocks
from cineseq.prediction.crossval.folds import CrossvalCells, NotEstimableError, cells_of
from cineseq.prediction.crossval.out_of_fold import NONLINEAR, NOTHING_KEPT, STACKED
from cineseq.prediction.gene_tables import gene_tables
from cineseq.prediction.genes import cluster_eta2
from cineseq.prediction.model_comparison import ModelFit, compare_models
from cineseq.prediction.model_shares import model_shares
from cineseq.prediction.performance import (
    ModelComparison,
    Within,
    contrast_rows,
    not_estimable_rows,
    performance_rows,
    prediction_rows,
    sample_rows,
    with_q_values,
)
from cineseq.prediction.reliability import reliability_rows
from cineseq.prediction.responses import Response, measured_rows
from cineseq.prediction.sensitivity import random_folds, sensitivity_rows
from cineseq.prediction.task import PredictionTask
from cineseq.prediction.unused_groups import UnusedGroups, columns_to_test
from cineseq.statistics.metrics import varies
from cineseq.statistics.sequential import floor_notes
from cineseq.statistics.streams import child_seed
from cineseq.tables.contract import Table, empty
from cineseq.tables.prediction import (
    BEYOND_COVARIATES,
    BY_SAMPLE,
    CLUSTER_LABELS,
    COVARIATES,
    GENES,
    MARKER_OVERLAP,
    MODEL_CONTRASTS,
    MODELS,
    PERFORMANCE,
    PREDICTIONS,
    SAMPLE_PERFORMANCE,
    SENSITIVITY,
    UNUSED_GROUPS,
)
from cineseq.text import count

logger = logging.getLogger(__name__)
TABLES = {
    "performance": PERFORMANCE,
    "samples": SAMPLE_PERFORMANCE,
    "by_sample": BY_SAMPLE,
    "contrasts": MODEL_CONTRASTS,
    "beyond_covariates": BEYOND_COVARIATES,
    "unused_groups": UNUSED_GROUPS,
    "covariates": COVARIATES,
    "genes": GENES,
    "overlap": MARKER_OVERLAP,
    "sensitivity": SENSITIVITY,
    "predictions": PREDICTIONS,
}


@dataclass(frozen=True)
class PredictionResult:
    """Results for one function or for all functions.

    Attributes
    ----------
    tables
        The output tables by the names in ``TABLES``; empty ones may be absent.
    comparisons
        Model comparisons, one per estimable function.
    random_folds
        R² of the quick procedure with grouped and with random folds, by function.
    notes
        Sentences about the folds and cells.
    """

    tables: dict[str, pd.DataFrame]
    comparisons: tuple[ModelComparison, ...] = ()
    random_folds: dict[str, tuple[float, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def predict_functions(task: PredictionTask, threads: int, kept: joblib.Memory = NOTHING_KEPT) -> PredictionResult:
    """Predict every function with every model, select its genes, and collect the tables.

    A function that is not estimable has rows with the reason and without numbers.

    Parameters
    ----------
    task
        Data and settings.
    threads
        Number of worker processes.
    kept
        Cache of fits, kept until the step is done; by default none.
    """
    blocks = all_blocks(task.data, task.clusters, task.prediction)
    for name, block in blocks.items():
        logger.info("Block %s: %s.", name, "none" if block is None else f"{len(block.names)} columns")
    eta2 = cluster_eta2(blocks["expression"], task.cluster_of_cells)
    groups = columns_to_test(task.data.obs, task.folds, task.prediction.class_column)
    groups.log()
    results = []
    for response in task.responses:
        try:
            results.append(_predict_one(task, blocks, response, eta2, groups.tested, threads=threads, kept=kept))
        except NotEstimableError as reason:
            logger.warning("%s is not estimable: %s.", response.name, reason)
            results.append(_not_estimable(response, str(reason), "features" in blocks))
    tables = {name: _together([a.tables[name] for a in results if name in a.tables], TABLES[name]) for name in TABLES}
    tables["performance"] = with_q_values(tables["performance"])
    tables["performance"]["note"] = floor_notes(tables["performance"], "functions")
    tables["beyond_covariates"] = with_q_values_by_kind(tables["beyond_covariates"])
    tables["beyond_covariates"]["note"] = floor_notes(tables["beyond_covariates"], "functions")
    covariates = {name: blocks[name] for name in COVARIATE_BLOCKS}
    tables["covariates"] = reliability_rows(covariates, task.data.obs, task.frames, task.window_frames)
    claims = {function: claim for a in results for function, claim in a.random_folds.items()}
    notes = dict.fromkeys(note for a in results for note in a.notes)
    return PredictionResult(
        tables, tuple(comparison for a in results for comparison in a.comparisons), claims, tuple(notes)
    )


def _predict_one(
    task: PredictionTask,
    blocks: dict[str, Block | None],
    response: Response,
    eta2: pd.Series | None,
    groups: tuple[str, ...],
    *,
    threads: int,
    kept: joblib.Memory,
) -> PredictionResult:
    measured = measured_rows(response)
    logger.info("%s: measured in %d of %d cells.", response.name, len(measured), len(response.values))
    rows, left_out = compared_rows(blocks, measured, task.folds.min_cells)
    own, cells = _at(task, blocks, response, rows)
    notes = (*cells.plan.notes, *left_out)
    for note in notes:
        logger.info("%s: %s", response.name, note)
    settings, obs = task.prediction, task.data.obs.iloc[rows]
    # Every null of a function has random numbers of its own, which do not depend on the other functions.
    seed = child_seed(task.seed, response.name)
    fits = _compared(own, cells, task, child_seed(seed, "pooled"), threads=threads, kept=kept)
    samples = obs["sample"].astype("string").to_numpy(object)
    within = _within(own, cells, task, child_seed(seed, "within"), threads=threads, kept=kept)
    fits = _with_cluster_labels(fits, cells, task, rows, kept)
    if isinstance(within, Within):
        within = replace(within, fits=_with_cluster_labels(within.fits, within.cells, task, rows, kept))
    comparison = ModelComparison(response.rows(rows), cells, fits, samples, obs.index.to_numpy(object), within)
    unused = UnusedGroups(comparison, own, obs, settings, task.folds, child_seed(seed, "unused groups"), threads, kept)
    tables = {
        "performance": performance_rows(comparison),
        "samples": sample_rows(comparison),
        "by_sample": by_sample_rows(comparison),
        "contrasts": contrast_rows(comparison),
        "beyond_covariates": beyond_rows(
            response.name,
            own,
            cells,
            settings=settings,
            folds=task.folds,
            seed=child_seed(seed, "beyond covariates"),
            functions=len(task.responses),
        ),
        "unused_groups": unused.rows(groups),
        "sensitivity": sensitivity_rows(
            comparison, own, settings=settings, folds=task.folds, threads=threads, kept=kept
        ),
        "predictions": prediction_rows(comparison),
    }
    if own["expression"] is not None:
        everyone = (own, cells) if len(rows) == len(measured) else _at(task, blocks, response, measured)
        tables |= gene_tables(task, *everyone, response.columns, eta2=eta2, threads=threads)
    claim = random_folds(task, own, comparison, threads)
    return PredictionResult(tables, (comparison,), {} if claim is None else {response.name: claim}, notes)


def _within(
    blocks: dict[str, Block | None],
    cells: CrossvalCells,
    task: PredictionTask,
    seed: int,
    *,
    threads: int,
    kept: joblib.Memory,
) -> Within | str:
    """Fit every model within fields, and estimate shares of variance; return the reason where that is not estimable."""
    try:
        centred = cells.within_fields()
    except NotEstimableError as reason:
        return str(reason)
    if not varies(centred.values, cells.values):
        return "the function does not differ within fields"
    fits = _compared(blocks, centred, task, seed, threads=threads, kept=kept)
    return Within(centred, fits, model_shares(blocks, cells, task.prediction, seed))


def _compared(
    blocks: dict[str, Block | None],
    cells: CrossvalCells,
    task: PredictionTask,
    seed: int,
    *,
    threads: int,
    kept: joblib.Memory,
) -> dict[str, ModelFit]:
    """Fit every model to some cells, with permutations for as many functions as the task has."""
    return compare_models(
        blocks,
        cells,
        settings=task.prediction,
        folds=task.folds,
        seed=seed,
        threads=threads,
        kept=kept,
        functions=len(task.responses),
    )


def _with_cluster_labels(
    fits: dict[str, ModelFit], cells: CrossvalCells, task: PredictionTask, rows: np.ndarray, kept: joblib.Memory
) -> dict[str, ModelFit]:
    """Add the model of in-fold cluster labels to the models of some cells, where clusters are compared."""
    expression = None if task.clustering is None else expression_of(task.data)
    if task.clustering is None or expression is None:
        return fits
    own = expression.cells(rows)
    labels = fit_of_labels(own, cells, task.clustering, task.folds.inner, task.seed, kept=kept)
    return {**fits, CLUSTER_LABELS: labels}


def compared_rows(
    blocks: dict[str, Block | None], measured: np.ndarray, fewest: int
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the cells on which models are compared: those with a value of every available modality.

    Models are comparable only on the same cells, and a cell with imputed shape is not informative about shape.

    Parameters
    ----------
    blocks
        Feature blocks; a modality is missing in a cell if all of its columns are.
    measured
        Positions of the cells with a measured function.
    fewest
        Least number of complete cells; with fewer, all cells are kept.

    Returns
    -------
    tuple
        Positions of the cells, and sentences about cells that were left out or imputed.
    """
    has = {n: np.isfinite(b.values[measured]).any(axis=1) for n in STACKED if (b := blocks.get(n)) is not None}
    lacking = {name: int((~found).sum()) for name, found in has.items() if not found.all()}
    if not lacking:
        return measured, ()
    complete = measured[np.all(list(has.values()), axis=0)]
    whole = count(len(measured), "cell")
    missing = " and ".join(f"{count(cells)} of {whole} have no {name}" for name, cells in lacking.items())
    if len(complete) < fewest:
        return measured, (
            f"{missing}; too few cells have all of them, so missing values are replaced by the median of training "
            "cells.",
        )
    return complete, (
        f"{missing}: models are compared on the {count(len(complete), 'cell')} with all of them; genes use all cells.",
    )


def _at(
    task: PredictionTask, blocks: dict[str, Block | None], response: Response, rows: np.ndarray
) -> tuple[dict[str, Block | None], CrossvalCells]:
    """Return the blocks of some cells (None for a constant one), and the groups and folds of these cells."""
    cells = cells_of(task.data.obs.iloc[rows], response.values[rows], task.folds, task.prediction.class_column)
    return {name: _varying(block, rows) for name, block in blocks.items()}, cells


def _varying(block: Block | None, rows: np.ndarray) -> Block | None:
    """Return the block of some cells; None if it is constant in them."""
    if block is None:
        return None
    own = block.rows(rows)
    low, high = np.fmin.reduce(own.values, axis=0), np.fmax.reduce(own.values, axis=0)
    return own if (high > low).any() else None


def _not_estimable(response: Response, reason: str, has_features: bool) -> PredictionResult:  # noqa: FBT001
    models = tuple(name for name in MODELS if name != NONLINEAR and (name != "features" or has_features))
    rows = not_estimable_rows(response.name, int(response.measured.sum()), reason, models)
    overlap = pd.DataFrame({"function": list(response.columns), "selected": 0, "note": f"not estimable: {reason}"})
    return PredictionResult({"performance": rows, "overlap": overlap})


def _together(frames: list[pd.DataFrame], table: Table) -> pd.DataFrame:
    """Concatenate frames with every column of their contract; without frames the table is empty."""
    blank = empty(table)
    filled = [frame.reindex(columns=blank.columns) for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else blank
