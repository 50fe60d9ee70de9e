"""Pages of lineage trees, coloured by fate or by state."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D

from cineseq.lineage.fate_correlation import ends_of
from cineseq.lineage.trees import LineageTrees
from cineseq.plotting import BLUE, GREEN, GREY, OKABE_ITO, VERMILION, figure, write_words
from cineseq.tables.lineage import FATE_ENDS

COLUMNS = 5
TOP, LEGEND_ROW, BOTTOM = 0.65, 0.2, 0.5
"""Inches for titles above the trees, for each row of the legend, and for the axis below the trees."""
NAME_LENGTH = 26
"""Largest number of characters of a name above a tree; longer names are truncated."""
DIED = VERMILION
FATE_COLOURS = dict(zip(FATE_ENDS, (BLUE, DIED, GREEN, GREY), strict=True))
STATE_COLOURS = (0, 1, 2, 3, 4, 6, 7)
NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Colouring:
    """Colours of the cells of trees.

    Attributes
    ----------
    names
        Name of the class of each cell, shape (cells,), as the rows of ``families.cells``.
    colours
        Colour of each name, in the order of the legend.
    title
        Title of the page.
    evenly
        Columns of the summary of families (``condition``, ``death_seen``); every combination gets as many trees.
    """

    names: np.ndarray
    colours: dict[str, str]
    title: str
    evenly: tuple[str, ...] = ("condition",)


def colour_by_fate(families: LineageTrees) -> Colouring:
    """Colour cells by how they ended."""
    names = np.array(FATE_ENDS, dtype=object)[ends_of(families.cells)]
    title = "families with a division, those with the most deaths first in each condition"
    return Colouring(names, FATE_COLOURS, title)


def colour_by_state(families: LineageTrees, states: pd.DataFrame, state: str | None) -> Colouring:
    """Colour cells by one state, or by all values of its column.

    Parameters
    ----------
    families
        The trees.
    states
        As :func:`cineseq.lineage.states.states_of` returns.
    state
        One of its columns; for ``cluster=0`` every ``cluster=...`` is shown. None takes the first column.
    """
    if not len(states.columns):
        names = np.full(len(families.cells), NOT_MEASURED, dtype=object)
        return Colouring(names, {NOT_MEASURED: GREY}, "families with a measured survivor")
    state = states.columns[0] if state is None else state
    base = state.split("=")[0]
    of_cell = states.reindex(families.cells["track_id"])
    columns = [c for c in states.columns if c.split("=")[0] == base] if "=" in state else [state]
    names = np.full(len(of_cell), NOT_MEASURED, dtype=object)
    if "=" not in state:
        names[(of_cell[state] == 0).to_numpy()] = f"not {state}"
    for column in columns:
        names[(of_cell[column] == 1).to_numpy()] = column
    shown = [*columns, *([] if "=" in state else [f"not {state}"])]
    palette = {name: OKABE_ITO[STATE_COLOURS[k % len(STATE_COLOURS)]] for k, name in enumerate(shown)}
    title = f"families with a measured survivor by {base}, in each condition some with a death and some without"
    return Colouring(names, palette | {NOT_MEASURED: GREY}, title, ("condition", "death_seen"))


def draw_trees(families: LineageTrees, colouring: Colouring, most: int, path: Path) -> None:
    """Draw families with a division as trees: equal numbers per kind of ``colouring.evenly``, most deaths first."""
    cells = families.cells.assign(colour=colouring.names)
    measured = cells["colour"].ne(NOT_MEASURED).groupby(cells["root_cell"]).transform("any")
    chosen = _chosen(cells[measured], colouring.evenly, most)
    if not chosen:
        write_words(path, f"There is no tree to draw: no {colouring.title.split(',')[0]}.")
        return
    rows = -(-len(chosen) // COLUMNS)
    handles = _legend(colouring)
    top = TOP + LEGEND_ROW * -(-len(handles) // COLUMNS)
    width, height = 2.3 * COLUMNS, 1.25 * rows + top + BOTTOM
    with figure(path, width, height) as page:
        page.set_layout_engine("none")  # the layout of so many axes takes longer than drawing them
        edges = {"left": 0.02, "right": 0.98, "bottom": BOTTOM / height, "top": 1 - top / height}
        axes = page.subplots(rows, COLUMNS, sharex=True, squeeze=False, gridspec_kw=edges | {"hspace": 0.75}).ravel()
        axes[0].set_xlim(0, float(cells["field_end"].max()) * 1.02)
        for axis, (_, family) in zip(axes, chosen, strict=False):
            _tree(axis, family, colouring.colours)
        for axis in axes:
            axis.set(yticks=[])
            axis.spines["left"].set_visible(False)
            axis.tick_params(labelsize=7)
        for axis in axes[max(0, len(chosen) - COLUMNS) : len(chosen)]:
            axis.tick_params(labelbottom=True)  # also above an incomplete last row
        for axis in axes[len(chosen) :]:
            axis.set_axis_off()
        page.supxlabel(f"time ({families.unit})", fontsize=9, y=0.06 / height)
        page.legend(handles=handles, loc="upper center", ncols=COLUMNS, title=colouring.title)


def _legend(colouring: Colouring) -> list[Line2D]:
    marks = {"died": "x"}
    bars = [Line2D([], [], color=c, lw=2, label=n, marker=marks.get(n)) for n, c in colouring.colours.items()]
    if "died" not in colouring.colours:
        bars.append(Line2D([], [], color=DIED, lw=0, marker="x", label="died"))
    return bars


def _chosen(cells: pd.DataFrame, evenly: tuple[str, ...], most: int) -> list[tuple[int, pd.DataFrame]]:
    summary = (
        cells.assign(dead=cells["died"] == 1, in_pair=cells["siblings"] == 2)
        .groupby("root_cell")
        .agg(
            condition=("condition", "first"),
            deaths=("dead", "sum"),
            divided=("in_pair", "any"),
            cells=("birth", "size"),
        )
    )
    summary = summary[summary["divided"]].reset_index()
    summary = summary.assign(death_seen=summary["deaths"] > 0)
    order = summary.sort_values(["condition", "deaths", "cells", "root_cell"], ascending=[True, False, False, True])
    kinds = order.groupby(list(evenly))
    wanted = kinds.head(max(1, most // max(1, kinds.ngroups)))["root_cell"].head(most)
    of_them = cells[cells["root_cell"].isin(wanted)]
    groups = dict(iter(of_them.groupby("root_cell")))
    return [(root_cell, groups[root_cell]) for root_cell in wanted]


def _tree(axis: Axes, cells: pd.DataFrame, palette: dict[str, str]) -> None:
    height = _heights(cells)
    y = cells.index.map(height).to_numpy(float)
    start, end = cells["birth"].to_numpy(), cells["end"].to_numpy()
    bars = np.stack([np.column_stack([start, y]), np.column_stack([end, y])], axis=1)
    axis.add_collection(LineCollection(list(bars), colors=[palette[name] for name in cells["colour"]], linewidths=1.8))
    born = cells["parent"].isin(cells.index).to_numpy()
    parent = cells["parent"].map(height).to_numpy(float)
    joints = np.stack([np.column_stack([start, y])[born], np.column_stack([start, parent])[born]], axis=1)
    axis.add_collection(LineCollection(list(joints), colors="0.6", linewidths=0.8))
    died = (cells["died"] == 1).to_numpy()
    axis.plot(end[died], y[died], "x", color=DIED, ms=5)
    axis.set_ylim(y.max() + 0.8, -0.8)
    names = (str(cells[c].iloc[0]) for c in ("condition", "track_id"))
    axis.set_title("\n".join(n if len(n) <= NAME_LENGTH else f"{n[: NAME_LENGTH - 1]}…" for n in names), fontsize=7)


def _heights(cells: pd.DataFrame) -> dict[int, float]:
    """Return the height of each cell: leaves in order, and every parent midway between its daughters."""
    daughters: dict[int, list[int]] = {}
    for row, parent in cells["parent"].items():
        daughters.setdefault(parent, []).append(row)
    height: dict[int, float] = {}
    todo = [row for row, parent in cells["parent"].items() if parent not in cells.index]
    visited, leaves = [], 0
    while todo:
        row = todo.pop()
        visited.append(row)
        todo += daughters.get(row, [])
        if row not in daughters:
            height[row] = float(leaves)
            leaves += 1
    for row in reversed(visited):
        if row in daughters:
            height[row] = float(np.mean([height[d] for d in daughters[row]]))
    return height
