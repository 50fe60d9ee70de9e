"""Permutation p-values among many functions: size of the test, and whether one real effect can be significant.

The first permutations are 39 everywhere, so that no p-value of them alone is below .025.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from cineseq.config.prediction import Folds, Prediction
from cineseq.expression.function_variance import variance_between_clusters
from cineseq.prediction.crossval.feature_blocks import Block
from cineseq.prediction.crossval.folds import cells_of
from cineseq.prediction.model_comparison import compare_models
from cineseq.statistics.sequential import SequentialDesign, sequential_test
from truth.claims import Claim
from truth.cluster_design import Design, drawn
from truth.designs import labels_of_cells, samples_in_order

FIRST = 39
FUNCTIONS = 20
FAST = Prediction(permutations=FIRST, class_permutations=19, alphas=6, null_alphas=3, l1_ratios=[0.5])
FOLDS = Folds(inner=2, outer=4)


def functions_by_cluster(seed: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Return p and q of 20 functions between clusters, of which the first has a share of variance there."""
    study, planted = drawn(Design(functions=FUNCTIONS), seed), drawn(Design(share=share), seed)
    function = study.function.assign(function_0=planted.function["function_0"])
    table = variance_between_clusters(function, study.clusters, study.exchange(FIRST, seed))
    return table["p_value"].to_numpy(float), table["q_value"].to_numpy(float)


def share_by_cluster(seed: int, level: float) -> float:
    """Return the share of 20 null functions whose p-value between clusters is at most a level."""
    return float((functions_by_cluster(seed, 0.0)[0] <= level).mean())


def found_by_cluster(seed: int, share: float) -> float:
    """Return whether the one real function of 20 has q <= .05 between clusters."""
    return float(functions_by_cluster(seed, share)[1][0] <= 0.05)


def predicted_p(seed: int, share: float, functions: int) -> float:
    """Return the p-value within fields of a function that expression predicts; 120 cells, 12 fields, 60 genes."""
    rng = np.random.default_rng(seed)
    field, state = np.arange(120) % 12, rng.normal(size=120)
    counts = rng.poisson(np.exp(1 + 0.6 * state[:, None] * (np.arange(60) < 10)))
    function = np.sqrt(share) * state + np.sqrt(1 - share) * rng.normal(size=120) + rng.normal(size=12)[field]
    labels = labels_of_cells(field, samples_in_order(field, 4, 12))
    cells = cells_of(labels, function[:, None], FOLDS, "condition")
    within = cells.within_fields()
    blocks = {"expression": Block(np.log1p(counts), tuple(f"g{k}" for k in range(60)), "genes")}
    fits = compare_models(blocks, within, settings=FAST, folds=FOLDS, seed=seed, threads=1, functions=functions)
    return fits["expression"].test.p_value


def predicted_at_most(seed: int, share: float, functions: int, level: float) -> float:
    """Return whether that p-value is at most a level."""
    return float(predicted_p(seed, share, functions) <= level)


def share_of_exchangeable(seed: int, level: float, design: SequentialDesign) -> float:
    """Return the share of 1,000 null hypotheses with p at most a level; all statistics are independent and normal."""
    rng = np.random.default_rng(seed)
    observed, first = rng.normal(size=1000), rng.normal(size=(design.first, 1000))

    def more(count: int, still: np.ndarray) -> np.ndarray:
        return rng.normal(size=(count, len(still)))

    return float((sequential_test(observed, first, more, design).p_value <= level).mean())


AMONG = 0.05 / FUNCTIONS
CELLS = "390 cells, 12 fields of 4 samples, 6 clusters, 39 permutations at first"
PREDICTED = "expression of 120 cells, 12 fields, 60 genes, 39 permutations at first"
LEVELS = {"05": 0.05, "0025": AMONG}
DESIGNS = {
    "39_of_20": SequentialDesign(FIRST, 999, FUNCTIONS),
    "99_alone": SequentialDesign(99, 999, 1),
    "999_of_600": SequentialDesign(999, 9999, 600),
}
CLAIMS: tuple[Claim, ...] = (
    *(
        Claim(
            f"permutations.size.{number}.{name}",
            f"{design.first} permutations at first, {design.most} at most, {design.family} tests, exchangeable",
            f"share of hypotheses with p <= {level:g}",
            partial(share_of_exchangeable, level=level, design=design),
            200,
            at_most=level,
            new=True,
        )
        for number, design in DESIGNS.items()
        for name, level in LEVELS.items()
    ),
    *(
        Claim(
            f"permutations.clusters.size_{name}",
            f"{CELLS}, 20 functions without association",
            f"share of functions with p <= {level:g}",
            partial(share_by_cluster, level=level),
            400,
            at_most=level,
        )
        for name, level in LEVELS.items()
    ),
    Claim(
        "permutations.clusters.one_of_20",
        f"{CELLS}, 1 of 20 functions has a share of .08 between clusters",
        "share of studies with q <= .05 of that function",
        partial(found_by_cluster, share=0.08),
        200,
        at_least=0.8,
    ),
    Claim(
        "permutations.prediction.size_05",
        f"{PREDICTED}, 20 functions, no association",
        "share of studies with p <= .05",
        partial(predicted_at_most, share=0.0, functions=FUNCTIONS, level=0.05),
        400,
        at_most=0.05,
    ),
    Claim(
        "permutations.prediction.one_of_20",
        f"{PREDICTED}, a share of .35 in 1 of 20 functions",
        "share of studies with p <= .05 / 20, so that q <= .05 whatever the others are",
        partial(predicted_at_most, share=0.35, functions=FUNCTIONS, level=AMONG),
        40,
        at_least=0.8,
    ),
    Claim(
        "permutations.prediction.one_of_100",
        f"{PREDICTED}, a share of .35 in 1 of 100 functions, for which 999 permutations are too few",
        "share of studies with p <= .05 / 100",
        partial(predicted_at_most, share=0.35, functions=100, level=0.05 / 100),
        20,
        harder=True,
    ),
)
