"""Control of the false discovery rate."""

from __future__ import annotations

import numpy as np

LEVEL = 0.05


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """Return Benjamini-Hochberg adjusted p-values (q-values).

    Parameters
    ----------
    p
        P-values of any shape; NaN marks a test that could not be done. It stays NaN and is not counted.

    Returns
    -------
    numpy.ndarray
        Adjusted values of the same shape, never below their p-value and never above 1.

    References
    ----------
    Benjamini and Hochberg, J. R. Stat. Soc. B 57 (1995) 289.
    """
    values = np.asarray(p, float)
    adjusted = np.full(values.shape, np.nan)
    known = np.isfinite(values)
    tests = int(known.sum())
    if not tests:
        return adjusted
    order = np.argsort(values[known], kind="stable")
    scaled = values[known][order] * tests / np.arange(1, tests + 1)
    monotone = np.minimum.accumulate(scaled[::-1])[::-1].clip(max=1.0)
    known_adjusted = np.empty(tests)
    known_adjusted[order] = monotone
    adjusted[known] = known_adjusted
    return adjusted


def coarse(permutations: int, p: np.ndarray, tests: str) -> str:
    """Return a warning where the least p-value possible is so large that one test alone cannot pass; else nothing.

    Parameters
    ----------
    permutations
        Permutations that each p-value rests on.
    p
        P-values that are adjusted together; NaN marks a test that could not be done.
    tests
        What is tested, in the plural.
    """
    number = int(np.isfinite(p).sum())
    together = int(np.ceil(number / (permutations + 1) / LEVEL))
    if together <= 1:
        return ""
    if together > number:
        return f"{permutations} permutations for {number} {tests}: none can pass"
    return f"{permutations} permutations for {number} {tests}: {together} or more can pass together, fewer cannot"
