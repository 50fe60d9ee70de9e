"""Linking of points into families: invariants, motion, matching, divisions and evidence of death."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from tests.unit.tracking.tracking_examples import follow, objects_at

from cineseq.config.tracking import Track
from cineseq.tracking import assignment, divisions, ends, linking, motion
from cineseq.tracking.linking_problem import LinkingProblem
from cineseq.tracking.objects import Objects
from cineseq.tracking.report import tracking_report
from cineseq.tracking.tracker import link_objects
from cineseq.tracking.validate import validate

POINTS = st.lists(
    st.tuples(st.integers(0, 5), st.floats(0, 199, width=32), st.floats(0, 199, width=32)), min_size=1, max_size=60
)


@given(POINTS)
@settings(max_examples=25, deadline=None)
def test_any_points_make_a_possible_lineage(points):
    detections, tracks = follow(objects_at(points))
    validate(detections, tracks)
    assert len(detections) == len(points)
    assert "death" not in set(tracks["end_kind"])


def families(tracks: pd.DataFrame, detections: pd.DataFrame) -> set[frozenset[tuple]]:
    place = detections[["frame", "y_px", "x_px"]].round(3).apply(tuple, axis=1)
    return {frozenset(group) for _, group in place.groupby(detections["track_id"])}


@given(st.integers(0, 2**31))
@settings(max_examples=6, deadline=None)
def test_tracks_do_not_depend_on_label_names_or_on_which_way_up_the_image_is(seed):
    rng = np.random.default_rng(seed)
    start = rng.uniform(20, 180, (12, 2))
    path = start[None] + np.cumsum(rng.normal(0, 2, (8, 12, 2)), axis=0)
    seen = rng.random((8, 12)) < 0.9
    rows = [(t, *path[t, i]) for t in range(8) for i in range(12) if seen[t, i]]
    detections, tracks = follow(objects_at(rows))
    shuffled = [rows[i] for i in rng.permutation(len(rows))]
    _, tracks_2 = follow(objects_at(shuffled))
    columns = ["track_id", "start_frame", "end_frame", "start_y_px", "end_kind", "parent_id"]
    pd.testing.assert_frame_equal(tracks[columns], tracks_2[columns])
    flipped = [(t, 199 - y, x) for t, y, x in rows]
    detections_3, tracks_3 = follow(objects_at(flipped))
    detections_3["y_px"] = 199 - detections_3["y_px"]
    assert families(tracks, detections) == families(tracks_3, detections_3)
    assert sorted(tracks["end_kind"]) == sorted(tracks_3["end_kind"])
    assert tracks["parent_id"].notna().sum() == tracks_3["parent_id"].notna().sum()


@given(st.integers(0, 2**31), st.integers(1, 6), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_sparse_and_dense_matching_agree(seed, n, m):
    rng = np.random.default_rng(seed)
    rows, cols = np.nonzero(rng.random((n, m)) < 0.7)
    costs = rng.uniform(0, 1.5, len(rows))
    table = {(r, c): v for r, c, v in zip(rows, cols, costs, strict=True)}

    def total(pairs: tuple[np.ndarray, np.ndarray]) -> float:
        return sum(table[p] - 1.0 for p in zip(*pairs, strict=True))

    dense = assignment.match(rows, cols, costs, (n, m), 1.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assignment, "DENSE_ENTRIES", 0)
        sparse = assignment.match(rows, cols, costs, (n, m), 1.0)
    assert total(dense) == pytest.approx(total(sparse))
    for pairs in (dense, sparse):
        assert len(set(pairs[0].tolist())) == len(set(pairs[1].tolist())) == len(pairs[0])


@given(st.integers(0, 2**31), st.integers(1, 12), st.integers(1, 12), st.floats(0.02, 0.4))
@settings(max_examples=100, deadline=None)
def test_solving_each_connected_problem_alone_is_solving_all_at_once(seed, n, m, share):
    rng = np.random.default_rng(seed)
    rows, cols = np.nonzero(rng.random((n, m)) < share)
    costs = rng.uniform(0, 1.2, len(rows))
    square = np.full((n, m + n), 9.0)
    square[rows, cols] = costs
    square[np.arange(n), m + np.arange(n)] = 1.0
    row, column = linear_sum_assignment(square)
    wanted = [(r, c) for r, c in zip(row.tolist(), column.tolist(), strict=True) if c < m]
    found = assignment.match(rows, cols, costs, (n, m), 1.0)
    assert list(zip(*(side.tolist() for side in found), strict=True)) == wanted


def moving_lattice(step: np.ndarray, frames: int = 6) -> list[tuple[int, float, float]]:
    yy, xx = np.mgrid[30:170:20, 30:170:20]
    grid = np.c_[yy.ravel(), xx.ravel()] + np.random.default_rng(1).normal(0, 2, (yy.size, 2))
    return [(t, *(p + t * step)) for t in range(frames) for p in grid]


def test_drift_larger_than_half_the_spacing_is_followed():
    rows = moving_lattice(np.array([11.0, 7.0]))
    assert len(follow(objects_at(rows, 400))[1]) == 49
    assert len(follow(objects_at(rows, 400), motion="none", max_gap=0)[1]) > 49


def test_motion_model_is_none_for_cells_that_wander():
    rng = np.random.default_rng(3)
    start = rng.uniform(0, 1000, (80, 2))
    path = start[None] + np.cumsum(rng.normal(0, 3, (10, 80, 2)), axis=0)
    points = path.reshape(-1, 2)
    rows = motion.by_frame(np.repeat(np.arange(10), 80), 10)
    assert motion.estimate(points, rows, "auto").kind == "none"


def test_search_range_grows_with_the_steps_and_stops_at_the_neighbours():
    rng = np.random.default_rng(5)
    start = np.c_[np.repeat(np.arange(10), 10), np.tile(np.arange(10), 10)] * 50.0
    rows = motion.by_frame(np.repeat(np.arange(2), 100), 2)
    found = []
    for step in (1.0, 3.0, 60.0):
        points = np.r_[start, start + rng.normal(0, step, start.shape)]
        calm = motion.Motion("none", np.zeros_like(points), step, 50.0)
        found.append(motion.search_range(points, rows, calm, 10.0))
    assert found[0] == pytest.approx(7.5)
    assert 15 < found[1] < 35
    assert found[2] == pytest.approx(50)


def test_dense_points_never_raise_and_are_linked():
    rng = np.random.default_rng(2)
    start = rng.uniform(0, 8 * np.sqrt(600), (600, 2))
    rows = [(t, *p) for t in range(4) for p in start + rng.normal(0, 0.5, start.shape)]
    detections, tracks = follow(objects_at(rows, 200, area=20.0), search_range_px=20)
    assert len(detections) == 2400
    assert (tracks["frames"] == 4).mean() > 0.95


def test_the_best_set_of_divisions_is_not_the_greedy_one():
    # the cheapest hypothesis shares a daughter with each of two others that together are worth more
    found = pd.DataFrame(
        {"parent": [0, 1, 2], "first": [3, 3, 4], "second": [4, 5, 6], "continues": False, "cost": [0.5, 0.6, 0.6]}
    )
    assert divisions.choose(found, 1.6)["parent"].tolist() == [1, 2]
    assert divisions.choose(found.iloc[:1], 1.6)["parent"].tolist() == [0]
    assert divisions.choose(found, 0.4).empty


def test_no_division_crosses_a_wall():
    rows = [(t, 50.0, 50.0) for t in range(3)] + [(t, 50.0, 50.0 + s) for t in range(3, 6) for s in (-6.0, 6.0)]
    objects = objects_at(rows)
    free = link_objects(objects, np.full(9, -1), Track())
    assert len(free.families.parent) == 2
    compartment = np.where(objects.table["x_px"] > 52, 1, 0)
    assert link_objects(objects, compartment, Track()).families.parent == {}


def test_overlap_decides_between_equally_near_cells():
    table = objects_at([(0, 50.0, 50.0), (0, 50.0, 60.0), (1, 50.0, 55.0)]).table
    calm = motion.Motion("none", np.zeros((3, 2)), 0.0, 10.0)
    for source in (0, 1):
        discounts = pd.DataFrame({"source": [source], "target": [2], "discount": [0.9]})
        tracklet = linking.link(LinkingProblem(table, 2, calm, 8.0, np.full(3, -1), discounts))
        assert tracklet[2] == tracklet[source]


def test_short_tracks_show_no_evidence_of_death():
    table = objects_at([(t, 50.0, 50.0) for t in range(4)]).table
    table["area_px"] = [100.0, 100.0, 20.0, 10.0]
    assert ends.last_changes(table, np.ones(4, int)).isna().all(axis=None)
    rows = [(t, 50.0, 50.0) for t in range(4)] + [(t, 120.0, 120.0) for t in range(8)]
    assert follow(objects_at(rows))[1].set_index("end_frame")[["p_death", "p_mitosis"]].isna().loc[3].all()


def test_bright_round_cells_do_not_all_die():
    table = objects_at([(t, 50.0, 50.0) for t in range(10)]).table.assign(brightness=5.0, eccentricity=0.0)
    evidence = ends.death_evidence(table, np.ones(10, int)).iloc[0]
    assert evidence[["shrink", "brighten", "round_up"]].tolist() == [0, 0, 0]


def test_an_area_that_jumps_is_no_evidence_of_death():
    table = objects_at([(t, 50.0, 50.0) for t in range(10)]).table
    number = np.ones(10, int)
    steady = table.assign(area_px=[400.0] * 8 + [90.0, 80.0])
    jumping = table.assign(area_px=[75.0, 521.0, 370.0, 76.0, 410.0, 80.0, 500.0, 390.0, 96.0, 82.0])
    assert ends.death_evidence(steady, number)["shrink"].iloc[0] > 1.4
    assert ends.death_evidence(jumping, number)["shrink"].iloc[0] < 0.1


def test_a_daughter_that_lies_on_another_cell_costs_more():
    table = objects_at([(0, 50.0, 50.0), (0, 50.0, 70.0), (1, 50.0, 44.0), (1, 50.0, 56.0)]).table
    calm = motion.Motion("none", np.zeros((4, 2)), 0.0, 20.0)
    costs = []
    for source in (0, 1):
        shared = pd.DataFrame({"source": [source], "target": [3], "discount": [0.8]})
        problem = LinkingProblem(table, 2, calm, 3.0, np.full(4, -1), shared)
        found = divisions.hypotheses(problem, np.arange(4))
        costs.append(divisions.costs(found[found["parent"] == 0])[0])
    assert costs[1] - costs[0] == pytest.approx(0.8)


def test_no_hypotheses_are_a_table_of_numbers_without_rows():
    table = objects_at([(0, 50.0, 50.0), (1, 50.0, 52.0)]).table
    calm = motion.Motion("none", np.zeros((2, 2)), 0.0, 20.0)
    shared = pd.DataFrame({"source": [0], "target": [1], "discount": [0.8]})
    found = divisions.hypotheses(LinkingProblem(table, 2, calm, 3.0, np.full(2, -1), shared), np.zeros(2, int))
    assert found.empty
    assert found["on_another"].dtype == float


CELLS = {1: 40.0, 2: 60.0}
"""Two cells, by their column: a third appears between them after frame 5, and both become as small as it is."""


def between_two(mitosis: dict[int, float]) -> Objects:
    """Both cells may be its parent, by place and size; ``mitosis`` makes them brighten and round up by so much."""
    rows = [(t, 50.0, x, 100.0) for t in range(6) for x in CELLS.values()]
    rows += [(t, 50.0, x, 50.0) for t in range(6, 12) for x in (36.0, 50.0, 64.0)]
    rows += [(t, 20.0 + 40 * i, 150.0, 100.0) for t in range(12) for i in range(4)]
    objects = objects_at([row[:3] for row in rows])
    table = objects.table.assign(area_px=[row[3] for row in sorted(rows, key=lambda row: row[0])], eccentricity=0.6)
    for cell, much in mitosis.items():
        late = table["frame"].between(4, 5) & (table["x_px"] == CELLS[cell])
        table["brightness"] = table["brightness"].fillna(0.5).mask(late, 0.5 + much)
        table["eccentricity"] = table["eccentricity"].mask(late, 0.6 - much)
    return replace(objects, table=table)


@pytest.mark.parametrize("parent", [1, 2])
def test_the_candidate_that_rounds_up_and_condenses_is_the_parent_where_that_counts(parent):
    _, tracks = follow(between_two({parent: 0.5, 3 - parent: 0.0}), search_range_px=6, mitosis_cues=True)
    born = tracks[tracks["parent_id"].notna()]
    assert sorted(born["start_x_px"]) == ([36.0, 50.0] if parent == 1 else [50.0, 64.0])


def test_mitosis_that_is_unknown_or_not_asked_for_changes_nothing():
    without = follow(between_two({}), search_range_px=6)[1]
    assert without["parent_id"].notna().sum() == 2
    pd.testing.assert_frame_equal(follow(between_two({}), search_range_px=6, mitosis_cues=True)[1], without)
    for parent in CELLS:
        seen = follow(between_two({parent: 0.5, 3 - parent: 0.0}), search_range_px=6)[1]
        assert seen["start_x_px"].tolist() == without["start_x_px"].tolist()


def test_mitosis_is_measured_against_the_parents_own_earlier_frames():
    table = between_two({1: 0.5, 2: 0.25}).table
    tracklet = table.groupby(["y_px", "x_px"], sort=False).ngroup().to_numpy()
    rows = table.index[(table["frame"] == 5) & table["x_px"].isin([40.0, 60.0])].to_series()
    found = divisions.mitosis(table, tracklet, rows)
    assert found["condensed"].tolist() == pytest.approx([0.5, 0.25])
    assert found["rounded"].tolist() == pytest.approx([0.5, 0.25])
    first = divisions.mitosis(table, tracklet, table.index[table["frame"] < 2].to_series())
    assert not np.any([first["condensed"], first["rounded"]])


NOT_USED = {
    "": {"step": 2.0},
    "cells move 8 px per frame, more than half of their size, 5 px": {"step": 8.0},
    "track.overlap_weight is 0": {"step": 2.0, "overlap_weight": 0},
    "no masks of consecutive frames share pixels": {"step": 2.0, "shared": []},
}


@pytest.mark.parametrize("reason", NOT_USED)
def test_the_report_says_when_overlaps_do_not_count_and_why(reason):
    more = {"shared": [0.5]} | NOT_USED[reason]
    step, shared = more.pop("step"), more.pop("shared")
    objects = objects_at([(t, 20.0 + 30 * i, 20.0 + step * t) for t in range(4) for i in range(6)])
    overlaps = pd.DataFrame({"source": [0], "target": [6], "shared": [0.5]}).head(len(shared))
    linked = link_objects(replace(objects, overlaps=overlaps), np.full(24, -1), Track(motion="none", **more))
    said = tracking_report(objects, linked, follow(objects)[1])
    line = f"Links use distance only, not the overlap of masks: {reason}."
    assert said["numbers"]["overlaps_used"] == (reason == "")
    assert (line in said["lines"]) == (reason != "")
    assert any("Links use distance only" in text for text in said["lines"]) == (reason != "")


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(1, 500, width=32)), min_size=1, max_size=40))
@settings(max_examples=25, deadline=None)
def test_the_usual_area_is_the_median_of_six_frames_of_the_same_track(cells):
    tracklet, area = (np.array(values) for values in zip(*cells, strict=True))
    found = divisions.usual_area(pd.DataFrame({"area_px": area}), tracklet)
    for row, value in enumerate(found):
        own = area[: row + 1][tracklet[: row + 1] == tracklet[row]]
        assert value == pytest.approx(np.log(np.median(own[-6:])))
