"""Predict function from expression, from morphology and from both, in held-out groups of cells.

In: the paired cells and, where they were made, the clusters (cell-cycle scores), their marker genes, and the objects of
every field (reliability of covariates).
Out: performance of every model with its interval and null, also per sample, with what one more sample would show;
differences between models; what is added to the covariates, and how reliable these are; groups in neither folds nor
strata, and what is left of R² within them; selected genes with their stability and their overlap with cluster markers;
calibration and sensitivity to alternative choices; all out-of-fold predictions; figures (model comparison, predicted
against measured, selection of genes, selected genes by cluster, overlap with markers); the report.
"""

import logging
from pathlib import Path

from threadpoolctl import threadpool_limits

from cineseq.config.base import Section
from cineseq.config.expression import Clusters
from cineseq.config.prediction import Folds, Prediction
from cineseq.expression.normalise import expression_of
from cineseq.expression.quality_control import usable_cells
from cineseq.files import write_json
from cineseq.io.adata import read_paired
from cineseq.prediction.crossval.out_of_fold import kept_fits
from cineseq.prediction.figures import draw_model_comparison, draw_scatter
from cineseq.prediction.gene_figures import draw_overlap, draw_selected_by_cluster, draw_selection
from cineseq.prediction.predict import TABLES, predict_functions
from cineseq.prediction.reliability import read_adjacent_frames
from cineseq.prediction.report import report as report_of
from cineseq.prediction.task import PredictionTask
from cineseq.tables.contract import read_table, write_table
from cineseq.tables.expression import CLUSTERS, MARKERS
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step."""

    folds: Folds = Folds()
    prediction: Prediction = Prediction()
    seed: int = 1
    clusters: Clusters = Clusters()
    window_frames: int = 1


def main(
    *,
    paired: Path,
    clusters: Path | None = None,
    markers: Path | None = None,
    objects: list[Path] = [],  # noqa: B006 - never changed; the step adapter wants plain lists
    performance: Path,
    samples: Path,
    by_sample: Path,
    contrasts: Path,
    beyond_covariates: Path,
    unused_groups: Path,
    covariates: Path,
    genes: Path,
    overlap: Path,
    model_sensitivity: Path,
    predictions: Path,
    ladder: Path,
    scatter: Path,
    selection: Path,
    selected_genes: Path,
    overlap_figure: Path,
    report: Path,
    settings: Settings,
    threads: int = 1,
) -> None:
    """Predict every function with every model and write tables, figures and report."""
    data = read_paired(paired, settings.clusters.normalisation)
    cells = None if clusters is None else read_table(clusters, CLUSTERS).set_index("track_id")
    marker_genes = None if markers is None else read_table(markers, MARKERS)
    frames = read_adjacent_frames(objects, data.obs, list(data.morphology.columns)) if objects else None
    task = PredictionTask(
        usable_cells(data, cells),
        cells,
        marker_genes,
        settings.folds,
        settings.prediction,
        settings.seed,
        clustering=settings.clusters,
        frames=frames,
        window_frames=settings.window_frames,
    )
    with threadpool_limits(1), kept_fits(performance) as kept:
        found = predict_functions(task, threads, kept)
    tables = found.tables
    of_models = (performance, samples, by_sample, contrasts, beyond_covariates, unused_groups, covariates)
    files = (*of_models, genes, overlap, model_sensitivity, predictions)
    for (name, table), path in zip(TABLES.items(), files, strict=True):
        write_table(tables[name], path, table)
    draw_model_comparison(tables["performance"], found.comparisons, ladder)
    draw_scatter(found.comparisons, scatter)
    frequency, genes_found = settings.prediction.selected_frequency, tables["genes"]
    draw_selection(genes_found, frequency, selection)
    labels = task.cluster_of_cells
    draw_selected_by_cluster(genes_found, expression_of(task.data), labels, frequency, selected_genes)
    draw_overlap(tables["overlap"], overlap_figure)
    write_json(report_of(tables, found.random_folds, found.notes), report)
    logger.info("Predicted %d of %d functions.", len(found.comparisons), tables["performance"]["function"].nunique())


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
