"""Figures of fates: cumulative incidence and survival by condition, joint ends of sisters, and odds ratios."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from cineseq.plotting import BLUE, GREEN, GREY, ORANGE, PINK, VERMILION, figure, write_words
from cineseq.tables.lineage import CONTRASTS, FATE_ENDS
from cineseq.text import count, number, significant

COLUMNS = 4
MOST_PANELS = 16
DARK = -1.0
"""log2(observed / expected) below which the background is too dark for black text."""

COLOURS = {
    "division": BLUE,
    "death": VERMILION,
    "loss": GREY,
    "undivided": BLUE,
    "survival": VERMILION,
}

EVENT_LABELS = {"division": "divided", "death": "died", "loss": "lost", "undivided": "undivided", "survival": "alive"}


@contextmanager
def _panels(path: Path, table: pd.DataFrame, size: float) -> Iterator[tuple[Figure, list[tuple[Axes, pd.DataFrame]]]]:
    """Yield a figure and, for each condition, a titled panel with its rows.

    Only the first :data:`MOST_PANELS` conditions are drawn; the figure says how many are left out.
    """
    every = list(table.groupby("condition", sort=True))
    shown = every[:MOST_PANELS]
    columns = min(COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    with figure(path, max(4.0, size * columns), size * rows + 0.6) as page:
        axes = page.subplots(rows, columns, squeeze=False).ravel()
        for axis, (name, _) in zip(axes, shown, strict=False):
            axis.set_title(name, fontsize=8)
        for axis in axes[len(shown) :]:
            axis.set_axis_off()
        if len(every) > len(shown):
            words = f"{len(every) - len(shown)} of {count(len(every), 'condition')} are left out; the table has them"
            page.text(0.995, 0.002, words, ha="right", va="bottom", fontsize=7, color=GREY)
        yield page, [(axis, rows) for axis, (_, rows) in zip(axes, shown, strict=False)]


def draw_incidence(table: pd.DataFrame, path: Path) -> None:
    """Draw the cumulative incidence of division, death and loss after birth, one panel per condition."""
    _draw_curves(table, path, "incidence", "cumulative incidence")


def draw_survival(table: pd.DataFrame, path: Path) -> None:
    """Draw the survival and undivided fractions after birth, one panel per condition."""
    _draw_curves(table, path, "share", "fraction left")


def _draw_curves(table: pd.DataFrame, path: Path, value: str, label: str) -> None:
    drawn = table[table[value].notna()]
    if not len(drawn):
        write_words(path, "No cell was born in the movie and followed, so there are no curves of fates.")
        return
    with _panels(path, drawn, 2.3) as (page, panels):
        for axis, rows in panels:
            for event, curve in rows[rows["event"].isin(COLOURS)].groupby("event", sort=True):
                colour = COLOURS[event]
                axis.step(curve["time"], curve[value], where="post", color=colour, label=EVENT_LABELS[event])
                axis.fill_between(
                    curve["time"], curve["low"], curve["high"], step="post", color=colour, alpha=0.2, lw=0
                )
            axis.set(ylim=(0, 1), xlim=(0, rows["time"].max()))
        page.supxlabel(f"time since birth ({drawn['unit'].iloc[0]})", fontsize=9)
        page.supylabel(label, fontsize=9)
        page.legend(*panels[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=3)


def draw_fate_pairs(table: pd.DataFrame, path: Path) -> None:
    """Draw the joint ends of sisters: observed pairs, and in brackets those expected under independence."""
    if not len(table):
        write_words(path, "There is no pair of sisters, so there is no table of their ends.")
        return
    with _panels(path, table, 2.5) as (page, panels):
        for axis, rows in panels:
            _matrix(axis, rows)
        page.supxlabel("pairs of sisters (expected if sisters were independent)", fontsize=9)


def _matrix(axis: Axes, rows: pd.DataFrame) -> None:
    size = len(FATE_ENDS)
    ratio = np.full((size, size), np.nan)
    for row in rows.itertuples():
        i, j = FATE_ENDS.index(row.fate), FATE_ENDS.index(row.sister_fate)
        if row.expected > 0:
            ratio[j, i] = np.clip(np.log2((row.pairs + 0.5) / (row.expected + 0.5)), -2, 2)
            words = f"{count(row.pairs)}\n({number(row.expected, 0)})"
            axis.text(i, j, words, ha="center", va="center", fontsize=6, color="w" if ratio[j, i] < DARK else "k")
    axis.imshow(ratio, cmap="PuOr_r", vmin=-3, vmax=3)
    axis.set_xticks(range(size), FATE_ENDS, rotation=45, ha="right", fontsize=6)
    axis.set_yticks(range(size), FATE_ENDS, fontsize=6)


CONTRAST_COLOURS = dict(zip(CONTRASTS, (BLUE, ORANGE, GREEN, PINK), strict=True))
APART = 0.2


def draw_forest(compared: pd.DataFrame, path: Path) -> None:
    """Draw a forest plot: the Mantel-Haenszel odds ratio of every state and contrast with its interval."""
    if not len(compared) or compared["odds_ratio"].isna().all():
        write_words(path, "No odds ratio of a state against the sister's fate is estimable; the table says why.")
        return
    states = list(dict.fromkeys(compared["state"]))
    with figure(path, 6.2, 1.3 + 0.5 * len(states)) as page:
        axis = page.subplots()
        for offset, (contrast, rows) in zip(
            np.arange(-1.5, 2) * APART, compared.groupby("contrast", sort=False), strict=False
        ):
            if rows["odds_ratio"].notna().any():
                _estimates(axis, rows[rows["odds_ratio"].notna()], states, offset, contrast)
        axis.axvline(1, color="0.5", lw=0.8, zorder=0)
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda ratio, _: significant(ratio)))
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set_yticks(range(len(states)), states)
        axis.set_ylim(len(states) - 0.5, -0.5)
        axis.set_xlabel("odds ratio of the state within field and birth-time strata (95 % interval)")
        page.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=2, fontsize=7)


def _estimates(axis: Axes, rows: pd.DataFrame, states: list[str], offset: float, contrast: str) -> None:
    y = np.array([states.index(state) for state in rows["state"]], dtype=float) + offset
    ratio = rows["odds_ratio"].to_numpy(float)
    spread = np.vstack([ratio - rows["low"].to_numpy(float), rows["high"].to_numpy(float) - ratio])
    label = contrast.replace("_", " ")
    axis.errorbar(ratio, y, xerr=spread, fmt="o", ms=4, lw=1.2, color=CONTRAST_COLOURS[contrast], label=label)
