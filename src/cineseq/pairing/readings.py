"""Whether a map looks wrong, and which other reading of it fits better: axes swapped, mirrored, turned, or scaled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from cineseq.config.pairing import Pairing
from cineseq.pairing.alignment import align, pitch_of
from cineseq.pairing.match import (
    Fields,
    circles_of,
    contents_of,
    fields_of,
    in_compartments,
    live_cells,
    match,
    on_map,
    registered,
    with_own_compartments,
)
from cineseq.pairing.scatter import fit_scatter, nearest
from cineseq.pairing.shifts import Extent, candidates, of_contents
from cineseq.tables.contract import FIELD
from cineseq.text import count, listed, number

CLEARLY = 10.0
"""A reading is named where the data are exp(10) times likelier under it than under the map as it is."""
SUPPORTED = 0.25
"""Log Bayes factor of cells and counts, per barcode, from which on no other reading of a map of barcodes is tried."""
FEWEST, FEWEST_ALONE = 10, 4
"""Fewest barcodes, cells and compartments that are judged, and fewest where each cell is a compartment of its own."""
FURTHEST_NAME, SAME_PLACE = 2.0, 0.45
"""Largest step in pitches by which names of compartments may be off, and the distance within which one lies there."""
SCALES = np.exp(np.linspace(-0.15, 0.15, 61))
"""Scales that are tried around the ratio of the extents of two maps."""
SAME_SCALE = (0.8, 1.25)
SWAP = np.array([[0.0, 1.0], [1.0, 0.0]])


@dataclass(frozen=True)
class Reading:
    """Another way to read the positions of a map.

    Attributes
    ----------
    name
        In words, such as ``its axes swapped``.
    apply
        Positions of shape (n, 2) and the image, to positions.
    scale
        Factor of lengths.
    """

    name: str
    apply: Callable[[np.ndarray, Extent], np.ndarray]
    scale: float = 1.0


@dataclass(frozen=True)
class Doubt:
    """A map that fits better when it is read otherwise.

    Attributes
    ----------
    table
        ``compartments`` or ``barcodes``.
    where
        Its sample, or its fields, in words.
    reading
        The better reading, in words.
    singlets, better
        Pairs that the map gives as it is, and under the better reading.
    """

    table: str
    where: str
    reading: str
    singlets: int
    better: int

    @property
    def text(self) -> str:
        """One sentence for the reader."""
        gain = f" and gives {count(self.better, 'singlet')} instead of {self.singlets}" if self.better else ""
        return (
            f"The map of {self.table} of {self.where} looks wrong. With {self.reading} it fits far better{gain}. Check "
            "the table; it was used as it is."
        )


def _turned(matrix: list[list[float]]) -> Callable[[np.ndarray, Extent], np.ndarray]:
    """Return a rotation or reflection about the middle of the image; of a turned image, the sides are swapped too."""
    linear = np.array(matrix)

    def apply(points: np.ndarray, window: Extent) -> np.ndarray:
        middle = (window.low + window.high) / 2
        return (points - np.abs(linear) @ middle) @ linear.T + middle

    return apply


ISOMETRIES = (
    Reading("its axes swapped (y_px and x_px exchanged)", lambda points, _: points @ SWAP),
    Reading("its rows mirrored (y_px counted from the other side)", _turned([[-1, 0], [0, 1]])),
    Reading("its columns mirrored (x_px counted from the other side)", _turned([[1, 0], [0, -1]])),
    Reading("a rotation by 180 degrees", _turned([[-1, 0], [0, -1]])),
    Reading("a rotation by 90 degrees", _turned([[0, -1], [1, 0]])),
    Reading("a rotation by 270 degrees", _turned([[0, 1], [-1, 0]])),
)


def _scaled(scale: float, pixel_size: float) -> Reading:
    """Return the reading of positions in another unit; the pixel size, NaN if unknown, gives it a name."""
    name = f"its lengths multiplied by {number(scale)}"
    for factor, words in ((1 / pixel_size, "micrometres taken for pixels"), (pixel_size, "a map of another scale")):
        if abs(scale / factor - 1) < 0.1:
            name = f"{name} ({words})"
    if "(" not in name and scale > 1:
        name += " (micrometres taken for pixels, perhaps)"
    return Reading(name, lambda points, _: points * scale, scale)


def _scales(of: np.ndarray, onto: np.ndarray, pixel_size: float, around: np.ndarray = SCALES) -> list[float]:
    """Return scales that could bring a map onto another: from the pixel size, and around the ratio of their extents."""
    known = [pixel_size, 1 / pixel_size] if np.isfinite(pixel_size) and pixel_size != 1 else []
    spread = np.quantile(onto, [0.05, 0.95], axis=0), np.quantile(of, [0.05, 0.95], axis=0)
    wide, narrow = np.ptp(spread[0], axis=0), np.ptp(spread[1], axis=0)
    ratio = float(np.median(wide[narrow > 0] / narrow[narrow > 0])) if (narrow > 0).any() else 1.0
    if ratio <= 0 or SAME_SCALE[0] <= ratio <= SAME_SCALE[1]:
        return known
    return [*known, *(ratio * around)]


@dataclass(frozen=True)
class Maps:
    """The tables that are matched: as for :func:`cineseq.pairing.match.match`, of all samples or of one."""

    cells: pd.DataFrame
    compartments: pd.DataFrame
    barcodes: pd.DataFrame
    settings: Pairing
    sizes: pd.DataFrame | None = None

    def of(self, **where: str) -> Maps:
        """Return the rows of a sample, or of one of its fields."""

        def rows(table: pd.DataFrame) -> pd.DataFrame:
            return table[(table[list(where)] == list(where.values())).all(axis=1)]

        return replace(self, cells=rows(self.cells), compartments=rows(self.compartments), barcodes=rows(self.barcodes))

    def as_open_culture(self) -> Maps:
        """Return these tables, of a sample without compartments, with a compartment around each of its cells."""
        own = with_own_compartments(self.compartments, live_cells(self.cells))
        return replace(self, compartments=own, settings=registered(self.settings))

    @property
    def singlets(self) -> int:
        """Number of pairs that these tables give; barcodes that name compartments on no map give none."""
        known = self.barcodes[self.barcodes["compartment_id"].isna() | on_map(self.barcodes, self.compartments)]
        matched = match(self.cells, self.compartments, known, self.settings, self.sizes)
        return int((matched.pairs["status"] == "singlet").sum())

    @property
    def pixel_size(self) -> float:
        """Median micrometres per pixel of the sample of these tables; NaN where unknown."""
        if self.sizes is None or "pixel_size_um" not in self.sizes:
            return float("nan")
        known = self.sizes.loc[self.sizes["sample"].isin(self.compartments["sample"]), "pixel_size_um"].dropna()
        return float(known.astype(float).median()) if len(known) else float("nan")


def check_maps(maps: Maps, alignments: pd.DataFrame) -> list[Doubt]:
    """Return the maps of compartments and barcodes that fit clearly better when they are read otherwise.

    Parameters
    ----------
    maps
        The tables that were matched.
    alignments
        How the barcodes of each field were aligned, see :class:`cineseq.pairing.match.Matched`.
    """
    fields = fields_of(maps.cells, maps.compartments, maps.sizes)
    samples = list(dict.fromkeys(maps.compartments["sample"]))
    doubts = [_check_compartments(sample, maps.of(sample=sample), fields) for sample in samples]
    doubts += [_check_names(sample, maps.of(sample=sample)) for sample in samples]
    doubts += [_check_barcodes(row, maps, fields) for _, row in alignments.iterrows()]
    return _joined([doubt for doubt in doubts if doubt is not None])


def _joined(doubts: list[Doubt]) -> list[Doubt]:
    """Return one doubt for all samples or fields whose map is better read alike."""
    alike: dict[tuple[str, str], list[Doubt]] = {}
    for doubt in doubts:
        alike.setdefault((doubt.table, doubt.reading), []).append(doubt)
    return [
        replace(
            same[0],
            where=listed([doubt.where for doubt in same]),
            singlets=sum(doubt.singlets for doubt in same),
            better=sum(doubt.better for doubt in same),
        )
        for same in alike.values()
    ]


# Compartments: under the right reading, live cells lie in them, and counts rise with the cells.


def _check_compartments(sample: str, maps: Maps, fields: Fields) -> Doubt | None:
    live = live_cells(maps.cells)
    live = live[live["fov"].isin(maps.compartments["fov"]) & live[["y", "x"]].notna().all(axis=1)]
    if len(live) < FEWEST or len(maps.compartments) < FEWEST:
        return None
    named = maps.barcodes[maps.barcodes["compartment_id"].notna()]

    def fit(compartments: pd.DataFrame) -> float:
        counts = _fit_of_counts(compartments, in_compartments(live, compartments, maps.settings.rim), named)
        return _fit_of_cells(compartments, live, fields) + counts

    where = maps.compartments[["y_px", "x_px"]].to_numpy(float), live[["y", "x"]].to_numpy(float)
    tried = [*ISOMETRIES, *(_scaled(scale, maps.pixel_size) for scale in _scales(*where, maps.pixel_size))]
    read = [_read(maps.compartments, reading, fields) for reading in tried]
    fits = [fit(compartments) for compartments in read]
    best = int(np.argmax(fits))
    if fits[best] - fit(maps.compartments) < CLEARLY:
        return None
    better = replace(maps, compartments=read[best]).singlets
    return Doubt("compartments", f"sample {sample}", tried[best].name, maps.singlets, better)


def _fit_of_cells(compartments: pd.DataFrame, live: pd.DataFrame, fields: Fields) -> float:
    """Return the log likelihood of cells scattered around compartments, above that of cells that are anywhere."""
    total = 0.0
    for key, rows in compartments.groupby(FIELD):
        points = live.loc[(live[FIELD] == list(key)).all(axis=1), ["y", "x"]].to_numpy(float)
        circles = circles_of(rows)
        if len(points) and 0 < pitch_of(circles) < np.inf:
            area = fields.image(key).area
            distance, _ = nearest(points, cKDTree(circles.centres))
            scatter = fit_scatter(distance, len(rows), area, pitch_of(circles))
            total += float(np.log(scatter.total(distance)).sum() - len(points) * np.log(len(points) / area))
    return total


def _fit_of_counts(compartments: pd.DataFrame, placed: pd.DataFrame, named: pd.DataFrame) -> float:
    """Return the log Bayes factor of counts of barcodes that rise with the cells of the compartments they name."""
    contents = contents_of(compartments, placed, named)
    place = pd.Index(compartments["compartment_id"]).get_indexer(named["compartment_id"])
    # Compartments in a row, each barcode in its own.
    row = np.stack([np.arange(len(compartments)), np.zeros(len(compartments))], axis=1).astype(float)
    contents = replace(contents, counts=contents.counts[place >= 0])
    everywhere = Extent(np.full(2, -np.inf), np.full(2, np.inf))
    reach = np.full(len(row), 0.1)
    known = of_contents(row[place[place >= 0]], np.zeros((1, 2)), row, reach, window=everywhere, contents=contents)
    return float(np.nan_to_num(known)[0])


def _check_names(sample: str, maps: Maps) -> Doubt | None:
    """Return a doubt where counts follow the cells of the compartments next to the named ones, all in one direction."""
    named = maps.barcodes[maps.barcodes["compartment_id"].notna()]
    if len(named) < FEWEST or len(maps.compartments) < FEWEST:
        return None
    live = in_compartments(live_cells(maps.cells), maps.compartments, maps.settings.rim)
    _, largest = max(maps.compartments.groupby(FIELD), key=lambda part: len(part[1]))
    circles = circles_of(largest)
    pitch = pitch_of(circles)
    if not 0 < pitch < np.inf:
        return None
    steps = candidates(circles.centres, circles.centres, pitch, FURTHEST_NAME)
    steps = steps[np.linalg.norm(steps, axis=1) > pitch / 2]
    read = [_renamed(named, maps.compartments, step, pitch) for step in steps]
    fits = [_fit_of_counts(maps.compartments, live, barcodes) for barcodes in read]
    if not fits or max(fits) - _fit_of_counts(maps.compartments, live, named) < CLEARLY:
        return None
    best = int(np.argmax(fits))
    down, right = (number(part, 0) for part in steps[best] / pitch)
    reading = f"the compartments that barcodes name moved by ({down}, {right}) pitches along y and x"
    better = replace(maps, barcodes=read[best]).singlets
    return Doubt("barcodes", f"sample {sample}", reading, maps.singlets, better)


def _renamed(named: pd.DataFrame, compartments: pd.DataFrame, step: np.ndarray, pitch: float) -> pd.DataFrame:
    """Return the barcodes in the compartments that lie one step further; without those for which there is none."""
    further: dict[str, str] = {}
    for _, rows in compartments.groupby(FIELD):
        centres, names = circles_of(rows).centres, rows["compartment_id"].to_numpy()
        distance, which = cKDTree(centres).query(centres + step)
        there = distance < SAME_PLACE * pitch
        further |= dict(zip(names[there], names[which[there]], strict=True))
    moved = named.assign(compartment_id=named["compartment_id"].map(further).astype("string"))
    return moved[moved["compartment_id"].notna()]


def _read(compartments: pd.DataFrame, reading: Reading, fields: Fields) -> pd.DataFrame:
    parts = []
    for key, rows in compartments.groupby(FIELD):
        points = reading.apply(rows[["y_px", "x_px"]].to_numpy(float), fields.image(key))
        columns = {"y_px": points[:, 0], "x_px": points[:, 1], "radius_px": rows["radius_px"] * reading.scale}
        parts.append(rows.assign(**columns))
    return pd.concat(parts)


# Barcodes by position: under the right reading they lie on compartments, and counts rise with the cells.


def _check_barcodes(alignment: pd.Series, maps: Maps, fields: Fields) -> Doubt | None:
    key = (alignment["sample"], alignment["fov"])
    has_map = bool((maps.compartments["sample"] == key[0]).any())
    here = maps.of(sample=key[0], fov=key[1])
    here = here if has_map else here.as_open_culture()
    mine = here.barcodes[here.barcodes["compartment_id"].isna()]
    supported = alignment["trusted"] and alignment["contents"] >= SUPPORTED * len(mine)
    if supported or min(len(mine), len(here.compartments)) < (FEWEST if has_map else FEWEST_ALONE):
        return None
    circles, points = circles_of(here.compartments), mine[["y_px", "x_px"]].to_numpy(float)
    live = in_compartments(live_cells(here.cells), here.compartments, here.settings.rim)
    contents, image = contents_of(here.compartments, live, mine), fields.image(key)

    def fit(moved: np.ndarray, scale: float) -> float:
        furthest, window = here.settings.max_shift, fields.window(key, circles, moved)
        radius = here.settings.barcode_radius
        gain = align(moved, circles, radius, furthest=furthest, window=window, contents=contents).gain
        # Per square pixel of the map as it is, and above barcodes that are anywhere in its image.
        return gain + len(points) * (2 * np.log(scale) - np.log(window.area / fields.window(key, circles, points).area))

    scales = _scales(points, circles.centres, here.pixel_size, SCALES[::4])
    tried = [*ISOMETRIES, *(_scaled(scale, here.pixel_size) for scale in scales)]
    read = [reading.apply(points, image) for reading in tried]
    fits = [fit(moved, reading.scale) for moved, reading in zip(read, tried, strict=True)]
    best = int(np.argmax(fits))
    if fits[best] - alignment["gain"] < CLEARLY:
        return None
    barcodes = here.barcodes.copy()
    barcodes.loc[mine.index, ["y_px", "x_px"]] = read[best]
    better = replace(here, barcodes=barcodes).singlets
    return Doubt("barcodes", f"field {key[0]}/{key[1]}", tried[best].name, here.singlets, better)
