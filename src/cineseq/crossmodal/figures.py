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
from cineseq.plotting import BLUE, DARK_GREY, GREY, VERMILION
from cineseq.statistics import ALPHA
from cineseq.text import percent

LABELLED = 8


def draw_explained(genes: pd.DataFrame, features: pd.DataFrame, summary: pd.DataFrame, path: Path) -> None:
    """Draw ranked R² within fields of both directions with their null, genes against their ceiling, and the totals."""
    with mpl.rc_context({"svg.hashsalt": "cineseq"}):
        figure = Figure(figsize=(11, 8.2))
        FigureCanvasSVG(figure)
        axes = figure.subplots(2, 2)
        _ranked(axes[0, 0], genes, "gene", "genes explained by shape")
        _ranked(axes[0, 1], features, "feature", "features of images explained by expression")
        _ceiling(axes[1, 0], genes)
        _totals(axes[1, 1], summary)
        for panel in axes.flat:
            panel.spines[["top", "right"]].set_visible(False)
        figure.tight_layout()
        with replacing(path) as temporary:
            figure.savefig(temporary, metadata={"Date": None})


def _ranked(axes: Axes, rows: pd.DataFrame, key: str, title: str) -> None:
    rows = rows.sort_values("r2_within", ascending=False, ignore_index=True)
    passes = (rows["q_within"] <= ALPHA).fillna(value=False).to_numpy(bool)
    axes.plot(rows.index, rows["r2_within_null"], ".", color=GREY, ms=3, label="pairing shuffled (mean)")
    axes.plot(rows.index[~passes], rows["r2_within"][~passes], ".", color="black", ms=4, label="held-out groups")
    axes.plot(rows.index[passes], rows["r2_within"][passes], ".", color=BLUE, ms=5, label=f"q ≤ {ALPHA}")
    for place, row in rows.dropna(subset=["r2_within"]).head(LABELLED).iterrows():
        name = str(row[key]).removeprefix("morphology_")
        line = {"arrowstyle": "-", "color": GREY, "lw": 0.5, "shrinkB": 2, "relpos": (0, 0.5)}
        beside = (0.16, 0.97 - 0.045 * place)
        axes.annotate(
            name,
            (place, row["r2_within"]),
            beside,
            textcoords="axes fraction",
            fontsize=6,
            va="center",
            arrowprops=line,
        )
    axes.axhline(0, color="black", lw=0.6)
    axes.set_xlabel(f"rank of {len(rows)}")
    axes.set_ylabel("held-out R² within fields")
    axes.set_title(title)
    axes.legend(fontsize=7, frameon=False, loc="upper right")


def _ceiling(axes: Axes, genes: pd.DataFrame) -> None:
    axes.plot(genes["noise_ceiling"], genes["r2_within"], ".", color=BLUE, ms=5, alpha=0.6)
    top = float(np.nanmax(np.append(genes["noise_ceiling"].to_numpy(float), 0.1)))
    axes.plot([0, top], [0, top], color="black", lw=0.7, ls="--")
    axes.set_xlabel("noise ceiling (reliability of the gene's counts)")
    axes.set_ylabel("held-out R² from shape, within fields")
    axes.set_title("explained variance against the noise ceiling (dashed: equal)")


def _totals(axes: Axes, summary: pd.DataFrame) -> None:
    """Draw for each direction R² within fields and pooled, each beside the mean of its null, and the share."""
    rows = summary[summary["r2"].notna() & summary["estimand"].isin(["within", "pooled"])]
    directions = list(dict.fromkeys(rows["direction"]))
    marks = (
        ("within", "r2", 0.25, "o", BLUE, BLUE, "within fields, 95 % interval over groups"),
        ("within", "r2_null", 0.25, "|", GREY, GREY, "the same with pairing shuffled"),
        ("within", "share", 0.1, "s", BLUE, "white", "share of a linear model (a lower bound), 95 % interval"),
        ("pooled", "r2", -0.1, "o", DARK_GREY, "white", "pooled over fields"),
        ("pooled", "r2_null", -0.1, "|", GREY, GREY, None),
        ("pooled", "r2_class", -0.25, "D", VERMILION, VERMILION, "class mean alone"),
    )
    ends = {"r2": ("low", "high"), "share": ("share_low", "share_high")}
    for estimand, column, above, mark, colour, fill, label in marks:
        own = rows[rows["estimand"] == estimand].set_index("direction").reindex(directions)
        heights = np.arange(len(own)) + above
        axes.plot(own[column], heights, mark, color=colour, mfc=fill, ms=8 if mark == "|" else 5, label=label)
        if column in ends:
            low, high = ends[column]
            axes.hlines(heights, own[low], own[high], color=colour, lw=1.2)
    for height, direction in enumerate(directions):
        own = rows[(rows["direction"] == direction) & (rows["estimand"] == "within")]
        if len(own) and own["r2_above_null"].notna().all():
            text = f"{percent(own['r2_above_null'].iloc[0], signed=True)} above null"
            axes.text(1.0, height + 0.33, text, transform=axes.get_yaxis_transform(), ha="right", fontsize=7)
    axes.axvline(0, color="black", lw=0.6)
    axes.set_yticks(range(len(directions)), [d.replace("_to_", "\n→ ") for d in directions])
    axes.set_ylim(-0.6, max(len(directions) - 0.3, 0.8))
    axes.set_xlabel("fraction of variance in held-out groups")
    axes.set_title("in total")
    if directions:
        axes.legend(fontsize=6, frameon=False, loc="lower right")
