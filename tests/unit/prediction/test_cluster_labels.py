"""Prediction by cluster labels: clusters of training cells only, and what expression has beyond them."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.metrics import adjusted_rand_score
from tests.unit.prediction.prediction_examples import SMALL, Planted, simulate

from cineseq.config.expression import Clusters
from cineseq.config.prediction import Folds
from cineseq.expression.normalise import Expression, expression_from
from cineseq.prediction.cluster_labels import fit_of_labels, in_fold_labels, predicted_by_labels
from cineseq.prediction.crossval.folds import CrossvalCells, FoldPlan, cells_of
from cineseq.prediction.predict import predict_functions
from cineseq.prediction.task import PredictionTask

CELLS, FIELDS = 120, 6
KIND = np.random.default_rng(5).integers(0, 3, CELLS)


def expression(seed: int = 0) -> Expression:
    """Return counts of three kinds of cell that differ in 20 of 80 genes each."""
    rng = np.random.default_rng(seed)
    log_mean = np.tile(rng.normal(1, 0.5, 80), (CELLS, 1))
    for number, own in enumerate(np.eye(3, dtype=bool)[KIND].T):
        log_mean[np.ix_(own, range(20 * number, 20 * number + 20))] += 1.5
    counts = sparse.csr_matrix(rng.poisson(np.exp(log_mean)).astype(float))
    return expression_from(counts, pd.Index([f"g{k}" for k in range(80)]), "counts")


def cells(values: np.ndarray) -> CrossvalCells:
    obs = pd.DataFrame({"sample": "s", "fov": [str(k % FIELDS) for k in range(CELLS)], "condition": "c"})
    return cells_of(obs, values[:, None], Folds(outer=3), "condition")


def test_cells_that_were_not_clustered_get_the_cluster_of_their_kind():
    plan = cells(np.zeros(CELLS)).plan
    labels = in_fold_labels(expression(), plan, Clusters(), 1)
    assert labels.shape == (3, CELLS)
    for own, (train, test) in zip(labels, plan.splits(), strict=True):
        assert adjusted_rand_score(KIND[train], own[train]) > 0.9
        assert adjusted_rand_score(KIND[test], own[test]) > 0.9
        assert set(own[test]) <= set(own[train])


def test_clusters_of_training_cells_do_not_know_the_test_cells():
    plan, whole = cells(np.zeros(CELLS)).plan, expression()
    train, test = plan.splits()[0]
    changed = whole.log.toarray()
    changed[test] = changed[test][:, ::-1]
    counts = whole.counts.toarray()
    counts[test] = counts[test][:, ::-1]
    other = Expression(sparse.csr_matrix(counts), sparse.csr_matrix(changed), whole.genes, "counts")
    first, second = (in_fold_labels(data, plan, Clusters(), 1)[0] for data in (whole, other))
    assert np.array_equal(first[train], second[train])
    assert not np.array_equal(first[test], second[test])


def test_labels_predict_what_differs_between_kinds_and_not_what_varies_within_them():
    rng = np.random.default_rng(0)
    values = KIND + 0.5 * rng.normal(size=CELLS)
    of = cells(values)
    predicted = fit_of_labels(expression(), of, Clusters(), 2, 1).predicted
    assert np.corrcoef(predicted[:, 0], KIND)[0, 1] > 0.95
    for fold in range(3):
        assert len(np.unique(predicted[of.plan.fold == fold].round(9))) <= 3


def test_one_cluster_predicts_the_mean_of_the_training_cells():
    of = cells(np.arange(float(CELLS)))
    predicted = predicted_by_labels(np.zeros((3, CELLS), int), of.values, of.plan, 2)
    for train, test in of.plan.splits():
        assert predicted[test] == pytest.approx(of.values[train].mean())


def test_labels_that_differ_between_fields_only_predict_nothing_within_fields():
    of = cells(KIND + 10.0 * (np.arange(CELLS) % FIELDS)).within_fields()
    by_field = np.tile(np.arange(CELLS) % FIELDS, (3, 1))
    assert predicted_by_labels(by_field, of.values, of.plan, 2, of.centre) == pytest.approx(0, abs=1e-9)
    by_kind = predicted_by_labels(np.tile(KIND, (3, 1)), of.values, of.plan, 2, of.centre)
    assert np.corrcoef(by_kind[:, 0], of.values[:, 0])[0, 1] > 0.99


@pytest.mark.parametrize(
    ("genes", "settings", "reason"),
    [
        (None, Clusters(), "no counts in the paired data"),
        (80, Clusters(min_cells=90), "a fold has 80 training cells, clusters.min_cells requires 90"),
        (2, Clusters(), "there are 2 genes"),
    ],
)
def test_why_there_are_no_predictions_by_labels(genes, settings, reason):
    data = None if genes is None else expression().columns(np.arange(80) < genes)
    fit = fit_of_labels(data, cells(np.arange(float(CELLS))), settings, 2, 1)
    assert fit.predicted is None
    assert fit.note == f"not estimable: {reason}"


def test_folds_of_labels_are_those_of_the_plan():
    plan = FoldPlan(np.arange(CELLS) % 4, np.arange(CELLS) % 4, ("fov",), ())
    assert in_fold_labels(expression(), plan, Clusters(), 1).shape == (4, CELLS)


def test_prediction_compares_expression_with_clusters_where_it_is_given_their_settings():
    data = simulate(Planted(expression=0.5, cells_per_field=12, genes=40), seed=1)
    task = PredictionTask(data, None, None, Folds(inner=2), SMALL, seed=1, clustering=Clusters())
    rows = predict_functions(task, threads=1).tables["contrasts"]
    delta = rows[rows["model_b"] == "cluster_labels"]
    assert delta["model_a"].to_list() == ["expression", "expression"]
    assert delta["estimand"].to_list() == ["within", "pooled"]
    assert (delta["low"] <= delta["delta_r2"]).all()
    assert (delta["delta_r2"] <= delta["high"]).all()
