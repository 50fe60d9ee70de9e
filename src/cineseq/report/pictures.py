"""Pictures of a field of view: frames with outlined cells, recent paths of tracks, divisions and deaths."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from PIL import Image
from skimage.segmentation import find_boundaries

from cineseq.config.imaging import Channels, Segment
from cineseq.files import replacing
from cineseq.io.labels import painted
from cineseq.io.stacks import Labels, Movie, MovieInfo
from cineseq.plotting import DARK_GREY, ON_IMAGES, RED_ON_IMAGES
from cineseq.text import number

MAX_BYTES = 250_000
PANEL_PX = 440
THUMBNAIL_PX = 240
TAIL_FRAMES = 12
CLOSE_UP_CELLS = 18
MARGIN_INCHES = 0.32
SCALE_BARS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
TRACK_COLOURS = np.array(ON_IMAGES)
DEATH_COLOUR = RED_ON_IMAGES


@dataclass(frozen=True)
class Box:
    """A rectangle within the field, in pixels of the movie."""

    top: int
    left: int
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """The rows and columns of the rectangle."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top edges, for drawing."""
        return self.left - 0.5, self.left + self.width - 0.5, self.top + self.height - 0.5, self.top - 0.5

    @property
    def step(self) -> int:
        """Pixels of the movie per pixel of the picture, so that a panel is filled."""
        return max(1, -(-max(self.height, self.width) // (3 * PANEL_PX // 2)))


@dataclass(frozen=True)
class Panel:
    """One frame, or a part of one.

    Attributes
    ----------
    frame, box
        The frame, and the part of it.
    image
        RGB picture, shape (height, width, 3), with every ``box.step``-th pixel of the frame.
    tails, tail_colours
        One (points, 2) array of x and y per track, in movie pixels, and one colour each.
    divisions, deaths
        Positions of divisions and deaths since the previous panel, shape (events, 2), x and y in movie pixels.
    """

    frame: int
    box: Box
    image: np.ndarray
    tails: list[np.ndarray]
    tail_colours: np.ndarray
    divisions: np.ndarray
    deaths: np.ndarray


def shown_channel(movie: Movie | None, channels: Channels, segment: Segment) -> str | None:
    """Return the channel under the masks: the first one that segmentation may use; None without a movie."""
    visible = channels.open_to("segment", movie.info.channels) if movie is not None else ()
    wanted = [c for c in segment.channels or () if c in visible]
    return next(iter((*wanted, *visible)), None)


def shown_frames(frames: int) -> list[int]:
    """Return the first, middle and last frame without repeats."""
    return sorted({0, frames // 2, frames - 1})


def count_black_frames(movie: Movie, channel: str) -> int:
    """Count the frames of a channel with a single grey level; one plane is in memory at a time."""
    planes = (movie.plane(frame, channel) for frame in range(movie.info.frames))
    return sum(int(plane.min() == plane.max()) for plane in planes)


def boxes(info: MovieInfo, detections: pd.DataFrame) -> list[Box]:
    """Return the box of each row of the picture: the field, and for a large field a close-up of its densest part."""
    whole = Box(0, 0, info.height, info.width)
    if whole.step == 1 or detections.empty:
        return [whole]
    side = np.clip(CLOSE_UP_CELLS * np.sqrt(detections["area_px"].median()), 120, PANEL_PX)
    height, width = (int(n * side / max(info.height, info.width)) for n in (info.height, info.width))
    bins = [np.arange(0, n + step, step) for n, step in ((info.height, height / 2), (info.width, width / 2))]
    crowd, rows, columns = np.histogram2d(detections["y_px"], detections["x_px"], bins)
    row, column = np.unravel_index(crowd.argmax(), crowd.shape)
    top = np.clip(rows[row] - height / 4, 0, info.height - height)
    left = np.clip(columns[column] - width / 4, 0, info.width - width)
    return [whole, Box(int(top), int(left), height, width)]


def build_panels(
    labels: Labels,
    detections: pd.DataFrame,
    tracks: pd.DataFrame,
    movie: Movie | None,
    channel: str | None,
    *,
    box: Box,
) -> list[Panel]:
    """Prepare the frames of one row of the picture.

    The shown frames have one grey scale (0.5th to 99.7th percentile), so that bleaching is visible. A division or
    death is marked in the first shown frame at or after it.

    Parameters
    ----------
    labels
        Masks of the field.
    detections, tracks
        Tables of the field.
    movie, channel
        The movie and the channel under the masks; None draws the masks only.
    box
        Part of the field.
    """
    frames = shown_frames(labels.info.frames)
    number = detections["track_id"].str.rsplit("/", n=1).str[-1].astype(int)
    detections = detections.assign(colour=number.to_numpy() % len(TRACK_COLOURS))
    greys: list[np.ndarray | None] = [None] * len(frames)
    if movie is not None and channel is not None:
        greys = [*_scaled([_shrunk(movie.plane(frame, channel)[box.slices], box.step) for frame in frames])]
    panels = []
    for frame, before, grey in zip(frames, [-1, *frames[:-1]], greys, strict=True):
        here = detections[detections["frame"] == frame]
        masks = labels[frame][box.slices]
        small = masks[
            : masks.shape[0] // box.step * box.step : box.step, : masks.shape[1] // box.step * box.step : box.step
        ]
        ended = tracks[tracks["end_frame"].between(before + 1, frame)]
        events = [ended.loc[ended["end_kind"] == kind, ["end_x_px", "end_y_px"]] for kind in ("division", "death")]
        picture = _painted(small, here, grey)
        panels.append(Panel(frame, box, picture, *_tails(detections, frame), *(e.to_numpy(float) for e in events)))
    return panels


def _shrunk(plane: np.ndarray, step: int) -> np.ndarray:
    height, width = (n // step for n in plane.shape)
    blocks = plane[: height * step, : width * step].astype(np.float32).reshape(height, step, width, step)
    return blocks.mean((1, 3))


def _scaled(planes: list[np.ndarray]) -> list[np.ndarray]:
    low, high = np.percentile(np.stack(planes), (0.5, 99.7))
    return [np.clip((plane - low) / max(high - low, 1e-6), 0, 1) for plane in planes]


def _painted(masks: np.ndarray, here: pd.DataFrame, grey: np.ndarray | None) -> np.ndarray:
    """Paint outlines over the grey image; without an image, fill the masks in dark colours."""
    colour = painted(masks, here["label"].to_numpy(int), here["colour"].to_numpy(int), otherwise=-1)
    rgb = np.array([*_rgb(TRACK_COLOURS), (150, 150, 150)], float)
    base = np.full((*masks.shape, 3), 24.0) if grey is None else np.repeat(grey[..., None] * 225.0, 3, axis=2)
    if grey is None:
        base[masks > 0] = 0.45 * rgb[colour[masks > 0]]
    edges = find_boundaries(masks, mode="inner")
    base[edges] = rgb[colour[edges]]
    return base.astype(np.uint8)


def _tails(detections: pd.DataFrame, frame: int) -> tuple[list[np.ndarray], np.ndarray]:
    recent = detections[detections["frame"].between(frame - TAIL_FRAMES, frame)].sort_values(["track_id", "frame"])
    alive = recent.loc[recent["frame"] == frame, "track_id"]
    recent = recent[recent["track_id"].isin(alive)]
    groups = list(recent.groupby("track_id", sort=True))
    points = [group[["x_px", "y_px"]].to_numpy(float) for _, group in groups]
    return points, TRACK_COLOURS[[int(group["colour"].iloc[0]) for _, group in groups]]


def draw_channels(movie: Movie, functions: Collection[str]) -> Figure:
    """Draw the middle frame of every channel under its name, so that a wrong name is seen.

    Parameters
    ----------
    movie
        The prepared movie.
    functions
        Channels that measure function; the picture says so.
    """
    names, ratio = movie.info.channels, movie.info.height / movie.info.width
    frame = movie.info.frames // 2
    width = THUMBNAIL_PX / 100 / max(ratio, 1)
    figure = Figure(figsize=(width * len(names), width * ratio + 0.3), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        plane = movie.plane(frame, name)
        low, high = np.percentile(plane, [0.5, 99.7])
        axes.imshow(plane, cmap="gray", vmin=low, vmax=max(high, low + 1e-9), interpolation="antialiased")
        axes.set_title(f"{name} (function)" if name in functions else name, size=9, loc="left", color=DARK_GREY)
        axes.set_axis_off()
    return figure


def draw_panels(rows: list[list[Panel]], info: MovieInfo, title: str) -> Figure:
    """Draw the panels in rows, with time, events and scale bars.

    Parameters
    ----------
    rows
        From :func:`build_panels`, one list per row; all panels have the aspect ratio of the field.
    info
        Pixel size and frame interval; without a pixel size scale bars are in pixels.
    title
        Sample, field and channel.
    """
    across, ratio = len(rows[0]), info.height / info.width
    width = PANEL_PX / 100 / max(ratio, 1)
    height = width * ratio
    total = height * len(rows) + 2 * MARGIN_INCHES
    figure = Figure(figsize=(max(width * across, 7.0), total), dpi=100)
    FigureCanvasAgg(figure)
    fraction = width / figure.get_figwidth()
    for down, row in enumerate(rows):
        bottom = (MARGIN_INCHES + height * (len(rows) - 1 - down)) / total
        for place, panel in enumerate(row):
            size = (fraction - 0.004, height / total - 0.006)
            axes = figure.add_axes((place * fraction + 0.002, bottom + 0.003, *size))
            _draw_panel(axes, panel, info)
            if down == 0 and len(rows) > 1:
                _frame(axes, rows[1][place].box)
        _scale_bar(axes, row[-1].box, info)
    figure.text(0.004, 1 - 0.06 / total, title, va="top", size=12, color=DARK_GREY)
    events = "○ divided   × died   since the previous picture;   lines: paths over the last frames"
    below = ";   below: close-up of the framed part" if len(rows) > 1 else ""
    figure.text(0.004, 0.05 / total, events + below, va="bottom", size=11, color=DARK_GREY)
    return figure


def _draw_panel(axes: Axes, panel: Panel, info: MovieInfo) -> None:
    extent = panel.box.extent
    axes.imshow(panel.image, extent=extent, interpolation="nearest" if panel.box.step == 1 else "antialiased")
    axes.add_collection(LineCollection(panel.tails, colors=panel.tail_colours, linewidths=1.0, alpha=0.9))
    axes.scatter(
        panel.divisions[:, 0], panel.divisions[:, 1], s=46, facecolors="none", edgecolors="white", linewidths=1.3
    )
    axes.scatter(panel.deaths[:, 0], panel.deaths[:, 1], s=34, marker="x", color=DEATH_COLOUR, linewidths=1.6)
    hours = float(info.hours(np.array(panel.frame)))
    when = f"frame {panel.frame}" + (f"  ({number(hours, 1)} h)" if np.isfinite(hours) else "")
    _outlined(axes.text(0.02, 0.97, when, transform=axes.transAxes, va="top", size=11, color="white"))
    axes.set(xlim=extent[:2], ylim=extent[2:], xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _frame(axes: Axes, box: Box) -> None:
    axes.add_patch(Rectangle((box.left, box.top), box.width, box.height, fill=False, edgecolor="white", linewidth=1))


def _outlined(text: Text) -> None:
    text.set_path_effects([withStroke(linewidth=2, foreground="black")])


def _scale_bar(axes: Axes, box: Box, info: MovieInfo) -> None:
    """Draw a bar of the round length nearest to a fifth of the width, in µm or, without a pixel size, in pixels."""
    pixel, unit = (1.0, "px") if info.pixel_size_um is None else (info.pixel_size_um * info.pixel_sides[1], "µm")
    wanted = box.width * pixel / 5
    length = min(SCALE_BARS, key=lambda candidate: abs(np.log(candidate / wanted)))
    right, low = box.left + 0.96 * box.width, box.top + 0.95 * box.height
    axes.plot([right - length / pixel, right], [low, low], color="white", linewidth=3, solid_capstyle="butt")
    middle = right - length / pixel / 2
    label = axes.text(middle, low - 0.015 * box.height, f"{length} {unit}", size=11, color="white")
    label.set(ha="center", va="bottom")
    _outlined(label)


def write_picture(figure: Figure, path: Path, max_bytes: int = MAX_BYTES) -> int:
    """Write a figure as a palette PNG of at most ``max_bytes`` and return its size.

    The number of grey levels is reduced first, then the size of the picture, until it fits. The colours of tracks are
    kept.
    """
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
    for scale, greys in ((1.0, 48), (1.0, 24), (0.8, 24), (0.65, 24), (0.5, 16), (0.35, 16), (0.2, 12)):
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        small = picture if scale == 1 else picture.resize(size, Image.Resampling.LANCZOS)
        stream = io.BytesIO()
        _reduced(small, greys).save(stream, "PNG", optimize=True)
        if stream.tell() <= max_bytes:
            break
    with replacing(path) as temporary:
        temporary.write_bytes(stream.getvalue())
    return stream.tell()


def _reduced(picture: Image.Image, greys: int) -> Image.Image:
    """Reduce a picture to the palette; pure white is set exactly, because the fast quantiser misses it."""
    palette = _palette(greys)
    reduced = picture.quantize(palette=palette, dither=Image.Dither.NONE)
    indices = np.array(reduced)
    indices[(np.asarray(picture) == 255).all(axis=2)] = greys - 1
    fixed = Image.fromarray(indices, "P")
    fixed.putpalette(palette.getpalette() or [])
    return fixed


def _palette(greys: int) -> Image.Image:
    """Return a palette of grey levels and of every drawn colour in four strengths over black and over grey."""
    levels = np.repeat(np.linspace(0, 255, greys)[:, None], 3, axis=1)
    colours = np.array([*_rgb(TRACK_COLOURS), *_rgb([DEATH_COLOUR])], float)
    blends = [colours * (1 - weight) + ground * weight for weight, ground in ((0, 0), (0.55, 0), (0.4, 60), (0.4, 230))]
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.concatenate([levels, *blends]).round().astype(np.uint8).ravel().tolist())
    return palette


def _rgb(colours: Iterable[str]) -> list[tuple[int, ...]]:
    return [tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5)) for colour in colours]
