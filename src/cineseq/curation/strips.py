"""Film strips: a few frames around an event with its cells outlined."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont
from skimage.segmentation import find_boundaries

from cineseq.io.labels import renumbered
from cineseq.io.stacks import Labels, Movie

PANEL = 116
"""Width and height of a frame in the strip, in px of the picture."""
FOOT = 18
GAP = 3
"""Height of the line of frame numbers, and width between frames, in px."""
GREYS = 24
"""Grey levels of the palette."""
EVENT_COLOUR, LATER_COLOUR = "#d32f2f", "#1769aa"
CELLS_ACROSS = 6.0
"""Side of a frame, in square roots of the median area."""
COLOURS = {"cell": "#ff9d00", "next": "#35b4ff", "second": "#3ddc84", "rival": "#ff6ec7", "other": "#8c8c8c"}
"""Colours of the cell before the event, the same cell or a daughter after it, the other daughter, the next best cell,
and all others."""


@dataclass(frozen=True)
class Shot:
    """Content of one strip.

    Attributes
    ----------
    frames
        Frames shown, in order.
    event_frame
        Last frame before the event.
    box
        Rows and columns of the frame that are shown.
    before, after
        Role of each track (a key of :data:`COLOURS`) up to ``event_frame`` and after it, by track id.
    """

    frames: tuple[int, ...]
    event_frame: int
    box: tuple[slice, slice]
    before: dict[str, str]
    after: dict[str, str]


def plan_shots(listed: pd.DataFrame, detections: pd.DataFrame, shape: tuple[int, int, int], around: int) -> list[Shot]:
    """Plan the strip of every listed event.

    Parameters
    ----------
    listed
        With the contract CURATION.
    detections
        Detections of the field.
    shape
        Frames, height and width of the movie.
    around
        Number of frames shown up to the event, and number shown after it.
    """
    if listed.empty:
        return []
    side = CELLS_ACROSS * np.sqrt(detections["area_px"].median())
    objects = detections.set_index(["frame", "label"])[["track_id", "y_px", "x_px"]]
    return [_shot(event, objects, shape, side, around) for event in listed.to_dict("records")]


def _shot(event: dict, objects: pd.DataFrame, shape: tuple[int, int, int], side: float, around: int) -> Shot:
    """Return the strip of one event: a square around all its cells, clipped to the field."""
    at = int(event["frame"])
    named = [event["next_label"], event["other_label"]]
    later = at if pd.isna(event["next_frame"]) else int(event["next_frame"])
    roles = ("next", "rival" if event["kind"] == "link" else "second")
    others = {
        role: objects.loc[(later, int(label))] for role, label in zip(roles, named, strict=True) if pd.notna(label)
    }
    cell = objects.loc[(at, int(event["label"]))]
    points = np.array([[c["y_px"], c["x_px"]] for c in (cell, *others.values())], float)
    side = max(side, 2 * float(np.ptp(points, axis=0).max()))
    slices = []
    for middle, size in zip((points.min(axis=0) + points.max(axis=0)) / 2, shape[1:], strict=True):
        width = min(round(side), size)
        low = int(np.clip(round(middle - width / 2), 0, size - width))
        slices.append(slice(low, low + width))
    frames = range(max(0, at - around + 1), min(shape[0], max(later, at + 1) + around))
    after = {str(c["track_id"]): role for role, c in others.items()}
    return Shot(tuple(frames), at, (slices[0], slices[1]), {str(cell["track_id"]): "cell"}, after)


def draw_strips(
    wanted: list[Shot], detections: pd.DataFrame, labels: Labels, movie: Movie | None, channel: str | None
) -> Iterator[Image.Image]:
    """Yield the strip of every shot, in order; each frame of the movie is read once.

    Without a movie the masks are drawn filled.
    """
    crops: list[dict[int, tuple[np.ndarray, np.ndarray, np.ndarray | None]]] = [{} for _ in wanted]
    by_frame = dict(tuple(detections.groupby("frame")[["label", "track_id"]]))
    for frame in sorted({frame for shot in wanted for frame in shot.frames}):
        masks = labels[frame]
        image = movie.plane(frame, channel) if movie is not None and channel is not None else None
        here = by_frame.get(frame)
        for shot, kept in zip(wanted, crops, strict=True):
            if frame in shot.frames:
                roles = shot.before if frame <= shot.event_frame else shot.after
                part, names = renumbered(masks[shot.box])
                kept[frame] = (part, _colours(names, here, roles), None if image is None else image[shot.box])
    for shot, kept in zip(wanted, crops, strict=True):
        yield _strip(shot, kept)


def _colours(names: np.ndarray, here: pd.DataFrame | None, roles: dict[str, str]) -> np.ndarray:
    """Return the colour of every label in a part of a frame, shape (labels, 3)."""
    colour = np.tile(_rgb("other"), (len(names), 1))
    if here is not None:
        ours = here[here["track_id"].isin(list(roles)) & here["label"].isin(names)]
        for label, track in zip(ours["label"], ours["track_id"], strict=True):
            colour[np.searchsorted(names, label)] = _rgb(roles[track])
    return colour


def _rgb(role: str) -> np.ndarray:
    return _rgb_of(COLOURS[role])


def _rgb_of(colour: str) -> np.ndarray:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], np.uint8)


def _strip(shot: Shot, crops: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray | None]]) -> Image.Image:
    images = [image for _, _, image in crops.values() if image is not None]
    low, high = np.percentile(np.stack(images), (0.5, 99.7)) if images else (0.0, 1.0)
    strip = Image.new("RGB", (len(shot.frames) * (PANEL + GAP) - GAP, PANEL + FOOT), "white")
    draw, font = ImageDraw.Draw(strip), ImageFont.load_default(size=12)
    for place, frame in enumerate(shot.frames):
        left = place * (PANEL + GAP)
        strip.paste(_panel(*crops[frame], low, max(high - low, 1e-6)), (left, 0))
        before = frame <= shot.event_frame
        draw.text((left + 2, PANEL + 2), str(frame), font=font, fill="#222222" if before else LATER_COLOUR)
        if frame == shot.event_frame:
            edge = left + PANEL + GAP // 2
            draw.line([(edge, 0), (edge, PANEL + FOOT)], fill=EVENT_COLOUR, width=GAP)
    return strip.quantize(palette=_palette(), dither=Image.Dither.NONE)


def _palette() -> Image.Image:
    """Return a palette of grey levels and of every colour drawn, full and half, so that outlines keep their colour."""
    greys = np.repeat(np.linspace(0, 255, GREYS)[:, None], 3, axis=1)
    roles = np.array([_rgb(role) for role in COLOURS])
    palette = Image.new("P", (1, 1))
    marks = [_rgb_of(EVENT_COLOUR), _rgb_of(LATER_COLOUR)]
    palette.putpalette(np.concatenate([greys, roles, roles // 2, marks]).astype(np.uint8).ravel().tolist())
    return palette


def _panel(masks: np.ndarray, colour: np.ndarray, image: np.ndarray | None, low: float, span: float) -> Image.Image:
    """Draw one frame: the image with outlines, or filled masks without an image."""
    shape = (PANEL, PANEL)
    rows, columns = (np.arange(PANEL) * n // PANEL for n in masks.shape)
    large = masks[np.ix_(rows, columns)]
    if image is None:
        base = np.where((large > 0)[..., None], colour[large] // 2, 24).astype(np.uint8)
    else:
        grey = (225 * np.clip((image.astype(np.float32) - low) / span, 0, 1)).astype(np.uint8)
        base = np.repeat(
            np.asarray(Image.fromarray(grey).resize(shape, Image.Resampling.BICUBIC))[..., None], 3, axis=2
        )
    edges = find_boundaries(large, mode="inner")
    base[edges] = colour[large[edges]]
    return Image.fromarray(base)
