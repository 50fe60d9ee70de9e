"""Model comparison: out-of-fold predictions of every model, and permutation nulls of the nested procedure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import joblib
import numpy as np

from cineseq.config.prediction import Folds, Prediction
from cineseq.prediction.crossval.elastic_net import PathGrid
from cineseq.prediction.crossval.feature_blocks import Block, joined
from cineseq.prediction.crossval.folds import CrossvalCells, FoldPlan
from cineseq.prediction.crossval.out_of_fold import (
    LINEAR,
    NONLINEAR,
    NOTHING_KEPT,
    STACKED,
    Procedure,
    out_of_fold,
    out_of_fold_without,
)
from cineseq.prediction.crossval.transform import design
from cineseq.statistics.metrics import centred
from cineseq.statistics.permutation import draw_rows, exchangeable_blocks
from cineseq.statistics.sequential import SequentialDesign, sequential_test
from cineseq.statistics.streams import stream
from cineseq.text import number

NULL_RATIO = 0.5
NULL_SMALLEST = 0.05
UNTESTED = ("all_morphology", "both_permuted")
"""Models that only serve as comparisons; they have no p-value of their own."""

SHAPES = ("morphology", "embedding", "features")
"""Blocks of features measured on images."""
UNCHANGED = "constant within every stratum of the null, so it has no p-value"
ABSENT = {
    "expression": "no counts in the paired data",
    "morphology": "no morphology in the paired data",
    "embedding": "no embedding in the paired data",
    "features": "the external features do not vary among these cells",
    "all_morphology": "no morphology and no embedding in the paired data",
    "technical": "no technical covariate in the paired data",
    "size": "no morphology column matches prediction.size_features",
    "cycle": "no cell-cycle scores (too few cell-cycle genes, or clusters were not made)",
    "technical_cycle_size": "no technical, cell-cycle or size covariate",
    "class": "all cells are of one class",
    "both": "needs counts and morphology or an embedding",
    "both_late": "needs counts and morphology or an embedding",
    "both_permuted": "needs counts and morphology or an embedding",
    "nonlinear": "neither counts nor shape in the paired data",
}


@dataclass(frozen=True)
class NullTest:
    """The quick procedure on the measured and the permuted function, for one model.

    Attributes
    ----------
    quick
        R² of the quick procedure; NaN where there is no null.
    null
        R² of that procedure under the first permutations, shape (permutations,). Its mean is that of the null: models
        with further permutations are those whose R² is far from it, so all permutations together would not be a sample
        of one size, and models could not be compared.
    p_value
        From as many permutations as it took; see :class:`cineseq.statistics.sequential.SequentialDesign`.
    permutations
        How many that were.
    """

    quick: float = float("nan")
    null: np.ndarray = field(default_factory=lambda: np.empty(0))
    p_value: float = float("nan")
    permutations: int = 0


@dataclass(frozen=True)
class ModelFit:
    """Predictions and null distributions of one model of one function.

    Attributes
    ----------
    predicted
        Out-of-fold predictions, shape (cells, columns); None where the model cannot be estimated.
    note
        Why the model cannot be estimated, or how to interpret it.
    test
        Of R² under permutation.
    test_within
        Of R² within class, permuted within class.
    without
        Predictions without each block of training cells (see
        :func:`cineseq.prediction.crossval.out_of_fold.out_of_fold_without`), shape (blocks, cells, columns); None
        where the model was not fitted without them.
    """

    predicted: np.ndarray | None
    note: str = ""
    test: NullTest = NullTest()
    test_within: NullTest = NullTest()
    without: np.ndarray | None = None


Fitted = Callable[[np.ndarray, set[str] | None], dict[str, np.ndarray]]
"""Predictions, each (cells, n * columns), of some models (None: of all) for functions of shape (cells, n, columns)."""


def full_procedure(settings: Prediction, folds: Folds) -> Procedure:
    """Return the procedure of the primary analysis."""
    grid = PathGrid(tuple(settings.l1_ratios), settings.alphas)
    return Procedure(grid, folds.inner, settings.min_detected, settings.max_genes, nonlinear=settings.nonlinear)


def quick_procedure(settings: Prediction, folds: Folds) -> Procedure:
    """Return the quick procedure, used for the permutations and for the observed value compared with them."""
    grid = PathGrid((NULL_RATIO,), settings.null_alphas, NULL_SMALLEST)
    return Procedure(grid, min(3, folds.inner), settings.min_detected, settings.max_genes, nonlinear=settings.nonlinear)


def compare_models(
    blocks: dict[str, Block | None],
    cells: CrossvalCells,
    *,
    settings: Prediction,
    folds: Folds,
    seed: int,
    threads: int,
    kept: joblib.Memory = NOTHING_KEPT,
    functions: int = 1,
) -> dict[str, ModelFit]:
    """Fit every model on the same cells and folds, with its permutation null.

    Parameters
    ----------
    blocks
        From :func:`cineseq.prediction.crossval.feature_blocks.all_blocks`, of these cells.
    cells
        The function of the cells and their groups.
    settings, folds
        The sections ``prediction`` and ``folds`` of the configuration.
    seed
        Seed of the permutations and of the shuffled morphology.
    threads
        Number of worker processes.
    kept
        Cache of fits, kept until the step is done.
    functions
        Number of functions over which the false discovery rate of a model is controlled. With more of them, p-values
        must be smaller, and so more permutations are drawn.

    Returns
    -------
    dict
        One fit per model name, in the order of the model comparison.
    """
    designs = model_blocks(blocks, cells, stream(seed, "shuffled shape"))
    widest = next((name for name in ("both", "all_morphology", *STACKED) if name in designs), None)
    if settings.nonlinear and widest is not None:
        designs[NONLINEAR] = designs[widest]
    plan = cells.plan
    # Primary analysis: nested cross-validation of every model, predictions of shape (cells, columns).
    full = full_procedure(settings, folds)
    predictions, without = out_of_fold_without(designs, cells.values, plan, full, threads, kept=kept)
    only = [name for name in SHAPES if name in predictions]
    if len(only) == 1:
        predictions["all_morphology"], without["all_morphology"] = predictions[only[0]], without[only[0]]
    # Null: the quick procedure on the measured and permuted functions together, as (1 + permutations) responses.
    tested = {name: parts for name, parts in designs.items() if name not in UNTESTED}
    shorter = quick_procedure(settings, folds)

    def fitted(values: np.ndarray, models: set[str] | None) -> dict[str, np.ndarray]:
        wanted = tested if models is None else {n: tested[n] for n in tested if _is_needed(n, models)}
        return out_of_fold(wanted, values.reshape(len(values), -1), plan, shorter, threads, kept=kept)

    overall, within = _null_by_class(cells, settings, functions, fitted, seed)
    # One fit per model, or why there is none.
    fits = {"mean": ModelFit(training_mean(cells.values, plan), "baseline")}
    flat = _flat_models(designs, cells)
    for name in (*LINEAR, *STACKED, "all_morphology", "both", "both_late", "both_permuted", NONLINEAR):
        if (name == "features" and name not in blocks) or (name == NONLINEAR and not settings.nonlinear):
            continue
        if name not in predictions:
            fits[name] = ModelFit(None, f"not estimable: {ABSENT[name]}")
        elif name in flat:
            fits[name] = ModelFit(None, "not estimable: its predictors do not differ within fields")
        else:
            fit = ModelFit(predictions[name], _note(name, blocks), without=without.get(name))
            fits[name] = _with_nulls(name, fit, overall, within)
    return fits


def _null_by_class(
    cells: CrossvalCells, settings: Prediction, functions: int, fitted: Fitted, seed: int
) -> tuple[dict[str, NullTest | None], dict[str, NullTest | None]]:
    """Return the tests of R² and of R² within class by model; the latter only for cells pooled over fields."""
    # Pooled over fields, the null only shows how much of R² differences between strata have; it needs fewer.
    is_pooled = cells.centre is None
    drawn = min(settings.permutations, settings.class_permutations) if is_pooled else settings.permutations
    first, rng = SequentialDesign(drawn, settings.most_permutations, functions), stream(seed, "null")
    if not is_pooled:
        return null_tests(cells, (None,), first, fitted, rng)[0], {}
    # If every stratum holds a single class, permutations within strata are already within class.
    divided = cells.within_class()
    if settings.permutations and divided.strata.max() > np.unique(cells.strata).size - 1:
        (overall,) = null_tests(cells, (None,), first, fitted, rng)
        of_class = replace(first, first=settings.class_permutations)
        (within,) = null_tests(divided, (cells.classes,), of_class, fitted, stream(seed, "null within class"))
        return overall, within
    overall, within = null_tests(cells, (None, cells.classes), first, fitted, rng)
    return overall, within


def _flat_models(designs: dict[str, tuple[Block, ...]], cells: CrossvalCells) -> set[str]:
    """Return the models whose predictors do not vary once centred in the groups of the cells."""
    everyone = np.arange(len(cells.values))
    if cells.centre is None:
        return set()
    return {n for n, parts in designs.items() if n in LINEAR and not design(parts, everyone, 0.0, None).shape[1]}


def model_blocks(
    blocks: dict[str, Block | None], cells: CrossvalCells, rng: np.random.Generator
) -> dict[str, tuple[Block, ...]]:
    """Return the blocks of every model that can be estimated.

    ``all_morphology`` combines morphology, embedding and external features, which may complement each other: a gain of
    "both" over it requires expression. It is absent where there is only one of these, which then stands for it.
    ``both_permuted`` combines expression with the same blocks shuffled within stratum and class: a gain of "both" over
    it requires the shape of the same cell. Columns are centred like the values of the cells.
    """
    known = {name: block for name, block in blocks.items() if block is not None}
    designs: dict[str, tuple[Block, ...]] = {name: (known[name],) for name in (*LINEAR, *STACKED) if name in known}
    covariates = joined(*(known.get(name) for name in ("technical", "cycle", "size")))
    if covariates is not None:
        designs["technical_cycle_size"] = (covariates,)
    shapes = tuple(known[name] for name in SHAPES if name in known)
    if len(shapes) > 1:
        designs["all_morphology"] = shapes
    if "expression" in known and shapes:
        within = [f"{stratum} {label}" for stratum, label in zip(cells.strata, cells.classes, strict=True)]
        strata = np.unique(within, return_inverse=True)[1]
        rows = draw_rows(exchangeable_blocks(strata, np.arange(len(strata))), rng)
        designs["both"] = (known["expression"], *shapes)
        designs["both_permuted"] = (known["expression"], *(b.rows(rows) for b in shapes))
    if cells.centre is None:
        return designs
    return {name: tuple(replace(block, centre=cells.centre) for block in parts) for name, parts in designs.items()}


def permuted_responses(cells: CrossvalCells, permutations: int, rng: np.random.Generator) -> np.ndarray:
    """Return the function as measured and permuted, shape (cells, 1 + permutations, columns).

    Cells are permuted within strata. Cells of a family stay together and are exchanged with a family of the same size
    (see :func:`cineseq.statistics.permutation.exchangeable_blocks`). Values that are centred in groups are centred
    again once permuted. Where positions are known, permuted values vary with position as the measured ones do (see
    :func:`cineseq.statistics.position.spatial_null`).
    """
    exchange = exchangeable_blocks(cells.strata, cells.families)
    rows = np.column_stack([np.arange(len(cells.values)), *(draw_rows(exchange, rng) for _ in range(permutations))])
    by_position = cells.null_by_position()
    if by_position is None:
        permuted = cells.values[rows]
    else:
        permuted = by_position.coloured(by_position.whitened(cells.values)[rows])
        permuted[:, 0] = cells.values
    if cells.centre is None:
        return _as_spread(permuted, cells.strata) if by_position is not None and by_position.share else permuted
    return centred(permuted, cells.centre)


def _as_spread(permuted: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """Scale deviations from the means of strata so that all functions (cells, functions, columns) vary as the first.

    R² of what is constant within strata then does not change, as without positions.
    """
    deviation = centred(permuted, strata)
    squares = np.square(deviation).sum(axis=(0, 2))
    factor = np.sqrt(np.divide(squares[0], squares, out=np.ones_like(squares), where=squares > 0))
    return permuted + (factor - 1)[:, None] * deviation


def training_mean(values: np.ndarray, plan: FoldPlan) -> np.ndarray:
    """Return for every cell the mean over the training cells of its fold; same shape as ``values``."""
    mean = np.empty_like(values)
    for train, test in plan.splits():
        mean[test] = values[train].mean(axis=0)
    return mean


def quick_r2(
    predicted: np.ndarray, permuted: np.ndarray, plan: FoldPlan, classes: np.ndarray | None = None
) -> np.ndarray:
    """Return R² of each permutation, summed over the columns of the function, shape (1 + permutations,).

    With ``classes``, differences between class means are removed first: R² is 0 for a model that predicts only these.
    """
    residual, baseline = permuted - predicted.reshape(permuted.shape), permuted - training_mean(permuted, plan)
    if classes is not None:
        residual, baseline = centred(residual, classes), centred(baseline, classes)
    squares = np.square(baseline).sum(axis=(0, 2))
    return 1 - np.square(residual).sum(axis=(0, 2)) / np.where(squares > 0, squares, np.nan)


def _is_needed(name: str, models: set[str]) -> bool:
    """Return whether a model is fitted for some models; late stacking combines those of single modalities."""
    return name in models or ("both_late" in models and name in STACKED)


def null_tests(
    cells: CrossvalCells,
    classes: tuple[np.ndarray | None, ...],
    design: SequentialDesign,
    fitted: Fitted,
    rng: np.random.Generator,
) -> list[dict[str, NullTest | None]]:
    """Compare R² of the quick procedure with its null, for every model.

    Every model has the first permutations. Later batches are fitted for those models only whose p-value is still open;
    the permutations themselves are the same whichever these are.

    Parameters
    ----------
    cells
        The function of the cells, and the strata and families of the permutations.
    classes
        For each kind of R², classes whose means are removed from it, or None.
    design
        When the permutations of a model end.
    fitted
        The quick procedure.
    rng
        Generator of the first permutations; later ones are drawn from a child of it.

    Returns
    -------
    list of dict
        For each kind of R², the tests by model; None where no permutation changes R². Without permutations, no models.
    """
    if not design.first:
        return [{} for _ in classes]

    def scores(values: np.ndarray, models: set[str] | None = None) -> dict[tuple[str, int], np.ndarray]:
        predicted, kinds = fitted(values, models), list(enumerate(classes))
        return {(n, k): quick_r2(p, values, cells.plan, own) for n, p in predicted.items() for k, own in kinds}

    # Observed R² and that of the first permutations, by model and kind, each shape (1 + permutations,).
    first, later = scores(permuted_responses(cells, design.first, rng)), rng.spawn(1)[0]
    changed = [key for key, values in first.items() if not _unchanged(values)]

    def more(count: int, still: np.ndarray) -> np.ndarray:
        keys = [changed[position] for position in still]
        drawn = scores(permuted_responses(cells, count, later)[:, 1:], {name for name, _ in keys})
        return np.column_stack([drawn[key] for key in keys])

    # Sequential test of every R² that permutations change.
    tests: list[dict[str, NullTest | None]] = [{name: None for name, _ in first} for _ in classes]
    if changed:
        values = np.column_stack([first[key] for key in changed])
        found = sequential_test(values[0], values[1:], more, design)
        for (name, kind), own, p, drawn in zip(changed, values.T, found.p_value, found.permutations, strict=True):
            tests[kind][name] = NullTest(float(own[0]), own[1:], float(p), int(drawn))
    return tests


def _with_nulls(
    name: str, fit: ModelFit, overall: dict[str, NullTest | None], within: dict[str, NullTest | None]
) -> ModelFit:
    """Add both null distributions to a fit, where permutations were drawn and change R²."""
    if name not in overall:
        return fit
    test, by_class = overall[name], within.get(name)
    if test is None:
        return replace(fit, note="; ".join(filter(None, [fit.note, UNCHANGED])))
    procedure = f"p-value of the quick procedure, R² = {number(test.quick, 3)}" if name not in LINEAR else ""
    fit = replace(fit, note="; ".join(filter(None, [fit.note, procedure])), test=test)
    return fit if name == "class" or by_class is None else replace(fit, test_within=by_class)


def _unchanged(values: np.ndarray) -> bool:
    """Return whether no permutation changes R²."""
    return bool(np.allclose(values, values[0], atol=1e-9) and np.abs(values[0]) > 1e-9)


def _note(name: str, blocks: dict[str, Block | None]) -> str:
    if name == "both_permuted":
        what = (
            "morphology, embedding and features" if blocks.get("features") is not None else "morphology and embedding"
        )
        return f"control: {what} rows shuffled within stratum and class"
    if name == "technical_cycle_size":
        lacking = [part for part in ("technical", "cycle", "size") if blocks.get(part) is None]
        return f"without {' and '.join(lacking)}" if lacking else ""
    return ""
