"""Principal components, Leiden clusters, their UMAP and their stability."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import anndata
import numpy as np
import pandas as pd
import scanpy as sc
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import KNeighborsClassifier

from cineseq.config.expression import Clusters
from cineseq.expression.normalise import Expression, detected_genes

logger = logging.getLogger(__name__)

EXACT_NEIGHBOURS_UP_TO = 20_000
CELLS_FOR_GENES = 30_000
RESAMPLED_FRACTION = 0.8
DETECTED_FRACTION = 0.01


@dataclass(frozen=True)
class LeidenClusters:
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
        Genes that the components were computed from.
    """

    labels: np.ndarray
    components: np.ndarray
    positions: np.ndarray
    genes: pd.Index


def find_clusters(expression: Expression, settings: Clusters, seed: int) -> LeidenClusters:
    """Cluster cells by their expression.

    The steps are highly variable genes, principal components, a neighbour graph, Leiden clusters (Traag et al., Sci.
    Rep. 9 (2019) 5233; igraph's implementation, two iterations) and UMAP, all by scanpy.
    """
    # Highly variable genes and principal components, (cells, k).
    chosen = expression.columns(variable_genes(expression, settings))
    components = principal_components(chosen, settings, seed)
    # Neighbour graph, UMAP (cells, 2) and Leiden clusters (cells,).
    graph = _neighbour_graph(components, settings, seed)
    sc.tl.umap(graph, random_state=seed)
    return LeidenClusters(_leiden(graph, settings, seed), components, np.asarray(graph.obsm["X_umap"]), chosen.genes)


def cluster_labels(expression: Expression, settings: Clusters, seed: int) -> np.ndarray:
    """Return only the labels of :func:`find_clusters`, without the UMAP; shape (cells,)."""
    chosen = expression.columns(variable_genes(expression, settings))
    return _leiden(_neighbour_graph(principal_components(chosen, settings, seed), settings, seed), settings, seed)


def clusters_of_training(
    expression: Expression, train: np.ndarray, test: np.ndarray, settings: Clusters, seed: int
) -> np.ndarray:
    """Cluster training cells, and assign test cells to the clusters of their nearest training cells.

    Parameters
    ----------
    expression
        Expression of all cells.
    train, test
        Positions of the training and of the test cells.
    settings, seed
        As in :func:`find_clusters`.

    Returns
    -------
    numpy.ndarray
        Number of the cluster of every cell, 0 the largest among training cells; -1 for cells that are neither. Shape
        (cells,).
    """
    # Genes, components (training cells, k) and clusters of the training cells.
    own = expression.cells(train)
    genes = variable_genes(own, settings)
    components = principal_components(own.columns(genes), settings, seed)
    labels = _leiden(_neighbour_graph(components, settings, seed), settings, seed).astype(int)
    # Loadings (genes, k) from the components; test cells are projected with the mean of the training cells.
    log = own.log[:, genes].astype(np.float64)
    mean = np.asarray(log.mean(axis=0)).ravel()
    scale = np.maximum(np.square(components).sum(axis=0), np.finfo(float).tiny)
    loadings = (log.T @ components - np.outer(mean, components.sum(axis=0))) / scale
    projected = expression.log[test][:, genes].astype(np.float64) @ loadings - mean @ loadings
    # The most frequent cluster of the nearest training cells.
    neighbours = KNeighborsClassifier(min(settings.neighbours, len(train))).fit(components, labels)
    assigned = np.full(expression.log.shape[0], -1)
    assigned[train], assigned[test] = labels, neighbours.predict(projected)
    return assigned


def variable_genes(expression: Expression, settings: Clusters, cells: np.ndarray | None = None) -> np.ndarray:
    """Return a mask of the highly variable genes, or of all detected genes if these are few; shape (genes,).

    Counts are ranked by the variance of their Pearson residuals (Lause et al., Genome Biol. 22 (2021) 258), which,
    unlike a loess fit, works with few cells; logarithms are ranked by dispersion. At most 30,000 cells are used. If
    indices of ``cells`` are given, the variance is computed among them; a gene is detected among all cells.
    """
    detected = detected_genes(expression.counts, DETECTED_FRACTION)
    if detected.sum() <= settings.variable_genes:
        return detected if detected.any() else np.ones(len(detected), dtype=bool)
    # Most variable of the detected genes: by Pearson residuals of counts, else by dispersion; shape (genes,).
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
    """Return at most 30,000 evenly spaced indices, which are enough to estimate variances and bound the memory."""
    if len(cells) <= CELLS_FOR_GENES:
        return cells
    return cells[np.linspace(0, len(cells) - 1, CELLS_FOR_GENES).astype(int)]


def principal_components(expression: Expression, settings: Clusters, seed: int) -> np.ndarray:
    """Return principal components of the normalised logarithms, shape (cells, k)."""
    count = min(settings.components, min(expression.log.shape) - 1)
    return np.asarray(sc.pp.pca(expression.log, n_comps=count, svd_solver="arpack", random_state=seed), np.float64)


def resampled_agreement(expression: Expression, labels: np.ndarray, settings: Clusters, seed: int) -> np.ndarray:
    """Cluster random 80 % subsets of the cells again, starting with the choice of genes, and compare the clusters.

    Returns
    -------
    numpy.ndarray
        Adjusted Rand index of each subset, shape (resamples,).
    """
    rng = np.random.default_rng(seed)
    size = int(RESAMPLED_FRACTION * len(labels))
    agreement = np.full(settings.resamples, np.nan)
    for number in range(settings.resamples):
        rows = np.sort(rng.choice(len(labels), size, replace=False))
        chosen = expression.columns(variable_genes(expression, settings, rows)).cells(rows)
        components = principal_components(chosen, settings, seed)
        again = _leiden(_neighbour_graph(components, settings, seed), settings, seed + number + 1)
        agreement[number] = adjusted_rand_score(labels[rows], again)
    return agreement


def _neighbour_graph(components: np.ndarray, settings: Clusters, seed: int) -> anndata.AnnData:
    """Return an AnnData with the neighbour graph of the principal components."""
    adata = anndata.AnnData(np.zeros((len(components), 1), np.float32), obsm={"X_pca": components})
    # Exact search is deterministic and avoids a crash of scanpy with pynndescent 0.7 at 8,192 or more cells.
    transformer = "sklearn" if len(components) <= EXACT_NEIGHBOURS_UP_TO else None
    neighbours = min(settings.neighbours, len(components) - 1)
    sc.pp.neighbors(adata, n_neighbors=neighbours, use_rep="X_pca", transformer=transformer, random_state=seed)
    return adata


def _leiden(graph: anndata.AnnData, settings: Clusters, seed: int) -> np.ndarray:
    sc.tl.leiden(
        graph, resolution=settings.resolution, flavor="igraph", n_iterations=2, directed=False, random_state=seed
    )
    return graph.obs["leiden"].astype(str).to_numpy(object)
