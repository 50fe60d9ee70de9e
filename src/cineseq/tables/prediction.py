"""The contracts of the tables of the prediction of function."""

from cineseq.tables.contract import (
    ABOVE_NULL,
    ESTIMAND,
    FUNCTION,
    FUNCTION_COLUMN,
    GENE,
    GROUPED_BY,
    NOTE,
    POSITION_SHARE,
    SHARES,
    Column,
    P,
    Table,
    columns_by_sample,
    count,
    false_discovery_rate,
    number,
    zero_to_one,
)

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
    "features",
    "both",
    "both_late",
    "both_permuted",
    "nonlinear",
)
"""Rows of ``performance``; ``features`` only with external features, ``nonlinear`` only where it was set."""

CLUSTER_LABELS = "cluster_labels"
"""Model of the labels of clusters that are found in the training cells of each fold."""
COMPARED_MODELS = (*MODELS, "all_morphology", CLUSTER_LABELS)
MODALITIES = ("expression", "morphology", "embedding", "features", "both")
"""Models of what was measured on a cell, of which claims are made."""
ADDED = MODALITIES
"""What is added to the covariates in ``beyond_covariates``; ``both`` is expression and all features of shape."""
P_FOUNDERS = zero_to_one("p_value", "P-value of univariate_rho, which allows for alike cells of a root cell")
VARIANTS = ("headline", "one_standard_error", "with_library_size", "equal_blocks", "cooperative")
PERFORMANCE = Table(
    "performance",
    "Out-of-fold performance of every model of every function, with its null",
    ("function", "model", "estimand"),
    (
        FUNCTION,
        Column("model", "text", "Model", values=MODELS),
        ESTIMAND,
        count("n", "Cells; samples in rows between samples"),
        count("groups", "Groups that outer folds never split"),
        GROUPED_BY,
        number(
            "r2",
            "Out-of-fold R² relative to the training mean; all models but nonlinear add up effects, so it is a lower "
            "bound of what any model could explain",
        ),
        number("r2_low", "Lower end of the 95 % jackknife-t interval over groups"),
        number("r2_high", "Upper end of it"),
        number("r2_null", "Mean R² of the quick procedure in the first permutations of the function"),
        ABOVE_NULL,
        *SHARES,
        number("r2_within_class", "R² of the row within_class of the same model"),
        number("spearman", "Mean Spearman correlation within samples"),
        number("circular_error", "Mean absolute angular error, for circular functions", "turns"),
        P,
        false_discovery_rate("functions, for each model and estimand"),
        count("permutations", "Permutations that the p-value is from"),
        POSITION_SHARE,
        zero_to_one("p_within_class", "P-value of the row within_class of the same model"),
        false_discovery_rate("functions, of the row within_class of the same model", "q_within_class"),
        count("class_permutations", "Permutations of the row within_class of the same model"),
        NOTE,
    ),
)

SAMPLE_PERFORMANCE = Table(
    "sample_performance",
    "Out-of-fold R² of every model of every function, sample by sample",
    ("function", "model", "sample"),
    (
        FUNCTION,
        Column("model", "text", "Model", values=MODELS),
        Column("sample", "text", "Sample"),
        count("n", "Cells"),
        number("r2", "Out-of-fold R² within the sample, relative to the training mean"),
        NOTE,
    ),
)

BY_SAMPLE = Table(
    "by_sample",
    "R² within fields of every model in each sample, their mean, and what one more sample would show",
    ("function", "model", "part", "sample"),
    (
        FUNCTION,
        Column("model", "text", "Model", values=MODELS),
        *columns_by_sample(
            "r2",
            "Out-of-fold R² within fields, relative to the training mean",
            "Groups that the jackknife of a sample leaves out in turn",
            ("fov", "family"),
        ),
    ),
)

MODEL_CONTRASTS = Table(
    "contrasts",
    "Differences of R² between two models, with jackknife-t intervals over groups",
    ("function", "model_a", "model_b", "estimand"),
    (
        FUNCTION,
        Column("model_a", "text", "First model", values=COMPARED_MODELS),
        Column("model_b", "text", "Second model", values=COMPARED_MODELS),
        ESTIMAND,
        number("delta_r2", "R² of model_a minus R² of model_b"),
        number("low", "Lower end of the 95 % jackknife-t interval over groups"),
        number("high", "Upper end of it"),
        NOTE,
    ),
)

BEYOND_COVARIATES = Table(
    "beyond_covariates",
    "What expression and shape add to size, cell cycle and technical covariates as measured, within fields",
    ("function", "added"),
    (
        FUNCTION,
        Column("added", "text", "What is added to the covariates", values=ADDED),
        count("n", "Cells"),
        count("groups", "Groups that outer folds never split"),
        number("r2_covariates", "Out-of-fold R² of the covariates alone, of function minus its field mean"),
        number("r2_joint", "The same of covariates and added columns together"),
        number("delta_r2", "R² of both together minus R² of the covariates"),
        number("low", "Lower end of the 95 % jackknife-t interval over groups of delta_r2"),
        number("high", "Upper end of it"),
        number(
            "delta_null",
            "Mean of partial_r2 when residuals are permuted within strata, times 1 - r2_covariates: delta_r2 by chance",
        ),
        number(
            "partial_r2",
            "Fraction explained of what curves of the covariates leave, which are not penalised; p_value is of it",
        ),
        P,
        false_discovery_rate("functions, for each kind of added columns"),
        count("permutations", "Permutations that the p-value is from"),
        NOTE,
    ),
)

COVARIATES = Table(
    "covariates",
    "Covariates that are taken into account, with their reliability from adjacent frames",
    ("block", "covariate"),
    (
        Column("covariate", "text", "Covariate"),
        Column("block", "text", "Its kind", values=("technical", "cycle", "size")),
        zero_to_one(
            "reliability",
            "Fraction of its variance within fields that is no error of one measurement, from adjacent frames; real "
            "change counts as error",
        ),
        count("cells", "Cells that were measured in two adjacent frames"),
        NOTE,
    ),
)

UNUSED_GROUPS = Table(
    "unused_groups",
    "Declared groups that are in neither folds nor strata: differences by them, and what is left of R² within them",
    ("function", "group", "model"),
    (
        FUNCTION,
        Column("group", "text", "Column of the group, such as plate"),
        Column("model", "text", "Model that r2 and the columns after it are about", values=MODELS),
        Column("within", "text", "Columns whose joint values are the strata of the null"),
        count("n", "Cells"),
        count("levels", "Levels of the group, a missing one included"),
        number("epsilon2", "Share of the variance of function within strata between levels (epsilon squared)"),
        number("epsilon2_low", "Lower end of its 95 % jackknife-t interval over strata"),
        number("epsilon2_high", "Upper end of it"),
        P,
        false_discovery_rate("the groups of the function"),
        number("expression_epsilon2", "The same share for the main components of expression"),
        number("expression_epsilon2_low", "Lower end of its 95 % jackknife-t interval over strata"),
        number("expression_epsilon2_high", "Upper end of it"),
        zero_to_one("expression_p_value", "P-value of expression_epsilon2"),
        false_discovery_rate("the groups, of expression_p_value", "expression_q_value"),
        number("r2", "Out-of-fold R² of the model within fields"),
        number("r2_within_group", "The same where cells are also centred within the levels of the group"),
        number("r2_within_group_low", "Lower end of its 95 % jackknife-t interval over groups of the folds"),
        number("r2_within_group_high", "Upper end of it"),
        number("r2_within_group_null", "Mean R² when the function is permuted within strata and levels"),
        zero_to_one("p_within_group", "P-value of r2_within_group"),
        count("permutations", "Permutations of p_within_group"),
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
        number("frequency", "Fraction of half-samples of the groups in which the elastic net selects the gene"),
        number("sign", "Mean sign of its coefficient over those half-samples, -1 to 1"),
        Column("module", "text", "Module of correlated genes", missing=True),
        number(
            "univariate_rho", "Partial Spearman correlation, adjusted for technical covariates and cell-cycle scores"
        ),
        P_FOUNDERS,
        false_discovery_rate("genes, for each function"),
        number(
            "rho_given_covariates",
            "Partial rank correlation within fields, adjusted for splines of technical covariates, cell cycle and size",
        ),
        zero_to_one(
            "p_given_covariates",
            "P-value of rho_given_covariates, which allows for alike cells of a root cell and for known positions",
        ),
        false_discovery_rate("genes, for each function, of p_given_covariates", "q_given_covariates"),
        Column("is_marker", "truth", "Whether it is a cluster marker", missing=True),
        number("cluster_eta2", "Fraction of the variance of the gene that lies between clusters"),
        GROUPED_BY,
    ),
)

PREDICTIVE_FEATURES = Table(
    "predictive_features",
    "Which shape and embedding features are associated with a function, and how stably",
    ("function", "feature"),
    (
        FUNCTION_COLUMN,
        Column("feature", "text", "Column of morphology or embedding"),
        Column("block", "text", "Block of the feature", values=("morphology", "embedding", "features")),
        number(
            "frequency",
            "Fraction of half-samples of the groups in which the elastic net of its block selects the feature",
        ),
        number("sign", "Mean sign of its coefficient over those half-samples, -1 to 1"),
        Column("module", "text", "Module of correlated features of its block", missing=True),
        number(
            "univariate_rho", "Partial Spearman correlation, adjusted for technical covariates and cell-cycle scores"
        ),
        P_FOUNDERS,
        false_discovery_rate("features of a block, for each function"),
        GROUPED_BY,
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
        number("jaccard", "Jaccard index: genes that are both over genes that are either"),
        number("expected", "Shared genes expected by chance (hypergeometric)"),
        zero_to_one("p_value", "Hypergeometric p-value of at least that overlap"),
        number("p_fewer", "Hypergeometric p-value of at most that overlap"),
        number("expected_matched", "Shared genes expected when genes are replaced by equally expressed ones"),
        number("p_matched", "P-value of at least that overlap among such replacements"),
        number("p_fewer_matched", "P-value of at most that overlap among such replacements"),
        NOTE,
    ),
)

SENSITIVITY = Table(
    "sensitivity",
    "The primary analysis and the alternatives to it, with calibration",
    ("function", "variant", "model"),
    (
        FUNCTION,
        Column("variant", "text", "Alternative; headline is the primary analysis", values=VARIANTS),
        Column("model", "text", "Model", values=COMPARED_MODELS),
        count("n", "Cells"),
        number("r2", "Out-of-fold R² relative to the training mean"),
        number("delta_r2", "R² minus that of the primary analysis"),
        number("low", "Lower end of the 95 % jackknife-t interval over groups of the difference"),
        number("high", "Upper end of it"),
        number("calibration_slope", "Slope of measured on predicted values; below 1 the predictions are too extreme"),
        number("auc", "Area under the ROC curve of out-of-fold predictions, for a function of 0 and 1; chance is 0.5"),
        number("auc_low", "Lower end of its 95 % jackknife-t interval over groups"),
        number("auc_high", "Upper end of it"),
        NOTE,
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
        Column("fold", "integer", "Outer fold that held out the cell", low=0),
        number("measured", "Measured function"),
        number("predicted", "Out-of-fold prediction"),
        number("baseline", "Training mean of that fold"),
    ),
)
