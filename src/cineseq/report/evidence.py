"""The result tables of a run, read once for the report; tables of steps that were not run are None."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from cineseq.config.prediction import Prediction
from cineseq.tables.contract import contract_named, read_table
from cineseq.workflow.products import product_at

CELL_COLUMNS = (
    "track_id",
    "parent_id",
    "sample",
    "fov",
    "condition",
    "replicate",
    "generation",
    "founder_id",
    "end_kind",
    "fate",
)


@dataclass(frozen=True)
class Evidence:
    """The result tables of a run.

    ``tables`` holds every table that was read, by the name of its product. The tables that the answers and the counts
    of the page use are also attributes, which are None where the step was not run. ``selected_frequency`` is the
    smallest fraction of half-samples at which a gene counts as selected.
    """

    cells: pd.DataFrame | None = None
    pairs: pd.DataFrame | None = None
    clusters: pd.DataFrame | None = None
    function_by_cluster: pd.DataFrame | None = None
    function_by_sample: pd.DataFrame | None = None
    performance: pd.DataFrame | None = None
    contrasts: pd.DataFrame | None = None
    by_sample: pd.DataFrame | None = None
    beyond_covariates: pd.DataFrame | None = None
    unused_groups: pd.DataFrame | None = None
    covariates: pd.DataFrame | None = None
    genes: pd.DataFrame | None = None
    markers: pd.DataFrame | None = None
    overlap: pd.DataFrame | None = None
    concordance: pd.DataFrame | None = None
    incidence: pd.DataFrame | None = None
    fate_pairs: pd.DataFrame | None = None
    states: pd.DataFrame | None = None
    states_by_sample: pd.DataFrame | None = None
    power: pd.DataFrame | None = None
    warnings: pd.DataFrame | None = None
    crossmodal_summary: pd.DataFrame | None = None
    crossmodal_by_sample: pd.DataFrame | None = None
    selected_frequency: float = Prediction().selected_frequency
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)


def read_evidence(files: Iterable[Path], selected_frequency: float) -> Evidence:
    """Read the tables of a run.

    Parameters
    ----------
    files
        Tables that the report reads; the path says which table a file holds.
    selected_frequency
        Smallest fraction of half-samples at which a gene counts as selected.

    Raises
    ------
    UserError
        When the report does not read such a file, or a table breaks its contract.
    """
    tables = {}
    for path in files:
        product = product_at(path)
        if product.name == "cells":
            tables["cells"] = _read_cells(path)
        elif product.contract:
            tables[product.name] = read_table(path, contract_named(product.contract))
    wanted = {f.name: tables[f.name] for f in fields(Evidence) if f.name in tables}
    return Evidence(**wanted, selected_frequency=selected_frequency, tables=tables)


def _read_cells(path: Path) -> pd.DataFrame:
    """Read identities, fates and functions only; the page uses no image features of cells."""
    present = pq.read_schema(path).names
    wanted = [name for name in present if name in CELL_COLUMNS or name.startswith("function_")]
    return pq.read_table(path, columns=wanted).to_pandas()
