"""Paired data in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy import sparse

from cineseq.config.expression import Normalisation

BLOCKS = ("morphology", "embedding", "function", "features")
OPTIONAL_BLOCKS = ("features",)
"""Blocks that files have only if these have columns."""


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
        How an analysis normalises the counts; not in files.
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


def in_order(data: PairedData) -> PairedData:
    """Return the cells sorted by name, so that results do not depend on the order of rows."""
    return data.subset(np.argsort(data.obs.index.to_numpy(str), kind="stable"))


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


def typed_column(values: pd.Series) -> pd.Series:
    """Return a column as analyses read it: text ``string``, truth ``boolean``, whole numbers ``Int64``."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values.astype("string")
    if pd.api.types.is_bool_dtype(values):
        return values.astype("boolean")
    return values.astype("Int64") if pd.api.types.is_integer_dtype(values) else values
