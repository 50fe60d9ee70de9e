"""Time the nested elastic net against the same loop written plainly over scikit-learn's ``ElasticNetCV``, and its null.

Run: ``OMP_NUM_THREADS=1 .venv/bin/python benchmarks/bench_elastic_net.py --permutations 200``
Simulated cells with correlated counts and an embedding; the same outer and inner folds, ratios, penalties and
tolerance for both. Processor seconds, one thread; differences of out-of-fold predictions in standard deviations; the
duality gap of both final fits over the response's sum of squares, on all columns. Both are held to a tighter tolerance
than the pipeline's 1e-3, at which predictions differ by some thousandths. ``--permutations`` times the null of
that many permutations by the procedure that the pipeline uses for it, on two processes.
"""

import argparse
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scores import Score
from sklearn.linear_model import ElasticNetCV

from cineseq.config.prediction import Folds, Prediction
from cineseq.prediction.crossval.elastic_net import PathGrid, Split, fitted_nets
from cineseq.prediction.crossval.feature_blocks import Block
from cineseq.prediction.crossval.folds import CrossvalCells, FoldPlan, grouped_folds, inner_splits
from cineseq.prediction.crossval.out_of_fold import out_of_fold
from cineseq.prediction.model_comparison import permuted_responses, quick_procedure

RATIOS = (0.1, 0.5, 0.9, 1.0)
OUTER = INNER = 5
SMALLEST = 1e-2
MOST_ITERATIONS = 2000
GROUPS = 40
LEAST_RATIO = 5.0
MOST_APART = 1e-3
ASKED_PERMUTATIONS = 200
MOST_SECONDS = 1800.0
PROCESSES = 2


@dataclass(frozen=True)
class Fold:
    """What one side made of one outer fold: processor seconds, predictions of the test cells, gap of the final fit."""

    seconds: float
    predicted: np.ndarray
    gap: float


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


def relative_gap(x: np.ndarray, y: np.ndarray, coefficients: np.ndarray, alpha: float, ratio: float) -> float:
    """Return primal less dual objective of an elastic net over the centred response's sum of squares.

    The ridge part counts as further rows of a lasso, and its residual is scaled until it is feasible.
    """
    x, y = x - x.mean(axis=0), y - y.mean()
    lasso, ridge = len(y) * alpha * ratio, len(y) * alpha * (1 - ratio)
    residual = np.concatenate([y - x @ coefficients, -np.sqrt(ridge) * coefficients])
    longer = np.concatenate([y, np.zeros(len(coefficients))])
    products = x.T @ residual[: len(y)] - ridge * coefficients
    feasible = residual * min(1.0, lasso / np.abs(products).max())
    primal = residual @ residual / 2 + lasso * np.abs(coefficients).sum()
    dual = y @ y / 2 - np.square(longer - feasible).sum() / 2
    return float((primal - dual) / (y @ y))


def own(x: np.ndarray, y: np.ndarray, test: np.ndarray, inner: list[Split], grid: PathGrid) -> Fold:
    """Choose, fit and predict by the pipeline's elastic net."""
    started = time.process_time()
    [net] = fitted_nets(x, y[:, None], inner, grid)
    predicted = net.predict(test)
    seconds = time.process_time() - started
    coefficients = np.zeros(x.shape[1])
    coefficients[net.columns] = net.coefficients
    return Fold(seconds, predicted, relative_gap(x, y, coefficients, net.alpha, net.ratio))


def plain(x: np.ndarray, y: np.ndarray, test: np.ndarray, inner: list[Split], grid: PathGrid) -> Fold:
    """Choose, fit and predict by scikit-learn's cross-validated elastic net."""
    started = time.process_time()
    net = ElasticNetCV(
        l1_ratio=list(grid.l1_ratios),
        alphas=grid.alphas,
        eps=grid.smallest,
        cv=inner,
        tol=grid.tolerance,
        max_iter=MOST_ITERATIONS,
    ).fit(x, y)
    predicted = net.predict(test)
    seconds = time.process_time() - started
    return Fold(seconds, predicted, relative_gap(x, y, net.coef_, net.alpha_, net.l1_ratio_))


def side_by_side(x: np.ndarray, y: np.ndarray, units: np.ndarray, grid: PathGrid, folds: int) -> Iterable[Score]:
    """Score some outer folds of the whole nested procedure by both."""
    fold = grouped_folds(units, OUTER)
    seconds, gaps, apart = np.zeros(2), np.zeros(2), 0.0
    for number in range(folds):
        train, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        inner = inner_splits(units[train], INNER)
        both = [learn(x[train], y[train], x[test], inner, grid) for learn in (own, plain)]
        seconds += [side.seconds for side in both]
        gaps = np.maximum(gaps, [side.gap for side in both])
        apart = max(apart, float(np.abs(both[0].predicted - both[1].predicted).max() / y.std()))
        print(f"{number + 1} of {OUTER} folds: {seconds[0]:.1f} s, ElasticNetCV {seconds[1]:.1f} s", flush=True)
    yield Score(f"elastic net: seconds of the nested procedure, {folds} of {OUTER} folds", seconds[0])
    yield Score("elastic net: seconds of ElasticNetCV", seconds[1])
    yield Score("elastic net: times faster than ElasticNetCV", seconds[1] / seconds[0], LEAST_RATIO)
    yield Score("elastic net: predictions apart, standard deviations, at most", apart, high=MOST_APART)
    yield Score("elastic net: relative duality gap of the final fit", gaps[0], high=grid.tolerance)
    yield Score("elastic net: relative duality gap of ElasticNetCV's", gaps[1], high=grid.tolerance)


def null(x: np.ndarray, y: np.ndarray, units: np.ndarray, permutations: int) -> Score:
    """Time the null of all outer folds as the pipeline draws it, cells exchanged within groups."""
    folds = Folds(outer=OUTER, inner=INNER)
    plan = FoldPlan(units, grouped_folds(units, OUTER), ("group",), ())
    cells = CrossvalCells(y[:, None], plan, units, np.arange(len(y)), np.full(len(y), "", dtype=object))
    permuted = permuted_responses(cells, permutations, np.random.default_rng(0))[:, :, 0]
    block = Block(x, tuple(map(str, range(x.shape[1]))))
    started = time.perf_counter()
    out_of_fold({"both": (block,)}, permuted, plan, quick_procedure(Prediction(), folds), PROCESSES)
    seconds = time.perf_counter() - started
    most = MOST_SECONDS if permutations == ASKED_PERMUTATIONS else np.inf
    return Score(f"null: seconds of {permutations} permutations, {PROCESSES} processes", seconds, high=most)


def main() -> None:
    """Print the scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=2000)
    parser.add_argument("--genes", type=int, default=5000)
    parser.add_argument("--columns", type=int, default=384)
    parser.add_argument("--alphas", type=int, default=100)
    parser.add_argument("--tolerance", type=float, default=1e-4)
    parser.add_argument("--folds", type=int, default=OUTER, help="outer folds to time; 0 for none")
    parser.add_argument("--permutations", type=int, default=0, help=f"of the null; {ASKED_PERMUTATIONS} are asked for")
    told = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    x, y, units = simulate(told.cells, told.genes, told.columns)
    if told.folds:
        grid = PathGrid(RATIOS, told.alphas, SMALLEST, told.tolerance)
        for score in side_by_side(x, y, units, grid, told.folds):
            print(score, flush=True)
    if told.permutations:
        print(null(x, y, units, told.permutations), flush=True)


if __name__ == "__main__":
    main()
