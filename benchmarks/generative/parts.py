"""Parts of a share: what is linear, unique to shape, and common with size, where each is planted, and where none is.

The tests of the package draw their cells here, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import pandas as pd
from truth.claims import Claim

from cineseq.config.prediction import Folds
from cineseq.generative.held_out import Covariates, Fitting, HeldOut, held_out
from cineseq.prediction.crossval.feature_blocks import Block
from cineseq.prediction.crossval.folds import CrossvalCells, cells_of
from cineseq.statistics.metrics import centred, sums_jackknife

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
        """Return the cells with whole fields held out and values centred within fields."""
        return cells_of(self.obs, self.genes, FIELDS, "condition").within_fields()


def draw(planted: SharedCells, seed: int) -> Drawn:
    """Draw a study."""
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


@lru_cache(maxsize=8)
def explained(planted: SharedCells, seed: int) -> tuple[HeldOut, np.ndarray]:
    """Return held-out errors of the genes, and their values centred within fields."""
    drawn = draw(planted, seed)
    cells = drawn.within()
    names = tuple(f"shape{i}" for i in range(planted.shapes))
    block = Block(drawn.shapes, names, centre=cells.centre)
    values = centred(drawn.genes, np.asarray(cells.centre))
    size = Covariates({"size": Block(drawn.shapes[:, :1], ("area",))})
    return held_out([block], values, cells, size, Fitting(3, 20, 5, 0.05, None)), values


def share_in_total(planted: SharedCells, seed: int, part: str = "linear", number: str = "share") -> float:
    """Return the share of a part over all genes of one study, or 1 where its interval is above 0, else 0.

    Parameters
    ----------
    planted, seed
        The study.
    part
        See :meth:`cineseq.generative.held_out.HeldOut.parts`.
    number
        ``share``, or ``found`` for whether the lower end is above 0.
    """
    fitted, _ = explained(planted, seed)
    weights = np.ones((planted.genes, 1))
    found = sums_jackknife(fitted.parts()[part] @ weights, fitted.total @ weights)
    return float(found.estimate[0]) if number == "share" else float(found.interval()[0][0] > 0)


PARTS = {"linear": lambda p: p.unique + p.common, "unique": lambda p: p.unique, "common": lambda p: p.common}
"""The planted share of each part."""


def _claims() -> list[Claim]:
    claims = []
    for planted in (SharedCells(), SharedCells(common=0.3), SharedCells(unique=0.2, common=0.2)):
        design = f"300 cells of 20 fields, shifts of 1 sd, unique {planted.unique:g}, common {planted.common:g}"
        key = f"unique_{planted.unique:g}_common_{planted.common:g}"
        for part, truth_of in PARTS.items():
            share = truth_of(planted)
            mean = partial(share_in_total, planted, part=part)
            claims.append(Claim(f"parts.{part}_{key}", design, f"{part} share, planted {share:g}", mean, 150, new=True))
            if share == 0:
                found = partial(share_in_total, planted, part=part, number="found")
                what = f"share of studies whose {part} part is found"
                claims.append(Claim(f"parts.found_{part}_{key}", design, what, found, 150, at_most=0.05, new=True))
    return claims


CLAIMS = _claims()
