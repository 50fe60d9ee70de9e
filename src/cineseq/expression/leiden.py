"""Principal components, graph communities, their map and their stability."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import anndata
import numpy as np
import pandas as pd
import scanpy as sc
from sklearn.metrics import adjusted_rand_score

from cineseq.config.expression import Clusters
from cineseq.expression.normalise import Expression, detected_genes

logger = logging.getLogger(__name__)

EXACT_NEIGHBOURS_UP_TO = 20_000
CELLS_FOR_GENES = 30_000
RESAMPLED_SHARE = 0.8
DETECTED_SHARE = 0.01


@dataclass(frozen=True)
class Communities:
    """Clusters of cells.

    Attributes
    ----------
    labels
        Cluster of each cell, "0" the largest; shape (cells,).
    components
        Principal components, shape (cells, k).
    positions
        UMAP coordinates, shape (cells, 2).
    genes
        Genes that the components were made from.
    """

    labels: np.ndarray
    components: np.ndarray
    positions: np.ndarray
    genes: pd.Index


def find_communities(expression: Expression, settings: Clusters, seed: int) -> Communities:
    """Cluster cells by their expression.

    Highly variable genes, principal components, a neighbour graph, Leiden communities (Traag et al., Sci. Rep. 9
    (2019) 5233; igraph's implementation, two iterations) and UMAP, all by scanpy.
    """
    chosen = expression.columns(variable_genes(expression, settings))
    components = principal_components(chosen, settings, seed)
    graph = _neighbour_graph(components, settings, seed)
    sc.tl.umap(graph, random_state=seed)
    return Communities(_leiden(graph, settings, seed), components, np.asarray(graph.obsm["X_umap"]), chosen.genes)


def community_labels(expression: Expression, settings: Clusters, seed: int) -> np.ndarray:
    """Return only the labels of :func:`find_communities`, without the map; shape (cells,)."""
    chosen = expression.columns(variable_genes(expression, settings))
    return _leiden(_neighbour_graph(principal_components(chosen, settings, seed), settings, seed), settings, seed)


def variable_genes(expression: Expression, settings: Clusters, cells: np.ndarray | None = None) -> np.ndarray:
    """Choose highly variable genes, or all detected ones where they are few; a boolean mask, shape (genes,).

    Counts are ranked by the variance of their Pearson residuals (Lause et al., Genome Biol. 22 (2021) 258), which,
    unlike a loess fit, does not fail with few cells; logarithms by dispersion. Of more than 30,000 cells, 30,000 are
    looked at. Where positions of ``cells`` are given, variance is that among them; detected means in all cells.
    """
    detected = detected_genes(expression.counts, DETECTED_SHARE)
    if detected.sum() <= settings.variable_genes:
        return detected if detected.any() else np.ones(len(detected), dtype=bool)
    rows = _even_sample(np.arange(expression.counts.shape[0]) if cells is None else cells)
    top = settings.variable_genes
    if expression.kind in {"counts", "fractional"}:
        adata = anndata.AnnData(expression.counts[rows][:, detected])
        sc.experimental.pp.highly_variable_genes(
            adata, flavor="pearson_residuals", n_top_genes=top, check_values=expression.kind == "counts"
        )
    else:
        adata = anndata.AnnData(expression.log[rows][:, detected])
        sc.pp.highly_variable_genes(adata, flavor="seurat", n_top_genes=top)
    detected[detected] = adata.var["highly_variable"].to_numpy(bool)
    return detected


def _even_sample(cells: np.ndarray) -> np.ndarray:
    """Return evenly spaced ones of the positions, all where they are few: variances need no more, memory does."""
    if len(cells) <= CELLS_FOR_GENES:
        return cells
    return cells[np.linspace(0, len(cells) - 1, CELLS_FOR_GENES).astype(int)]


def principal_components(expression: Expression, settings: Clusters, seed: int) -> np.ndarray:
    """Return principal components of the normalised logarithms, shape (cells, k)."""
    count = min(settings.components, min(expression.log.shape) - 1)
    return np.asarray(sc.pp.pca(expression.log, n_comps=count, svd_solver="arpack", random_state=seed), np.float64)


def resampled_agreement(expression: Expression, labels: np.ndarray, settings: Clusters, seed: int) -> np.ndarray:
    """Cluster random 80 % subsets of the cells again, from the choice of genes on, and compare with those of all.

    Returns
    -------
    numpy.ndarray
        Adjusted Rand index of each subset, shape (resamples,).
    """
    rng = np.random.default_rng(seed)
    size = int(RESAMPLED_SHARE * len(labels))
    agreement = np.full(settings.resamples, np.nan)
    for number in range(settings.resamples):
        rows = np.sort(rng.choice(len(labels), size, replace=False))
        chosen = expression.columns(variable_genes(expression, settings, rows)).cells(rows)
        components = principal_components(chosen, settings, seed)
        again = _leiden(_neighbour_graph(components, settings, seed), settings, seed + number + 1)
        agreement[number] = adjusted_rand_score(labels[rows], again)
    return agreement


def _neighbour_graph(components: np.ndarray, settings: Clusters, seed: int) -> anndata.AnnData:
    adata = anndata.AnnData(np.zeros((len(components), 1), np.float32), obsm={"X_pca": components})
    # The exact search is deterministic, and avoids a crash of scanpy with pynndescent 0.7 at 8,192 cells and more.
    transformer = "sklearn" if len(components) <= EXACT_NEIGHBOURS_UP_TO else None
    neighbours = min(settings.neighbours, len(components) - 1)
    sc.pp.neighbors(adata, n_neighbors=neighbours, use_rep="X_pca", transformer=transformer, random_state=seed)
    return adata


def _leiden(graph: anndata.AnnData, settings: Clusters, seed: int) -> np.ndarray:
    sc.tl.leiden(
        graph, resolution=settings.resolution, flavor="igraph", n_iterations=2, directed=False, random_state=seed
    )
    return graph.obs["leiden"].astype(str).to_numpy(object)
