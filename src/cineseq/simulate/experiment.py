"""Simulate the whole experiment: fields of view, cages, cells with their states, and libraries."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cineseq.config.simulate import Simulate
from cineseq.progress import progress
from cineseq.simulate import expression
from cineseq.simulate.field import SimulatedField, simulate_field
from cineseq.simulate.genes import gene_table
from cineseq.simulate.latents import LOADINGS
from cineseq.simulate.sequencing import Library, sequence
from cineseq.statistics.streams import stream

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Experiment:
    """A simulated experiment.

    Attributes
    ----------
    fields
        The fields of view, sorted by sample and field.
    compartments
        Rows of the compartments table.
    cells
        Rows of the truth table of endpoint cells (:data:`cineseq.tables.simulation.SIMULATED_CELLS`).
    genes
        See :func:`cineseq.simulate.genes.gene_table`.
    libraries
        The sequenced library of each sample.
    """

    fields: list[SimulatedField]
    compartments: pd.DataFrame
    cells: pd.DataFrame
    genes: pd.DataFrame
    libraries: dict[str, Library]


def simulate(settings: Simulate, seed: int) -> Experiment:
    """Simulate the experiment; equal ``settings`` and ``seed`` always give the same result."""
    names = [(s, f) for s in settings.sample_names for f in settings.field_names]
    fields = [simulate_field(settings, seed, s, f) for s, f in progress(names, "Fields of view", logger)]
    compartments = pd.concat([compartment_rows(f) for f in fields], ignore_index=True)
    genes = gene_table(settings.genes, stream(seed, "genes"))
    cells = pd.concat([endpoint_cells(f, settings, seed) for f in fields], ignore_index=True)
    profiles = expression.expected_profiles(cells, genes, settings, seed)
    cells["library_size"] = expression.library_sizes(cells, settings)
    libraries = {
        sample: _sequence(sample, compartments, cells, profiles, settings=settings, seed=seed)
        for sample in settings.sample_names
    }
    tags = pd.concat([library.tags.assign(sample=sample) for sample, library in libraries.items()])
    cells = add_pairs(cells, compartments, tags)
    return Experiment(fields, compartments, cells, genes, libraries)


def compartment_id(fov: str, cage: np.ndarray) -> list[str]:
    """Return the names of a field's cages from their indices."""
    return [f"{fov}-c{number + 1:03d}" for number in cage]


def compartment_rows(field: SimulatedField) -> pd.DataFrame:
    """Return the rows of the compartments table of one field."""
    cages = field.cages
    return pd.DataFrame(
        {
            "sample": field.sample,
            "fov": field.fov,
            "compartment_id": compartment_id(field.fov, np.arange(len(cages.radius))),
            "y_px": cages.centre[:, 0].round(2),
            "x_px": cages.centre[:, 1].round(2),
            "radius_px": cages.radius.round(2),
            "closed_frame": cages.closed_frame,
        }
    )


def endpoint_cells(field: SimulatedField, settings: Simulate, seed: int) -> pd.DataFrame:
    """Return the live cells of the last frame of one field with latents, states and cages, indexed by number."""
    plan = field.cells.assign(sister_status=expression.sister_status(field.cells).to_numpy()).set_index("number")
    cells = plan.loc[field.endpoint.index].join(field.endpoint).reset_index()
    states = expression.draw_states(cells, settings, seed, field.sample, field.fov)
    last = field.positions[(field.positions["frame"] == settings.frames - 1) & (field.positions["kind"] == "cell")]
    caged = cells["cage"] >= 0
    named = pd.Series(compartment_id(field.fov, cells["cage"].to_numpy()), index=cells.index, dtype="string")
    cells = cells.assign(
        sample=field.sample,
        fov=field.fov,
        condition=settings.condition(field.sample),
        birth_frame=cells["start"],
        phase=cells["end_phase"],
        compartment_id=named.where(caged, pd.NA),
        function_signal=last.set_index("number")["signal"].reindex(cells["number"]).to_numpy(),
        **{c: states[c] for c in states.columns},
    )
    return cells.sort_values("number", ignore_index=True)


def _sequence(
    sample: str, compartments: pd.DataFrame, cells: pd.DataFrame, profiles: np.ndarray, *, settings: Simulate, seed: int
) -> Library:
    """Draw the counts of each cell, sum them by cage and sequence the cages."""
    own = (cells["sample"] == sample).to_numpy()
    here = compartments[compartments["sample"] == sample].reset_index(drop=True)
    expected = profiles[own] * cells.loc[own, "library_size"].to_numpy()[:, None]
    counts = expression.draw_counts(expected, stream(seed, "counts", sample))
    cage = pd.Index(here["compartment_id"]).get_indexer(cells.loc[own, "compartment_id"])
    contents = np.zeros((len(here), counts.shape[1]), np.int32)
    np.add.at(contents, cage[cage >= 0], counts[cage >= 0])
    ambient = expression.AMBIENT_FRACTION * settings.library_size * profiles[own].mean(0)
    return sequence(sample, here, contents, ambient, stream(seed, "sequencing", sample))


def add_pairs(cells: pd.DataFrame, compartments: pd.DataFrame, tags: pd.DataFrame) -> pd.DataFrame:
    """Add the result of a perfect pairing: occupancy, barcode and status, and the columns of the truth table.

    Parameters
    ----------
    cells
        Endpoint cells with ``sample`` and ``compartment_id``.
    compartments
        Rows of the compartments table.
    tags
        Barcodes of all samples, see :class:`cineseq.simulate.sequencing.Library`, with ``sample``; ``compartment``
        is the row index among a sample's compartments.
    """
    place = compartments.assign(compartment=compartments.groupby("sample").cumcount())
    tags = tags.merge(place[["sample", "compartment", "compartment_id"]], on=["sample", "compartment"])
    by_cage = tags.groupby(["sample", "compartment_id"], as_index=False).agg(
        barcode=("barcode", "first"),
        barcode_in_counts=("read_as", "first"),
        decoded=("decoded", "sum"),
        sequenced=("sequenced", "all"),
    )
    cells = cells.merge(by_cage, on=["sample", "compartment_id"], how="left")
    cells["sequenced"] = cells["sequenced"].eq(other=True)
    occupancy = cells.groupby(["sample", "compartment_id"])["number"].transform("size")
    cells["occupancy"] = occupancy.astype("Int64")
    decoded = cells["decoded"].fillna(0)
    cells["pair_status"] = np.select(
        [decoded == 0, occupancy > 1, decoded > 1], ["no_barcode", "multi_cell", "multi_barcode"], "singlet"
    )
    prefix = cells["sample"] + "/" + cells["fov"] + "/"
    cells["track_id"] = prefix + cells["number"].astype(str)
    cells["founder_id"] = prefix + cells["root_cell"].astype(str)
    return cells.rename(columns={name: f"trait_{name}" for name in LOADINGS})
