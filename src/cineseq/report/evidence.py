"""What a run found: its tables, read once for the report; whatever was not run is None."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from cineseq import contracts, family_results, results
from cineseq.config.prediction import Prediction
from cineseq.tables import Table, read_table

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
    "pairs": contracts.PAIRS,
    "clusters": results.CLUSTERS,
    "function_by_cluster": results.FUNCTION_BY_CLUSTER,
    "function_by_component": results.FUNCTION_BY_COMPONENT,
    "markers": results.MARKERS,
    "performance": results.PERFORMANCE,
    "samples": results.SAMPLE_PERFORMANCE,
    "contrasts": results.MODEL_CONTRASTS,
    "genes": results.GENES,
    "overlap": results.MARKER_OVERLAP,
    "model_sensitivity": results.SENSITIVITY,
    "concordance": results.CONCORDANCE,
    "fate_odds": family_results.FATE_ODDS,
    "times": results.TIMES,
    "states": results.STATE_BY_SISTER,
    "power": results.LINEAGE_POWER,
    "warnings": results.LINEAGE_WARNINGS,
    "sensitivity": family_results.LINEAGE_SENSITIVITY,
    "which_dies": family_results.WHICH_SISTER_DIES,
    "heritable": family_results.HERITABLE_GENES,
    "genes_by_sister": family_results.GENES_BY_SISTER,
    "fading": family_results.KINSHIP_FADING,
    "crossmodal_genes": results.GENE_VARIANCE,
    "crossmodal_features": results.FEATURE_VARIANCE,
    "crossmodal_summary": results.VARIANCE_SUMMARY,
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
