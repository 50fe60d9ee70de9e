"""Simulate barcodes and sequenced libraries, with losses and errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

BARCODE_LENGTH, BARCODE_DISTANCE = 16, 3
BASES = np.array(list("ACGT"))
EVENTS = {"not_decoded": 0.045, "not_sequenced": 0.010, "doubled": 0.040, "misread": 0.050}
"""Frequency with which a barcode is not located, has no counts, shares its cage, or is read with one error."""
POSITION_NOISE = 1.5
"""Standard deviation of the recorded position of a barcode in pixels."""
EMPTY_LIBRARY = 0.02
"""Ambient counts of a barcode from an empty cage, as a fraction of a median library."""


@dataclass(frozen=True)
class Library:
    """One sequenced sample.

    Attributes
    ----------
    barcodes
        Rows of the barcodes table, with the location of each barcode.
    tags
        One row per barcode: ``compartment``, ``barcode`` (its true sequence), ``read_as`` (its name in the counts),
        ``event``, ``decoded``, ``sequenced``.
    counts
        Counts of the sequenced barcodes, shape (barcodes, genes), rows as ``names``.
    names
        Names of the rows of ``counts``, sorted.
    """

    barcodes: pd.DataFrame
    tags: pd.DataFrame
    counts: np.ndarray
    names: np.ndarray


def design_barcodes(count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw sequences that differ pairwise in at least three bases, shape (count, length), as codes 0 to 3."""
    chosen = np.empty((0, BARCODE_LENGTH), int)
    while len(chosen) < count:
        new = rng.integers(0, 4, BARCODE_LENGTH)
        if (chosen != new).sum(1).min(initial=BARCODE_LENGTH) >= BARCODE_DISTANCE:
            chosen = np.vstack([chosen, new])
    return chosen


def spelled(codes: np.ndarray) -> np.ndarray:
    """Return coded sequences as text, shape (n,)."""
    return np.array(["".join(row) for row in BASES[codes]], dtype=object)


def misread(codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the coded sequences with one base of each replaced."""
    wrong, rows = codes.copy(), np.arange(len(codes))
    at = rng.integers(0, codes.shape[1], len(codes))
    wrong[rows, at] = (wrong[rows, at] + rng.integers(1, 4, len(codes))) % 4
    return wrong


def tag_compartments(compartments: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Assign each compartment of a sample one or two barcodes and draw their errors.

    Returns
    -------
    pandas.DataFrame
        See ``tags`` of :class:`Library`; ``compartment`` is the row of ``compartments``.
    """
    names = [*EVENTS, "none"]
    chance = [*EVENTS.values(), 1 - sum(EVENTS.values())]
    # What befalls each compartment; a doubled one has two barcodes, so that rows are barcodes from here on.
    event = rng.choice(names, len(compartments), p=chance)
    compartment = np.repeat(np.arange(len(compartments)), 1 + (event == "doubled"))
    codes = design_barcodes(len(compartment), rng)
    event = event[compartment]
    read = np.where((event == "misread")[:, None], misread(codes, rng), codes)
    return pd.DataFrame(
        {
            "compartment": compartment,
            "barcode": spelled(codes),
            "read_as": spelled(read),
            "event": event,
            "decoded": event != "not_decoded",
            "sequenced": event != "not_sequenced",
        }
    )


def sequence(
    sample: str, compartments: pd.DataFrame, contents: np.ndarray, ambient: np.ndarray, rng: np.random.Generator
) -> Library:
    """Simulate the sequencing of one sample.

    Parameters
    ----------
    sample
        Name of the sample.
    compartments
        Rows of the compartments table of this sample.
    contents
        Counts of all the cells of each compartment, shape (compartments, genes).
    ambient
        Expected ambient counts per barcode, shape (genes,), for an occupied compartment; empty ones get less.
    rng
        Random generator.
    """
    tags = tag_compartments(compartments, rng)
    occupied = contents.sum(1) > 0
    inside = contents[tags["compartment"]]
    twins = tags["event"].eq("doubled").to_numpy()
    inside[twins] = _split(inside[twins], rng)
    share = np.where(occupied[tags["compartment"]], 1.0, EMPTY_LIBRARY / ambient.sum() * _median(contents))
    counts = inside + rng.poisson(share[:, None] * ambient)
    order = np.argsort(tags["read_as"].to_numpy())
    order = order[tags["sequenced"].to_numpy()[order]]
    return Library(
        located(sample, compartments, tags, rng), tags, counts[order], tags["read_as"].to_numpy(dtype=object)[order]
    )


def _median(contents: np.ndarray) -> float:
    totals = contents.sum(1)
    return float(np.median(totals[totals > 0]))


def _split(twins: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Divide the counts of each compartment between its two barcodes, which are in consecutive rows."""
    first = rng.binomial(twins[::2], 0.5)
    return np.stack([first, twins[::2] - first], 1).reshape(twins.shape)


def located(sample: str, compartments: pd.DataFrame, tags: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return the rows of the barcodes table: decoded barcodes and their positions."""
    at = compartments.iloc[tags["compartment"]].reset_index(drop=True)
    noise = rng.normal(0, POSITION_NOISE, (len(tags), 2)).round(2)
    table = pd.DataFrame(
        {
            "sample": sample,
            "barcode": tags["barcode"],
            "compartment_id": at["compartment_id"],
            "y_px": (at["y_px"] + noise[:, 0]).round(2),
            "x_px": (at["x_px"] + noise[:, 1]).round(2),
            "fov": at["fov"],
        }
    )
    return table[tags["decoded"].to_numpy()]
