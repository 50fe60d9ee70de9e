"""The paired data in memory, and as MuData on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from cineseq.files import replacing

BLOCKS = ("morphology", "embedding", "function")


@dataclass(frozen=True)
class PairedData:
    """Everything measured on the same cells; rows of every block are the cells of ``obs``, in order.

    Attributes
    ----------
    obs
        One row per cell, indexed by ``track_id``. Always has ``sample``, ``fov``, ``family`` (founder), ``condition``
        and ``replicate``; from imaging also the lineage columns of the cells table and the columns of its pair.
    counts
        Counts, shape (cells, genes); None where there is no expression.
    genes
        Gene names, unique, one per column of ``counts``.
    morphology, embedding, function
        Blocks with one row per cell and columns named as in the cells table; no columns where not measured.
    """

    obs: pd.DataFrame
    counts: sparse.csr_matrix | None
    genes: pd.Index
    morphology: pd.DataFrame
    embedding: pd.DataFrame
    function: pd.DataFrame

    def subset(self, rows: np.ndarray) -> PairedData:
        """Return the cells that a boolean mask or an array of positions selects, shape (cells,)."""
        counts = None if self.counts is None else self.counts[rows]
        blocks = (getattr(self, name).iloc[_positions(rows)] for name in BLOCKS)
        return PairedData(self.obs.iloc[_positions(rows)], counts, self.genes, *blocks)


def _positions(rows: np.ndarray) -> np.ndarray:
    rows = np.asarray(rows)
    return np.flatnonzero(rows) if rows.dtype == bool else rows


def write_paired(data: PairedData, path: Path) -> None:
    """Write the paired data as MuData with one modality per block (``rna``, ``morphology``, ...)."""
    import anndata  # noqa: PLC0415 - 4 s
    import mudata  # noqa: PLC0415

    obs = data.obs.copy()
    for name in obs.columns:
        if pd.api.types.is_string_dtype(obs[name]) or obs[name].dtype == object:
            obs[name] = obs[name].astype("object").where(obs[name].notna(), None)
            obs[name] = pd.Categorical(obs[name])
        elif pd.api.types.is_bool_dtype(obs[name]) and obs[name].isna().any():
            obs[name] = obs[name].astype("boolean")
        elif pd.api.types.is_integer_dtype(obs[name]) and obs[name].isna().any():
            obs[name] = obs[name].astype("Int64")
    modalities = {}
    if data.counts is not None:
        rna = anndata.AnnData(sparse.csr_matrix(data.counts), obs=pd.DataFrame(index=obs.index))
        rna.var_names = data.genes.astype(str)
        modalities["rna"] = rna
    for name in BLOCKS:
        block: pd.DataFrame = getattr(data, name)
        modality = anndata.AnnData(block.to_numpy(np.float64), obs=pd.DataFrame(index=obs.index))
        modality.var_names = [str(c) for c in block.columns]
        modalities[name] = modality
    with mudata.set_options(pull_on_update=False):
        paired = mudata.MuData(modalities)
    paired.obs = paired.obs.join(obs)
    with replacing(path) as temporary:
        paired.write(temporary)


def read_paired(path: Path) -> PairedData:
    """Read what :func:`write_paired` wrote."""
    import mudata  # noqa: PLC0415 - 4 s

    with mudata.set_options(pull_on_update=False):
        paired = mudata.read_h5mu(path)
    index = paired.obs_names
    blocks = {}
    for name in BLOCKS:
        modality = paired.mod[name][index]
        blocks[name] = pd.DataFrame(np.asarray(modality.X), index=index, columns=modality.var_names)
    rna = paired.mod["rna"][index] if "rna" in paired.mod else None
    counts = None if rna is None else sparse.csr_matrix(rna.X)
    genes = pd.Index([]) if rna is None else rna.var_names
    obs = paired.obs.copy()
    for name in obs.columns:
        if isinstance(obs[name].dtype, pd.CategoricalDtype):
            obs[name] = obs[name].astype("string")
    return PairedData(obs, counts, genes, **blocks)
