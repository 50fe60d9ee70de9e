"""Figures of how far fields moved, and of the steps of cells relative to the distance of their neighbours."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cineseq.plotting import BLUE, DARK_GREY, GREY, TWENTY, VERMILION
from cineseq.report.assets import figure_address
from cineseq.report.steps import StepReport
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
