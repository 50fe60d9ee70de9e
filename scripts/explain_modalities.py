"""Ask how much of expression is in shape, and how much of shape is in expression, on groups that were held out.

In: the paired cells and, where they were made, the clusters (cells that failed quality control are left out).
Out: R2 per gene and per shape or embedding feature with the null of shuffled pairing, the totals of both directions, a
figure and the report.
"""

import logging
from pathlib import Path

from threadpoolctl import threadpool_limits

from cineseq import results
from cineseq.config.base import Section
from cineseq.config.clustering import Normalisation
from cineseq.config.crossmodal import Crossmodal
from cineseq.config.prediction import Folds
from cineseq.crossmodal.explain import Asked
from cineseq.crossmodal.figures import draw_explained
from cineseq.crossmodal.study import decompose
from cineseq.crossmodal.study import report as report_of
from cineseq.files import write_json
from cineseq.paired import read_paired
from cineseq.prediction.study import usable_cells
from cineseq.step import run
from cineseq.tables import read_table, write_table

logger = logging.getLogger(__name__)


class Settings(Section):
    """What this step is told."""

    folds: Folds = Folds()
    crossmodal: Crossmodal = Crossmodal()
    seed: int = 1
    normalisation: Normalisation = "median"


def main(
    *,
    paired: Path,
    clusters: Path | None = None,
    genes: Path,
    features: Path,
    summary: Path,
    figure: Path,
    report: Path,
    settings: Settings,
    threads: int = 1,
) -> None:
    """Explain each modality by the other and write tables, figure and report."""
    data = read_paired(paired, settings.normalisation)
    cells = None if clusters is None else read_table(clusters, results.CLUSTERS).set_index("track_id")
    asked = Asked(settings.crossmodal, settings.folds, settings.seed, threads)
    with threadpool_limits(1):
        found = decompose(usable_cells(data, cells), asked)
    write_table(found.genes, genes, results.GENE_VARIANCE)
    write_table(found.features, features, results.FEATURE_VARIANCE)
    write_table(found.summary, summary, results.VARIANCE_SUMMARY)
    draw_explained(found.genes, found.features, found.summary, figure)
    write_json(report_of(found), report)
    logger.info("Explained %d genes and %d features.", len(found.genes), len(found.features))


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
