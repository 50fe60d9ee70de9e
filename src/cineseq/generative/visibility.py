"""Which targets go with the other modality at all: a permutation test that costs one product of matrices a draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cineseq.crossmodal.explained_values import Targets, errors_of
from cineseq.prediction.crossval.folds import CrossvalCells, FoldPlan
from cineseq.prediction.crossval.ridge import RidgeFold
from cineseq.statistics import ALPHA
from cineseq.statistics.permutation import TIE, benjamini_hochberg, draw_rows, exchangeable_blocks


@dataclass(frozen=True)
class Pairings:
    """Targets with their own pairing and with shuffled ones.

    Attributes
    ----------
    targets
        Values centred within fields.
    blocks
        Rows that may be exchanged, see :func:`cineseq.statistics.permutation.exchangeable_blocks`.
    """

    targets: Targets
    blocks: list[np.ndarray]

    @classmethod
    def of(cls, values: np.ndarray, cells: CrossvalCells) -> Pairings:
        """Return the pairings of values that are shuffled within strata and class, families together.

        Shuffled values vary with position as the measured ones do, where it is known.
        """
        divided = cells.within_class()
        targets = Targets(values.astype(np.float32), "variance").along_position(divided.place)
        return cls(targets, exchangeable_blocks(divided.strata, cells.families))

    def shuffled(self, rng: np.random.Generator) -> Targets:
        """Return the targets with one random pairing."""
        return self.targets.rows(draw_rows(self.blocks, rng))


@dataclass(frozen=True)
class ScoreTest:
    """P-values of the association of targets with one or more designs, by permutation.

    Attributes
    ----------
    any_design
        Of each target with at least one of the designs, shape (targets,).
    by_design
        The same for each design, adjusted over the designs of a target, shape (designs, targets).
    totals
        Of weighted sums over targets, for each design alone, shape (designs, totals).
    permutations
        Number of shuffled pairings.
    """

    any_design: np.ndarray
    by_design: np.ndarray
    totals: np.ndarray
    permutations: int

    def earliest(self, last_first: Sequence[float], level: float = ALPHA) -> tuple[np.ndarray, np.ndarray]:
        """Return which targets are visible at all, and the largest label among the designs in which each is.

        Targets are chosen at a false discovery rate of ``level`` over targets. Of a chosen target, those designs count
        whose adjusted p-value is at most ``level`` times the chosen fraction of the targets, which controls the
        average of the errors within chosen targets at ``level``.

        Parameters
        ----------
        last_first
            Label of each design, such as hours before the endpoint, shape (designs,).
        level
            The false discovery rate.

        Returns
        -------
        tuple of numpy.ndarray
            Whether each target is chosen, and the label, NaN where it is not, each shape (targets,).

        References
        ----------
        Benjamini and Bogomolov, J. R. Stat. Soc. B 76 (2014) 297.
        """
        chosen = benjamini_hochberg(self.any_design) <= level
        tested = np.isfinite(self.any_design).sum()
        within = level * chosen.sum() / max(int(tested), 1)
        counts = (self.by_design <= within) & chosen
        labels = np.where(counts, np.asarray(last_first, float)[:, None], -np.inf).max(axis=0)
        return chosen, np.where(np.isfinite(labels), labels, np.nan)


def score_test(
    designs: Sequence[np.ndarray],
    pairings: Pairings,
    weights: np.ndarray,
    *,
    permutations: int,
    rng: np.random.Generator,
) -> ScoreTest:
    """Test whether targets go with predictors within fields.

    The statistic of a target is the sum of its squared products with the columns of a design: the score statistic of
    the variance of many small coefficients, for which nothing is fitted or held out. It has power wherever a ridge
    regression has. Over several designs the largest standardised statistic counts.

    Parameters
    ----------
    designs
        Predictors centred within fields, 0 for cells that a design does not see, shape (cells, predictors) each.
    pairings
        Targets and their shuffled pairings.
    weights
        Weights of targets in totals, shape (targets, totals).
    permutations
        Number of shuffled pairings; 0 gives no p-values.
    rng
        Random generator.

    References
    ----------
    Lin, Biometrika 84 (1997) 309 (the statistic); Westfall and Young, Resampling-Based Multiple Testing (1993), section
    2.8 (the largest over designs).
    """
    # Columns of all designs side by side, and where each design ends.
    columns = np.concatenate([design / np.sqrt(max(1.0, np.square(design).sum())) for design in designs], axis=1)
    columns = np.ascontiguousarray(columns.T, np.float32)
    starts = np.cumsum([0, *(design.shape[1] for design in designs[:-1])])

    def statistics(targets: Targets) -> np.ndarray:
        squares = np.square(columns @ np.nan_to_num(targets.values))
        return np.add.reduceat(squares, starts, axis=0)

    # Statistics of the own pairing (row 0) and of the shuffled ones, shape (1 + permutations, designs, targets).
    drawn = np.stack([statistics(pairings.targets), *(statistics(pairings.shuffled(rng)) for _ in range(permutations))])
    totals = _rank(drawn @ weights.astype(np.float32))
    # Standardised over all pairings alike, so that the own one is exchangeable with the others; NaN where constant.
    mean, spread = drawn.mean(axis=0), drawn.std(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        standard = np.where(spread > TIE * np.maximum(mean, TIE), (drawn - mean) / spread, -np.inf)
    largest = standard.max(axis=1)
    tested = np.isfinite(largest[0])
    by_design = _exceeded(standard[0], largest[1:, None, :])
    if not permutations:
        unknown = [np.full(part.shape, np.nan) for part in (tested, by_design, totals)]
        return ScoreTest(unknown[0], unknown[1], unknown[2], 0)
    any_design = np.where(tested, _rank(largest), np.nan)
    return ScoreTest(any_design, np.where(np.isfinite(standard[0]), by_design, np.nan), totals, permutations)


def _rank(drawn: np.ndarray) -> np.ndarray:
    """Return the p-value of the first row among all rows."""
    return _exceeded(drawn[0], drawn[1:])


def _exceeded(own: np.ndarray, shuffled: np.ndarray) -> np.ndarray:
    return (1 + (shuffled >= own).sum(axis=0)) / (1 + len(shuffled))


def shuffled_errors(
    folds: list[RidgeFold], pairings: Pairings, plan: FoldPlan, *, draws: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return squared errors of ridge regressions under shuffled pairings, and of their training means.

    Parameters
    ----------
    folds
        Regressions on the predictors, from :func:`cineseq.prediction.crossval.ridge.ridge_folds`.
    pairings
        Targets of the same cells.
    plan
        The folds.
    draws
        Number of shuffled pairings.
    rng
        Random generator.

    Returns
    -------
    tuple of numpy.ndarray
        Sums over held-out cells, shape (draws, targets) each.
    """
    found = np.empty((2, draws, pairings.targets.values.shape[1]))
    for number in range(draws):
        errors = errors_of(folds, pairings.shuffled(rng), plan)
        found[:, number] = [np.square(part).sum(axis=0) for part in (errors.residual, errors.baseline)]
    return found[0], found[1]
