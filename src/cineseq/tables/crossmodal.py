"""TODO docstring of cineseq.tables.crossmodal."""

from cineseq.tables.contract import GENE, NOTE, Column, P, Q, Table, count, number

DIRECTIONS = ("morphology_to_expression", "expression_to_morphology")
GENE_VARIANCE = Table(
    "crossmodal_genes",
    "How much of each gene's variance morphology explains in held-out groups",
    ("gene",),
    (
        GENE,
        number("r2", "Held-out R² of expression from morphology"),
        number("r2_null", "The same with pairing permuted within class, mean"),
        number("r2_within_class", "R² after centring within class"),
        number("r2_class", "Held-out R² of the class mean alone"),
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
        number("r2", "Held-out R² of the feature from expression"),
        number("r2_null", "The same with pairing permuted within class, mean"),
        number("r2_within_class", "R² after centring within class"),
        number("r2_class", "Held-out R² of the class mean alone"),
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
        number("r2", "Variance-weighted held-out R²"),
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
