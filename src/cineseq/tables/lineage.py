"""The contracts of the tables on lineages: fates, sisters, their genes, and bounds on errors."""

from cineseq.tables.contract import (
    GENE,
    NOTE,
    Column,
    P,
    Table,
    columns_by_sample,
    count,
    false_discovery_rate,
    number,
    zero_to_one,
)

RELATIONS = ("sisters", "cousins", "neighbours")
SISTER_DIED = "sister_died_vs_survived"
"""The contrast that is tested; the others are descriptive or controls."""
NO_SISTER, SISTER_UNKNOWN, MATE_DIED = "no_sister_vs_survived", "unknown_vs_survived", "mate_died_vs_none"
CONTRASTS = (SISTER_DIED, NO_SISTER, SISTER_UNKNOWN, MATE_DIED)
CONCORDANCE = Table(
    "concordance",
    "How often relatives have the same fate, compared with independence",
    ("condition", "relation"),
    (
        Column("condition", "text", "Condition"),
        Column("relation", "text", "Relation", values=RELATIONS),
        count("pairs", "Pairs with both fates known"),
        number("concordance", "Fraction of pairs with the same fate"),
        number("expected_independent", "Fraction expected if fates were independent"),
        number("phi", "Phi coefficient"),
        number("phi_low", "Lower end of its 95 % interval"),
        number("phi_high", "Upper end of it"),
        zero_to_one(
            "p_value", "One-sided permutation p-value, (b + 1) / (m + 1), of at least this concordance, within strata"
        ),
        number(
            "hazard_correlation",
            "Correlation between sisters of death minus its cumulative hazard (martingale residuals), within strata",
        ),
        zero_to_one(
            "p_hazard",
            "One-sided p-value of that correlation; unlike the concordance, it does not respond to cycles of similar "
            "length",
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
        Column("state", "text", "State: a cluster, the upper half of a score, or a value of the user's column"),
        Column("contrast", "text", "Contrast of sister status", values=CONTRASTS),
        count("families", "Families with a sequenced survivor in either arm"),
        count("informative", "Families in strata that contain both arms"),
        number("odds_ratio", "Mantel-Haenszel odds ratio within strata of field and birth time"),
        number("low", "Lower end of its 95 % interval, which allows for families of one root cell that are alike"),
        number("high", "Upper end of it"),
        number("p_permutation", "Old name of p_value, kept for programs that read it; nothing is permuted"),
        number("p_gee", "P-value of a GEE with the cells of one root cell as clusters, field effects and birth time"),
        Column(
            "estimand",
            "text",
            "What odds ratio, interval and p-value describe; survivors that are alike count for less",
        ),
        number(
            "p_value",
            "P-value of the Mantel-Haenszel score, allowing for alike sisters and root cells",
        ),
        number(
            "e_value",
            "Risk ratio that a common cause would need with both the sister's death and the state to explain the odds "
            "ratio",
        ),
        number("e_value_interval", "The same for the end of the interval closer to 1; 1 where the interval holds 1"),
        *(
            Column(
                name,
                "integer",
                f"Survivors in strata that contain both arms: {which}",
                missing=True,
                low=0,
                optional=True,
            )
            for name, which in (
                ("died_cells", "those of the first arm (sister died)"),
                ("died_with_state", "those of the first arm with the state"),
                ("survived_cells", "those of the other arm (sister survived)"),
                ("survived_with_state", "those of the other arm with the state"),
            )
        ),
        NOTE,
    ),
)

STATE_BY_SAMPLE = Table(
    "state_by_sample",
    "Odds ratio of each state, sister died against sister survived, in each sample and in one more",
    ("state", "part", "sample"),
    (
        Column("state", "text", "State"),
        *columns_by_sample(
            "odds_ratio",
            "Mantel-Haenszel odds ratio within strata of field and birth time; over samples, a mean on the log scale",
            "Informative families",
            ("family",),
        ),
    ),
)

LINEAGE_WARNINGS = Table(
    "lineage_warnings",
    "What could bias the comparison of sisters, and how many cells it concerns",
    ("warning", "sample"),
    (
        Column("warning", "text", "Short name of the warning"),
        Column("sample", "text", "Sample, or all"),
        count("cells", "Cells concerned"),
        number("share", "Fraction of cells concerned"),
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
        count("died", "Informative families in the first group of the contrast, such as those whose sister died"),
        count("survived", "Informative families in the other group, such as those whose sister survived"),
        number("state_rate", "Fraction with the state where the sister survived"),
        number("detectable_odds_ratio", "Smallest odds ratio above 1 detected with 80 % power at level .05"),
        NOTE,
    ),
)

FATE_EVENTS = ("division", "death", "loss", "none")
SURVIVAL_EVENTS = ("survival", "undivided")
FATE_ENDS = ("divided", "died", "alive at the end", "unknown")
LINEAGE_SENSITIVITY = Table(
    "lineage_sensitivity",
    "How far errors could move the odds ratio of a state, sister died against sister survived",
    ("state", "error"),
    (
        Column("state", "text", "State"),
        Column("error", "text", "What may be wrong", values=("death_calls", "pairing", "unknown_fates")),
        count("families", "Families that the error may concern"),
        number("odds_ratio", "The odds ratio as measured"),
        number("least", "Smallest odds ratio that the error allows"),
        number("most", "Largest odds ratio that the error allows"),
        number(
            "fewest_to_1",
            "Fewest wrong death calls with which the odds ratio could be 1; of death_calls only",
        ),
        NOTE,
    ),
)

WHICH_SISTER_DIES = Table(
    "which_sister_dies",
    "Which of two sisters dies, by imaging features of both before the fate of either",
    ("feature",),
    (
        Column("feature", "text", "Feature, averaged over the frames that both sisters lived through"),
        count("discordant", "Pairs of which one sister died and the other is known not to have"),
        count("pairs", "Discordant pairs in which the feature was measured in both sisters"),
        count("higher", "Pairs in which the sister that died had the higher value"),
        number("sd", "Scale within pairs: root of half the mean squared difference between the two sisters"),
        Column("unit", "text", "Unit of the feature and of its scale; empty where it has none", missing=True),
        number(
            "odds_ratio",
            "Odds ratio of being the sister that died, per unit of that scale, by conditional logistic regression",
        ),
        number("low", "Lower end of its 95 % interval"),
        number("high", "Upper end of it"),
        number("p_value", "Wald p-value of that regression"),
        number(
            "p_permutation",
            "Permutation p-value; fates are swapped within pairs, for all pairs of a root cell together",
        ),
        false_discovery_rate("features"),
        NOTE,
    ),
)

HERITABLE_GENES = Table(
    "heritable_genes",
    "Similarity of the expression of sisters, gene by gene",
    ("gene",),
    (
        GENE,
        count("pairs", "Pairs of sequenced sisters"),
        number("icc", "Intraclass correlation of pairs, about the mean of their stratum of field and birth time"),
        number("icc_null", "Mean intraclass correlation when partners are permuted within strata"),
        P,
        false_discovery_rate("genes"),
        NOTE,
    ),
)

GENES_BY_SISTER = Table(
    "genes_by_sister",
    "Difference in expression between cells whose sister died and cells whose sister survived, gene by gene",
    ("gene",),
    (
        GENE,
        count("died", "Informative families whose sister died"),
        count("survived", "Informative families whose sister survived"),
        number("difference", "Mean log expression where the sister died minus where it survived, within strata"),
        number("low", "Lower end of its 95 % interval"),
        number("high", "Upper end of it"),
        zero_to_one("p_value", "The larger p-value of two: of the score, and of its permutations"),
        false_discovery_rate("genes"),
        NOTE,
    ),
)

GENES_BY_CAGE = Table(
    "genes_by_cage",
    "Difference in expression between survivors read alone in a compartment that their dead sister shared and the mean "
    "cell of two living sisters in one, gene by gene",
    ("gene",),
    (
        GENE,
        count("bereaved", "Informative survivors whose sister died in their compartment"),
        count("cages", "Informative compartments with two living sisters"),
        number(
            "difference",
            "Mean count per cell, scaled to the median total, of those survivors minus that of two living sisters, "
            "within strata; half of the counts of two cells, drawn at random, stand for one cell",
        ),
        zero_to_one("p_value", "P-value of Welch's t test within strata, which allows for unequal variances"),
        false_discovery_rate("genes"),
        count("strangers", "Informative compartments with two living cells that are not sisters and lost none"),
        number("control_difference", "The same for two living sisters minus two living cells that are not sisters"),
        zero_to_one(
            "control_p",
            "P-value of that control; a gene that differs there differs by the presence of a sister, not by a death",
        ),
        NOTE,
    ),
)

FATE_INCIDENCE = Table(
    "fate_incidence",
    "Fraction of cells born in the movie that had divided, died or been lost by each age, as competing risks",
    ("condition", "event", "time"),
    (
        Column("condition", "text", "Condition"),
        Column("event", "text", "Event; none: no event yet", values=FATE_EVENTS),
        number("time", "Time since birth, in the unit of the column unit"),
        Column("unit", "text", "h or frames"),
        count("at_risk", "Cells still followed at this age"),
        number("incidence", "Aalen-Johansen cumulative incidence; for none, the fraction without an event"),
        number("low", "Lower end of its 95 % interval, from resampling lineages"),
        number("high", "Upper end of it"),
        NOTE,
    ),
)

FATE_SURVIVAL = Table(
    "fate_survival",
    "Fraction of cells born in the movie that would remain if death, or division, were the only event",
    ("condition", "event", "time"),
    (
        Column("condition", "text", "Condition"),
        Column("event", "text", "survival: not yet dead; undivided: not yet divided", values=SURVIVAL_EVENTS),
        number("time", "Time since birth, in the unit of the column unit"),
        Column("unit", "text", "h or frames"),
        count("at_risk", "Cells still followed at this age"),
        zero_to_one("share", "Kaplan-Meier estimate of the fraction that remains; other ends are censored"),
        number("low", "Lower end of its 95 % interval, from resampling lineages"),
        number("high", "Upper end of it"),
        NOTE,
    ),
)

CORRELATION_DECAY = Table(
    "kinship_fading",
    "How the correlation of relatives decays with genealogical distance",
    ("condition", "generations", "quantity"),
    (
        Column("condition", "text", "Condition"),
        count("generations", "Generations to the common ancestor: 1 sisters, 2 cousins; 0 means unrelated neighbours"),
        Column("quantity", "text", "Quantity: fate (death against division), division_time or death_time"),
        count("pairs", "Pairs with both values"),
        number("r", "Correlation between the members of a pair"),
        number("low", "Lower end of its 95 % interval"),
        number("high", "Upper end of it"),
        NOTE,
    ),
)

FATE_ODDS = Table(
    "fate_odds",
    "Odds of death where the relative died, relative to where it divided",
    ("condition", "relation"),
    (
        Column("condition", "text", "Condition"),
        Column("relation", "text", "Relation", values=RELATIONS),
        count("pairs", "Pairs with both fates known"),
        number("odds_ratio", "Odds ratio of the two fates; every pair enters in both orders"),
        number("low", "Lower end of its 95 % interval (Woolf, robust to several pairs of one root cell)"),
        number("high", "Upper end of it"),
        number("kappa", "Kappa of the two fates; equal to phi, because the members of a pair have no order"),
        NOTE,
    ),
)

FATE_PAIRS = Table(
    "fate_pairs",
    "How the tracks of the two sisters of a pair ended",
    ("condition", "fate", "sister_fate"),
    (
        Column("condition", "text", "Condition"),
        Column("fate", "text", "End of one sister", values=FATE_ENDS),
        Column("sister_fate", "text", "End of the other", values=FATE_ENDS),
        count("pairs", "Pairs of sisters"),
        number("expected", "Pairs expected if the sisters were independent within the condition"),
    ),
)
