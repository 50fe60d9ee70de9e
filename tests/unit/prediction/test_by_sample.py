"""The primary result in each sample, and what one more sample would show."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.unit.prediction.prediction_examples import SMALL, Planted, ask, by_model, simulate

from cineseq.prediction.by_sample import OVER_FAMILIES, in_samples
from cineseq.tables.prediction import BY_SAMPLE
from cineseq.text import number

WORDS = ("function", "model"), number
LONE = SMALL.model_copy(update={"sensitivity": [], "half_samples": 10})


@pytest.fixture(scope="module")
def found():
    """Shapes tell of the function in three of four samples."""
    data = simulate(Planted(morphology=0.6, genes=10, cells_per_field=30), seed=5)
    last = np.flatnonzero(data.obs["sample"] == "s3")
    function = data.function.copy()
    function.iloc[last] = np.random.default_rng(1).normal(size=(len(last), 1))
    return ask(replace(data, counts=None, function=function), LONE)


def of_morphology(found) -> pd.DataFrame:
    table = BY_SAMPLE.check(found.tables["by_sample"])
    return table[table["model"] == "morphology"].set_index(["part", "sample"])


def test_a_sample_without_the_association_is_seen(found):
    rows = of_morphology(found)
    each = rows.loc["sample"]
    assert list(each.index) == ["s0", "s1", "s2", "s3"]
    assert (each.loc[["s0", "s1", "s2"], "r2_low"] > 0.1).all()
    assert each.loc["s3", "r2_low"] < 0.05
    assert (each["n"] == 60).all()
    assert set(each["grouped_by"]) == {"family"}
    assert set(each["note"]) == {OVER_FAMILIES}
    mean, new = rows.loc[("mean", "all")], rows.loc[("new_sample", "all")]
    assert mean["groups"] == 4
    assert mean["spread"] > 0.2
    assert mean["r2"] == pytest.approx(each["r2"].mean(), abs=0.03)
    assert new["r2_low"] < mean["r2_low"] < mean["r2_high"] < new["r2_high"]
    assert new["r2_low"] < each["r2"].min()


def test_the_sentence_counts_samples(found):
    headline = by_model(found, estimand="within").reset_index().set_index("model", drop=False).loc["morphology"]
    text = in_samples(found.tables["by_sample"], headline.to_dict() | {"estimand": "within", "r2_null": 0.1}, *WORDS)
    new = of_morphology(found).loc[("new_sample", "all")]
    low, high = (f"{new[end]:.2f}".replace("-", "−") for end in ("r2_low", "r2_high"))
    assert text == (
        "; above the mean of shuffled cells in 3 of 4 samples, with the whole interval in 3; 95 % prediction interval "
        f"for one more sample [{low}, {high}]"
    )
    assert in_samples(found.tables["by_sample"], {**headline, "estimand": "pooled"}, *WORDS) == ""
    assert in_samples(None, headline, *WORDS) == ""


def test_two_samples_have_no_prediction_interval():
    data = simulate(Planted(morphology=0.6, genes=10, fields=4, cells_per_field=30), seed=2)
    rows = of_morphology(ask(replace(data, counts=None), LONE))
    assert rows.loc["sample", "r2_low"].notna().all()
    for part in ("mean", "new_sample"):
        row = rows.loc[(part, "all")]
        assert np.isnan(row["r2"])
        assert row["note"] == "not estimable: 2 samples with an interval, and at least 3 are needed"
