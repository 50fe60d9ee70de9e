"""A picture of the drift that was taken back, field by field."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from cineseq.report.assets import figure_address
from cineseq.report.steps import StepReport

FIELDS_DRAWN = 12
"""Fields with the largest drift that are drawn; the others lie within them."""


def drift_picture(steps: list[StepReport]) -> str | None:
    """Draw the drift of the fields that drifted most, in px from their first frame.

    Returns
    -------
    str or None
        A data address of an SVG image; None where no drift was measured.
    """
    paths = {
        s.field: np.hypot(s.series["drift_y_px"], s.series["drift_x_px"]) for s in steps if s.series.get("drift_y_px")
    }
    if not paths:
        return None
    most = sorted(paths, key=lambda field: (-paths[field].max(), field))[:FIELDS_DRAWN]
    figure = Figure(figsize=(6.5, 2.4), layout="constrained")
    axes = figure.subplots()
    for field in most:
        axes.plot(paths[field], linewidth=1.2, label=field)
    axes.set(xlabel="frame", ylabel="drift (px)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=6, frameon=False, ncols=2, loc="upper left", bbox_to_anchor=(1, 1))
    return figure_address(figure, "drift")
