"""The contracts of tables on families: fates over time and tree, genes of sisters, and bounds of errors."""

from cineseq.tables.contract import GENE, NOTE, Column, P, Q, Table, count, number

RELATIONS = ("sisters", "cousins", "neighbours")
SISTER_DIED = "sister_died_vs_survived"
"""The contrast that is tested; the others are descriptive or controls."""
NO_SISTER, SISTER_UNKNOWN, MATE_DIED = "no_sister_vs_survived", "unknown_vs_survived", "mate_died_vs_none"
CONTRASTS = (SISTER_DIED, NO_SISTER, SISTER_UNKNOWN, MATE_DIED)
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
        Column("state", "text", "State: a cluster, a score's upper half, or an external column's value"),
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

FATE_EVENTS = ("division", "death", "loss", "none")
SURVIVAL_EVENTS = ("survival", "undivided")
FATE_ENDS = ("divided", "died", "alive at the end", "unknown")
LINEAGE_SENSITIVITY = Table(
    "lineage_sensitivity",
    "How far errors could move the odds ratio of a state, sister died against survived",
    ("state", "error"),
    (
        Column("state", "text", "State"),
        Column("error", "text", "What may be wrong", values=("death_calls", "pairing", "unknown_fates")),
        count("families", "Families that it may concern"),
        number("odds_ratio", "The odds ratio as measured"),
        number("least", "The least that it could be"),
        number("most", "The most that it could be"),
        NOTE,
    ),
)

WHICH_SISTER_DIES = Table(
    "which_sister_dies",
    "Which of two sisters dies, by what imaging showed of both before either's fate",
    ("feature",),
    (
        Column("feature", "text", "Feature, averaged over the frames that both sisters lived through"),
        count("discordant", "Pairs of which one sister died and the other is known not to have"),
        count("pairs", "Those of them in which the feature was measured in both"),
        count("higher", "Pairs in which the sister that died had the higher value"),
        number("sd", "Scale within pairs: root of half the mean squared difference between the two sisters"),
        Column("unit", "text", "Unit of the feature and of its scale; empty where it has none", missing=True),
        number("odds_ratio", "Odds of being the one that died, per that scale, by conditional logistic regression"),
        number("low", "Lower end of its 95 % interval"),
        number("high", "Upper end of it"),
        number("p_value", "Wald p-value of that regression"),
        number("p_permutation", "Permutation p-value, fates swapped within the pairs of a founder together"),
        Q,
        NOTE,
    ),
)

HERITABLE_GENES = Table(
    "heritable_genes",
    "Genes by how alike their expression is in sisters",
    ("gene",),
    (
        GENE,
        count("pairs", "Pairs of sequenced sisters"),
        number("icc", "Correlation within pairs about the mean of field and birth-time strata"),
        number("icc_null", "Its mean when sisters change partners within strata"),
        P,
        Q,
        NOTE,
    ),
)

GENES_BY_SISTER = Table(
    "genes_by_sister",
    "Genes by what became of the sister",
    ("gene",),
    (
        GENE,
        count("died", "Informative families whose sister died"),
        count("survived", "Informative families whose sister survived"),
        number("difference", "Mean log expression where the sister died less where she survived, in strata"),
        P,
        Q,
        NOTE,
    ),
)

FATE_INCIDENCE = Table(
    "fate_incidence",
    "How many cells born in sight had divided, died or been lost by each age, as competing risks",
    ("condition", "event", "time"),
    (
        Column("condition", "text", "Condition"),
        Column("event", "text", "What happened; none: nothing yet", values=FATE_EVENTS),
        number("time", "Time since birth, in the unit beside it"),
        Column("unit", "text", "h or frames"),
        count("at_risk", "Cells still followed at this age"),
        number("incidence", "Aalen-Johansen cumulative incidence; for none, the share left"),
        number("low", "Lower end of its 95 % interval, families resampled"),
        number("high", "Upper end of it"),
        NOTE,
    ),
)

FATE_SURVIVAL = Table(
    "fate_survival",
    "How many cells born in sight death alone, or division alone, would have left by each age, other ends censored",
    ("condition", "event", "time"),
    (
        Column("condition", "text", "Condition"),
        Column("event", "text", "survival: not dead; undivided: not divided", values=SURVIVAL_EVENTS),
        number("time", "Time since birth, in the unit beside it"),
        Column("unit", "text", "h or frames"),
        count("at_risk", "Cells still followed at this age"),
        Column("share", "number", "Kaplan-Meier share left; other ends censor", missing=True, low=0, high=1),
        number("low", "Lower end of its 95 % interval, families resampled"),
        number("high", "Upper end of it"),
        NOTE,
    ),
)

KINSHIP_FADING = Table(
    "kinship_fading",
    "How the likeness of relatives fades with distance in the tree",
    ("condition", "generations", "quantity"),
    (
        Column("condition", "text", "Condition"),
        count("generations", "Generations to the common ancestor: 1 sisters, 2 cousins; 0 unrelated neighbours"),
        Column("quantity", "text", "fate (death against division), division_time or death_time"),
        count("pairs", "Pairs with both values"),
        number("r", "Correlation of the two members of pairs"),
        number("low", "Lower end of its 95 % interval"),
        number("high", "Upper end of it"),
        NOTE,
    ),
)

FATE_ODDS = Table(
    "fate_odds",
    "How many times as high the odds of a death are where the relative died as where it divided",
    ("condition", "relation"),
    (
        Column("condition", "text", "Condition"),
        Column("relation", "text", "Relation", values=RELATIONS),
        count("pairs", "Pairs with both fates known"),
        number("odds_ratio", "Odds ratio of the two fates, every pair entered both ways round"),
        number("low", "Lower end of its 95 % interval (Woolf's, robust to several pairs of a founder)"),
        number("high", "Upper end of it"),
        number("kappa", "Kappa of the two fates; members of a pair have no order, so it equals their phi"),
        NOTE,
    ),
)

FATE_PAIRS = Table(
    "fate_pairs",
    "Which ends the two sisters of a pair had",
    ("condition", "fate", "sister_fate"),
    (
        Column("condition", "text", "Condition"),
        Column("fate", "text", "End of one sister", values=FATE_ENDS),
        Column("sister_fate", "text", "End of the other", values=FATE_ENDS),
        count("pairs", "Pairs of sisters"),
        number("expected", "Pairs expected if sisters were independent within the condition"),
    ),
)
