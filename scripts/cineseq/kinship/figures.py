"""A page of lineage trees, and the forest plot of odds ratios."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from cineseq.clustering.plotting import GREY, OKABE_ITO, figure, write_words
from cineseq.kinship.families import Families

COLUMNS = 5
COLOURS = {"divided": OKABE_ITO[0], "died": OKABE_ITO[5], "alive at the end": OKABE_ITO[2], "unknown": GREY}
CONTRAST_COLOURS = {"sister_died_vs_survived": OKABE_ITO[0], "no_sister_vs_survived": OKABE_ITO[1]}


def draw_trees(families: Families, most: int, path: Path) -> None:
    """Draw families with a division as trees coloured by fate, an equal number per condition, most deaths first."""
    chosen = _chosen(families.cells, most)
    if not chosen:
        write_words(path, "There is no family with a division, so there is no tree to draw.")
        return
    rows = -(-len(chosen) // COLUMNS)
    latest = float(families.cells["field_end"].max())
    with figure(path, 2.3 * COLUMNS, 1.15 * rows + 0.9) as page:
        axes = page.subplots(rows, COLUMNS, sharex=True, squeeze=False).ravel()
        for axis, (_, cells) in zip(axes, chosen, strict=False):
            _tree(axis, cells)
        for axis in axes:
            axis.set(yticks=[], xlim=(0, latest * 1.02))
            axis.spines["left"].set_visible(False)
            axis.tick_params(labelsize=7)
        for axis in axes[len(chosen) :]:
            axis.set_axis_off()
        page.supxlabel(f"time ({families.unit})", fontsize=9)
        handles = [axes[0].plot([], [], color=colour, lw=2, label=name)[0] for name, colour in COLOURS.items()]
        title = "families with a division, those with the most deaths first in each condition"
        page.legend(handles=handles, loc="outside upper center", ncols=len(COLOURS), title=title)


def _chosen(cells: pd.DataFrame, most: int) -> list[tuple[int, pd.DataFrame]]:
    summary = cells.groupby("founder").agg(
        condition=("condition", "first"),
        deaths=("died", lambda d: (d == 1).sum()),
        divisions=("siblings", lambda s: (s == 2).sum()),
        cells=("birth", "size"),
    )
    summary = summary[summary["divisions"] > 0].reset_index()
    order = summary.sort_values(["condition", "deaths", "cells", "founder"], ascending=[True, False, False, True])
    share = max(1, most // max(1, order["condition"].nunique()))
    wanted = order.groupby("condition", sort=True).head(share)["founder"].head(most)
    of_them = cells[cells["founder"].isin(wanted)]
    groups = dict(iter(of_them.groupby("founder")))
    return [(founder, groups[founder]) for founder in wanted]


def _tree(axis: Axes, cells: pd.DataFrame) -> None:
    height = _heights(cells)
    look = np.select(
        [cells["died"] == 1, cells["died"] == 0, cells["alive_at_end"] == 1],
        ["died", "divided", "alive at the end"],
        "unknown",
    )
    y = cells.index.map(height).to_numpy(float)
    start, end = cells["birth"].to_numpy(), cells["end"].to_numpy()
    bars = np.stack([np.column_stack([start, y]), np.column_stack([end, y])], axis=1)
    axis.add_collection(LineCollection(bars, colors=[COLOURS[name] for name in look], linewidths=1.6))
    born = cells["parent"].isin(cells.index).to_numpy()
    mother = cells["parent"].map(height).to_numpy(float)
    joints = np.stack([np.column_stack([start, y])[born], np.column_stack([start, mother])[born]], axis=1)
    axis.add_collection(LineCollection(joints, colors="0.6", linewidths=0.8))
    axis.plot(end[look == "died"], y[look == "died"], "x", color=COLOURS["died"], ms=5)
    axis.set_ylim(y.max() + 0.8, -0.8)
    axis.set_title(f"{cells['condition'].iloc[0]}\n{cells['track_id'].iloc[0]}", fontsize=6)


def _heights(cells: pd.DataFrame) -> dict[int, float]:
    """Place leaves in order and every mother midway between her daughters."""
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


def draw_forest(compared: pd.DataFrame, path: Path) -> None:
    """Draw the Mantel-Haenszel odds ratio of every state and contrast with its interval."""
    if not len(compared) or compared["odds_ratio"].isna().all():
        write_words(path, "No odds ratio of a state against the sister's fate is estimable; the table says why.")
        return
    states = list(dict.fromkeys(compared["state"]))
    with figure(path, 6.2, 1.3 + 0.42 * len(states)) as page:
        axis = page.subplots()
        for offset, (contrast, rows) in zip((-0.14, 0.14), compared.groupby("contrast", sort=False), strict=False):
            if rows["odds_ratio"].notna().any():
                _estimates(axis, rows[rows["odds_ratio"].notna()], states, offset, contrast)
        axis.axvline(1, color="0.5", lw=0.8, zorder=0)
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda ratio, _: f"{ratio:g}"))
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set_yticks(range(len(states)), states)
        axis.set_ylim(len(states) - 0.5, -0.5)
        axis.set_xlabel("odds ratio of the state within field and birth-time strata (95 % interval)")
        axis.legend(fontsize=7)


def _estimates(axis: Axes, rows: pd.DataFrame, states: list[str], offset: float, contrast: str) -> None:
    y = np.array([states.index(state) for state in rows["state"]], dtype=float) + offset
    ratio = rows["odds_ratio"].to_numpy(float)
    spread = np.vstack([ratio - rows["low"].to_numpy(float), rows["high"].to_numpy(float) - ratio])
    label = contrast.replace("_", " ")
    axis.errorbar(ratio, y, xerr=spread, fmt="o", ms=4, lw=1.2, color=CONTRAST_COLOURS[contrast], label=label)
