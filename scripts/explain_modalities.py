"""Explain expression by shape and shape by expression, in held-out groups of cells.

In: the paired cells and, where they were made, the clusters (cells that failed quality control are left out).
Out: R² per gene and per shape or embedding feature, with the null of shuffled pairing; totals of both directions; a
figure; the report.
"""

import logging
from pathlib import Path

from threadpoolctl import threadpool_limits

from cineseq.config.base import Section
from cineseq.config.expression import Normalisation
from cineseq.config.prediction import Crossmodal, Folds
from cineseq.crossmodal.decompose import decompose
from cineseq.crossmodal.decompose import report as report_of
from cineseq.crossmodal.explain import ExplainOptions
from cineseq.crossmodal.figures import draw_explained
from cineseq.expression.quality_control import usable_cells
from cineseq.files import write_json
from cineseq.io.adata import read_paired
from cineseq.tables.contract import read_table, write_table
from cineseq.tables.crossmodal import FEATURE_VARIANCE, GENE_VARIANCE, VARIANCE_BY_SAMPLE, VARIANCE_SUMMARY
from cineseq.tables.expression import CLUSTERS
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step."""

    folds: Folds = Folds()
    crossmodal: Crossmodal = Crossmodal()
    seed: int = 1
    normalisation: Normalisation = "median"


def main(
    *,
    paired: Path,
    clusters: Path | None = None,
    crossmodal_genes: Path,
    crossmodal_features: Path,
    crossmodal_summary: Path,
    crossmodal_by_sample: Path,
    variance: Path,
    report: Path,
    settings: Settings,
    threads: int = 1,
) -> None:
    """Explain each modality by the other and write tables, figure and report."""
    data = read_paired(paired, settings.normalisation)
    cells = None if clusters is None else read_table(clusters, CLUSTERS).set_index("track_id")
    options = ExplainOptions(settings.crossmodal, settings.folds, settings.seed, threads)
    with threadpool_limits(1):
        found = decompose(usable_cells(data, cells), options)
    write_table(found.genes, crossmodal_genes, GENE_VARIANCE)
    write_table(found.features, crossmodal_features, FEATURE_VARIANCE)
    write_table(found.summary, crossmodal_summary, VARIANCE_SUMMARY)
    write_table(found.by_sample, crossmodal_by_sample, VARIANCE_BY_SAMPLE)
    draw_explained(found.genes, found.features, found.summary, variance)
    write_json(report_of(found), report)
    logger.info("Explained %d genes and %d features.", len(found.genes), len(found.features))


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
