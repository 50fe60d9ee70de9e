"""Prediction of function from cluster labels alone, with clusters that are found in the training cells of each fold.

The difference of R² between expression and these labels says in one number how much of what expression predicts is
not in the clusters.
"""

from __future__ import annotations

import joblib
import numpy as np

from cineseq.config.expression import Clusters
from cineseq.expression.normalise import Expression
from cineseq.prediction.crossval.elastic_net import PathGrid, nested_elastic_net
from cineseq.prediction.crossval.feature_blocks import Block
from cineseq.prediction.crossval.folds import CrossvalCells, FoldPlan, inner_splits
from cineseq.prediction.crossval.out_of_fold import NOTHING_KEPT
from cineseq.prediction.crossval.transform import design
from cineseq.prediction.model_comparison import ModelFit
from cineseq.statistics.epsilon_squared import indicators
from cineseq.statistics.metrics import centred

GRID = PathGrid((0.5,), 12)
"""Penalties of the labels' elastic net; a penalty keeps small clusters from costing more than they tell."""


def in_fold_labels(expression: Expression, plan: FoldPlan, settings: Clusters, seed: int) -> np.ndarray:
    """Cluster the training cells of every outer fold, and assign its test cells to these clusters.

    Variable genes, principal components and clusters are of training cells only. A test cell is projected on the
    components and gets the most frequent cluster of its nearest training cells.

    Parameters
    ----------
    expression
        Expression of the cells.
    plan
        Outer folds.
    settings
        The section ``clusters`` of the configuration.
    seed
        Seed of components and clusters.

    Returns
    -------
    numpy.ndarray
        Number of the cluster of every cell in every outer fold, shape (folds, cells).
    """
    from cineseq.expression.leiden import clusters_of_training  # noqa: PLC0415 - scanpy is slow

    return np.stack([clusters_of_training(expression, *split, settings, seed) for split in plan.splits()])


def predicted_by_labels(
    labels: np.ndarray, values: np.ndarray, plan: FoldPlan, inner: int, centre: np.ndarray | None = None
) -> np.ndarray:
    """Predict function from cluster labels by elastic net on one indicator per cluster.

    Parameters
    ----------
    labels
        From :func:`in_fold_labels`, shape (folds, cells).
    values
        The function, shape (cells, columns).
    plan
        Outer folds and groups.
    inner
        Number of grouped inner folds, which choose the penalty.
    centre
        Groups within which ``values`` are centred, and so are the indicators of clusters, shape (cells,); None where
        they are not.

    Returns
    -------
    numpy.ndarray
        Out-of-fold predictions, shape (cells, columns).
    """
    predicted = np.empty_like(values)
    for own, (train, test) in zip(labels, plan.splits(), strict=True):
        member = indicators(own) if centre is None else centred(indicators(own), centre)
        block = Block(member, tuple(f"cluster {k}" for k in range(own.max() + 1)))
        columns = design((block,), train, 0.0, None)
        if not columns.shape[1]:
            predicted[test] = values[train].mean(axis=0)
            continue
        splits = inner_splits(plan.units[train], inner)
        predicted[test] = nested_elastic_net(columns[train], columns[test], values[train], splits, GRID).test
    return predicted


def fit_of_labels(
    expression: Expression | None,
    cells: CrossvalCells,
    settings: Clusters,
    inner: int,
    seed: int,
    *,
    kept: joblib.Memory = NOTHING_KEPT,
) -> ModelFit:
    """Return the out-of-fold predictions by cluster labels as a model, or why there are none.

    Parameters
    ----------
    expression
        Expression of the cells; None without counts.
    cells
        The function of the cells and their folds.
    settings
        The section ``clusters`` of the configuration.
    inner
        Number of grouped inner folds.
    seed
        Seed of components and clusters.
    kept
        Cache of the labels, which functions of the same cells share.
    """
    if expression is None:
        return ModelFit(None, "not estimable: no counts in the paired data")
    fewest = min(len(train) for train, _ in cells.plan.splits())
    if fewest < settings.min_cells:
        reason = f"a fold has {fewest} training cells, clusters.min_cells requires {settings.min_cells}"
        return ModelFit(None, f"not estimable: {reason}")
    if min(expression.log.shape) < 3:
        return ModelFit(None, f"not estimable: there are {expression.log.shape[1]} genes")
    labels = kept.cache(in_fold_labels)(expression, cells.plan, settings, seed)
    predicted = predicted_by_labels(labels, cells.values, cells.plan, inner, cells.centre)
    return ModelFit(predicted, "clusters of the training cells")
