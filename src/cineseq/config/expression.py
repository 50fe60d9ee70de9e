"""Settings of clustering and of differential expression."""

from typing import Literal

from pydantic import Field

from cineseq.config.base import Section

Normalisation = Literal["median", "cp10k", "sqrt"]


class Clusters(Section):
    """Quality control, clustering, and the variance of function between clusters."""

    min_counts: int = Field(200, ge=0, description="Cells with fewer counts fail quality control.")
    min_genes: int = Field(50, ge=0, description="Cells with fewer detected genes fail quality control.")
    max_mitochondrial: float = Field(
        0.3, gt=0, le=1, description="Cells with a larger fraction of mitochondrial counts fail quality control."
    )
    min_cells: int = Field(30, ge=10, description="Fewer cells than this after quality control are not clustered.")
    normalisation: Normalisation = Field(
        "median",
        description="Counts of a cell are scaled to the median total, then log1p (median); to 10,000, then log1p "
        "(cp10k); or to 10,000, then the square root (sqrt). Every analysis of expression uses it.",
    )
    variable_genes: int = Field(
        2000, ge=50, description="Highly variable genes used for clustering; all detected genes if there are fewer."
    )
    components: int = Field(30, ge=2, le=200, description="Principal components of expression.")
    neighbours: int = Field(15, ge=2, le=200, description="Neighbours of each cell in the graph.")
    resolution: float = Field(0.6, gt=0, le=10, description="Leiden resolution; larger makes more clusters.")
    resamples: int = Field(
        10,
        ge=0,
        le=200,
        description="Random subsets of 80 % of the cells that are clustered again to measure stability.",
    )
    permutations: int = Field(
        999,
        ge=0,
        description="First permutations of function within the strata of folds.null_strata, the null of the fraction "
        "of its variance between clusters and along components.",
    )
    most_permutations: int = Field(
        9999,
        ge=0,
        description="Most permutations of a function or component. After the first, more are drawn in growing batches "
        "until ten reach the observed value, or so few that its q-value is at most .05 whatever the others are. 0 "
        "draws the first only.",
    )
    absence_margin: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="Function is shown not to differ between clusters when the upper end of the one-sided 95 % "
        "interval of the fraction of its variance within fields that lies between them is below this.",
    )


class DifferentialExpression(Section):
    """Genes that differ between clusters, between conditions, and between high and low function."""

    double_dipping: Literal["thin", "warn"] = Field(
        "thin",
        description="Cluster on one half of the counts and test on the other (thin), or test the same counts (warn).",
    )
    min_cells: int = Field(10, ge=3, description="Groups with fewer cells are not tested.")
    min_profile_cells: int = Field(
        10,
        ge=1,
        description="Replicates with fewer cells are left out: in total where conditions are compared, in either group "
        "where groups are compared within replicates.",
    )
    min_detected: float = Field(
        0.02, ge=0, lt=1, description="Genes detected in a smaller fraction of the cells are not tested."
    )
    fdr: float = Field(0.05, gt=0, lt=1, description="A marker has a false discovery rate of at most this.")
    min_auc: float = Field(
        0.6, ge=0.5, lt=1, description="A marker exceeds cells outside its group with at least this probability."
    )
    top_genes: int = Field(5, ge=1, le=50, description="Markers drawn per cluster.")
