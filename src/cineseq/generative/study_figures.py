"""Figures of the generative step: generated cells beside real ones, shares of variance, and the curve over time."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from cineseq.files import replacing
from cineseq.generative.share_tables import TOTAL
from cineseq.plotting import BLUE, DARK_GREY, GREY, VERMILION
from cineseq.text import percent

PARTS = ("linear", "best", "size", "cycle", "technical", "unique", "common")
"""Parts of the variance that are drawn, in this order, where they were estimated."""


def draw_generated(latents: pd.DataFrame, samplers: pd.DataFrame, confusion: pd.DataFrame, path: Path) -> None:
    """Draw generated on real latent variables, coverage of intervals, and classes of generated cells.

    Parameters
    ----------
    latents, samplers, confusion
        Tables of :class:`cineseq.generative.study.Generated`; empty ones leave their panels empty.
    path
        SVG file.
    """
    directions = list(dict.fromkeys(samplers.get("direction", [])))
    figure, axes = _panels(2, 3)
    for row, direction in zip(axes, directions, strict=False):
        own = latents[latents["direction"] == direction]
        _on_one_map(row[0], own, direction)
        _coverage(row[1], samplers[samplers["direction"] == direction])
        _confusion(row[2], confusion[confusion["direction"] == direction])
    for row in axes[len(directions) :]:
        for panel in row:
            _nothing(panel)
    _save(figure, path)


def draw_shares(summary: pd.DataFrame, targets: pd.DataFrame, path: Path) -> None:
    """Draw the parts of the variance of each direction, and its genes or features ranked by their share.

    Parameters
    ----------
    summary, targets
        Tables of :class:`cineseq.generative.shares.Shares`; empty ones leave the panels empty.
    path
        SVG file.
    """
    directions = list(dict.fromkeys(summary["direction"])) if len(summary) else []
    figure, axes = _panels(max(1, len(directions)), 2)
    for row, direction in zip(axes, directions, strict=False):
        total = summary[(summary["direction"] == direction) & (summary["target"] == TOTAL)]
        _parts(row[0], total[total["estimand"] == "within"], direction)
        _ranked(row[1], targets[targets["direction"] == direction])
    if not directions:
        for panel in axes.flat:
            _nothing(panel)
    _save(figure, path)


def draw_time(curve: pd.DataFrame, visible: pd.DataFrame, path: Path) -> None:
    """Draw the share of each direction by hours before sequencing, and how many genes are visible how early.

    Parameters
    ----------
    curve, visible
        Tables of :class:`cineseq.generative.timecurve.TimeCurve`; empty ones leave the panels empty.
    path
        SVG file.
    """
    figure, ((left, right),) = _panels(1, 2)
    if curve.empty or not curve.get("share", pd.Series(dtype=float)).notna().any():
        _nothing(left)
    else:
        _curve(left, curve)
    if visible.empty or not visible["visible"].any():
        _nothing(right, "no gene is visible")
    else:
        hours = visible.loc[visible["visible"].astype(bool), "earliest_hours"]
        number = hours.value_counts().sort_index()
        right.bar(range(len(number)), number.to_numpy(), color=BLUE)
        right.set_xticks(range(len(number)), [f"{h:.1f}" for h in number.index])
        right.set_xlabel("earliest window (hours before sequencing)")
        right.set_ylabel(f"genes visible in shape, of {len(visible)}")
    _save(figure, path)


def _panels(rows: int, columns: int) -> tuple[Figure, np.ndarray]:
    figure = Figure(figsize=(3.9 * columns, 3.3 * rows))
    FigureCanvasSVG(figure)
    axes = figure.subplots(rows, columns, squeeze=False)
    for panel in axes.flat:
        panel.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _save(figure: Figure, path: Path) -> None:
    figure.tight_layout()
    with mpl.rc_context({"svg.hashsalt": "cineseq"}), replacing(path) as temporary:
        figure.savefig(temporary, metadata={"Date": None})


def _nothing(panel: Axes, why: str = "not estimable") -> None:
    panel.set_axis_off()
    panel.text(0.5, 0.5, why, ha="center", va="center", color=DARK_GREY)


def _on_one_map(panel: Axes, latents: pd.DataFrame, direction: str) -> None:
    """Draw the two latent variables of largest variance, of real and of generated cells."""
    columns = [name for name in latents.columns if name.startswith("latent_")]
    real = latents[latents["source"] == "real"]
    first = real[columns].var().dropna().nlargest(2).index.tolist()
    if len(first) < 2:
        return _nothing(panel)
    for source, colour in (("real", GREY), ("generated", VERMILION)):
        own = latents[latents["source"] == source]
        panel.plot(own[first[0]], own[first[1]], ".", color=colour, ms=3, label=source, alpha=0.7)
    panel.set_title(direction.replace("_", " "), fontsize=9)
    panel.set_xlabel(first[0].replace("_", " "))
    panel.set_ylabel(first[1].replace("_", " "))
    panel.legend(frameon=False, fontsize=7)
    return None


def _coverage(panel: Axes, samplers: pd.DataFrame) -> None:
    """Draw the coverage of both intervals of each sampler beside what it should be."""
    if samplers.empty:
        return _nothing(panel)
    place = np.arange(len(samplers))
    for name, nominal, colour in (("coverage_80", 0.8, BLUE), ("coverage_95", 0.95, DARK_GREY)):
        panel.plot(samplers[name], place, "o", color=colour, label=f"{percent(nominal, 0)} interval")
        panel.axvline(nominal, color=colour, lw=0.7, ls="--")
    names = [
        f"{name} (chosen)" if chosen else str(name)
        for name, chosen in zip(samplers["sampler"], samplers["chosen"], strict=True)
    ]
    panel.set_yticks(place, [name.replace("_", " ") for name in names], fontsize=7)
    panel.set_xlabel("fraction of held-out values inside")
    panel.legend(frameon=False, fontsize=7)
    return None


def _confusion(panel: Axes, confusion: pd.DataFrame) -> None:
    """Draw what class a classifier names of generated cells, as fractions of each true class."""
    own = confusion[confusion["source"] == "generated"]
    if own.empty:
        return _nothing(panel)
    table = own.pivot_table(index="true", columns="predicted", values="cells", aggfunc="sum", fill_value=0)
    fraction = table.div(table.sum(axis=1), axis=0)
    panel.imshow(fraction, vmin=0, vmax=1, cmap="Blues", aspect="auto")
    for (row, column), value in np.ndenumerate(fraction.to_numpy()):
        colour = "white" if value > 0.6 else "black"
        panel.text(column, row, percent(value, 0), ha="center", va="center", fontsize=7, color=colour)
    panel.set_xticks(range(fraction.shape[1]), fraction.columns, fontsize=7, rotation=30)
    panel.set_yticks(range(fraction.shape[0]), fraction.index, fontsize=7)
    panel.set_xlabel("class named for generated cells")
    panel.set_ylabel("true class")
    return None


def _parts(panel: Axes, rows: pd.DataFrame, direction: str) -> None:
    rows = rows.set_index("part").reindex([part for part in PARTS if part in set(rows["part"])])
    place = np.arange(len(rows))[::-1]
    panel.barh(place, rows["share"], color=BLUE, height=0.6)
    ends = np.abs(rows[["low", "high"]].to_numpy(float).T - rows["share"].to_numpy(float))
    panel.errorbar(rows["share"], place, xerr=np.nan_to_num(ends), fmt="none", ecolor="black", elinewidth=0.8)
    if "linear" in rows.index and pd.notna(rows.loc["linear", "null_high"]):
        panel.axvline(rows.loc["linear", "null_high"], color=GREY, ls="--", lw=0.8)
    panel.axvline(0, color="black", lw=0.6)
    panel.set_yticks(place, rows.index)
    panel.set_xlabel("share of the variance within fields")
    panel.set_title(direction.replace("_", " "), fontsize=9)


def _ranked(panel: Axes, rows: pd.DataFrame) -> None:
    rows = rows.sort_values("linear", ascending=False, ignore_index=True)
    panel.plot(rows.index, rows["ceiling"], "-", color=GREY, lw=0.7, label="noise ceiling")
    panel.plot(rows.index, rows["null_high"], ".", color=GREY, ms=2, label="pairing shuffled (95 %)")
    found = (rows["found"] == "found").to_numpy(bool)
    panel.plot(rows.index[~found], rows["linear"][~found], ".", color="black", ms=3, label="none found")
    panel.plot(rows.index[found], rows["linear"][found], ".", color=BLUE, ms=5, label="found")
    panel.axhline(0, color="black", lw=0.6)
    panel.set_xlabel(f"rank of {len(rows)}")
    panel.set_ylabel("share within fields, linear")
    panel.legend(frameon=False, fontsize=7)


def _curve(panel: Axes, curve: pd.DataFrame) -> None:
    for (direction, rows), colour in zip(curve.groupby("direction", sort=False), (BLUE, VERMILION), strict=False):
        own = rows.sort_values("hours_before")
        panel.plot(own["hours_before"], own["share"], "o-", color=colour, ms=4, label=str(direction).replace("_", " "))
        panel.fill_between(own["hours_before"], own["low"], own["high"], color=colour, alpha=0.2, lw=0)
        if own["null_high"].notna().any():
            panel.plot(own["hours_before"], own["null_high"], "--", color=GREY, lw=0.8, label="pairing shuffled (95 %)")
    panel.axhline(0, color="black", lw=0.6)
    panel.invert_xaxis()
    panel.set_xlabel("hours before sequencing")
    panel.set_ylabel("share of the variance within fields")
    panel.legend(frameon=False, fontsize=7)
