"""A state by the fate of the sister, sample by sample."""

import numpy as np
import pandas as pd
import pytest
from tests.unit.lineage.lineage_examples import analyse, as_cells, family

from cineseq.config.lineage import Lineage
from cineseq.lineage.state_by_sample import state_by_sample
from cineseq.lineage.states import states_of
from cineseq.report.answers import answer_all
from cineseq.report.evidence import Evidence
from cineseq.tables.lineage import SISTER_DIED, STATE_BY_SAMPLE


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Four samples; the state goes with a dead sister in all but the last."""
    rng = np.random.default_rng(4)
    cells = []
    for number in range(240):
        sample, died = number % 4, number % 8 < 4
        rate = 0.7 if died and sample < 3 else 0.2
        fate = "death" if died else "end_of_movie"
        state = "ab"[int(rng.random() > rate)]
        cells += family(f"f{number}", "end_of_movie", fate, state_x=state, sample=f"s{sample}")
    families, status, _ = analyse(as_cells(cells))
    states = states_of(as_cells(cells), None, None)
    return STATE_BY_SAMPLE.check(state_by_sample(families, status, states, Lineage()))


def test_a_sample_without_the_association_is_seen(rows):
    own = rows[rows["state"] == "state_x=a"].set_index(["part", "sample"])
    each = own.loc["sample"]
    assert list(each.index) == ["s0", "s1", "s2", "s3"]
    assert (each.loc[["s0", "s1", "s2"], "odds_ratio_low"] > 1).all()
    assert each.loc["s3", "odds_ratio_low"] < 1 < each.loc["s3", "odds_ratio_high"]
    new = own.loc[("new_sample", "all")]
    assert new["odds_ratio_low"] < each["odds_ratio"].min()
    assert new["odds_ratio_high"] > each["odds_ratio"].max()
    assert own.loc[("mean", "all"), "odds_ratio"] == pytest.approx(
        np.exp(np.log(each["odds_ratio"].to_numpy()).mean()), rel=0.2
    )


def test_the_answer_says_in_how_many_samples(rows):
    values = {"state": ["state_x=a"], "contrast": SISTER_DIED, "informative": 240, "families": 240, "odds_ratio": [4.0]}
    values |= {"low": [2.0], "high": [8.0], "p_value": [0.001], "estimand": "odds ratio within field and birth time"}
    table = pd.DataFrame(values)
    for name in ("p_permutation", "p_gee", "e_value", "e_value_interval"):
        table[name] = np.nan
    table["note"] = None
    answer = next(a for a in answer_all(Evidence(states=table, states_by_sample=rows)) if a.id == "sisters")
    assert "By sample, it is above 1 in " in answer.answer
    assert "of 4 samples, with the whole interval in 3; 95 % prediction interval for one more sample [" in answer.answer
