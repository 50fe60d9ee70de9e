"""Test which genes differ between clusters, between conditions, and between cells of high and low function.

In: the paired data and its clusters. Out: one tidy table of markers with effect, p-value, false discovery rate and a
note on their interpretation; a dot plot of the top cluster markers; a report.
"""

import logging
from pathlib import Path

import pandas as pd

from cineseq.config.base import Section
from cineseq.config.expression import Clusters, DifferentialExpression
from cineseq.expression.figures import draw_markers
from cineseq.expression.markers import (
    cluster_comparisons,
    compare_genes,
    comparison_line,
    condition_comparisons,
    function_comparisons,
    replicates_of,
)
from cineseq.expression.normalise import expression_of
from cineseq.files import write_json
from cineseq.io.adata import read_paired
from cineseq.plotting import write_words
from cineseq.tables.contract import empty, read_table, write_table
from cineseq.tables.expression import CLUSTERS, MARKERS
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step; half of the counts is clustered with the settings of ``clusters``."""

    de: DifferentialExpression = DifferentialExpression()
    clusters: Clusters = Clusters()
    seed: int = 1


def main(
    *, paired: Path, clusters: Path, markers: Path, markers_figure: Path, report: Path, settings: Settings
) -> None:
    """Test every gene in every comparison."""
    data = read_paired(paired, settings.clusters.normalisation)
    found = read_table(clusters, CLUSTERS).set_index("track_id").loc[data.obs.index.astype(str)]
    passes = found["passes_qc"].to_numpy(bool)
    expression = expression_of(data)
    if expression is None or not passes.any():
        _write_nothing(markers, markers_figure, report)
        return
    kept, expression, labels = data.subset(passes), expression.cells(passes), found.loc[passes, "cluster"]
    by_cluster, numbers = cluster_comparisons(
        expression,
        labels,
        settings.de.double_dipping,
        settings.clusters,
        settings.seed,
        carriers=replicates_of(kept.obs),
    )
    comparisons = [
        *by_cluster,
        *condition_comparisons(expression, kept.obs, settings.de.min_profile_cells),
        *function_comparisons(expression, kept.function, kept.obs),
    ]
    tables = [compare_genes(c, settings.de) for c in comparisons]
    lines = [comparison_line(c, t) for c, t in zip(comparisons, tables, strict=True)]
    lines += [] if by_cluster else ["Clusters: not estimable, there are fewer than two."]
    for line in lines:
        logger.info("%s", line)
    table = pd.concat([empty(MARKERS), *(t for t in tables if len(t))], ignore_index=True)
    draw_markers(table, expression, labels, settings.de.top_genes, markers_figure)
    write_table(table, markers, MARKERS)
    numbers["cluster_markers"] = int(table.loc[table["comparison"] == "cluster", "is_marker"].sum())
    write_json({"lines": lines, "numbers": numbers}, report)


def _write_nothing(markers: Path, figure: Path, report: Path) -> None:
    line = "Differential expression is not estimable: no sequenced cell passed quality control."
    logger.warning("%s", line)
    write_words(figure, line)
    write_table(empty(MARKERS), markers, MARKERS)
    write_json({"lines": [line], "numbers": {"cluster_markers": 0}}, report)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
