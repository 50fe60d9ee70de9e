"""Families, motion, cages and positions of the simulated experiment."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cineseq.config.simulate import Simulate
from cineseq.simulate.appearance import drift
from cineseq.simulate.cages import Cages, early_cages, endpoint_cages
from cineseq.simulate.field import simulate_field, tracked
from cineseq.simulate.latents import spread
from cineseq.simulate.lineage import AFTER_DEATH, BEFORE_DEATH, DYING_FRAMES, births, plan_field
from cineseq.simulate.motion import CONTACT, repel
from cineseq.statistics.streams import stream


@given(
    seed=st.integers(0, 10_000),
    frames=st.integers(24, 40),
    founders=st.integers(8, 40),
    sample=st.sampled_from(["s1", "s2"]),
)
def test_every_plan_is_a_possible_lineage(seed, frames, founders, sample):
    settings = Simulate(samples=2, frames=frames, founders=founders)
    cells = plan_field(settings, sample, np.random.default_rng(seed))
    assert (cells["end"] >= cells["start"]).all()
    assert cells["end"].between(0, frames - 1).all()
    assert cells["start_phase"].between(0, 1).all()
    assert cells["end_phase"].between(0, 1).all()
    daughters = cells[cells["parent"] > 0].merge(cells, left_on="parent", right_on="number", suffixes=("", "_parent"))
    assert set(daughters.groupby("parent").size()) == {2}
    assert (daughters["start"] == daughters["end_parent"] + 1).all()
    assert (daughters["end_kind_parent"] == "division").all()
    assert (daughters["root_cell"] == daughters["root_cell_parent"]).all()
    assert (daughters["generation"] == daughters["generation_parent"] + 1).all()
    assert set(cells.loc[cells["end_kind"] == "division", "number"]) == set(daughters["parent"])


@given(seed=st.integers(0, 10_000), frames=st.integers(24, 40))
def test_deaths_begin_late_and_end_early(seed, frames):
    cells = plan_field(Simulate(samples=2, frames=frames), "s2", np.random.default_rng(seed))
    dead = cells[cells["end_kind"] == "death"]
    born = dead[dead["parent"] > 0]
    assert len(born) >= 5
    assert (born["end"] - DYING_FRAMES + 1 - born["start"] >= BEFORE_DEATH).all()
    assert (dead["end"] <= frames - 1 - AFTER_DEATH).all()


def test_treatment_kills_more():
    settings = Simulate()
    deaths = [
        (plan_field(settings, s, np.random.default_rng(0))["end_kind"] == "death").sum() for s in settings.sample_names
    ]
    assert min(deaths[2:]) > max(deaths[:2])


def test_births_fill_the_window_evenly():
    drawn = births(3, 12, 10, np.random.default_rng(0))
    assert drawn.tolist() == list(range(3, 13))
    assert births(3, 12, 0, np.random.default_rng(0)).size == 0


def test_streams_are_independent_of_each_other():
    assert stream(1, "a").integers(0, 2**40) == stream(1, "a").integers(0, 2**40)
    assert stream(1, "a").integers(0, 2**40) != stream(1, "b").integers(0, 2**40)
    assert stream(1, "a", "b").integers(0, 2**40) != stream(1, "b", "a").integers(0, 2**40)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.integers(0, 1000))
def test_spread_keeps_the_expected_number(probability, seed):
    drawn = spread(np.array(probability), np.random.default_rng(seed))
    assert abs(drawn.sum() - sum(probability)) <= 1 + 1e-9


def test_repulsion_parts_what_touches_and_leaves_alone_what_is_far():
    moved = repel(np.array([[0.0, 0.0], [0.0, 10.0], [200.0, 200.0]]))
    assert moved[0, 1] < 0 < moved[1, 1]
    np.testing.assert_allclose(moved[0], -moved[1])
    assert (moved[2] == 0).all()


def test_drift_is_slow_and_returns():
    shift = drift(28, np.random.default_rng(3))
    np.testing.assert_allclose(shift[[0, -1]], 0, atol=1e-9)
    assert 2 < np.hypot(*shift.T).max() < 4
    assert np.hypot(*np.diff(shift, axis=0).T).max() < 1


def test_cages_hold_and_name_their_cells():
    cages = Cages(np.array([[20.0, 20.0], [60.0, 20.0]]), np.array([15.0, 10.0]), 3)
    assert cages.holding(np.array([[22.0, 21.0], [60.0, 29.0], [40.0, 20.0]])).tolist() == [0, 1, -1]
    pulled = cages.keep_inside(np.array([[20.0, 60.0], [21.0, 20.0]]), np.array([0, 0]))
    assert np.hypot(*(pulled[0] - [20, 20])) < 15
    np.testing.assert_allclose(pulled[1], [21, 20])


def test_endpoint_cages_hold_almost_every_cell_and_neighbours_share():
    place = np.array([[40.0, 40.0], [40.0, 52.0], [150.0, 150.0], [150.0, 190.0], [60.0, 200.0]] * 1)
    cages = endpoint_cages(place, 256, 27, np.random.default_rng(5))
    held = cages.holding(place)
    assert held[0] == held[1]
    assert len(set(held[2:])) == 3
    assert len(cages.radius) > held.max() + 1, "some cages are empty"


def test_early_cages_do_not_overlap():
    cages = early_cages(320, 3, np.random.default_rng(0))
    apart = np.hypot(*(cages.centre[:, None] - cages.centre[None]).transpose(2, 0, 1))
    assert apart[~np.eye(len(apart), dtype=bool)].min() > 48


def test_a_track_is_the_first_unbroken_run_in_the_field():
    y = [50.0, 5.0, -20.0, 5.0]
    rows = pd.DataFrame({"number": 1, "frame": range(4), "y_px": y, "x_px": 50.0, "minor_px": 8.0})
    assert tracked(rows, 100).tolist() == [True, True, False, False]


@pytest.fixture(scope="module")
def fields():
    settings = Simulate()
    return {s: simulate_field(settings, 1, s, "f1") for s in ("s1", "s4")}


def test_cells_move_a_few_pixels_a_frame_and_nuclei_keep_apart(fields):
    rows = fields["s1"].positions.query("kind == 'cell'").sort_values(["number", "frame"])
    step = np.hypot(rows["y_px"].diff(), rows["x_px"].diff())[rows["number"].diff() == 0]
    assert 0.5 < step.mean() < 3
    assert step.max() < CONTACT
    last = rows[rows["frame"] == 27][["y_px", "x_px"]].to_numpy()
    apart = np.hypot(*(last[:, None] - last[None]).transpose(2, 0, 1)) + 1e3 * np.eye(len(last))
    assert np.median(apart.min(1)) > CONTACT


def test_sisters_share_a_cage_only_where_cages_close_early(fields):
    shared = {}
    for sample, field in fields.items():
        cells = field.cells.set_index("number").join(field.endpoint, how="inner")
        pairs = cells[cells["parent"] > 0].groupby("parent")["cage"].agg(["size", "nunique", "min"])
        pairs = pairs[(pairs["size"] == 2) & (pairs["min"] >= 0)]
        shared[sample] = (pairs["nunique"] == 1).mean()
    assert shared["s4"] == 1.0
    assert shared["s1"] < 0.35


def test_cells_leave_and_enter_open_fields_only(fields):
    assert fields["s1"].cells["start_kind"].eq("entered").any()
    assert fields["s1"].cells["end_kind"].eq("left_fov").any()
    assert not fields["s4"].cells["start_kind"].eq("entered").any()
    assert not fields["s4"].cells["end_kind"].eq("left_fov").any()


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ({"both_r2": 0.4}, "both_r2"),
        ({"both_r2": 0.85}, "both_r2"),
        ({"field_variance": 0.5}, "field_variance"),
        ({"null_effects": ["sisters"]}, "null_effects"),
        ({"frames": 5}, "frames"),
    ],
)
def test_impossible_settings_are_refused(wrong, key):
    with pytest.raises(ValidationError, match=key):
        Simulate(**wrong)
