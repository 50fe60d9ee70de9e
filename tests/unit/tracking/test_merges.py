"""Cells that touch and part again are followed through the mask that they share; they do not divide."""

import numpy as np

from cineseq.config.tracking import Track
from cineseq.io.stacks import MovieInfo, open_labels, write_labels
from cineseq.tracking.merges import _Chain, pieces_of
from cineseq.tracking.objects import Objects, measure
from cineseq.tracking.tracker import Linked, link_objects

SIZE = 120
Disc = tuple[int, float, float, float]
"""Label, row, column and radius."""


def tracked(frames: list[list[Disc]], folder, **more: object) -> tuple[Objects, Linked]:
    """Draw discs, where discs of one label share a mask, and track them."""
    yy, xx = np.mgrid[:SIZE, :SIZE]
    planes = np.zeros((len(frames), SIZE, SIZE), np.uint16)
    for plane, discs in zip(planes, frames, strict=True):
        for label, y, x, radius in discs:
            plane[(yy - y) ** 2 + (xx - x) ** 2 <= radius**2] = label
    write_labels(planes, folder / "m.ome.tif", MovieInfo(*planes.shape, (), None, 10.0))
    with open_labels(folder / "m.ome.tif") as labels:
        objects = measure(labels)
    return objects, link_objects(objects, np.full(len(objects.table), -1), Track(**more))


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
    names = ("divisions", "splits_explained_by_merges", "divisions_expected_false")
    assert [forwards.counts[n] for n in names] == [1, 0, 0]
    assert [backwards.counts[n] for n in names] == [0, 0, 0]


def test_cells_that_part_after_sharing_a_mask_are_taken_for_daughters_where_merges_are_off(tmp_path):
    _, linked = tracked(touching(4, 4, 4), tmp_path, merges=False)
    assert linked.counts["divisions"] == 1
    assert linked.counts["splits_explained_by_merges"] == 0


def test_one_merge_explains_nothing_where_merges_come_before_any_cell(tmp_path):
    # cells end in the mask of a neighbour all the time, as where they leave a layer: one before a division is chance
    objects, linked = tracked(touching(4, 4, 4), tmp_path, merges=False)
    chain = _Chain(linked.decision.problem, pieces_of(linked.decision))
    parents = linked.decision.divisions[:, 0]
    assert chain.merges_precede_divisions(parents)
    everywhere = {row: [0] for row in range(0, len(objects.table), 3)}
    chain.absorbed |= everywhere
    assert not chain.merges_precede_divisions(parents)


def test_a_cell_is_followed_out_of_a_shared_mask_once(tmp_path):
    # a second division soon after the first must not take the same cell: it would be in two places
    _, linked = tracked(touching(4, 4, 4), tmp_path, merges=False)
    chain = _Chain(linked.decision.problem, pieces_of(linked.decision))
    [(parent, *daughters)] = linked.decision.divisions.tolist()
    assert chain.follow_through(parent, daughters)
    assert not chain.follow_through(parent, daughters)


def test_a_long_shared_mask_explains_no_split(tmp_path):
    _, linked = tracked(touching(4, 8, 4), tmp_path)
    assert linked.counts["splits_explained_by_merges"] == 0
