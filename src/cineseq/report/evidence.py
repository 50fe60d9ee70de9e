"""What a run found: its tables, read once for the report; whatever was not run is None."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from cineseq.config.prediction import Prediction
from cineseq.tables.contract import Table, read_table
from cineseq.tables.crossmodal import FEATURE_VARIANCE, GENE_VARIANCE, VARIANCE_SUMMARY
from cineseq.tables.expression import CLUSTERS, FUNCTION_BY_CLUSTER, FUNCTION_BY_COMPONENT, MARKERS
from cineseq.tables.imaging import PAIRS
from cineseq.tables.lineage import (
    CONCORDANCE,
    FATE_ODDS,
    GENES_BY_SISTER,
    HERITABLE_GENES,
    KINSHIP_FADING,
    LINEAGE_POWER,
    LINEAGE_SENSITIVITY,
    LINEAGE_WARNINGS,
    STATE_BY_SISTER,
    TIMES,
    WHICH_SISTER_DIES,
)
from cineseq.tables.prediction import (
    GENES,
    MARKER_OVERLAP,
    MODEL_CONTRASTS,
    PERFORMANCE,
    SAMPLE_PERFORMANCE,
    SENSITIVITY,
)

CELL_COLUMNS = ("track_id", "sample", "fov", "condition", "replicate", "generation", "founder_id", "end_kind", "fate")


@dataclass(frozen=True)
class Evidence:
    """The tables of a run, each with its contract, or None where the step was not run.

    ``selected_frequency`` is the share of half-samples from which a gene counts as selected.
    """

    cells: pd.DataFrame | None = None
    pairs: pd.DataFrame | None = None
    clusters: pd.DataFrame | None = None
    function_by_cluster: pd.DataFrame | None = None
    function_by_component: pd.DataFrame | None = None
    markers: pd.DataFrame | None = None
    performance: pd.DataFrame | None = None
    samples: pd.DataFrame | None = None
    contrasts: pd.DataFrame | None = None
    genes: pd.DataFrame | None = None
    overlap: pd.DataFrame | None = None
    model_sensitivity: pd.DataFrame | None = None
    concordance: pd.DataFrame | None = None
    fate_odds: pd.DataFrame | None = None
    times: pd.DataFrame | None = None
    states: pd.DataFrame | None = None
    power: pd.DataFrame | None = None
    warnings: pd.DataFrame | None = None
    sensitivity: pd.DataFrame | None = None
    which_dies: pd.DataFrame | None = None
    heritable: pd.DataFrame | None = None
    genes_by_sister: pd.DataFrame | None = None
    fading: pd.DataFrame | None = None
    crossmodal_genes: pd.DataFrame | None = None
    crossmodal_features: pd.DataFrame | None = None
    crossmodal_summary: pd.DataFrame | None = None
    selected_frequency: float = Prediction().selected_frequency


TABLES: dict[str, Table] = {
    "pairs": PAIRS,
    "clusters": CLUSTERS,
    "function_by_cluster": FUNCTION_BY_CLUSTER,
    "function_by_component": FUNCTION_BY_COMPONENT,
    "markers": MARKERS,
    "performance": PERFORMANCE,
    "samples": SAMPLE_PERFORMANCE,
    "contrasts": MODEL_CONTRASTS,
    "genes": GENES,
    "overlap": MARKER_OVERLAP,
    "model_sensitivity": SENSITIVITY,
    "concordance": CONCORDANCE,
    "fate_odds": FATE_ODDS,
    "times": TIMES,
    "states": STATE_BY_SISTER,
    "power": LINEAGE_POWER,
    "warnings": LINEAGE_WARNINGS,
    "sensitivity": LINEAGE_SENSITIVITY,
    "which_dies": WHICH_SISTER_DIES,
    "heritable": HERITABLE_GENES,
    "genes_by_sister": GENES_BY_SISTER,
    "fading": KINSHIP_FADING,
    "crossmodal_genes": GENE_VARIANCE,
    "crossmodal_features": FEATURE_VARIANCE,
    "crossmodal_summary": VARIANCE_SUMMARY,
}


def read_evidence(files: dict[str, Path | None], selected_frequency: float) -> Evidence:
    """Read the tables that are there.

    Parameters
    ----------
    files
        Path of each table by its name in :class:`Evidence`; None or absent where the step was not run.
    selected_frequency
        Share of half-samples from which a gene counts as selected.

    Raises
    ------
    UserError
        When a table breaks its contract.
    """
    frames = {name: read_table(path, TABLES[name]) for name, path in files.items() if path and name in TABLES}
    if files.get("cells"):
        frames["cells"] = _read_cells(files["cells"])
    return Evidence(**frames, selected_frequency=selected_frequency)


def _read_cells(path: Path) -> pd.DataFrame:
    """Read identities, fates and functions only: the page needs no image feature of any cell."""
    present = pq.read_schema(path).names
    wanted = [name for name in present if name in CELL_COLUMNS or name.startswith("function_")]
    return pq.read_table(path, columns=wanted).to_pandas()
