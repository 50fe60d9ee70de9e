"""A run that was stopped goes on with the fits it had finished."""

from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from cineseq.config.prediction import Folds, Prediction
from cineseq.prediction.crossval import out_of_fold as outer
from cineseq.prediction.crossval.elastic_net import PathGrid
from cineseq.prediction.crossval.feature_blocks import Block
from cineseq.prediction.crossval.folds import CrossvalCells, FoldPlan, grouped_folds
from cineseq.prediction.crossval.out_of_fold import FOLDER, Procedure, kept_fits, out_of_fold, workers
from cineseq.prediction.crossval.transform import design
from cineseq.prediction.model_comparison import ModelFit, compare_models

PROCEDURE = Procedure(PathGrid((0.5,), 4), 2, 0.0, None)


def fit(folder: Path, values: np.ndarray) -> np.ndarray:
    units = np.arange(30)
    plan = FoldPlan(units, grouped_folds(units, 3), ("cell",), ())
    block = Block(np.random.default_rng(0).normal(size=(30, 4)), tuple("abcd"))
    with kept_fits(folder / "performance.tsv") as kept:
        predicted = out_of_fold({"morphology": (block,)}, values, plan, PROCEDURE, 1, kept=kept)["morphology"]
        if folder.name == "stopped":
            raise KeyboardInterrupt
    return predicted


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    folder = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        fit(folder, np.arange(30.0)[:, None])
    return folder.rename(tmp_path / "resumed")


def test_finished_fits_are_not_done_again(stopped, monkeypatch):
    expected = fit(stopped.parent, np.arange(30.0)[:, None])
    monkeypatch.setattr(outer, "design", None)  # a fit that is done again fails
    assert np.array_equal(fit(stopped, np.arange(30.0)[:, None]), expected)
    assert not (stopped / FOLDER).exists()


PERMUTATIONS = 30


def comparison(folder: Path) -> ModelFit:
    """Fit expression with its null; 31 responses are two tasks in each of three folds."""
    rng = np.random.default_rng(0)
    units = np.arange(30)
    cells = CrossvalCells(
        rng.normal(size=(30, 1)),
        FoldPlan(units, grouped_folds(units, 3), ("cell",), ()),
        np.zeros(30, int),
        units,
        np.full(30, "a", dtype=object),
    )
    settings = Prediction(permutations=PERMUTATIONS, alphas=4, null_alphas=3, l1_ratios=[0.5])
    blocks = {"expression": Block(rng.normal(size=(30, 4)), tuple("abcd"))}
    with kept_fits(folder / "performance.tsv") as kept:
        fits = compare_models(blocks, cells, settings=settings, folds=Folds(inner=2), seed=1, threads=1, kept=kept)
    return fits["expression"]


def test_a_null_that_was_stopped_goes_on_where_it_was(tmp_path, monkeypatch):
    """The primary analysis takes 3 fits, its null 6; the run stops in the third of these and does the others later."""
    done = []

    def counted(*given, stop_at: int | None = None, **named):
        if len(done) == stop_at:
            raise KeyboardInterrupt
        done.append(1)
        return design(*given, **named)

    monkeypatch.setattr(outer, "design", partial(counted, stop_at=5))
    with pytest.raises(KeyboardInterrupt):
        comparison(tmp_path / "stopped")
    done.clear()
    monkeypatch.setattr(outer, "design", counted)
    resumed = comparison(tmp_path / "stopped")
    assert len(done) == 4
    done.clear()
    uninterrupted = comparison(tmp_path / "whole")
    assert len(done) == 9
    assert len(resumed.test.null) == PERMUTATIONS
    assert np.array_equal(resumed.test.null, uninterrupted.test.null)
    assert np.array_equal(resumed.predicted, uninterrupted.predicted)


def test_other_values_are_fitted_anew(stopped):
    values = np.random.default_rng(1).normal(size=(30, 1))
    assert np.array_equal(fit(stopped, values), fit(stopped.parent, values))


# worker processes


def _blas_threads() -> list[int]:
    """Return the threads of every BLAS library of this process, loaded by numpy."""
    np.ones((2, 2)) @ np.ones((2, 2))
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_a_worker_has_one_blas_thread_whatever_the_rule_was_given(monkeypatch):
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "2")  # as Snakemake sets them for a rule of two threads
    with threadpool_limits(1):
        found = workers(2)(joblib.delayed(_blas_threads)() for _ in range(4))
    assert all(threads and set(threads) == {1} for threads in found)
