"""Declared groups of cells, such as plates, that are in neither folds nor strata, and what is left of R² in them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import joblib
import numpy as np
import pandas as pd

from cineseq.config.prediction import Folds, Prediction
from cineseq.io.group_columns import GROUP, why_no_group
from cineseq.prediction.crossval.feature_blocks import Block
from cineseq.prediction.crossval.folds import CrossvalCells
from cineseq.prediction.crossval.labels import group_columns, joint_labels
from cineseq.prediction.crossval.out_of_fold import NOTHING_KEPT, out_of_fold
from cineseq.prediction.crossval.transform import kept_genes
from cineseq.prediction.estimands import Row
from cineseq.prediction.model_comparison import (
    NullTest,
    full_procedure,
    model_blocks,
    null_tests,
    quick_procedure,
    training_mean,
)
from cineseq.prediction.performance import ModelComparison, Within
from cineseq.statistics import ALPHA
from cineseq.statistics.epsilon_squared import WithinStrata, indicators
from cineseq.statistics.metrics import centred, r2, r2_interval, varies
from cineseq.statistics.permutation import TIE, benjamini_hochberg, exchangeable_blocks, p_value
from cineseq.statistics.position import SpatialNulls
from cineseq.statistics.sequential import SequentialDesign
from cineseq.statistics.streams import child_seed, stream
from cineseq.tables.imaging import CELLS, PAIRS
from cineseq.tables.prediction import MODALITIES
from cineseq.text import known

logger = logging.getLogger(__name__)
COMPONENTS = 10
PERMUTATIONS = 999
FEWEST_WITHIN = 20
"""Fewest cells beyond one per field and level for R² within the levels."""
PLACES = ("sample", "fov", "condition", "replicate")
MADE = ("leiden", "louvain", "cluster", "phase", "seurat")
"""Columns whose names begin like this are made from the expression, and differences between them are no batch."""
OWN = ("family", "ambient_score", "sister_", "state_")
"""Columns, or beginnings of columns, of the paired data that are measurements or relatives."""
FILES = {c.name for table in (CELLS, PAIRS) for c in table.columns} - set(PLACES)


@dataclass(frozen=True)
class GroupColumns:
    """Columns of cells that are tested, and why others are not.

    Attributes
    ----------
    tested
        Columns of ``obs``.
    left_out
        The reason for every other declared column.
    """

    tested: tuple[str, ...]
    left_out: dict[str, str]

    def log(self) -> None:
        """Write both to the log."""
        names = ", ".join(map(named, self.tested)) or "none"
        logger.info("Groups that are in neither folds.groups nor folds.null_strata and are tested: %s.", names)
        for name, reason in self.left_out.items():
            logger.info("Group %s is not tested: %s.", named(name), reason)


def named(column: str) -> str:
    """Return the name of a group as the user gave it."""
    return column.removeprefix(GROUP)


def columns_to_test(obs: pd.DataFrame, folds: Folds, class_column: str) -> GroupColumns:
    """Return the declared groups of cells that neither the folds nor the null knows.

    Declared are the columns ``group_*``, ``sample``, ``fov``, ``condition`` and ``replicate``, and all columns that the
    pipeline does not write itself; or those of ``folds.check_groups``.

    Raises
    ------
    UserError
        When ``folds.check_groups`` names a column that does not exist.
    """
    if folds.check_groups is None:
        declared = [c for c in map(str, obs.columns) if not (c in FILES or c.startswith(OWN))]
    else:
        declared = group_columns(obs, folds.check_groups, "folds.check_groups")
    strata = group_columns(obs, folds.null_strata, "folds.null_strata")
    labels = joint_labels(obs, strata)
    reasons = {
        column: _why_not(obs[column], labels, column, folds, class_column, asked=folds.check_groups is not None)
        for column in declared
    }
    return GroupColumns(
        tuple(column for column, reason in reasons.items() if not reason),
        {column: reason for column, reason in reasons.items() if reason},
    )


def _why_not(
    values: pd.Series, strata: np.ndarray, column: str, folds: Folds, class_column: str, *, asked: bool
) -> str:
    """Return why a column is not tested, one that the user ``asked`` for or any other; empty where it is tested."""
    for key in ("groups", "null_strata"):
        if {column, named(column)} & set(getattr(folds, key)):
            return f"it is in folds.{key}"
    if named(column) == class_column:
        return "it is prediction.class_column, see the rows within_class"
    if not asked and named(column).lower().startswith(MADE):
        return "by its name it is made from the expression; name it in folds.check_groups to test it"
    reason = why_no_group(values)
    if reason:
        return reason
    levels = values.astype("string").fillna("").groupby(strata).nunique()
    return "all cells of a stratum of the null have the same" if levels.max() < 2 else ""


@dataclass(frozen=True)
class Difference:
    """Share of the variance within strata that lies between the levels of a group: epsilon squared, interval and p."""

    epsilon2: float
    low: float
    high: float
    p_value: float


NO_DIFFERENCE = Difference(np.nan, np.nan, np.nan, np.nan)


def difference(
    values: np.ndarray,
    codes: np.ndarray,
    cells: CrossvalCells,
    rng: np.random.Generator,
    by_position: SpatialNulls | None = None,
) -> Difference:
    """Measure and test how values differ between the levels of a group, within strata.

    The null permutes cells within strata, whole families together. Under it, levels are exchangeable between the cells
    of a stratum, but for what their position tells.

    Parameters
    ----------
    values
        Shape (cells, columns); the columns count as one, by their sums of squares.
    codes
        Level of each cell, from 0, shape (cells,).
    cells
        Strata and families of the cells.
    rng
        Draws the permutations.
    by_position
        How the values vary with position, see :meth:`CrossvalCells.nulls_of`; None where the null does not keep it.
    """
    design = WithinStrata.of(indicators(codes), cells.strata)
    own = centred(values, design.strata)
    if design.rank < 1 or not varies(own, values):
        return NO_DIFFERENCE
    found = design.jackknife_together(own)
    blocks = exchangeable_blocks(cells.strata, cells.families)
    null = design.permuted_overall(own, blocks, PERMUTATIONS, rng, by_position)
    low, high = found.interval()
    return Difference(float(found.estimate), float(low), float(high), float(p_value(float(found.estimate), null + TIE)))


def main_components(block: Block | None, strata: np.ndarray, settings: Prediction, seed: int) -> np.ndarray | None:
    """Return the first principal components of expression within strata, shape (cells, components).

    None without genes that vary. The seed is of the randomised decomposition.
    """
    from sklearn.utils.extmath import randomized_svd  # noqa: PLC0415 - only where groups are tested

    if block is None:
        return None
    keep = kept_genes(block.values, settings.min_detected, settings.max_genes)
    genes = centred(block.values[:, keep], strata)
    components = min(COMPONENTS, *(side - 1 for side in genes.shape))
    if components < 1 or not genes.any():
        return None
    left, scale, _ = randomized_svd(genes, components, random_state=seed)
    return left * scale


@dataclass(frozen=True)
class UnusedGroups:
    """The test of unused groups for the models of one function.

    Attributes
    ----------
    comparison
        Its models.
    blocks
        Feature blocks of the same cells.
    obs
        What is known of these cells.
    prediction, folds, seed
        Sections of the configuration, and the seed.
    threads, kept
        Number of worker processes, and the cache of fits.
    """

    comparison: ModelComparison
    blocks: dict[str, Block | None]
    obs: pd.DataFrame
    prediction: Prediction
    folds: Folds
    seed: int
    threads: int = 1
    kept: joblib.Memory = NOTHING_KEPT

    def rows(self, columns: Sequence[str]) -> pd.DataFrame:
        """Return one row per group and model, as :data:`cineseq.tables.prediction.UNUSED_GROUPS`.

        Models are fitted again within the levels of a group where function or expression differs by it (p ≤ .05).
        """
        if not columns:
            return pd.DataFrame()
        cells = self.comparison.cells
        seed = child_seed(self.seed, "main components")
        components = main_components(self.blocks["expression"], cells.strata, self.prediction, seed)
        levels = {column: joint_labels(self.obs, [column]) for column in columns}
        of_function = self._differences(cells.values, levels, "function")
        of_expression = self._differences(components, levels, "expression")
        q, q_expression = (
            benjamini_hochberg(np.array([found.p_value for found in both])) for both in (of_function, of_expression)
        )
        rows: list[Row] = []
        for number, (column, codes) in enumerate(levels.items()):
            one, other = of_function[number], of_expression[number]
            about: Row = {
                "function": self.comparison.response.name,
                "group": named(column),
                "within": ", ".join(self.folds.null_strata),
                "n": len(codes),
                "levels": int(codes.max()) + 1,
            }
            about |= _columns("", one) | {"q_value": q[number]}
            about |= _columns("expression_", other) | {"expression_q_value": q_expression[number]}
            differs = min(p for p in (one.p_value, other.p_value, 1.0) if known(p)) <= ALPHA
            rows += [about | row for row in self._models(column, codes, differs=differs)]
        return pd.DataFrame(rows)

    def _differences(self, values: np.ndarray | None, levels: dict[str, np.ndarray], what: str) -> list[Difference]:
        """Return how values differ by each group; ``what`` names them."""
        cells = self.comparison.cells
        if values is None:
            return [NO_DIFFERENCE] * len(levels)
        by_position = cells.nulls_of(values)
        return [
            difference(values, codes, cells, stream(self.seed, column, what), by_position)
            if codes.max() > 0
            else NO_DIFFERENCE
            for column, codes in levels.items()
        ]

    def _models(self, column: str, codes: np.ndarray, *, differs: bool) -> list[Row]:
        """Return R² of the model of every modality within fields, and within the levels of a group, too."""
        of_fields = self._within_fields()
        rows = {model: {"model": model, "r2": value, "permutations": 0} for model, value in of_fields.items()}
        if not differs:
            note = "neither function nor expression differs by the group (p > 0.05): models are not fitted within it"
            return [row | {"note": note} for row in rows.values()]
        own, parts = within_levels(self.comparison.cells, codes)
        beyond = len(codes) - parts
        if beyond < FEWEST_WITHIN:
            note = f"not estimable: cells exceed fields and levels by {beyond}, {FEWEST_WITHIN} are required"
            return [row | {"note": note} for row in rows.values()]
        rng = stream(self.seed, column, "models")
        return [rows[model] | found for model, found in self._fitted(own, list(rows), rng).items()]

    def _within_fields(self) -> dict[str, float]:
        """Return R² within fields of the model of every modality; NaN where it is not estimable."""
        within = self.comparison.within
        if not isinstance(within, Within):
            return dict.fromkeys((m for m in MODALITIES if m in self.comparison.estimated()), np.nan)
        baseline = within.cells.values - training_mean(within.cells.values, within.cells.plan)
        predicted = {m: p for m, p in within.estimated().items() if m in MODALITIES}
        return {m: float(r2((within.cells.values - p).ravel(), baseline.ravel())) for m, p in predicted.items()}

    def _fitted(self, own: CrossvalCells, models: list[str], rng: np.random.Generator) -> dict[str, Row]:
        """Fit models to cells that are centred within the levels of a group, with the null within these."""
        baseline = own.values - training_mean(own.values, own.plan)
        total = np.square(baseline).sum(axis=1)
        if not varies(baseline, self.comparison.cells.values):
            note = "not estimable: the function does not differ within the levels of the group"
            return {model: {"note": note} for model in models}
        # Out-of-fold predictions of every model, shape (cells, columns).
        designs = {m: parts for m, parts in model_blocks(self.blocks, own, rng).items() if m in models}
        full, quick = (of(self.prediction, self.folds) for of in (full_procedure, quick_procedure))
        predicted = out_of_fold(designs, own.values, own.plan, full, self.threads, kept=self.kept)

        def fitted(values: np.ndarray, wanted: set[str] | None) -> dict[str, np.ndarray]:
            some = designs if wanted is None else {model: designs[model] for model in designs if model in wanted}
            return out_of_fold(some, values.reshape(len(values), -1), own.plan, quick, self.threads, kept=self.kept)

        # The quick procedure with its null, for every model.
        first = min(self.prediction.permutations, self.prediction.class_permutations)
        (tests,) = null_tests(own, (None,), SequentialDesign(first, self.prediction.most_permutations), fitted, rng)
        rows: dict[str, Row] = {}
        for model in designs:
            gain = total - np.square(own.values - predicted[model]).sum(axis=1)
            low, high = r2_interval(gain, total, own.plan.units)
            test = tests.get(model) or NullTest()
            rows[model] = {
                "r2_within_group": gain.sum() / total.sum(),
                "r2_within_group_low": low,
                "r2_within_group_high": high,
                "r2_within_group_null": float(np.mean(test.null)) if len(test.null) else np.nan,
                "p_within_group": test.p_value,
                "permutations": test.permutations,
            }
        return rows


def _columns(prefix: str, found: Difference) -> Row:
    values = {"epsilon2": found.epsilon2, "epsilon2_low": found.low, "epsilon2_high": found.high}
    return {f"{prefix}{name}": value for name, value in (values | {"p_value": found.p_value}).items()}


def within_levels(cells: CrossvalCells, codes: np.ndarray) -> tuple[CrossvalCells, int]:
    """Return cells with values centred within fields and levels of a group, with strata split by level.

    Where a fold holds out part of a level of a field, that part is centred on its own mean.

    Parameters
    ----------
    cells
        Cells whose values are not centred.
    codes
        Level of each cell, shape (cells,).

    Returns
    -------
    tuple
        The cells, and the number of parts in which they are centred.
    """
    centre = pd.MultiIndex.from_arrays([cells.field_labels(), cells.plan.fold, codes])
    strata = pd.MultiIndex.from_arrays([cells.strata, codes])
    labels, parts = pd.factorize(centre)
    own = replace(cells, values=centred(cells.values, labels), centre=labels, strata=pd.factorize(strata)[0])
    return own, len(parts)
