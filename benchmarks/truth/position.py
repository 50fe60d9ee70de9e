"""Gradients within fields: function and its predictors follow the position of a cell, and nothing else relates them.

The surfaces of every field are its own (a treatment that comes from one side, a hole in the layer), or the same in all
fields (illumination that falls off to the rim), or both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from cineseq.config.prediction import Crossmodal, Folds, Prediction
from cineseq.crossmodal.explain import ExplainOptions, explain
from cineseq.crossmodal.explained_values import Targets
from cineseq.expression.exchange import Exchange
from cineseq.expression.function_variance import variance_along_components, variance_between_clusters
from cineseq.prediction.beyond_covariates import Added, adjustment_of, conditional_correlations, increments
from cineseq.prediction.crossval.feature_blocks import Block
from cineseq.prediction.crossval.folds import CrossvalCells, cells_of
from cineseq.prediction.crossval.ridge import Tuning, predict, ridge_folds
from cineseq.prediction.genes import Stability, gene_rows
from cineseq.prediction.model_comparison import compare_models, permuted_responses, quick_r2
from cineseq.prediction.unused_groups import difference
from cineseq.statistics.metrics import centred
from cineseq.statistics.permutation import p_value
from cineseq.statistics.sequential import SequentialDesign
from truth.claims import CALLED, LEVEL, Claim, called
from truth.designs import labels_of_cells, with_family

FRAME_PX = 1000.0
SETTINGS = Prediction(permutations=39, alphas=4, l1_ratios=[0.5], null_alphas=4)
FOLDS = Folds(groups=["sample", "fov"], inner=2, outer=4)
PERMUTATIONS = 99
LATENT = 3
"""Number of surfaces that the predictors load on."""
KINDS = 5
"""Number of clusters."""
TARGETS = 30
"""Number of genes that shape is to explain."""


@dataclass(frozen=True)
class Design:
    """One function and its predictors in fields with gradients.

    Attributes
    ----------
    own, common
        Share of the variance within fields that a surface of the field alone has, and one that all fields share; of
        the function and, on average, of the predictors.
    wave
        Shortest wave of the surfaces, as a fraction of the frame's width: 2 is a plane or half a wave.
    share
        Share of the variance of the function that the predictors have at the same position.
    families
        Cells per family; a family is in one place and shares half the variance of function and predictors. 1 is none.
    """

    own: float = 0.0
    common: float = 0.0
    wave: float = 2.0
    share: float = 0.0
    families: int = 1
    cells: int = 390
    fields: int = 12
    predictors: int = 20


@dataclass(frozen=True)
class Study:
    """Function (cells,), predictors (cells, predictors), and sample, field, family and position of the cells."""

    function: np.ndarray
    predictors: np.ndarray
    obs: pd.DataFrame


def drawn(design: Design, seed: int) -> Study:
    """Draw a study."""
    rng = np.random.default_rng([31, seed])
    family = np.arange(design.cells) // design.families
    field = (family * design.fields) // (family.max() + 1)
    place = rng.random((family.max() + 1, 2))[family]
    if design.families > 1:
        place = np.clip(place + 0.03 * rng.normal(size=place.shape), 0, 1)
    # Function is the first column, predictors are the others: surfaces, what a family shares, and noise of the cell.
    loadings = rng.normal(size=(LATENT, design.predictors))
    loadings /= np.sqrt(np.square(loadings).sum(axis=0))
    columns = 1 + design.predictors
    smooth = np.zeros((design.cells, columns))
    for part, groups in ((design.own, field), (design.common, np.zeros_like(field))):
        latent = _surfaces(design.wave, groups, place, 1 + LATENT, rng)
        smooth += np.sqrt(part) * np.column_stack([latent[:, 0], latent[:, 1:] @ loadings])
    noise = rng.normal(size=(design.cells, columns))
    noise = with_family(noise, family, rng)
    signal = noise[:, 1:] @ _unit(rng.normal(size=design.predictors))
    noise[:, 0] = np.sqrt(1 - design.share) * noise[:, 0] + np.sqrt(design.share) * signal
    values = smooth + np.sqrt(1 - design.own - design.common) * noise
    labels = labels_of_cells(field, [f"s{k % 4}" for k in field], family)
    obs = labels.assign(y_px=FRAME_PX * place[:, 0], x_px=FRAME_PX * place[:, 1])
    return Study(values[:, 0], values[:, 1:], obs)


def _surfaces(wave: float, field: np.ndarray, place: np.ndarray, columns: int, rng: np.random.Generator) -> np.ndarray:
    """Return smooth surfaces of each field, of mean 0 and variance 1 within the fields, shape (cells, columns)."""
    values = np.empty((len(field), columns))
    for number in np.unique(field):
        own = field == number
        # Sums of waves in random directions, shape (cells, waves, columns).
        angle, phase = 2 * np.pi * rng.random((2, 6, columns))
        along = place[own, 0, None, None] * np.cos(angle) + place[own, 1, None, None] * np.sin(angle)
        surface = np.cos(2 * np.pi * along / (wave * rng.uniform(1, 2, (6, columns))) + phase).sum(axis=1)
        values[own] = surface - surface.mean(axis=0)
    return values / values.std(axis=0)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.sqrt(np.square(vector).sum())


def cells_within(study: Study) -> CrossvalCells:
    """Return the cells with the function centred within fields, whole fields held out."""
    return cells_of(study.obs, study.function[:, None], FOLDS, "condition").within_fields()


def prediction_rejects(design: Design, seed: int) -> float:
    """Return whether the predictors' R² within fields has p <= .05, by ridge regression."""
    return called(ridge_p(drawn(design, seed), seed))


def lost_power(design: Design, seed: int) -> float:
    """Return whether it has p <= .05 minus whether it has where no position is known."""
    study = drawn(design, seed)
    nowhere = replace(study, obs=study.obs.drop(columns=["y_px", "x_px"]))
    return called(ridge_p(study, seed)) - called(ridge_p(nowhere, seed))


def ridge_p(study: Study, seed: int) -> float:
    """Return the p-value of ridge regression, which is quick, with the null of the models of prediction."""
    cells = cells_within(study)
    permuted = permuted_responses(cells, PERMUTATIONS, np.random.default_rng([32, seed]))
    predictors = centred(study.predictors, cells.field_labels())
    designs = [predictors / predictors[train].std(axis=0) for train, _ in cells.plan.splits()]
    folds = ridge_folds(designs, cells.plan, Tuning(FOLDS.inner, study.predictors.shape[1], 5))
    r2 = quick_r2(predict(folds, permuted[:, :, 0]), permuted, cells.plan)
    return float(p_value(r2[0], r2[1:]))


def elastic_net_rejects(design: Design, seed: int) -> float:
    """Return whether the predictors' R² within fields has p <= .05, by the models of prediction themselves."""
    study = drawn(design, seed)
    block = Block(study.predictors, tuple(f"x{k}" for k in range(study.predictors.shape[1])))
    blocks: dict[str, Block | None] = {"features": block}
    fits = compare_models(blocks, cells_within(study), settings=SETTINGS, folds=FOLDS, seed=seed, threads=1)
    return called(fits["features"].test.p_value)


def clusters_reject(design: Design, seed: int) -> float:
    """Return whether function has p <= .05 between clusters, which are cells alike in the first predictors."""
    study = drawn(design, seed)
    cells = cells_within(study)
    directions = np.random.default_rng([33, seed]).normal(size=(KINDS, 4))
    kind = pd.Series((study.predictors[:, :4] @ directions.T).argmax(axis=1).astype(str), dtype="string")
    exchange = Exchange(cells.strata, cells.families, PERMUTATIONS, seed, position=cells.position)
    table = variance_between_clusters(pd.DataFrame({"function_f": study.function}), kind, exchange)
    return called(float(table["p_value"].iloc[0]))


def component_rejects(design: Design, seed: int) -> float:
    """Return whether function has p <= .05 along the first principal component of the predictors."""
    study = drawn(design, seed)
    cells = cells_within(study)
    values = study.predictors - study.predictors.mean(axis=0)
    scores = values @ np.linalg.svd(values, full_matrices=False)[2][:1].T
    exchange = Exchange(cells.strata, cells.families, PERMUTATIONS, seed, position=cells.position)
    function = pd.DataFrame({"function_f": study.function})
    table = variance_along_components(function, pd.DataFrame(scores, columns=["pc_1"]), exchange)
    return called(float(table["p_value"].iloc[0]))


def _with_size(study: Study, seed: int) -> dict[str, Block | None]:
    """Return the predictors as expression, and size, which is noise, as the covariate."""
    size = np.random.default_rng([34, seed]).normal(size=(len(study.function), 1))
    names = tuple(f"x{k}" for k in range(study.predictors.shape[1]))
    return {"expression": Block(study.predictors, names), "size": Block(size, ("size",))}


def beyond_p(study: Study, seed: int) -> float:
    """Return the p-value of what the predictors add to a covariate."""
    blocks, cells = _with_size(study, seed), cells_of(study.obs, study.function[:, None], FOLDS, "condition")
    adjustment, block = adjustment_of(blocks, cells, FOLDS.inner), blocks["expression"]
    if adjustment is None or block is None:
        raise RuntimeError
    design = SequentialDesign(PERMUTATIONS, 0)
    return increments(adjustment, {"expression": Added((block,))}, permutations=design, seed=seed)["expression"].p_value


def beyond_rejects(design: Design, seed: int) -> float:
    """Return whether what the predictors add to a covariate has p <= .05."""
    return called(beyond_p(drawn(design, seed), seed))


def lost_power_beyond(design: Design, seed: int) -> float:
    """Return whether it has p <= .05 minus whether it has where no position is known."""
    study = drawn(design, seed)
    nowhere = replace(study, obs=study.obs.drop(columns=["y_px", "x_px"]))
    return called(beyond_p(study, seed)) - called(beyond_p(nowhere, seed))


def genes_given_covariates(design: Design, seed: int) -> float:
    """Return the share of predictors that go with function given a covariate, p <= .05."""
    study = drawn(design, seed)
    blocks, cells = _with_size(study, seed), cells_of(study.obs, study.function[:, None], FOLDS, "condition")
    adjustment, block = adjustment_of(blocks, cells, FOLDS.inner), blocks["expression"]
    if adjustment is None or block is None:
        raise RuntimeError
    return float((conditional_correlations(block, study.function, adjustment)["p_value"] <= LEVEL).mean())


def single_genes(design: Design, seed: int) -> float:
    """Return the share of predictors that go with function, p <= .05, without covariates."""
    study = drawn(design, seed)
    cells, block = (
        cells_of(study.obs, study.function[:, None], FOLDS, "condition"),
        _with_size(study, seed)["expression"],
    )
    if block is None:
        raise RuntimeError
    none = Stability(np.zeros(len(block.names)), np.full(len(block.names), np.nan), 1)
    blank = np.empty((len(study.function), 0))
    rows = gene_rows("f", block, study.function, none, covariates=blank, cells=cells, module_correlation=0.5)
    return float((rows["p_value"] <= LEVEL).mean())


def group_rejects(design: Design, seed: int) -> float:
    """Return whether function differs, p <= .05, between the levels of a group that follows surfaces of its own."""
    study = drawn(design, seed)
    cells = cells_of(study.obs, study.function[:, None], FOLDS, "condition")
    directions = np.random.default_rng([33, seed]).normal(size=(3, 4))
    level = (study.predictors[:, :4] @ directions.T).argmax(axis=1)
    rng, by_position = np.random.default_rng([36, seed]), cells.nulls_of(cells.values)
    return called(difference(cells.values, level, cells, rng, by_position).p_value)


def modalities_reject(design: Design, seed: int) -> float:
    """Return whether shape explains expression within fields, p <= .05, where both only follow the position."""
    study, rng = drawn(design, seed), np.random.default_rng([35, seed])
    cells = cells_of(study.obs, np.zeros((design.cells, 1)), FOLDS, "condition")
    field, place = study.obs["fov"].to_numpy(int), study.obs[["y_px", "x_px"]].to_numpy(float) / FRAME_PX
    loadings = rng.normal(size=(LATENT, TARGETS))
    loadings /= np.sqrt(np.square(loadings).sum(axis=0))
    targets = np.sqrt(1 - design.own - design.common) * rng.normal(size=(design.cells, TARGETS))
    for part, groups in ((design.own, field), (design.common, np.zeros_like(field))):
        targets += np.sqrt(part) * _surfaces(design.wave, groups, place, LATENT, rng) @ loadings
    block = Block(study.predictors, tuple(f"x{k}" for k in range(design.predictors)))
    options = ExplainOptions(Crossmodal(permutations=PERMUTATIONS), FOLDS, seed, 1)
    found = explain([block], Targets(targets.astype(np.float32), "variance"), cells, options)
    return called(float(found.total["within"]["p_value"]))


def _described(design: Design) -> str:
    extra = {
        "no gradients": not design.own + design.common,
        f"surfaces of each field have {design.own:g} of the variance within fields": design.own > 0,
        f"a surface that fields share has {design.common:g}": design.common > 0,
        f"shortest wave {design.wave:g} of the frame": design.wave != Design.wave,
        f"families of {design.families} in one place share half of the rest": design.families > 1,
        f"predictors have {design.share:g} of the function beyond position": design.share > 0,
    }
    what = "; ".join(text for text, there in extra.items() if there)
    return f"{design.cells} cells in {design.fields} fields, {design.predictors} predictors; {what}"


NULLS = {
    "none": Design(),
    "own_30": Design(own=0.3),
    "own_50": Design(own=0.5),
    "common_30": Design(common=0.3),
    "common_60": Design(common=0.6),
    "own_and_common": Design(own=0.2, common=0.2),
    "families": Design(families=4),
    "own_30_families": Design(own=0.3, families=4),
}
HARDER = {"common_short_waves": Design(common=0.3, wave=0.3)}
POWER = {
    "none": Design(share=0.05),
    "families": Design(share=0.1, families=4),
}
STUDIES = 1000
GENES = "mean share of predictors with p <= .05"


def _claims() -> list[Claim]:
    studies: dict[str, tuple[Callable[[Design, int], float], int, tuple[str, ...]]] = {
        "size": (prediction_rejects, STUDIES, tuple(NULLS)),
        "size_elastic_net": (elastic_net_rejects, 400, ("none", "own_50", "common_30")),
        "size_cluster": (clusters_reject, STUDIES, ("none", "own_50", "common_30", "own_30_families")),
        "size_component": (component_rejects, STUDIES, ("none", "own_50", "common_30", "own_30_families")),
    }
    kept = ("none", "own_50", "common_30", "own_30_families")
    studies |= {
        "size_beyond_covariates": (beyond_rejects, STUDIES, kept),
        "size_unused_group": (group_rejects, STUDIES, kept),
        "size_modalities": (modalities_reject, 400, ("none", "own_50", "common_30")),
        "size_gene": (single_genes, 400, kept),
        "size_gene_given_covariates": (genes_given_covariates, 400, kept),
    }
    found = [
        Claim(
            f"position.{name}.{key}",
            _described(NULLS[key]),
            GENES if "_gene" in name else CALLED,
            partial(study, NULLS[key]),
            number,
            at_most=0.065,
        )
        for name, (study, number, keys) in studies.items()
        for key in keys
    ]
    lost = "share of studies with p <= .05 minus that of the same studies where no position is known"
    found += [
        Claim(f"position.power.{key}", _described(design), lost, partial(lost_power, design), STUDIES, at_least=-LEVEL)
        for key, design in POWER.items()
    ]
    found.append(
        Claim(
            "position.power_beyond_covariates.none",
            _described(POWER["none"]),
            lost,
            partial(lost_power_beyond, POWER["none"]),
            400,
            at_least=-LEVEL,
            new=True,
        )
    )
    harder: dict[str, Callable[[Design, int], float]] = {
        "size": prediction_rejects,
        "size_beyond_covariates": beyond_rejects,
        "size_unused_group": group_rejects,
        "size_modalities": modalities_reject,
        "size_gene_given_covariates": genes_given_covariates,
    }
    found += [
        Claim(
            f"position.{name}.{key}",
            _described(design),
            GENES if "_gene" in name else CALLED,
            partial(study, design),
            400,
            harder=True,
        )
        for key, design in HARDER.items()
        for name, study in harder.items()
    ]
    return found


CLAIMS: tuple[Claim, ...] = tuple(_claims())
