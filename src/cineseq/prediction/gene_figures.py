"""Figures of selected genes: stability, expression by cluster, and overlap with cluster markers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Circle, Patch
from scipy.optimize import brentq

from cineseq.expression.figures import LARGEST_DOT, draw_dots
from cineseq.expression.normalise import Expression
from cineseq.plotting import BLUE, GREY, VERMILION, apart, figure, write_words
from cineseq.prediction.figures import draw_panels
from cineseq.text import count, number, p_value, percent, readable, significant

LABELLED_GENES = 10
MOST_GENES = 40
LABEL_GAP = 0.04
"""Distance between the labels of genes, as a fraction of half-samples."""


def draw_selection(genes: pd.DataFrame, threshold: float, path: Path) -> None:
    """Draw the selection frequency of each gene against its partial correlation; cluster markers are coloured."""

    def draw(axes: Axes, name: str) -> None:
        rows = genes[genes["function"] == name]
        marker = rows["is_marker"].fillna(value=False).to_numpy(bool)
        for own, colour, label in ((~marker, BLUE, "not a cluster marker"), (marker, VERMILION, "cluster marker")):
            part = rows[own]
            if len(part):
                axes.plot(
                    part["univariate_rho"], part["frequency"], "o", color=colour, ms=4, alpha=0.6, mew=0, label=label
                )
        top = rows[rows["frequency"] >= threshold / 2]
        top = top.sort_values(["frequency", "univariate_rho"], ascending=False).head(LABELLED_GENES)
        for row, height in zip(top.itertuples(), apart(top["frequency"].to_numpy(), LABEL_GAP), strict=True):
            line = {"arrowstyle": "-", "color": GREY, "lw": 0.5, "shrinkB": 2, "relpos": (0, 0.5)}
            axes.annotate(
                row.gene,
                (row.univariate_rho, row.frequency),
                (1.03, height),
                textcoords=axes.get_yaxis_transform(),
                fontsize=6,
                va="center",
                arrowprops=line,
            )
        axes.axhline(threshold, color="black", lw=0.7, ls="--")
        axes.set_ylim(-0.03, 1.05)
        axes.set_xlabel("partial Spearman correlation with function")
        axes.set_ylabel("fraction of half-samples that select the gene")
        axes.set_title(readable(name))
        axes.legend(fontsize=6, frameon=False)

    note = (
        f"Genes above the dashed line ({significant(threshold)}) count as selected predictors: an association, not a "
        "mechanism."
    )
    draw_panels(list(dict.fromkeys(genes["function"])), draw, path, size=(4.6, 3.8), note=note)


def draw_selected_by_cluster(
    genes: pd.DataFrame, expression: Expression | None, clusters: pd.Series | None, threshold: float, path: Path
) -> None:
    """Draw expression of selected genes by cluster, the functions they predict, and variance between clusters.

    A gene with equal expression in all clusters can be associated with function without being a cluster marker.

    Parameters
    ----------
    genes
        The table of genes.
    expression, clusters
        Expression and cluster of the same cells, in the same order; None where there is none.
    threshold
        Frequency from which a gene counts as selected.
    path
        SVG to write.
    """
    chosen = selected_genes(genes, threshold)
    if not chosen:
        write_words(path, f"No gene was selected in at least {percent(threshold, 0)} of the half-samples.")
        return
    if expression is None or clusters is None or not clusters.notna().any():
        write_words(path, "There are no clusters in which the selected genes could be drawn.")
        return
    functions = list(dict.fromkeys(genes.loc[genes["gene"].isin(chosen), "function"]))
    rows = clusters.nunique()
    heights = (1.0, 0.3 * rows + 0.9, 0.3 * len(functions) + 0.9)
    with figure(path, 4.0 + 0.24 * len(chosen), sum(heights) + 0.8) as page:
        variance, dots, predicted = page.subplots(3, 1, sharex=True, height_ratios=heights)
        _between_clusters(variance, genes, chosen)
        draw_dots(dots, expression, clusters, chosen)
        _by_function(predicted, genes, functions, chosen)
        dots.tick_params(labelbottom=False)


def selected_genes(genes: pd.DataFrame, threshold: float) -> list[str]:
    """Return at most 40 selected genes, ordered by the function that selects each most often."""
    selected = genes[genes["frequency"] >= threshold].sort_values(
        ["frequency", "gene"], ascending=[False, True], kind="stable"
    )
    best = selected.drop_duplicates("gene").head(MOST_GENES)
    order = {name: number for number, name in enumerate(dict.fromkeys(genes["function"]))}
    return list(best.sort_values("function", key=lambda names: names.map(order), kind="stable")["gene"])


def draw_overlap(overlap: pd.DataFrame, path: Path) -> None:
    """Draw the selected genes and the cluster markers of each function as two circles, areas in proportion."""
    rows = overlap.set_index("function")

    def draw(axes: Axes, name: str) -> None:
        row = rows.loc[name]
        axes.set_title(readable(name), pad=18)
        axes.set_axis_off()
        if pd.isna(row["expected_matched"]):
            axes.text(0.5, 0.5, row["note"], transform=axes.transAxes, ha="center", va="center", wrap=True, fontsize=8)
            return
        _circles(axes, int(row["selected"]), int(row["markers"]), int(row["shared"]))
        label = (
            f"{count(row['shared'])} shared\n{number(row['expected_matched'], 1)} expected of equally expressed genes\n"
            f"{p_value(row['p_matched'])} for as many or more, {p_value(row['p_fewer_matched'])} for as few or fewer"
        )
        axes.text(0.5, -0.02, label, transform=axes.transAxes, ha="center", va="top", fontsize=7)

    note = "Areas are in proportion to the numbers of genes. Genes of both lists are those tested in both analyses."
    draw_panels(list(rows.index), draw, path, size=(4.2, 3.2), note=note)


def centre_distance(first: float, second: float, shared: float) -> float:
    """Return the distance of the centres of two circles whose overlap has a given area.

    Parameters
    ----------
    first, second
        Areas of the circles, above 0.
    shared
        Area of the overlap, at most that of the smaller circle.
    """
    radii = np.sqrt(np.array([first, second]) / np.pi)
    inside, outside = abs(radii[0] - radii[1]), radii.sum()
    if shared <= 0:
        return float(outside)
    if shared >= min(first, second):
        return float(inside)
    return float(brentq(lambda distance: lens_area(radii[0], radii[1], distance) - shared, inside, outside))


def lens_area(first: float, second: float, distance: float) -> float:
    """Return the area of overlap of two circles from their radii and the distance of their centres."""
    if distance >= first + second:
        return 0.0
    if distance <= abs(first - second):
        return float(np.pi * min(first, second) ** 2)
    area = 0.0
    for own, other in ((first, second), (second, first)):
        along = (distance**2 + own**2 - other**2) / (2 * distance)
        area += own**2 * np.arccos(np.clip(along / own, -1, 1)) - along * np.sqrt(max(own**2 - along**2, 0.0))
    return float(area)


def _circles(axes: Axes, selected: int, markers: int, shared: int) -> None:
    radii = np.sqrt(np.array([selected, markers]) / np.pi)
    apart = centre_distance(selected, markers, shared)
    axes.add_patch(Circle((apart, 0), radii[1], color=VERMILION, alpha=0.4, lw=0))
    axes.add_patch(Circle((0, 0), radii[0], color=BLUE, alpha=0.6, lw=0))
    reach = radii.max()
    left, right = min(-radii[0], apart - radii[1]), max(radii[0], apart + radii[1])
    axes.set(xlim=(left - 0.1 * reach, right + 0.1 * reach), ylim=(-1.1 * reach, 1.1 * reach), aspect="equal")
    placed: dict[str, Any] = {"transform": axes.transAxes, "fontsize": 8, "va": "bottom"}
    axes.text(0.48, 1.02, count(selected, "predictor"), color=BLUE, ha="right", **placed)
    axes.text(0.52, 1.02, count(markers, "cluster marker"), color=VERMILION, ha="left", **placed)


def _between_clusters(axes: Axes, genes: pd.DataFrame, chosen: Sequence[str]) -> None:
    once = genes.drop_duplicates("gene").set_index("gene").loc[list(chosen)]
    marker = once["is_marker"].fillna(value=False).to_numpy(bool)
    axes.bar(
        range(len(chosen)), once["cluster_eta2"].to_numpy(float), color=np.where(marker, VERMILION, BLUE), width=0.7
    )
    axes.set(ylabel="variance\nbetween\nclusters", ylim=(0, 1))
    labels = {VERMILION: "cluster marker", BLUE: "not a cluster marker"}
    shown = [Patch(color=colour, label=label) for colour, label in labels.items()]
    axes.legend(handles=shown, fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _by_function(axes: Axes, genes: pd.DataFrame, functions: Sequence[str], chosen: Sequence[str]) -> None:
    places = pd.MultiIndex.from_product([functions, chosen], names=["function", "gene"])
    drawn = genes.set_index(["function", "gene"]).reindex(places)
    sign, area = drawn["sign"].to_numpy(float), LARGEST_DOT * drawn["frequency"].fillna(0).to_numpy(float)
    column, row = np.meshgrid(np.arange(len(chosen)), np.arange(len(functions)))
    axes.scatter(column.ravel(), row.ravel(), s=area, c=np.where(sign < 0, VERMILION, BLUE), lw=0)
    axes.set_xticks(range(len(chosen)), chosen, rotation=90, style="italic")
    axes.set_yticks(range(len(functions)), [readable(name) for name in functions])
    axes.set(ylabel="predicts", ylim=(len(functions) - 0.4, -0.6))
    for colour, label in ((BLUE, "higher with function"), (VERMILION, "lower with function")):
        axes.scatter([], [], s=LARGEST_DOT, c=colour, lw=0, label=label)
    for part in (0.25, 0.5, 1.0):
        axes.scatter([], [], s=LARGEST_DOT * part, c=GREY, lw=0, label=f"in {percent(part, 0)} of half-samples")
    axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0))
