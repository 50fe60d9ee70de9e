"""The forest plot of odds ratios."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from cineseq.clustering.plotting import OKABE_ITO, figure, write_words
from cineseq.results import CONTRASTS

CONTRAST_COLOURS = dict(zip(CONTRASTS, (OKABE_ITO[0], OKABE_ITO[1], OKABE_ITO[2], OKABE_ITO[3]), strict=True))
APART = 0.2


def draw_forest(compared: pd.DataFrame, path: Path) -> None:
    """Draw the Mantel-Haenszel odds ratio of every state and contrast with its interval."""
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
        axis.xaxis.set_major_formatter(FuncFormatter(lambda ratio, _: f"{ratio:g}"))
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
