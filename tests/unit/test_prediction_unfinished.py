"""A run that was stopped goes on with the fits it had finished."""

from pathlib import Path

import numpy as np
import pytest

from cineseq.prediction import outer
from cineseq.prediction.blocks import Block
from cineseq.prediction.folds import FoldPlan, grouped_folds
from cineseq.prediction.nets import PathGrid
from cineseq.prediction.outer import Procedure, out_of_fold
from cineseq.prediction.unfinished import FOLDER, kept_fits

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


def test_other_values_are_fitted_anew(stopped):
    values = np.random.default_rng(1).normal(size=(30, 1))
    assert np.array_equal(fit(stopped, values), fit(stopped.parent, values))
