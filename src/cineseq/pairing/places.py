"""Where the cells, compartments and barcodes of each field are, and what the compartments hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cineseq.pairing.alignment import around
from cineseq.pairing.positions import Circles, locate
from cineseq.pairing.shifts import Contents, Extent
from cineseq.tables.contract import FIELD

COMPARTMENT = ["sample", "compartment_id"]
END_POSITION = ("end_y_px", "end_x_px")
FEATURE_POSITION = ("y_px", "x_px")


def is_true(values: pd.Series) -> np.ndarray:
    """Return whether each value is true; a missing one is not."""
    return values.astype("boolean").fillna(value=False).to_numpy(bool)


def placed(cells: pd.DataFrame) -> pd.DataFrame:
    """Add the position ``y``, ``x`` of each cell: the end of its track, or else where its features were measured."""
    ends, features = ([c if c in cells else None for c in names] for names in (END_POSITION, FEATURE_POSITION))
    for axis, end, feature in zip("yx", ends, features, strict=True):
        position = cells[feature].astype("float64")
        cells = cells.assign(**{axis: position if end is None else cells[end].astype("float64").fillna(position)})
    return cells


def live_cells(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells that are alive at the end, with their positions ``y`` and ``x``."""
    return placed(cells[is_true(cells["alive_at_end"])])


def circles_of(compartments: pd.DataFrame) -> Circles:
    """Return the compartments of one field as circles."""
    centres = compartments[["y_px", "x_px"]].to_numpy(np.float64)
    return Circles(centres, compartments["radius_px"].to_numpy(np.float64))


def in_compartments(cells: pd.DataFrame, compartments: pd.DataFrame, tolerance: float) -> pd.DataFrame:
    """Add ``compartment_id``, ``distance_px``, ``ambiguous``, and the compartments touched (``touched_1``, ``_2``)."""
    columns = ("compartment_id", "touched_1", "touched_2")
    cells = cells.assign(**dict.fromkeys(columns, None), distance_px=np.nan, ambiguous=False)
    maps = dict(iter(compartments.groupby(FIELD)))
    for key, group in cells.dropna(subset=["y", "x"]).groupby(FIELD):
        if key in maps:
            located = locate(group[["y", "x"]].to_numpy(np.float64), circles_of(maps[key]), tolerance)
            # Positions in the map, -1 for none, point to the None at the end.
            names = np.array([*maps[key]["compartment_id"], None], object)
            chosen = zip(columns, (located.compartment, *located.touched.T), strict=True)
            cells.loc[group.index, list(columns)] = np.stack([names[which] for _, which in chosen], axis=1)
            cells.loc[group.index, "distance_px"] = located.distance
            cells.loc[group.index, "ambiguous"] = located.ambiguous
    return cells


def with_own_compartments(compartments: pd.DataFrame, live: pd.DataFrame) -> pd.DataFrame:
    """Add a compartment around each cell of an open culture that extends half-way to the nearest other cell."""
    parts = [compartments] if len(compartments) else []
    for _, group in live.dropna(subset=["y", "x"]).groupby(FIELD):
        points = group[["y", "x"]].to_numpy(np.float64)
        # Half the distance to the nearest other cell, shape (cells,), but no more than the median of the field.
        reach = Circles(points, np.ones(len(points))).nearest(points)[1][:, 1:2].ravel() / 2
        apart = reach[reach > 0]
        radius = np.minimum(reach, np.median(apart if len(apart) else reach)) if len(points) > 1 else np.full(1, np.inf)
        columns = {"compartment_id": group["track_id"], "y_px": points[:, 0], "x_px": points[:, 1], "radius_px": radius}
        parts.append(group[FIELD].assign(**columns))
    return pd.concat(parts, ignore_index=True) if parts else compartments


@dataclass(frozen=True)
class Fields:
    """What was seen in each field, by sample and field.

    Attributes
    ----------
    seen
        Positions of all cells and compartments, shape (n, 2), px.
    sizes
        Height and width of the image, px; absent where unknown.
    """

    seen: dict[tuple[str, str], np.ndarray]
    sizes: dict[tuple[str, str], np.ndarray]

    def window(self, field: tuple[str, str], circles: Circles, points: np.ndarray) -> Extent:
        """Return the image of a field; where its size is unknown, it ends at the outermost of what was seen in it."""
        corners = [np.stack([np.zeros(2), self.sizes[field]])] if field in self.sizes else []
        return around(circles, points, self.seen.get(field, np.empty((0, 2))), *corners)

    def image(self, field: tuple[str, str]) -> Extent:
        """Return the image of a field, from the origin to its far corner, or to that of the cells and compartments."""
        if field in self.sizes:
            return Extent(np.zeros(2), self.sizes[field])
        seen = self.seen.get(field, np.zeros((1, 2)))
        return Extent(seen.min(axis=0), seen.max(axis=0))


def fields_of(cells: pd.DataFrame, compartments: pd.DataFrame, sizes: pd.DataFrame | None) -> Fields:
    """Return what was seen in each field; ``sizes`` has ``height_px`` and ``width_px``, which may be missing."""
    columns = ["height_px", "width_px"]
    known = pd.DataFrame(columns=[*FIELD, *columns]) if sizes is None else sizes.reindex(columns=[*FIELD, *columns])
    known = known.dropna(subset=columns)
    of_cells = placed(cells)[[*FIELD, "y", "x"]]
    of_compartments = compartments[[*FIELD, "y_px", "x_px"]].set_axis(of_cells.columns, axis=1)
    every = pd.concat([part for part in (of_cells, of_compartments) if len(part)] or [of_cells]).dropna()
    seen = {key: rows[["y", "x"]].to_numpy(np.float64) for key, rows in every.groupby(FIELD)}
    keys = zip(known["sample"], known["fov"], strict=True)
    return Fields(seen, dict(zip(keys, known[columns].to_numpy(np.float64), strict=True)))


def contents_of(compartments: pd.DataFrame, live: pd.DataFrame, barcodes: pd.DataFrame) -> Contents:
    """Return the live cells of the compartments, and the column ``counts`` of the barcodes where there is one.

    Parameters
    ----------
    compartments, barcodes
        Rows of one field.
    live
        Live cells with their ``compartment_id``.
    """
    index = pd.MultiIndex.from_frame(compartments[COMPARTMENT])
    occupancy = live.groupby(COMPARTMENT).size().reindex(index).fillna(0).to_numpy()
    counts = barcodes["counts"].to_numpy(np.float64) if "counts" in barcodes else np.full(len(barcodes), np.nan)
    return Contents(occupancy, counts)
