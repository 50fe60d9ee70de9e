"""Figures of what tracking measured in each field: how far it moved, the steps of its cells, and rates of events."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cineseq.plotting import BLUE, DARK_GREY, GREY, TWENTY, VERMILION
from cineseq.report.assets import figure_address
from cineseq.report.steps import StepReport
from cineseq.text import known
from cineseq.tracking.report import FAR

FIELDS_DRAWN = 12
"""Number of fields drawn: those that moved most."""

CORRECTED, MEASURED = "-", "--"
"""Line styles of a drift that was corrected, and of a common motion of cells that was only measured."""


def drift_picture(steps: list[StepReport]) -> str | None:
    """Draw the distance from the first frame, in px, of the fields that moved most.

    It is the drift that was corrected, or else the common motion of the tracked cells, which includes the motion of
    the stage.

    Returns
    -------
    str or None
        A data URL of an SVG image; None where nothing was measured.
    """
    paths = _paths(steps, "drift")
    lines = dict.fromkeys(paths, CORRECTED)
    paths = _paths(steps, "common") | paths
    if not paths:
        return None
    most = sorted(paths, key=lambda field: (-paths[field].max(), field))[:FIELDS_DRAWN]
    figure = Figure(figsize=(6.5, 2.4), layout="constrained")
    axes = figure.subplots()
    axes.set_prop_cycle(color=TWENTY)  # as many colours as fields
    for field in most:
        axes.plot(paths[field], lines.get(field, MEASURED), linewidth=1.2, label=field)
    axes.set(xlabel="frame", ylabel="from frame 0 (px)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=6, frameon=False, ncols=2, loc="upper left", bbox_to_anchor=(1, 1))
    return figure_address(figure, "drift")


def _paths(steps: list[StepReport], kind: str) -> dict[str, np.ndarray]:
    """Return the distance from the first frame in px by field, from the two series of each report."""
    y, x = (f"{kind}_{axis}_px" for axis in "yx")
    return {s.field: np.hypot(s.series[y], s.series[x]) for s in steps if s.series.get(y)}


RATIOS_DRAWN = 20
"""Number of fields drawn: those with the largest ratio."""


def motion_picture(steps: list[StepReport]) -> str | None:
    """Draw the median step relative to the distance of the nearest neighbour, for the fields where it is largest.

    Returns
    -------
    str or None
        A data URL of an SVG image; None where nothing was tracked.
    """
    rows = [
        (s.field, s.numbers["step_over_neighbour_distance"], s.numbers["step_left_over_neighbour_distance"])
        for s in steps
        if s.step in ("track", "track_points") and s.numbers.get("step_over_neighbour_distance") is not None
    ]
    if not rows:
        return None
    table = pd.DataFrame(rows, columns=["field", "before", "left"]).nlargest(RATIOS_DRAWN, "left")[::-1]
    figure = Figure(figsize=(6.5, 0.9 + 0.2 * len(table)), layout="constrained")
    axes = figure.subplots()
    axes.hlines(table["field"], table["left"], table["before"], color=GREY, linewidth=1.2)
    axes.scatter(table["before"], table["field"], s=26, facecolors="white", edgecolors=DARK_GREY, label="as recorded")
    axes.scatter(table["left"], table["field"], s=18, color=BLUE, label="common motion removed", zorder=3)
    axes.axvline(FAR, color=VERMILION, linewidth=1, linestyle="--", label="one third: links become uncertain")
    axes.set(xlim=(0, None), xlabel="median step / distance to nearest neighbour")
    axes.tick_params(axis="y", labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(fontsize=7, frameon=False, ncols=3, loc="outside upper center")
    return figure_address(figure, "motion")


RATES = {
    "division_rate": "divisions",
    "end_rate": "ends inside\nthe field",
    "appearance_rate": "appearances\ninside the field",
    "missed_rate": "missed\ndetections",
}
"""Rates that a movie teaches: their numbers in the report of tracking, and their names."""
RATES_DRAWN = 20
"""Number of fields drawn: those with the highest rate of ends."""


def rates_picture(steps: list[StepReport]) -> str | None:
    """Draw what each movie taught: the scale of the steps of its cells, and rates of events with intervals of 95 %.

    Rates are per cell and hour where the frame interval of all fields drawn is known, otherwise per cell and frame;
    detections are missed per cell and frame. A rate that was set has an open circle and no interval.

    Returns
    -------
    str or None
        A data URL of an SVG image; None where no movie taught anything.
    """
    tracked = [s for s in steps if s.step in ("track", "track_points") and known(s.numbers.get("end_rate"))]
    rows = [{"field": s.field} | s.numbers for s in tracked]
    if not rows:
        return None
    ends = [f"{name}{end}" for name in RATES for end in ("", "_low", "_high")]
    table = (
        pd.DataFrame(rows).set_index("field").reindex(columns=["step_noise_px", "usual_step_px", "frame_hours", *ends])
    )
    table = table.astype(float).sort_values("end_rate", ascending=False, kind="stable").head(RATES_DRAWN)[::-1]
    hours = table["frame_hours"] if table["frame_hours"].notna().all() else None
    figure = Figure(figsize=(6.5, 1.0 + 0.2 * len(table)), layout="constrained")
    first, *others = figure.subplots(1, 1 + len(RATES), sharey=True)
    rows_at = np.arange(len(table))
    first.set_yticks(rows_at, table.index)
    first.scatter(table["step_noise_px"], rows_at, s=18, color=BLUE, label="scale")
    first.scatter(table["usual_step_px"], rows_at, s=26, facecolors="white", edgecolors=DARK_GREY, label="99 %")
    first.set_xlabel("steps (px)\n", fontsize=7)
    first.legend(fontsize=6, frameon=False, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1), handletextpad=0.1)
    for axes, (name, words) in zip(others, RATES.items(), strict=True):
        per_frame = hours is None or name == "missed_rate"
        rate, low, high = (table[f"{name}{end}"] / (1.0 if per_frame else hours) for end in ("", "_low", "_high"))
        learnt = low.notna()
        axes.hlines(rows_at, low, high, color=GREY, linewidth=1.2)
        axes.scatter(rate[learnt], rows_at[learnt], s=18, color=BLUE, zorder=3)
        axes.scatter(rate[~learnt], rows_at[~learnt], s=26, facecolors="white", edgecolors=DARK_GREY)
        axes.set_title(words, fontsize=7)
        axes.set_xlabel(f"per cell\nand {'frame' if per_frame else 'hour'}", fontsize=7)
    for axes in (first, *others):
        axes.margins(x=0.12)
        axes.set(xlim=(0, None), ylim=(-0.6, len(table) - 0.4))
        axes.tick_params(labelsize=6)
        axes.locator_params(axis="x", nbins=3)
        axes.spines[["top", "right"]].set_visible(False)
    return figure_address(figure, "rates")
