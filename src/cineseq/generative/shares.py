"""Shares of the variance of genes and features that the other modality, size, cycle and technical covariates explain.

Everything is of held-out groups. Directions are apart: a share of expression and a share of shape are different
quantities, and no mean of both is taken.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cineseq.config.prediction import Crossmodal, Folds, Prediction
from cineseq.crossmodal.decompose import Side, explained_genes, sides_of, what_lacks
from cineseq.crossmodal.explained_values import noise_ceiling
from cineseq.expression.normalise import Expression, expression_of
from cineseq.generative.genesets import GeneSets, sets_in
from cineseq.generative.held_out import COVARIATES, Covariates, Fitting, HeldOut, held_out
from cineseq.generative.means import Learning
from cineseq.generative.measured_covariates import covariates_of, for_genes
from cineseq.generative.share_tables import TOTAL, Ceilings, Shuffled, by_target, in_total, verdict
from cineseq.generative.total_variance import TotalVariance, of_means
from cineseq.generative.visibility import Pairings, score_test, shuffled_errors
from cineseq.io.paired import PairedData
from cineseq.prediction.crossval.feature_blocks import Block, gene_block
from cineseq.prediction.crossval.folds import CrossvalCells, NotEstimableError, cells_of
from cineseq.prediction.crossval.ridge import predict
from cineseq.prediction.crossval.transform import design, kept_genes
from cineseq.prediction.estimands import between_row
from cineseq.prediction.reliability import reliability
from cineseq.statistics.metrics import centred
from cineseq.statistics.permutation import benjamini_hochberg
from cineseq.statistics.streams import child_seed, stream

logger = logging.getLogger(__name__)
LEARNERS = ("ridge", "kernel_ridge")
"""Learners of the best model of each gene and feature; a network for hundreds of targets would take minutes."""
ONE_CLASS = "same as within: every field holds one class"


@dataclass(frozen=True)
class SharesOptions:
    """Settings of the decomposition of variance.

    Attributes
    ----------
    crossmodal, prediction, folds
        Sections of the configuration: genes and components, covariates, and groups.
    seed, threads
        Seed of everything random, and number of worker processes.
    permutations
        Shuffled pairings of the test of each gene and feature.
    null_draws
        Shuffled pairings with which models are fitted again, for the share that chance gives.
    learning
        Learners of the best model; None fits linear ones only.
    gene_sets
        GMT file of the user; None without one.
    """

    crossmodal: Crossmodal = field(default_factory=Crossmodal)
    prediction: Prediction = field(default_factory=Prediction)
    folds: Folds = field(default_factory=Folds)
    seed: int = 1
    threads: int = 1
    permutations: int = 999
    null_draws: int = 19
    learning: Learning | None = field(default_factory=lambda: Learning(learners=LEARNERS))
    gene_sets: Path | None = None

    @property
    def fitting(self) -> Fitting:
        """How models are fitted."""
        of, genes = self.crossmodal, self.prediction.max_genes
        how = Fitting(self.folds.inner, of.components, of.penalties, of.min_detected, genes)
        return replace(how, learning=self.learning, seed=self.seed, threads=self.threads)


@dataclass(frozen=True)
class Shares:
    """Shares of variance in held-out groups, by direction.

    Attributes
    ----------
    summary
        One row per direction, estimand, total or gene set, and part of the variance.
    targets
        One row per direction and gene or feature, within fields.
    calibration
        One row per direction: the check that explained and unexplained variance add up.
    notes
        Sentences about the method, or the reason why nothing is estimable.
    """

    summary: pd.DataFrame
    targets: pd.DataFrame
    calibration: pd.DataFrame
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Direction:
    """What explains, what is explained, and what of it is added up.

    Attributes
    ----------
    name
        Such as ``morphology_to_expression``.
    predictors
        Blocks of the other modality.
    values, names
        Values to explain, shape (cells, targets), and their names.
    covariates
        What else is known of the cells.
    own
        Which targets are covariates themselves, shape (targets,).
    weights
        Weights of the targets in totals, by the names of these, shape (targets,) each; the first is the total.
    ceilings
        Fraction of the variance of each target that is not noise of measurement, shape (targets,); NaN where unknown.
    """

    name: str
    predictors: list[Block]
    values: np.ndarray
    names: tuple[str, ...]
    covariates: Covariates
    own: np.ndarray
    weights: dict[str, np.ndarray]
    ceilings: np.ndarray


def decompose_shares(
    data: PairedData,
    options: SharesOptions,
    clusters: pd.DataFrame | None = None,
    frames: pd.DataFrame | None = None,
) -> Shares:
    """Explain each modality by the other, by size, cell cycle and technical covariates, and by all together.

    Parameters
    ----------
    data
        The paired cells.
    options
        Settings.
    clusters
        Table of clusters with cell-cycle scores, indexed by ``track_id``; None: cell cycle is not a covariate.
    frames
        The cells in adjacent frames, from :func:`cineseq.prediction.reliability.read_adjacent_frames`, for the noise
        ceilings of features; None: these are unknown.

    Returns
    -------
    Shares
        Without rows where nothing is estimable; the notes say why.
    """
    seen = pd.concat([data.morphology, data.embedding, data.features], axis=1).notna().any(axis=1).to_numpy(bool)
    data = data.subset(seen) if seen.any() and not seen.all() else data
    expression = expression_of(data)
    genes = gene_block(expression)
    try:
        sides = sides_of(data, options.crossmodal)
        if expression is None or genes is None or not len(data.obs) or not sides:
            raise NotEstimableError(what_lacks(len(data.obs), expression))
        cells = cells_of(data.obs, np.zeros((len(data.obs), 1)), options.folds, options.crossmodal.class_column)
        within = cells.within_fields()
        sets = sets_in(expression.genes, options.gene_sets)
        covariates = covariates_of(data, clusters, options.prediction)
        forward = _genes_explained(
            expression, genes, sets=sets, covariates=covariates, centre=within.centre, options=options
        )
    except NotEstimableError as reason:
        logger.warning("Not estimable: %s.", reason)
        return Shares(pd.DataFrame(), pd.DataFrame(), pd.DataFrame(), (f"Not estimable: {reason}.",))
    found: list[tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]] = []
    for name, side in sides.items():
        backward = _features_explained(name, side, genes, covariates, obs=data.obs, frames=frames)
        for direction in (replace(forward, name=f"{name}_to_expression", predictors=side.blocks), backward):
            logger.info("Explaining %d targets, %s.", len(direction.names), direction.name)
            found.append(_explained(direction, cells, within, options))
    summary, targets, calibration = zip(*found, strict=True)
    notes = (*cells.plan.notes, *sets.notes, *_of_covariates(covariates))
    return Shares(_with_q(pd.concat(summary, ignore_index=True)), pd.concat(targets), pd.DataFrame(calibration), notes)


def _genes_explained(
    expression: Expression,
    genes: Block,
    *,
    sets: GeneSets,
    covariates: Covariates,
    centre: np.ndarray | None,
    options: SharesOptions,
) -> _Direction:
    """Return the genes to explain: the most variable ones, and those of gene sets that enough cells express.

    Only the most variable ones count in the total.
    """
    chosen = explained_genes(genes, options.crossmodal)
    of_sets = {gene for members in sets.genes.values() for gene in members}
    expressed = kept_genes(genes.values, options.crossmodal.min_detected, None)
    keep = np.union1d(chosen, np.flatnonzero(expressed & [name in of_sets for name in genes.names]))
    names = tuple(genes.names[place] for place in keep)
    weights = {TOTAL: np.isin(keep, chosen).astype(float)}
    for name, members in sets.genes.items():
        inside = np.isin(names, members).astype(float)
        if inside.any():
            weights[name] = inside
    ceilings = np.full(len(keep), np.nan)
    if expression.kind == "counts":
        ceilings = noise_ceiling(
            expression.counts,
            keep,
            options.crossmodal.thinnings,
            options.seed,
            expression.normalisation,
            groups=centre,
        )
    known = for_genes(covariates, expression, names)
    own = np.zeros(len(keep), dtype=bool)
    return _Direction("", [], genes.values[:, keep], names, known, own, weights, ceilings)


def _features_explained(
    name: str,
    side: Side,
    genes: Block,
    covariates: Covariates,
    *,
    obs: pd.DataFrame,
    frames: pd.DataFrame | None,
) -> _Direction:
    """Return the features to explain; one that is a covariate itself does not count in the total."""
    block = side.features
    known = {column for own in covariates.blocks.values() for column in own.names}
    own = np.array([column in known for column in block.names])
    equal = side.components is None
    spread = np.nanstd(block.values, axis=0) if equal else np.ones(len(block.names))
    weights = np.divide(~own, np.square(spread), out=np.zeros(len(own)), where=spread > 0)
    ceilings = np.full(len(own), np.nan)
    if frames is not None:
        present = [number for number, column in enumerate(block.names) if column in frames.columns]
        ceilings[present] = [reliability(frames, obs, block.names[number], 1)[0] for number in present]
    return _Direction(
        f"expression_to_{name}", [genes], block.values, block.names, covariates, own, {TOTAL: weights}, ceilings
    )


def _explained(
    direction: _Direction, cells: CrossvalCells, within: CrossvalCells, options: SharesOptions
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Return the rows of one direction for the three tables."""
    fitted, values, shuffled = _within(direction, within, options)
    weights = np.column_stack(list(direction.weights.values()))
    ceilings = Ceilings.of(direction.ceilings, fitted.total, weights)
    keys: dict[str, Any] = {"direction": direction.name, "n": len(values), "grouped_by": cells.plan.grouped_by}
    rows = in_total(fitted, weights, list(direction.weights), ceilings, shuffled).assign(estimand="within")
    parts = [rows, _within_class(direction, within, options, rows), _between(direction, cells, options)]
    summary = pd.concat([part for part in parts if len(part)], ignore_index=True).assign(**keys)
    targets = by_target(fitted, direction.names, direction.own, ceilings, shuffled).assign(direction=direction.name)
    means = fitted.best if fitted.best is not None else predict(fitted.folds, np.nan_to_num(values))
    check: TotalVariance = of_means(values, means, cells.plan.units, weights[:, 0])
    named = {"direction": direction.name, "model": "linear" if fitted.best is None else "best"}
    return summary, targets, named | vars(check) | {"note": check.sentence()}


def _within(
    direction: _Direction, cells: CrossvalCells, options: SharesOptions
) -> tuple[HeldOut, np.ndarray, Shuffled]:
    """Return held-out errors within the groups of ``cells.centre``, the centred values, and the shuffled pairings."""
    blocks = [replace(block, centre=cells.centre) for block in direction.predictors]
    values = centred(direction.values.astype(float), np.asarray(cells.centre))
    fitted = held_out(blocks, values, cells, direction.covariates, options.fitting)
    weights = np.column_stack(list(direction.weights.values()))
    # The test, on principal components of all cells, and models that are fitted to shuffled pairings.
    pairings = Pairings.of(np.nan_to_num(values), cells)
    rng = stream(options.seed, direction.name, "shuffled")
    everyone = design(blocks, np.arange(len(values)), options.crossmodal.min_detected, options.prediction.max_genes)
    scores = principal_scores(everyone, options.crossmodal.components)
    test = score_test([scores], pairings, weights, permutations=options.permutations, rng=rng)
    errors = shuffled_errors(fitted.folds, pairings, cells.plan, draws=options.null_draws, rng=rng)
    return fitted, values, Shuffled(test, *errors)


def principal_scores(values: np.ndarray, components: int) -> np.ndarray:
    """Return scores of the leading principal components of centred columns, shape (cells, components)."""
    small = values.T @ values if values.shape[1] <= len(values) else values @ values.T
    size, vectors = np.linalg.eigh(small)
    order = np.argsort(-size)[:components]
    if values.shape[1] <= len(values):
        return values @ vectors[:, order]
    return vectors[:, order] * np.sqrt(np.maximum(size[order], 0))


def _within_class(
    direction: _Direction, within: CrossvalCells, options: SharesOptions, same: pd.DataFrame
) -> pd.DataFrame:
    """Return the rows of the other modality after both sides are centred within field and class."""
    names = pd.MultiIndex.from_arrays([within.centre, within.classes])
    labels = pd.factorize(names)[0]
    if len(np.unique(within.classes)) < 2:
        return pd.DataFrame()
    if len(np.unique(labels)) == len(np.unique(np.asarray(within.centre))):
        return same.assign(estimand="within_class", note=ONE_CLASS)
    linear = replace(options, learning=None)
    fitted, values, shuffled = _within(
        replace(direction, covariates=Covariates()), replace(within, centre=labels), linear
    )
    weights = np.column_stack(list(direction.weights.values()))
    # The reliability of a cell's value within a class is not known.
    unknown = Ceilings.of(np.full(values.shape[1], np.nan), fitted.total, weights)
    return in_total(fitted, weights, list(direction.weights), unknown, shuffled).assign(estimand="within_class")


def _between(direction: _Direction, cells: CrossvalCells, options: SharesOptions) -> pd.DataFrame:
    """Return the rows about the means of samples, of the other modality and of each kind of covariates."""
    everyone, samples = np.arange(len(direction.values)), cells.sample_labels()
    filled = np.where(np.isfinite(direction.values), direction.values, np.nanmean(direction.values, axis=0))
    targets = filled * np.sqrt(direction.weights[TOTAL])
    kinds = {"linear": direction.predictors} | {
        kind: [direction.covariates.blocks[kind]] for kind in COVARIATES if kind in direction.covariates.blocks
    }
    rows = []
    for part, blocks in kinds.items():
        predictors = design(blocks, everyone, options.crossmodal.min_detected, options.prediction.max_genes)
        seed = child_seed(options.seed, direction.name, "between", part)
        row: Mapping[str, Any] = between_row(predictors, targets, samples, options.crossmodal.permutations, seed)
        numbers = {"share": row["r2"], "low": row["r2_low"], "high": row["r2_high"], "share_null": row["r2_null"]}
        said = {"found": verdict(row["r2"], row["r2_low"]), "note": row["note"]}
        rows.append(numbers | said | {"part": part, "p_value": row["p_value"]})
    return pd.DataFrame(rows).assign(level="total", target=TOTAL, targets=len(direction.names), estimand="between")


def _with_q(summary: pd.DataFrame) -> pd.DataFrame:
    """Add q-values of the other modality, over directions and gene sets of each estimand."""
    q = summary.groupby(["estimand", "level"])["p_value"].transform(
        lambda p: benjamini_hochberg(p.to_numpy(float, na_value=np.nan))
    )
    return summary.assign(q_value=q.astype(float))


def _of_covariates(covariates: Covariates) -> tuple[str, ...]:
    """Return a sentence on the kinds of covariates that were not measured; none where all were."""
    missing = [kind for kind in COVARIATES if kind not in covariates.blocks]
    if not missing:
        return ()
    return (f"Not measured, and so no part of what is taken into account: {', '.join(missing)}.",)
