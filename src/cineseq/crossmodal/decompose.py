"""Expression explained by shape, and shape explained by expression: tables and report."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from itertools import product
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
from cineseq.prediction.estimands import PRIMARY, gain_text, interval_note, lower_bound, share_text
from cineseq.statistics import ALPHA
from cineseq.statistics.permutation import benjamini_hochberg, coarse
from cineseq.tables.contract import ESTIMANDS, empty
from cineseq.tables.crossmodal import (
    DIRECTIONS,
    FEATURE_VARIANCE,
    GENE_VARIANCE,
    VARIANCE_BY_SAMPLE,
    VARIANCE_SUMMARY,
)
from cineseq.text import clean, count, interval, known, p_value, percent

logger = logging.getLogger(__name__)
CEILING_WORTH_DIVIDING = 0.2
MISSING_AT_MOST = 0.05
"""Largest fraction of cells in which a feature to explain may be missing."""
BLIND = "genes chosen by detection and variance over all cells, without regard to shape"
CEILING_OF_READS = "the noise ceilings of genes are too high, because the counts look like reads"


@dataclass(frozen=True)
class Decomposition:
    """Variance of each modality that the other explains.

    Attributes
    ----------
    genes, features, summary, by_sample
        The output tables.
    notes
        Sentences about the method, or the reason why it is not estimable.
    """

    genes: pd.DataFrame
    features: pd.DataFrame
    summary: pd.DataFrame
    by_sample: pd.DataFrame
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Side:
    """One kind of measurement: its blocks, the features to explain, and how many components stand for them."""

    blocks: list[Block]
    features: Block
    components: int | None


def decompose(data: PairedData, options: ExplainOptions) -> Decomposition:
    """Explain expression by shape and by the embedding, and both by expression, in held-out groups.

    Shape is morphology with the user's own features. The embedding is explained on its principal components. If nothing
    is estimable, the tables of genes and features are empty and the summary gives the reason.
    """
    seen = pd.concat([data.morphology, data.embedding, data.features], axis=1).notna().any(axis=1).to_numpy(bool)
    if seen.any():
        logger.info("Kept %d of %d cells whose shape was measured.", seen.sum(), len(seen))
        data = data.subset(seen)
    expression = expression_of(data)
    genes = gene_block(expression)
    settings = options.settings
    try:
        sides = sides_of(data, settings)
        if expression is None or genes is None or not len(data.obs) or not sides:
            raise NotEstimableError(what_lacks(len(data.obs), expression))
        chosen = explained_genes(genes, settings)
        cells = cells_of(data.obs, np.zeros((len(data.obs), 1)), options.folds, settings.class_column)
    except NotEstimableError as reason:
        logger.warning("Not estimable: %s.", reason)
        return _not_estimable(len(data.obs), str(reason))
    found = _both_ways(expression, genes, sides, chosen, cells=cells, options=options)
    # Samples are numbers in the folds; the table has their names.
    names = dict(zip(cells.sample_labels(), data.obs["sample"].astype(str), strict=True))
    return replace(
        found, by_sample=found.by_sample.assign(sample=found.by_sample["sample"].map(lambda s: names.get(s, s)))
    )


def sides_of(data: PairedData, settings: Crossmodal) -> dict[str, Side]:
    """Return the measurements of images by the names that they have in directions, where there are any.

    Raises
    ------
    NotEstimableError
        When no feature is measured in nearly all cells.
    """
    frames = {
        "morphology": ((data.morphology, data.features), None),
        "embedding": ((data.embedding,), settings.components),
    }
    sides, lacking = {}, []
    for name, (parts, components) in frames.items():
        blocks = [block for block in map(frame_block, parts) if block is not None]
        if not blocks:
            continue
        try:
            sides[name] = Side(blocks, _measured(blocks), components)
        except NotEstimableError as reason:
            lacking.append(reason)
    if lacking and not sides:
        raise lacking[0]
    return sides


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
    numbers: dict[str, Any] = {}
    for direction, rows in found.summary.groupby("direction", sort=False):
        by_estimand = rows.set_index("estimand", drop=False)
        lines.append(_line(str(direction).replace("_", " "), by_estimand))
        keys = ("r2", "low", "high", "r2_null", "share", "p_value", "q_value")
        for name, row in by_estimand.iterrows():
            numbers |= {f"{direction}.{name}.{key}": clean(row[key]) for key in keys}
    for name, table in (("genes", found.genes), ("features", found.features)):
        passing = int((table["q_within"] <= ALPHA).sum())
        numbers[f"{name}.explained"], numbers[f"{name}.tested"] = passing, len(table)
        if len(table):
            permutations = int(found.summary["permutations"].max())
            few = coarse(permutations, table["p_within"].to_numpy(float), name)
            lines.append(
                f"{count(passing)} of {count(len(table))} {name} are explained within fields better than with shuffled "
                f"pairing (q ≤ {ALPHA})" + (f"; {few}." if few else ".")
            )
    good = found.genes[found.genes["noise_ceiling"] > CEILING_WORTH_DIVIDING]
    if len(good):
        fraction = float((good["r2_within"] / good["noise_ceiling"]).median())
        numbers["genes.median_share_of_ceiling"] = clean(fraction)
        lines.append(
            f"Of the variance below the noise ceiling, {percent(fraction)} is explained within fields in the median "
            f"gene with a ceiling above {CEILING_WORTH_DIVIDING} ({count(len(good), 'gene')})."
        )
    return {"lines": lines, "numbers": numbers}


def _line(direction: str, rows: pd.DataFrame) -> str:
    """Return the sentence of one direction: within fields first, then what the other estimands say."""
    main = rows.loc[PRIMARY]
    if not rows["r2"].notna().any():
        return f"{direction}: {main['note']}."
    if known(main["r2"]):
        parts = [
            f"within fields {percent(main['r2'])} {interval(main['low'], main['high'], percent)} of the variance of "
            f"{count(main['targets'], 'target')} in held-out groups, {gain_text(main, 'low', 'high', percent)} "
            f"({p_value(main['p_value'])}, {p_value(main['q_value'], 'q')}); {share_text(main, percent)}; "
            f"{lower_bound()}"
        ]
    else:
        parts = [f"within fields {main['note']}"]
    pooled, in_class, between = (rows.loc[name] for name in ("pooled", "within_class", "between"))
    parts.append(
        f"pooled over fields {percent(pooled['r2'])} ({percent(pooled['r2_null'])} with pairing shuffled within class, "
        f"{percent(pooled['r2_class'])} from the class mean alone)"
    )
    parts.append(f"within class {percent(in_class['r2'])} ({percent(in_class['r2_null'])} with pairing shuffled)")
    if known(between["r2"]):
        parts.append(f"between the means of {count(between['n'], 'sample')} {percent(between['r2'])}")
    return f"{direction}: {'; '.join(parts)}."


def _both_ways(
    expression: Expression,
    genes: Block,
    sides: dict[str, Side],
    chosen: np.ndarray,
    *,
    cells: CrossvalCells,
    options: ExplainOptions,
) -> Decomposition:
    targets = genes.values[:, chosen] - genes.values[:, chosen].mean(axis=0)
    to_genes: dict[str, Explained] = {}
    by_feature: list[pd.DataFrame] = []
    summary: list[dict[str, Any]] = []
    samples: list[dict[str, Any]] = []
    # Both directions for every kind of features: features to genes, and genes to features.
    for name, side in sides.items():
        features = side.features
        logger.info("Explaining %d genes by %d %s features.", len(chosen), len(features.names), name)
        to_genes[name] = explain(
            side.blocks,
            Targets(targets.astype(np.float32), "variance"),
            cells,
            options.of_direction(f"{name}_to_expression"),
        )
        logger.info("Explaining %d %s features by %d genes.", len(features.names), name, len(genes.names))
        if side.components is None:
            wanted = Targets(single_precision(features.values), "equal")
        else:
            wanted = Targets(features.values.astype(np.float32), "variance", components=side.components)
        to_features = explain([genes], wanted, cells, options.of_direction(f"expression_to_{name}"))
        by_feature.append(_rows(to_features, "feature", np.array(features.names, object)))
        for direction, found in ((f"{name}_to_expression", to_genes[name]), (f"expression_to_{name}", to_features)):
            many = {"direction": direction, "targets": len(found.pooled.r2), "n": len(targets)}
            many["grouped_by"] = cells.plan.grouped_by
            summary += [many | row | {"estimand": estimand} for estimand, row in found.total.items()]
            samples += [{"direction": direction} | row for row in found.by_sample]
    if "morphology" not in sides:
        summary += _rows_without(len(targets), "neither morphology nor features were measured").to_dict("records")
    # The share of each gene that is not noise of counting, and what was left out.
    ceiling, notes, reads = _ceiling(expression, chosen, options)
    lacking = sum(int(np.isnan(side.features.values).any(axis=0).sum()) for side in sides.values())
    if lacking:
        notes.insert(0, f"{lacking} features are missing in some cells, which are left out for that feature.")
    notes = [*cells.plan.notes, f"The {count(len(chosen))} genes to explain: {BLIND}.", *notes]
    # Tables of genes, features and directions, with q-values and notes.
    by_gene = _rows(next(iter(to_genes.values())), "gene", np.array(genes.names, object)[chosen])
    features_table = _with_q(pd.concat(by_feature, ignore_index=True))
    few = interval_note(cells.plan.groups)
    of_genes = (BLIND, CEILING_OF_READS) if reads else (BLIND,)
    table = _with_notes(_with_direction_q(pd.DataFrame(summary)), few, of_genes)
    by_sample = pd.DataFrame(samples, columns=list(empty(VARIANCE_BY_SAMPLE).columns))
    genes_table = _with_q(by_gene).assign(noise_ceiling=ceiling)
    return Decomposition(genes_table, features_table, table, by_sample, tuple(notes))


def _ceiling(expression: Expression, chosen: np.ndarray, options: ExplainOptions) -> tuple[np.ndarray, list[str], bool]:
    """Return the noise ceiling of each explained gene, notes on it, and whether the counts look like reads."""
    if expression.kind != "counts":
        note = "The noise ceiling is not estimable: the expression values are not whole counts."
        return np.full(len(chosen), np.nan), [note], False
    thinnings = options.settings.thinnings
    ceiling = noise_ceiling(expression.counts, chosen, thinnings, options.seed, expression.normalisation)
    reads = reads_warning(expression.counts)
    return ceiling, [reads] if reads else [], bool(reads)


def _with_notes(summary: pd.DataFrame, few: str, of_genes: tuple[str, ...]) -> pd.DataFrame:
    """Add to the note of each row how to read explained genes, and that an interval is from few groups."""
    notes = []
    for row in summary.to_dict("records"):
        parts = [row["note"]]
        if known(row["r2"]):
            parts += of_genes if str(row["direction"]).endswith("_to_expression") else ()
            parts += [few] if few and row["estimand"] != "between" else []
        notes.append("; ".join(part for part in parts if isinstance(part, str)) or None)
    return summary.assign(note=notes)


def _with_direction_q(summary: pd.DataFrame) -> pd.DataFrame:
    """Add q-values over the directions of each estimand."""
    q = summary.groupby("estimand")["p_value"].transform(lambda p: benjamini_hochberg(p.to_numpy(float)))
    return summary.assign(q_value=q)


def _with_q(rows: pd.DataFrame) -> pd.DataFrame:
    """Add q-values over all genes or features."""
    adjusted = {
        new: benjamini_hochberg(rows[old].to_numpy(float))
        for new, old in (("q_within", "p_within"), ("q_value", "p_value"))
    }
    return rows.assign(**adjusted)


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
            "r2_within": found.within.r2,
            "r2_within_null": found.within.r2_null,
            "p_within": found.within.p_value,
            "r2": found.pooled.r2,
            "r2_null": found.pooled.r2_null,
            "r2_within_class": found.r2_within_class,
            "r2_class": found.r2_class,
            "p_value": found.pooled.p_value,
        }
    )


def _not_estimable(cells: int, reason: str) -> Decomposition:
    summary = _rows_without(cells, reason)
    return Decomposition(empty(GENE_VARIANCE), empty(FEATURE_VARIANCE), summary, empty(VARIANCE_BY_SAMPLE), ())


def _rows_without(cells: int, reason: str) -> pd.DataFrame:
    """Return the rows of shape without numbers."""
    blank = empty(VARIANCE_SUMMARY)
    keys = pd.DataFrame(product(DIRECTIONS[:2], ESTIMANDS), columns=list(VARIANCE_SUMMARY.key))
    numbers = dict.fromkeys(blank.select_dtypes("float64").columns, np.nan)
    note = {"n": cells, "targets": 0, "permutations": 0, "note": f"not estimable: {reason}"}
    return keys.assign(**numbers, **note)


def what_lacks(cells: int, expression: Expression | None) -> str:
    """Return what is missing: cells, counts or shape."""
    if cells == 0:
        return "no paired cell passed quality control"
    if expression is None:
        return "there are no counts"
    return "there is neither morphology nor an embedding"
