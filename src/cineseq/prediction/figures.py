"""Figures of the prediction step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import wrap

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from cineseq.files import replacing
from cineseq.plotting import BLUE, DARK_GREY, GREY, OKABE_ITO
from cineseq.prediction.performance import ModelComparison, Within
from cineseq.text import number, p_value, readable

MODEL_NAMES = {
    "mean": "mean",
    "technical": "technical",
    "size": "size only",
    "cycle": "cell cycle",
    "technical_cycle_size": "technical + cycle + size",
    "class": "class mean",
    "expression": "expression",
    "morphology": "morphology",
    "embedding": "image embedding",
    "features": "external features",
    "all_morphology": "all morphology",
    "cluster_labels": "clusters",
    "both": "both (expression + shape)",
    "both_late": "both, stacked",
    "both_permuted": "both, shape shuffled",
    "nonlinear": "non-linear",
}
MODALITIES = ("expression", "morphology", "embedding", "features", "both", "both_late")
MOST_PANELS = 12
LINE_IN = 0.13
"""Height in inches of a line of the note below the panels."""


def draw_model_comparison(performance: pd.DataFrame, comparisons: Sequence[ModelComparison], path: Path) -> None:
    """Draw R² of every model with its interval and permutation null, one panel per function.

    Dots are R² within fields; where that is not estimable, they are pooled. Crosses are pooled R².
    """
    by_name = {comparison.response.name: comparison for comparison in comparisons}

    def draw(axes: Axes, name: str) -> None:
        comparison, of = by_name[name], performance[performance["function"] == name]
        is_within = isinstance(comparison.within, Within)
        fits = comparison.within.fits if isinstance(comparison.within, Within) else comparison.fits
        estimands = {e: rows.set_index("model").reindex(list(MODEL_NAMES)[::-1]) for e, rows in of.groupby("estimand")}
        pooled = estimands["pooled"]
        rows = estimands["within"] if is_within else pooled
        rows = rows[rows["r2"].notna()]
        for height, (model, row) in enumerate(zip(rows.index, rows.itertuples(), strict=True)):
            test = fits[model].test
            if is_within and np.isfinite(pooled["r2"][model]):
                axes.plot(pooled["r2"][model], height + 0.22, "x", color=DARK_GREY, ms=4, gid=f"pooled-{name}-{model}")
            if len(test.null):
                low, high = np.nanquantile(test.null, [0, 0.95])
                axes.plot([low, high], [height - 0.28] * 2, color=GREY, lw=4, solid_capstyle="butt", alpha=0.6)
                axes.plot(test.quick, height - 0.28, "|", color="black", ms=7, mew=1.2, gid=f"quick-{name}-{model}")
            colour = BLUE if model in MODALITIES else GREY
            axes.plot([row.r2_low, row.r2_high], [height, height], color=colour, lw=1.5)
            axes.plot(row.r2, height, "o", color=colour, ms=6)
            stars = f"  {p_value(row.q_value, 'q')}" if np.isfinite(row.q_value) else ""
            if np.isfinite(row.r2_above_null):
                stars = f"  {number(row.r2_above_null, signed=True)}{stars}"
            axes.text(1.01, height, stars, transform=axes.get_yaxis_transform(), va="center", fontsize=7)
        axes.axvline(0, color="black", lw=0.7)
        axes.set_yticks(range(len(rows)), [MODEL_NAMES[model] for model in rows.index])
        axes.set_xlabel("held-out R² within fields" if is_within else "held-out R², pooled over fields")
        axes.set_title(readable(name))

    note = (
        "Dot and line: R² within fields and 95 % jackknife interval over groups; cross: R² pooled over fields. Grey "
        "bar: permutation null within fields (to its 95 % quantile) of the quick procedure; black tick: R² of that "
        "procedure, which the p-value compares with the null. On the right: R² minus the mean of the null, and q."
    )
    draw_panels([comparison.response.name for comparison in comparisons], draw, path, size=(5.4, 3.6), note=note)


def draw_scatter(comparisons: Sequence[ModelComparison], path: Path) -> None:
    """Draw predicted against measured values of held-out cells by outer fold, for the best model of each function."""
    by_name = {comparison.response.columns[0]: comparison for comparison in comparisons}

    def draw(axes: Axes, name: str) -> None:
        comparison = by_name[name]
        within = comparison.within
        is_within = isinstance(within, Within)
        estimated = within.estimated() if isinstance(within, Within) else comparison.estimated()
        values = (within.cells if isinstance(within, Within) else comparison.cells).values[:, 0]
        baseline = 0 if is_within else comparison.baseline()[:, 0]
        total = np.square(values - baseline).sum()
        score = {m: 1 - np.square(values - estimated[m][:, 0]).sum() / total for m in MODALITIES if m in estimated}
        best = max(score, key=score.__getitem__) if score else "mean"
        measured, predicted = values, estimated[best][:, 0]
        fold = comparison.cells.plan.fold
        for place, colour in enumerate(OKABE_ITO[: comparison.cells.plan.folds]):
            own = fold == place
            axes.plot(measured[own], predicted[own], ".", color=colour, ms=4, alpha=0.7, label=f"fold {place + 1}")
        rest = fold >= len(OKABE_ITO)
        if rest.any():
            axes.plot(measured[rest], predicted[rest], ".", color=GREY, ms=4, alpha=0.5, label="others")
        ends = [measured.min(), measured.max()]
        axes.plot(ends, ends, color="black", lw=0.7, ls="--")
        axes.set_xlabel(f"{readable(name)}, measured{', minus the mean of its field' if is_within else ''}")
        axes.set_ylabel("predicted, cell held out")
        where = " within fields" if is_within else ""
        axes.set_title(f"{readable(name)}\n{MODEL_NAMES[best]}, R²{where} = {number(score.get(best, 0))}")
        axes.legend(fontsize=6, frameon=False, markerscale=1.5)

    draw_panels(
        list(by_name),
        draw,
        path,
        size=(4.2, 3.8),
        note="Every cell was predicted by a model that was trained without its group.",
    )


def draw_panels(
    names: list[str], draw: Callable[[Axes, str], None], path: Path, *, size: tuple[float, float], note: str
) -> None:
    """Draw one panel per name in rows of three, and write the figure."""
    shown = names[:MOST_PANELS]
    columns = max(1, min(3, len(shown)))
    rows = max(1, -(-len(shown) // columns))
    if not shown:
        note = "Nothing could be estimated."
    elif len(names) > len(shown):
        note += f" The first {len(shown)} of {len(names)} are shown."
    lines = wrap(note, int(16 * size[0] * columns))
    foot = LINE_IN * (len(lines) + 1)
    height = size[1] * rows + foot
    figure = Figure(figsize=(size[0] * columns, height))
    FigureCanvasSVG(figure)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_visible(False)
    for axes, name in zip(grid.flat, shown, strict=False):
        axes.set_visible(True)
        axes.spines[["top", "right"]].set_visible(False)
        draw(axes, name)
    figure.text(0.01, 0.01, "\n".join(lines), fontsize=7, color=DARK_GREY)
    figure.tight_layout(rect=(0, foot / height, 1, 1))
    with replacing(path) as temporary, mpl.rc_context({"svg.hashsalt": "cineseq"}):
        figure.savefig(temporary, metadata={"Date": None})
