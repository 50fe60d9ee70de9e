"""Paired data in memory, and as MuData files."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from cineseq.config.expression import Normalisation
from cineseq.files import replacing
from cineseq.tables.imaging import LINEAGE_COLUMNS

if TYPE_CHECKING:
    import anndata

BLOCKS = ("morphology", "embedding", "function", "features")
OPTIONAL_BLOCKS = ("features",)
"""Blocks that are in the file only if they have columns."""


@dataclass(frozen=True)
class PairedData:
    """All measurements of the same cells; the rows of each block are the cells of ``obs``, in order.

    Attributes
    ----------
    obs
        One row per cell, indexed by ``track_id``. Always has ``sample``, ``fov``, ``family`` (founder), ``condition``
        and ``replicate``; from imaging also the lineage columns of the cells table and the columns of its pair.
    counts
        Counts, shape (cells, genes); None without expression.
    genes
        Gene names, unique, one per column of ``counts``.
    morphology, embedding, function
        Blocks with one row per cell and columns named as in the cells table; no columns if not measured.
    features
        External features, which a user measured; a block like ``morphology``.
    normalisation
        How an analysis normalises the counts; not in the file.
    """

    obs: pd.DataFrame
    counts: sparse.csr_matrix | None
    genes: pd.Index
    morphology: pd.DataFrame
    embedding: pd.DataFrame
    function: pd.DataFrame
    normalisation: Normalisation = "median"
    features: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __post_init__(self) -> None:
        """Give cells without external features a block without columns."""
        if not self.features.shape[1]:
            object.__setattr__(self, "features", pd.DataFrame(index=self.obs.index))

    def subset(self, rows: np.ndarray) -> PairedData:
        """Return the cells that a boolean mask or an array of positions selects, shape (cells,)."""
        counts = None if self.counts is None else self.counts[rows]
        blocks = {name: getattr(self, name).iloc[_positions(rows)] for name in BLOCKS}
        return replace(self, obs=self.obs.iloc[_positions(rows)], counts=counts, **blocks)


def _positions(rows: np.ndarray) -> np.ndarray:
    rows = np.asarray(rows)
    return np.flatnonzero(rows) if rows.dtype == bool else rows


def write_paired(data: PairedData, path: Path) -> None:
    """Write the paired data as MuData with one modality per block (``rna``, ``morphology``, ...) and ``lineage``.

    The modality ``lineage`` is for other programs: it repeats columns of ``obs`` and is not read back.
    """
    import anndata  # noqa: PLC0415 - 4 s
    import mudata  # noqa: PLC0415

    obs = data.obs.assign(**{name: storable(data.obs[name]) for name in data.obs})
    modalities = {}
    if data.counts is not None:
        rna = anndata.AnnData(sparse.csr_matrix(data.counts), obs=pd.DataFrame(index=obs.index))
        rna.var_names = data.genes.astype(str)
        modalities["rna"] = rna
    for name in BLOCKS:
        block: pd.DataFrame = getattr(data, name)
        if name in OPTIONAL_BLOCKS and not block.shape[1]:
            continue
        modality = anndata.AnnData(block.to_numpy(np.float64), obs=pd.DataFrame(index=obs.index))
        modality.var_names = [str(c) for c in block.columns]
        modalities[name] = modality
    modalities["lineage"] = _lineage(obs)
    with blocks_apart(), replacing(path) as temporary:
        paired = mudata.MuData(modalities)
        paired.obs = paired.obs.join(obs)
        paired.write(temporary)


def _lineage(obs: pd.DataFrame) -> anndata.AnnData:
    """Return the lineage columns as AnnData: numbers in the matrix, text and Boolean values in ``obs``."""
    import anndata  # noqa: PLC0415 - 4 s

    there = [column for column in LINEAGE_COLUMNS if column.name in obs]
    numbers = [column.name for column in there if column.kind in ("integer", "number")]
    matrix = obs[numbers].astype("Float64").to_numpy(np.float64, na_value=np.nan)
    lineage = anndata.AnnData(matrix, obs=obs[[column.name for column in there if column.name not in numbers]])
    lineage.var_names = numbers
    return lineage


def blocks_apart() -> AbstractContextManager[Any]:
    """Keep mudata 0.3 from copying columns between modalities; 0.4 never does, and has no such option."""
    import mudata  # noqa: PLC0415

    set_options = getattr(mudata, "set_options", None)
    return nullcontext() if set_options is None else set_options(pull_on_update=False)


def storable(values: pd.Series) -> pd.Series:
    """Return a column of ``obs`` in a type that h5ad and h5mu files hold, missing values included."""
    if pd.api.types.infer_dtype(values) == "boolean":
        return values.astype("boolean")
    if pd.api.types.is_float_dtype(values):
        return values.astype("float64")
    if pd.api.types.is_numeric_dtype(values):
        return values
    text = values.astype("string").astype(object)
    return text.where(text.notna(), None).astype("category")


def read_paired(path: Path, normalisation: Normalisation = "median") -> PairedData:
    """Read a file of :func:`write_paired`; text is ``string``, Boolean values ``boolean``, whole numbers ``Int64``.

    Parameters
    ----------
    path
        The file.
    normalisation
        How the analysis that reads it will normalise the counts, which are returned as they are.
    """
    import anndata  # noqa: PLC0415 - 4 s
    import h5py  # noqa: PLC0415
    import mudata  # noqa: PLC0415

    with blocks_apart():
        paired = mudata.read_h5mu(path)
    # mudata infers types again and would convert whole floating-point numbers to integers; keep the types of the file.
    with h5py.File(path) as file:
        obs = anndata.io.read_elem(file["obs"]).rename_axis("track_id")
    obs = obs.assign(**{name: typed_column(obs[name]) for name in obs})
    blocks = {}
    for name in (n for n in BLOCKS if n in paired.mod or n not in OPTIONAL_BLOCKS):
        modality = _in_order(paired.mod[name], obs.index)
        blocks[name] = pd.DataFrame(np.asarray(modality.X), index=obs.index, columns=modality.var_names)
    rna = _in_order(paired.mod["rna"], obs.index) if "rna" in paired.mod else None
    counts = None if rna is None else sparse.csr_matrix(rna.X)
    genes = pd.Index([]) if rna is None else rna.var_names
    return PairedData(obs, counts, genes, **blocks, normalisation=normalisation)


def _in_order(modality: anndata.AnnData, cells: pd.Index) -> anndata.AnnData:
    """Return a modality with its rows in the order of ``cells``; unchanged if they are, to avoid a copy."""
    return modality if modality.obs_names.equals(cells) else modality[cells]


def typed_column(values: pd.Series) -> pd.Series:
    """Return a column as analyses read it: text ``string``, truth ``boolean``, whole numbers ``Int64``."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values.astype("string")
    if pd.api.types.is_bool_dtype(values):
        return values.astype("boolean")
    return values.astype("Int64") if pd.api.types.is_integer_dtype(values) else values
