"""The file of a generative model: arrays and a card, without code; and generation of cells with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from anndata import AnnData

FORMAT = "cineseq generative model 1"


@dataclass(frozen=True)
class GenerativeModel:
    """A model of one direction or of both, as arrays and a card.

    Attributes
    ----------
    card
        What the model is: ``format``, ``cineseq`` (version), ``directions``, ``cells``, ``groups``, ``folds``,
        ``genes``, ``features``, ``sampler`` and held-out numbers per direction, ``seed``.
    arrays
        Arrays by their names, which begin with the direction.
    """

    card: dict[str, Any]
    arrays: dict[str, np.ndarray]


def save(model: GenerativeModel, path: Path) -> None:
    """Write a model with its card, whole or not at all."""
    raise NotImplementedError


def load(path: Path) -> GenerativeModel:
    """Read a model of :func:`save`; nothing in the file is executed.

    Raises
    ------
    UserError
        When the file is of another kind or version, or was changed since it was written.
    """
    raise NotImplementedError


def generate(
    model: GenerativeModel, adata: AnnData, direction: str, samples: int = 1, seed: int = 1, *, where: str = "generate"
) -> AnnData:
    """Generate one modality of cells from the other.

    Parameters
    ----------
    model
        From :func:`load` or of a study.
    adata
        Cells with the modality that the direction begins with.
    direction
        ``morphology_to_expression`` or ``expression_to_morphology``.
    samples
        Samples of each cell.
    seed
        Seed of the samples.
    where
        What is called, for messages.

    Returns
    -------
    anndata.AnnData
        One row per cell and sample, with ``source_cell``, ``sample_number``, ``applicability`` (distance to the
        training cells relative to their own, 1 is their 95 % quantile) in ``obs``, and ``card`` in ``uns``.
    """
    raise NotImplementedError
