"""What a run found: its tables, read once for the report; whatever was not run is None."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from cineseq.config.prediction import Prediction
from cineseq.tables.contract import contract_named, read_table
from cineseq.workflow.products import product_at

CELL_COLUMNS = ("track_id", "sample", "fov", "condition", "replicate", "generation", "founder_id", "end_kind", "fate")


@dataclass(frozen=True)
class Evidence:
    """The tables of a run, each with its contract.

    ``tables`` holds every table that was read, by the name of its product. Those that the answers and counts of the
    page ask for are attributes too, and None where the step was not run. ``selected_frequency`` is the share of
    half-samples from which a gene counts as selected.
    """

    cells: pd.DataFrame | None = None
    pairs: pd.DataFrame | None = None
    clusters: pd.DataFrame | None = None
    function_by_cluster: pd.DataFrame | None = None
    performance: pd.DataFrame | None = None
    contrasts: pd.DataFrame | None = None
    genes: pd.DataFrame | None = None
    overlap: pd.DataFrame | None = None
    concordance: pd.DataFrame | None = None
    states: pd.DataFrame | None = None
    power: pd.DataFrame | None = None
    warnings: pd.DataFrame | None = None
    crossmodal_summary: pd.DataFrame | None = None
    selected_frequency: float = Prediction().selected_frequency
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)


def read_evidence(files: Iterable[Path], selected_frequency: float) -> Evidence:
    """Read the tables that are there.

    Parameters
    ----------
    files
        Tables of the run that the report reads; what each holds is told by its path.
    selected_frequency
        Share of half-samples from which a gene counts as selected.

    Raises
    ------
    UserError
        When a file is none that the report reads, or a table breaks its contract.
    """
    tables = {}
    for path in files:
        product = product_at(path)
        if product.name == "cells":
            tables["cells"] = _read_cells(path)
        elif product.contract:
            tables[product.name] = read_table(path, contract_named(product.contract))
    asked = {f.name: tables[f.name] for f in fields(Evidence) if f.name in tables}
    return Evidence(**asked, selected_frequency=selected_frequency, tables=tables)


def _read_cells(path: Path) -> pd.DataFrame:
    """Read identities, fates and functions only: the page needs no image feature of any cell."""
    present = pq.read_schema(path).names
    wanted = [name for name in present if name in CELL_COLUMNS or name.startswith("function_")]
    return pq.read_table(path, columns=wanted).to_pandas()
