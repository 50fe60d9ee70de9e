"""Small synthetic fields of view for the tests of the feature steps."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from cineseq.io.stacks import MovieInfo, write_labels, write_movie
from cineseq.tables.contract import write_table
from cineseq.tables.imaging import DETECTIONS, TRACKS


def disc(shape: tuple[int, int], y: float, x: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return np.hypot(rows - y, columns - x) <= radius


@dataclass
class Field:
    """Discs that stand still: one track each, labelled 1, 2, ... in every frame."""

    folder: Path
    frames: int = 3
    shape: tuple[int, int] = (96, 96)
    centres: tuple[tuple[float, float], ...] = ((30, 30), (30, 66), (66, 40))
    radius: float = 9
    channels: tuple[str, ...] = ("nuclear", "lipid")
    pixel_size_um: float | None = 0.5
    frame_interval_min: float | None = 30.0
    end_kinds: tuple[str, ...] = ()
    values: dict[str, np.ndarray] = field(default_factory=dict)
    """Grey levels of the cells above background by channel, shape (frames, cells); 100 where not given."""
    noise: float = 5.0
    seed: int = 0

    def masks(self) -> np.ndarray:
        plane = np.zeros(self.shape, np.uint16)
        for i, (y, x) in enumerate(self.centres, start=1):
            plane[disc(self.shape, y, x, self.radius)] = i
        return plane

    def write(self) -> dict[str, Path]:
        """Write masks, movie, detections and tracks; return their paths under the steps' parameter names."""
        info = MovieInfo(self.frames, *self.shape, self.channels, self.pixel_size_um, self.frame_interval_min)
        paths = {n: self.folder / f"{n}.ome.tif" for n in ("labels", "movie")}
        paths |= {n: self.folder / f"{n}.parquet" for n in ("detections", "tracks")}
        masks = self.masks()
        write_labels((masks for _ in range(self.frames)), paths["labels"], info)
        write_movie(self._planes(masks), paths["movie"], info)
        write_table(self.detections(), paths["detections"], DETECTIONS)
        write_table(self.tracks(), paths["tracks"], TRACKS)
        return paths

    def _planes(self, masks: np.ndarray):
        rng = np.random.default_rng(self.seed)
        for frame in range(self.frames):
            for channel in self.channels:
                above = self.values.get(channel, np.full((self.frames, len(self.centres)), 100.0))[frame]
                plane = 200.0 + np.concatenate([[0.0], above])[masks] + rng.normal(0, self.noise, self.shape)
                yield plane.round().clip(0).astype(np.uint16)

    def detections(self) -> pd.DataFrame:
        cells = range(1, len(self.centres) + 1)
        return pd.DataFrame(
            [
                {
                    "sample": "s",
                    "fov": "1",
                    "frame": frame,
                    "label": i,
                    "track_id": f"s/1/{i}",
                    "y_px": self.centres[i - 1][0],
                    "x_px": self.centres[i - 1][1],
                    "area_px": 250.0,
                    "touches_border": False,
                }
                for frame in range(self.frames)
                for i in cells
            ],
            columns=[c.name for c in DETECTIONS.columns],
        )

    def tracks(self) -> pd.DataFrame:
        kinds = self.end_kinds or ("end_of_movie",) * len(self.centres)
        return make_tracks([(0, self.frames - 1, kind) for kind in kinds])


def make_tracks(spans: list[tuple[int, int, str]]) -> pd.DataFrame:
    """Return a legal table of tracks from (first frame, last frame, kind of end)."""
    rows = [
        {
            "track_id": f"s/1/{i}",
            "sample": "s",
            "fov": "1",
            "number": i,
            "parent_id": pd.NA,
            "founder_id": f"s/1/{i}",
            "generation": 0,
            "sister_id": pd.NA,
            "start_frame": first,
            "end_frame": last,
            "start_hours": np.nan,
            "end_hours": np.nan,
            "start_kind": "first_frame",
            "start_confidence": 1.0,
            "end_kind": kind,
            "end_confidence": 1.0,
            "fate": kind if kind in ("division", "death") else "unknown",
            "fate_known": kind in ("division", "death"),
            "alive_at_end": pd.NA,
            "frames": last - first + 1,
            "start_y_px": np.nan,
            "start_x_px": np.nan,
            "end_y_px": np.nan,
            "end_x_px": np.nan,
        }
        for i, (first, last, kind) in enumerate(spans, start=1)
    ]
    return TRACKS.check(pd.DataFrame(rows, columns=[c.name for c in TRACKS.columns]))
