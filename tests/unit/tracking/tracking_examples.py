"""Drawn movies of discs, and points, to be tracked."""

from pathlib import Path

import numpy as np
import pandas as pd
from track import Settings
from track import main as track

from cineseq.config.base import FieldOfView
from cineseq.config.tracking import Track
from cineseq.io.stacks import MovieInfo, write_labels, write_movie
from cineseq.tables.contract import read_table
from cineseq.tables.imaging import DETECTIONS, TRACKS
from cineseq.tracking.lineage import TrackLineage
from cineseq.tracking.objects import COLUMNS, Objects
from cineseq.tracking.track_tables import tables
from cineseq.tracking.tracker import link_objects

SIZE = 120
ROUND = {
    "eccentricity": 0.1,
    "ellipse_extent": 1.0,
    "elongation_0": 0.0,
    "elongation_45": 0.0,
    "touches_border": False,
    "brightness": np.nan,
}
"""Shape of a disc inside the field, without a movie."""


Disc = tuple[int, float, float, float]
"""Label, row, column and radius."""


def picture(discs: list[Disc], size: int = SIZE) -> np.ndarray:
    plane = np.zeros((size, size), np.uint16)
    yy, xx = np.mgrid[:size, :size]
    for label, y, x, radius in discs:
        plane[(yy - y) ** 2 + (xx - x) ** 2 <= radius**2] = label
    return plane


def stack_of(planes: list[np.ndarray], path: Path, minutes: float | None = 30.0) -> Path:
    info = MovieInfo(len(planes), *planes[0].shape, (), None, minutes)
    write_labels(planes, path, info)
    return path


def outputs(folder: Path) -> dict[str, Path]:
    """Return where tracking and its import write."""
    names = {"detections": "d.parquet", "tracks": "t.parquet", "events": "e.parquet", "report": "r.json"}
    return {what: folder / name for what, name in names.items()}


def run_track(planes: list[np.ndarray], folder: Path, **more: object) -> tuple[pd.DataFrame, pd.DataFrame]:
    files = outputs(folder)
    track(labels=stack_of(planes, folder / "m.ome.tif"), **files, settings=Settings(**more))
    return read_table(files["detections"], DETECTIONS), read_table(files["tracks"], TRACKS)


def track_of(detections: pd.DataFrame, frame: int, label: int) -> str:
    row = detections[(detections["frame"] == frame) & (detections["label"] == label)]
    return row["track_id"].iloc[0]


def still(label: int, y: float, x: float, frames: int = 10, radius: float = 6) -> list[list[Disc]]:
    return [[(label, y, x, radius)] for _ in range(frames)]


def together(*cells: list[list[Disc]]) -> list[np.ndarray]:
    frames = max(len(c) for c in cells)
    return [picture([d for c in cells if t < len(c) for d in c[t]]) for t in range(frames)]


def dividing(frames: int = 10, at: int = 5) -> list[list[Disc]]:
    parent = [[(1, 60, 60, 8)] for _ in range(at)]
    daughters = [[(2, 60, 52 - t, 6), (3, 60, 68 + t, 6)] for t in range(frames - at)]
    return parent + daughters


def shrinking(label: int, y: float, x: float, alive: int = 9) -> list[list[Disc]]:
    return [*still(label, y, x, alive, 7), [(label, y, x, 4.5)], [(label, y, x, 3.2)]]


def movie_of(
    planes: list[np.ndarray], path: Path, glow: dict[tuple[int, int], float], body: list[list[Disc]] | None = None
) -> Path:
    """Write a movie of masks; ``glow`` is the gain of labels by frame, ``body`` what is bright outside the masks."""
    info = MovieInfo(len(planes), *planes[0].shape, ("nuclear", "lipid"), None, 30.0)

    def images():
        for frame, plane in enumerate(planes):
            image = np.full(plane.shape, 100.0) + 50.0 * (plane > 0)
            for (t, label), gain in glow.items():
                if t == frame:
                    image[plane == label] = 100 + 50 * gain
            for _, y, x, radius in body[frame] if body else []:
                image[picture([(1, y, x, radius)], plane.shape[0]) > 0] += 120
            yield image.astype(np.uint16)
            yield np.full(plane.shape, 7, np.uint16)

    write_movie(images(), path, info)
    return path


def objects_at(rows: list[tuple[int, float, float]], size: int = 200, area: float = 100.0) -> Objects:
    table = pd.DataFrame(rows, columns=["frame", "y_px", "x_px"]).sort_values("frame", kind="stable")
    table["label"] = table.groupby("frame").cumcount() + 1
    table = table.assign(area_px=area, **ROUND)
    overlaps = pd.DataFrame({"source": [], "target": [], "shared": []}).astype({"source": int, "target": int})
    frames = int(table["frame"].max()) + 1
    return Objects(table[list(COLUMNS)].astype(COLUMNS).reset_index(drop=True), overlaps, (frames, size, size), 0)


def follow(objects: Objects, **more: object) -> tuple[pd.DataFrame, pd.DataFrame]:
    chosen = Track(**more)
    linked = link_objects(objects, np.full(len(objects.table), -1), chosen)
    info = MovieInfo(*objects.shape, (), None, 10.0)
    detections, tracks = tables(objects, linked.families, FieldOfView(), info, chosen)
    return DETECTIONS.check(detections), TRACKS.check(tracks)


INFO = MovieInfo(6, 100, 100, (), None, 30.0)


def two_families() -> tuple[Objects, TrackLineage]:
    """Return tracks 1 (frames 0-2, parent of 2 and 3, frames 3-5) and 4 (frames 0-5); labels are track numbers."""
    rows = [(t, 1, 30.0, 30.0 + t) for t in range(3)] + [(t, 4, 70.0, 70.0) for t in range(6)]
    rows += [(t, n, 30.0, x) for t in range(3, 6) for n, x in ((2, 24.0 - t), (3, 42.0 + t))]
    table = pd.DataFrame(sorted(rows), columns=["frame", "label", "y_px", "x_px"])
    table = table.assign(area_px=100.0, **ROUND)
    none = pd.DataFrame({"source": pd.Series(dtype=int), "target": pd.Series(dtype=int), "shared": []})
    families = TrackLineage(table["label"].to_numpy(np.int64), {2: 1, 3: 1}, {1: 0.9})
    return Objects(table, none, (6, 100, 100), 0), families
