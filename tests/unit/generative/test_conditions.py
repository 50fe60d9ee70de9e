"""Facts of cells are coded as the training cells have them; what was not seen is unknown or refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cineseq.errors import UserError
from cineseq.generative.conditions import known_facts, learned_conditions
from cineseq.generative.flow import fit_flow


@given(st.lists(st.sampled_from(["a", "b", "None", "0"]), min_size=4, max_size=40))
def test_each_fact_has_a_variance_of_one_and_a_mean_of_zero(labels: list[str]) -> None:
    facts = pd.DataFrame({"kind": labels, "time": np.arange(len(labels), dtype=float)})
    conditions = learned_conditions(facts)
    assert conditions.names == (["kind"] if len(set(labels)) > 1 else []) + ["time"]
    code = conditions.coded(facts)
    np.testing.assert_allclose(code.mean(axis=0), 0, atol=1e-9)
    assert code.var(axis=0).sum() == pytest.approx(len(conditions.parts))


def test_an_unseen_or_missing_value_is_zero_in_a_study_and_an_unseen_one_is_refused_of_new_cells() -> None:
    conditions = learned_conditions(pd.DataFrame({"drug": ["none", "x"] * 5, "hours": np.arange(10.0)}))
    new = pd.DataFrame({"drug": ["y", None, "x"], "hours": [np.nan, 4.5, 4.5]}, index=["c1", "c2", "c3"])
    code = conditions.coded(new)
    np.testing.assert_array_equal(code[0], 0)
    np.testing.assert_allclose(code[1], 0, atol=1e-12)
    assert code[2, 1] > 0 > code[2, 0]
    with pytest.raises(UserError, match=r"'drug' of cell 'c1' is 'y', but the model knows one of none and x only"):
        conditions.facts_of(new, "generate")
    with pytest.raises(UserError, match="add the column 'hours' to obs"):
        conditions.facts_of(new.iloc[1:][["drug"]], "generate")
    assert len(conditions.facts_of(new.iloc[1:], "generate")) == 2


def test_a_column_that_is_missing_or_names_cells_is_refused() -> None:
    obs = pd.DataFrame({"cell": [f"c{k}" for k in range(60)]})
    with pytest.raises(UserError, match="no column 'dose' of the cells; name one of cell"):
        known_facts(obs, ["dose"], "generative.conditions")
    with pytest.raises(UserError, match="60 categories"):
        known_facts(obs, ["cell"], "generative.conditions")


def test_the_flow_follows_a_fact_and_guidance_exaggerates_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cineseq.generative.flow.STEPS", 400)
    rng = np.random.default_rng(1)
    fact = rng.choice([-1.0, 1.0], 2000)
    residuals = rng.normal(size=(2000, 1)) * 0.6 + 0.8 * fact[:, None]
    flow = fit_flow(np.column_stack([np.zeros(2000), fact]), residuals, np.arange(2000) % 10, 3, facts=1)
    ends = {}
    for guidance in (0.0, 1.0, 2.0):
        draws = [
            flow.sample(np.column_stack([np.zeros(2000), np.full(2000, value)]), np.random.default_rng(2), guidance)
            for value in (-1.0, 1.0)
        ]
        ends[guidance] = float(draws[1].mean() - draws[0].mean())
    assert ends[0.0] == pytest.approx(0, abs=1e-6)
    assert ends[1.0] == pytest.approx(1.6, abs=0.25)
    assert ends[2.0] > ends[1.0] + 0.3
