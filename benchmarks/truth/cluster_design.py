"""Studies in which function has a planted share between clusters of cells within fields."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cineseq.config.prediction import Folds
from cineseq.expression.exchange import Exchange
from cineseq.prediction.crossval.labels import joint_labels
from truth.designs import field_shift, labels_of_cells, samples_in_order, with_family

KINDS = 6
"""Number of clusters of the simulated cells."""


@dataclass(frozen=True)
class Design:
    """A study in which function has a planted share between clusters within fields.

    Attributes
    ----------
    share
        Fraction of the variance of function within fields that lies between clusters.
    field_sd
        Standard deviation of the fields' effects on function, in standard deviations within fields. The clusters'
        frequencies differ between fields, too.
    cells, fields, samples
        Numbers of each.
    functions
        Number of functions with this share, otherwise independent.
    family
        Cells of a family are in one field, share half of the variance of function, and most are of one cluster.
    gradient
        Whether clusters and function both follow the position of a cell within its field.
    interaction
        Whether every field has cluster effects of its own.
    evenness
        How alike the frequencies of the clusters are in the fields: each parameter of their Dirichlet distribution.
    tails
        Degrees of freedom of Student's t of the noise; 0 for a normal distribution.
    """

    share: float = 0.0
    field_sd: float = 1.0
    cells: int = 390
    fields: int = 12
    samples: int = 4
    functions: int = 1
    family: int = 1
    gradient: bool = False
    interaction: bool = False
    evenness: float = 5.0
    tails: float = 0.0


@dataclass(frozen=True)
class _Cells:
    """Cluster, field, family and position of the cells, and the frequencies of the clusters in each field."""

    cluster: np.ndarray
    frequency: np.ndarray
    field: np.ndarray
    families: np.ndarray
    position: np.ndarray


@dataclass(frozen=True)
class Study:
    """Cells of a simulated study: functions, clusters, principal components, labels and families."""

    function: pd.DataFrame
    clusters: pd.Series
    components: pd.DataFrame
    obs: pd.DataFrame
    families: np.ndarray

    @property
    def field(self) -> np.ndarray:
        """Number of the field of each cell, shape (cells,)."""
        return self.obs["fov"].to_numpy(int)

    def exchange(self, permutations: int, seed: int) -> Exchange:
        """Return the null as the pipeline sets it: permutations within the strata of prediction, families whole."""
        strata = joint_labels(self.obs, Folds().null_strata)
        return Exchange(strata, self.families, permutations, seed)


def drawn(design: Design, seed: int) -> Study:
    """Draw the cells of a study."""
    rng = np.random.default_rng(seed)
    families = np.arange(design.cells) // design.family
    field = rng.integers(0, design.fields, families.max() + 1)[families]
    position = rng.uniform(-1, 1, design.cells)
    # Clusters: their frequencies differ between fields; three in four cells have the cluster of their family.
    frequency = rng.dirichlet(np.full(KINDS, design.evenness), design.fields)
    level = rng.random(design.cells)
    own = rng.random(design.cells) < (0.25 if design.family > 1 else 1.0)
    level = np.where(own, level, rng.random(families.max() + 1)[families])
    if design.gradient:
        level = (np.argsort(np.argsort(position + rng.normal(size=design.cells))) + 0.5) / design.cells
    cluster = (level[:, None] > frequency[field].cumsum(axis=1)).sum(axis=1).clip(0, KINDS - 1)
    cells = _Cells(cluster, frequency, field, families, position)
    columns = {f"function_{number}": _function(design, rng, cells) for number in range(design.functions)}
    # Components differ between fields by one standard deviation.
    shift = field_shift(field, design.fields, 3, rng) + design.gradient * position[:, None]
    components = shift + rng.normal(size=(design.cells, 3))
    return Study(
        pd.DataFrame(columns),
        pd.Series(cluster.astype(str), dtype="string"),
        pd.DataFrame(components, columns=["pc_1", "pc_2", "pc_3"]),
        labels_of_cells(field, samples_in_order(field, design.samples, design.fields)),
        families,
    )


def _function(design: Design, rng: np.random.Generator, cells: _Cells) -> np.ndarray:
    """Return a function whose variance within fields is 1, shape (cells,)."""
    frequency, families = cells.frequency, cells.families
    # Cluster means, scaled so that their mean variance within fields is 1, shape (fields, clusters).
    means = rng.permutation(np.linspace(-1, 1, KINDS))[None, :].repeat(design.fields, axis=0)
    if design.interaction:
        means = rng.normal(size=means.shape)
    means -= (frequency * means).sum(axis=1, keepdims=True)
    means /= np.sqrt((frequency * means**2).sum(axis=1).mean())
    noise = rng.normal(size=design.cells)
    if design.tails:
        noise = rng.standard_t(design.tails, design.cells) / np.sqrt(design.tails / (design.tails - 2))
    noise = with_family(noise, families, rng)
    if design.gradient:
        noise = np.sqrt(0.5) * noise + np.sqrt(1.5) * cells.position
    return (
        np.sqrt(design.share) * means[cells.field, cells.cluster]
        + np.sqrt(1 - design.share) * noise
        + design.field_sd * field_shift(cells.field, design.fields, 1, rng)[:, 0]
    )
