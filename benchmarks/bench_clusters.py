"""Measure memory and time of clustering many cells: sparse counts through quality control to clusters and their map.

Run: ``OMP_NUM_THREADS=1 PYTHONPATH=scripts .venv/bin/python benchmarks/bench_clusters.py --cells 100000 --genes 20000``
Simulated counts of eight kinds of cell, 2,000 of each cell; the most memory includes making them.
"""

import argparse
import logging
import time

import numpy as np
import pandas as pd
from scipy import sparse
from scores import Score, own_peak_gb
from sklearn.metrics import adjusted_rand_score

from cineseq.clustering.counts import expression_from
from cineseq.clustering.study import cluster_study
from cineseq.config.clustering import Clusters

KINDS, COUNTS, AT_ONCE = 8, 2000, 1000
MOST_GB = 10


def simulate(cells: int, genes: int, seed: int = 0) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Draw counts, shape (cells, genes), and the kind of each cell; a fiftieth of genes is fourfold in each."""
    rng = np.random.default_rng(seed)
    rates = np.tile(rng.lognormal(0, 1.5, genes), (KINDS, 1))
    rates[rng.random(rates.shape) < 0.02] *= 4
    ends = np.cumsum(rates / rates.sum(axis=1, keepdims=True), axis=1)
    kind = rng.integers(0, KINDS, cells)
    parts = []
    for start in range(0, cells, AT_ONCE):
        own = kind[start : start + AT_ONCE]
        gene = np.concatenate([np.searchsorted(ends[k, :-1], np.sort(rng.random(COUNTS))) for k in own])
        cell = np.repeat(np.arange(len(own)), COUNTS)
        parts.append(sparse.csr_matrix((np.ones(len(gene)), (cell, gene)), shape=(len(own), genes)))
    return sparse.vstack(parts, format="csr"), kind


def main() -> None:
    """Print seconds, memory and how well the kinds were found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--genes", type=int, default=20_000)
    parser.add_argument("--resamples", type=int, default=0, help="subsets clustered again, which takes time alone")
    told = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    counts, kind = simulate(told.cells, told.genes)
    size = f"{told.cells:,} cells x {told.genes:,} genes"
    print(Score(f"{size}: counts in memory, GB", (counts.data.nbytes + counts.indices.nbytes) / 1e9), flush=True)
    started = time.process_time()
    expression = expression_from(counts, pd.Index([f"g{k}" for k in range(told.genes)]), "counts")
    del counts
    study = cluster_study(pd.RangeIndex(told.cells), expression, Clusters(resamples=told.resamples), 1)
    print(Score(f"{size}: seconds of processor", time.process_time() - started))
    kept = study.table["passes_qc"].to_numpy(bool)
    found = adjusted_rand_score(kind[kept], study.table.loc[kept, "cluster"])
    print(Score(f"{size}: adjusted Rand index of the kinds planted", found, low=0.9))
    print(Score(f"{size}: most memory, GB", own_peak_gb(), high=MOST_GB))


if __name__ == "__main__":
    main()
