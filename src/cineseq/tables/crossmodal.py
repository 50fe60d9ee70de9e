"""The contracts of the tables of the cross-modal analysis."""

from cineseq.tables.contract import GENE, GROUPED_BY, NOTE, Column, P, Q, Table, count, number

DIRECTIONS = ("morphology_to_expression", "expression_to_morphology")
GENE_VARIANCE = Table(
    "crossmodal_genes",
    "Variance of each gene that morphology explains in held-out groups",
    ("gene",),
    (
        GENE,
        number("r2", "Held-out R² of expression predicted from morphology"),
        number("r2_null", "Mean held-out R² when pairing is permuted within class"),
        number("r2_within_class", "Held-out R² after centring within class"),
        number("r2_class", "Held-out R² of the class mean only"),
        number(
            "noise_ceiling",
            "Reliability of the gene, by thinning its counts; too high where reads, not molecules, are counted",
        ),
        P,
        Q,
    ),
)

FEATURE_VARIANCE = Table(
    "crossmodal_features",
    "Variance of each morphology or embedding feature that expression explains in held-out groups",
    ("feature",),
    (
        Column("feature", "text", "Morphology or embedding column"),
        number("r2", "Held-out R² of the feature predicted from expression"),
        number("r2_null", "Mean held-out R² when pairing is permuted within class"),
        number("r2_within_class", "Held-out R² after centring within class"),
        number("r2_class", "Held-out R² of the class mean only"),
        P,
        Q,
    ),
)

VARIANCE_SUMMARY = Table(
    "crossmodal_summary",
    "Variance of one modality explained by the other, in total",
    ("direction",),
    (
        Column("direction", "text", "Predicting modality and explained modality", values=DIRECTIONS),
        count("n", "Cells"),
        GROUPED_BY,
        count("targets", "Genes or features"),
        number("r2", "Held-out R², weighted by variance"),
        number("low", "Lower end of the 95 % group-bootstrap interval"),
        number("high", "Upper end of it"),
        number("r2_null", "Mean R² when pairing is permuted within class"),
        number("r2_within_class", "R² after centring within class"),
        number("r2_class", "R² of the class mean only"),
        P,
        count("permutations", "Permutations"),
        NOTE,
    ),
)
