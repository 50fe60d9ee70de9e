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
    model: str | PathLike[str] | GenerativeModel,
    adata: AnnData,
    direction: str,
    samples: int = 1,
    seed: int = 1,
    *,
    guidance: float = 1.0,
) -> AnnData:
    """Generate the expression of cells from their morphology, or their morphology from their expression.

    Parameters
    ----------
    model
        File of a model that the generative step wrote, or the model itself.
    adata
        Cells with counts, or with ``obsm["X_morphology"]`` and ``["X_embedding"]``, as ``cs.pair`` gives them: those
        of the modality that the direction begins with; with the facts of cells in ``obs`` that the model was given.
        Another class in such a column gives the counterfactual of the model.
    direction
        ``morphology_to_expression`` or ``expression_to_morphology``.
    samples
        Samples of each cell.
    seed
        Seed of the samples.
    guidance
        Where samples are by a flow that was given facts of cells (``generative.conditions``): weight of these facts;
        above 1 exaggerates what they change (Ho and Salimans, arXiv 2207.12598). Baselines do not use it.

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
        When the file is no such model or was changed, the direction is not in it, a gene, feature or column is
        missing, or a category is one that the model has not seen.

    Notes
    -----
    Samples are the model's, not measurements: read the card before anything is concluded from them. Residuals around a
    cross-fitted conditional mean are drawn from held-out cells, or from a flow (Lipman et al., ICLR 2023) where cells
    that were held out show that it is better.

    Examples
    --------
    >>> import anndata, numpy as np, pandas as pd
    >>> import cineseq as cs
    >>> from cineseq.config.prediction import Folds
    >>> from cineseq.generative.means import Learning
    >>> from cineseq.generative.study import GenerateOptions, generate_study
    >>> from cineseq.io.adata import paired_of
    >>> rng = np.random.default_rng(1)
    >>> state = rng.normal(size=60)
    >>> counts = rng.poisson(np.exp(2 + 0.5 * state[:, None] * (np.arange(12) < 6))).astype(float)
    >>> obs = pd.DataFrame({"sample": np.repeat(list("abcdef"), 10)}, index=[f"cell{k}" for k in range(60)])
    >>> shape = pd.DataFrame({"morphology_area_um2": state, "morphology_other": rng.normal(size=60)}, index=obs.index)
    >>> adata = anndata.AnnData(counts, obs=obs, obsm={"X_morphology": shape})
    >>> options = GenerateOptions(Folds(), learning=Learning(("ridge",)), min_pairs=60, min_flow=None)
    >>> models = generate_study(paired_of(adata, "example"), options).models
    >>> made = cs.generate(models["expression_to_morphology"], adata, "expression_to_morphology", samples=2)
    >>> made.shape, made.var_names.tolist()
    ((120, 2), ['morphology_area_um2', 'morphology_other'])
    """
    check_whole_number("seed", seed, 0, LARGEST_SEED)
    check_whole_number("samples", samples, 1)
    found = model if isinstance(model, GenerativeModel) else load(Path(model))
    return generated(found, adata, direction, samples, seed, guidance=guidance)
