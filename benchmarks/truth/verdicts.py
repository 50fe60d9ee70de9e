"""Verdicts of studies without any association: how often an answer is "shown" when twenty functions were measured.

Numbers before are of a code without verdicts of clusters, of which a function was called different at p <= .05. All
claims of a study are read from one analysis, which one process keeps: with several processes it is made again.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from scipy import sparse

from cineseq.config.expression import Clusters
from cineseq.config.prediction import Folds, Prediction
from cineseq.expression.exchange import Exchange
from cineseq.expression.function_variance import variance_between_clusters
from cineseq.io.paired import PairedData
from cineseq.prediction.crossval.labels import family_labels, group_columns, joint_labels
from cineseq.prediction.predict import predict_functions
from cineseq.prediction.task import PredictionTask
from cineseq.report.answers import answer_all
from cineseq.report.evidence import Evidence
from truth.claims import Claim

SETTINGS = Prediction(
    permutations=39, class_permutations=19, half_samples=10, l1_ratios=[0.5], alphas=6, null_alphas=3, sensitivity=[]
)
FOLDS = Folds(outer=4, inner=3)
WHAT = ("expression", "morphology", "both", "added", "clusters", "answer_genes", "answer_modalities", "answer_clusters")


@dataclass(frozen=True)
class Design:
    """Cells in fields, with functions that nothing but the field goes with.

    Attributes
    ----------
    functions, cells, fields, genes, features
        Their numbers; fields are of four samples.
    field_sd
        Standard deviation of field effects on functions, genes and features, in units of their noise.
    alike
        Fraction of the variance of every function that one noise, common to all functions, makes.
    gradient
        Standard deviation of a trend over the cells of a field, in functions, genes and features alike.
    """

    functions: int = 20
    cells: int = 120
    fields: int = 12
    genes: int = 60
    features: int = 8
    field_sd: float = 0.5
    alike: float = 0.3
    gradient: float = 0.0


def study(design: Design, seed: int) -> PairedData:
    """Draw one study."""
    rng = np.random.default_rng(seed)
    n = design.cells
    field = np.arange(n) % design.fields
    trend = design.gradient * rng.normal(size=n)

    def fields(columns: int) -> np.ndarray:
        return design.field_sd * rng.normal(size=(design.fields, columns))[field]

    common, state = rng.normal(size=(2, n, 1))
    noise = np.sqrt(design.alike) * common + np.sqrt(1 - design.alike) * rng.normal(size=(n, design.functions))
    function = noise + fields(design.functions) + trend[:, None]
    log_mean = 1.5 + 0.5 * rng.normal(size=design.genes) + 0.3 * (fields(design.genes) + rng.normal(size=(n, 1)))
    log_mean += 0.3 * trend[:, None]
    log_mean[:, :12] += 0.5 * state
    features = rng.normal(size=(n, design.features)) + fields(design.features) + trend[:, None]
    index = pd.Index([f"s{f % 4}/{f // 4}/{i}" for i, f in enumerate(field)], name="track_id")
    obs = pd.DataFrame(
        {
            "sample": [f"s{f % 4}" for f in field],
            "fov": [str(f // 4) for f in field],
            "family": [str(i) for i in range(n)],
            "condition": "a",
            "replicate": "1",
        },
        index=index,
    )
    names = ["morphology_area_um2", *(f"morphology_shape{i}" for i in range(design.features - 1))]
    return PairedData(
        obs,
        sparse.csr_matrix(rng.poisson(np.exp(log_mean)).astype(float)),
        pd.Index([f"g{i}" for i in range(design.genes)]),
        pd.DataFrame(features, index=index, columns=names),
        pd.DataFrame(index=index),
        pd.DataFrame(function, index=index, columns=[f"function_{i}" for i in range(design.functions)]),
    )


@functools.cache
def shown(design: Design, seed: int) -> dict[str, float]:
    """Return which claims of a study are shown for any function, and which answers are."""
    data = study(design, seed)
    tables = predict_functions(PredictionTask(data, None, None, FOLDS, SETTINGS, seed), threads=1).tables
    labels = np.random.default_rng(seed).integers(0, 4, design.cells)
    strata = joint_labels(data.obs, group_columns(data.obs, FOLDS.null_strata, "folds.null_strata"))
    exchange = Exchange(strata, family_labels(data.obs), 999, seed, tuple(FOLDS.null_strata), Clusters().absence_margin)
    clusters = pd.Series([str(label) for label in labels])
    by_cluster = variance_between_clusters(data.function.reset_index(drop=True), clusters, exchange)
    performance = tables["performance"]
    evidence = Evidence(
        performance=performance,
        contrasts=tables["contrasts"],
        genes=tables["genes"],
        function_by_cluster=by_cluster,
        **{name: tables[name] for name in ("by_sample", "beyond_covariates", "covariates") if name in tables},
    )
    within = performance[performance["estimand"] == "within"]
    claimed = within[(within["q_value"] <= 0.05) & (within["r2_low"] > within["r2_null"])]
    found = {model: float((claimed["model"] == model).any()) for model in ("expression", "morphology", "both")}
    found |= {"clusters": float((by_cluster["verdict"] == "shown").any())}
    if "beyond_covariates" in tables:
        beyond = tables["beyond_covariates"]
        beyond = beyond[beyond["added"] == "expression"]
        found["added"] = float(((beyond["q_value"] <= 0.05) & (beyond["low"] > 0)).any())
    answers = {answer.id: answer.verdict in {"shown", "weak"} for answer in answer_all(evidence)}
    names = {"answer_genes": "function_genes", "answer_modalities": "modalities", "answer_clusters": "clusters"}
    return found | {name: float(answers[of]) for name, of in names.items()}


def is_shown(what: str, design: Design, seed: int) -> float:
    """Return whether one claim is shown; NaN where it does not exist."""
    return shown(design, seed).get(what, np.nan)


NULL = Design()
TRENDS = Design(gradient=0.7)
TYPICAL = "20 functions, 120 cells, 12 fields of 4 samples, 60 genes"
ANY = "share of studies in which it is shown of any function"
CLAIMS: tuple[Claim, ...] = (
    *(
        Claim(
            f"verdicts.null.{what}",
            f"{TYPICAL}, no association, field effects of .5 sd",
            ANY,
            partial(is_shown, what, NULL),
            200,
            at_most=0.08,
            new=what == "added",
        )
        for what in WHAT
    ),
    Claim(
        "verdicts.null_gradient.expression",
        f"{TYPICAL}, functions and genes follow the position within a field",
        ANY,
        partial(is_shown, "expression", TRENDS),
        60,
        harder=True,
    ),
)
