"""The contracts of the tables of the cross-modal analysis."""

from cineseq.tables.contract import (
    ABOVE_NULL,
    ESTIMAND,
    GENE,
    GROUPED_BY,
    NOTE,
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

DIRECTIONS = (
    "morphology_to_expression",
    "expression_to_morphology",
    "embedding_to_expression",
    "expression_to_embedding",
)
"""Morphology is shape, with the user's own features; the embedding is apart. The first two are always there."""

_WITHIN = (
    number("r2_within", "Held-out R² of a linear model within fields: both sides centred in each field of a sample"),
    number("r2_within_null", "Mean of r2_within when pairing is permuted within field and class"),
    zero_to_one("p_within", "Permutation p-value of r2_within"),
    false_discovery_rate("genes or features, of p_within", "q_within"),
)
GENE_VARIANCE = Table(
    "crossmodal_genes",
    "Variance of each gene that shape (where none was measured, the embedding) explains in held-out groups",
    ("gene",),
    (
        GENE,
        *_WITHIN,
        number("r2", "Held-out R² of expression predicted from shape, pooled over fields"),
        number("r2_null", "Mean held-out R² when pairing is permuted within class"),
        number("r2_within_class", "Held-out R² after centring within class"),
        number("r2_class", "Held-out R² of the class mean only"),
        number(
            "noise_ceiling",
            "Reliability of the gene, by thinning its counts; too high where reads, not molecules, are counted",
        ),
        P,
        false_discovery_rate("genes"),
    ),
)

FEATURE_VARIANCE = Table(
    "crossmodal_features",
    "Variance of each morphology or embedding feature that expression explains in held-out groups",
    ("feature",),
    (
        Column("feature", "text", "Morphology or embedding column"),
        *_WITHIN,
        number("r2", "Held-out R² of the feature predicted from expression, pooled over fields"),
        number("r2_null", "Mean held-out R² when pairing is permuted within class"),
        number("r2_within_class", "Held-out R² after centring within class"),
        number("r2_class", "Held-out R² of the class mean only"),
        P,
        false_discovery_rate("features"),
    ),
)

VARIANCE_SUMMARY = Table(
    "crossmodal_summary",
    "Variance of one modality explained by the other, in total",
    ("direction", "estimand"),
    (
        Column("direction", "text", "Predicting modality and explained modality", values=DIRECTIONS),
        ESTIMAND,
        count("n", "Cells; samples in rows between samples"),
        GROUPED_BY,
        count("targets", "Genes or features"),
        number(
            "r2", "Held-out R² of a linear model, weighted by variance; a lower bound of what any model could explain"
        ),
        number("low", "Lower end of the 95 % jackknife-t interval over groups"),
        number("high", "Upper end of it"),
        number(
            "r2_null", "Mean R² when pairing is permuted within class; samples are permuted in rows between samples"
        ),
        ABOVE_NULL,
        *SHARES,
        number("r2_within_class", "R² of the row within_class of the same direction"),
        number("r2_class", "Pooled R² of the class mean only"),
        P,
        false_discovery_rate("directions, for each estimand"),
        count("permutations", "Permutations"),
        NOTE,
    ),
)

VARIANCE_BY_SAMPLE = Table(
    "crossmodal_by_sample",
    "Variance within fields that one modality explains of the other in each sample, and what one more would show",
    ("direction", "part", "sample"),
    (
        Column("direction", "text", "Predicting modality and explained modality", values=DIRECTIONS),
        *columns_by_sample(
            "r2",
            "Held-out R² within fields, weighted as in crossmodal_summary",
            "Groups that the jackknife of a sample leaves out in turn",
            ("fov", "family"),
        ),
    ),
)
