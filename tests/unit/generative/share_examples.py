"""Cells whose shapes and genes share planted variance, and what is asked of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cineseq.config.prediction import Folds
from cineseq.generative.held_out import Covariates, Fitting, HeldOut, held_out
from cineseq.prediction.crossval.feature_blocks import Block
from cineseq.prediction.crossval.folds import CrossvalCells, cells_of
from cineseq.statistics.metrics import centred

FIELDS = Folds(groups=["sample", "fov"], inner=3)


@dataclass(frozen=True)
class SharedCells:
    """Shapes, of which the first is size and the second is seen by genes alone, and genes.

    Attributes
    ----------
    unique, common
        Fractions of the variance of each gene within fields that the second shape and size have.
    shift
        Differences between fields, in standard deviations within them.
    """

    unique: float = 0.0
    common: float = 0.0
    shift: float = 1.0
    cells: int = 300
    fields: int = 20
    genes: int = 4
    shapes: int = 8


@dataclass(frozen=True)
class Drawn:
    """Shapes, genes and size of each cell, (cells, columns) each, and its labels."""

    shapes: np.ndarray
    genes: np.ndarray
    obs: pd.DataFrame

    def within(self) -> CrossvalCells:
        return cells_of(self.obs, self.genes, FIELDS, "condition").within_fields()


def draw(planted: SharedCells, seed: int) -> Drawn:
    rng = np.random.default_rng(seed)
    n, field = planted.cells, np.arange(planted.cells) % planted.fields
    shapes = rng.normal(size=(n, planted.shapes))
    left = np.sqrt(1 - planted.unique - planted.common)
    signal = np.sqrt(planted.common) * shapes[:, 0] + np.sqrt(planted.unique) * shapes[:, 1]
    genes = signal[:, None] + left * rng.normal(size=(n, planted.genes))
    batch = planted.shift * rng.normal(size=(planted.fields, 2))
    shapes += (batch @ rng.normal(size=(2, planted.shapes)))[field]
    genes += (batch @ rng.normal(size=(2, planted.genes)))[field]
    index = pd.Index([f"c{i}" for i in range(n)], name="track_id")
    obs = pd.DataFrame({"sample": "s", "fov": field.astype(str), "condition": "a"}, index=index)
    return Drawn(shapes, genes, obs)


def explained(planted: SharedCells, seed: int) -> tuple[HeldOut, np.ndarray]:
    """Return held-out errors of the genes, and their values centred within fields."""
    drawn = draw(planted, seed)
    cells = drawn.within()
    names = tuple(f"shape{i}" for i in range(planted.shapes))
    block = Block(drawn.shapes, names, centre=cells.centre)
    values = centred(drawn.genes, np.asarray(cells.centre))
    size = Covariates({"size": Block(drawn.shapes[:, :1], ("area",))})
    return held_out([block], values, cells, size, Fitting(3, 20, 5, 0.05, None)), values
