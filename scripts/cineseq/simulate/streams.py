"""Independent streams of random numbers from one seed, so that one effect can change without moving the others."""

import zlib

import numpy as np


def stream(seed: int, *names: str) -> np.random.Generator:
    """Return the generator that belongs to ``names``, such as ``("motion", "s1", "f2")``.

    The same seed and names always give the same numbers, whatever else was drawn before.
    """
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])


def spread(probability: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw true or false for each probability so that every run of rows holds its expected number, give or take one.

    Systematic sampling: the draws are as frequent as asked for along the given order, which keeps a planted
    association from drifting away in a small sample.

    Parameters
    ----------
    probability
        Probabilities, shape (n,), in the order along which the draws are spread.
    rng
        Source of the one random number that is needed.
    """
    ladder = np.concatenate([[0.0], np.cumsum(probability)]) + rng.random()
    return np.diff(np.floor(ladder)) > 0
