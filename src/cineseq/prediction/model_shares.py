"""Per model, the share of variance of a linear function of its predictors, and what holds between samples."""

from __future__ import annotations

import logging

import numpy as np

from cineseq.config.prediction import Prediction
from cineseq.prediction.crossval.feature_blocks import Block
from cineseq.prediction.crossval.folds import CrossvalCells
from cineseq.prediction.crossval.transform import design
from cineseq.prediction.estimands import Row, between_row
from cineseq.prediction.model_comparison import model_blocks
from cineseq.statistics.shares import MOST_PREDICTORS, variance_share

logger = logging.getLogger(__name__)
WITHOUT = ("both_permuted", "all_morphology")
"""Models that only serve as comparisons."""


def model_shares(
    blocks: dict[str, Block | None], cells: CrossvalCells, settings: Prediction, seed: int
) -> dict[str, dict[str, Row]]:
    """Return for every model its share of variance per estimand, and its row between samples.

    Predictors are selected, imputed and scaled over all cells; nothing is held out, except samples between samples.

    Parameters
    ----------
    blocks
        Blocks of features of the cells; None where there are none.
    cells
        The cells as measured, not centred.
    settings
        The section ``prediction`` of the configuration.
    seed
        Seed of permutations and bootstrap.
    """
    designs = model_blocks(blocks, cells, np.random.default_rng(seed))
    everyone = np.arange(len(cells.values))
    most = min(MOST_PREDICTORS, settings.max_genes or MOST_PREDICTORS)
    fixed = {"within": cells.field_labels(), "within_class": cells.classes, "pooled": np.zeros(len(everyone))}
    found: dict[str, dict[str, Row]] = {}
    for name, parts in designs.items():
        if name in WITHOUT:
            continue
        predictors = design(parts, everyone, settings.min_detected, most)
        found[name] = {}
        for estimand, groups in fixed.items():
            share = variance_share(predictors, cells.values, groups)
            found[name][estimand] = {"share": share.share, "share_low": share.low, "share_high": share.high}
        found[name]["between"] = between_row(
            predictors, cells.values, cells.sample_labels(), settings.permutations, seed
        )
    return found
