"""Cells whose targets are known functions of their predictors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest


@dataclass(frozen=True)
class Planted:
    """Predictors ``x`` (cells, 6), targets ``y`` (cells, 3: linear, nonlinear, none) and groups."""

    x: np.ndarray
    y: np.ndarray
    units: np.ndarray


def planted(cells: int, seed: int = 0) -> Planted:
    """Return cells of 10 groups; the first two targets have a share of .8, linear and nonlinear, the third none."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(cells, 6))
    shared = np.column_stack([x[:, 0], (x[:, 1] ** 2 - 1) / np.sqrt(2), np.zeros(cells)])
    noise = rng.normal(size=(cells, 3))
    return Planted(x, np.sqrt([0.8, 0.8, 0.0]) * shared + np.sqrt([0.2, 0.2, 1.0]) * noise, np.arange(cells) % 10)


@pytest.fixture(scope="session")
def cells() -> Planted:
    """600 planted cells."""
    return planted(600)
