"""Generate each modality of the cells of a study from the other, in held-out groups, and judge what was generated."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

import joblib
import numpy as np
import pandas as pd

import cineseq
from cineseq.config.prediction import Folds
from cineseq.errors import UserError
from cineseq.expression.normalise import Expression, expression_of
from cineseq.features.stored_crops import StoredCrops
from cineseq.generative.conditions import known_facts
from cineseq.generative.counterfactuals import ROWS as COUNTERFACTUAL_ROWS
from cineseq.generative.counterfactuals import counterfactual_rows
from cineseq.generative.decoded import Decoded, Pixels, decode_study
from cineseq.generative.direction import Direction, JudgedFold, Modality, final_model, held_out
from cineseq.generative.means import AVERAGE, MEAN, Learning
from cineseq.generative.model import DIRECTIONS, FORMAT, GenerativeModel
from cineseq.generative.pictures import MATCH_ROWS, NEIGHBOUR_ROWS, Places, match_rows, match_table, neighbour_rows
from cineseq.generative.samplers import BASELINES, FLOW
from cineseq.generative.study_rows import (
    CHOSEN,
    CONFUSION_ROWS,
    DIRECTION_ROWS,
    GENE_ROWS,
    JUDGED_ROWS,
    LEARNER_ROWS,
    SAMPLER_ROWS,
    SCORES,
    confusion_rows,
    direction_row,
    gene_rows,
    judged_rows,
    latent_rows,
    learner_rows,
    sampler_rows,
)
from cineseq.io.paired import PairedData
from cineseq.prediction.crossval.feature_blocks import class_labels, frame_block
from cineseq.prediction.crossval.folds import FoldPlan, NotEstimableError, plan_folds
from cineseq.prediction.crossval.out_of_fold import workers
from cineseq.statistics.streams import child_seed
from cineseq.text import clean, count, interval, listed, percent

logger = logging.getLogger(__name__)
FEWEST_PAIRS = 200
"""Fewest cells for which a generator is learned; with fewer, means and baselines only."""
ENOUGH_JUDGED = 1000
"""Folds are judged until as many held-out cells were."""


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
    conditions
        Columns of cells, such as class, drug or time, that are given beside the other modality. If the class column is
        among them, cells are also generated under other classes.
    latents
        A representation of expression that was learned elsewhere, one row per cell of the data, indexed by
        ``track_id``; None: principal components learned in the training cells.
    latents_name
        Its name, such as ``X_scVI``.
    crops
        Crops of the cells, for pictures; None without images.
    decoder
        Whether crops are decoded from latents of morphology.
    axis_gene
        Gene along which they are; None: see :func:`cineseq.generative.decoded.decode_study`.
    """

    folds: Folds
    seed: int = 1
    threads: int = 1
    learning: Learning = field(default_factory=Learning)
    components: int = 50
    class_column: str = "condition"
    min_pairs: int = FEWEST_PAIRS
    min_flow: int | None = 1000
    conditions: tuple[str, ...] = ()
    latents: pd.DataFrame | None = None
    latents_name: str = ""
    crops: StoredCrops | None = None
    decoder: bool = False
    axis_gene: str | None = None


@dataclass(frozen=True)
class Generated:
    """What was generated, and how far to believe it. All numbers are of held-out cells.

    Attributes
    ----------
    directions
        One row per direction: ``direction``, ``n``, ``groups``, ``grouped_by``, ``latents``, ``learner`` (chosen for
        most latents), ``sampler``, ``r2`` of the latents together with its interval ``r2_low`` and ``r2_high``,
        ``r2_within_class``, ``r2_class`` (of the class mean alone), ``note``.
    learners
        One row per direction and learner (with ``class_mean`` and ``chosen``): ``targets`` is how many latents it was
        chosen for, over the folds.
    samplers
        One row per direction and sampler: area under the curve of the classifier two-sample test, energy score,
        coverage of 80 and 95 % intervals, whether inner folds have ``chosen`` it, and their scores (``inner_``). The
        sampler ``chosen`` is that of the inner folds of each fold.
    judged
        One row per direction, measure and source (``generated``, ``class_mean``, ``shuffled``, ``real``).
    confusion
        One row per direction, source, true and predicted class: number of ``cells``; the classifier was trained on real
        cells.
    genes
        One row per gene: ``gene``, ``r2``, ``pearson_within_class``, ``variance_ratio`` (of generated to measured
        counts; missing without counts).
    neighbours
        One row per judged cell: real held-out cells that show what was generated from its expression, and its
        ``pair_match_rank`` within its field, see :func:`cineseq.generative.pictures.neighbour_rows`.
    matches
        One row per direction and source (``mean``, ``generated``): median pair-match rank with its null.
    latents
        Real and generated latents of one fold on its axes: ``direction``, ``track_id``, ``source`` (``real``,
        ``generated``), ``class``, ``latent_0``, ``latent_1``, ...
    counterfactuals
        One row per direction, own class, other class and gene or feature: mean ``change`` in
        standard deviations; without rows where the class is not given.
    changed
        Class column under whose other values cells were generated; None where it is not given.
    decoded
        Decoded crops; None where they were not wanted, or there are none.
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
    matches: pd.DataFrame
    latents: pd.DataFrame
    counterfactuals: pd.DataFrame
    decoded: Decoded | None
    models: dict[str, GenerativeModel]
    notes: tuple[str, ...]
    changed: str | None = None


def generate_study(data: PairedData, options: GenerateOptions) -> Generated:
    """Learn and judge the generation of each modality from the other, in held-out groups of cells.

    If nothing is estimable, tables are empty and ``notes`` give the reason.

    Raises
    ------
    UserError
        When the representation of the options does not hold the cells, or a column is missing.
    """
    seen = pd.concat([data.morphology, data.embedding, data.features], axis=1).notna().any(axis=1).to_numpy(bool)
    data = data.subset(seen)
    try:
        sides, expression = _sides(data, options)
        _check_gene(options.axis_gene, expression)
        plan = plan_folds(data.obs, options.folds)
    except NotEstimableError as reason:
        logger.warning("Not estimable: %s.", reason)
        return _not_estimable(f"not estimable: {reason}")
    classes = class_labels(data.obs, options.class_column)
    notes = list(plan.notes)
    enough = len(data.obs) >= options.min_pairs
    if not enough:
        notes.append(
            f"{count(len(data.obs), 'paired cell')} are fewer than {count(options.min_pairs)}: no generator is "
            "learned, only conditional means and baselines."
        )
    if options.latents is not None:
        notes.append(
            f"Expression is represented by {options.latents_name or 'a representation'} of the user, which was learned "
            "elsewhere: whether these cells were among its training cells is not known, and held-out numbers hold only "
            "if they were not."
        )
    facts = known_facts(data.obs, options.conditions, "generative.conditions")
    if options.conditions:
        notes.append(
            f"{listed(options.conditions)} of each cell {'is' if len(options.conditions) == 1 else 'are'} given beside "
            "the other modality, so that conditional means hold what they tell too; shares of variance do not."
        )
    changed = options.class_column if options.class_column in options.conditions else None
    judged = _judged_folds(plan)
    directions = {
        name: Direction.of(name, sides, plan, classes, options.learning, facts=facts, changed=changed)
        for name in DIRECTIONS
    }
    # Every direction and fold; the folds that are judged also draw samples.
    flow = enough and options.min_flow is not None and len(data.obs) >= options.min_flow
    names = (*BASELINES, *([FLOW] if flow else []))
    tasks = [(name, fold) for name in DIRECTIONS for fold in range(plan.folds)]
    calls = (
        joblib.delayed(held_out)(
            directions[name], fold, names if fold in judged else (), child_seed(options.seed, name, str(fold))
        )
        for name, fold in tasks
    )
    done = dict(zip(tasks, workers(options.threads)(calls), strict=True))
    parts = {name: [done[name, fold] for fold in range(plan.folds)] for name in DIRECTIONS}
    samplers = sampler_rows(parts, enough=enough)
    chosen = {row["direction"]: str(row["sampler"]) for row in samplers if row["chosen"]}
    rows = [direction_row(name, found, plan, chosen.get(name)) for name, found in parts.items()]
    places, backward = Places.of(data.obs, classes), DIRECTIONS[1]
    pairs = [
        row for name in DIRECTIONS for row in match_rows(name, parts[name], chosen.get(name), places, options.seed)
    ]
    models = {}
    if enough:
        finals = (
            joblib.delayed(final_model)(directions[name], chosen[name], child_seed(options.seed, name, "final"))
            for name in DIRECTIONS
        )
        for name, made in zip(DIRECTIONS, workers(options.threads)(finals), strict=True):
            card = _card(name, rows, samplers, plan, options) | {
                "genes": sum(map(len, made.target_names if name == DIRECTIONS[0] else made.source_names)),
                "features": sum(map(len, made.source_names if name == DIRECTIONS[0] else made.target_names)),
            }
            models[name] = GenerativeModel(card, {name: made})
    return Generated(
        pd.DataFrame(rows, columns=list(DIRECTION_ROWS)),
        learner_rows(parts),
        pd.DataFrame(samplers, columns=list(SAMPLER_ROWS)),
        judged_rows(parts, classes),
        confusion_rows(parts),
        gene_rows(parts[DIRECTIONS[0]], expression, classes),
        neighbour_rows(parts[backward], chosen.get(backward), places, options.seed),
        match_table(pairs),
        latent_rows(parts, data.obs.index.to_numpy(str), classes),
        counterfactual_rows({name: [part.changes for part in found] for name, found in parts.items()}),
        _decoded(directions[backward], parts[backward], places.names, options),
        models,
        tuple(notes),
        changed,
    )


def report(found: Generated) -> dict[str, Any]:
    """Return the report of the step: sentences and numbers."""
    lines = list(found.notes)
    numbers: dict[str, Any] = {}
    for row in found.directions.to_dict("records"):
        name = str(row["direction"])
        lines.append(
            f"{name.replace('_', ' ')}: {percent(row['r2'])} {interval(row['r2_low'], row['r2_high'], percent)} of the "
            f"variance of {count(row['latents'], 'latent')} in held-out groups by the conditional mean "
            f"({percent(row['r2_within_class'])} within class, {percent(row['r2_class'])} by the class mean alone)."
        )
        numbers |= {f"{name}.{key}": clean(row[key]) for key in ("n", "r2", "r2_low", "r2_high", "r2_within_class")}
    for row in found.samplers.to_dict("records"):
        keys = (*SCORES, "inner_c2st", "inner_energy_score")
        numbers |= {f"{row['direction']}.{row['sampler']}.{key}": clean(row[key]) for key in keys}
    return {"lines": lines, "numbers": numbers}


def _decoded(
    direction: Direction, parts: list[JudgedFold], names: np.ndarray, options: GenerateOptions
) -> Decoded | None:
    """Return decoded crops where they are wanted and there are crops."""
    if not options.decoder or options.crops is None or not len(options.crops.track_id):
        return None
    pixels = Pixels.of(options.crops, names)
    return decode_study(direction, parts, pixels, gene=options.axis_gene, seed=options.seed, threads=options.threads)


def _sides(data: PairedData, options: GenerateOptions) -> tuple[dict[str, Modality], Expression | None]:
    """Return what is known of expression and of morphology, and the expression whose genes are generated.

    Raises
    ------
    NotEstimableError
        When one of them is missing.
    """
    frames = (pd.concat([data.morphology, data.features], axis=1), data.embedding)
    blocks = [block for block in map(frame_block, frames) if block is not None]
    if not blocks:
        msg = "there is neither morphology nor an embedding that varies"
        raise NotEstimableError(msg)
    morphology = Modality(tuple(b.values for b in blocks), tuple(b.names for b in blocks), options.components)
    if options.latents is not None:
        return {"morphology": morphology, "expression": _external(data, options.latents, options.latents_name)}, None
    expression = expression_of(data)
    if expression is None or not expression.log.nnz:
        msg = "there is no expression"
        raise NotEstimableError(msg)
    # No gene that a training fold could keep is left out: it would be detected in enough of its cells.
    least = options.learning.min_detected * len(data.obs) / 2
    kept = np.flatnonzero(expression.log.getnnz(axis=0) >= max(1, least))
    if not len(kept):
        msg = f"no gene is expressed in {percent(options.learning.min_detected, 0)} of the cells"
        raise NotEstimableError(msg)
    countable = expression.kind == "counts" and expression.normalisation == "median"
    totals = np.asarray(expression.counts.sum(axis=1)).ravel()
    genes = Modality(
        (expression.log[:, kept],),
        (tuple(expression.genes[kept].astype(str)),),
        options.components,
        genes=True,
        counts=expression.counts[:, kept] if countable else None,
        libraries=totals,
        typical=float(np.median(totals[totals > 0])) if countable else 0.0,
    )
    return {"morphology": morphology, "expression": genes}, expression.columns(
        np.isin(range(len(expression.genes)), kept)
    )


def _check_gene(gene: str | None, expression: Expression | None) -> None:
    """Raise a :class:`~cineseq.errors.UserError` where the gene of the pictures is none of the counts."""
    if gene is not None and expression is not None and gene not in expression.genes:
        msg = (
            f"generative.axis_gene: '{gene}' is not a gene that is expressed in enough of the paired cells; name one "
            f"such as '{expression.genes[0]}', or null."
        )
        raise UserError(msg)


def _external(data: PairedData, frame: pd.DataFrame, name: str) -> Modality:
    """Return a representation that was learned elsewhere; a UserError where it is not of these cells."""
    name = name or "the representation of expression"
    missing = data.obs.index.difference(frame.index)
    if len(missing):
        msg = f"{name}: it has no row for {count(len(missing), 'cell')} such as '{missing[0]}'; give one row per cell."
        raise UserError(msg)
    values = frame.reindex(data.obs.index).to_numpy(np.float64)
    return Modality((values,), (tuple(map(str, frame.columns)),), values.shape[1])


def _judged_folds(plan: FoldPlan) -> set[int]:
    sizes = np.cumsum(np.bincount(plan.fold))
    return set(range(int(np.searchsorted(sizes, min(ENOUGH_JUDGED, sizes[-1]))) + 1))


def _card(
    name: str, rows: list[dict[str, Any]], samplers: list[dict[str, Any]], plan: FoldPlan, options: GenerateOptions
) -> dict[str, Any]:
    row = next(row for row in rows if row["direction"] == name)
    own = [sampler for sampler in samplers if sampler["direction"] == name]
    best = next(sampler for sampler in own if sampler["chosen"])
    nested = next(sampler for sampler in own if sampler["sampler"] == CHOSEN)
    return {
        "format": FORMAT,
        "cineseq": cineseq.__version__,
        "direction": name,
        "cells": row["n"],
        "groups": plan.groups,
        "grouped_by": plan.grouped_by,
        "folds": plan.folds,
        "learner": row["learner"],
        "sampler": best["sampler"],
        "r2": clean(row["r2"]),
        "r2_within_class": clean(row["r2_within_class"]),
        "c2st": clean(nested["c2st"]),
        "energy_score": clean(nested["energy_score"]),
        "representation": options.latents_name or "principal components",
        "class_column": options.class_column,
        "conditions": listed(list(options.conditions)) if options.conditions else "none",
        "seed": options.seed,
        "learners": listed([*options.learning.learners, AVERAGE, MEAN]),
    }


def _not_estimable(reason: str) -> Generated:
    def blank(columns: tuple[str, ...]) -> pd.DataFrame:
        return pd.DataFrame(columns=list(columns))

    return Generated(
        directions=blank(DIRECTION_ROWS),
        learners=blank(LEARNER_ROWS),
        samplers=blank(SAMPLER_ROWS),
        judged=blank(JUDGED_ROWS),
        confusion=blank(CONFUSION_ROWS),
        genes=blank(GENE_ROWS),
        neighbours=blank(NEIGHBOUR_ROWS),
        matches=blank(MATCH_ROWS),
        latents=blank(("direction", "track_id", "source", "class")),
        counterfactuals=blank(COUNTERFACTUAL_ROWS),
        decoded=None,
        models={},
        notes=(reason,),
    )
