"""Generate each modality of the cells of a study from the other, in held-out groups, and judge what was generated."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from cineseq.config.prediction import Folds
from cineseq.generative.means import Learning
from cineseq.generative.model import GenerativeModel
from cineseq.io.paired import PairedData

FEWEST_PAIRS = 200
"""Fewest cells for which a generator is learned; with fewer, means and baselines only."""
DIRECTIONS = ("morphology_to_expression", "expression_to_morphology")


@dataclass(frozen=True)
class GenerateOptions:
    """Settings of the generation of one modality from the other.

    Attributes
    ----------
    folds
        Section ``folds`` of the configuration.
    seed
        Seed of everything random.
    threads
        Number of worker processes.
    learning
        How conditional means are learned.
    components
        Principal components of expression, of shape and of the embedding, at most, each.
    class_column
        Column of cell types or conditions by which generated cells are judged.
    min_pairs
        Fewest cells for which a generator is learned.
    min_flow
        Fewest cells for which flow matching is tried; None: never.
    samples
        Samples of every cell by which intervals and scores are estimated.
    latents
        A representation of expression that was learned elsewhere, one row per cell of the data, indexed by
        ``track_id``; None: principal components learned in the training cells.
    latents_name
        Its name, such as ``X_scVI``.
    """

    folds: Folds
    seed: int = 1
    threads: int = 1
    learning: Learning = field(default_factory=Learning)
    components: int = 50
    class_column: str = "condition"
    min_pairs: int = FEWEST_PAIRS
    min_flow: int | None = 1000
    samples: int = 20
    latents: pd.DataFrame | None = None
    latents_name: str = ""


@dataclass(frozen=True)
class Generated:
    """What was generated, and how far to believe it. All tables are of held-out cells.

    Attributes
    ----------
    directions
        One row per direction: ``direction``, ``n``, ``groups``, ``grouped_by``, ``latents``, ``learner`` (chosen for
        most latents), ``sampler``, ``r2``, ``r2_low``, ``r2_high``, ``r2_within``, ``r2_within_class``, ``note``.
    learners
        One row per direction and learner (with ``class_mean``): ``direction``, ``learner``, ``targets`` (for which it
        was chosen), ``r2``, ``r2_within``, ``r2_within_class``.
    samplers
        One row per direction and sampler: ``direction``, ``sampler``, ``n``, ``c2st``, ``energy_score``,
        ``coverage_80``, ``coverage_95``, ``chosen``, ``note``.
    judged
        One row per direction, measure and source (``generated``, ``class_mean``, ``shuffled``, ``real``):
        ``direction``, ``measure``, ``source``, ``value``, ``note``.
    confusion
        One row per source, true and predicted class: ``source``, ``true``, ``predicted``, ``cells``; of the classifier
        that was trained on real expression.
    genes
        One row per gene: ``gene``, ``r2``, ``pearson_within_class``, ``variance_ratio`` (generated to measured counts;
        missing without counts).
    neighbours
        One row per cell: ``track_id``, ``neighbour`` (the real held-out cell whose morphology is nearest to what was
        generated from the cell's expression), ``distance``, ``pair_match_rank`` (0 to 1; .5 is chance).
    latents
        Real and generated latents on common axes: ``direction``, ``track_id``, ``source`` (``real``, ``generated``),
        ``latent_0``, ``latent_1``, ...
    models
        Model of each direction, learned in all cells; empty where there are too few.
    notes
        Sentences about the method, or the reason why nothing is estimable.
    """

    directions: pd.DataFrame
    learners: pd.DataFrame
    samplers: pd.DataFrame
    judged: pd.DataFrame
    confusion: pd.DataFrame
    genes: pd.DataFrame
    neighbours: pd.DataFrame
    latents: pd.DataFrame
    models: dict[str, GenerativeModel]
    notes: tuple[str, ...]


def generate_study(data: PairedData, options: GenerateOptions) -> Generated:
    """Learn and judge the generation of each modality from the other, in held-out groups of cells.

    If nothing is estimable, tables are empty and ``notes`` give the reason.
    """
    raise NotImplementedError


def report(found: Generated) -> dict[str, object]:
    """Return the report of the step: sentences and numbers."""
    raise NotImplementedError


def _rows(columns: list[str], rows: list[dict[str, object]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=columns)


def _class_codes(labels: np.ndarray) -> np.ndarray:
    return np.unique(labels, return_inverse=True)[1]
