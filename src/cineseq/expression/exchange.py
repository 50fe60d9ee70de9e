"""How values are permuted, and null statistics under these permutations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from cineseq.statistics.permutation import (
    exchangeable_blocks,
    permuted_statistics,
)
from cineseq.statistics.position import spatial_null
from cineseq.statistics.sequential import SequentialDesign


@dataclass(frozen=True)
class Exchange:
    """Which cells the null exchanges, and how often.

    Attributes
    ----------
    strata
        Stratum of each cell, shape (cells,), such as its field of view. The null permutes function within strata, so a
        difference between fields that differ in their clusters is part of the null; effects are within strata, too.
    families
        Family of each cell, shape (cells,). Relatives are similar, so a family is permuted as a block.
    permutations, seed
        Number of first permutations and their seed.
    within
        Columns whose joint values are the strata, for the tables; empty for one stratum.
    margin
        A function is shown absent when the upper end of its epsilon squared is below this.
    most
        Most permutations; see :class:`cineseq.statistics.sequential.SequentialDesign`.
    position
        Row and column in the frame, shape (cells, 2). Permuted functions vary with it as the measured ones do; None
        where they need not.
    fields
        Field of each cell, shape (cells,), which the positions are in; None for the strata.
    """

    strata: np.ndarray
    families: np.ndarray
    permutations: int
    seed: int
    within: tuple[str, ...] = ("sample", "fov")
    margin: float = 0.05
    most: int = 9999
    position: np.ndarray | None = None
    fields: np.ndarray | None = None

    def design(self, tests: int) -> SequentialDesign:
        """Return when the permutations of one of so many tests end."""
        return SequentialDesign(self.permutations, self.most, tests)

    def null(
        self,
        values: np.ndarray,
        usable: np.ndarray,
        statistic: Callable[[np.ndarray], np.ndarray],
    ) -> tuple[Callable[[int, np.random.Generator], np.ndarray], float]:
        """Return what draws a statistic of permuted values, and the share of variance that follows the position.

        It takes the number of permutations and a random generator. The share is of the variance within fields; NaN
        where the null does not keep it.

        Parameters
        ----------
        values
            Values of the usable cells.
        usable
            Mask over all cells.
        statistic
            Function that maps permuted values of shape (n, usable cells) to shape (n, ...).
        """
        blocks = exchangeable_blocks(self.strata[usable], self.families[usable])
        if self.position is None:
            return partial(permuted_statistics, values, blocks, statistic=statistic), np.nan
        # Surfaces of fields within strata, which change neither the means of fields nor those of strata.
        labels = [self.strata[usable], (self.strata if self.fields is None else self.fields)[usable]]
        fields = pd.factorize(pd.MultiIndex.from_arrays(labels))[0]
        by_position = spatial_null(values[:, None], self.position[usable], fields)

        def of_coloured(drawn: np.ndarray) -> np.ndarray:
            return statistic(by_position.coloured(drawn.T[:, :, None])[:, :, 0].T)

        whitened = by_position.whitened(values[:, None])[:, 0]
        return partial(permuted_statistics, whitened, blocks, statistic=of_coloured), by_position.share
