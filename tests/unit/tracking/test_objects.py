"""What a moving stage never showed has no cell, and its edge is a border."""

import numpy as np
import pytest
from tests.unit.tracking.tracking_examples import outputs
from track import Settings
from track import main as track

from cineseq.io.stacks import MovieInfo, open_labels, write_labels
from cineseq.tables.contract import read_table
from cineseq.tables.imaging import TRACKS
from cineseq.tracking.objects import measure

FRAMES, SIZE = 8, 100


def masks_of(folder, squares: list[tuple[int, int, range]], origins: tuple[tuple[int, int], ...] = ()):
    """Write squares of 10 px, each at a place (first row and column) and in some frames; labels count from 1."""
    planes = np.zeros((FRAMES, SIZE, SIZE), np.uint16)
    for label, (y, x, frames) in enumerate(squares, start=1):
        planes[frames.start : frames.stop, y : y + 10, x : x + 10] = label
    write_labels(planes, folder / "m.ome.tif", MovieInfo(FRAMES, SIZE, SIZE, (), None, 10.0, origins))
    return folder / "m.ome.tif"


def test_objects_at_the_edge_of_what_was_seen_touch_the_border(tmp_path):
    squares = [(20, 40, range(8)), (60, 40, range(8)), (60, 80, range(8))]
    path = masks_of(tmp_path, squares, ((20, 0),) * 4 + ((0, -10),) * 4)
    with open_labels(path) as labels:
        table = measure(labels).table
    touching = table.pivot(index="frame", columns="label", values="touches_border")
    assert touching.loc[0].tolist() == [True, False, False]
    assert touching.loc[7].tolist() == [False, False, True]


@pytest.mark.parametrize(("origins", "kind"), [((), "lost"), (((0, 0),) * 5 + ((30, 0),) * 3, "left_fov")])
def test_a_cell_that_the_stage_leaves_behind_has_left(tmp_path, origins, kind):
    path = masks_of(tmp_path, [(18, 40, range(5)), (60, 40, range(8))], origins)
    files = outputs(tmp_path)
    track(labels=path, **files, settings=Settings())
    tracks = read_table(files["tracks"], TRACKS)
    assert tracks["end_kind"].tolist() == [kind, "end_of_movie"]
