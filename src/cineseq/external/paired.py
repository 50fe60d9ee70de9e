"""Read external paired data from AnnData or MuData."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from cineseq.config.base import FieldOfView
from cineseq.config.external import External
from cineseq.errors import UserError, reading, warn_of
from cineseq.external.cell_columns import cell_table, chosen_columns, numbers, replaced
from cineseq.external.cells import ALWAYS, paired_of
from cineseq.io.adata import read_paired
from cineseq.io.counts import from_anndata
from cineseq.io.delimited import STUDY
from cineseq.io.group_columns import with_sheet
from cineseq.io.hdf5 import check_hdf5
from cineseq.io.mudata_export import blocks_apart, read_mudata
from cineseq.io.paired import BLOCKS, OPTIONAL_BLOCKS, PairedData
from cineseq.io.which_matrix import LAYER, as_sparse
from cineseq.io.written import as_text
from cineseq.io.zarr_files import check_codecs
from cineseq.pairing.join import StudyCounts
from cineseq.tables.imaging import CELLS
from cineseq.text import count, listed

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


def read_external_paired(
    path: Path, external: External, field: FieldOfView = STUDY, *, layer: str | None = None
) -> PairedData:
    """Read paired data from .h5ad, .zarr or .h5mu.

    A file written by this pipeline is read unchanged, an h5ad only where ``external`` names none of its columns. In
    other files, counts are read from AnnData or the modality ``rna``, and blocks from the modalities or ``obsm`` named
    ``morphology``, ``embedding``, ``features`` and ``function`` (in ``obsm`` also with the prefix ``X_``) and from the
    configured columns of ``obs``; ``external.modalities`` and ``external.obsm`` give other names of modalities and
    tables. Counts are those of :func:`cineseq.io.which_matrix.counts_matrix`, or of ``layer``. Sample, field of view,
    condition, replicate and other columns of the sheet are those of ``field``, the row of the sheet, where the file
    does not state them.

    Raises
    ------
    UserError
        When the file cannot be read, has no counts, repeats a cell, or has no function.
    """
    data = open_annotated(path, "the column paired of the sample sheet")
    if path.suffix == ".h5mu":
        if set(OWN) <= set(data.obs.columns) and set(BLOCKS) - set(OPTIONAL_BLOCKS) <= set(data.mod):
            return _with_sheet(read_mudata(path), field, path)
        obs, rna = _from_mudata(data, path, external)
    elif path.suffix == ".h5ad" and external == External() and layer is None and _is_own(data):
        return _with_sheet(read_paired(path), field, path)
    else:
        obs, rna = _from_anndata(data, path, external)
    obs = obs.set_axis(pd.Index(as_text(pd.Series(obs.index.astype(str)))))
    if not obs.index.is_unique:
        msg = f"{path}: the cell '{obs.index[obs.index.duplicated()][0]}' is listed twice; names must be unique."
        raise UserError(msg)
    names = replaced(pd.Series(obs.index.astype(str), index=obs.index), external.id_replace)
    columns = chosen_columns(obs.set_axis(pd.Index(names, name="cell")), external, str(path))
    if not any(c.startswith("function_") for c in columns):
        there = f"obs has {listed(map(str, data.obs.columns)) or 'no column'}, obsm {listed(data.obsm) or 'nothing'}"
        there += f", and the modalities are {listed(data.mod)}" if path.suffix == ".h5mu" else ""
        msg = (
            f"{path}: there is no function; {there}. Name columns of obs in external.function, a table of obsm in "
            "external.obsm, or a modality in external.modalities."
        )
        raise UserError(msg)
    cells = CELLS.check(cell_table(columns, field, str(path)), str(path))
    counts = from_anndata(rna, path, layer)
    index = pd.MultiIndex.from_product([[field.sample], names.reindex(counts.cells)], names=["sample", "barcode"])
    return paired_of(cells, StudyCounts(counts.matrix, index, counts.genes))


def _with_sheet(data: PairedData, field: FieldOfView, path: Path) -> PairedData:
    """Add what the sheet states to paired data of this pipeline, which have their own samples and fields."""
    return replace(data, obs=with_sheet(data.obs, field, str(path)))


def _is_own(data: AnnData) -> bool:
    """Return whether a file was written by this pipeline, with functions."""
    columns = set(data.obs.columns)
    return {"track_id", *ALWAYS} <= columns and LAYER in data.layers and any(c.startswith("function_") for c in columns)


def open_annotated(path: Path, named: str) -> AnnData | MuData:
    """Open .h5ad, .zarr or .h5mu that ``named`` names, once nothing in it can harm a reader."""
    import anndata  # noqa: PLC0415 - 4 s
    import mudata  # noqa: PLC0415

    readers = {".h5ad": anndata.read_h5ad, ".zarr": anndata.read_zarr, ".h5mu": mudata.read_h5mu}
    if path.suffix not in readers:
        msg = f"{path}: it should be .h5ad, .zarr or .h5mu; convert the file to one of them."
        raise UserError(msg)
    if not path.exists():
        msg = f"{path}: there is no such file; check {named}."
        raise UserError(msg)
    if path.suffix in (".h5ad", ".h5mu"):
        check_hdf5(path, f"not readable as {path.suffix}")
    else:
        check_codecs(path)
    with reading(path, f"not readable as {path.suffix}", "write the file again"), blocks_apart():
        return readers[path.suffix](path)


def _from_anndata(data: AnnData, path: Path, external: External) -> tuple[pd.DataFrame, AnnData]:
    keys = {name: key for name in BLOCKS for key in (name, f"X_{name}") if key in data.obsm}
    _check_named(external.obsm, list(data.obsm), f"{path}: external.obsm", "table in obsm")
    unread = sorted(set(data.obsm) - {*keys.values(), *external.obsm.values()})
    if unread:
        logger.info("%s: tables of obsm that are not read (external.obsm): %s.", path, listed(unread))
    blocks = [
        _block(data.obsm[key], data.obs_names, name, f"{path}, obsm['{key}']")
        for name, key in (keys | external.obsm).items()
    ]
    return data.obs.join(blocks), data


def _from_mudata(data: MuData, path: Path, external: External) -> tuple[pd.DataFrame, AnnData]:
    _check_named(external.modalities, list(data.mod), f"{path}: external.modalities", "modality")
    named = {name: name for name in BLOCKS if name in data.mod} | external.modalities
    usual = [name for name in data.mod if name.lower() in EXPRESSION]
    counts = named.pop("rna", usual[0] if len(usual) == 1 else None)
    if counts is None:
        example = next(iter(data.mod), "gene expression")
        msg = (
            f"{path}: a modality 'rna' with counts was expected, found {listed(data.mod)}; name yours in "
            f"external.modalities, such as {{rna: {example}}}."
        )
        raise UserError(msg)
    rna = data.mod[counts]
    if unread := [f"'{name}'" for name in data.mod if name not in (counts, *named.values())]:
        what = count(len(unread), "modality is", "modalities are")
        warn_of(
            logger,
            f"{path}: {what} not read: {listed(unread)}; name what should be in external.modalities, such as "
            f"{{morphology: {unread[0]}}}.",
        )
    if without := int((~data.obs_names.isin(rna.obs_names)).sum()):
        warn_of(logger, f"{path}: left out {count(without, 'cell')} of {data.n_obs} without counts.")
    obs = data.obs.reindex(rna.obs_names)
    obs = obs.join(rna.obs[[c for c in rna.obs.columns if c not in obs.columns]])
    blocks = []
    for name, key in named.items():
        modality, where = data.mod[key], f"{path}, modality '{key}'"
        values = as_sparse(modality.X, where).toarray() if sparse.issparse(modality.X) else np.asarray(modality.X)
        block = pd.DataFrame(values, index=modality.obs_names, columns=modality.var_names)
        blocks.append(_block(block, modality.obs_names, name, where))
    return obs.join(blocks), rna


def _check_named(named: Mapping[Any, str], there: list[str], where: str, what: str) -> None:
    for name, key in named.items():
        if key not in there:
            msg = f"{where}.{name}: there is no {what} '{key}'; there are {listed(there) or 'none'}."
            raise UserError(msg)


def _block(values: pd.DataFrame | np.ndarray, cells: pd.Index, name: str, where: str) -> pd.DataFrame:
    """Return a block of numbers with columns named ``<name>_*``; messages have the names of the file."""
    dense = as_sparse(values, where).toarray() if sparse.issparse(values) else values
    frame = dense if isinstance(dense, pd.DataFrame) else pd.DataFrame(np.asarray(dense), index=cells)
    frame = pd.DataFrame({column: numbers(frame[column], where) for column in frame}, index=frame.index)
    prefix = f"{name}_"
    return frame.rename(columns=lambda c: str(c) if str(c).startswith(prefix) else f"{prefix}{c}").set_axis(cells)
