"""Models trained without one block of their training cells, at the penalty already chosen."""

from __future__ import annotations

import numpy as np

from cineseq.prediction.crossval.folds import FoldPlan
from cineseq.statistics.metrics import Retrained

MOST_BLOCKS = 40
"""Groups are joined into about this many blocks where there are more."""


def training_blocks(plan: FoldPlan) -> np.ndarray:
    """Return the block of each cell, shape (cells,): its group, or several groups of one fold where there are many."""
    if plan.groups <= MOST_BLOCKS:
        return plan.units
    each = max(1, MOST_BLOCKS // plan.folds)
    blocks = np.empty_like(plan.units)
    for number in range(plan.folds):
        test = plan.fold == number
        codes = np.unique(plan.units[test], return_inverse=True)[1]
        blocks[test] = number * each + codes % each
    return np.unique(blocks, return_inverse=True)[1]


def retrained_of(plan: FoldPlan, gain: np.ndarray) -> Retrained:
    """Return what models change that were trained without each of the :func:`training_blocks`.

    ``gain`` is the numerator of R² of each cell by those models, shape (blocks, cells).
    """
    return Retrained(training_blocks(plan), gain)


def ridge_without(
    columns: np.ndarray, response: np.ndarray, blocks: np.ndarray, ridge: float, lasso: np.ndarray
) -> np.ndarray:
    """Return penalised coefficients without each block, shape (blocks present, columns).

    They minimise the squared error of the remaining cells plus, for each of these cells, ``ridge`` / 2 times the
    squares of the coefficients and the product of ``lasso`` with them: an elastic net with its chosen columns and their
    signs. A coefficient that would change its sign is 0.

    Parameters
    ----------
    columns, response
        Centred, shapes (cells, columns) and (cells,).
    blocks
        Block of each cell, shape (cells,); results are in the order of ``numpy.unique``.
    ridge
        Penalty of squares, per cell.
    lasso
        Penalty of sizes times the sign of the coefficient, per cell, shape (columns,).

    References
    ----------
    Wang et al., Proc. Mach. Learn. Res. 80 (2018) 5228 (left-out cells with fixed active columns).
    """
    gram, products = columns.T @ columns, columns.T @ response
    found = []
    for block in np.unique(blocks):
        own = columns[blocks == block]
        left = len(columns) - len(own)
        rest = gram - own.T @ own + left * ridge * np.eye(len(gram))
        goal = products - own.T @ response[blocks == block] - left * lasso
        weights = np.linalg.lstsq(rest, goal, rcond=1e-10)[0]
        found.append(np.where(weights * lasso < 0, 0.0, weights))
    return np.array(found)
