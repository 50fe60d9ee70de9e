"""Cells that touch and part again are followed through the mask that they share; they do not divide."""

import numpy as np
import pandas as pd
import pytest

from cineseq.config.tracking import Track
from cineseq.io.stacks import MovieInfo, open_labels, write_labels
from cineseq.tracking import divisions, motion
from cineseq.tracking.linking_problem import LinkingProblem
from cineseq.tracking.merges import backward_hypotheses, false_discovery_rate, find_merges
from cineseq.tracking.objects import COLUMNS, Objects, measure
from cineseq.tracking.tracker import Linked, link_objects

SIZE = 120
Disc = tuple[int, float, float, float]
"""Label, row, column and radius."""


def tracked(frames: list[list[Disc]], folder) -> tuple[Objects, Linked]:
    """Draw discs, where discs of one label share a mask, and track them."""
    yy, xx = np.mgrid[:SIZE, :SIZE]
    planes = np.zeros((len(frames), SIZE, SIZE), np.uint16)
    for plane, discs in zip(planes, frames, strict=True):
        for label, y, x, radius in discs:
            plane[(yy - y) ** 2 + (xx - x) ** 2 <= radius**2] = label
    write_labels(planes, folder / "m.ome.tif", MovieInfo(*planes.shape, (), None, 10.0))
    with open_labels(folder / "m.ome.tif") as labels:
        objects = measure(labels)
    return objects, link_objects(objects, np.full(len(objects.table), -1), Track())


def bystanders() -> list[Disc]:
    return [(n, 15 + 20 * (n // 6), 15 * (n % 6) + 12, 7) for n in range(10, 22)]


def touching(alone: int, shared: int, after: int) -> list[list[Disc]]:
    """Two cells, one above the other, that come together from left and right, share a mask, and part again."""
    apart = [(1 + d, 84 + 10 * d, (48, 72)[d], 7) for d in (0, 1)]
    frames = [[(n, y, x + (1 - 2 * (n == 2)) * 2 * t, r) for n, y, x, r in apart] for t in range(alone)]
    frames += [[(1, 84, 58, 7), (1, 94, 62, 7)]] * shared
    frames += [[(1, 84, 56 - 2 * t, 7), (2, 94, 64 + 2 * t, 7)] for t in range(after)]
    return [f + bystanders() for f in frames]


def numbers_at(objects: Objects, linked: Linked, frame: int) -> list[int]:
    """Track numbers of the upper and the lower cell."""
    here = objects.table["frame"] == frame
    cells = objects.table[here & (objects.table["label"] < 10)].sort_values("y_px")
    return linked.families.number[cells.index].tolist()


def test_cells_are_followed_through_the_mask_that_they_share(tmp_path):
    objects, linked = tracked(touching(4, 4, 4), tmp_path)
    assert linked.families.parent == {}
    assert numbers_at(objects, linked, 0) == numbers_at(objects, linked, 11)
    assert linked.counts["splits_explained_by_merges"] == 1


def test_daughters_that_share_a_mask_again_were_not_born(tmp_path):
    frames = touching(0, 3, 2) + touching(0, 3, 0)
    _, linked = tracked(frames, tmp_path)
    assert linked.families.parent == {}
    assert linked.counts["splits_explained_by_merges"] == 1


def dividing() -> list[list[Disc]]:
    born = [[(2, 85, 52 - t, 6), (3, 85, 68 + t, 6)] for t in range(6)]
    return [[*f, *bystanders()] for f in [[(1, 85, 60, 8)]] * 6 + born]


def test_a_division_is_one_only_forwards(tmp_path):
    _, forwards = tracked(dividing(), tmp_path)
    _, backwards = tracked(dividing()[::-1], tmp_path)
    names = ("divisions", "merges_like_divisions", "splits_explained_by_merges", "divisions_expected_false")
    assert [forwards.counts[n] for n in names] == [1, 0, 0, 0]
    assert [backwards.counts[n] for n in names] == [0, 1, 0, 1]


def test_a_long_shared_mask_explains_no_split(tmp_path):
    _, linked = tracked(touching(4, 8, 4), tmp_path)
    assert linked.counts["splits_explained_by_merges"] == 0


def linking_problem(rows: list[tuple[int, float, float, float]], **more: object) -> LinkingProblem:
    table = pd.DataFrame(rows, columns=["frame", "y_px", "x_px", "area_px"])
    table = table.assign(
        label=1, touches_border=False, brightness=np.nan, **{"eccentricity": 0.0, "ellipse_extent": 1.0} | more
    )
    still = motion.Motion("none", np.zeros((len(rows), 2)), 0.0, 30.0)
    pairs = pd.DataFrame({"source": [], "target": [], "discount": []}).astype({"source": int, "target": int})
    return LinkingProblem(table[list(COLUMNS)].astype(COLUMNS), 3, still, 15.0, np.full(len(rows), -1), pairs)


def test_a_merge_conserves_area_and_place():
    rows = [(0, 50.0, 40.0, 100.0), (0, 50.0, 60.0, 50.0), (1, 50.0, 46.7, 150.0)]
    for shared, merges in (((50.0, 46.7, 150.0), 1), ((50.0, 46.7, 60.0), 0), ((60.0, 46.7, 150.0), 0)):
        problem = linking_problem([*rows[:2], (1, *shared)])
        found = find_merges(backward_hypotheses(problem, np.array([0, 1, 0])))
        assert len(found) == merges
    found = find_merges(backward_hypotheses(linking_problem(rows), np.array([0, 1, 0])))
    assert found[["parent", "first", "second"]].to_numpy().tolist() == [[2, 0, 1]]
    assert found["cost"][0] == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize(
    ("more", "areas", "cost"),
    [
        ({}, (100.0, 50.0, 50.0), 0.0),
        ({"eccentricity": 0.8}, (100.0, 50.0, 50.0), 4 * (0.75 - 0.6)),
        ({"ellipse_extent": 0.98}, (200.0, 90.0, 90.0), 30 * 0.02),
        ({"ellipse_extent": 0.98}, (90.0, 50.0, 50.0), 0.0),
        ({}, (300.0, 150.0, 150.0), 3 * np.log(1.5)),
        ({}, (100.0, 100.0, 100.0), 1.5 * (np.log(2) - 0.3)),
    ],
)
def test_doubt_adds_what_speaks_for_two_cells(more, areas, cost):
    family = zip([(0, 50.0, 50.0), (1, 50.0, 44.0), (1, 50.0, 56.0)], areas, strict=True)
    others = [(2, 20.0 * n, 150.0, 100.0) for n in range(6)]
    parent_first = {name: [value, *[float(name == "ellipse_extent")] * 8] for name, value in more.items()}
    problem = linking_problem([*((*place, area) for place, area in family), *others], **parent_first)
    found = divisions.hypotheses(problem, np.arange(9))
    assert len(found) == 1
    added = divisions.costs(found, 1.0) - divisions.costs(found)
    assert added[0] == pytest.approx(cost, abs=1e-9)


def test_only_divisions_that_look_no_better_than_merges_are_doubted():
    cost = np.array([1.5, 0.1, 0.2, 1.0])
    assert false_discovery_rate(cost, np.empty(0)).tolist() == [0, 0, 0, 0]
    assert false_discovery_rate(cost, np.array([0.9, 1.1, 1.2, 1.3, 1.4, 1.4])).tolist() == [1, 0, 0, 0.25]
    # a dear division is no better than the best share that a higher cost has
    assert false_discovery_rate(np.array([0.1, 0.2, 0.3]), np.array([0.05])).tolist() == [0.25, 0.25, 0.25]
