"""Sparse counts of many cells of a few types, for the benchmarks of speed and memory."""

import numpy as np
from scipy import sparse

COUNTS, AT_ONCE = 2000, 1000


def simulate(cells: int, genes: int, kinds: int, seed: int = 0) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Draw 2,000 counts of each cell, shape (cells, genes), and its kind; a fiftieth of genes is fourfold in each."""
    rng = np.random.default_rng(seed)
    rates = np.tile(rng.lognormal(0, 1.5, genes), (kinds, 1))
    rates[rng.random(rates.shape) < 0.02] *= 4
    ends = np.cumsum(rates / rates.sum(axis=1, keepdims=True), axis=1)
    kind = rng.integers(0, kinds, cells)
    parts = []
    for start in range(0, cells, AT_ONCE):
        own = kind[start : start + AT_ONCE]
        gene = np.concatenate([np.searchsorted(ends[k, :-1], np.sort(rng.random(COUNTS))) for k in own])
        cell = np.repeat(np.arange(len(own)), COUNTS)
        parts.append(sparse.csr_matrix((np.ones(len(gene), np.float32), (cell, gene)), shape=(len(own), genes)))
    return sparse.vstack(parts, format="csr"), kind
