"""Expression explained by shape, and shape explained by expression: tables and report."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cineseq.config.prediction import Crossmodal
from cineseq.crossmodal.explain import Explained, ExplainOptions, explain
from cineseq.crossmodal.explained_values import Targets, noise_ceiling, single_precision
from cineseq.expression.amplification import reads_warning
from cineseq.expression.normalise import Expression, expression_of
from cineseq.io.paired import PairedData
from cineseq.prediction.crossval.feature_blocks import Block, frame_block, gene_block
from cineseq.prediction.crossval.folds import CrossvalCells, NotEstimableError, cells_of
from cineseq.prediction.crossval.transform import kept_genes
from cineseq.prediction.performance import FEW_GROUPS, FEWEST_GROUPS_FOR_INTERVAL
from cineseq.statistics import ALPHA
from cineseq.statistics.permutation import benjamini_hochberg, coarse
from cineseq.tables.contract import empty
from cineseq.tables.crossmodal import DIRECTIONS, FEATURE_VARIANCE, GENE_VARIANCE
from cineseq.text import count, interval, p_value, percent

logger = logging.getLogger(__name__)
CEILING_WORTH_DIVIDING = 0.2
MISSING_AT_MOST = 0.05
"""Largest fraction of cells in which a feature to explain may be missing."""
BLIND = "genes chosen by detection and variance over all cells, without regard to shape"


@dataclass(frozen=True)
class Decomposition:
    """Variance of each modality that the other explains.

    Attributes
    ----------
    genes, features, summary
        The output tables.
    notes
        Sentences about the method, or the reason why it is not estimable.
    """

    genes: pd.DataFrame
    features: pd.DataFrame
    summary: pd.DataFrame
    notes: tuple[str, ...]


def decompose(data: PairedData, options: ExplainOptions) -> Decomposition:
    """Explain expression by shape and shape by expression in held-out groups.

    If that is not estimable, the tables of genes and features are empty and the summary gives the reason.
    """
    seen = pd.concat([data.morphology, data.embedding, data.features], axis=1).notna().any(axis=1).to_numpy(bool)
    if seen.any():
        logger.info("Kept %d of %d cells whose shape was measured.", seen.sum(), len(seen))
        data = data.subset(seen)
    expression = expression_of(data)
    genes = gene_block(expression)
    measured = map(frame_block, (data.morphology, data.embedding, data.features))
    shapes = [b for b in measured if b is not None]
    try:
        if expression is None or genes is None or not len(data.obs) or not shapes:
            raise NotEstimableError(_lacking(len(data.obs), expression))
        features = _measured(shapes)
        chosen = explained_genes(genes, options.settings)
        values = np.zeros((len(data.obs), 1))
        cells = cells_of(data.obs, values, options.folds, options.settings.class_column)
    except NotEstimableError as reason:
        logger.warning("Not estimable: %s.", reason)
        return _not_estimable(len(data.obs), str(reason))
    return _both_ways(expression, genes, shapes, features, chosen, cells=cells, options=options)


def explained_genes(block: Block, settings: Crossmodal) -> np.ndarray:
    """Return positions of the most variable genes that enough cells express; shape is not used.

    Raises
    ------
    NotEstimableError
        When no gene is left.
    """
    keep = np.flatnonzero(kept_genes(block.values, settings.min_detected, settings.genes))
    if not len(keep):
        msg = f"no gene is expressed in {percent(settings.min_detected, 0)} of the cells"
        raise NotEstimableError(msg)
    return keep


def report(found: Decomposition) -> dict[str, Any]:
    """Return the report of the step: sentences and numbers."""
    lines = list(found.notes)
    numbers: dict[str, float | None] = {}
    for row in found.summary.to_dict("records"):
        direction = str(row["direction"]).replace("_", " ")
        if not np.isfinite(row["r2"]):
            lines.append(f"{direction}: {row['note']}.")
            continue
        lines.append(
            f"{direction}: {percent(row['r2'])} {interval(row['low'], row['high'], percent)} of the variance of "
            f"{count(row['targets'], 'target')} in held-out groups; {percent(row['r2_null'])} with pairing "
            f"shuffled within class ({p_value(row['p_value'])}), {percent(row['r2_class'])} from the class mean alone, "
            f"{percent(row['r2_within_class'])} within class."
        )
        keys = ("r2", "low", "high", "r2_null", "r2_class", "r2_within_class", "p_value")
        numbers |= {f"{row['direction']}.{k}": float(row[k]) if np.isfinite(row[k]) else None for k in keys}
    for name, table in (("genes", found.genes), ("features", found.features)):
        passing = int((table["q_value"] <= ALPHA).sum())
        numbers[f"{name}.explained"], numbers[f"{name}.tested"] = passing, len(table)
        if len(table):
            permutations = int(found.summary["permutations"].iloc[0])
            few = coarse(permutations, table["p_value"].to_numpy(float), name)
            lines.append(
                f"{count(passing)} of {count(len(table))} {name} are explained better than with shuffled pairing "
                f"(q ≤ {ALPHA})" + (f"; {few}." if few else ".")
            )
    good = found.genes[found.genes["noise_ceiling"] > CEILING_WORTH_DIVIDING]
    if len(good):
        fraction = float((good["r2"] / good["noise_ceiling"]).median())
        numbers["genes.median_share_of_ceiling"] = fraction
        lines.append(
            f"Of the variance below the noise ceiling, {percent(fraction)} is explained in the median gene with a "
            f"ceiling above {CEILING_WORTH_DIVIDING} ({count(len(good), 'gene')})."
        )
    return {"lines": lines, "numbers": numbers}


def _both_ways(
    expression: Expression,
    genes: Block,
    shapes: list[Block],
    features: Block,
    chosen: np.ndarray,
    *,
    cells: CrossvalCells,
    options: ExplainOptions,
) -> Decomposition:
    targets = genes.values[:, chosen] - genes.values[:, chosen].mean(axis=0)
    logger.info("Explaining %d genes by %d features in %d cells.", len(chosen), len(features.names), len(targets))
    to_genes = explain(shapes, Targets(targets.astype(np.float32), "variance"), cells, options)
    logger.info("Explaining %d features by %d genes.", len(features.names), len(genes.names))
    to_features = explain([genes], Targets(single_precision(features.values), "equal"), cells, options)
    ceiling, reads = np.full(len(chosen), np.nan), ""
    notes = [*cells.plan.notes, f"The {count(len(chosen))} genes to explain: {BLIND}."]
    if lacking := int(np.isnan(features.values).any(axis=0).sum()):
        notes.append(f"{lacking} features are missing in some cells, which are left out for that feature.")
    if expression.kind == "counts":
        ceiling = noise_ceiling(
            expression.counts, chosen, options.settings.thinnings, options.seed, expression.normalisation
        )
        reads = reads_warning(expression.counts)
        notes += [reads] if reads else []
    else:
        notes.append("The noise ceiling is not estimable: the expression values are not whole counts.")
    by_gene = _rows(to_genes, "gene", np.array(genes.names, object)[chosen]).assign(noise_ceiling=ceiling)
    by_feature = _rows(to_features, "feature", np.array(features.names, object))
    summary = pd.DataFrame(
        [
            {
                "direction": direction,
                "n": len(targets),
                "grouped_by": cells.plan.grouped_by,
                "targets": len(found.r2),
                **found.total,
            }
            for direction, found in zip(DIRECTIONS, (to_genes, to_features), strict=True)
        ]
    )
    few = [FEW_GROUPS] if cells.plan.groups < FEWEST_GROUPS_FOR_INTERVAL else []
    above = ["the noise ceilings of genes are too high, because the counts look like reads"] if reads else []
    notes_of = ["; ".join([BLIND, *few, *above]), FEW_GROUPS if few else None]
    return Decomposition(
        by_gene, by_feature, summary.assign(permutations=options.settings.permutations, note=notes_of), tuple(notes)
    )


def _measured(shapes: list[Block]) -> Block:
    """Return the features measured in nearly all cells; imputed values are not explained.

    Raises
    ------
    NotEstimableError
        When there are none.
    """
    block = Block(np.column_stack([b.values for b in shapes]), tuple(n for b in shapes for n in b.names))
    keep = np.flatnonzero(np.isnan(block.values).mean(axis=0) <= MISSING_AT_MOST)
    if len(keep) < len(block.names):
        logger.info("Left out %d features that are missing in too many cells.", len(block.names) - len(keep))
    if not len(keep):
        msg = f"every feature is missing in more than {percent(MISSING_AT_MOST, 0)} of the cells"
        raise NotEstimableError(msg)
    return Block(block.values[:, keep], tuple(block.names[i] for i in keep))


def _rows(found: Explained, key: str, names: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            key: names,
            "r2": found.r2,
            "r2_null": found.r2_null,
            "r2_within_class": found.r2_within_class,
            "r2_class": found.r2_class,
            "p_value": found.p_value,
            "q_value": benjamini_hochberg(found.p_value),
        }
    )


def _not_estimable(cells: int, reason: str) -> Decomposition:
    numbers = ("r2", "low", "high", "r2_null", "r2_within_class", "r2_class", "p_value")
    summary = pd.DataFrame({"direction": DIRECTIONS, "n": cells, "targets": 0, **dict.fromkeys(numbers, np.nan)})
    summary = summary.assign(permutations=0, note=f"not estimable: {reason}")
    return Decomposition(empty(GENE_VARIANCE), empty(FEATURE_VARIANCE), summary, ())


def _lacking(cells: int, expression: Expression | None) -> str:
    """Return what is missing: cells, counts or shape."""
    if cells == 0:
        return "no paired cell passed quality control"
    if expression is None:
        return "there are no counts"
    return "there is neither morphology nor an embedding"
