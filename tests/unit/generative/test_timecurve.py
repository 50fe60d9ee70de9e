"""Genes that shape shows early are said to be visible early; without an association none is visible at any time."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.unit.prediction.prediction_examples import Planted, simulate

from cineseq.config.prediction import Crossmodal, Folds
from cineseq.generative.shares import SharesOptions
from cineseq.generative.timecurve import BACKWARD, FORWARD, TimeCurve, report, time_curve, windows_of
from cineseq.io.paired import PairedData

QUICK = SharesOptions(
    Crossmodal(genes=30, components=8, penalties=4), folds=Folds(inner=2), permutations=399, null_draws=5, learning=None
)
HOURS = np.arange(0, 12, 1.0)


def movie(seed: int, *, late: bool = True, early: bool = True) -> tuple[PairedData, pd.DataFrame]:
    """Return cells and their shapes over 12 h: two features go with genes g0 and g1 late, two with g2 and g3 early."""
    rng = np.random.default_rng(seed)
    data = simulate(Planted(genes=30, cells_per_field=24, features=4), seed)
    n = len(data.obs)
    states = rng.normal(size=(2, n))
    counts = rng.poisson(8 * np.exp(0.2 * rng.normal(size=(n, 30)))).astype(float)
    # One gene of each pair rises and the other falls, so that total counts tell nothing of either.
    for gene, state, sign in ((0, 0, 1), (1, 0, -1), (2, 1, 1), (3, 1, -1)):
        counts[:, gene] = rng.poisson(8 * np.exp(0.6 * sign * states[state]))
    frames = []
    for hour in HOURS:
        shapes = rng.normal(size=(n, 6))
        if late and hour < 4:
            shapes[:, :2] += states[0][:, None]
        if early and hour >= 6:
            shapes[:, 2:4] += states[1][:, None]
        frame = pd.DataFrame(shapes, columns=[f"shape{i}" for i in range(6)])
        frames.append(frame.assign(track_id=data.obs.index, hours_before=hour))
    return replace(data, counts=type(data.counts)(counts)), pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def planted() -> TimeCurve:
    return time_curve(*movie(1), QUICK, windows=3)


def test_genes_are_visible_when_they_were_planted(planted):
    genes = planted.visible.set_index("gene")
    assert genes.loc[["g0", "g1", "g2", "g3"], "visible"].all()
    assert (genes.loc[["g2", "g3"], "earliest_hours"] > 9).all()
    assert (genes.loc[["g0", "g1"], "earliest_hours"] < 6).all()
    assert genes.loc[["g2", "g3"], "early"].all()
    assert genes["visible"].sum() <= 6


def test_the_curve_has_a_null_behind_and_both_directions(planted):
    curve = planted.curve.set_index(["direction", "hours_before"]).sort_index()
    forward = curve.loc[FORWARD]
    assert forward.index.tolist() == pytest.approx([11 / 6, 5.5, 55 / 6])
    ends = forward.iloc[[0, 2]]
    assert (ends["low"] > ends["null_high"]).all()
    assert (ends["q_value"] <= 0.05).all()
    assert (curve.loc[BACKWARD].iloc[[0, 2]]["share"] > 0).all()
    assert forward.iloc[0]["share"] == pytest.approx(forward.iloc[0]["last_share"])
    assert report(planted)["numbers"]["early"] >= 2


def test_no_gene_is_visible_without_an_association():
    seen = [time_curve(*movie(seed, late=False, early=False), QUICK, windows=3) for seed in (3, 4, 5)]
    assert sum(int(found.visible["visible"].sum()) for found in seen) <= 1
    lines = [" ".join(report(found)["lines"]) for found in seen]
    assert sum("In no window before sequencing" in line for line in lines) >= 2


def test_windows_hold_every_hour_once_and_reach_where_half_of_the_cells_are_seen():
    cells = pd.Index(["a", "b", "c", "d"])
    rows = [
        (cell, float(hour)) for cell, longest in zip(cells, (2, 4, 8, 20), strict=True) for hour in range(longest + 1)
    ]
    timed = pd.DataFrame(rows, columns=["track_id", "hours_before"]).assign(shape=1.0)
    found = windows_of(timed, cells, 2)
    assert [(window.start, window.end) for window in found] == [(0.0, 2.0), (2.0, 4.0)]
    assert [window.seen.tolist() for window in found] == [[True] * 4, [True] * 4]
    assert windows_of(timed.assign(track_id="elsewhere"), cells, 2) == []


def test_without_shapes_before_the_endpoint_nothing_is_estimable():
    data, timed = movie(1)
    found = time_curve(data, timed.iloc[:0], QUICK)
    assert found.notes == ("Not estimable: no paired cell has a shape before the endpoint.",)
    assert report(found)["lines"] == list(found.notes)


def test_a_window_of_few_cells_is_not_estimable_and_the_others_are():
    data, timed = movie(2)
    few = timed["track_id"].isin(data.obs.index[:20]) | (timed["hours_before"] < 6)
    found = time_curve(data, timed[few], QUICK, windows=1)
    assert found.curve["note"].isna().all()
    stretched = timed.assign(hours_before=np.where(timed["hours_before"] < 6, timed["hours_before"], 100))
    gaps = stretched[few | (stretched["hours_before"] < 6)]
    curve = time_curve(data, gaps, QUICK, windows=2).curve
    assert curve["n"].max() == len(data.obs)
