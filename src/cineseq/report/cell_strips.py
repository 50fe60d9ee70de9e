"""Film strips of cells from birth to end, as sprites: one row per cell, one square per frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cineseq.files import replacing, write_json
from cineseq.io.stacks import Labels, Movie, MovieInfo

PANEL = 64
"""Width and height of a frame, in px of the sprite."""
FRAMES = 28
"""Largest number of frames of a cell; a longer life is shown at equal distances, from first to last."""
SHEET = 100
"""Cells of one file."""
CELLS_ACROSS = 3.5
"""Side of a frame, in square roots of the median area."""
QUALITY = 62
OUTLINE, WHITE = 255, 235
"""Level of the array that is drawn in the colour of the outline, and the highest level of the image."""
OUTLINE_COLOUR = (255, 157, 0)


def choose_cells(tracks: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return the tracks that are drawn: those that reach the last frame first, then those with relatives."""
    if len(tracks) <= most:
        return tracks
    reaches = tracks["end_frame"] == tracks["end_frame"].max()
    related = tracks["parent_id"].notna() | tracks["track_id"].isin(tracks["parent_id"].dropna())
    order = np.lexsort((np.arange(len(tracks)), ~related, ~reaches))
    return tracks.iloc[np.sort(order[:most])]


def shown_frames(frames: np.ndarray) -> np.ndarray:
    """Return the frames of a life, in order, that are shown, at most :data:`FRAMES`, its first and last among them."""
    if len(frames) <= FRAMES:
        return frames
    return frames[np.round(np.linspace(0, len(frames) - 1, FRAMES)).astype(int)]


@dataclass(frozen=True)
class FieldImages:
    """The masks of a field, and the channel of its movie that is drawn; without one, the masks are."""

    labels: Labels
    movie: Movie | None = None
    channel: str | None = None

    def plane(self, frame: int) -> np.ndarray | None:
        """Return the image of one frame; None without a movie."""
        return None if self.movie is None or self.channel is None else self.movie.plane(frame, self.channel)


def write_cell_strips(
    folder: Path, tracks: pd.DataFrame, detections: pd.DataFrame, images: FieldImages, most: int
) -> int:
    """Draw the strips of a field and return their number; each frame of the movie is read once.

    Parameters
    ----------
    folder
        Output folder: sprites ``0.webp``, ``1.webp`` ... of :data:`SHEET` cells each, and ``strips.json`` with the
        sprite, row and frames of every cell.
    tracks, detections
        Of the field, with their contracts.
    images
        Masks and movie.
    most
        Largest number of strips.
    """
    chosen = choose_cells(tracks, most)
    wanted = _wanted(chosen, detections)
    cells = {
        str(name): [int(row) // SHEET, int(row) % SHEET, part["frame"].tolist()]
        for (row, name), part in wanted.groupby(["row", "track_id"], sort=True)
    }
    sheets = -(-len(cells) // SHEET)
    info = images.labels.info
    side = max(8, round(CELLS_ACROSS * np.sqrt(detections["area_px"].median()))) if len(detections) else 8
    side = min(side, info.height, info.width)
    canvas = np.zeros((len(cells) * PANEL, int(wanted["place"].max() + 1) * PANEL if len(wanted) else 0), np.uint8)
    _draw(canvas, wanted, images, side)
    with replacing(folder) as new:
        new.mkdir()
        for sheet in range(sheets):
            _save(canvas[sheet * SHEET * PANEL : (sheet + 1) * SHEET * PANEL], new / f"{sheet}.webp")
        write_json(
            {
                "cells": cells,
                "sheets": sheets,
                "panel": PANEL,
                "um_per_panel": None if info.pixel_size_um is None else side * info.pixel_size_um,
                "frame_hours": _frame_hours(info),
                "without": len(tracks) - len(chosen),
            },
            new / "strips.json",
        )
    return len(cells)


def _frame_hours(info: MovieInfo) -> float | None:
    return None if info.frame_interval_min is None else info.frame_interval_min / 60


def _wanted(chosen: pd.DataFrame, detections: pd.DataFrame) -> pd.DataFrame:
    """Return the detections that are drawn, with the row of the cell and the place in the row."""
    found = detections[detections["track_id"].isin(chosen["track_id"])].sort_values(["track_id", "frame"])
    named = chosen.loc[chosen["track_id"].isin(found["track_id"]), "track_id"]
    found = found.assign(row=found["track_id"].map(dict(zip(named, range(len(named)), strict=True))).astype(int))
    lives = found.groupby("track_id").indices.values()
    shown = np.concatenate([shown_frames(np.sort(life)) for life in lives]) if len(found) else np.array([], int)
    found = found.iloc[np.sort(shown)]
    return found.assign(place=found.groupby("track_id").cumcount())


def _draw(canvas: np.ndarray, wanted: pd.DataFrame, images: FieldImages, side: int) -> None:
    """Draw every wanted detection on the canvas."""
    low, high = _contrast(images, wanted["frame"].to_numpy())
    for number in np.unique(wanted["frame"]):
        masks, image = images.labels[int(number)], images.plane(int(number))
        here = wanted[wanted["frame"] == number]
        for row, place, label, *middle in here[["row", "place", "label", "y_px", "x_px"]].to_numpy(float):
            firsts = [int(np.clip(round(m - side / 2), 0, n - side)) for m, n in zip(middle, masks.shape, strict=True)]
            box = tuple(slice(first, first + side) for first in firsts)
            part = None if image is None else (image[box].astype(np.float32) - low) / (high - low)
            y, x = int(row) * PANEL, int(place) * PANEL
            canvas[y : y + PANEL, x : x + PANEL] = _panel(masks[box], int(label), part)


def _contrast(images: FieldImages, frames: np.ndarray) -> tuple[float, float]:
    """Return the grey levels that are black and white in the whole field, from three of its frames."""
    planes: list[np.ndarray] = []
    if len(frames):
        some = np.unique(np.quantile(frames, (0, 0.5, 1), method="nearest"))
        planes = [plane for frame in some if (plane := images.plane(int(frame))) is not None]
    if not planes:
        return 0.0, 1.0
    low, high = np.percentile(planes, (0.5, 99.7))
    return float(low), float(max(high, low + 1e-6))


def _panel(masks: np.ndarray, label: int, image: np.ndarray | None) -> np.ndarray:
    """Return one frame, shape (PANEL, PANEL): the image, or the masks, with the cell outlined."""
    rows, columns = (np.arange(PANEL) * n // PANEL for n in masks.shape)
    large = masks[np.ix_(rows, columns)]
    own = large == label
    if image is None:
        drawn = np.where(own, WHITE // 2, np.where(large > 0, WHITE // 5, 0)).astype(np.uint8)
    else:
        grey = (WHITE * np.clip(image, 0, 1)).astype(np.uint8)
        drawn = np.minimum(np.asarray(Image.fromarray(grey).resize((PANEL, PANEL), Image.Resampling.BILINEAR)), WHITE)
    drawn = drawn.copy()
    drawn[_edge(own)] = OUTLINE
    return drawn


def _edge(own: np.ndarray) -> np.ndarray:
    """Return the pixels of a mask that have a neighbour outside it; skimage's function takes longer."""
    around = np.pad(own, 1, mode="edge")
    inner = around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    return own & ~inner


def _save(levels: np.ndarray, path: Path) -> None:
    palette = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    palette[OUTLINE] = OUTLINE_COLOUR
    sprite = Image.fromarray(levels)
    sprite.putpalette(palette.ravel().tolist())
    sprite.convert("RGB").save(path, "WEBP", quality=QUALITY, method=1)
