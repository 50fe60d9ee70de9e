"""The dot plot of cluster markers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cineseq.clustering.counts import Expression
from cineseq.clustering.plotting import figure, write_words

LARGEST_DOT = 110.0


def draw_markers(markers: pd.DataFrame, expression: Expression, clusters: pd.Series, top: int, path: Path) -> None:
    """Draw the top markers of each cluster: dot size is the share of cells that express, colour the mean.

    Parameters
    ----------
    markers
        The markers table.
    expression, clusters
        Of the same cells, in order.
    top
        Genes per cluster, by AUC among the markers.
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
    """Draw genes by cluster: dot size is the share of cells that express, colour the mean scaled gene by gene.

    Parameters
    ----------
    axis
        To draw on.
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
    column, row = np.meshgrid(np.arange(len(genes)), np.arange(len(names)))
    shown = {"cmap": "viridis", "vmin": 0, "vmax": 1, "linewidths": 0}
    dots = axis.scatter(column.ravel(), row.ravel(), s=LARGEST_DOT * share.ravel(), c=scaled.ravel(), **shown)
    axis.set_xticks(range(len(genes)), genes, rotation=90, style="italic")
    axis.set_yticks(range(len(names)), names)
    axis.set(ylabel="cluster", xlim=(-0.7, len(genes) - 0.3), ylim=(len(names) - 0.4, -0.6))
    axis.figure.colorbar(dots, ax=axis, label="mean expression, each gene\nscaled from 0 to 1", shrink=0.9)
    for part in (0.25, 0.5, 1.0):
        axis.scatter([], [], s=LARGEST_DOT * part, c="0.5", label=f"{part:.0%}")
    axis.legend(title="cells expressing", ncols=3, loc="lower left", bbox_to_anchor=(0, 1.0), fontsize=7)


def _top_genes(markers: pd.DataFrame, top: int) -> list[str]:
    of_clusters = markers[(markers["comparison"] == "cluster") & markers["is_marker"]]
    ordered = of_clusters.sort_values(["group", "auc", "gene"], ascending=[True, False, True], kind="stable")
    return list(dict.fromkeys(ordered.groupby("group", sort=True).head(top)["gene"]))
