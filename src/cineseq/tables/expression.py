"""TODO docstring of cineseq.tables.expression."""

from cineseq.tables.contract import FUNCTION_COLUMN, GENE, NOTE, Column, P, Q, Table, count, number

PHASES = ("G1", "S", "G2M")
CLUSTERS = Table(
    "clusters",
    "One row per paired cell: quality, cluster and map",
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
        Column("multiplet", "truth", "Whether its compartment held more cells or barcodes than one", missing=True),
        Column("passes_qc", "truth", "Whether the cell entered clustering"),
        Column("qc_reason", "text", "Why it did not", missing=True),
    ),
)

FUNCTION_BY_CLUSTER = Table(
    "function_by_cluster",
    "How much of a function's variance lies between clusters",
    ("function",),
    (
        FUNCTION_COLUMN,
        count("n", "Cells"),
        count("clusters", "Clusters"),
        number("eta2", "Share of variance between clusters (eta squared)"),
        number("eta2_null", "Mean of eta squared with function permuted within samples"),
        number("kruskal_h", "Kruskal-Wallis statistic"),
        P,
        Q,
        count("permutations", "Permutations"),
        NOTE,
    ),
)

FUNCTION_BY_COMPONENT = Table(
    "function_by_component",
    "How much of a function's variance goes with each principal component of expression",
    ("function", "component"),
    (
        FUNCTION_COLUMN,
        Column("component", "text", "Principal component, as the column of the clusters table"),
        count("n", "Cells"),
        number("r2", "Share of the function's variance that a straight line on the component explains"),
        number("r2_null", "Mean of it with function permuted within samples"),
        P,
        Q,
        count("permutations", "Permutations"),
        NOTE,
    ),
)

MARKERS = Table(
    "markers",
    "Differential expression of each group against the rest, or between two conditions or function halves",
    ("comparison", "group", "gene"),
    (
        Column("comparison", "text", "What is compared: cluster, condition, or the name of a function (high vs low)"),
        Column("group", "text", "The group whose genes these are"),
        GENE,
        number("auc", "Probability that a cell of the group exceeds one outside"),
        number("log2_fold_change", "Log2 ratio of mean normalised expression", "log2"),
        Column(
            "p_value",
            "number",
            "Wilcoxon rank-sum p-value, tie-corrected; of pseudobulk where the note says so",
            missing=True,
            low=0,
            high=1,
        ),
        Q,
        Column("is_marker", "truth", "Whether q and effect pass the configured thresholds"),
        NOTE,
    ),
)
