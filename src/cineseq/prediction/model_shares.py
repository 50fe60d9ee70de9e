"""Per model, the share of variance of a linear function of its predictors, and what holds between samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cineseq.config.prediction import Prediction
from cineseq.prediction.crossval.feature_blocks import Block
from cineseq.prediction.crossval.folds import CrossvalCells
from cineseq.prediction.crossval.transform import design
from cineseq.prediction.estimands import Row, between_row
from cineseq.prediction.model_comparison import model_blocks
from cineseq.statistics.shares import MOST_PREDICTORS, Share, variance_share
from cineseq.statistics.streams import child_seed, stream

WITHOUT = ("both_permuted", "all_morphology")
"""Models that only serve as comparisons."""


@dataclass(frozen=True)
class ModelShares:
    """Share of variance of a linear function of a model's predictors, per estimand, and its row between samples."""

    shares: dict[str, Share]
    between: Row


def model_shares(
    blocks: dict[str, Block | None], cells: CrossvalCells, settings: Prediction, seed: int
) -> dict[str, ModelShares]:
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
        Seed of permutations.
    """
    designs = model_blocks(blocks, cells, stream(seed, "shuffled shape"))
    everyone = np.arange(len(cells.values))
    most = min(MOST_PREDICTORS, settings.max_genes or MOST_PREDICTORS)
    fixed = {"within": cells.field_labels(), "within_class": cells.classes, "pooled": np.zeros(len(everyone))}
    found: dict[str, ModelShares] = {}
    for name, parts in designs.items():
        if name in WITHOUT:
            continue
        predictors = design(parts, everyone, settings.min_detected, most)
        shares = {key: variance_share(predictors, cells.values, groups) for key, groups in fixed.items()}
        own = child_seed(seed, "between", name)
        between = between_row(predictors, cells.values, cells.sample_labels(), settings.permutations, own)
        found[name] = ModelShares(shares, between)
    return found
