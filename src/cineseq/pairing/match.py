"""Pair cells with barcodes through compartments; the status of each pair shows whether it is unique."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from cineseq.config.pairing import Pairing
from cineseq.errors import UserError
from cineseq.io.group_columns import GROUP
from cineseq.pairing.alignment import Alignment, align
from cineseq.pairing.places import (
    COMPARTMENT,
    Fields,
    circles_of,
    contents_of,
    fields_of,
    in_compartments,
    is_true,
    live_cells,
    placed,
    with_own_compartments,
)
from cineseq.pairing.positions import locate
from cineseq.tables.contract import FIELD, empty
from cineseq.tables.imaging import PAIRS

REGISTERED = 0.5
"""Largest shift in pitches of maps that are in register."""
SEPARATOR = ";"
"""Separates the barcodes of a compartment that has several."""


@dataclass(frozen=True)
class Matched:
    """Result of the matching.

    Attributes
    ----------
    pairs
        As :data:`cineseq.tables.imaging.PAIRS`.
    alignments
        One row per field whose barcodes are located by position: ``sample``, ``fov``, ``barcodes``, ``aligned``,
        ``shift`` (its length) with ``step_y`` and ``step_x``, the next most probable ``next_y`` and ``next_x`` (all in
        pitches), ``probability`` of the shift, ``stray`` (the fraction of barcodes that belong to no compartment),
        ``residual_px``, ``gain`` (log likelihood above that of a map that does not belong to the compartments),
        ``contents`` (the part of it from cells and counts; missing where these say nothing) and ``trusted``.
    hidden
        Number of compartments that may hold a cell that tracking lost.
    checked, agreeing
        Number of barcodes with both a compartment and a position, and how many of them lie in that compartment.
    nowhere
        Rows of the barcode table whose compartment is not on the map of compartments.
    """

    pairs: pd.DataFrame
    alignments: pd.DataFrame
    hidden: int
    checked: int
    agreeing: int
    nowhere: pd.DataFrame


def match(
    cells: pd.DataFrame,
    compartments: pd.DataFrame,
    barcodes: pd.DataFrame,
    settings: Pairing,
    sizes: pd.DataFrame | None = None,
) -> Matched:
    """Pair live cells with barcodes through compartments.

    A singlet is one live cell and one barcode in one compartment. All other cells have another status:
    ``multi_cell``, ``multi_barcode``, ``no_barcode`` (also for a cell outside all compartments) or ``ambiguous``.
    A cell is ambiguous if it lies on a wall or between two compartments, if another cell touches its compartment in
    this way, or if tracking lost a cell in its compartment after the compartment was closed. Barcodes without a live
    cell are ``no_cell``; those that cannot be located, or whose compartment is in doubt, are ``ambiguous``. In
    samples without compartments, each live cell is a compartment of its own.

    Parameters
    ----------
    cells
        As :data:`cineseq.tables.imaging.CELLS`; those with ``alive_at_end`` true are matched.
    compartments, barcodes
        As read by :mod:`cineseq.io.maps`. Barcodes may have the columns ``edits`` and ``counts``, their total counts.
    settings
        The section ``pairing`` of the configuration.
    sizes
        ``sample``, ``fov``, ``height_px`` and ``width_px`` of the images, which show where an array of compartments
        ends; None or missing where unknown.

    Returns
    -------
    Matched
        Every live cell is in exactly one row. If a compartment has several barcodes, they are joined with ``;``.

    Raises
    ------
    UserError
        When barcodes name compartments but none of these is on the map.
    """
    # Live cells and barcodes in their compartments; where a sample has none, each cell is its own.
    live = live_cells(cells)
    open_culture = ~live["sample"].isin(compartments["sample"])
    circles = with_own_compartments(compartments, live[open_culture])
    live = in_compartments(live, circles, settings.rim)
    # Without an array, a shift by the distance between neighbours is no ambiguity.
    arrays = dict.fromkeys(compartments["sample"], settings)
    of_sample = (
        {sample: arrays.get(sample, registered(settings)) for sample in circles["sample"].unique()}
        if len(circles)
        else {}
    )
    located, alignments = _locate_barcodes(barcodes, circles, fields_of(cells, circles, sizes), live, of_sample)
    hidden = _hidden(cells, live, circles, settings.rim)
    # One row per compartment: its cells and barcodes, and whether they are in doubt; from it, the status of each.
    table = _compartment_table(circles, live, located, hidden)
    rows = (_rows_of_cells(live, table), _rows_of_barcodes(located, table))
    blank = empty(PAIRS)
    pairs = pd.concat([part.reindex(columns=blank.columns).astype(blank.dtypes) for part in rows], ignore_index=True)
    pairs.loc[pairs["compartment_id"].isin(live.loc[open_culture, "track_id"]), "compartment_id"] = pd.NA
    pairs = pairs.assign(barcode_edits=_edits(pairs, barcodes), **_groups(pairs, barcodes))
    order = ["sample", "fov", "track_id", "barcode"]
    pairs = pairs.sort_values(order, ignore_index=True)
    nowhere = barcodes[barcodes["compartment_id"].notna() & ~on_map(barcodes, circles)]
    return Matched(pairs, alignments, len(hidden), *_agreement(barcodes, compartments), nowhere)


def registered(settings: Pairing) -> Pairing:
    """Return the settings of maps that are in register."""
    return settings.model_copy(update={"max_shift": min(settings.max_shift, REGISTERED)})


def on_map(barcodes: pd.DataFrame, compartments: pd.DataFrame) -> np.ndarray:
    """Return whether the compartment that each barcode names is on the map, shape (barcodes,)."""
    return pd.MultiIndex.from_frame(barcodes[COMPARTMENT]).isin(pd.MultiIndex.from_frame(compartments[COMPARTMENT]))


def _agreement(barcodes: pd.DataFrame, compartments: pd.DataFrame) -> tuple[int, int]:
    """Count the barcodes that have both a compartment and a position, and those that lie in that compartment."""
    both = barcodes.drop(columns="fov").merge(compartments, on=COMPARTMENT, suffixes=("", "_centre"))
    both = both.dropna(subset=["y_px", "x_px"])
    distance = np.hypot(both["y_px"] - both["y_px_centre"], both["x_px"] - both["x_px_centre"])
    return len(both), int((distance <= both["radius_px"]).sum())


def _locate_barcodes(
    barcodes: pd.DataFrame,
    compartments: pd.DataFrame,
    fields: Fields,
    live: pd.DataFrame,
    of_sample: dict[str, Pairing],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Assign each barcode a compartment (missing where unknown) and a posterior; also return the alignments."""
    named = barcodes["compartment_id"].notna()
    if named.any() and not on_map(barcodes[named], compartments).any():
        first, example = barcodes.loc[named.idxmax()], compartments["compartment_id"].head(1).tolist()
        msg = (
            f"barcodes: none of the {int(named.sum())} compartments that barcodes name is on the map of compartments "
            f"(the first is '{first['compartment_id']}' of sample '{first['sample']}', the map has {example}); "
            "check that both tables spell samples and compartments alike."
        )
        raise UserError(msg)
    # In each field, align the positions of barcodes with the map, and keep the names where the fit is trusted.
    located = barcodes.assign(posterior=np.nan)
    maps, rows = dict(iter(compartments.groupby(FIELD))), []
    for key, group in barcodes[~named].groupby(FIELD):
        if key not in maps:
            continue
        settings = of_sample[key[0]]
        names, alignment, certainty = _by_position(group, maps[key], fields, live, settings)
        trusted = alignment.aligned >= settings.min_aligned and alignment.probability >= settings.min_shift_posterior
        if trusted:
            located.loc[group.index, "compartment_id"] = names
            located.loc[group.index, "posterior"] = certainty
        shifts = (alignment.shift, *alignment.step, *alignment.next_step, alignment.probability)
        fit = (alignment.aligned, alignment.stray, alignment.residual, alignment.gain, alignment.contents)
        rows.append((*key, len(group), *shifts, *fit, trusted))
    shifted = ("shift", "step_y", "step_x", "next_y", "next_x", "probability")
    columns = [*FIELD, "barcodes", *shifted, "aligned", "stray", "residual_px", "gain", "contents", "trusted"]
    return located, pd.DataFrame(rows, columns=columns)


def _by_position(
    barcodes: pd.DataFrame, compartments: pd.DataFrame, fields: Fields, live: pd.DataFrame, settings: Pairing
) -> tuple[pd.Series, Alignment, np.ndarray]:
    # Barcodes are moved onto the compartments; one belongs to the compartment in whose reduced radius it then lies.
    circles, points = circles_of(compartments), barcodes[["y_px", "x_px"]].to_numpy(np.float64)
    alignment = align(
        points,
        circles,
        settings.barcode_radius,
        furthest=settings.max_shift,
        window=fields.window(tuple(compartments[FIELD].iloc[0]), circles, points),
        contents=contents_of(compartments, live, barcodes),
    )
    reach = replace(circles, radii=circles.radii * settings.barcode_radius)
    which = locate(alignment.points, reach, settings.rim).compartment
    # A barcode that is likelier a stray one, or another compartment's, belongs to none.
    whatever, alone = alignment.certainty
    which = np.where((which == alignment.nearest) & (whatever >= settings.min_posterior), which, -1)
    known = np.array([*compartments["compartment_id"], None], object)
    names = pd.Series(known[which], index=barcodes.index)
    return names, alignment, np.where(which >= 0, alone * alignment.probability, np.nan)


def _hidden(cells: pd.DataFrame, live: pd.DataFrame, compartments: pd.DataFrame, tolerance: float) -> pd.MultiIndex:
    """Return the compartments in which a track was lost after closing and that no later live track may continue."""
    if "closed_frame" not in compartments:
        return pd.MultiIndex.from_tuples([], names=COMPARTMENT)
    # Tracks lost after their compartment was closed, the cell of which may still be inside.
    lost = placed(cells[cells["alive_at_end"].isna().to_numpy() & (cells["end_kind"] == "lost").to_numpy(bool)])
    lost = in_compartments(lost, compartments, tolerance)[[*COMPARTMENT, "track_id", "end_frame"]].dropna()
    lost = lost.merge(compartments[[*COMPARTMENT, "closed_frame"]], on=COMPARTMENT)
    lost = lost[lost["end_frame"].astype(float) >= lost["closed_frame"].astype(float)]
    # A live track that appeared there afterwards may be the same cell, which is then counted already.
    later = live.loc[live["start_kind"] == "appeared", [*COMPARTMENT, "start_frame"]].dropna()
    both = lost.merge(later, on=COMPARTMENT, how="left")
    continued = both.loc[(both["start_frame"] > both["end_frame"]).fillna(value=False).to_numpy(bool), "track_id"]
    return pd.MultiIndex.from_frame(lost.loc[~lost["track_id"].isin(continued), COMPARTMENT].drop_duplicates())


def _compartment_table(
    compartments: pd.DataFrame, live: pd.DataFrame, barcodes: pd.DataFrame, hidden: pd.MultiIndex
) -> pd.DataFrame:
    """Return the live cells, barcodes and posterior of each compartment, and whether its occupancy is in doubt."""
    table = compartments.set_index(COMPARTMENT)[["fov"]]
    table["occupancy"] = live.groupby(COMPARTMENT).size().reindex(table.index, fill_value=0)
    grouped = barcodes.sort_values("barcode").groupby(COMPARTMENT)
    table["barcodes"] = grouped.size().reindex(table.index, fill_value=0)
    table["barcode"] = grouped["barcode"].agg(SEPARATOR.join).reindex(table.index)
    table["posterior"] = grouped["posterior"].agg("min").reindex(table.index)
    touched = [live[["sample", f"touched_{i}"]].set_axis(COMPARTMENT, axis=1).dropna() for i in (1, 2)]
    doubtful = pd.MultiIndex.from_frame(pd.concat(touched)).append(hidden)
    table["doubtful"] = table.index.isin(doubtful)
    return table


def _rows_of_cells(live: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    rows = live[["sample", "fov", "track_id", "compartment_id", "distance_px", "ambiguous"]]
    rows = rows.merge(table.drop(columns="fov").reset_index(), on=COMPARTMENT, how="left")
    doubtful = rows["ambiguous"].to_numpy(bool) | is_true(rows["doubtful"])
    barcodes, occupancy = rows["barcodes"].fillna(0).to_numpy(), rows["occupancy"].fillna(0).to_numpy()
    # The first reason that applies is the status.
    reasons = [doubtful, barcodes == 0, occupancy > 1, barcodes > 1]
    status = np.select(reasons, ["ambiguous", "no_barcode", "multi_cell", "multi_barcode"], "singlet")
    return rows.assign(status=status, posterior=rows["posterior"].where(status == "singlet"))


def _rows_of_barcodes(barcodes: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per barcode whose compartment has no live cell, is in doubt, or is unknown."""
    table = table.rename(columns={"fov": "compartment_fov"}).drop(columns=["barcode", "posterior"])
    rows = barcodes.drop(columns="posterior").merge(table.reset_index(), on=COMPARTMENT, how="left")
    rows = rows[~(rows["occupancy"] > 0).fillna(value=False).to_numpy(bool)]
    doubtful = rows["occupancy"].isna().to_numpy() | is_true(rows["doubtful"])
    rows = rows.assign(fov=rows["compartment_fov"].fillna(rows["fov"]))
    return rows.assign(status=np.where(doubtful, "ambiguous", "no_cell"), posterior=np.nan, distance_px=np.nan)


def _edits(pairs: pd.DataFrame, barcodes: pd.DataFrame) -> pd.Series:
    """Return how many letters of each pair's barcode were corrected; missing where counts were not compared."""
    edits = barcodes.get("edits", pd.Series(pd.NA, barcodes.index, dtype="Int64"))
    return _of_barcodes(pairs, barcodes, edits).astype("Int64")


def _groups(pairs: pd.DataFrame, barcodes: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the groups of each pair's barcode; missing where a compartment has several barcodes."""
    names = [str(c) for c in barcodes.columns if str(c).startswith(GROUP)]
    return {name: _of_barcodes(pairs, barcodes, barcodes[name]).astype("string") for name in names}


def _of_barcodes(pairs: pd.DataFrame, barcodes: pd.DataFrame, values: pd.Series) -> pd.Series:
    """Return the value of each pair's barcode; missing without one."""
    keyed = pd.Series(values.to_numpy(object), index=pd.MultiIndex.from_frame(barcodes[["sample", "barcode"]]))
    found = keyed.reindex(pd.MultiIndex.from_frame(pairs[["sample", "barcode"]]), fill_value=pd.NA)
    return pd.Series(found.to_numpy(object), index=pairs.index)
