"""Film strips of cells: which cells and frames are drawn, and that each square shows its cell."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.unit.report.explorer_examples import cells_of, film

from cineseq.report.cell_strips import FRAMES, PANEL, choose_cells, shown_frames

SEQUENCED_CELL = 60_000
"""Largest size of the strip of a cell of 28 frames, in bytes."""


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=400, unique=True).map(sorted))
def test_a_life_is_shown_from_birth_to_end(life: list[int]) -> None:
    shown = shown_frames(np.array(life))
    assert len(shown) == min(len(life), FRAMES)
    assert (shown[0], shown[-1]) == (life[0], life[-1])
    assert set(shown) <= set(life)
    assert (np.diff(shown) > 0).all()


def test_cells_that_can_be_sequenced_come_first_then_those_with_relatives() -> None:
    tracks = pd.DataFrame(
        {
            "track_id": ["lost", "mother", "reaches", "died"],
            "parent_id": [None, None, None, "mother"],
            "end_frame": [3, 4, 9, 8],
        }
    )
    assert list(choose_cells(tracks, 1)["track_id"]) == ["reaches"]
    assert list(choose_cells(tracks, 3)["track_id"]) == ["mother", "reaches", "died"]
    assert choose_cells(tracks, 0).empty


@pytest.mark.parametrize("most", [100, 2, 0])
def test_each_square_shows_its_cell_with_an_outline(tmp_path: Path, most: int) -> None:
    cells = cells_of("s")
    folder = film(tmp_path, cells[cells["fov"] == "f1"], most)
    listed = json.loads((folder / "strips.json").read_text())
    assert len(listed["cells"]) == min(most, 4)
    assert listed["without"] == 4 - len(listed["cells"])
    assert listed["frame_hours"] == 0.5
    if not most:
        return
    picture = np.asarray(Image.open(folder / "0.webp").convert("RGB")).astype(int)
    assert (folder / "0.webp").stat().st_size < SEQUENCED_CELL * len(listed["cells"])
    for sheet, row, frames in listed["cells"].values():
        assert sheet == 0
        for place in range(len(frames)):
            square = picture[row * PANEL : (row + 1) * PANEL, place * PANEL : (place + 1) * PANEL]
            assert square.min(axis=2).max() > 180
            assert (square[..., 0] - square[..., 2]).max() > 80
        empty = picture[row * PANEL : (row + 1) * PANEL, len(frames) * PANEL :]
        assert empty.size == 0 or empty.max() < 40
