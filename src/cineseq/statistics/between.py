"""Association between the means of samples: ridge regression with whole samples left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cineseq.statistics.shares import Share, variance_share

FEWEST_SAMPLES = 3
FEWEST_TESTED = 20
"""Fewest samples for which a p-value is given; below, the numbers describe these samples only."""
STEPS = 60


@dataclass(frozen=True)
class Between:
    """How well means of samples are predicted from means of predictors in the other samples.

    Attributes
    ----------
    gain, total
        Per sample, squared error of the mean of the other samples minus that of the prediction, and the former, shape
        (samples,); the sums' ratio is R².
    null
        R² with samples permuted, shape (permutations,).
    share
        Share of the variance between samples.
    """

    gain: np.ndarray
    total: np.ndarray
    null: np.ndarray
    share: Share


def means_of(values: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Return the means of the measured values of each sample, shape (samples, columns); unmeasured ones are 0."""
    codes = np.unique(samples, return_inverse=True)[1]
    known = np.isfinite(values)
    counts, sums = (np.zeros((codes.max() + 1, values.shape[1])) for _ in range(2))
    np.add.at(counts, codes, known)
    np.add.at(sums, codes, np.where(known, values, 0))
    return sums / np.maximum(counts, 1)


def between_samples(
    predictors: np.ndarray, targets: np.ndarray, permutations: int, rng: np.random.Generator
) -> Between:
    """Predict the mean of each sample from those of the others by ridge regression.

    The coefficients of the samples' means are those between samples of a model with effects within and between
    (Mundlak, Econometrica 46 (1978) 69; Neuhaus and Kalbfleisch, Biometrics 54 (1998) 638).

    Parameters
    ----------
    predictors, targets
        Means of samples, shapes (samples, predictors) and (samples, targets); at least three samples.
    permutations
        Permutations of samples.
    rng
        Random generator.
    """
    samples = len(targets)
    # Targets in the observed and in every permuted order of samples, shape (1 + permutations, samples, targets).
    orders = [np.arange(samples), *(rng.permutation(samples) for _ in range(permutations))]
    drawn = targets[np.array(orders)]
    # Squared error of the mean and what the model takes off it, for each sample held out, (2, orders, samples).
    squares = np.zeros((2, len(drawn), samples))
    similarity = predictors @ predictors.T
    for out in range(samples):
        rest = np.delete(np.arange(samples), out)
        mean = drawn[:, rest].mean(axis=1, keepdims=True)
        predicted = mean[:, 0] + _left_out(similarity, drawn[:, rest] - mean, rest, out)
        squares[0, :, out] = np.square(drawn[:, out] - mean[:, 0]).sum(axis=1)
        squares[1, :, out] = squares[0, :, out] - np.square(drawn[:, out] - predicted).sum(axis=1)
    total, gain = squares
    with np.errstate(invalid="ignore", divide="ignore"):
        null = gain[1:].sum(axis=1) / total[1:].sum(axis=1)
    share = variance_share(predictors, targets, np.zeros(samples, dtype=int))
    return Between(gain[0], total[0], null, share)


def _left_out(similarity: np.ndarray, targets: np.ndarray, rest: np.ndarray, out: int) -> np.ndarray:
    """Return the predicted deviation of one sample from the mean of the others, shape (draws, targets)."""
    # Similarity centred on the training samples; eigenvalues of mean 1 in directions of sum 0, shape (samples - 2,).
    inner = similarity[np.ix_(rest, rest)]
    row = similarity[out, rest] - inner.mean(axis=0)
    row = row - row.mean()
    inner = inner - inner.mean(axis=0) - inner.mean(axis=1, keepdims=True) + inner.mean()
    contrasts = np.linalg.qr(np.column_stack([np.ones(len(rest)), np.eye(len(rest))[:, 1:]]))[0][:, 1:]
    values, vectors = np.linalg.eigh(contrasts.T @ inner @ contrasts)
    vectors = contrasts @ vectors
    if not values.mean() > 0:
        return np.zeros((len(targets), targets.shape[2]))
    scale = values.mean()
    values, row = np.maximum(values, 0) / scale, row / scale
    # Share of each draw by restricted maximum likelihood over a grid, from its energies (draws, directions).
    along = np.einsum("rk,drt->dkt", vectors, targets)
    energy = np.square(along).sum(axis=2)
    grid = np.linspace(0, 0.98, STEPS)[:, None]
    variance = grid * values + 1 - grid
    scaled = (energy @ (1 / variance).T) / len(values)
    with np.errstate(divide="ignore"):
        likelihood = -0.5 * (len(values) * np.log(scaled) + np.log(variance).sum(axis=1))
    share = grid[likelihood.argmax(axis=1), 0]
    weights = share[:, None] / (share[:, None] * values + 1 - share[:, None])
    return np.einsum("k,dk,dkt->dt", row @ vectors, weights, along)
