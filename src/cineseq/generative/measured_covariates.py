"""Size, cell cycle and technical covariates of the cells, as they may explain genes and features."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cineseq.config.prediction import Prediction
from cineseq.expression.cell_cycle import G2M_GENES, S_GENES
from cineseq.expression.normalise import Expression
from cineseq.generative.held_out import COVARIATES, Covariates
from cineseq.io.paired import PairedData
from cineseq.prediction.crossval.feature_blocks import CYCLE, Block, all_blocks

LISTS = dict(zip(CYCLE, (S_GENES, G2M_GENES), strict=True))


def covariates_of(data: PairedData, clusters: pd.DataFrame | None, settings: Prediction) -> Covariates:
    """Return the covariates of the cells by their kind.

    Parameters
    ----------
    data
        The paired cells.
    clusters
        Table of clusters with cell-cycle scores, indexed by ``track_id``; None if there is none.
    settings
        The section ``prediction`` of the configuration, which names size features and technical columns.
    """
    blocks = all_blocks(data, clusters, settings.model_copy(update={"class_column": "condition"}))
    return Covariates({kind: block for kind in COVARIATES if (block := blocks.get(kind)) is not None})


def for_genes(covariates: Covariates, expression: Expression, names: tuple[str, ...]) -> Covariates:
    """Return covariates for genes, of which those of the cell-cycle lists have scores of the other half of the lists.

    Parameters
    ----------
    covariates
        Of the cells.
    expression
        Expression of the same cells.
    names
        The genes to explain.
    """
    cycle = covariates.blocks.get("cycle")
    if cycle is None:
        return covariates
    # Every second gene of each list is in the first half; positions in the expression, by list and half.
    upper = expression.genes.str.upper()
    listed = {name: np.flatnonzero(upper.isin(LISTS[name])) for name in cycle.names}
    apart = []
    for half in (0, 1):
        own = {str(expression.genes[i]) for places in listed.values() for i in places[half::2]}
        targets = np.flatnonzero([name in own for name in names])
        others = {name: places[1 - half :: 2] for name, places in listed.items()}
        if len(targets) and all(len(places) for places in others.values()):
            apart.append((targets, _scores(cycle, expression, listed, others)))
    return Covariates(covariates.blocks, {"cycle": tuple(apart)})


def _scores(cycle: Block, expression: Expression, whole: dict[str, np.ndarray], half: dict[str, np.ndarray]) -> Block:
    """Return the scores with the mean of the genes of a list replaced by that of half of them."""
    columns = []
    for number, name in enumerate(cycle.names):
        mean, part = (
            np.asarray(expression.log[:, places[name]].mean(axis=1), float).ravel() for places in (whole, half)
        )
        columns.append(cycle.values[:, number] + part - mean)
    return Block(np.column_stack(columns), cycle.names)
