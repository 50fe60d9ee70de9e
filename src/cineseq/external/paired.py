"""Read external paired data from AnnData or MuData."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cineseq.config.base import FieldOfView
from cineseq.config.external import External
from cineseq.errors import UserError, reading
from cineseq.external.cell_columns import cell_table, chosen_columns, replaced
from cineseq.external.cells import ALWAYS, paired_of
from cineseq.io.adata import read_paired
from cineseq.io.counts import LAYER, from_anndata
from cineseq.io.delimited import STUDY
from cineseq.io.group_columns import with_sheet
from cineseq.io.hdf5 import check_hdf5
from cineseq.io.mudata_export import blocks_apart, read_mudata
from cineseq.io.paired import BLOCKS, OPTIONAL_BLOCKS, PairedData
from cineseq.io.zarr_files import check_codecs
from cineseq.pairing.join import StudyCounts
from cineseq.tables.imaging import CELLS

if TYPE_CHECKING:
    from anndata import AnnData
    from mudata import MuData

logger = logging.getLogger(__name__)
EXPRESSION = ("rna", "gex")
"""Modalities of MuData with counts."""
OWN = ("sample", "fov", "family")


def only_file(paths: list[Path]) -> Path:
    """Return the one file of paired data.

    Raises
    ------
    UserError
        When there is not exactly one.
    """
    if len(paths) != 1:
        msg = f"paired: one file of paired data was expected, got {len(paths)}; join them into one AnnData first."
        raise UserError(msg)
    return paths[0]


def read_external_paired(path: Path, external: External, field: FieldOfView = STUDY) -> PairedData:
    """Read paired data from .h5ad, .zarr or .h5mu.

    A file written by this pipeline is read unchanged, an h5ad only where ``external`` names none of its columns. In
    other files, counts are read from AnnData or the modality ``rna``, and blocks from the modalities or ``obsm`` named
    ``morphology``, ``embedding``, ``features`` and ``function`` (in ``obsm`` also with the prefix ``X_``) and from the
    configured columns of ``obs``. Sample, field of view, condition, replicate and other columns of the sheet are those
    of ``field``, the row of the sheet, where the file does not state them.

    Raises
    ------
    UserError
        When the file cannot be read, has no counts, repeats a cell, or has no function.
    """
    data = _open(path)
    if path.suffix == ".h5mu":
        if set(OWN) <= set(data.obs.columns) and set(BLOCKS) - set(OPTIONAL_BLOCKS) <= set(data.mod):
            return _with_sheet(read_mudata(path), field, path)
        obs, rna = _from_mudata(data, path)
    elif path.suffix == ".h5ad" and external == External() and _is_own(data):
        return _with_sheet(read_paired(path), field, path)
    else:
        keys = {name: key for name in BLOCKS for key in (name, f"X_{name}") if key in data.obsm}
        obs, rna = data.obs.join([_block(data.obsm[key], data.obs_names, name) for name, key in keys.items()]), data
    if not obs.index.is_unique:
        msg = f"{path}: the cell '{obs.index[obs.index.duplicated()][0]}' is listed twice; names must be unique."
        raise UserError(msg)
    names = replaced(pd.Series(obs.index.astype(str), index=obs.index), external.id_replace)
    columns = chosen_columns(obs.set_axis(pd.Index(names, name="cell")), external, str(path))
    if not any(c.startswith("function_") for c in columns):
        msg = f"{path}: there is no function; name the columns of obs that hold it in external.function."
        raise UserError(msg)
    cells = CELLS.check(cell_table(columns, field, str(path)), str(path))
    counts = from_anndata(rna, path)
    index = pd.MultiIndex.from_product([[field.sample], names.reindex(counts.cells)], names=["sample", "barcode"])
    return paired_of(cells, StudyCounts(counts.matrix, index, counts.genes))


def _with_sheet(data: PairedData, field: FieldOfView, path: Path) -> PairedData:
    """Add what the sheet states to paired data of this pipeline, which have their own samples and fields."""
    return replace(data, obs=with_sheet(data.obs, field, str(path)))


def _is_own(data: AnnData) -> bool:
    """Return whether a file was written by this pipeline, with functions."""
    columns = set(data.obs.columns)
    return {"track_id", *ALWAYS} <= columns and LAYER in data.layers and any(c.startswith("function_") for c in columns)


def _open(path: Path) -> AnnData | MuData:
    import anndata  # noqa: PLC0415 - 4 s
    import mudata  # noqa: PLC0415

    readers = {".h5ad": anndata.read_h5ad, ".zarr": anndata.read_zarr, ".h5mu": mudata.read_h5mu}
    if path.suffix not in readers:
        msg = f"{path}: paired data should be .h5ad, .zarr or .h5mu; convert the file to one of them."
        raise UserError(msg)
    if not path.exists():
        msg = f"{path}: there is no such file of paired data; check the column paired of the sample sheet."
        raise UserError(msg)
    if path.suffix in (".h5ad", ".h5mu"):
        check_hdf5(path, f"not readable as {path.suffix}")
    else:
        check_codecs(path)
    with reading(path, f"not readable as {path.suffix}", "write the file again"), blocks_apart():
        return readers[path.suffix](path)


def _from_mudata(data: MuData, path: Path) -> tuple[pd.DataFrame, AnnData]:
    rna = next((data.mod[name] for name in EXPRESSION if name in data.mod), None)
    if rna is None:
        msg = f"{path}: a modality 'rna' was expected, found {sorted(data.mod)}; rename the one that holds counts."
        raise UserError(msg)
    obs = data.obs.reindex(rna.obs_names)
    obs = obs.join(rna.obs[[c for c in rna.obs.columns if c not in obs.columns]])
    blocks = []
    for name in (n for n in BLOCKS if n in data.mod):
        modality = data.mod[name]
        block = pd.DataFrame(np.asarray(modality.X), index=modality.obs_names, columns=modality.var_names)
        blocks.append(_block(block, modality.obs_names, name))
    return obs.join(blocks), rna


def _block(values: pd.DataFrame | np.ndarray, cells: pd.Index, name: str) -> pd.DataFrame:
    """Return a block with columns named ``<name>_*``."""
    frame = values if isinstance(values, pd.DataFrame) else pd.DataFrame(np.asarray(values), index=cells)
    prefix = f"{name}_"
    return frame.rename(columns=lambda c: str(c) if str(c).startswith(prefix) else f"{prefix}{c}").set_axis(cells)
