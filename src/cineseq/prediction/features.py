"""Features of shape and embedding associated with a function: stability selection and modules."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd

from cineseq.prediction.crossval.feature_blocks import Block, all_blocks, joined
from cineseq.prediction.crossval.folds import CrossvalCells, NotEstimableError, cells_of
from cineseq.prediction.crossval.transform import standardised
from cineseq.prediction.genes import associations
from cineseq.prediction.responses import Response, measured_rows
from cineseq.prediction.task import PredictionTask
from cineseq.tables.contract import empty
from cineseq.tables.prediction import PREDICTIVE_FEATURES

logger = logging.getLogger(__name__)
BLOCKS = ("morphology", "embedding", "features")


def associated_features(task: PredictionTask, threads: int = 1) -> pd.DataFrame:
    """Select features of every block by stability selection, as for genes.

    Missing values are replaced by the median of the cells. Features of a block are never covariates of that block: the
    distance to neighbours, a technical covariate of genes, is not a covariate of morphology.

    Parameters
    ----------
    task
        Data and settings.
    threads
        Number of worker processes.

    Returns
    -------
    pandas.DataFrame
        As :data:`cineseq.tables.prediction.PREDICTIVE_FEATURES`; without rows of functions that are not estimable.

    References
    ----------
    Meinshausen and Buhlmann, J. R. Stat. Soc. B 72 (2010) 417.
    """
    blocks = all_blocks(task.data, task.clusters, task.prediction)
    rows = [empty(PREDICTIVE_FEATURES)]
    for response in task.responses:
        try:
            rows += _of_function(task, blocks, response, threads)
        except NotEstimableError as reason:
            logger.warning("Features of %s are not estimable: %s.", response.name, reason)
    return pd.concat(rows[1:], ignore_index=True) if len(rows) > 1 else rows[0]


def _of_function(
    task: PredictionTask, blocks: dict[str, Block | None], response: Response, threads: int
) -> list[pd.DataFrame]:
    rows = measured_rows(response)
    settings = task.prediction
    cells = cells_of(task.data.obs.iloc[rows], response.values[rows], task.folds, settings.class_column)
    everyone = np.arange(len(rows))
    found = []
    for name in BLOCKS:
        block = _filled(blocks.get(name), rows)
        if block is None:
            continue
        known = _filled(_without(joined(blocks["technical"], blocks["cycle"]), block.names), rows)
        covariates = np.empty((len(rows), 0)) if known is None else standardised(known, everyone, 0.0, None).values
        columns = zip(response.columns, cells.values.T, strict=True)
        found += [
            _rows(task, block, column, cells, covariates=covariates, threads=threads).assign(
                block=name, grouped_by=cells.plan.grouped_by
            )
            for column in columns
        ]
    return found


def _rows(
    task: PredictionTask,
    block: Block,
    column: tuple[str, np.ndarray],
    cells: CrossvalCells,
    *,
    covariates: np.ndarray,
    threads: int,
) -> pd.DataFrame:
    rows = associations(
        column[0],
        block,
        column[1],
        cells,
        covariates=covariates,
        settings=task.prediction,
        seed=task.seed,
        threads=threads,
    )
    return rows.rename(columns={"gene": "feature"})


def _filled(block: Block | None, rows: np.ndarray) -> Block | None:
    """Return standardised columns of some cells, with missing values imputed; None if all are constant."""
    if block is None or not len(rows):
        return None
    filled = standardised(block.rows(rows), np.arange(len(rows)), 0.0, None)
    return filled if filled.names else None


def _without(block: Block | None, names: tuple[str, ...]) -> Block | None:
    if block is None:
        return None
    keep = np.array([name not in names for name in block.names])
    return Block(block.values[:, keep], tuple(np.array(block.names, object)[keep])) if keep.any() else None
