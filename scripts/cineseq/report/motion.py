"""A picture of how far cells step against the distance to their neighbours, before and after motion was removed."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from cineseq.report.assets import figure_address
from cineseq.report.steps import StepReport
from cineseq.tracking.report import FAR

FIELDS_DRAWN = 20
"""Fields with the largest ratio that are drawn; the others lie below them."""


def motion_picture(steps: list[StepReport]) -> str | None:
    """Draw the median step over the distance to the nearest neighbour, for the fields where it is largest.

    Returns
    -------
    str or None
        A data address of an SVG image; None where nothing was tracked.
    """
    rows = [
        (s.field, s.numbers["step_over_neighbour_distance"], s.numbers["step_left_over_neighbour_distance"])
        for s in steps
        if s.step == "track" and s.numbers.get("step_over_neighbour_distance") is not None
    ]
    if not rows:
        return None
    table = pd.DataFrame(rows, columns=["field", "before", "left"]).nlargest(FIELDS_DRAWN, "left")[::-1]
    figure = Figure(figsize=(6.5, 0.9 + 0.2 * len(table)), layout="constrained")
    axes = figure.subplots()
    axes.hlines(table["field"], table["left"], table["before"], color="#b8c0c7", linewidth=1.2)
    axes.scatter(table["before"], table["field"], s=26, facecolors="white", edgecolors="#5a646e", label="as filmed")
    axes.scatter(table["left"], table["field"], s=18, color="#1769aa", label="common motion removed", zorder=3)
    axes.axvline(FAR, color="#d32f2f", linewidth=1, linestyle="--", label="one third: links become unsure")
    axes.set(xlim=(0, None), xlabel="median step / distance to nearest neighbour")
    axes.tick_params(axis="y", labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(fontsize=7, frameon=False, ncols=3, loc="outside upper center")
    return figure_address(figure, "motion")
