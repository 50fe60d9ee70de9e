"""Paired data as one AnnData, in memory and as h5ad, and any AnnData as the arrays that analyses read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, get_args
from urllib.parse import quote

import numpy as np
import pandas as pd
from scipy import sparse

from cineseq.config.base import FieldOfView
from cineseq.config.expression import Normalisation
from cineseq.errors import UserError, reading
from cineseq.files import replacing
from cineseq.io.counts import log_normalised, make_counts
from cineseq.io.paired import BLOCKS, PairedData, storable, typed_column
from cineseq.io.which_matrix import LAYER, as_sparse, counts_matrix
from cineseq.tables.contract import FIELD

if TYPE_CHECKING:
    from anndata import AnnData

IMAGED = ("morphology", "embedding", "features")
"""Blocks that are tables of ``obsm``; function is columns of ``obs``."""
SLASH = quote("/", safe="")
"""What stands for ``/`` in the names of columns in a file, as in a URL; HDF5 would make a group of it."""


def adata_of(data: PairedData) -> AnnData:
    """Return paired data as AnnData.

    Returns
    -------
    anndata.AnnData
        ``layers["counts"]``, their normalised logarithm as ``X``, what is known of the cells and ``function_*`` in
        ``obs``, and ``obsm["X_morphology"]``, ``["X_embedding"]`` and ``["X_features"]`` (tables with named columns)
        where measured. It can be written as h5ad.
    """
    import anndata  # noqa: PLC0415 - 4 s

    names = data.obs.index.astype(str).rename(None)
    facts = {"track_id": pd.Series(names, names)} | {name: data.obs[name].set_axis(names) for name in data.obs}
    facts |= {str(name): column.set_axis(names) for name, column in data.function.items()}
    obs = pd.DataFrame({name: storable(values) for name, values in facts.items()}, index=names)
    counts = sparse.csr_matrix((len(names), 0), dtype=np.float32) if data.counts is None else data.counts
    log = log_normalised(sparse.csr_matrix(counts, dtype=np.float64), data.normalisation)
    adata = anndata.AnnData(log, obs=obs, var=pd.DataFrame(index=pd.Index(data.genes.astype(str))))
    adata.layers[LAYER] = sparse.csr_matrix(counts)
    for name in IMAGED:
        block: pd.DataFrame = getattr(data, name)
        if block.shape[1]:
            adata.obsm[f"X_{name}"] = block.set_axis(names).astype(np.float64)
    return adata


def write_paired(data: PairedData, path: Path) -> None:
    """Write paired data as one AnnData (h5ad), whole or not at all; see :func:`adata_of`."""
    adata = adata_of(data)
    adata.obs = adata.obs.rename(columns=without_slash)
    for key in list(adata.obsm):
        adata.obsm[key] = adata.obsm[key].rename(columns=without_slash)
    with replacing(path) as temporary:
        adata.write_h5ad(temporary)


def read_paired(path: Path, normalisation: Normalisation = "median") -> PairedData:
    """Read a file of :func:`write_paired`, as :func:`paired_of` does; ``X`` is not loaded.

    Raises
    ------
    UserError
        When the file is no complete AnnData, or as :func:`paired_of`.
    """
    with _opened(path) as adata:
        return paired_of(adata, str(path), normalisation)


@contextmanager
def _opened(path: Path) -> Iterator[AnnData]:
    import anndata  # noqa: PLC0415 - 4 s

    with reading(path, "not readable as paired data", "delete it and run again, so that it is made anew"):
        adata = anndata.read_h5ad(path, backed="r")
    try:
        yield adata
    finally:
        adata.file.close()


def without_slash(name: str) -> str:
    """Return the name of a column as a file holds it."""
    return name.replace("/", SLASH)


def with_slash(name: object) -> str:
    """Return the name of a column of a file as it was."""
    return str(name).replace(SLASH, "/")


def paired_of(adata: AnnData, where: str, normalisation: Normalisation = "median") -> PairedData:
    """Return the arrays of an AnnData that analyses read; it is not changed.

    Parameters
    ----------
    adata
        In memory or backed. Counts are ``layers["counts"]``, else ``X`` or ``raw.X`` where these hold counts. Blocks
        are ``obsm["X_morphology"]``, ``["X_embedding"]`` and ``["X_features"]`` (or without ``X_``; columns of arrays
        are numbered from 0), else columns of ``obs`` with these names before them; a slash may be
        quoted as in a URL. Without ``sample`` or ``fov`` in ``obs`` all cells are of one.
    where
        What is called, for messages.
    normalisation
        How the analysis normalises the counts.

    Raises
    ------
    UserError
        When it is no AnnData, a cell is there twice, there are genes without counts, or a value is infinite.
    """
    _check_type(adata, where)
    check_normalisation(normalisation, where)
    names = pd.Index(adata.obs_names.astype(str).astype(object), name="track_id")
    if names.has_duplicates:
        twice = names[names.duplicated()][0]
        msg = f"{where}: the cell '{twice}' is there twice; call adata.obs_names_make_unique() or leave one out."
        raise UserError(msg)
    obs = adata.obs.set_axis(names).rename(columns=with_slash)
    blocks = {name: _block(adata, obs, name, where) for name in BLOCKS}
    prefixes = tuple(f"{name}_" for name in BLOCKS)
    _check_groups(obs, where)
    facts = obs[[c for c in obs if c != "track_id" and not c.startswith(prefixes)]]
    facts = facts.assign(**{name: typed_column(facts[name]) for name in facts})
    counts, genes = _counts(adata, where)
    return PairedData(_with_groups(facts), counts, genes, **blocks, normalisation=normalisation)


def _check_type(adata: AnnData, where: str) -> None:
    import anndata  # noqa: PLC0415 - 4 s

    if not isinstance(adata, anndata.AnnData):
        kind = type(adata).__name__
        msg = f"{where}: an AnnData was expected, got {kind}; make one with cs.pair, or read it with anndata.read_h5ad."
        raise UserError(msg)


def check_normalisation(normalisation: str, where: str) -> None:
    """Check the name of a normalisation; else name those that there are."""
    if normalisation not in get_args(Normalisation):
        known = ", ".join(map(repr, get_args(Normalisation)))
        msg = f"{where}: normalisation={normalisation!r} is not known; the normalisations are {known}."
        raise UserError(msg)


def _check_groups(obs: pd.DataFrame, where: str) -> None:
    for name in FIELD:
        if name in obs and obs[name].isna().any():
            cell = obs[name].isna().idxmax()
            msg = f"{where}: cell '{cell}' has no value in adata.obs['{name}']; give every cell its {name}, or none."
            raise UserError(msg)


def _with_groups(obs: pd.DataFrame) -> pd.DataFrame:
    """Return what is known of the cells with the columns that every analysis groups by; unknown is missing."""
    one = FieldOfView()
    defaults = {"sample": one.sample, "fov": one.fov, "condition": pd.NA, "replicate": pd.NA}
    obs = obs.assign(
        **{name: pd.Series(value, obs.index, dtype="string") for name, value in defaults.items() if name not in obs}
    )
    if "family" not in obs:
        founder = obs["founder_id"] if "founder_id" in obs else pd.Series(pd.NA, obs.index)
        obs = obs.assign(family=founder.astype("string").fillna(pd.Series(obs.index, obs.index, dtype="string")))
    return obs


def _counts(adata: AnnData, where: str) -> tuple[sparse.csr_matrix | None, pd.Index]:
    """Return counts, float32 of shape (cells, genes), and the names of genes; None where there is no gene."""
    if not adata.n_vars:
        return None, pd.Index([])
    if not adata.n_obs:
        return sparse.csr_matrix(adata.shape, dtype=np.float32), pd.Index(adata.var_names.astype(str))
    found = make_counts(*counts_matrix(adata, where), Path(where))
    return found.matrix, found.genes


def _block(adata: AnnData, obs: pd.DataFrame, name: str, where: str) -> pd.DataFrame:
    """Return a block with its columns named ``<name>_*``, as numbers; missing values stay."""
    prefix = f"{name}_"
    key = next((k for k in (f"X_{name}", name) if k in adata.obsm), None) if name in IMAGED else None
    if key is None:
        frame = obs[[c for c in obs if c.startswith(prefix)]]
    elif isinstance(adata.obsm[key], pd.DataFrame):
        frame = adata.obsm[key].set_axis(obs.index)
    else:
        values = adata.obsm[key]
        dense = as_sparse(values, where).toarray() if sparse.issparse(values) else np.asarray(values)
        frame = pd.DataFrame(dense, index=obs.index)
    frame = frame.rename(columns=with_slash).rename(columns=lambda c: c if c.startswith(prefix) else f"{prefix}{c}")
    return as_block(frame, where)


def as_block(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return a table of shape (cells, columns) as finite numbers or missing; see :func:`as_finite`."""
    values = np.empty(frame.shape)  # one array, row by row, however the columns were stored
    for k, name in enumerate(frame.columns):
        values[:, k] = as_finite(frame[name], where)
    return pd.DataFrame(values, frame.index, pd.Index(frame.columns, dtype=object))


def as_finite(values: pd.Series, where: str) -> pd.Series:
    """Return a column as numbers, missing values included.

    Raises
    ------
    UserError
        For text or an infinite value, naming the cell.
    """
    try:
        numbers = values.astype("Float64").astype("float64")
    except (TypeError, ValueError):
        msg = f"{where}: '{values.name}' should hold numbers and holds {values.dtype}; convert it or leave it out."
        raise UserError(msg) from None
    infinite = np.isinf(numbers)
    if infinite.any():
        cell = infinite.idxmax()
        msg = f"{where}: '{values.name}' of cell '{cell}' is not finite; give NaN where a value is not known."
        raise UserError(msg)
    return numbers
