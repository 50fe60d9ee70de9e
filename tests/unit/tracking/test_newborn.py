"""Apparent divisions that are pieces of a mask, or two cells that shared one in the first frame."""

import numpy as np
import pandas as pd
import pytest
from tests.unit.tracking.tracking_examples import objects_at

from cineseq.config.tracking import Track
from cineseq.tracking.decision import Decision
from cineseq.tracking.newborn import probability_of_division
from cineseq.tracking.tracker import link_objects

FRAMES, FULL, NEWBORN = 12, 200.0, 120.0


def decided(rows: list[tuple[float, ...]]) -> Decision:
    """Return the decision over objects given as frame, row, column and area."""
    rows = sorted(rows)
    objects = objects_at([row[:3] for row in rows])
    objects.table["area_px"] = [row[3] for row in rows]
    return link_objects(objects, np.full(len(rows), -1), Track(fragment_fraction=0.0)).decision


def crowd() -> list[tuple[float, ...]]:
    """Forty cells that stay where they are; six of them divide, in frames 3 to 8, into daughters of the usual size."""
    noise = np.random.default_rng(0).normal(0, 0.7, (FRAMES, 40, 2))
    rows: list[tuple[float, ...]] = []
    for cell in range(40):
        y, x = 40 + 60 * (cell // 8), 40 + 60 * (cell % 8)
        divides = 3 + cell if cell < 6 else FRAMES
        for frame in range(FRAMES):
            up, right = noise[frame, cell]
            if frame <= divides:
                rows.append((frame, y + up, x + right, FULL + 3 * right))
            else:
                rows += [(frame, y + up, x + right - side, NEWBORN + 5 * side) for side in (8, -8)]
    return rows


def divisions_of(rows: list[tuple[float, ...]], column: float) -> int:
    """Return how many divisions are found within 20 px of a column in the last row of cells."""
    found = decided(rows)
    parents: pd.DataFrame = found.problem.table.iloc[found.divisions[:, 0]]
    return int(((parents["x_px"] - column).abs().lt(20) & parents["y_px"].gt(330)).sum())


def test_cells_of_the_usual_size_divide() -> None:
    assert len(decided(crowd()).divisions) == 6


def split(first: float, second: float, frames: int, *, at: int = 5, whole: float = FULL) -> list[tuple[float, ...]]:
    """Return a crowd and one object more, which parts into objects of these areas, the second for so many frames."""
    rows = crowd() + [(frame, 350.0, 200.0, whole) for frame in range(at + 1)]
    rows += [(frame, 350.0, 194.0, first) for frame in range(at + 1, FRAMES)]
    return rows + [(frame, 350.0, 210.0, second) for frame in range(at + 1, at + 1 + frames)]


@pytest.mark.parametrize(
    ("first", "second", "frames", "divisions"),
    [(115, 125, 6, 1), (115, 125, 1, 1), (150, 25, 6, 1), (150, 25, 1, 0), (12, 10, 6, 0)],
)
def test_small_daughters_are_pieces_where_they_are_gone_or_both_tiny(
    first: float, second: float, frames: int, divisions: int
) -> None:
    assert divisions_of(split(first, second, frames), 200.0) == divisions


@pytest.mark.parametrize(("area", "divisions"), [(120.0, 1), (200.0, 0)])
def test_two_full_grown_cells_that_part_in_the_second_frame_shared_a_mask(area: float, divisions: int) -> None:
    assert divisions_of(split(area, area, FRAMES - 1, at=0, whole=2 * area), 200.0) == divisions


def test_each_chosen_division_has_a_probability() -> None:
    found = decided(split(12, 10, 6))
    real = probability_of_division(found.problem, found.candidates, found.packing.taken, found.learnt)
    assert real.shape == (len(found.divisions),)
    assert (real > 0.5).all()
