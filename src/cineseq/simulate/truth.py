"""The truth of a simulated experiment, as tables and numbers for scoring a run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cineseq.config.simulate import Simulate
from cineseq.simulate.experiment import Experiment
from cineseq.simulate.field import SimulatedField
from cineseq.simulate.latents import FADES_IN, LOADINGS, SHARED
from cineseq.statistics.pedigree import sister_pairs, sisters
from cineseq.tables.contract import FIELD
from cineseq.tables.imaging import TRACK_ENDS
from cineseq.tables.simulation import SIMULATED_CELLS

VARIABLE_GENES = 300
"""Number of genes whose shared variance is that of an oracle, as many as the run explains by default."""
BIRTH_BINS = 5
"""Number of quantile bins of birth time in the strata of the simulated odds ratio."""


def track_table(experiment: Experiment, settings: Simulate) -> pd.DataFrame:
    """Return the rows of the tracks table of a perfect tracker.

    A track ends as ``left_fov`` in the last frame in which enough of its nucleus is in the field; a cell whose parent
    was never in the field has ``entered``.
    """
    return pd.concat([_tracks_of(f, settings) for f in experiment.fields], ignore_index=True)


def _tracks_of(field: SimulatedField, settings: Simulate) -> pd.DataFrame:
    # What a perfect tracker sees: first and last frame of every cell in view.
    seen = field.positions[field.positions["tracked"]].sort_values(["number", "frame"])
    ends = seen.groupby("number").agg(**TRACK_ENDS)
    cells = field.cells.set_index("number").loc[ends.index].join(ends).reset_index()
    prefix = f"{field.sample}/{field.fov}/"
    name = {n: f"{prefix}{n}" for n in cells["number"]}
    sister = sisters(sister_pairs(cells["parent"].where(cells["parent"] > 0, -1).to_numpy()), len(cells))
    # How each track ends: out of view, at the end of the movie, or as the cell does.
    cut = cells["end_frame"] < cells["end"]
    end_kind = np.select(
        [cut, cells["end_frame"] == settings.frames - 1], ["left_fov", "end_of_movie"], cells["end_kind"]
    )
    known = np.isin(end_kind, ("division", "death"))
    hours = settings.frame_interval_min / 60
    alive = pd.Series(end_kind, dtype="string").map({"end_of_movie": True, "death": False, "division": False})
    return cells[["number", "generation", *ends.columns]].assign(
        track_id=cells["number"].map(name),
        sample=field.sample,
        fov=field.fov,
        parent_id=cells["parent"].map(name).astype("string"),
        founder_id=cells["root_cell"].map(name),
        sister_id=cells["number"].map(name).take(sister).reset_index(drop=True).where(sister >= 0).astype("string"),
        start_hours=cells["start_frame"] * hours,
        end_hours=cells["end_frame"] * hours,
        start_kind=np.where(cells["start_frame"] > cells["start"], "entered", _born(cells)),
        start_confidence=1.0,
        end_kind=end_kind,
        end_confidence=1.0,
        fate=np.where(known, end_kind, "unknown"),
        fate_known=known,
        alive_at_end=alive.astype("boolean"),
    )


def _born(cells: pd.DataFrame) -> pd.Series:
    return cells["start_kind"].replace({"entered": "first_frame"})


def position_table(experiment: Experiment) -> pd.DataFrame:
    """Return the rows of the positions table of all fields."""
    return pd.concat([f.positions for f in experiment.fields], ignore_index=True)


def cell_table(experiment: Experiment) -> pd.DataFrame:
    """Return the columns of the truth table of endpoint cells."""
    names = [c.name for c in SIMULATED_CELLS.columns if not c.is_family]
    return experiment.cells[[*names, *(c for c in experiment.cells.columns if c.startswith("trait_"))]]


def gene_truth(experiment: Experiment, settings: Simulate) -> pd.DataFrame:
    """Return the genes with their effects in this experiment; effects that are switched off are 0."""
    genes = experiment.genes.assign(goes_with_function=experiment.genes["module"] > 0)
    if not settings.plants("expression"):
        genes["goes_with_function"] = False
    if not settings.plants("shared"):
        genes[list(SHARED)] = 0.0
    if not settings.plants("clusters"):
        genes[["state_a", "state_b"]] = 0.0
    if not settings.plants("confounder"):
        genes["confounder"] = 0.0
    return genes


def paired_cells(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the endpoint cells that a perfect run pairs: one cell, one decoded barcode, with counts."""
    return cells[(cells["pair_status"] == "singlet") & cells["sequenced"]]


def paired_counts(experiment: Experiment, paired: pd.DataFrame) -> np.ndarray:
    """Return the counts of paired cells as they are in the libraries, shape (cells, genes)."""
    counts = np.zeros((len(paired), len(experiment.genes)))
    for sample, library in experiment.libraries.items():
        own = (paired["sample"] == sample).to_numpy()
        counts[own] = library.counts[pd.Index(library.names).get_indexer(paired.loc[own, "barcode_in_counts"])]
    return counts


def shared_variance(paired: pd.DataFrame, counts: np.ndarray, shared: tuple[str, ...]) -> dict[str, float]:
    """Return the variance within fields of each modality that latent variables of the other explain.

    These are oracles: adjusted R² of linear models, of the most variable genes weighted by their variance given the
    variables of shape, and the mean over traits of shape given those of expression.

    Parameters
    ----------
    paired
        Cells that a perfect run pairs.
    counts
        Their counts, shape (cells, genes).
    shared
        Latent variables that both modalities follow.
    """
    totals = counts.sum(axis=1, keepdims=True)
    values = np.log1p(counts / np.maximum(totals, 1) * np.median(totals))
    variable = pd.DataFrame(values[:, np.argsort(-values.var(axis=0), kind="stable")[:VARIABLE_GENES]])
    traits = paired[[f"trait_{name}" for name in LOADINGS]].reset_index(drop=True)
    field = (paired["sample"] + paired["fov"]).to_numpy()
    own = paired[["phase", *shared]].reset_index(drop=True)
    of_shape = own.assign(shape=paired["shape"].to_numpy(), size=paired["trait_size"].to_numpy())
    of_expression = own.assign(
        module=paired["module"].to_numpy(), library=np.log(paired["library_size"].to_numpy(float))
    )
    found = {}
    for name, targets, latents in (
        ("morphology_to_expression", variable, of_shape),
        ("expression_to_morphology", (traits - traits.mean()) / traits.std(), of_expression),
    ):
        centred = targets - targets.groupby(field).transform("mean")
        known = latents - latents.groupby(field).transform("mean")
        weight = centred.var()
        shares = np.array([explained(centred[column], known) for column in centred])
        found[f"{name}_r2"] = float((weight * shares).sum() / weight.sum())
    return found


def explained(function: pd.Series, latents: pd.DataFrame) -> float:
    """Return the adjusted R² of a linear model of function on latents.

    This is the oracle: the R² that a model could reach if the latents were measured without error.
    """
    X = np.column_stack([np.ones(len(latents)), latents.to_numpy(float)])
    y = function.to_numpy(float)
    left = y - X @ np.linalg.lstsq(X, y, rcond=None)[0]
    n, k = X.shape
    return float(1 - (left @ left / max(n - k, 1)) / np.var(y, ddof=1))


def mantel_haenszel(cells: pd.DataFrame, bins: int = BIRTH_BINS) -> float | None:
    """Return the odds ratio of the stress state (sister died against lived), pooled over field and birth-time strata.

    Parameters
    ----------
    cells
        Endpoint cells with ``sample``, ``fov``, ``birth_frame``, ``sister_status`` and ``stress``.
    bins
        Quantile bins of birth time, within each field.

    Returns
    -------
    float or None
        None if no stratum compares both kinds of cells in different states.

    Notes
    -----
    Mantel N, Haenszel W (1959) J Natl Cancer Inst 22:719.
    """
    cells = cells[cells["sister_status"] != "none"]
    rank = cells.groupby(FIELD)["birth_frame"].rank(pct=True)
    stratum = [cells["sample"], cells["fov"], np.ceil(rank * bins)]
    died, stress = cells["sister_status"] == "died", cells["stress"].astype(bool)
    corners = pd.DataFrame({"a": died & stress, "b": died & ~stress, "c": ~died & stress, "d": ~died & ~stress})
    table = corners.astype(float).groupby(stratum).sum()
    size = table.sum(axis=1)
    up, down = (table["a"] * table["d"] / size).sum(), (table["b"] * table["c"] / size).sum()
    return float(up / down) if down > 0 else None


def planted_effects(experiment: Experiment, settings: Simulate, seed: int) -> dict[str, Any]:
    """Return the simulated effects, and their values among the cells that a perfect run pairs, as flat numbers."""
    cells, tracks = experiment.cells, track_table(experiment, settings)
    paired = paired_cells(cells)
    y = paired["function"]
    died = paired[paired["sister_status"] == "died"]
    return {
        "seed": seed,
        "settings": settings.model_dump(mode="json"),
        "planted": {
            "expression_r2": settings.expression_r2 if settings.plants("expression") else 0.0,
            "morphology_r2": settings.morphology_r2 if settings.plants("morphology") else 0.0,
            "both_r2": _planted_both(settings),
            "field_variance": settings.field_variance if settings.plants("confounder") else 0.0,
            "sister_odds_ratio": settings.sister_odds_ratio if settings.plants("sister") else 1.0,
        },
        "oracle": {
            "expression_r2": explained(y, paired[["module"]]),
            "morphology_r2": explained(y, paired[["shape"]]),
            "both_r2": explained(y, paired[["module", "shape"]]),
            "state_r2": explained(y, pd.get_dummies(paired["state"]).iloc[:, 1:]),
            "phase_r2": explained(y, paired[["phase"]]),
            "field_r2": explained(y, pd.get_dummies(paired["sample"] + paired["fov"]).iloc[:, 1:]),
            **shared_variance(paired, paired_counts(experiment, paired), SHARED if settings.plants("shared") else ()),
        },
        "visible": {
            "late_gone_hours": FADES_IN[0] * settings.frame_interval_min / 60,
            "late_full_hours": FADES_IN[1] * settings.frame_interval_min / 60,
        },
        "sisters": {
            "odds_ratio": mantel_haenszel(paired),
            "odds_ratio_all_cells": mantel_haenszel(cells),
            "died": len(died),
            "died_not_caged_early": int((died["sample"] != settings.sample_names[-1]).sum()),
            "survived": int((paired["sister_status"] == "survived").sum()),
            "stress_after_death": _mean(died["stress"]),
            "stress_after_survival": _mean(paired.loc[paired["sister_status"] == "survived", "stress"]),
        },
        "counts": _counted(experiment, tracks, paired),
        "cells_by_state": {k: int(v) for k, v in paired["state"].value_counts().sort_index().items()},
    }


def _counted(experiment: Experiment, tracks: pd.DataFrame, paired: pd.DataFrame) -> dict[str, int]:
    """Count the cells and tracks of an experiment, and the outcomes of pairing."""
    cells, ends = experiment.cells, tracks["end_kind"].value_counts()
    return {
        "tracks": len(tracks),
        "divisions": int(ends.get("division", 0)),
        "deaths": int(ends.get("death", 0)),
        "left_fov": int(ends.get("left_fov", 0)),
        "entered": int((tracks["start_kind"] == "entered").sum()),
        "endpoint_cells": len(cells),
        "paired_cells": len(paired),
        "compartments": len(experiment.compartments),
        **{f"status_{k}": int(v) for k, v in cells["pair_status"].value_counts().sort_index().items()},
    }


def _planted_both(settings: Simulate) -> float:
    planted = settings.plants("expression"), settings.plants("morphology")
    shares = {
        (True, True): settings.both_r2,
        (True, False): settings.expression_r2,
        (False, True): settings.morphology_r2,
    }
    return shares.get(planted, 0.0)


def _mean(values: pd.Series) -> float | None:
    return float(values.mean()) if len(values) else None
