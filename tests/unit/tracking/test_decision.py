"""One decision over links, gaps and divisions, with costs that the movie teaches."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.tracking.tracking_examples import follow, objects_at

from cineseq.config.tracking import Track
from cineseq.tracking.decision import Decision, calibrated
from cineseq.tracking.mitosis import mitosis
from cineseq.tracking.objects import Objects
from cineseq.tracking.tracker import link_objects


def decided(objects: Objects, **more: object) -> Decision:
    return link_objects(objects, np.full(len(objects.table), -1), Track(**more)).decision


def walkers(noise: float, frames: int = 12, seed: int = 0) -> Objects:
    rng = np.random.default_rng(seed)
    start = np.stack(np.mgrid[20:420:40, 20:420:40], axis=-1).reshape(-1, 2).astype(float)
    path = start[None] + np.cumsum(rng.normal(0, noise, (frames, len(start), 2)), axis=0)
    return objects_at([(t, *path[t, i]) for t in range(frames) for i in range(len(start))], 440, area=100.0)


@pytest.mark.parametrize("noise", [1.0, 3.0])
def test_the_noise_of_steps_is_learnt_from_the_movie(noise):
    learnt = decided(walkers(noise)).learnt
    assert np.sqrt(learnt.step.variance) == pytest.approx(noise, rel=0.15)
    assert learnt.division.value < 1e-3


def test_stated_noise_and_rates_are_kept():
    stated = {"step_noise_px": 7.0, "division_rate": 0.03, "end_rate": 0.2, "appearance_rate": 0.1, "missed_rate": 0.2}
    learnt = decided(walkers(1.0), **stated).learnt
    assert np.sqrt(learnt.step.variance) == pytest.approx(7)
    rates = [learnt.division, learnt.end["inside"], learnt.begin["inside"], learnt.missed]
    assert [rate.value for rate in rates] == [0.03, 0.2, 0.1, 0.2]
    assert all(rate.fixed for rate in rates)


def test_cells_that_are_often_missed_have_their_gaps_closed():
    objects = walkers(1.0)
    seen = np.random.default_rng(1).random(len(objects.table)) > 0.05
    seen |= objects.table["frame"].isin([0, 11]).to_numpy()
    table = objects.table[seen].reset_index(drop=True)
    found = decided(replace(objects, table=table))
    assert found.learnt.missed.value == pytest.approx(0.05, abs=0.02)
    _, tracks = follow(replace(objects, table=table))
    assert len(tracks) <= 103
    _, cut = follow(replace(objects, table=table), max_gap=0)
    assert len(cut) > 130


def test_a_cell_whose_own_end_is_likelier_does_not_take_its_neighbour():
    # a quarter of the cells end in each of the first frames; what is left stays where it is
    rng = np.random.default_rng(4)
    start = np.stack(np.mgrid[20:320:15, 20:320:15], axis=-1).reshape(-1, 2).astype(float)
    last = rng.integers(0, 12, len(start))
    rows = [(t, *(start[i] + rng.normal(0, 1, 2))) for t in range(10) for i in np.flatnonzero(last >= t)]
    detections, tracks = follow(objects_at(rows, 340, area=60.0))
    moved = detections.groupby("track_id")[["y_px", "x_px"]].agg(np.ptp).to_numpy().max(axis=1)
    assert (moved > 8).mean() < 0.01
    assert tracks["parent_id"].isna().all()


@given(st.floats(0, 1), st.floats(0, 0.2))
@settings(max_examples=50, deadline=None)
def test_calibration_keeps_the_order_and_the_range(probability, doubt):
    both = calibrated(np.array([probability, min(1.0, probability + 0.05)]), doubt)
    assert ((both >= 0) & (both <= 1)).all()
    assert both[0] <= both[1] + 1e-12


def test_a_movie_full_of_doubt_makes_links_less_sure():
    sure = [float(calibrated(np.array([0.999]), doubt)[0]) for doubt in (0.0, 0.02, 0.06)]
    assert sure[0] > sure[1] > sure[2] > 0.5


CELLS = {1: 40.0, 2: 60.0}
"""Two cells, by their column: a third appears between them after frame 5, and both become as small as it is."""


def between_two(mitosis_of: dict[int, float]) -> Objects:
    """Both cells may be its parent, by place and size; ``mitosis_of`` makes them brighten and round up by so much."""
    rows = [(t, 50.0, x, 100.0) for t in range(6) for x in CELLS.values()]
    rows += [(t, 50.0, x, 50.0) for t in range(6, 12) for x in (36.0, 50.0, 64.0)]
    rows += [(t, 20.0 + 40 * i, 150.0, 100.0) for t in range(12) for i in range(4)]
    objects = objects_at([row[:3] for row in rows])
    table = objects.table.assign(area_px=[row[3] for row in sorted(rows, key=lambda row: row[0])], eccentricity=0.6)
    for cell, much in mitosis_of.items():
        late = table["frame"].between(4, 5) & (table["x_px"] == CELLS[cell])
        table["brightness"] = table["brightness"].fillna(0.5).mask(late, 0.5 + much)
        table["eccentricity"] = table["eccentricity"].mask(late, 0.6 - much)
    return replace(objects, table=table)


@pytest.mark.parametrize("parent", [1, 2])
def test_the_candidate_that_rounds_up_and_condenses_is_the_parent_where_that_counts(parent):
    found = decided(between_two({parent: 0.5, 3 - parent: 0.0}), mitosis_cues=True)
    table, births = found.problem.table, found.candidates
    born = found.probability[births.links :]
    likely = pd.Series(born).groupby(table["x_px"].to_numpy()[births.parent]).max()
    assert likely[CELLS[parent]] > likely[CELLS[3 - parent]]


def test_a_stricter_probability_refuses_the_division_that_could_have_another_parent():
    objects = between_two({})
    loose, strict = (decided(objects, division_probability=least) for least in (0.2, 0.95))
    assert (len(loose.divisions), len(strict.divisions)) == (1, 0)


def test_mitosis_that_is_unknown_or_not_asked_for_changes_nothing():
    without = decided(between_two({})).probability
    assert decided(between_two({}), mitosis_cues=True).probability == pytest.approx(without)
    for parent in CELLS:
        assert decided(between_two({parent: 0.5, 3 - parent: 0.0})).probability == pytest.approx(without)


def test_mitosis_is_measured_against_the_parents_own_earlier_frames():
    table = between_two({1: 0.5, 2: 0.25}).table
    before = table.groupby(["y_px", "x_px"], sort=False)["frame"].transform(lambda f: f.index.to_series().shift())
    before = before.fillna(-1).to_numpy(int)
    rows = table.index[(table["frame"] == 5) & table["x_px"].isin([40.0, 60.0])].to_numpy()
    found = mitosis(table, before, rows)
    assert found["condensed"].tolist() == pytest.approx([0.5, 0.25])
    assert found["rounded"].tolist() == pytest.approx([0.5, 0.25])
    first = mitosis(table, before, table.index[table["frame"] < 2].to_numpy())
    assert not np.any([first["condensed"], first["rounded"]])


def test_cells_that_are_often_missed_do_not_count_as_ending():
    whole = walkers(1.0, frames=20)
    seen = np.random.default_rng(1).uniform(size=len(whole.table)) > 0.2
    found = decided(replace(whole, table=whole.table[seen].reset_index(drop=True)))
    assert found.learnt.end["inside"].value < 0.04
    assert found.learnt.missed.value > 0.1
    assert not len(found.divisions)


def test_gaps_longer_than_the_movie_are_not_looked_for_one_by_one():
    objects = walkers(1.0)
    assert np.array_equal(decided(objects, max_gap=10**12).links, decided(objects, max_gap=20).links)


@pytest.mark.parametrize(
    "settings", [{"overlap_weight": np.inf}, {"search_range_px": np.inf}, {"step_noise_px": 1e200}]
)
def test_settings_that_are_no_number_to_calculate_with_are_refused(settings):
    with pytest.raises(ValueError, match=r"finite number|less than or equal to 1000000"):
        Track(**settings)
