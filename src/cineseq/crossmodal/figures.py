"""Figure of the cross-modal step."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from cineseq.files import replacing
from cineseq.plotting import BLUE, GREY, VERMILION
from cineseq.statistics import ALPHA

LABELLED = 8


def draw_explained(genes: pd.DataFrame, features: pd.DataFrame, summary: pd.DataFrame, path: Path) -> None:
    """Draw ranked R² of both directions with their null, genes against their noise ceiling, and the totals."""
    with mpl.rc_context({"svg.hashsalt": "cineseq"}):
        figure = Figure(figsize=(11, 7.6))
        FigureCanvasSVG(figure)
        axes = figure.subplots(2, 2)
        _ranked(axes[0, 0], genes, "gene", "genes explained by shape")
        _ranked(axes[0, 1], features, "feature", "shape features explained by expression")
        _ceiling(axes[1, 0], genes)
        _totals(axes[1, 1], summary)
        for panel in axes.flat:
            panel.spines[["top", "right"]].set_visible(False)
        figure.tight_layout()
        with replacing(path) as temporary:
            figure.savefig(temporary, metadata={"Date": None})


def _ranked(axes: Axes, rows: pd.DataFrame, key: str, title: str) -> None:
    rows = rows.sort_values("r2", ascending=False, ignore_index=True)
    passes = (rows["q_value"] <= ALPHA).fillna(value=False).to_numpy(bool)
    axes.plot(rows.index, rows["r2_null"], ".", color=GREY, ms=3, label="pairing shuffled within class (mean)")
    axes.plot(rows.index[~passes], rows["r2"][~passes], ".", color="black", ms=4, label="held-out groups")
    axes.plot(rows.index[passes], rows["r2"][passes], ".", color=BLUE, ms=5, label=f"q ≤ {ALPHA}")
    for place, row in rows.head(LABELLED).iterrows():
        name = str(row[key]).removeprefix("morphology_")
        line = {"arrowstyle": "-", "color": GREY, "lw": 0.5, "shrinkB": 2, "relpos": (0, 0.5)}
        beside = (0.16, 0.97 - 0.045 * place)
        axes.annotate(
            name, (place, row["r2"]), beside, textcoords="axes fraction", fontsize=6, va="center", arrowprops=line
        )
    axes.axhline(0, color="black", lw=0.6)
    axes.set_xlabel(f"rank of {len(rows)}")
    axes.set_ylabel("held-out R²")
    axes.set_title(title)
    axes.legend(fontsize=7, frameon=False, loc="upper right")


def _ceiling(axes: Axes, genes: pd.DataFrame) -> None:
    axes.plot(genes["noise_ceiling"], genes["r2"], ".", color=BLUE, ms=5, alpha=0.6)
    top = float(np.nanmax(np.append(genes["noise_ceiling"].to_numpy(float), 0.1)))
    axes.plot([0, top], [0, top], color="black", lw=0.7, ls="--")
    axes.set_xlabel("noise ceiling (reliability of the gene's counts)")
    axes.set_ylabel("held-out R² from shape")
    axes.set_title("explained variance against the noise ceiling (dashed: equal)")


def _totals(axes: Axes, summary: pd.DataFrame) -> None:
    rows = summary[summary["r2"].notna()].reset_index(drop=True)
    for number, row in rows.iterrows():
        axes.plot([row["low"], row["high"]], [number + 0.2] * 2, color=BLUE, lw=1.5)
        axes.plot(
            row["r2"],
            number + 0.2,
            "o",
            color=BLUE,
            label="explained, 95 % interval over groups" if not number else None,
        )
        axes.plot(
            row["r2_within_class"],
            number + 0.07,
            "s",
            color=BLUE,
            mfc="white",
            label="within class" if not number else None,
        )
        axes.plot(
            row["r2_null"],
            number - 0.07,
            "o",
            color=GREY,
            label="pairing shuffled within class" if not number else None,
        )
        axes.plot(row["r2_class"], number - 0.2, "D", color=VERMILION, label="class mean alone" if not number else None)
    axes.axvline(0, color="black", lw=0.6)
    axes.set_yticks(range(len(rows)), [str(d).replace("_to_", "\n→ ") for d in rows["direction"]])
    axes.set_ylim(-0.6, max(len(rows) - 0.2, 0.8))
    axes.set_xlabel("fraction of total variance in held-out groups (R²)")
    axes.set_title("in total")
    if len(rows):
        axes.legend(fontsize=7, frameon=False, loc="upper right")
