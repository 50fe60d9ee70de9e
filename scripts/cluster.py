"""Quality control, normalisation, clusters and UMAP of the sequenced cells, and the association of function with them.

In: the paired data. Out: one row per cell with quality, cluster, UMAP, components and cell cycle; the fraction of each
function's variance within fields that lies between clusters and along each principal component, with its null and its
interval; the UMAP and the quality control as figures; a report.
"""

import logging
from pathlib import Path

from cineseq.config.base import Section
from cineseq.config.expression import Clusters
from cineseq.config.prediction import Folds
from cineseq.expression.cluster import between_clusters_lines, cluster_study
from cineseq.expression.clusters_by_sample import function_by_sample as by_sample
from cineseq.expression.exchange import Exchange
from cineseq.expression.figures import draw_quality, draw_umap
from cineseq.expression.function_variance import component_lines, variance_along_components, variance_between_clusters
from cineseq.expression.normalise import expression_of
from cineseq.expression.quality_control import multiplets
from cineseq.files import write_json
from cineseq.io.adata import read_paired
from cineseq.prediction.crossval.labels import family_labels, group_columns, joint_labels, known_positions
from cineseq.tables.contract import FIELD, write_table
from cineseq.tables.expression import CLUSTERS, FUNCTION_BY_CLUSTER, FUNCTION_BY_COMPONENT, FUNCTION_BY_SAMPLE
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step."""

    clusters: Clusters = Clusters()
    folds: Folds = Folds()
    seed: int = 1


def main(
    *,
    paired: Path,
    clusters: Path,
    function_by_cluster: Path,
    function_by_sample: Path,
    function_by_component: Path,
    umap: Path,
    quality: Path,
    report: Path,
    settings: Settings,
) -> None:
    """Cluster the sequenced cells and measure the fraction of function's variance between clusters."""
    data = read_paired(paired, settings.clusters.normalisation)
    study = cluster_study(data.obs.index, expression_of(data), settings.clusters, settings.seed, multiplets(data.obs))
    function, samples = data.function.reset_index(drop=True), data.obs["sample"].reset_index(drop=True)
    within, asked = settings.folds.null_strata, settings.clusters
    strata = joint_labels(data.obs, group_columns(data.obs, within, "folds.null_strata"))
    families = family_labels(data.obs)
    exchange = Exchange(
        strata,
        families,
        asked.permutations,
        settings.seed,
        tuple(within),
        asked.absence_margin,
        asked.most_permutations,
        known_positions(data.obs) if settings.folds.position_null else None,
        joint_labels(data.obs, list(FIELD)),
    )
    shares = variance_between_clusters(function, study.table["cluster"], exchange)
    each = by_sample(function, study.table["cluster"], samples, exchange)
    along = variance_along_components(function, study.table.filter(regex=r"^pc_\d+$"), exchange)
    lines = study.lines + between_clusters_lines(shares) + component_lines(along)
    for line in lines:
        logger.info("%s", line)
    draw_umap(study.table, samples, function, umap)
    draw_quality(study.table, samples, quality)
    write_table(shares, function_by_cluster, FUNCTION_BY_CLUSTER)
    write_table(each, function_by_sample, FUNCTION_BY_SAMPLE)
    write_table(along, function_by_component, FUNCTION_BY_COMPONENT)
    write_table(study.table, clusters, CLUSTERS)
    write_json({"lines": lines, "numbers": study.numbers, "notices": study.notices}, report)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
