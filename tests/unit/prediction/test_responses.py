"""What of a function is predicted: its value, its ranks, whether it is above zero, or both parts of a hurdle."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score
from tests.unit.prediction.prediction_examples import FAST, Planted, ask, by_model, simulate

from cineseq.prediction.predict import PredictionResult
from cineseq.prediction.report import report
from cineseq.prediction.responses import Response, normal_scores, transformed

NAN = np.nan


def response(*values: float) -> Response:
    return Response("function_x", ("function_x",), np.array(values)[:, None])


def test_values_are_left_as_measured():
    measured = response(1.0, NAN)
    assert transformed(measured, "measured") == [measured]


def test_an_indicator_keeps_unknown_unknown():
    [found] = transformed(response(0.0, 3.0, NAN, -1.0), "binary")
    assert found.values[:, 0] == pytest.approx([0, 1, NAN, 0], nan_ok=True)


def test_a_hurdle_has_two_parts():
    above, amount = transformed(response(0.0, np.e, NAN, 1.0), "hurdle")
    assert (above.name, amount.name) == ("function_x_above_zero", "function_x_amount")
    assert above.values[:, 0] == pytest.approx([0, 1, NAN, 1], nan_ok=True)
    assert amount.values[:, 0] == pytest.approx([NAN, 1, NAN, 0], nan_ok=True)
    assert amount.columns == ("function_x_amount",)


def test_ranks_become_normal_scores():
    [found] = transformed(response(5.0, 100.0, NAN, 1.0), "rank")
    assert found.values[:, 0] == pytest.approx([0, 0.8694, NAN, -0.8694], nan_ok=True, abs=1e-3)


@given(arrays(float, st.integers(1, 30), elements=st.sampled_from([0.0, 1.0, 2.5, 1e6, NAN])))
def test_normal_scores_keep_order_and_ties(values):
    scores, known = normal_scores(values), np.isfinite(values)
    assert np.array_equal(np.isfinite(scores), known)
    own, given_values = scores[known], values[known]
    assert np.array_equal(np.sign(own[:, None] - own), np.sign(given_values[:, None] - given_values))


def test_an_angle_is_left_alone():
    angle = Response("function_t", ("function_t_cos", "function_t_sin"), np.ones((3, 2)))
    assert transformed(angle, "hurdle") == [angle]


def check_areas(found: PredictionResult) -> None:
    """Check the areas under the ROC curve of the indicator against scikit-learn; the amount has none."""
    rows = found.tables["sensitivity"].set_index(["function", "variant", "model"]).sort_index()
    areas = rows.loc[("function_uptake_above_zero", "headline"), ["auc", "auc_low", "auc_high"]].astype(float)
    cells = found.tables["predictions"]
    cells = cells[cells["function"] == "function_uptake_above_zero"]
    for model in ("morphology", "both"):
        own = cells[cells["model"] == model]
        expected = roc_auc_score(own["measured"], own["predicted"] - own["baseline"])
        assert areas.loc[model, "auc"] == pytest.approx(expected)
        assert 0.5 < areas.loc[model, "auc_low"] < expected < areas.loc[model, "auc_high"] < 1
    assert areas.loc["mean"].tolist() == [0.5] * 3
    assert rows.loc["function_uptake_amount", "auc"].isna().all()
    lines = " ".join(report(found.tables, {}, ())["lines"])
    auc, low, high = areas.loc["both"]
    assert f"area under the ROC curve {auc:.2f} [{low:.2f}, {high:.2f}]; alternative choices" in lines
    assert lines.count("area under the ROC curve") == 1


def test_a_hurdle_is_predicted_part_by_part():
    data = simulate(Planted(morphology=0.5, genes=20), seed=0)
    cut = data.function.clip(lower=0)
    settings = FAST.model_copy(update={"permutations": 0, "half_samples": 10, "response": "hurdle"})
    found = ask(replace(data, function=cut), settings)
    above, amount = (by_model(found, f"function_uptake_{part}") for part in ("above_zero", "amount"))
    assert above.loc["morphology", "n"] == 240
    check_areas(found)
    assert above.loc["morphology", "r2"] > 0.1
    assert amount.loc["morphology", "n"] == int((cut["function_uptake"] > 0).sum())
