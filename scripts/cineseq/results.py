"""The contracts of the tables that the analyses write; their names and columns are what people build on."""

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
VARIANTS = ("headline", "one_standard_error", "with_library_size", "equal_blocks", "cooperative")
RELATIONS = ("sisters", "cousins", "neighbours")
CONTRASTS = ("sister_died_vs_survived", "no_sister_vs_survived")
FATE_EVENTS = ("division", "death", "loss", "none")
FATE_LOOKS = ("divided", "died", "alive at the end", "unknown")
DIRECTIONS = ("morphology_to_expression", "expression_to_morphology")

_NOTE = Column("note", "text", "Why a value is missing or how to read it", missing=True)
_P = Column("p_value", "number", "Permutation p-value, (b + 1) / (m + 1)", missing=True, low=0, high=1)
_Q = Column("q_value", "number", "Benjamini-Hochberg false discovery rate", missing=True, low=0, high=1)
_FUNCTION = Column("function", "text", "Function score")
_GENE = Column("gene", "text", "Gene")


def _number(name: str, meaning: str, unit: str = "") -> Column:
    return Column(name, "number", meaning, unit, missing=True)


def _count(name: str, meaning: str) -> Column:
    return Column(name, "integer", meaning, missing=True, low=0)


CLUSTERS = Table(
    "clusters",
    "One row per paired cell: quality, cluster and map",
    ("track_id",),
    (
        Column("track_id", "text", "Cell"),
        Column("cluster", "text", "Leiden cluster; missing for cells that failed quality control", missing=True),
        _number("umap_1", "First UMAP coordinate"),
        _number("umap_2", "Second UMAP coordinate"),
        Column("pc_*", "number", "Principal component of expression", missing=True),
        _number("s_score", "S phase score"),
        _number("g2m_score", "G2/M score"),
        Column("phase", "text", "Cell-cycle phase from the scores", missing=True, values=PHASES),
        Column("total_counts", "number", "Counts of the cell", low=0),
        Column("genes_detected", "integer", "Genes with at least one count", low=0),
        Column("mitochondrial_fraction", "number", "Fraction of counts in mitochondrial genes", missing=True),
        Column("passes_qc", "truth", "Whether the cell entered clustering"),
        Column("qc_reason", "text", "Why it did not", missing=True),
    ),
)
FUNCTION_BY_CLUSTER = Table(
    "function_by_cluster",
    "How much of a function's variance lies between clusters",
    ("function",),
    (
        _FUNCTION,
        _count("n", "Cells"),
        _count("clusters", "Clusters"),
        _number("eta2", "Share of variance between clusters (eta squared)"),
        _number("eta2_null", "Mean of eta squared with function permuted within samples"),
        _number("kruskal_h", "Kruskal-Wallis statistic"),
        _P,
        _Q,
        _count("permutations", "Permutations"),
        _NOTE,
    ),
)
MARKERS = Table(
    "markers",
    "Differential expression of each group against the rest, or between two conditions or function halves",
    ("comparison", "group", "gene"),
    (
        Column("comparison", "text", "What is compared: cluster, condition, or the name of a function (high vs low)"),
        Column("group", "text", "The group whose genes these are"),
        _GENE,
        _number("auc", "Probability that a cell of the group exceeds one outside"),
        _number("log2_fold_change", "Log2 ratio of mean normalised expression", "log2"),
        Column("p_value", "number", "Wilcoxon rank-sum p-value, tie-corrected", missing=True, low=0, high=1),
        _Q,
        Column("is_marker", "truth", "Whether q and effect pass the configured thresholds"),
        _NOTE,
    ),
)
PERFORMANCE = Table(
    "performance",
    "Out-of-fold performance of every model of every function, with its null",
    ("function", "model"),
    (
        _FUNCTION,
        Column("model", "text", "Model", values=MODELS),
        _count("n", "Cells"),
        _count("groups", "Groups that the outer folds keep whole"),
        _number("r2", "Out-of-fold R2 against the training mean"),
        _number("r2_low", "Lower end of the 95 % group-bootstrap interval"),
        _number("r2_high", "Upper end of it"),
        _number("r2_within_class", "R2 after centring function and prediction within class"),
        _number("spearman", "Mean Spearman correlation within samples"),
        _number("circular_error", "Mean absolute angular error, for circular functions", "turns"),
        _P,
        _Q,
        _count("permutations", "Permutations"),
        _NOTE,
    ),
)
SAMPLE_PERFORMANCE = Table(
    "sample_performance",
    "The same R2 sample by sample",
    ("function", "model", "sample"),
    (
        _FUNCTION,
        Column("model", "text", "Model", values=MODELS),
        Column("sample", "text", "Sample"),
        _count("n", "Cells"),
        _number("r2", "Out-of-fold R2 within the sample, against the training mean"),
        _NOTE,
    ),
)
MODEL_CONTRASTS = Table(
    "contrasts",
    "Differences of R2 between two models, with group-bootstrap intervals",
    ("function", "model_a", "model_b"),
    (
        _FUNCTION,
        Column("model_a", "text", "First model", values=MODELS),
        Column("model_b", "text", "Second model", values=MODELS),
        _number("delta_r2", "R2 of a minus R2 of b"),
        _number("low", "Lower end of the 95 % group-bootstrap interval"),
        _number("high", "Upper end of it"),
        _NOTE,
    ),
)
GENES = Table(
    "genes",
    "Which genes predict a function, how stably, and whether they are cluster markers",
    ("function", "gene"),
    (
        _FUNCTION,
        _GENE,
        _number("frequency", "Share of group half-samples in which the elastic net selects the gene"),
        _number("sign", "Mean sign of its coefficient over those, -1 to 1"),
        Column("module", "text", "Module of correlated genes", missing=True),
        _number("univariate_rho", "Partial Spearman correlation given the technical covariates"),
        _Q,
        Column("is_marker", "truth", "Whether it is a cluster marker", missing=True),
        _number("cluster_eta2", "Share of the gene's variance between clusters"),
    ),
)
MARKER_OVERLAP = Table(
    "marker_overlap",
    "Overlap of the predictive genes with the cluster markers",
    ("function",),
    (
        _FUNCTION,
        _count("selected", "Genes selected as predictors"),
        _count("markers", "Cluster markers"),
        _count("shared", "Genes that are both"),
        _number("jaccard", "Shared over union"),
        _number("expected", "Shared genes expected by chance (hypergeometric)"),
        Column("p_value", "number", "Hypergeometric p-value of at least that overlap", missing=True, low=0, high=1),
        _number("p_fewer", "Hypergeometric p-value of at most that overlap"),
        _number("expected_matched", "Shared genes expected when genes change places with equally expressed ones"),
        _number("p_matched", "P-value of at least that overlap among such draws"),
        _number("p_fewer_matched", "P-value of at most that overlap among them"),
        _NOTE,
    ),
)
SENSITIVITY = Table(
    "sensitivity",
    "The headline and what other choices would have given, with calibration",
    ("function", "variant", "model"),
    (
        _FUNCTION,
        Column("variant", "text", "What was done otherwise", values=VARIANTS),
        Column("model", "text", "Model", values=MODELS),
        _count("n", "Cells"),
        _number("r2", "Out-of-fold R2 against the training mean"),
        _number("delta_r2", "That R2 minus the headline's"),
        _number("low", "Lower end of the 95 % group-bootstrap interval of the difference"),
        _number("high", "Upper end of it"),
        _number("calibration_slope", "Slope of measured on predicted; below 1 the predictions are too extreme"),
    ),
)
PREDICTIONS = Table(
    "predictions",
    "Out-of-fold predictions, cell by cell",
    ("function", "model", "track_id"),
    (
        _FUNCTION,
        Column("model", "text", "Model", values=MODELS),
        Column("track_id", "text", "Cell"),
        Column("fold", "integer", "Outer fold in which the cell was held out", low=0),
        _number("measured", "Measured function"),
        _number("predicted", "Out-of-fold prediction"),
        _number("baseline", "Training mean of that fold"),
    ),
)
GENE_VARIANCE = Table(
    "crossmodal_genes",
    "How much of each gene's variance morphology explains in held-out groups",
    ("gene",),
    (
        _GENE,
        _number("r2", "Held-out R2 of expression from morphology"),
        _number("r2_null", "The same with pairing permuted within class, mean"),
        _number("r2_within_class", "R2 after centring within class"),
        _number("r2_class", "Held-out R2 of the class mean alone"),
        _number("noise_ceiling", "Reliability of the gene by count thinning"),
        _P,
        _Q,
    ),
)
FEATURE_VARIANCE = Table(
    "crossmodal_features",
    "How much of each shape or embedding feature's variance expression explains in held-out groups",
    ("feature",),
    (
        Column("feature", "text", "Morphology or embedding column"),
        _number("r2", "Held-out R2 of the feature from expression"),
        _number("r2_null", "The same with pairing permuted within class, mean"),
        _number("r2_within_class", "R2 after centring within class"),
        _number("r2_class", "Held-out R2 of the class mean alone"),
        _P,
        _Q,
    ),
)
VARIANCE_SUMMARY = Table(
    "crossmodal_summary",
    "Variance of one modality explained by the other, in total",
    ("direction",),
    (
        Column("direction", "text", "From which modality to which", values=DIRECTIONS),
        _count("n", "Cells"),
        _count("targets", "Genes or features"),
        _number("r2", "Variance-weighted held-out R2"),
        _number("low", "Lower end of the 95 % group-bootstrap interval"),
        _number("high", "Upper end of it"),
        _number("r2_null", "Mean of the within-class shuffled-pairing null"),
        _number("r2_within_class", "The same after centring within class"),
        _number("r2_class", "Of the class mean alone"),
        _P,
        _count("permutations", "Permutations"),
        _NOTE,
    ),
)
CONCORDANCE = Table(
    "concordance",
    "How often relatives share a fate, against independence",
    ("condition", "relation"),
    (
        Column("condition", "text", "Condition"),
        Column("relation", "text", "Relation", values=RELATIONS),
        _count("pairs", "Pairs with both fates known"),
        _number("concordance", "Share of pairs with the same fate"),
        _number("expected_independent", "The share expected if fates were independent"),
        _number("phi", "Phi coefficient"),
        _number("phi_low", "Lower end of its 95 % interval"),
        _number("phi_high", "Upper end of it"),
        _P,
        _NOTE,
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
        _count("pairs", "Pairs with both times"),
        _number("r", "Pearson correlation"),
        _number("low", "Lower end of its 95 % interval"),
        _number("high", "Upper end of it"),
        _NOTE,
    ),
)
STATE_BY_SISTER = Table(
    "state_by_sister",
    "Whether a state is more frequent in survivors whose sister died",
    ("state", "contrast"),
    (
        Column("state", "text", "State: a cluster, a score's upper half, or a given column's value"),
        Column("contrast", "text", "Contrast of sister status", values=CONTRASTS),
        _count("families", "Families with a sequenced survivor in either arm"),
        _count("informative", "Families in strata that hold both arms"),
        _number("odds_ratio", "Mantel-Haenszel odds ratio within field and birth-time strata"),
        _number("low", "Lower end of its 95 % interval"),
        _number("high", "Upper end of it"),
        _number("p_permutation", "Permutation of sister status among families within strata"),
        _number("p_gee", "GEE with family clusters, field effects and birth time"),
        _NOTE,
    ),
)
LINEAGE_WARNINGS = Table(
    "lineage_warnings",
    "What could bias the sister analysis, and how much of it there is",
    ("warning", "sample"),
    (
        Column("warning", "text", "Short name of the warning"),
        Column("sample", "text", "Sample, or all"),
        _count("cells", "Cells concerned"),
        _number("share", "Share of cells concerned"),
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
        _count("died", "Informative families whose sister died"),
        _count("survived", "Informative families whose sister survived"),
        _number("state_rate", "Share with the state where the sister survived"),
        _number("detectable_odds_ratio", "Smallest odds ratio above 1 detected with 80 % power at .05"),
        _NOTE,
    ),
)
LINEAGE_SENSITIVITY = Table(
    "lineage_sensitivity",
    "How far errors could move the odds ratio of a state, sister died against survived",
    ("state", "error"),
    (
        Column("state", "text", "State"),
        Column("error", "text", "What may be wrong", values=("death_calls", "pairing", "unknown_fates")),
        _count("families", "Families that it may concern"),
        _number("odds_ratio", "The odds ratio as measured"),
        _number("least", "The least that it could be"),
        _number("most", "The most that it could be"),
        _NOTE,
    ),
)
HERITABLE_GENES = Table(
    "heritable_genes",
    "Genes by how alike their expression is in sisters",
    ("gene",),
    (
        _GENE,
        _count("pairs", "Pairs of sequenced sisters"),
        _number("icc", "Correlation within pairs about the mean of field and birth-time strata"),
        _number("icc_null", "Its mean when sisters change partners within strata"),
        _P,
        _Q,
        _NOTE,
    ),
)
GENES_BY_SISTER = Table(
    "genes_by_sister",
    "Genes by what became of the sister",
    ("gene",),
    (
        _GENE,
        _count("died", "Informative families whose sister died"),
        _count("survived", "Informative families whose sister survived"),
        _number("difference", "Mean log expression where the sister died less where she survived, in strata"),
        _P,
        _Q,
        _NOTE,
    ),
)
FATE_INCIDENCE = Table(
    "fate_incidence",
    "How many cells born in sight had divided, died or been lost by each age, as competing risks",
    ("condition", "event", "time"),
    (
        Column("condition", "text", "Condition"),
        Column("event", "text", "What happened; none: nothing yet", values=FATE_EVENTS),
        _number("time", "Time since birth, in the unit beside it"),
        Column("unit", "text", "h or frames"),
        _count("at_risk", "Cells still followed at this age"),
        _number("incidence", "Aalen-Johansen cumulative incidence; for none, the share left"),
        _number("low", "Lower end of its 95 % interval, families resampled"),
        _number("high", "Upper end of it"),
        _NOTE,
    ),
)
KINSHIP_FADING = Table(
    "kinship_fading",
    "How the likeness of relatives fades with distance in the tree",
    ("condition", "generations", "quantity"),
    (
        Column("condition", "text", "Condition"),
        _count("generations", "Generations to the common ancestor: 1 sisters, 2 cousins; 0 unrelated neighbours"),
        Column("quantity", "text", "fate (death against division), division_time or death_time"),
        _count("pairs", "Pairs with both values"),
        _number("r", "Correlation of the two members of pairs"),
        _number("low", "Lower end of its 95 % interval"),
        _number("high", "Upper end of it"),
        _NOTE,
    ),
)
FATE_PAIRS = Table(
    "fate_pairs",
    "Which ends the two sisters of a pair had",
    ("condition", "fate", "sister_fate"),
    (
        Column("condition", "text", "Condition"),
        Column("fate", "text", "End of one sister", values=FATE_LOOKS),
        Column("sister_fate", "text", "End of the other", values=FATE_LOOKS),
        _count("pairs", "Pairs of sisters"),
        _number("expected", "Pairs expected if sisters were independent within the condition"),
    ),
)
TRUTH = Table(
    "truth",
    "What a run on simulated data recovered of its planted truth",
    ("measure",),
    (
        Column("area", "text", "Step that the measure is about"),
        Column("measure", "text", "Measure"),
        _number("planted", "Planted value; missing where there is none"),
        _number("recovered", "What the run found"),
        _number("low", "Lower end of its interval"),
        _number("high", "Upper end of it"),
        _NOTE,
    ),
)


def all_tables() -> tuple[Table, ...]:
    """Return every declared table, in order of declaration."""
    return tuple(v for v in globals().values() if isinstance(v, Table))
