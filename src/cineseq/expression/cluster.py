"""The clusters table of a study: quality control, cell cycle, clusters and UMAP, with their report."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from cineseq.config.expression import Clusters
from cineseq.expression.cell_cycle import cycle_scores
from cineseq.expression.function_variance import eta_squared, stratum_word
from cineseq.expression.normalise import Expression
from cineseq.expression.quality_control import mitochondrial_genes, no_counts, quality_of_cells
from cineseq.text import count, interval, number, p_value, percent, readable, significant

logger = logging.getLogger(__name__)

DEPTH_DRIVEN = 0.3
"""If this fraction of the variance of depth lies between clusters, they may be clusters of depth."""
UNSTABLE = 0.6
TRANSCRIPTOME = 2_000
"""From this many genes on, mitochondrial ones are expected."""


@dataclass(frozen=True)
class StudyClusters:
    """The clusters table with its report.

    Attributes
    ----------
    table
        As :data:`cineseq.tables.expression.CLUSTERS`.
    lines
        Sentences for the report.
    numbers
        Named numbers for the report; None where not estimable.
    notices
        Level and text of what a reader must know before the numbers.
    """

    table: pd.DataFrame
    lines: list[str]
    numbers: dict[str, float | int | None]
    notices: list[dict[str, str]] = field(default_factory=list)


def cluster_study(
    track_ids: pd.Index,
    expression: Expression | None,
    settings: Clusters,
    seed: int,
    multiplet: pd.arrays.BooleanArray | None = None,
) -> StudyClusters:
    """Make the clusters table; if the cells cannot be clustered, it is valid and the report gives the reason.

    Parameters
    ----------
    track_ids
        One per cell.
    expression
        Expression of the cells; None without counts.
    settings
        Thresholds and parameters.
    seed
        Seed of every random step.
    multiplet
        Which cells are multiplets, as returned by :func:`cineseq.expression.quality_control.multiplets`; None if
        unknown.
    """
    if expression is None:
        lines = ["There are no counts: clusters are not estimable."]
        none: dict[str, float | int | None] = {"cells": len(track_ids), "cells_passing": 0, "clusters": 0}
        return StudyClusters(_blank(track_ids, no_counts(len(track_ids))), lines, none)
    quality = quality_of_cells(expression.counts, expression.genes, expression.kind, settings, multiplet)
    table = _blank(track_ids, quality)
    passes = quality["passes_qc"].to_numpy(bool)
    lines = [f"The expression values are {expression.meaning}.", _quality_line(quality)]
    notices = _mitochondrial_notices(expression)
    lines += [notice["text"] for notice in notices]
    numbers = {"cells": len(quality), "cells_passing": int(passes.sum()), "genes": len(expression.genes)}
    if passes.sum() < settings.min_cells:
        required = f"clusters.min_cells requires {count(settings.min_cells)}"
        lines.append(f"Clusters are not estimable: {count(passes.sum(), 'cell')} passed, {required}.")
        return StudyClusters(table, lines, {**numbers, "clusters": 0}, notices)
    kept = expression.cells(passes)
    del expression  # so that the expression of a large study is in memory only once
    scores, note = cycle_scores(kept, seed)
    _fill(table, passes, scores)
    lines.append(note)
    found_lines, found_numbers = _fill_clusters(table, kept, passes, settings, seed)
    return StudyClusters(table, lines + found_lines, {**numbers, **found_numbers}, notices)


def _mitochondrial_notices(expression: Expression) -> list[dict[str, str]]:
    """Return a notice where no gene of a transcriptome, or of a panel, is known to be mitochondrial."""
    if expression.kind not in ("counts", "fractional") or mitochondrial_genes(expression.genes).any():
        return []
    text = (
        f"No mitochondrial gene is known among the {count(len(expression.genes), 'gene')} (such as "
        f"'{expression.genes[0]}'), so clusters.max_mitochondrial leaves out no cell. Names such as MT-ND1, "
        "GRCh38_MT-ND1 and the Ensembl identifiers of human and mouse are known."
    )
    logger.warning("%s", text)
    return [{"level": "serious" if len(expression.genes) >= TRANSCRIPTOME else "info", "text": text}]


def _fill_clusters(
    table: pd.DataFrame, kept: Expression, passes: np.ndarray, settings: Clusters, seed: int
) -> tuple[list[str], dict[str, float | int | None]]:
    from cineseq.expression.leiden import find_clusters, resampled_agreement  # noqa: PLC0415 - scanpy is slow

    if min(kept.log.shape) < 3:
        return [f"Clusters are not estimable from {count(kept.log.shape[1], 'gene')}."], {"clusters": 0}
    found = find_clusters(kept, settings, seed)
    columns = {"cluster": pd.array(found.labels, dtype="string")}
    columns |= {f"umap_{k + 1}": found.positions[:, k].astype(float) for k in range(2)}
    columns |= {f"pc_{k + 1}": found.components[:, k] for k in range(found.components.shape[1])}
    _fill(table, passes, pd.DataFrame(columns))
    # Stability over resampled cells, and what depth of sequencing differs between clusters.
    agreement = resampled_agreement(kept, found.labels, settings, seed)
    codes, names = pd.factorize(found.labels)
    totals = table.loc[passes, "total_counts"].to_numpy(float)
    depth = float(eta_squared(np.log1p(totals), codes))
    lines = [
        f"Leiden found {count(len(names), 'cluster')} from {count(len(found.genes), 'gene')} at resolution "
        f"{significant(settings.resolution)}."
    ]
    lines += _stability_lines(agreement) + _depth_lines(depth, kept.kind)
    numbers = {
        "clusters": len(names),
        "clustering_genes": len(found.genes),
        "stability_ari_mean": _finite(agreement.mean() if len(agreement) else np.nan),
        "stability_ari_lowest": _finite(agreement.min() if len(agreement) else np.nan),
        "depth_share_between_clusters": _finite(depth),
    }
    return lines, numbers


def _stability_lines(agreement: np.ndarray) -> list[str]:
    if not len(agreement):
        return []
    line = (
        f"Clusters of {count(len(agreement), 'random subset')} of 80 % of the cells, with genes and components chosen "
        f"anew in each, agree with these clusters at an adjusted Rand index of {number(agreement.mean())} (lowest "
        f"{number(agreement.min())})."
    )
    weak = " They are unstable: read them as a partition of a continuum." if agreement.mean() < UNSTABLE else ""
    return [line + weak]


def _depth_lines(depth: float, kind: str) -> list[str]:
    if kind == "scaled" or not np.isfinite(depth):
        return []
    line = f"{percent(depth, 0)} of the variance of sequencing depth (log total) lies between clusters."
    if depth >= DEPTH_DRIVEN:
        line += " The clusters may be clusters of depth rather than of state; their markers then follow depth."
        logger.warning("%s", line)
    return [line]


def _quality_line(quality: pd.DataFrame) -> str:
    passing = int(quality["passes_qc"].sum())
    failing = quality["qc_reason"].dropna().value_counts()
    why = "; ".join(f"{count(cells)} had {reason}" for reason, cells in sorted(failing.items()))
    line = f"{count(passing)} of {count(len(quality), 'sequenced cell')} passed quality control"
    line += f" ({why})." if why else "."
    known = quality["multiplet"].dropna()
    if known.empty:
        return f"{line} Which of them are multiplets is unknown."
    return f"{line} {count(known.sum())} of {count(len(known), 'cell')} are multiplets by their pairing."


def _blank(track_ids: pd.Index, quality: pd.DataFrame) -> pd.DataFrame:
    cells = len(quality)
    missing = pd.array([pd.NA] * cells, dtype="string")
    nothing = {name: np.full(cells, np.nan) for name in ("umap_1", "umap_2", "s_score", "g2m_score")}
    head = {"track_id": pd.array(track_ids.astype(str), dtype="string"), "cluster": missing, "phase": missing.copy()}
    return pd.concat([pd.DataFrame({**head, **nothing}), quality], axis=1)


def _fill(table: pd.DataFrame, rows: np.ndarray, columns: pd.DataFrame) -> None:
    for name in columns.columns:
        if name not in table:
            table[name] = np.nan
        table.loc[rows, name] = columns[name].to_numpy()


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def between_clusters_lines(shares: pd.DataFrame) -> list[str]:
    """Return one sentence per function on the fraction of its variance within fields between clusters."""
    return [_between_line(row) for _, row in shares.iterrows()]


def _between_line(row: pd.Series) -> str:
    name = readable(row["function"])
    if not np.isfinite(row["epsilon2"]):
        return f"The fraction of the variance of {name} between clusters is {row['note']}."
    unit = stratum_word(row["within"])
    tested = "not tested"
    if np.isfinite(row["p_value"]):
        tested = f"{p_value(row['p_value'])}, {p_value(row['q_value'], 'q')}"
    ends = interval(row["epsilon2_low"], row["epsilon2_high"], percent, named=True)
    cells = f"{count(row['n'], 'cell')} in {count(row['strata'], unit)}"
    meaning = {
        "shown": "It is shown to differ between clusters",
        "shown_absent": f"It is shown not to differ between clusters by {percent(row['margin'])} or more",
        "unresolved": "Neither a difference between clusters nor its absence is shown",
    }[row["verdict"]]
    note = f" ({row['note']})" if row["note"] else ""
    return (
        f"{percent(row['epsilon2'], 1)} of the variance of {name} within {unit}s lies between clusters ({ends}; "
        f"{tested}; {cells}). {meaning}{note}."
    )
