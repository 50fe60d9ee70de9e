"""Paired data as MuData (h5mu): an export for other programs, which no analysis reads."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from cineseq.errors import reading
from cineseq.files import replacing
from cineseq.io.adata import as_block, with_slash, without_slash
from cineseq.io.counts import make_counts
from cineseq.io.paired import BLOCKS, OPTIONAL_BLOCKS, PairedData, storable, typed_column
from cineseq.tables.imaging import LINEAGE_COLUMNS

if TYPE_CHECKING:
    import anndata


def write_mudata(data: PairedData, path: Path) -> None:
    """Write the paired data as MuData (h5mu): a modality per block (``rna``, ``morphology``, ...), and ``lineage``.

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
        paired.obs = paired.obs.join(obs.rename(columns=without_slash))
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


def read_mudata(path: Path) -> PairedData:
    """Read a file of :func:`write_mudata` that a user brings, with the types of :func:`cineseq.io.adata.read_paired`.

    Raises
    ------
    UserError
        When ``rna`` holds no counts, or a value is infinite.
    """
    import anndata  # noqa: PLC0415 - 4 s
    import h5py  # noqa: PLC0415
    import mudata  # noqa: PLC0415

    damaged = ("not readable as .h5mu", "write the file again")
    with reading(path, *damaged), blocks_apart():
        paired = mudata.read_h5mu(path)
    # mudata infers types again and would convert whole floating-point numbers to integers; keep the types of the file.
    with reading(path, *damaged), h5py.File(path) as file:
        obs = anndata.io.read_elem(file["obs"]).rename_axis("track_id")
    obs = obs.assign(**{name: typed_column(obs[name]) for name in obs}).rename(columns=with_slash)
    blocks = {}
    for name in (n for n in BLOCKS if n in paired.mod or n not in OPTIONAL_BLOCKS):
        modality = _in_order(paired.mod[name], obs.index)
        blocks[name] = as_block(pd.DataFrame(modality.X, obs.index, modality.var_names), str(path))
    if "rna" not in paired.mod or 0 in paired.mod["rna"].shape:
        return PairedData(obs, None, pd.Index([]), **blocks)
    rna = _in_order(paired.mod["rna"], obs.index)
    counts = make_counts(sparse.csr_matrix(rna.X), rna.obs_names, rna.var_names, path)
    return PairedData(obs, counts.matrix, counts.genes, **blocks)


def _in_order(modality: anndata.AnnData, cells: pd.Index) -> anndata.AnnData:
    """Return a modality with its rows in the order of ``cells``; unchanged if they are, to avoid a copy."""
    return modality if modality.obs_names.equals(cells) else modality[cells]
