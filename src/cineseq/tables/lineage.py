"""The contracts of tables on families: fates over time and tree, genes of sisters, and bounds of errors."""

from cineseq.result_columns import GENE, NOTE, P, Q, count, number
from cineseq.results import RELATIONS
from cineseq.tables import Column, Table

FATE_EVENTS = ("division", "death", "loss", "none")
SURVIVAL_EVENTS = ("survival", "undivided")
FATE_LOOKS = ("divided", "died", "alive at the end", "unknown")

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
        Column("fate", "text", "End of one sister", values=FATE_LOOKS),
        Column("sister_fate", "text", "End of the other", values=FATE_LOOKS),
        count("pairs", "Pairs of sisters"),
        number("expected", "Pairs expected if sisters were independent within the condition"),
    ),
)


def all_tables() -> tuple[Table, ...]:
    """Return every declared table, in order of declaration."""
    return tuple(v for v in globals().values() if isinstance(v, Table))
