"""Independent random numbers for every part of a run, from its one seed and the name of the part."""

from __future__ import annotations

import zlib

import numpy as np


def stream(seed: int, *names: str) -> np.random.Generator:
    """Return the generator that belongs to ``names``, such as ``("motion", "s1", "f2")``.

    The same seed and names always give the same numbers, independently of other draws and of their order.
    """
    return np.random.default_rng(_entropy(seed, names))


def child_seed(seed: int, *names: str) -> int:
    """Return the seed that belongs to ``names``, from 0 to 2^32 - 1, for what takes a seed and not a generator."""
    return int(np.random.SeedSequence(_entropy(seed, names)).generate_state(1)[0])


def _entropy(seed: int, names: tuple[str, ...]) -> list[int]:
    return [seed, *(zlib.crc32(name.encode()) for name in names)]
