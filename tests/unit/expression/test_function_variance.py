"""How much of a function goes with each principal component of expression."""

import numpy as np
import pandas as pd
import pytest

from cineseq.expression.function_variance import component_lines, variance_along_components
from cineseq.tables.expression import FUNCTION_BY_COMPONENT


def along(function, components, samples=None, permutations=199, seed=0):
    frame = pd.DataFrame(components, columns=[f"pc_{k + 1}" for k in range(components.shape[1])])
    samples = pd.Series(["s"] * len(frame)) if samples is None else pd.Series(samples)
    function = pd.DataFrame({"function_x": function})
    families = np.arange(len(frame))
    table = variance_along_components(function, frame, samples, permutations, seed, families=families)
    FUNCTION_BY_COMPONENT.check(table)
    return table.set_index("component"), component_lines(table)


def test_what_was_planted_on_the_first_component_is_found_there_alone():
    rng = np.random.default_rng(0)
    components = rng.normal(size=(400, 6)) * np.arange(6, 0, -1)
    function = 0.5 * components[:, 0] / 6 + np.sqrt(0.75) * rng.normal(size=400)
    table, lines = along(function, components)
    assert table.loc["pc_1", "r2"] == pytest.approx(np.corrcoef(function, components[:, 0])[0, 1] ** 2)
    assert table.loc["pc_1", "r2"] == pytest.approx(0.25, abs=0.08)
    assert table.index[table["q_value"] <= 0.05].to_list() == ["pc_1"]
    assert table["r2_null"].max() < 0.01
    assert "is associated with 1 of 6 principal components" in lines[0]
    assert "component 1: R²" in lines[0]


def test_components_are_silent_on_null_data_that_differ_between_samples():
    """Samples shift function and components: across all cells they correlate, within samples they do not."""
    rng = np.random.default_rng(1)
    samples = np.repeat(np.arange(4), 25)
    p, naive = [], []
    for seed in range(60):
        components = rng.normal(size=(100, 3)) + samples[:, None]
        function = samples + rng.normal(size=100)
        p.append(along(function, components, samples, 99, seed)[0]["p_value"])
        naive.append(along(function, components, None, 99, seed)[0]["p_value"])
    assert 0.01 <= (np.array(p) <= 0.05).mean() <= 0.10
    assert (np.array(naive) <= 0.05).mean() > 0.9


@pytest.mark.parametrize(
    ("function", "reason"),
    [(np.r_[np.arange(9.0), np.full(21, np.nan)], "measured in 9 clustered cells, 10 are required"),
     (np.full(30, 0.3), "same in every cell")],
)  # fmt: skip
def test_components_of_too_few_cells_are_not_estimable_with_the_reason(function, reason):
    table, lines = along(function, np.random.default_rng(0).normal(size=(30, 2)))
    assert table[["r2", "r2_null", "p_value", "q_value"]].isna().all(axis=None)
    assert table["note"].str.startswith("not estimable").all()
    assert reason in table["note"].iloc[0]
    assert reason in lines[0]
