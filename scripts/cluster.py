"""Quality control, normalisation, clusters and map of the sequenced cells, and function against clusters.

In: the paired data. Out: one row per cell with quality, cluster, map, components and cell cycle; how much of each
function's variance lies between clusters and goes with each principal component, with its null; the map and the
quality control as figures; a report.
"""

import logging
from pathlib import Path

from cineseq import results
from cineseq.clustering.counts import expression_of
from cineseq.clustering.figures import draw_map, draw_quality
from cineseq.clustering.function_component import component_lines, share_along_components
from cineseq.clustering.function_share import share_between_clusters
from cineseq.clustering.quality import multiplets
from cineseq.clustering.study import cluster_study, share_lines
from cineseq.config.base import Section
from cineseq.config.clustering import Clusters
from cineseq.files import write_json
from cineseq.paired import read_paired
from cineseq.prediction.folds import family_labels
from cineseq.step import run
from cineseq.tables import write_table

logger = logging.getLogger(__name__)


class Settings(Section):
    """What this step is told."""

    clusters: Clusters = Clusters()
    seed: int = 1


def main(
    *,
    paired: Path,
    clusters: Path,
    function_by_cluster: Path,
    function_by_component: Path,
    umap: Path,
    quality: Path,
    report: Path,
    settings: Settings,
) -> None:
    """Cluster the sequenced cells and measure how much of function lies between clusters."""
    data = read_paired(paired, settings.clusters.normalisation)
    study = cluster_study(data.obs.index, expression_of(data), settings.clusters, settings.seed, multiplets(data.obs))
    function, samples = data.function.reset_index(drop=True), data.obs["sample"].reset_index(drop=True)
    families, drawn = family_labels(data.obs), (settings.clusters.permutations, settings.seed)
    shares = share_between_clusters(function, study.table["cluster"], samples, *drawn, families=families)
    components = study.table.filter(regex=r"^pc_\d+$")
    along = share_along_components(function, components, samples, *drawn, families=families)
    lines = study.lines + share_lines(shares) + component_lines(along)
    for line in lines:
        logger.info("%s", line)
    draw_map(study.table, samples, function, umap)
    draw_quality(study.table, samples, quality)
    write_table(shares, function_by_cluster, results.FUNCTION_BY_CLUSTER)
    write_table(along, function_by_component, results.FUNCTION_BY_COMPONENT)
    write_table(study.table, clusters, results.CLUSTERS)
    write_json({"lines": lines, "numbers": study.numbers}, report)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
