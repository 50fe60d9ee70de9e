"""Small simulated paired data with a known truth, and what is asked of them."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import sparse

from cineseq.config.prediction import Folds, Prediction
from cineseq.io.paired import PairedData
from cineseq.prediction.crossval.feature_blocks import Block
from cineseq.prediction.crossval.folds import cells_of
from cineseq.prediction.crossval.out_of_fold import out_of_fold
from cineseq.prediction.model_comparison import ModelFit, compare_models, permuted_responses, quick_procedure, quick_r2
from cineseq.prediction.predict import PredictionResult, predict_functions
from cineseq.prediction.task import PredictionTask


@dataclass(frozen=True)
class Planted:
    """What is planted: effects of a hidden state per modality on function, shared states, and field effects."""

    expression: float = 0.0
    morphology: float = 0.0
    shared: float = 0.0
    field: float = 0.0
    fields: int = 8
    cells_per_field: int = 30
    genes: int = 80
    features: int = 12
    embedding: int = 0


def simulate(planted: Planted, seed: int) -> PairedData:
    """Simulate four samples of two conditions; the first tenth of the genes and features carry the states."""
    rng = np.random.default_rng(seed)
    n = planted.fields * planted.cells_per_field
    fov = np.repeat(np.arange(planted.fields), planted.cells_per_field)
    state_e, state_m, common = rng.normal(size=(3, n))
    state_e, state_m = (np.sqrt(1 - planted.shared) * s + np.sqrt(planted.shared) * common for s in (state_e, state_m))
    carriers = planted.genes // 10
    log_mean = np.log(rng.gamma(2, 3, size=planted.genes)) + 0.2 * rng.normal(size=(n, planted.genes))
    log_mean[:, :carriers] += 0.6 * state_e[:, None]
    log_mean += planted.field * 0.5 * rng.normal(size=(planted.fields, planted.genes))[fov]
    counts = rng.poisson(np.exp(log_mean + 0.2 * rng.normal(size=n)[:, None]))
    features = rng.normal(size=(n, planted.features))
    features[:, :3] += 1.5 * state_m[:, None]
    noise = 1 - planted.expression - planted.morphology
    function = np.sqrt(planted.expression) * state_e + np.sqrt(planted.morphology) * state_m
    function = function + np.sqrt(noise) * rng.normal(size=n) + 2 * planted.field * rng.normal(size=planted.fields)[fov]
    index = pd.Index([f"s{f // 2}/{f % 2}/{i}" for i, f in enumerate(fov)], name="track_id")
    obs = pd.DataFrame(
        {
            "sample": [f"s{f // 2}" for f in fov],
            "fov": [str(f % 2) for f in fov],
            "family": [f"{f}-{i // 2}" for i, f in enumerate(fov)],
            "condition": ["a" if f < planted.fields // 2 else "b" for f in fov],
            "replicate": "1",
            "y_px": rng.uniform(0, 500, n),
            "x_px": rng.uniform(0, 500, n),
        },
        index=index,
    )
    names = ["morphology_area_um2", *(f"morphology_shape{i}" for i in range(planted.features - 1))]
    embedding = rng.normal(size=(n, planted.embedding))
    return PairedData(
        obs,
        sparse.csr_matrix(counts.astype(float)),
        pd.Index([f"g{i}" for i in range(planted.genes)]),
        pd.DataFrame(features, index=index, columns=names),
        pd.DataFrame(embedding, index=index, columns=[f"embedding_{i}" for i in range(planted.embedding)]),
        pd.DataFrame({"function_uptake": function}, index=index),
    )


FAST = Prediction(permutations=19, half_samples=20, alphas=12, l1_ratios=[0.5])
SMALL = FAST.model_copy(update={"class_permutations": 19, "null_alphas": 4, "alphas": 6})


def ask(data: PairedData, settings: Prediction = FAST, folds: Folds | None = None) -> PredictionResult:
    return predict_functions(PredictionTask(data, None, None, folds or Folds(inner=3), settings, seed=1), threads=1)


def by_model(found: PredictionResult, function: str = "function_uptake", estimand: str = "pooled") -> pd.DataFrame:
    rows = found.tables["performance"]
    return rows[(rows["function"] == function) & (rows["estimand"] == estimand)].set_index("model")


def by_pair(found: PredictionResult, estimand: str = "pooled") -> pd.DataFrame:
    rows = found.tables["contrasts"]
    return rows[rows["estimand"] == estimand].set_index(["model_a", "model_b"])


def quick_scores(seed: int, planted: Planted, permutations: int) -> np.ndarray:
    """Return the quick R² of expression: observed first, then permuted; grouped folds."""
    data = simulate(planted, seed)
    cells = cells_of(data.obs, data.function.to_numpy(), Folds(inner=2, outer=4), "condition")
    block = {"expression": (Block(np.log1p(data.counts.toarray()), tuple(data.genes), "genes"),)}
    permuted = permuted_responses(cells, permutations, np.random.default_rng(seed))
    procedure = quick_procedure(Prediction(null_alphas=4), Folds(inner=2))
    predicted = out_of_fold(block, permuted.reshape(len(permuted), -1), cells.plan, procedure, 1)
    return quick_r2(predicted["expression"], permuted, cells.plan)


def of_two_classes(seed: int, beyond: float, cells: int = 12) -> PairedData:
    """Return cells of two classes within every field; class shifts function and six genes, a state the rest."""
    data = simulate(Planted(expression=beyond, genes=30, cells_per_field=cells), seed)
    second = np.random.default_rng([seed, 1]).random(len(data.obs)) < 0.5
    counts = data.counts.toarray()
    counts[:, 12:18] *= 1 + 2 * second[:, None]
    function = data.function + 3 * second[:, None]
    obs = data.obs.assign(type=np.where(second, "b", "a"))
    return replace(data, obs=obs, counts=sparse.csr_matrix(counts), function=function)


def expression_within_class(seed: int, permutations: int) -> ModelFit:
    """Fit expression to a function of which it knows the class and nothing else."""
    data = of_two_classes(seed, 0.0)
    folds = Folds(inner=2, outer=4)
    cells = cells_of(data.obs, data.function.to_numpy(), folds, "type")
    block = Block(np.log1p(data.counts.toarray()), tuple(data.genes), "genes")
    settings = SMALL.model_copy(update={"class_permutations": permutations})
    return compare_models({"expression": block}, cells, settings=settings, folds=folds, seed=seed, threads=1)[
        "expression"
    ]
