"""Choose the cells to compare and test which genes differ, as a tidy table."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.metrics import adjusted_rand_score

from cineseq.config.expression import Clusters, DifferentialExpression
from cineseq.expression.normalise import Expression, detected_genes, expression_from, thin
from cineseq.expression.pseudobulk import pseudobulk_test, within_samples_test
from cineseq.expression.wilcoxon import log2_fold_changes, rank_sum
from cineseq.statistics.permutation import benjamini_hochberg
from cineseq.text import count, readable

logger = logging.getLogger(__name__)

HELD_OUT = "clustered on one half of the counts, tested on the other"
DOUBLE_DIPPED = (
    "the same counts were clustered and tested: p-values are too small (double dipping), markers rest on the AUC"
)
NOT_FOUND_AGAIN = "not found again on half of the counts: genes ranked on the same counts, none is called a marker"
DESCRIPTIVE = (
    "descriptive: fewer than 3 replicates per condition that have enough cells, and cells are not replicates; none is "
    "called a marker"
)
PSEUDOBULK = "pseudobulk: counts summed by replicate, which are compared; the AUC is that of cells"
NOT_WHOLE = "descriptive: pseudobulk over the replicates needs whole counts; none is called a marker"
HALVES = "upper against lower half of function within each sample"
CELLS_TESTED = "cells tested as if independent"
AS_IF_INDEPENDENT = "descriptive: cells tested as if independent; none is called a marker"
WITHIN = "pseudobulk: both sides summed by replicate, compared within replicates; the AUC is that of cells"
REPLICATES = 3


@dataclass(frozen=True)
class Comparison:
    """Groups of cells to compare, each against the rest.

    Attributes
    ----------
    name
        ``cluster``, ``condition`` or the name of a function.
    groups
        Group of each cell, shape (cells,); missing for cells that are left out.
    expression
        Expression of the same cells.
    note
        How to read the p-values.
    only
        Groups to report; empty for all.
    calls_markers
        Whether genes that pass the thresholds are called markers; otherwise they are only ranked.
    replicates
        Replicate of each cell, shape (cells,), for a pseudobulk test between replicates instead of cells.
    carriers
        Replicate of each cell, shape (cells,), where a replicate may have cells of a group and of the rest. Groups
        with cells in at least three replicates are tested within these by pseudobulk and may then have markers even
        if ``calls_markers`` is false.
    """

    name: str
    groups: pd.Series
    expression: Expression
    note: str
    only: tuple[str, ...] = ()
    calls_markers: bool = True
    replicates: pd.Series | None = None
    carriers: pd.Series | None = None


def replicates_of(obs: pd.DataFrame) -> pd.Series:
    """Return the replicate of each cell: its condition and ``replicate``, or its sample if ``replicate`` is empty."""
    name = obs["replicate"].astype("string").fillna("")
    of_condition = obs["condition"].astype("string").fillna("") + " / " + name
    return of_condition.where(name != "", obs["sample"].astype("string"))


def cluster_comparisons(
    expression: Expression,
    clusters: pd.Series,
    method: str,
    settings: Clusters,
    seed: int,
    *,
    carriers: pd.Series | None = None,
) -> tuple[list[Comparison], dict[str, float]]:
    """Compare clusters, if possible on counts that were not used for clustering.

    Counts are thinned into two halves. One half is clustered like the full counts, and each of its clusters is named
    after the original cluster that it overlaps most. Genes are tested on the other half. Clusters that are not
    found again on half of the counts are tested on the same counts: their genes are ranked, not called markers, and
    the note says so. Thinning removes double dipping if counts are Poisson given the cell's rate; it cannot remove
    clusters of sequencing depth.

    Parameters
    ----------
    expression
        Cells that passed quality control.
    clusters
        Cluster of each cell, shape (cells,).
    method
        ``thin`` or ``warn``.
    settings
        Settings of the clustering step.
    seed
        Seed of the thinning.
    carriers
        Replicate of each cell, to test within replicates; None to test cells.

    Returns
    -------
    comparisons : list of Comparison
    numbers : dict
        Agreement of the clusters of half the counts with those of all counts.
    """
    names = sorted(clusters.dropna().unique())
    if len(names) < 2:
        return [], {}
    naive = Comparison("cluster", clusters, expression, DOUBLE_DIPPED, carriers=carriers)
    if method != "thin" or expression.kind != "counts":
        return [naive], {}
    labels, second_half = _labels_of_half(expression, clusters, settings, seed)
    agreement = float(adjusted_rand_score(clusters.to_numpy(object), labels.to_numpy(object)))
    again = sorted(labels.unique())
    found = [Comparison("cluster", labels, second_half, HELD_OUT, carriers=carriers)] if len(again) > 1 else []
    lost = tuple(name for name in names if name not in again or len(again) < 2)
    if lost:
        logger.warning("Half of the counts did not show clusters %s again; their genes are only ranked.", lost)
        found.append(Comparison("cluster", clusters, expression, NOT_FOUND_AGAIN, lost, calls_markers=False))
    return found, {"half_counts_ari": agreement}


def _labels_of_half(
    expression: Expression, clusters: pd.Series, settings: Clusters, seed: int
) -> tuple[pd.Series, Expression]:
    from cineseq.expression.leiden import cluster_labels  # noqa: PLC0415 - scanpy is slow

    first, second = thin(expression.counts, np.random.default_rng(seed))
    of_first = cluster_labels(_half(first, expression), settings, seed)
    most = pd.crosstab(of_first, clusters.to_numpy(object)).idxmax(axis=1)
    labels = pd.Series(of_first, index=clusters.index).map(most)
    return labels, _half(second, expression)


def _half(counts: sparse.csr_matrix, whole: Expression) -> Expression:
    return expression_from(counts, whole.genes, "counts", whole.normalisation)


def condition_comparisons(expression: Expression, obs: pd.DataFrame, fewest: int) -> list[Comparison]:
    """Compare conditions by pseudobulk if at least two have three replicates of whole counts; else descriptively.

    A replicate with fewer cells than ``fewest`` does not count. Pseudobulk compares only conditions with three
    replicates, and the note names what is left out.
    """
    conditions = obs["condition"].astype("string")
    conditions = conditions.where(conditions != "")
    if conditions.nunique() < 2:
        return []
    replicates = replicates_of(obs)
    large = conditions.groupby([conditions, replicates]).transform("size") >= fewest
    carried = replicates[large].groupby(conditions[large]).nunique().reindex(conditions.dropna().unique(), fill_value=0)
    enough = carried.index[carried >= REPLICATES]
    if len(enough) < 2:
        return [Comparison("condition", conditions, expression, DESCRIPTIVE, calls_markers=False)]
    if expression.kind != "counts":
        return [Comparison("condition", conditions, expression, NOT_WHOLE, calls_markers=False)]
    compared = conditions.where(large & conditions.isin(enough))
    note = PSEUDOBULK
    if others := sorted(set(carried.index) - set(enough)):
        note += f"; without {', '.join(others)}, of fewer than {REPLICATES} replicates"
    if small := int((conditions.isin(enough) & ~large).sum()):
        note += f"; without {small} cells of replicates that have fewer than {fewest}"
    return [Comparison("condition", compared, expression, note, replicates=replicates)]


def function_comparisons(expression: Expression, function: pd.DataFrame, obs: pd.DataFrame) -> list[Comparison]:
    """Compare cells above their sample's median of each function with the other cells of the sample."""
    found, samples, carriers = [], obs["sample"], replicates_of(obs)
    for name in function.columns:
        values = function[name].astype(float)
        median = values.groupby(samples.to_numpy()).transform("median")
        halves = pd.Series(np.where(values > median, "high", "low"), index=values.index, dtype="string")
        halves = halves.where(values.notna())
        if halves.nunique() == 2:
            found.append(Comparison(name, halves, expression, HALVES, calls_markers=False, carriers=carriers))
        else:
            logger.warning("High and low %s cannot be compared: it does not vary within samples.", name)
    return found


def compare_genes(comparison: Comparison, settings: DifferentialExpression) -> pd.DataFrame:
    """Test every detected gene in each large enough group, as :data:`cineseq.tables.expression.MARKERS`."""
    known = comparison.groups.notna().to_numpy()
    groups = comparison.groups[known].astype(str).to_numpy(object)
    sizes = pd.Series(groups).value_counts()
    wanted = comparison.only or tuple(sizes.index)
    tested = sorted(g for g in wanted if settings.min_cells <= sizes.get(g, 0) <= len(groups) - settings.min_cells)
    expression = comparison.expression.cells(known)
    detected = detected_genes(expression.counts, settings.min_detected)
    if not tested or not detected.any():
        logger.warning("No group of comparison %s can be tested (group sizes %s).", comparison.name, sizes.to_dict())
        return pd.DataFrame()
    expression = expression.columns(detected)
    table = rank_sum(expression.log, expression.genes, groups, tested)
    table["log2_fold_change"] = np.nan
    if expression.kind in {"counts", "fractional"}:
        folds = log2_fold_changes(expression.linear, expression.genes, groups, tested)
        table = table.drop(columns="log2_fold_change").merge(folds, on=["group", "gene"], how="left")
    table = table.assign(note=comparison.note, may_mark=comparison.calls_markers)
    if comparison.replicates is not None:
        samples = comparison.replicates[known].to_numpy(object)
        table = _replaced(table, pseudobulk_test(expression.counts, expression.genes, groups, samples, tested))
    elif comparison.carriers is not None:
        cells = pd.DataFrame({"group": groups, "carrier": comparison.carriers[known].to_numpy(object)})
        table = _within(table, expression, cells, comparison.note, settings.min_profile_cells)
    table["q_value"] = table.groupby("group")["p_value"].transform(lambda p: benjamini_hochberg(p.to_numpy()))
    # The replicates may disagree with the pooled cells: a marker must be higher in both.
    up = table["log2_fold_change"].isna() | (table["log2_fold_change"] > 0)
    clear = (table["q_value"] <= settings.fdr) & (table["auc"] >= settings.min_auc)
    table["is_marker"] = clear & up & table["may_mark"]
    return table.drop(columns="may_mark").assign(comparison=comparison.name)


def _within(table: pd.DataFrame, expression: Expression, cells: pd.DataFrame, note: str, fewest: int) -> pd.DataFrame:
    """Test each group that three replicates have cells of within these replicates; leave other groups unchanged."""
    for group in table["group"].unique():
        inside, mine = (cells["group"] == group).to_numpy(bool), table["group"] == group
        sides = pd.crosstab(cells["carrier"], inside)
        both = sides.index[(sides >= fewest).all(axis=1)]
        if expression.kind != "counts" or len(both) < REPLICATES:
            table.loc[mine, "note"] = (
                f"{note}; {CELLS_TESTED if table.loc[mine, 'may_mark'].all() else AS_IF_INDEPENDENT}"
            )
            continue
        rows = cells["carrier"].isin(both).to_numpy(bool)
        carriers = cells.loc[rows, "carrier"].to_numpy(object)
        tests = within_samples_test(expression.counts[rows], expression.genes, inside[rows], carriers, group)
        tested = _replaced(table[mine], tests).assign(note=f"{note}; {WITHIN}", may_mark=True)
        table = pd.concat([table[~mine], tested], ignore_index=True)
    return table


def _replaced(table: pd.DataFrame, tests: pd.DataFrame) -> pd.DataFrame:
    """Replace the effects and p-values of cells in the table by those of replicates."""
    return table.drop(columns=["log2_fold_change", "p_value"]).merge(tests, on=["group", "gene"], how="left")


def comparison_line(comparison: Comparison, table: pd.DataFrame) -> str:
    """Return one sentence with the result of a comparison."""
    of_function = f"High and low {readable(comparison.name)}"
    kind = {"cluster": "Clusters", "condition": "Conditions"}.get(comparison.name, of_function)
    if table.empty:
        return f"{kind}: not estimable, no group has enough cells on both sides."
    counts = table.groupby("group")["is_marker"].sum().sort_index()
    each = ", ".join(f"{group}: {count(genes)}" for group, genes in counts.items())
    how = " | ".join(table["note"].unique())
    return f"{kind}: markers of {count(table['gene'].nunique(), 'tested gene')} by group {each} ({how})."
