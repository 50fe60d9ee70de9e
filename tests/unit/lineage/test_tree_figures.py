"""The page of trees."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from tests.unit.lineage.lineage_examples import as_cells, family

from cineseq.lineage.tree_figures import Colouring, draw_trees
from cineseq.lineage.trees import families_of


@pytest.mark.parametrize("entries", [3, 11, 20])
def test_the_legend_leaves_room_for_the_names_of_the_first_trees(tmp_path: Path, monkeypatch, entries: int) -> None:
    rows = [row for n in range(6) for row in family(f"a long name of a cell {n}", "death", "division")]
    families = families_of(as_cells(rows))
    names = [f"state {n}" for n in range(entries)]
    colouring = Colouring(
        np.resize(np.array(names, object), len(families.cells)), dict.fromkeys(names, "#000000"), "families"
    )
    lowest, highest = [], []

    def measure(page: Figure, path: Path, **_: object) -> None:
        page.canvas.draw()
        lowest.append(page.legends[0].get_window_extent().y0)
        highest.append(max(axis.title.get_window_extent().y1 for axis in page.axes))
        path.write_text("")

    monkeypatch.setattr(Figure, "savefig", measure)
    draw_trees(families, colouring, 10, tmp_path / "trees.svg")
    assert lowest[0] >= highest[0]
