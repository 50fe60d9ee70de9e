"""What expression and shape add to size, cell cycle and technical covariates, as these were measured.

Everything is within fields: function, covariates and added columns are centred by sample and field, so that nothing is
said of differences between fields.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from cineseq.config.prediction import Folds, Prediction
from cineseq.prediction.crossval.covariates import CovariateModel, Splines, cubic_curves, natural_splines
from cineseq.prediction.crossval.feature_blocks import Block, joined
from cineseq.prediction.crossval.folds import CrossvalCells
from cineseq.prediction.crossval.left_out import retrained_of, training_blocks
from cineseq.prediction.crossval.ridge import RidgeFold, Tuning, predict, predict_without, ridge_folds
from cineseq.prediction.crossval.transform import SMALLEST_DEVIATION, standardised
from cineseq.prediction.residual_test import ResidualTest
from cineseq.statistics.correlation import partial_spearman
from cineseq.statistics.metrics import centred, r2_interval
from cineseq.statistics.permutation import benjamini_hochberg
from cineseq.statistics.sequential import SequentialDesign, sequential_test
from cineseq.statistics.streams import stream
from cineseq.tables.prediction import ADDED

COMPONENTS = 100
PENALTIES = 7
MOSTLY_MEASURED = 0.5
"""Cells without a covariate are left out if more than this share of the cells has it; else its median is taken."""
COVARIATE_BLOCKS = ("technical", "cycle", "size")
WORSE = "held-out covariates predict no better than the field mean, so all that is predicted counts as added"
UNTESTED = "no p-value: the covariates leave too little of the cells or of the added columns"


@dataclass(frozen=True)
class Increment:
    """What some blocks add to the covariates.

    Attributes
    ----------
    r2_covariates, r2_joint
        Out-of-fold R² within fields of the covariates alone, and of covariates and added blocks together.
    gain
        Squared error of the covariates minus that of the joint model, shape (cells,).
    gain_without
        The same where added blocks were trained without each block of training cells, shape (blocks, cells).
    total
        Squared deviation of the function from its field mean, shape (cells,).
    partial
        Fraction of what the covariates leave, with curves that are not penalised, that the added blocks explain; the
        test is of it. NaN without a test.
    partial_null
        That fraction under the first permutations, shape (permutations,).
    p_value, permutations
        Of the test, and how many permutations it took.
    """

    r2_covariates: float
    r2_joint: float
    gain: np.ndarray
    gain_without: np.ndarray
    total: np.ndarray
    partial: float
    partial_null: np.ndarray
    p_value: float = float("nan")
    permutations: int = 0


@dataclass(frozen=True)
class Adjustment:
    """Covariates of some cells, with the folds in which they are fitted.

    Attributes
    ----------
    covariates
        Technical covariates, cell cycle and size, side by side.
    cells
        Function, folds, strata and families of the cells.
    inner
        Number of grouped inner folds, which choose penalties.
    """

    covariates: Block
    cells: CrossvalCells
    inner: int

    @property
    def fields(self) -> np.ndarray:
        """Field of each cell, shape (cells,)."""
        return self.cells.field_labels()

    def model(self, train: np.ndarray) -> CovariateModel:
        """Return the covariate model fitted to some cells."""
        basis = covariate_basis(self.covariates, self.fields, train)
        return CovariateModel.of(basis, train, self.cells.plan.units, self.inner)

    def design(self) -> np.ndarray:
        """Return the design of the test, shape (cells, terms): indicators of fields, and curves of the covariates."""
        both = _with_deviations(self.covariates, self.fields, np.arange(len(self.fields)))
        fields = np.unique(self.fields, return_inverse=True)[1]
        return np.column_stack([np.eye(fields.max() + 1)[fields], cubic_curves(both.values)])

    def centred(self, values: np.ndarray) -> np.ndarray:
        """Return values minus their field mean; the cells come first."""
        return centred(values, self.fields)


def covariate_basis(covariates: Block, fields: np.ndarray, train: np.ndarray) -> Splines:
    """Return splines of covariates and of their deviations from the field, centred by field.

    Both are there because what a field adds to a covariate may be real, or an error of measurement.
    """
    splines = natural_splines(_with_deviations(covariates, fields, train), train)
    return replace(splines, values=centred(splines.values, fields))


def _with_deviations(covariates: Block, fields: np.ndarray, train: np.ndarray) -> Block:
    filled = standardised(covariates, train, 0.0, None)
    deviations = replace(filled, values=centred(filled.values, fields))
    return joined(filled, deviations) or filled


@dataclass(frozen=True)
class Added:
    """Blocks that are added to the covariates, and the filter of their genes."""

    blocks: tuple[Block, ...]
    min_detected: float = 0.0
    max_genes: int | None = None

    def columns(self, adjustment: Adjustment, train: np.ndarray) -> np.ndarray:
        """Return the columns centred by field, shape (cells, columns), scaled in some cells.

        All blocks have the same total variance there. Columns that are constant there are left out.
        """
        parts = []
        for block in self.blocks:
            columns = adjustment.centred(standardised(block, train, self.min_detected, self.max_genes).values)
            deviation = columns[train].std(axis=0)
            varies = deviation > SMALLEST_DEVIATION
            parts.append(columns[:, varies] / (deviation[varies] * np.sqrt(max(1, varies.sum()))))
        return np.column_stack(parts)

    def residuals(self, adjustment: Adjustment, model: CovariateModel) -> np.ndarray:
        """Return the columns minus their fit by the covariates, shape (cells, columns).

        Residuals are not scaled again, so that a column that is a covariate itself stays near 0.
        """
        columns = self.columns(adjustment, model.train)
        return columns - model.predict_closely(columns)


def increments(
    adjustment: Adjustment, added: dict[str, Added], *, permutations: SequentialDesign, seed: int
) -> dict[str, Increment]:
    """Estimate how much better each set of blocks predicts together with the covariates than these do alone.

    For the estimate the covariates are fitted by penalised splines in each outer fold. Function and added columns are
    replaced by their residuals, and a ridge regression on these residuals predicts what the covariates leave of the
    function. The test repeats the second stage with curves that are not penalised and fitted to all cells, see
    :class:`cineseq.prediction.residual_test.ResidualTest`: a curve that a penalty leaves in function and added columns
    would be taken for an association of both.

    Parameters
    ----------
    adjustment
        Covariates, cells and folds.
    added
        Sets of blocks by name.
    permutations, seed
        How many permutations are drawn, and the seed that draws them.

    Returns
    -------
    dict
        One increment per name; a set without a varying column has none.
    """
    plan, values = adjustment.cells.plan, adjustment.centred(adjustment.cells.values)
    tuning = Tuning(adjustment.inner, COMPONENTS, PENALTIES)
    # First stage: what the covariates leave of the function, by outer fold, each shape (cells, columns).
    models = [adjustment.model(train) for train, _ in plan.splits()]
    left = [values - model.predict(values) for model in models]
    alone = _of_test_cells(left, plan.splits())
    errors, total = np.square(alone).sum(axis=1), np.square(values).sum(axis=1)
    found: dict[str, Increment] = {}
    # Second stage: ridge regression of that on what the covariates leave of the added columns.
    for name, blocks in added.items():
        designs = [blocks.residuals(adjustment, model) for model in models]
        if min(design.shape[1] for design in designs) == 0:
            continue
        second = ridge_folds(designs, plan, tuning)
        gain = errors - np.square(alone - _second_stage(second, left)).sum(axis=1)
        without = _second_stage_without(second, left, training_blocks(plan))
        gain_without = errors - np.square(alone - without).sum(axis=2)
        r2 = 1 - errors.sum() / total.sum()
        found[name] = Increment(r2, r2 + gain.sum() / total.sum(), gain, gain_without, total, np.nan, np.empty(0))
    # The test, with curves that are fitted to all cells.
    test = ResidualTest.of(adjustment.cells, adjustment.design())
    every = np.arange(len(values))
    columns = {name: added[name].columns(adjustment, every) for name in found if test is not None}
    return found | _tested(found, test, columns, tuning, permutations=permutations, rng=stream(seed, "null"))


def _tested(
    found: dict[str, Increment],
    test: ResidualTest | None,
    columns: dict[str, np.ndarray],
    tuning: Tuning,
    *,
    permutations: SequentialDesign,
    rng: np.random.Generator,
) -> dict[str, Increment]:
    """Return the increments that can be tested, with their tests."""
    if test is None:
        return {}
    stages = {name: folds for name, added in columns.items() if (folds := test.second_stage(added, tuning)) is not None}
    if not stages:
        return {}
    # Explained fraction of the residuals (row 0) and of the first permuted ones, shape (1 + permutations, sets).
    order, later = list(stages.values()), rng.spawn(1)[0]
    first = test.explained(order, np.concatenate([test.own[:, None], test.permuted(permutations.first, rng)], axis=1))

    def more(count: int, still: np.ndarray) -> np.ndarray:
        return test.explained([order[position] for position in still], test.permuted(count, later))

    done = sequential_test(first[0], first[1:], more, permutations)
    tested = zip(stages, first.T, done.p_value, done.permutations, strict=True)
    return {
        name: replace(found[name], partial=float(f[0]), partial_null=f[1:], p_value=p, permutations=int(m))
        for name, f, p, m in tested
    }


def adjustment_of(blocks: dict[str, Block | None], cells: CrossvalCells, inner: int) -> Adjustment | None:
    """Return the covariates of some cells with their fields; None without a covariate.

    Parameters
    ----------
    blocks
        From :func:`cineseq.prediction.crossval.feature_blocks.all_blocks`, of these cells.
    cells
        Function, folds, strata, families and fields of the cells.
    inner
        Number of inner folds.
    """
    covariates = joined(*(blocks.get(name) for name in COVARIATE_BLOCKS))
    if covariates is None:
        return None
    return Adjustment(covariates, cells, inner)


def beyond_rows(
    function: str,
    blocks: dict[str, Block | None],
    cells: CrossvalCells,
    *,
    settings: Prediction,
    folds: Folds,
    seed: int,
    functions: int = 1,
) -> pd.DataFrame:
    """Return one row per kind of columns that are added to the covariates of one function.

    Parameters
    ----------
    function
        Its name.
    blocks, cells
        See :func:`adjustment_of`.
    settings, folds, seed
        Sections ``prediction`` and ``folds`` of the configuration, and the seed.
    functions
        Number of functions over which the false discovery rate is controlled.

    Returns
    -------
    pandas.DataFrame
        As :data:`cineseq.tables.prediction.BEYOND_COVARIATES`, without q-values; see :func:`with_q_values_by_kind`.
    """
    present = {name: block for name in ADDED if (block := blocks.get(name)) is not None}
    if "expression" in present and len(present) > 1:
        present["both"] = present["expression"]
    start = {"function": function, "n": len(cells.values), "groups": cells.plan.groups, "permutations": 0}
    adjustment = adjustment_of(blocks, cells, folds.inner)
    note = None
    if adjustment is None:
        note = "not estimable: no technical, cell-cycle or size covariate"
    elif not np.ptp(adjustment.centred(cells.values), axis=0).max() > SMALLEST_DEVIATION:
        note = "not estimable: the function does not differ within fields"
    if adjustment is None or note:
        return pd.DataFrame([start | {"added": name, "note": note} for name in present])
    sets = {
        name: tuple(block for part, block in present.items() if part != "both") if name == "both" else (own,)
        for name, own in present.items()
    }
    added = {name: Added(parts, settings.min_detected, settings.max_genes) for name, parts in sets.items()}
    permutations = SequentialDesign(settings.permutations, settings.most_permutations, functions)
    found = increments(adjustment, added, permutations=permutations, seed=seed)
    return pd.DataFrame(
        [
            start
            | {"added": name}
            | (_row(found[name], cells) if name in found else {"note": "not estimable: no column varies"})
            for name in present
        ]
    )


def _row(increment: Increment, cells: CrossvalCells) -> dict[str, object]:
    low, high = r2_interval(
        increment.gain, increment.total, cells.plan.units, retrained_of(cells.plan, increment.gain_without)
    )
    drawn = increment.partial_null
    notes = (WORSE if increment.r2_covariates < 0 else "", UNTESTED if np.isnan(increment.partial) else "")
    return {
        "r2_covariates": increment.r2_covariates,
        "r2_joint": increment.r2_joint,
        "delta_r2": increment.r2_joint - increment.r2_covariates,
        "low": low,
        "high": high,
        "delta_null": drawn.mean() * (1 - increment.r2_covariates) if len(drawn) else np.nan,
        "partial_r2": increment.partial,
        "p_value": increment.p_value,
        "permutations": increment.permutations,
        "note": "; ".join(filter(None, notes)) or None,
    }


def with_q_values_by_kind(rows: pd.DataFrame) -> pd.DataFrame:
    """Add q-values over functions, for each kind of added columns: one family of hypotheses for each claim."""
    q = rows.groupby("added")["p_value"].transform(lambda p: benjamini_hochberg(p.to_numpy(float)))
    return rows.assign(q_value=q.astype(float))


def _of_test_cells(parts: list[np.ndarray], splits: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return the rows of the test cells of each fold, in the order of the cells."""
    whole = np.empty_like(parts[0])
    for part, (_, test) in zip(parts, splits, strict=True):
        whole[test] = part[test]
    return whole


def _second_stage(folds: list[RidgeFold], left: list[np.ndarray]) -> np.ndarray:
    """Predict what the covariates leave, with the residuals of each fold as its targets."""
    predicted = np.empty_like(left[0])
    for fold, targets in zip(folds, left, strict=True):
        predicted[fold.test] = predict([fold], targets)[fold.test]
    return predicted


def _second_stage_without(folds: list[RidgeFold], left: list[np.ndarray], blocks: np.ndarray) -> np.ndarray:
    """Return :func:`_second_stage` without each block of training cells, shape (blocks, cells, columns)."""
    predicted = np.empty((int(blocks.max()) + 1, *left[0].shape))
    for fold, targets in zip(folds, left, strict=True):
        for block, whole in enumerate(predict_without([fold], targets, blocks)):
            predicted[block, fold.test] = whole[fold.test]
    return predicted


def conditional_correlations(block: Block, response: np.ndarray, adjustment: Adjustment) -> pd.DataFrame:
    """Test whether each column goes with a response given the covariates, within fields.

    Ranks of column and response are residualised by least squares on splines of the covariates, and the products of
    both residuals are summed (generalised covariance measure). P-values are robust to alike cells of a family, and
    allow for the position where the response follows it and it is known. There
    are no folds: the test takes into account what the splines have fitted, and residuals of held-out cells would share
    the errors of one fit.

    Parameters
    ----------
    block, response
        Columns, shape (cells, columns), and the response, shape (cells,).
    adjustment
        Covariates, families and fields of the same cells. Cells without a covariate that most cells have are left out.

    Returns
    -------
    pandas.DataFrame
        Columns ``rho`` (partial rank correlation) and ``p_value``, one row per column of the block.

    References
    ----------
    Shah and Peters, Ann. Stat. 48 (2020) 1514.
    """
    measured = np.isfinite(adjustment.covariates.values)
    rows = np.flatnonzero(measured[:, measured.mean(axis=0) > MOSTLY_MEASURED].all(axis=1))
    fields = np.unique(adjustment.fields[rows], return_inverse=True)[1]
    basis = covariate_basis(adjustment.covariates.rows(rows), fields, np.arange(len(rows)))
    design = np.column_stack([basis.values, np.eye(fields.max(initial=0) + 1)[fields]])
    cells = adjustment.cells
    place = None if cells.place is None else cells.place.rows(rows)
    rho, p = partial_spearman(block.values[rows], response[rows], design, cells.families[rows], place)
    return pd.DataFrame({"rho": rho, "p_value": p})
