"""Time the nested elastic net against the same loop written plainly over scikit-learn's ``ElasticNetCV``.

Run: ``OMP_NUM_THREADS=1 PYTHONPATH=scripts .venv/bin/python benchmarks/bench_elastic_net.py --folds 1``
Simulated cells with correlated counts and an embedding; the same outer and inner folds, ratios, penalties and
tolerance for both. Processor seconds, one thread; differences of out-of-fold predictions in standard deviations.
"""

import argparse
import time

import numpy as np
from sklearn.linear_model import ElasticNetCV

from cineseq.prediction.folds import grouped_folds, inner_splits
from cineseq.prediction.nets import PathGrid, nested_elastic_net

RATIOS = (0.1, 0.5, 0.9, 1.0)
OUTER = INNER = 5
SMALLEST = 1e-2
MOST_ITERATIONS = 2000
GROUPS = 40


def simulate(cells: int, genes: int, columns: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return standardised predictors, a response of which half is explained, and the groups of the cells."""
    rng = np.random.default_rng(seed)
    states = rng.normal(size=(cells, 10))
    rates = np.log(rng.gamma(0.6, 1.5, size=genes) + 0.02) + states @ rng.normal(0, 0.3, size=(10, genes))
    counts = np.log1p(rng.poisson(np.exp(rates)))
    shape = rng.normal(size=(cells, columns)) + 0.5 * states[:, rng.integers(0, 10, columns)]
    x = np.column_stack([counts, shape])
    x = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-8)
    signal = states[:, :5].sum(axis=1) / np.sqrt(5) + x[:, :20].sum(axis=1) / np.sqrt(20)
    return x, signal / signal.std() + rng.normal(size=cells), rng.integers(0, GROUPS, cells)


def main() -> None:
    """Print seconds of both, their ratio, and how far apart their predictions are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=2000)
    parser.add_argument("--genes", type=int, default=5000)
    parser.add_argument("--columns", type=int, default=384)
    parser.add_argument("--alphas", type=int, default=100)
    parser.add_argument("--tolerance", type=float, default=1e-3)
    parser.add_argument("--folds", type=int, default=OUTER, help="outer folds to time")
    told = parser.parse_args()
    x, y, units = simulate(told.cells, told.genes, told.columns)
    grid = PathGrid(RATIOS, told.alphas, SMALLEST, told.tolerance)
    fold = grouped_folds(units, OUTER)
    seconds, apart = np.zeros(2), 0.0
    for number in range(told.folds):
        train, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        inner = inner_splits(units[train], INNER)
        started = time.process_time()
        own = nested_elastic_net(x[train], x[test], y[train, None], inner, grid).test[:, 0]
        between = time.process_time()
        plain = ElasticNetCV(
            l1_ratio=list(RATIOS),
            alphas=told.alphas,
            eps=SMALLEST,
            cv=inner,
            tol=told.tolerance,
            max_iter=MOST_ITERATIONS,
        ).fit(x[train], y[train])
        seconds += between - started, time.process_time() - between
        apart = max(apart, float(np.abs(own - plain.predict(x[test])).max() / y.std()))
        print(
            f"{number + 1} of {OUTER} folds: {seconds[0]:.1f} s, ElasticNetCV {seconds[1]:.1f} s, ratio "
            f"{seconds[1] / seconds[0]:.1f}, predictions at most {apart:.1e} standard deviations apart",
            flush=True,
        )


if __name__ == "__main__":
    main()
