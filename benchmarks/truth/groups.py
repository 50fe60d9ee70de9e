"""Plates that shift function and expression within fields, and whether a claim about expression says so."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np
import pandas as pd
from scipy import sparse

from cineseq.config.prediction import Folds, Prediction
from cineseq.io.paired import PairedData
from cineseq.prediction.crossval.folds import cells_of
from cineseq.prediction.crossval.labels import joint_labels
from cineseq.prediction.estimands import is_claimed
from cineseq.prediction.group_claims import differs_by_group, explained_by_group
from cineseq.prediction.predict import predict_functions
from cineseq.prediction.task import PredictionTask
from cineseq.prediction.unused_groups import columns_to_test, difference
from cineseq.report.answers import answer_all
from cineseq.report.evidence import Evidence
from cineseq.statistics.permutation import benjamini_hochberg
from cineseq.statistics.streams import stream
from truth.claims import Claim

SETTINGS = Prediction(
    permutations=79, class_permutations=19, l1_ratios=[0.5], alphas=10, half_samples=10, sensitivity=[]
)
FIELDS = Folds().null_strata
GROUPS = tuple(Folds().groups)
FUNCTION = "function_uptake"


@dataclass(frozen=True)
class Design:
    """Cells of two plates or more that are mixed in every field.

    Attributes
    ----------
    function_sd, genes_sd
        Standard deviation of the plates' effects on function (in standard deviations within plates) and on the
        logarithm of half of the genes.
    signal
        Fraction of the variance of function within plates that a state of ten other genes makes.
    plates
        Number of plates.
    columns
        Number of further columns of three levels each, without any effect.
    family
        Cells of a family: of one plate, with half of the variance of function in common.
    field_sd
        Standard deviation of the fields' effects on function.
    gradient
        Whether the plate of a cell and its function both follow its position in the field; plates have no effect.
    """

    function_sd: float = 0.65
    genes_sd: float = 0.5
    signal: float = 0.0
    plates: int = 2
    columns: int = 0
    family: int = 1
    field_sd: float = 1.0
    gradient: bool = False
    cells: int = 240
    fields: int = 12
    genes: int = 40


def drawn(design: Design, seed: int) -> PairedData:
    """Draw the cells of a study; plates are in different proportions in every field."""
    rng = np.random.default_rng(seed)
    n = design.cells
    family = np.arange(n) // design.family
    field = (family * design.family * design.fields // n).clip(max=design.fields - 1)
    position = rng.uniform(-1, 1, n)
    share = rng.dirichlet(np.full(design.plates, 4.0), design.fields).cumsum(axis=1)
    level = rng.random(family.max() + 1)[family]
    if design.gradient:
        level = (np.argsort(np.argsort(position + rng.normal(size=n))) + 0.5) / n
    plate = (level[:, None] > share[field]).sum(axis=1).clip(max=design.plates - 1)
    effects = rng.permutation(np.linspace(-1, 1, design.plates))
    effects = effects / effects.std()
    state = rng.normal(size=n)
    noise = rng.normal(size=n)
    if design.family > 1:
        noise = np.sqrt(0.5) * (noise + rng.normal(size=family.max() + 1)[family])
    function = np.sqrt(design.signal) * state + np.sqrt(1 - design.signal) * noise
    function += design.function_sd * effects[plate] + design.field_sd * rng.normal(size=design.fields)[field]
    function += design.gradient * position
    log_mean = np.tile(rng.normal(0.7, 0.6, design.genes), (n, 1))
    half = design.genes // 2
    log_mean[:, :half] += design.genes_sd * effects[plate, None] * rng.choice([-1, 1], half)
    log_mean[:, half : half + 10] += 0.6 * state[:, None]
    counts = sparse.csr_matrix(rng.poisson(np.exp(log_mean)).astype(np.float32))
    names = pd.Index([f"c{k:03d}" for k in range(n)], dtype=object, name="track_id")
    obs = pd.DataFrame(
        {
            "sample": [f"s{k * 4 // design.fields}" for k in field],
            "fov": field.astype(str),
            "family": family.astype(str),
            "condition": pd.NA,
            "replicate": pd.NA,
            "group_plate": (plate + 1).astype(str),
        },
        index=names,
    ).astype("string")
    for number in range(design.columns):
        obs[f"group_other_{number}"] = pd.Series(rng.integers(0, 3, n), names).astype("string")
    blank = pd.DataFrame(index=names)
    genes = pd.Index([f"g{k}" for k in range(design.genes)])
    return PairedData(obs, counts, genes, blank, blank, pd.DataFrame({FUNCTION: function}, index=names))


def evidence_of(
    design: Design, seed: int, strata: tuple[str, ...] = tuple(FIELDS), groups: tuple[str, ...] = GROUPS
) -> Evidence:
    """Return the tables of the step of prediction on a drawn study."""
    folds = Folds(groups=list(groups), null_strata=list(strata), inner=3)
    task = PredictionTask(drawn(design, seed), None, None, folds, SETTINGS, seed)
    tables = predict_functions(task, threads=1).tables
    return Evidence(**{f.name: tables[f.name] for f in fields(Evidence) if f.name in tables})


def _claimed(evidence: Evidence) -> bool:
    """Whether expression is said to predict function within fields."""
    rows = evidence.performance
    if rows is None:
        return False
    return is_claimed(rows[(rows["model"] == "expression") & (rows["estimand"] == "within")].iloc[0])


def _warned(evidence: Evidence) -> bool:
    """Whether a sentence beside the answer about expression names the plate."""
    return any("plate" in sentence for sentence in answer_all(evidence)[0].caveats)


def claimed(
    seed: int, design: Design, strata: tuple[str, ...] = tuple(FIELDS), groups: tuple[str, ...] = GROUPS
) -> float:
    """Return whether expression is said to predict function within fields."""
    return float(_claimed(evidence_of(design, seed, strata, groups)))


def warned(seed: int, design: Design) -> float:
    """Return whether the answer warns of the plate."""
    return float(_warned(evidence_of(design, seed)))


def claimed_unwarned(seed: int, design: Design) -> float:
    """Return whether expression is said to predict function and nothing is said of the plate."""
    evidence = evidence_of(design, seed)
    return float(_claimed(evidence) and not _warned(evidence))


def vanishes(seed: int, design: Design) -> float:
    """Return whether the plate is among the groups within which expression is not shown to predict function."""
    return float("plate" in explained_by_group(evidence_of(design, seed).unused_groups, FUNCTION, "expression"))


def survives(seed: int, design: Design) -> float:
    """Return whether expression is said to predict function and no group explains it."""
    evidence = evidence_of(design, seed)
    return float(_claimed(evidence) and not explained_by_group(evidence.unused_groups, FUNCTION, "expression"))


def _differing(seed: int, design: Design) -> pd.Series:
    """Return for every group whether function is said to differ by it; models are not fitted."""
    data = drawn(design, seed)
    cells = cells_of(data.obs, data.function.to_numpy(float), Folds(), "condition")
    columns = columns_to_test(data.obs, Folds(), "condition").tested
    p = np.array(
        [
            difference(cells.values, joint_labels(data.obs, [column]), cells, stream(seed, column)).p_value
            for column in columns
        ]
    )
    table = pd.DataFrame({"p_value": p, "q_value": benjamini_hochberg(p)}, index=pd.Index(columns))
    return table.apply(differs_by_group, axis=1)


def false_warnings(seed: int, design: Design) -> float:
    """Return the share of groups by which function is said to differ."""
    return float(_differing(seed, design).mean())


def plate_found(seed: int, design: Design) -> float:
    """Return whether function is said to differ by plate."""
    return float(_differing(seed, design)["group_plate"])


EFFECT = "function and half of the genes differ by plate within fields, nothing within plates"
WARNED = "share of studies whose answer warns of the plate"
CLAIMED = "share of studies in which expression is said to predict function"
UNWARNED = "share of studies in which expression is said to predict function without a warning"
ANY = "mean share of groups without effect by which function is said to differ"
SURVIVES = "share of studies in which expression is said to predict function, and no group explains it"
TWO, SIX = Design(), Design(plates=6)
MICE = Design(plates=48, fields=1, field_sd=0.0)
AMONG = Design(columns=55)
WEAK_AMONG = Design(function_sd=0.3, columns=55)
WITHIN = Design(signal=0.4)
PLATE_IN_STRATA = (*FIELDS, "plate")
NONE = Design(function_sd=0.0)
NO_EFFECT = {
    "one_column": NONE,
    "six_plates": replace(NONE, plates=6),
    "five_columns": replace(NONE, columns=4),
    "56_columns": replace(NONE, columns=55),
    "families_of_four": replace(NONE, family=4, columns=2),
    "fields_of_three_sd": replace(NONE, field_sd=3.0),
    "one_field": replace(NONE, fields=1, cells=120),
}

CLAIMS: tuple[Claim, ...] = (
    Claim("groups.unwarned.two_plates", EFFECT, UNWARNED, partial(claimed_unwarned, design=TWO), 200, at_most=0.02),
    Claim("groups.unwarned.six_plates", EFFECT, UNWARNED, partial(claimed_unwarned, design=SIX), 200, at_most=0.02),
    Claim("groups.warned.two_plates", EFFECT, WARNED, partial(warned, design=TWO), 200, at_least=0.95),
    Claim(
        "groups.vanishes.two_plates",
        EFFECT,
        "share of studies in which plates explain what expression predicts",
        partial(vanishes, design=TWO),
        200,
        at_least=0.95,
        new=True,
    ),
    Claim(
        "groups.survives.signal_within_plates",
        f"{WITHIN}",
        SURVIVES,
        partial(survives, design=WITHIN),
        200,
        at_least=0.9,
        new=True,
    ),
    Claim(
        "groups.claimed.two_plates_in_strata",
        f"{EFFECT}; the plate is in folds.null_strata, as the warning says",
        CLAIMED,
        partial(claimed, design=TWO, strata=PLATE_IN_STRATA),
        200,
        at_most=0.065,
    ),
    Claim(
        "groups.claimed.mice_in_folds_and_strata",
        "48 mice of 5 cells that shift function and half of the genes, nothing within mice; mice are in folds.groups "
        "and folds.null_strata",
        CLAIMED,
        partial(claimed, design=MICE, strata=("plate",), groups=("plate",)),
        200,
        at_most=0.065,
        new=True,
    ),
    Claim(
        "groups.claimed.mice_in_folds",
        "48 mice of 5 cells that shift function and half of the genes, nothing within mice; in folds.groups only",
        CLAIMED,
        partial(claimed, design=MICE, groups=("plate",)),
        100,
        at_most=0.065,
        harder=True,
        new=True,
    ),
    Claim(
        "groups.claimed.signal_within_plates_in_strata",
        f"{WITHIN}; the plate is in folds.null_strata",
        CLAIMED,
        partial(claimed, design=WITHIN, strata=PLATE_IN_STRATA),
        200,
        at_least=0.9,
        new=True,
    ),
    *(
        Claim(
            f"groups.false_warning.{name}",
            f"{design}",
            ANY,
            partial(false_warnings, design=design),
            200 if name == "56_columns" else 2000,
            at_most=0.065,
            new=True,
        )
        for name, design in NO_EFFECT.items()
    ),
    Claim(
        "groups.found.two_plates_among_56_columns",
        f"{EFFECT}; 55 further columns without effect",
        "share of studies in which function is said to differ by plate",
        partial(plate_found, design=AMONG),
        200,
        at_least=0.95,
    ),
    Claim(
        "groups.found.weak_plates_among_56_columns",
        f"{WEAK_AMONG}",
        "share of studies in which function is said to differ by plate",
        partial(plate_found, design=WEAK_AMONG),
        200,
        at_least=0.9,
    ),
    Claim(
        "groups.survives.signal_among_56_columns",
        f"{replace(WITHIN, function_sd=0.0, columns=55)}",
        SURVIVES,
        partial(survives, design=replace(WITHIN, function_sd=0.0, columns=55)),
        100,
        at_least=0.9,
        new=True,
    ),
    Claim(
        "groups.survives.weak_signal_among_56_columns",
        f"{replace(WITHIN, signal=0.15, function_sd=0.0, columns=55)}",
        SURVIVES,
        partial(survives, design=replace(WITHIN, signal=0.15, function_sd=0.0, columns=55)),
        50,
        harder=True,
    ),
    Claim(
        "groups.false_warning.plates_and_function_along_a_gradient",
        f"{replace(NONE, gradient=True)}",
        ANY,
        partial(false_warnings, design=replace(NONE, gradient=True)),
        500,
        harder=True,
        new=True,
    ),
    Claim(
        "groups.survives.signal_within_forty_plates",
        f"{replace(WITHIN, plates=40)}",
        SURVIVES,
        partial(survives, design=replace(WITHIN, plates=40)),
        100,
        harder=True,
        new=True,
    ),
)
