"""Choose a sampler by cells that neither it nor the conditional mean has seen, within the training cells."""

from __future__ import annotations

import numpy as np

from cineseq.generative import judge
from cineseq.generative.samplers import Residuals, choose, fit_sampler
from cineseq.prediction.crossval.folds import inner_splits
from cineseq.statistics.streams import child_seed, stream

Scores = dict[str, float]
ENOUGH = 1000
"""Inner folds are judged until as many cells were."""


def scores_of(samples: np.ndarray, real: np.ndarray, condition: np.ndarray, units: np.ndarray, seed: int) -> Scores:
    """Return how good samples of cells are.

    Parameters
    ----------
    samples
        Shape (samples, cells, targets).
    real, condition
        The cells and what was generated from, shapes (cells, targets) and (cells, conditions).
    units
        Group of each cell, shape (cells,).
    seed
        Seed of the classifier.
    """
    return {
        "c2st": judge.c2st(condition, real, samples[0], units, seed),
        "energy_score": judge.energy_score(real, samples),
        "coverage_80": judge.coverage(real, samples, 0.8),
        "coverage_95": judge.coverage(real, samples, 0.95),
    }


def inner_scores(
    names: tuple[str, ...], residuals: Residuals, condition: np.ndarray, folds: int, seed: int
) -> dict[str, Scores]:
    """Return the scores of samplers in inner folds of the training cells.

    A sampler learns the residuals of the other inner folds. All residuals are of cells that the mean was not learned
    in, so that neither has seen the cells that judge it.

    Parameters
    ----------
    names
        The samplers.
    residuals, condition
        Of the training cells.
    folds
        Number of inner folds; as in the conditional mean.
    seed
        Seed of everything random.
    """
    splits = inner_splits(residuals.units, folds)
    enough = int(np.searchsorted(np.cumsum([len(held) for _, held in splits]), ENOUGH)) + 1
    # The held-out cells of these folds are judged together.
    judged = np.concatenate([held for _, held in splits[:enough]])
    real, units = residuals.mean[judged] + residuals.values[judged], residuals.units[judged]
    found = {}
    for name in names:
        drawn = []
        for number, (own, held) in enumerate(splits[:enough]):
            of_fold = child_seed(seed, name, "inner", str(number))
            sampler, rng = fit_sampler(name, residuals.of(own), of_fold), stream(of_fold, "draw")
            drawn.append(sampler.draw(residuals.mean[held], residuals.x[held], judge.SAMPLES, rng))
        samples = np.concatenate(drawn, axis=1)
        found[name] = scores_of(samples, real, condition[judged], units, child_seed(seed, "c2st"))
    return found


def mean_scores(scores: list[Scores], sizes: list[int]) -> Scores:
    """Return the mean of known scores of several folds, by their numbers of cells; NaN where none is known."""
    found = {}
    for key in scores[0]:
        values = np.array([own[key] for own in scores])
        known = np.isfinite(values)
        found[key] = float(np.average(values[known], weights=np.array(sizes)[known])) if known.any() else float("nan")
    return found


def best_of(scores: dict[str, Scores]) -> str:
    """Return the sampler that scores choose, see :func:`cineseq.generative.samplers.choose`."""
    return choose({name: (own["c2st"], own["energy_score"]) for name, own in scores.items()})
