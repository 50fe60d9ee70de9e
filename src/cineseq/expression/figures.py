"""Figures of quality control and of clusters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cineseq.expression.normalise import Expression
from cineseq.plotting import BLUE, GREY, VERMILION, colours, figure, write_words
from cineseq.text import percent, readable

MOST_FUNCTIONS = 4
RASTER_FROM = 5_000
"""If there are more points, they are drawn as an image inside the SVG."""


def draw_umap(clusters: pd.DataFrame, samples: pd.Series, function: pd.DataFrame, path: Path) -> None:
    """Draw the UMAP of the clustered cells by cluster, by sample and by each function (the first four).

    Parameters
    ----------
    clusters
        Columns ``cluster``, ``umap_1`` and ``umap_2``, one row per cell.
    samples
        Sample of each cell, in the same order.
    function
        One column per function, in the same order.
    path
        SVG to write.
    """
    drawn = clusters["umap_1"].notna().to_numpy()
    if not drawn.any():
        write_words(path, "There are no clusters to draw; the report says why.")
        return
    xy = clusters.loc[drawn, ["umap_1", "umap_2"]].to_numpy(float)
    names = list(function.columns[:MOST_FUNCTIONS])
    with figure(path, 3.4 * (2 + len(names)), 3.6) as page:
        axes = page.subplots(1, 2 + len(names), squeeze=False)[0]
        _by_name(axes[0], xy, clusters.loc[drawn, "cluster"], "cluster")
        _by_name(axes[1], xy, samples[drawn], "sample")
        for axis, name in zip(axes[2:], names, strict=True):
            _by_value(axis, xy, function.loc[drawn, name].to_numpy(float), readable(name))
        axes[0].set_ylabel("UMAP 2")


def _by_name(axis: Axes, xy: np.ndarray, names: pd.Series, title: str) -> None:
    unique = sorted(names.unique(), key=lambda n: (len(n), n))
    values = names.to_numpy(object)
    for name, colour in colours(unique).items():
        rows = values == name
        axis.scatter(
            xy[rows, 0], xy[rows, 1], s=6, c=colour, linewidths=0, label=name, rasterized=len(xy) > RASTER_FROM
        )
    axis.legend(markerscale=2, fontsize=7, ncols=1 + len(unique) // 12, loc="best")
    _finish(axis, title)


def _by_value(axis: Axes, xy: np.ndarray, values: np.ndarray, title: str) -> None:
    known = np.isfinite(values)
    axis.scatter(xy[~known, 0], xy[~known, 1], s=4, c=GREY, linewidths=0, rasterized=len(xy) > RASTER_FROM)
    if known.any():
        low, high = np.percentile(values[known], [2, 98])
        order = np.argsort(values[known], kind="stable")
        points = axis.scatter(
            xy[known, 0][order],
            xy[known, 1][order],
            s=6,
            c=values[known][order],
            vmin=low,
            vmax=high,
            cmap="viridis",
            linewidths=0,
            rasterized=len(xy) > RASTER_FROM,
        )
        axis.figure.colorbar(points, ax=axis, shrink=0.7)
    _finish(axis, title)


def _finish(axis: Axes, title: str) -> None:
    axis.set(title=title, xlabel="UMAP 1", xticks=[], yticks=[])


def draw_quality(quality: pd.DataFrame, samples: pd.Series, path: Path) -> None:
    """Draw counts, detected genes and mitochondrial fraction by sample, with passing and failing cells apart."""
    if not len(quality):
        write_words(path, "There are no sequenced cells.")
        return
    panels = {"total_counts": "counts per cell", "genes_detected": "genes detected per cell"}
    if quality["mitochondrial_fraction"].notna().any():
        panels["mitochondrial_fraction"] = "fraction of mitochondrial counts"
    names = sorted(samples.unique())
    with figure(path, 3.6 * len(panels), 3.4) as page:
        axes = page.subplots(1, len(panels), squeeze=False)[0]
        for axis, (column, label) in zip(axes, panels.items(), strict=True):
            _strips(axis, quality[column].to_numpy(float), quality["passes_qc"].to_numpy(bool), samples, names)
            axis.set_ylabel(label)
            if column != "mitochondrial_fraction" and quality[column].min() > 0:
                axis.set_yscale("log")
            elif column != "mitochondrial_fraction":
                axis.set_yscale("symlog", linthresh=1.0)
                axis.set_ylim(bottom=0)
        axes[0].legend(fontsize=7, markerscale=2)


def _strips(axis: Axes, values: np.ndarray, passes: np.ndarray, samples: pd.Series, names: list[str]) -> None:
    place = samples.map({name: number for number, name in enumerate(names)}).to_numpy(float)
    jitter = np.random.default_rng(0).uniform(-0.3, 0.3, len(values))
    for rows, colour, label in ((passes, BLUE, "passes"), (~passes, VERMILION, "fails")):
        axis.scatter(
            (place + jitter)[rows],
            values[rows],
            s=4,
            c=colour,
            linewidths=0,
            label=label,
            rasterized=len(values) > 2000,
        )
    axis.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axis.set_xlabel("sample")


LARGEST_DOT = 110.0


def draw_markers(markers: pd.DataFrame, expression: Expression, clusters: pd.Series, top: int, path: Path) -> None:
    """Draw the top markers of each cluster: dot size is the fraction of cells that express, colour the mean.

    Parameters
    ----------
    markers
        The markers table.
    expression, clusters
        Of the same cells, in order.
    top
        Number of genes per cluster; markers with the highest AUC are drawn.
    path
        SVG to write.
    """
    chosen = _top_genes(markers, top)
    if not chosen:
        write_words(path, "No gene marks a cluster at the configured thresholds, so there is nothing to draw.")
        return
    with figure(path, 2.4 + 0.24 * len(chosen), 1.9 + 0.3 * clusters.nunique()) as page:
        draw_dots(page.subplots(), expression, clusters, chosen)


def draw_dots(axis: Axes, expression: Expression, clusters: pd.Series, genes: list[str]) -> None:
    """Draw genes by cluster: dot size is the fraction of cells that express, colour the mean scaled gene by gene.

    Parameters
    ----------
    axis
        Axis to draw on.
    expression, clusters
        Of the same cells, in order; cells without a cluster are left out.
    genes
        Names, in the order of the columns.
    """
    names = sorted(clusters.dropna().unique(), key=lambda n: (len(n), n))
    position = expression.genes.get_indexer(genes)
    share, mean = (np.empty((len(names), len(genes))) for _ in range(2))
    for row, name in enumerate(names):
        cells = expression.log[(clusters == name).to_numpy(bool, na_value=False)][:, position]
        share[row] = np.asarray((cells > 0).mean(axis=0)).ravel()
        mean[row] = np.asarray(cells.mean(axis=0)).ravel()
    spread = np.ptp(mean, axis=0)
    scaled = np.divide(mean - mean.min(axis=0), spread, out=np.zeros_like(mean), where=spread > 0)
    x, y = np.meshgrid(np.arange(len(genes)), np.arange(len(names)))
    sizes = LARGEST_DOT * share.ravel()
    dots = axis.scatter(x.ravel(), y.ravel(), sizes, scaled.ravel(), cmap="viridis", vmin=0, vmax=1, linewidths=0)
    axis.set_xticks(range(len(genes)), genes, rotation=90, style="italic")
    axis.set_yticks(range(len(names)), names)
    axis.set(ylabel="cluster", xlim=(-0.7, len(genes) - 0.3), ylim=(len(names) - 0.4, -0.6))
    axis.figure.colorbar(dots, ax=axis, label="mean expression, each gene\nscaled from 0 to 1", shrink=0.9)
    for part in (0.25, 0.5, 1.0):
        axis.scatter([], [], s=LARGEST_DOT * part, c="0.5", label=f"{percent(part, 0)}")
    axis.legend(title="cells expressing", ncols=3, loc="lower left", bbox_to_anchor=(0, 1.0), fontsize=7)


def _top_genes(markers: pd.DataFrame, top: int) -> list[str]:
    of_clusters = markers[(markers["comparison"] == "cluster") & markers["is_marker"]]
    ordered = of_clusters.sort_values(["group", "auc", "gene"], ascending=[True, False, True], kind="stable")
    return list(dict.fromkeys(ordered.groupby("group", sort=True).head(top)["gene"]))
