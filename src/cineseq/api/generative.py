"""Generation of one modality of cells from the other, by a model that a study has learned."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from cineseq.api.keywords import check_whole_number
from cineseq.config.base import LARGEST_SEED
from cineseq.generative.model import GenerativeModel, load
from cineseq.generative.model import generate as generated

if TYPE_CHECKING:
    from anndata import AnnData


def generate(
    model: str | PathLike[str] | GenerativeModel, adata: AnnData, direction: str, samples: int = 1, seed: int = 1
) -> AnnData:
    """Generate the expression of cells from their morphology, or their morphology from their expression.

    Parameters
    ----------
    model
        File of a model that the generative step wrote, or the model itself.
    adata
        Cells with counts, or with ``obsm["X_morphology"]`` and ``["X_embedding"]``, as ``cs.pair`` gives them: those
        of the modality that the direction begins with.
    direction
        ``morphology_to_expression`` or ``expression_to_morphology``.
    samples
        Samples of each cell.
    seed
        Seed of the samples.

    Returns
    -------
    anndata.AnnData
        One row per cell and sample. ``obs["applicability"]`` is the distance of the cell to the nearest cell that the
        model was learned in; 1 is what 95 % of these do not exceed, and a cell far above is outside of what the model
        has seen. ``layers["expected"]`` is the conditional mean, ``uns["generative_model"]`` the card of the model with
        what it explained in held-out cells.

    Raises
    ------
    UserError
        When the file is no such model or was changed, the direction is not in it, or a gene or feature is missing.

    Notes
    -----
    Samples are the model's, not measurements: read the card before anything is concluded from them. Residuals around a
    cross-fitted conditional mean are drawn from held-out cells, or from a flow (Lipman et al., ICLR 2023) where cells
    that were held out show that it is better.
    """
    check_whole_number("seed", seed, 0, LARGEST_SEED)
    check_whole_number("samples", samples, 1)
    found = model if isinstance(model, GenerativeModel) else load(Path(model))
    return generated(found, adata, direction, samples, seed)
