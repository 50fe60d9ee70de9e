"""The contracts of the tables of clustering and differential expression."""

from cineseq.tables.contract import (
    FUNCTION_COLUMN,
    GENE,
    NOTE,
    POSITION_SHARE,
    Column,
    P,
    Table,
    columns_by_sample,
    count,
    false_discovery_rate,
    number,
    zero_to_one,
)

PHASES = ("G1", "S", "G2M")
CLUSTERS = Table(
    "clusters",
    "One row per paired cell: quality, cluster and UMAP",
    ("track_id",),
    (
        Column("track_id", "text", "Cell"),
        Column("cluster", "text", "Leiden cluster; missing for cells that failed quality control", missing=True),
        number("umap_1", "First UMAP coordinate"),
        number("umap_2", "Second UMAP coordinate"),
        Column("pc_*", "number", "Principal component of expression", missing=True),
        number("s_score", "S phase score"),
        number("g2m_score", "G2/M score"),
        Column("phase", "text", "Cell-cycle phase from the scores", missing=True, values=PHASES),
        Column("total_counts", "number", "Counts of the cell", low=0),
        Column("genes_detected", "integer", "Genes with at least one count", low=0),
        Column("mitochondrial_fraction", "number", "Fraction of counts in mitochondrial genes", missing=True),
        Column("multiplet", "truth", "Whether its compartment held more than one cell or barcode", missing=True),
        Column("passes_qc", "truth", "Whether the cell entered clustering"),
        Column("qc_reason", "text", "Why the cell did not enter clustering", missing=True),
    ),
)

VERDICTS = ("shown", "shown_absent", "unresolved", "not_estimable")
_WITHIN = (
    number("epsilon2_low", "Lower end of its 95 % interval, a jackknife over strata"),
    number("epsilon2_high", "Upper end of it"),
    number(
        "epsilon2_upper",
        "Upper end of its one-sided 95 % interval: the larger of the jackknife's and that of normal independent values",
    ),
    count("strata", "Strata with two cells or more"),
    Column(
        "within", "text", "Columns whose joint values are the strata (folds.null_strata); empty for one", missing=True
    ),
)
_VERDICT = (
    number("margin", "Smallest fraction that matters (clusters.absence_margin)"),
    Column(
        "verdict",
        "text",
        "shown where the q-value is at most 0.05 and the interval, where there is one, is above 0; else shown_absent "
        "where epsilon2_upper is below the margin; else unresolved",
        missing=True,
        values=VERDICTS,
    ),
)

FUNCTION_BY_CLUSTER = Table(
    "function_by_cluster",
    "Fraction of the variance of each function that lies between clusters",
    ("function",),
    (
        FUNCTION_COLUMN,
        count("n", "Cells"),
        count("clusters", "Clusters"),
        number(
            "epsilon2", "Fraction of the variance within strata that lies between clusters (epsilon squared), tested"
        ),
        *_WITHIN,
        number("eta2", "Fraction of the variance, also between strata, that lies between clusters (eta squared)"),
        number("eta2_null", "Mean of eta squared in the first permutations of function within strata"),
        number("kruskal_h", "Kruskal-Wallis statistic"),
        P,
        false_discovery_rate("functions"),
        count("permutations", "Permutations that the p-value is from"),
        POSITION_SHARE,
        *_VERDICT,
        NOTE,
    ),
)

FUNCTION_BY_SAMPLE = Table(
    "function_by_sample",
    "Fraction of the variance of each function that lies between clusters in each sample, and in one more",
    ("function", "part", "sample"),
    (
        FUNCTION_COLUMN,
        *columns_by_sample(
            "epsilon2",
            "Fraction of the variance within strata that lies between clusters (epsilon squared)",
            "Strata with two cells or more, which the jackknife leaves out in turn",
            ("stratum",),
        ),
    ),
)

FUNCTION_BY_COMPONENT = Table(
    "function_by_component",
    "Fraction of the variance of each function that each principal component of expression explains",
    ("function", "component"),
    (
        FUNCTION_COLUMN,
        Column("component", "text", "Principal component, named as its column in the clusters table"),
        count("n", "Cells"),
        number(
            "epsilon2",
            "Fraction of the variance within strata that a linear regression on the component explains (epsilon "
            "squared), tested",
        ),
        *_WITHIN,
        number("r2", "Fraction of the variance, also between strata, that a linear regression on it explains"),
        number("r2_null", "Mean of R² in the first permutations of function within strata"),
        P,
        false_discovery_rate("functions and components"),
        count("permutations", "Permutations that the p-value is from"),
        POSITION_SHARE,
        *_VERDICT,
        NOTE,
    ),
)

MARKERS = Table(
    "markers",
    "Differential expression between a group and the other cells, two conditions, or high and low function",
    ("comparison", "group", "gene"),
    (
        Column(
            "comparison", "text", "What is compared: cluster, condition, or the name of a function (high against low)"
        ),
        Column("group", "text", "Group in which the gene is tested"),
        GENE,
        number("auc", "Probability that a cell of the group has a higher value than one outside it"),
        number("log2_fold_change", "Log2 ratio of mean normalised expression", "log2"),
        zero_to_one(
            "p_value", "Wilcoxon rank-sum p-value, corrected for ties; of a pseudobulk test where the note says so"
        ),
        false_discovery_rate("genes of the group"),
        Column("is_marker", "truth", "Whether the q-value and the effect pass the configured thresholds"),
        NOTE,
    ),
)
