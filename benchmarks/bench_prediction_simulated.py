"""Score prediction, stability of genes and clusters on many simulated experiments with known truth.

Run: ``make bench-prediction``, or
``OMP_NUM_THREADS=1 PYTHONPATH=. .venv/bin/python benchmarks/bench_prediction_simulated.py``
The experiments are small, so that there can be many: 8 fields of view of 10 to 30 cells, 30 to 100 genes, 4 penalties
for the null, and 99 permutations (39 within class). A fraction of p-values may exceed its level by two standard errors.
"""

import argparse
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from scipy import sparse
from scores import Score
from tests.unit.prediction.prediction_examples import FAST, Planted, expression_within_class, quick_scores, simulate

from cineseq.config.expression import Clusters, DifferentialExpression
from cineseq.config.prediction import Folds
from cineseq.expression.cluster import cluster_study
from cineseq.expression.function_variance import variance_between_clusters
from cineseq.expression.leiden import cluster_labels
from cineseq.expression.markers import HELD_OUT, cluster_comparisons, compare_genes
from cineseq.expression.normalise import expression_from
from cineseq.io.paired import PairedData
from cineseq.prediction.crossval.elastic_net import nested_elastic_net
from cineseq.prediction.crossval.feature_blocks import Block, frame_block
from cineseq.prediction.crossval.folds import FoldPlan, cells_of, grouped_folds, inner_splits
from cineseq.prediction.crossval.out_of_fold import out_of_fold, workers
from cineseq.prediction.crossval.transform import design
from cineseq.prediction.genes import stability
from cineseq.prediction.model_comparison import ModelFit, full_procedure, quick_procedure, quick_r2, training_mean
from cineseq.prediction.performance import ModelComparison, contrast_rows
from cineseq.prediction.responses import Response
from cineseq.statistics.metrics import r2
from cineseq.statistics.permutation import p_value
from cineseq.tables.prediction import COMPARED_MODELS

LEVELS = (0.05, 0.1, 0.2)
FOLDS = Folds(inner=3)
FIELDS, CELLS_PER_FIELD, FRESH = 8, 30, 5000
EXPLAINED = 0.4
SHARE = 0.3


@dataclass(frozen=True)
class _Repeated:
    """Runs an experiment many times, with seeds from 0."""

    experiments: int
    threads: int

    def __call__(self, experiment: Callable[[int], object]) -> np.ndarray:
        return np.array(workers(self.threads)(_delayed(experiment, seed) for seed in range(self.experiments)))


def _delayed(experiment: Callable[[int], object], seed: int) -> tuple[Callable[[int], object], tuple[int], dict]:
    return experiment, (seed,), {}


def null(repeat: _Repeated) -> Iterable[Score]:
    """Score p-values where nothing predicts, and within class where only the class does."""
    cases = {"nothing planted": _null_p, "only the class planted, p within class": _within_p}
    for name, experiment in cases.items():
        p = repeat(experiment)
        for level in LEVELS:
            most = level + 2 * np.sqrt(level * (1 - level) / len(p))
            yield Score(f"{name}: fraction of p-values at most {level}", (p <= level).mean(), high=most)


def _null_p(seed: int) -> float:
    values = quick_scores(seed, Planted(genes=30, cells_per_field=10), 99)
    return p_value(values[0], values[1:])


def _within_p(seed: int) -> float:
    fit = expression_within_class(seed, 39)
    return fit.test_within.p_value


def false_genes(repeat: _Repeated) -> Iterable[Score]:
    """Score how many genes are selected where none predicts, against the stated bound."""
    found = repeat(_selected)
    yield Score("nothing planted: genes selected falsely, mean", found.mean(), high=FAST.false_genes)
    yield Score("nothing planted: experiments with any", (found > 0).mean())


def _selected(seed: int) -> float:
    data = simulate(Planted(genes=100, cells_per_field=20), seed)
    cells = cells_of(data.obs, data.function.to_numpy(), FOLDS, "condition")
    values = cells.values[:, 0]
    found = stability(_genes(data), values, cells.plan.units, cells.strata, settings=FAST, seed=seed, threads=1)
    return float((found.frequency >= FAST.selected_frequency).sum())


def held_out(repeat: _Repeated) -> Iterable[Score]:
    """Score the out-of-fold R2 against the same fits' R2 on cells that took no part."""
    own, fresh = repeat(_held_out_and_fresh).mean(axis=0)
    yield Score("R2 out of fold, mean", own)
    yield Score(f"R2 of the same fits on {FRESH:,} fresh cells, mean", fresh)
    yield Score("    their difference", own - fresh, -0.02, 0.02)
    yield Score("    ceiling: R2 of the planted state itself", EXPLAINED)


def _held_out_and_fresh(seed: int) -> tuple[float, float]:
    fields = FIELDS + FRESH // CELLS_PER_FIELD + 1
    data = simulate(Planted(EXPLAINED, genes=40, fields=fields, cells_per_field=CELLS_PER_FIELD), seed)
    block, values = _genes(data), data.function.to_numpy()
    studied, fresh = np.split(np.arange(len(values)), [FIELDS * CELLS_PER_FIELD])
    fresh = fresh[:FRESH]
    plan = cells_of(data.obs.iloc[studied], values[studied], FOLDS, "condition").plan
    procedure = full_procedure(FAST, FOLDS)
    own, others = np.empty_like(values[studied]), []
    for train, test in plan.splits():
        columns = design((block,), train, procedure.min_detected, procedure.max_genes)
        unseen = np.concatenate([test, fresh])
        inner = inner_splits(plan.units[train], procedure.inner)
        found = nested_elastic_net(columns[train], columns[unseen], values[train], inner, procedure.grid).test
        own[test] = found[: len(test)]
        others.append(r2(values[fresh] - found[len(test) :], values[fresh] - values[train].mean())[0])
    return float(r2(values[studied] - own, values[studied] - training_mean(values[studied], plan))[0]), np.mean(others)


def ordering(repeat: _Repeated) -> Iterable[Score]:
    """Score how often the intervals say that expression < morphology < both, where it is so and where it is not."""
    cases = {
        "planted, expression 0.2 and morphology 0.45": (0.2, 0.45),
        "nothing planted": (0.0, 0.0),
        "the reverse planted, expression 0.45": (0.45, 0.0),
    }
    for name, planted in cases.items():
        found = repeat(partial(_is_ordered, planted=planted)).mean(axis=0)
        is_true = planted[1] > planted[0]
        low, high = (0.8, 1.0) if is_true else (0.0, 0.05)
        yield Score(f"expression < morphology < both: estimates so, {name}", found[0])
        yield Score(f"expression < morphology < both: intervals so, {name}", found[1], low, high)


def _is_ordered(seed: int, planted: tuple[float, float]) -> tuple[bool, bool]:
    """Say whether the estimates are in that order, and whether the intervals of both differences exclude 0."""
    data = simulate(Planted(*planted, genes=40, cells_per_field=CELLS_PER_FIELD), seed)
    cells = cells_of(data.obs, data.function.to_numpy(), FOLDS, "condition")
    genes, shape = _genes(data), frame_block(data.morphology)
    designs = {"expression": (genes,), "morphology": (shape,), "both": (genes, shape)}
    found = out_of_fold(designs, cells.values, cells.plan, full_procedure(FAST, FOLDS), 1)
    fits = {name: ModelFit(found.get(name)) for name in COMPARED_MODELS}
    response = Response("uptake", ("uptake",), cells.values)
    comparison = ModelComparison(response, cells, fits, data.obs["sample"].to_numpy(), data.obs.index.to_numpy())
    rows = contrast_rows(comparison).set_index(["model_a", "model_b"])
    steps = rows.loc[[("morphology", "expression"), ("both", "morphology")]]
    return bool((steps["delta_r2"] > 0).all()), bool((steps["low"] > 0).all())


def confounder(repeat: _Repeated) -> Iterable[Score]:
    """Score R2 where a field of view shifts genes and function alike and nothing else connects them.

    Twelve fields of 40 cells, of whose function 0.3 lies between fields; and, to compare, eight fields of 20 whose
    shifts are larger than what differs within: R2 falls below 0 there, for each field held out is a surprise.
    """
    found = repeat(partial(_confounded, planted=Planted(field=0.33, genes=100, fields=12, cells_per_field=40)))
    yield Score("field shifts genes and function: R2 of grouped folds, mean", found[:, 0].mean(), -0.02, 0.02)
    yield Score("    what random folds would have claimed", found[:, 1].mean())
    strong = repeat(partial(_confounded, planted=Planted(field=0.6, genes=40, cells_per_field=20)))
    yield Score("shifts twice as large, few fields: R2 of grouped folds, mean", strong[:, 0].mean(), high=0.02)
    yield Score("    what random folds would have claimed", strong[:, 1].mean())


def _confounded(seed: int, planted: Planted) -> tuple[float, float]:
    data = simulate(planted, seed)
    cells = cells_of(data.obs, data.function.to_numpy(), FOLDS, "condition")
    alone = np.random.default_rng(seed).permutation(len(cells.values))
    random = FoldPlan(alone, grouped_folds(alone, cells.plan.folds), ("cell",), ())
    procedure = quick_procedure(FAST, FOLDS)
    scores = []
    for plan in (cells.plan, random):
        predicted = out_of_fold({"expression": (_genes(data),)}, cells.values, plan, procedure, 1)["expression"]
        scores.append(float(quick_r2(predicted, cells.values[:, None, :], plan)[0]))
    return tuple(scores)


def share(repeat: _Repeated) -> Iterable[Score]:
    """Score the fraction of the variance of function between clusters that were found in the counts."""
    for planted in (0.0, SHARE):
        found = repeat(partial(_share_found, planted=planted)).mean()
        yield Score(
            f"fraction of function between clusters, {planted:g} planted", found, planted - 0.03, planted + 0.03
        )


def _share_found(seed: int, planted: float) -> float:
    rng = np.random.default_rng(seed)
    group = rng.permutation(np.arange(300) % 3)
    mean = np.tile(rng.lognormal(0.5, 0.8, 100), (300, 1))
    for number in range(3):
        mean[np.ix_(group == number, range(20 * number, 20 * number + 20))] *= np.exp(1.2)
    labels = pd.Series(cluster_labels(_expression(rng.poisson(mean)), Clusters(), seed))
    level = np.sqrt(1.5) * np.array([-1.0, 0.0, 1.0])[group]
    function = np.sqrt(planted) * level + np.sqrt(1 - planted) * rng.normal(size=300)
    samples = pd.Series(["s"] * 300)
    return float(
        variance_between_clusters(pd.DataFrame({"f": function}), labels, samples, 0, seed, families=np.arange(300))[
            "eta2"
        ][0]
    )


def markers(repeat: _Repeated) -> Iterable[Score]:
    """Score markers of clusters of one homogeneous population, thinned and not, and the flag of clusters of depth."""
    called, thinned, naive, nominal = np.nanmean(repeat(_false_markers), axis=0)
    yield Score("one population: genes called markers on thinned counts, fraction", called, high=0.05)
    yield Score("    false discovery rate at most 0.05 on thinned counts, fraction", thinned, high=0.05)
    yield Score("    the same where the same counts were clustered and tested, fraction", naive)
    yield Score("    p-values at most 0.05 on thinned counts, fraction", nominal)
    yield Score("clusters of depth: flagged, fraction", repeat(_depth_is_flagged).mean(), low=1.0)


def _false_markers(seed: int) -> tuple[float, ...]:
    rng = np.random.default_rng(seed)
    expression = _expression(rng.poisson(rng.lognormal(-0.5, 1.2, 300), (300, 300)))
    clusters, settings = Clusters(), DifferentialExpression()
    labels = pd.Series(cluster_labels(expression, clusters, seed))
    thinned, naive = (
        pd.concat([compare_genes(c, settings) for c in cluster_comparisons(expression, labels, how, clusters, seed)[0]])
        for how in ("thin", "warn")
    )
    # Clusters that half of the counts does not show again are only ranked, on the same counts.
    held_out = thinned[thinned["note"] == HELD_OUT]
    fractions = thinned["is_marker"], held_out["q_value"] <= 0.05, naive["q_value"] <= 0.05, held_out["p_value"] <= 0.05
    return tuple(float(fraction.mean()) for fraction in fractions)


def _depth_is_flagged(seed: int) -> bool:
    rng = np.random.default_rng(seed)
    depth = np.repeat([1.0, 20.0], 100)[:, None]
    counts = rng.poisson(depth * rng.lognormal(-1.5, 1, 800))
    settings = Clusters(resamples=0, min_counts=0, min_genes=0, resolution=1.0)
    said = cluster_study(pd.RangeIndex(200), _expression(counts), settings, seed).lines
    return any("clusters of depth" in line for line in said)


def _expression(counts: np.ndarray):
    names = pd.Index([f"g{k}" for k in range(counts.shape[1])])
    return expression_from(sparse.csr_matrix(counts.astype(float)), names, "counts")


def _genes(data: PairedData) -> Block:
    return Block(np.log1p(data.counts.toarray()), tuple(data.genes), "genes")


def main() -> None:
    """Print every score."""
    parts = {f.__name__: f for f in (held_out, ordering, confounder, false_genes, share, markers, null)}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=200, help="simulated experiments of each kind")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", choices=parts, nargs="*", default=list(parts))
    told = parser.parse_args()
    logging.disable(logging.WARNING)
    repeat = _Repeated(told.experiments, told.threads)
    for name in told.only:
        for score in parts[name](repeat):
            print(score, flush=True)


if __name__ == "__main__":
    main()
