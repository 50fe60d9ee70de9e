"""Tables of the genes that go with a function, and of their overlap with cluster markers."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd

from cineseq.prediction.beyond_covariates import Adjustment, adjustment_of, conditional_correlations
from cineseq.prediction.crossval.feature_blocks import Block, joined
from cineseq.prediction.crossval.folds import CrossvalCells
from cineseq.prediction.crossval.transform import standardised
from cineseq.prediction.genes import associations, overlap_row, with_clusters
from cineseq.prediction.task import PredictionTask
from cineseq.statistics.permutation import benjamini_hochberg
from cineseq.statistics.streams import child_seed
from cineseq.text import percent

logger = logging.getLogger(__name__)


def gene_tables(
    task: PredictionTask,
    blocks: dict[str, Block | None],
    cells: CrossvalCells,
    columns: tuple[str, ...],
    *,
    eta2: pd.Series | None,
    threads: int,
) -> dict[str, pd.DataFrame]:
    """Return the tables of genes and of their overlap with markers, for each column of the function."""
    settings, block = task.prediction, blocks["expression"]
    if block is None:
        return {}
    everyone = np.arange(len(cells.values))
    known = joined(blocks["technical"], blocks["cycle"])
    covariates = np.empty((len(everyone), 0)) if known is None else standardised(known, everyone, 0.0, None).values
    adjustment = adjustment_of(blocks, cells, task.folds.inner)
    genes, overlap = [], []
    for column, values in zip(columns, cells.values.T, strict=True):
        rows = associations(
            column,
            block,
            values,
            cells,
            covariates=covariates,
            settings=settings,
            seed=task.seed,
            threads=threads,
        )
        rows = with_clusters(_given_covariates(rows, block, values, adjustment), task.markers, eta2)
        selected = int((rows["frequency"] >= settings.selected_frequency).sum())
        logger.info(
            "%s: %d of %d genes in at least %s of the half-samples.",
            column,
            selected,
            len(rows),
            percent(settings.selected_frequency, 0),
        )
        genes.append(rows.assign(grouped_by=cells.plan.grouped_by))
        compared = rows.assign(mean=block.values.mean(axis=0))
        overlap.append(
            overlap_row(column, compared, settings.selected_frequency, child_seed(task.seed, column, "overlap"))
        )
    return {"genes": pd.concat(genes), "overlap": pd.DataFrame(overlap)}


def _given_covariates(
    rows: pd.DataFrame, block: Block, values: np.ndarray, adjustment: Adjustment | None
) -> pd.DataFrame:
    """Add to gene rows whether each gene goes with the function given the covariates; missing without covariates."""
    if adjustment is None:
        return rows.assign(rho_given_covariates=np.nan, p_given_covariates=np.nan, q_given_covariates=np.nan)
    found = conditional_correlations(block, values, adjustment)
    p = found["p_value"].to_numpy()
    return rows.assign(
        rho_given_covariates=found["rho"].to_numpy(), p_given_covariates=p, q_given_covariates=benjamini_hochberg(p)
    )
