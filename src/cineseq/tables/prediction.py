"""The contracts of the tables that the analyses write; their names and columns are what people build on."""

from cineseq.result_columns import FUNCTION, FUNCTION_COLUMN, GENE, NOTE, P, Q, count, number
from cineseq.tables import Column, Table

PHASES = ("G1", "S", "G2M")
MODELS = (
    "mean",
    "technical",
    "size",
    "cycle",
    "technical_cycle_size",
    "class",
    "expression",
    "morphology",
    "embedding",
    "both",
    "both_late",
    "both_permuted",
)
COMPARED_MODELS = (*MODELS, "all_morphology")
VARIANTS = ("headline", "one_standard_error", "with_library_size", "equal_blocks", "cooperative")
RELATIONS = ("sisters", "cousins", "neighbours")
CONTRASTS = ("sister_died_vs_survived", "no_sister_vs_survived", "unknown_vs_survived", "mate_died_vs_none")
DIRECTIONS = ("morphology_to_expression", "expression_to_morphology")

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
PERFORMANCE = Table(
    "performance",
    "Out-of-fold performance of every model of every function, with its null",
    ("function", "model"),
    (
        FUNCTION,
        Column("model", "text", "Model", values=MODELS),
        count("n", "Cells"),
        count("groups", "Groups that the outer folds keep whole"),
        number("r2", "Out-of-fold R2 against the training mean"),
        number("r2_low", "Lower end of the 95 % group-bootstrap interval"),
        number("r2_high", "Upper end of it"),
        number("r2_within_class", "R2 after centring function and prediction within class"),
        number("spearman", "Mean Spearman correlation within samples"),
        number("circular_error", "Mean absolute angular error, for circular functions", "turns"),
        P,
        Q,
        count("permutations", "Permutations"),
        Column(
            "p_within_class",
            "number",
            "P-value of the R2 within class, from permutations within class",
            missing=True,
            low=0,
            high=1,
        ),
        Column(
            "q_within_class", "number", "Benjamini-Hochberg false discovery rate of it", missing=True, low=0, high=1
        ),
        count("class_permutations", "Permutations within class"),
        NOTE,
    ),
)
SAMPLE_PERFORMANCE = Table(
    "sample_performance",
    "The same R2 sample by sample",
    ("function", "model", "sample"),
    (
        FUNCTION,
        Column("model", "text", "Model", values=MODELS),
        Column("sample", "text", "Sample"),
        count("n", "Cells"),
        number("r2", "Out-of-fold R2 within the sample, against the training mean"),
        NOTE,
    ),
)
MODEL_CONTRASTS = Table(
    "contrasts",
    "Differences of R2 between two models, with group-bootstrap intervals",
    ("function", "model_a", "model_b"),
    (
        FUNCTION,
        Column("model_a", "text", "First model", values=COMPARED_MODELS),
        Column("model_b", "text", "Second model", values=COMPARED_MODELS),
        number("delta_r2", "R2 of a minus R2 of b"),
        number("low", "Lower end of the 95 % group-bootstrap interval"),
        number("high", "Upper end of it"),
        NOTE,
    ),
)
GENES = Table(
    "genes",
    "Which genes predict a function, how stably, and whether they are cluster markers",
    ("function", "gene"),
    (
        FUNCTION_COLUMN,
        GENE,
        number("frequency", "Share of group half-samples in which the elastic net selects the gene"),
        number("sign", "Mean sign of its coefficient over those, -1 to 1"),
        Column("module", "text", "Module of correlated genes", missing=True),
        number("univariate_rho", "Partial Spearman correlation given technical covariates and cell-cycle scores"),
        Q,
        Column("is_marker", "truth", "Whether it is a cluster marker", missing=True),
        number("cluster_eta2", "Share of the gene's variance between clusters"),
    ),
)
MARKER_OVERLAP = Table(
    "marker_overlap",
    "Overlap of the predictive genes with the cluster markers",
    ("function",),
    (
        FUNCTION_COLUMN,
        count("selected", "Genes selected as predictors"),
        count("markers", "Cluster markers"),
        count("shared", "Genes that are both"),
        number("jaccard", "Shared over union"),
        number("expected", "Shared genes expected by chance (hypergeometric)"),
        Column("p_value", "number", "Hypergeometric p-value of at least that overlap", missing=True, low=0, high=1),
        number("p_fewer", "Hypergeometric p-value of at most that overlap"),
        number("expected_matched", "Shared genes expected when genes change places with equally expressed ones"),
        number("p_matched", "P-value of at least that overlap among such draws"),
        number("p_fewer_matched", "P-value of at most that overlap among them"),
        NOTE,
    ),
)
SENSITIVITY = Table(
    "sensitivity",
    "The headline and what other choices would have given, with calibration",
    ("function", "variant", "model"),
    (
        FUNCTION,
        Column("variant", "text", "What was done otherwise", values=VARIANTS),
        Column("model", "text", "Model", values=COMPARED_MODELS),
        count("n", "Cells"),
        number("r2", "Out-of-fold R2 against the training mean"),
        number("delta_r2", "That R2 minus the headline's"),
        number("low", "Lower end of the 95 % group-bootstrap interval of the difference"),
        number("high", "Upper end of it"),
        number("calibration_slope", "Slope of measured on predicted; below 1 the predictions are too extreme"),
        number("auc", "Area under the ROC curve of out-of-fold predictions, of a function of 0 and 1; chance is 0.5"),
        number("auc_low", "Lower end of its 95 % group-bootstrap interval"),
        number("auc_high", "Upper end of it"),
    ),
)
PREDICTIONS = Table(
    "predictions",
    "Out-of-fold predictions, cell by cell",
    ("function", "model", "track_id"),
    (
        FUNCTION_COLUMN,
        Column("model", "text", "Model", values=MODELS),
        Column("track_id", "text", "Cell"),
        Column("fold", "integer", "Outer fold in which the cell was held out", low=0),
        number("measured", "Measured function"),
        number("predicted", "Out-of-fold prediction"),
        number("baseline", "Training mean of that fold"),
    ),
)
GENE_VARIANCE = Table(
    "crossmodal_genes",
    "How much of each gene's variance morphology explains in held-out groups",
    ("gene",),
    (
        GENE,
        number("r2", "Held-out R2 of expression from morphology"),
        number("r2_null", "The same with pairing permuted within class, mean"),
        number("r2_within_class", "R2 after centring within class"),
        number("r2_class", "Held-out R2 of the class mean alone"),
        number("noise_ceiling", "Reliability of the gene by count thinning"),
        P,
        Q,
    ),
)
FEATURE_VARIANCE = Table(
    "crossmodal_features",
    "How much of each shape or embedding feature's variance expression explains in held-out groups",
    ("feature",),
    (
        Column("feature", "text", "Morphology or embedding column"),
        number("r2", "Held-out R2 of the feature from expression"),
        number("r2_null", "The same with pairing permuted within class, mean"),
        number("r2_within_class", "R2 after centring within class"),
        number("r2_class", "Held-out R2 of the class mean alone"),
        P,
        Q,
    ),
)
VARIANCE_SUMMARY = Table(
    "crossmodal_summary",
    "Variance of one modality explained by the other, in total",
    ("direction",),
    (
        Column("direction", "text", "From which modality to which", values=DIRECTIONS),
        count("n", "Cells"),
        count("targets", "Genes or features"),
        number("r2", "Variance-weighted held-out R2"),
        number("low", "Lower end of the 95 % group-bootstrap interval"),
        number("high", "Upper end of it"),
        number("r2_null", "Mean of the within-class shuffled-pairing null"),
        number("r2_within_class", "The same after centring within class"),
        number("r2_class", "Of the class mean alone"),
        P,
        count("permutations", "Permutations"),
        NOTE,
    ),
)
CONCORDANCE = Table(
    "concordance",
    "How often relatives share a fate, against independence",
    ("condition", "relation"),
    (
        Column("condition", "text", "Condition"),
        Column("relation", "text", "Relation", values=RELATIONS),
        count("pairs", "Pairs with both fates known"),
        number("concordance", "Share of pairs with the same fate"),
        number("expected_independent", "The share expected if fates were independent"),
        number("phi", "Phi coefficient"),
        number("phi_low", "Lower end of its 95 % interval"),
        number("phi_high", "Upper end of it"),
        Column(
            "p_value",
            "number",
            "One-sided permutation p-value, (b + 1) / (m + 1): of at least this concordance within strata",
            missing=True,
            low=0,
            high=1,
        ),
        NOTE,
    ),
)
TIMES = Table(
    "times",
    "Correlation of times between relatives",
    ("condition", "relation", "quantity"),
    (
        Column("condition", "text", "Condition"),
        Column("relation", "text", "Relation", values=RELATIONS),
        Column("quantity", "text", "division_time or death_time"),
        count("pairs", "Pairs with both times"),
        number("r", "Pearson correlation"),
        number("low", "Lower end of its 95 % interval"),
        number("high", "Upper end of it"),
        NOTE,
    ),
)
STATE_BY_SISTER = Table(
    "state_by_sister",
    "Whether a state is more frequent in survivors whose sister died",
    ("state", "contrast"),
    (
        Column("state", "text", "State: a cluster, a score's upper half, or a given column's value"),
        Column("contrast", "text", "Contrast of sister status", values=CONTRASTS),
        count("families", "Families with a sequenced survivor in either arm"),
        count("informative", "Families in strata that hold both arms"),
        number("odds_ratio", "Mantel-Haenszel odds ratio within field and birth-time strata"),
        number("low", "Lower end of its 95 % interval; by founder where one has several"),
        number("high", "Upper end of it"),
        number(
            "p_permutation",
            "Permutation of sister status among families within strata; by founder where one has several",
        ),
        number("p_gee", "GEE with family clusters, field effects and birth time"),
        NOTE,
    ),
)
LINEAGE_WARNINGS = Table(
    "lineage_warnings",
    "What could bias the sister analysis, and how much of it there is",
    ("warning", "sample"),
    (
        Column("warning", "text", "Short name of the warning"),
        Column("sample", "text", "Sample, or all"),
        count("cells", "Cells concerned"),
        number("share", "Share of cells concerned"),
        Column("severity", "text", "info, warning or serious", values=("info", "warning", "serious")),
        Column("message", "text", "What it means, in one sentence"),
    ),
)
LINEAGE_POWER = Table(
    "lineage_power",
    "The smallest effect that these families could have shown",
    ("state", "contrast"),
    (
        Column("state", "text", "State"),
        Column("contrast", "text", "Contrast of sister status", values=CONTRASTS),
        count("died", "Informative families whose sister died"),
        count("survived", "Informative families whose sister survived"),
        number("state_rate", "Share with the state where the sister survived"),
        number("detectable_odds_ratio", "Smallest odds ratio above 1 detected with 80 % power at .05"),
        NOTE,
    ),
)
TRUTH = Table(
    "truth",
    "What a run on simulated data recovered of its planted truth",
    ("measure",),
    (
        Column("area", "text", "Step that the measure is about"),
        Column("measure", "text", "Measure"),
        number("planted", "Planted value; missing where there is none"),
        number("recovered", "What the run found"),
        number("low", "Lower end of its interval"),
        number("high", "Upper end of it"),
        NOTE,
    ),
)
TRUE_TRACKS = Table(
    "true_tracks",
    "Which found track is which simulated one, by their masks in the last frame that both are seen in",
    ("track_id",),
    (Column("track_id", "text", "Found track"), Column("true_track_id", "text", "Simulated track")),
)


def all_tables() -> tuple[Table, ...]:
    """Return every declared table, in order of declaration."""
    return tuple(v for v in globals().values() if isinstance(v, Table))
