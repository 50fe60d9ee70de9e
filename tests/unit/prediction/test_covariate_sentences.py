"""What is not shown to add to the covariates is said first, and how reliably these were measured."""

import pandas as pd
import pytest
from tests.unit.prediction.prediction_examples import Planted as Truth
from tests.unit.prediction.prediction_examples import ask, simulate

from cineseq.prediction.covariate_sentences import adds, beyond_sentence
from cineseq.prediction.report import report


def row(added: str, delta: float, low: float, q: float) -> dict[str, object]:
    values = {
        "partial_r2": delta / 2,
        "low": low,
        "high": delta + 0.05,
        "p_value": q,
        "q_value": q,
        "r2_covariates": 0.36,
    }
    return {"function": "function_uptake", "added": added, "delta_r2": delta} | values


COVARIATES = pd.DataFrame(
    {
        "covariate": ["morphology_area", "morphology_volume", "s_score"],
        "block": ["size", "size", "cycle"],
        "reliability": [0.93, 0.8, None],
    }
)


def test_what_adds_nothing_is_named_first():
    rows = pd.DataFrame([row("morphology", 0.1, 0.05, 0.01), row("expression", -0.002, -0.02, 0.4)])
    assert beyond_sentence(rows, COVARIATES) == (
        "expression is not shown to add to size and cell cycle as measured (reliability from adjacent frames 0.80 for "
        "morphology volume, the least reliable of those measured on images), morphology adds. Within fields, R² of the "
        "covariates is 0.36, and held-out increments are morphology ΔR² = +0.10 [+0.05, +0.15] (5.0 % of what curves "
        "of the covariates leave, p = 0.01); expression ΔR² = 0.00 [−0.02, +0.05] (−0.1 % of what curves of the "
        "covariates leave, p = 0.4)"
    )


@pytest.mark.parametrize(
    ("delta", "low", "q", "expected"),
    [(0.1, 0.05, 0.05, True), (0.1, 0.05, 0.06, False), (0.1, -0.01, 0.01, False), (-0.1, -0.2, 0.01, False)],
)
def test_an_increment_is_shown_by_q_and_interval(delta: float, low: float, q: float, expected: bool):
    assert adds(pd.Series(row("expression", delta, low, q))) is expected


def test_unknown_reliability_and_covariates_worse_than_the_mean_are_said():
    rows = pd.DataFrame([row("expression", 0.1, 0.05, 0.01) | {"r2_covariates": -0.01}])
    text = beyond_sentence(rows, COVARIATES.assign(reliability=None))
    assert text.startswith("expression adds to size and cell cycle as measured (with unknown reliability). ")
    assert "R² of the covariates is −0.01, no better than the mean" in text
    assert beyond_sentence(rows.assign(delta_r2=None), None) == ""


def test_the_report_says_before_all_else_that_nothing_is_added():
    found = ask(simulate(Truth(), seed=3))
    said = [line for line in report(found.tables, {}, ())["lines"] if line.startswith("uptake")]
    assert said[0].startswith("uptake: expression, morphology and expression with shape are not shown to add to size")
    assert said[1].startswith("uptake: held-out R²")
