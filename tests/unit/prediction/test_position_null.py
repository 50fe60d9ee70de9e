"""Permuted functions vary with position in the field as the measured one does, where positions are known."""

import numpy as np
import pandas as pd
from tests.unit.prediction.prediction_examples import SMALL, Planted, ask, by_model, simulate

from cineseq.config.prediction import Folds
from cineseq.prediction.crossval.folds import CrossvalCells, cells_of, known_positions
from cineseq.prediction.model_comparison import permuted_responses


def with_gradient(slope: float, seed: int = 0, *, known: bool = True) -> CrossvalCells:
    """Return cells whose function rises along x of every field."""
    data = simulate(Planted(fields=6, cells_per_field=40), seed)
    values = data.function + slope * (data.obs[["x_px"]].to_numpy() / 250 - 1)
    obs = data.obs if known else data.obs.drop(columns=["x_px", "y_px"])
    return cells_of(obs, values.to_numpy(), Folds(inner=2), "condition").within_fields()


def slopes(cells: CrossvalCells, x: np.ndarray) -> np.ndarray:
    """Return the slope along x of the measured and of each permuted function."""
    permuted = permuted_responses(cells, 40, np.random.default_rng(1))[:, :, 0]
    return (x - x.mean()) @ permuted / np.square(x - x.mean()).sum()


def test_permuted_functions_keep_the_gradient_where_positions_are_known():
    x = simulate(Planted(fields=6, cells_per_field=40), 0).obs["x_px"].to_numpy() / 250
    kept, lost = (slopes(with_gradient(2.0, known=known), x) for known in (True, False))
    assert kept[0] == lost[0]
    assert abs(kept[1:].mean() / kept[0] - 1) < 0.1
    assert np.abs(lost[1:]).max() < 0.5 * lost[0]


def test_families_move_together_along_a_gradient():
    cells = with_gradient(2.0)
    same = np.repeat(np.arange(len(cells.values) // 2), 2)
    null = cells.null_by_position()
    assert null is not None
    permuted = permuted_responses(cells, 5, np.random.default_rng(1))
    # What position does not tell of a family is what it does not tell of another family, in the same order.
    white, drawn = null.whitened(cells.values)[:, 0], null.whitened(permuted[:, 3])[:, 0]
    where = np.array([np.abs(white - value).argmin() for value in drawn])
    assert np.abs(white[where] - drawn).max() < 1e-6
    assert (same[where[::2]] == same[where[1::2]]).all()
    assert not (where == np.arange(len(where))).all()


def test_without_a_gradient_permuted_functions_are_as_without_positions():
    cells, unknown = (with_gradient(0.0, seed=2, known=known) for known in (True, False))
    null = cells.null_by_position()
    assert null is not None
    assert null.share == 0
    drawn = [permuted_responses(c, 5, np.random.default_rng(3)) for c in (cells, unknown)]
    assert np.array_equal(*drawn)


def test_positions_are_used_only_where_they_are_known_and_asked_for():
    obs = pd.DataFrame({"y_px": ["1.5", None], "x_px": [2.0, 3.0]})
    assert np.array_equal(known_positions(obs), [[1.5, 2.0], [np.nan, 3.0]], equal_nan=True)
    assert known_positions(obs.assign(y_px=None)) is None
    assert known_positions(obs[["x_px"]]) is None
    data = simulate(Planted(), 0)
    cells = cells_of(data.obs, data.function.to_numpy(), Folds(position_null=False), "condition")
    assert cells.position is None
    assert cells.null_by_position() is None


def test_the_table_says_which_share_follows_position():
    data = simulate(Planted(expression=0.3, genes=20, features=3), 1)
    data.function["function_uptake"] += 2 * data.obs["y_px"] / 250
    used, not_used = (ask(data, SMALL, Folds(inner=2, outer=4, position_null=on)) for on in (True, False))
    share = by_model(used, estimand="within")["position_share"]
    assert (share == share.iloc[0]).all()
    assert 0.4 < share.iloc[0] < 0.8
    assert by_model(used, estimand="between")["position_share"].isna().all()
    assert by_model(not_used, estimand="within")["position_share"].isna().all()
