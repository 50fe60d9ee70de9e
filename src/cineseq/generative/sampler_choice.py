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
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in names}
    cells: list[np.ndarray] = []
    for number, (own, held) in enumerate(inner_splits(residuals.units, folds)):
        others = residuals.of(own)
        for name in names:
            of_fold = child_seed(seed, name, "inner", str(number))
            sampler, rng = fit_sampler(name, others, of_fold), stream(of_fold, "draw")
            drawn[name].append(sampler.draw(residuals.mean[held], residuals.x[held], judge.SAMPLES, rng))
        cells.append(held)
        if sum(map(len, cells)) >= ENOUGH:
            break
    # The cells of all these folds are judged together.
    judged = np.concatenate(cells)
    real, units = residuals.mean[judged] + residuals.values[judged], residuals.units[judged]
    return {
        name: scores_of(np.concatenate(parts, axis=1), real, condition[judged], units, child_seed(seed, "c2st"))
        for name, parts in drawn.items()
    }


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
