"""Apparent divisions of the reversed movie estimate how many divisions are false."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.tracking.tracking_examples import objects_at

from cineseq.config.tracking import Track
from cineseq.tracking.decoys import false_share, reversed_problem
from cineseq.tracking.finalise import no_tracks
from cineseq.tracking.linking_problem import linking_problem
from cineseq.tracking.objects import Objects
from cineseq.tracking.report import tracking_report
from cineseq.tracking.tracker import link_objects


def test_only_divisions_that_look_no_better_than_decoys_are_doubted():
    share = false_share(np.array([0.99, 0.9, 0.7, 0.6]), np.array([0.65, 0.62]))
    assert share == pytest.approx([0.0, 0.0, 0.0, 2 / 5])
    assert false_share(np.array([0.6]), np.array([0.9, 0.9, 0.9])).tolist() == [1.0]
    assert false_share(np.empty(0), np.array([0.9])).tolist() == []


@given(st.lists(st.floats(0.5, 1), max_size=12), st.lists(st.floats(0.5, 1), max_size=12))
@settings(max_examples=60, deadline=None)
def test_the_share_falls_with_the_probability_and_stays_a_share(divisions, decoys):
    share = false_share(np.array(divisions), np.array(decoys))
    assert ((share >= 0) & (share <= 1)).all()
    order = np.argsort(divisions)
    assert (np.diff(share[order]) <= 1e-12).all()


def test_the_reversed_movie_runs_backwards_and_twice_reversed_forwards():
    rows = [(t, 20.0 + 30 * i + t, 40.0 + 2 * t) for t in range(5) for i in range(5)]
    objects = objects_at(rows)
    problem = linking_problem(objects, np.ones(25, bool), np.full(25, -1), Track())
    links = link_objects(objects, np.full(25, -1), Track()).decision.links
    back = reversed_problem(problem, links)
    assert back.table["y_px"].tolist()[:5] == [24.0 + 30 * i for i in range(5)]
    assert back.frame.tolist() == problem.frame.tolist()


def pairs_of_cells(backwards: bool) -> Objects:
    """36 cells of which each splits in two; ``backwards``: half of them are two cells that merge in one mask."""
    rows = []
    for i in range(36):
        y, x, born = 40.0 + 60 * (i // 6), 40.0 + 60 * (i % 6), 4 + i % 5
        apart = [(t, y, x + s, 60.0) for t in range(born, 12) for s in (-5.0 - t + born, 5.0 + t - born)]
        path = [(t, y, x, 120.0) for t in range(born)] + apart
        rows += [(11 - t, *cell) for t, *cell in path] if backwards and i % 2 else path
    rows = sorted(rows, key=lambda row: row[0])
    objects = objects_at([row[:3] for row in rows], 420)
    return replace(objects, table=objects.table.assign(area_px=[row[3] for row in rows]))


@pytest.mark.parametrize("backwards", [False, True])
def test_splits_are_doubted_where_cells_merge_as_often(backwards):
    objects = pairs_of_cells(backwards)
    linked = link_objects(objects, np.full(len(objects.table), -1), Track())
    counts = linked.counts
    assert counts["divisions"] >= 16
    said = " ".join(tracking_report(objects, linked, no_tracks().tracks)["lines"])
    assert (linked.decision.decoys >= 16) == backwards
    assert f"shows {linked.decision.decoys} apparent division" in said
    assert (counts["divisions_expected_false"] > 0.5 * counts["divisions"]) == backwards
