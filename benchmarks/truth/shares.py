"""How much one modality tells of another within fields: the planted share, whatever differs between fields."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import numpy as np
import pandas as pd
from scipy import sparse

from cineseq.config.prediction import Crossmodal, Folds
from cineseq.crossmodal.decompose import decompose
from cineseq.crossmodal.explain import ExplainOptions, explain
from cineseq.crossmodal.explained_values import Targets
from cineseq.io.paired import PairedData
from cineseq.prediction.crossval.feature_blocks import Block
from cineseq.prediction.crossval.folds import CrossvalCells, cells_of
from cineseq.report.variance import is_explained
from cineseq.statistics.shares import variance_share
from truth.claims import Claim
from truth.designs import field_shift, labels_of_cells, with_family

BATCHES = 3
"""Number of hidden differences between fields, which predictors and targets share."""
SILENT = Crossmodal(permutations=0)
TESTED = Crossmodal(permutations=39)


@dataclass(frozen=True)
class Design:
    """One target and its predictors in fields that differ.

    Attributes
    ----------
    share
        Share of the variance within fields that a linear function of the predictors has.
    cells, fields, predictors
        Their numbers; cells fall into fields at random.
    shift
        Standard deviation of the differences between fields, which predictors and target share, in standard deviations
        within fields.
    families
        Cells per family; families share half the variance of predictors and of noise. 1 is none.
    carriers
        Number of predictors with a coefficient; None for all.
    correlated
        Correlation of neighbouring predictors, in blocks of ten.
    """

    share: float
    cells: int = 2000
    fields: int = 20
    predictors: int = 60
    shift: float = 0.0
    families: int = 1
    carriers: int | None = None
    correlated: float = 0.0


@dataclass(frozen=True)
class Study:
    """Predictors (cells, predictors), target (cells, 1) and field of each cell."""

    predictors: np.ndarray
    target: np.ndarray
    field: np.ndarray


def draw(design: Design, seed: int) -> Study:
    """Draw a study; the same seed gives the same cells at every shift."""
    rng = np.random.default_rng(seed)
    n, p = design.cells, design.predictors
    field = np.sort(rng.integers(0, design.fields, n))
    family = np.arange(n) // design.families
    own, noise = (with_family(rng.normal(size=(n, columns)), family, rng) for columns in (p, 1))
    block = np.arange(p) // 10
    own = np.sqrt(1 - design.correlated) * own + np.sqrt(design.correlated) * rng.normal(size=(n, p))[:, block]
    coefficients = rng.normal(size=(p, 1))
    coefficients[design.carriers or p :] = 0
    signal = own @ coefficients
    spread = np.sqrt(_variance(coefficients[:, 0], block, design.correlated))
    target = np.sqrt(design.share) * signal / spread + np.sqrt(1 - design.share) * noise
    batch = field_shift(field, design.fields, BATCHES, rng) * design.shift / np.sqrt(BATCHES)
    shifts = (batch @ rng.normal(size=(BATCHES, width)) for width in (p, 1))
    return Study(own + next(shifts), target + next(shifts), field)


def _variance(coefficients: np.ndarray, block: np.ndarray, correlated: float) -> float:
    shared = np.bincount(block, coefficients)
    return float((1 - correlated) * np.square(coefficients).sum() + correlated * np.square(shared).sum())


def cells_in_fields(target: np.ndarray, field: np.ndarray) -> CrossvalCells:
    """Return the cells with whole fields held out, as for one sample of many fields."""
    return cells_of(labels_of_cells(field), target, Folds(groups=["sample", "fov"]), "condition")


def headline(study: Study, settings: Crossmodal) -> dict[str, float]:
    """Return the headline of the cross-modal step: ``r2``, ``share`` with ``low`` and ``high``, null and p-value."""
    block = Block(study.predictors, tuple(f"x{i}" for i in range(study.predictors.shape[1])))
    options = ExplainOptions(settings, Folds(groups=["sample", "fov"]), seed=1, threads=1)
    cells = cells_in_fields(study.target, study.field)
    row = explain([block], Targets(study.target, "variance"), cells, options).total["within"]
    return row | {"q_value": row["p_value"]}


def share_bias(design: Design, seed: int) -> float:
    """Return the share that is said minus the planted one."""
    return headline(draw(design, seed), SILENT)["share"] - design.share


def covered(design: Design, seed: int) -> float:
    """Return whether the interval of the share holds the planted one."""
    found = headline(draw(design, seed), SILENT)
    return float(found["share_low"] <= design.share <= found["share_high"])


def two_blocks(seed: int) -> Study:
    """Draw 600 genes and 20 shapes in 390 cells of 12 fields; hidden factors of each explain .3 of the target."""
    rng = np.random.default_rng(seed)
    cells = 390
    field = np.sort(rng.integers(0, 12, cells))
    states, forms = rng.normal(size=(cells, 5)), rng.normal(size=(cells, 3))
    loadings = rng.normal(size=(5, 600)) * (rng.random((5, 600)) < 0.15)
    genes = 0.5 * states @ loadings + 0.9 * rng.normal(size=(cells, 600))
    shape = 0.7 * forms @ rng.normal(size=(3, 20)) + 0.5 * rng.normal(size=(cells, 20))
    target = np.sqrt(0.3) * (states[:, :1] + forms[:, :1]) + np.sqrt(0.4) * rng.normal(size=(cells, 1))
    return Study(np.hstack([genes, shape]), target, field)


def joint_bias(seed: int) -> float:
    """Return the share of both blocks that is said minus the planted one."""
    study = two_blocks(seed)
    return variance_share(study.predictors, study.target, study.field).share - 0.6


def joint_covered(seed: int) -> float:
    """Return whether the interval of the share of both blocks holds the planted one."""
    study = two_blocks(seed)
    found = variance_share(study.predictors, study.target, study.field)
    return float(found.low <= 0.6 <= found.high)


def shift_effect(design: Design, seed: int) -> float:
    """Return held-out R² with the fields' differences minus that of the same cells without them."""
    with_shift, without = (headline(draw(d, seed), SILENT)["r2"] for d in (design, replace(design, shift=0.0)))
    return with_shift - without


def said(design: Design, seed: int) -> float:
    """Return whether the sentence says that the predictors explain the target."""
    found = headline(draw(design, seed), TESTED)
    return float(is_explained(found))


def said_with_shift(design: Design, seed: int) -> float:
    """Return whether it is said with the fields' differences, minus whether it is said without them."""
    return said(design, seed) - said(replace(design, shift=0.0), seed)


def noise_effect(columns: int, seed: int) -> float:
    """Return what columns of noise in the embedding change in how much of shape expression explains."""
    rng = np.random.default_rng(seed)
    n = 360
    state = rng.normal(size=(n, 3))
    rate = np.exp(1.5 + 0.5 * state @ rng.normal(size=(3, 40)) / np.sqrt(3))
    shape = state @ rng.normal(size=(3, 10)) + rng.normal(size=(n, 10))
    index = pd.Index([f"c{i}" for i in range(n)], name="track_id")
    obs = pd.DataFrame({"sample": "s", "fov": (np.arange(n) // 30).astype(str), "condition": "c"}, index=index)
    whole = PairedData(
        obs,
        sparse.csr_matrix(rng.poisson(rate).astype(float)),
        pd.Index([f"g{i}" for i in range(40)]),
        pd.DataFrame(shape, index=index, columns=[f"morphology_{i}" for i in range(10)]),
        pd.DataFrame(rng.normal(size=(n, columns)), index=index, columns=[f"embedding_{i}" for i in range(columns)]),
        pd.DataFrame(index=index),
    )
    bare = replace(whole, embedding=whole.embedding.iloc[:, :0])
    noisy, clean = (_of_shape(data) for data in (whole, bare))
    return noisy - clean


def _of_shape(data: PairedData) -> float:
    options = ExplainOptions(SILENT, Folds(groups=["sample", "fov"]), seed=1, threads=1)
    summary = decompose(data, options).summary.set_index(["direction", "estimand"])
    return float(summary.loc[("expression_to_morphology", "within"), "r2"])


def _name(design: Design) -> str:
    return f"share_{100 * design.share:g}_{design.predictors}_predictors_shift_{design.shift:g}"


def _line(design: Design) -> str:
    extra = f", families of {design.families}" if design.families > 1 else ""
    extra += f", {design.carriers} carriers" if design.carriers else ""
    extra += f", predictors correlated {design.correlated:g} in tens" if design.correlated else ""
    return (
        f"{design.cells} cells, {design.fields} fields, {design.predictors} predictors, planted share "
        f"{design.share:g}, shift {design.shift:g} sd{extra}"
    )


def _claims() -> list[Claim]:
    grid = [
        Design(share, predictors=predictors, shift=shift)
        for predictors, share, shift in product((60, 400), (0.02, 0.1, 0.3), (0.0, 1.0, 3.0))
    ]
    bias = "share that is said minus the planted one"
    found = [Claim(f"shares.reml.{_name(d)}", _line(d), bias, partial(share_bias, d), 50, -0.03, 0.03) for d in grid]
    lost = "held-out R2 minus that of the same cells without the shift"
    found += [
        Claim(f"shares.held_out.{_name(d)}", _line(d), lost, partial(shift_effect, d), 50, -0.03, 0.03)
        for d in grid
        if d.share > 0.05 and d.shift
    ]
    holds = "share of studies whose interval holds the planted share"
    found += [
        Claim(f"shares.interval.{_name(d)}", _line(d), holds, partial(covered, d), 200, 0.92, 0.98)
        for d in (Design(0.1, shift=1.0), Design(0.2, 390, 12, 60, 1.0), Design(0.2, 390, 12, 600, 1.0))
    ]
    small = {"cells": 390, "fields": 12}
    says = "share of studies in which 'explains' is said"
    found += [
        Claim(f"shares.said.{_name(d)}", _line(d), says, partial(said, d), 400, at_most=0.065)
        for d in (Design(0.0, **small, shift=1.0), Design(0.0, **small, shift=3.0))
    ]
    power = "share of studies in which 'explains' is said minus that of the same cells without the shift"
    found += [
        Claim(f"shares.power.{_name(d)}", _line(d), power, partial(said_with_shift, d), 200, -0.03, 0.03)
        for d in (Design(0.1, **small, shift=1.0), Design(0.3, **small, shift=1.0))
    ]
    moved = "held-out R2 of shape with noise in the embedding minus that without"
    what = "360 cells, 12 fields, 10 shape columns and {} columns of noise in the embedding"
    found += [
        Claim(f"shares.noise.{c}_columns", what.format(c), moved, partial(noise_effect, c), 50, -0.01, 0.01)
        for c in (20, 128)
    ]
    alike = Design(0.1, predictors=400, shift=1.0, carriers=5, correlated=0.8)
    found.append(
        Claim("shares.reml.few_carriers_correlated", _line(alike), bias, partial(share_bias, alike), 50, -0.03, 0.03)
    )
    factors = "390 cells, 12 fields, 600 genes and 20 shapes with hidden factors, each block .3 of the target"
    found += [
        Claim("shares.reml.two_blocks_with_factors", factors, bias, joint_bias, 50, -0.03, 0.03),
        Claim("shares.interval.two_blocks_with_factors", factors, holds, joint_covered, 200, 0.92, 0.98),
    ]
    harder = (
        Design(0.1, predictors=400, shift=1.0, families=4),
        Design(0.3, **small, predictors=600, shift=1.0, carriers=5, correlated=0.8),
    )
    names = ("families", "few_carriers_of_more_predictors_than_cells")
    found += [
        Claim(f"shares.reml.{name}", _line(d), bias, partial(share_bias, d), 50, harder=True)
        for name, d in zip(names, harder, strict=True)
    ]
    return found


CLAIMS = tuple(_claims())
