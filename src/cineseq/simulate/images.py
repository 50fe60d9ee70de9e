"""Render nuclear fluorescence, bright field with phase-like halos, and the function channel from positions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import ndimage

CHANNELS = ("nuclear", "brightfield", "lipid")
BACKGROUND = {"nuclear": 180.0, "brightfield": 8000.0, "lipid": 220.0}
"""Background in grey levels."""
NUCLEAR_SIGNAL = 1300.0
GAIN = {"nuclear": 4.0, "brightfield": 2.0, "lipid": 4.0}
"""Grey levels per photoelectron, which determines the shot noise."""
READ_NOISE = 6.0
VIGNETTING = {"nuclear": 0.18, "brightfield": 0.10, "lipid": 0.10}
"""Fraction of light lost in the corners of the field."""
BLUR_PX = 1.1
HALF = 22
"""Half width of the window in which a cell is drawn, in pixels."""
BODY = 1.6
"""Ratio of the radii of body and nucleus of a spread cell."""
_TILES, _TILE = 24, 96


@dataclass(frozen=True)
class MovieOptics:
    """Optics that are constant during a movie: illumination, uneven background and a bank of textures.

    Attributes
    ----------
    shading
        Relative illumination per channel, shape (channels, size, size).
    haze
        Uneven background per channel, in units of the background, shape (channels, size, size).
    textures
        Smooth noise with unit variance, shape (tiles, tile, tile): coarse ones, then fine ones.
    """

    shading: np.ndarray
    haze: np.ndarray
    textures: np.ndarray

    @classmethod
    def of_field(cls, size: int, rng: np.random.Generator) -> MovieOptics:
        """Draw random optics of one field of view."""
        yy, xx = np.mgrid[:size, :size] / size - 0.5
        off = rng.normal(0, 0.06, 2)
        square = ((yy - off[0]) ** 2 + (xx - off[1]) ** 2) * 2
        shading = np.stack([1 - VIGNETTING[c] * square for c in CHANNELS])
        haze = np.stack([smooth_noise(rng, (size, size), sigma, centred=True) for sigma in (60, 25, 50)])
        grain = smooth_noise(rng, (size, size), 1.5, centred=True)
        strength = np.array([0.10, 0.006, 0.06])[:, None, None]
        haze = 1 + strength * haze
        haze[1] += 0.004 * grain
        coarse = [smooth_noise(rng, (_TILE, _TILE), 2.2, centred=True) for _ in range(_TILES)]
        fine = [smooth_noise(rng, (_TILE, _TILE), 1.3, centred=True) for _ in range(_TILES)]
        return cls(shading, haze, np.stack(coarse + fine))


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, int], width: float, *, centred: bool = False
) -> np.ndarray:
    """Return noise of unit variance that is smooth over ``width`` pixels; ``centred`` subtracts its mean."""
    noise = ndimage.gaussian_filter(rng.standard_normal(shape), width, mode="wrap")
    spread = max(float(noise.std()), 1e-6)
    return ((noise - noise.mean()) if centred else noise) / spread


@dataclass(frozen=True)
class Window:
    """The pixels around one cell, in its own coordinates.

    Attributes
    ----------
    rows, columns
        Slices of the field.
    rho
        Distance from the centre in units of the nucleus's outline, shape (height, width).
    body
        Distance from the centre in units of the outline of the cell body, same shape.
    u, v
        Coordinates along the long and the short axis in pixels, same shape.
    """

    rows: slice
    columns: slice
    rho: np.ndarray
    body: np.ndarray
    u: np.ndarray
    v: np.ndarray


def window(cell: pd.Series, size: int) -> Window | None:
    """Return the window of a cell (a row of the positions table), or None if it lies outside the field."""
    y0, x0 = round(cell.y_px), round(cell.x_px)
    rows = slice(max(0, y0 - HALF), min(size, y0 + HALF + 1))
    columns = slice(max(0, x0 - HALF), min(size, x0 + HALF + 1))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return None
    # Coordinates along the axes of the nucleus, (height, width), and the angle of each pixel.
    dy = np.arange(rows.start, rows.stop)[:, None] - cell.y_px
    dx = np.arange(columns.start, columns.stop)[None] - cell.x_px
    u = dy * np.sin(cell.angle) + dx * np.cos(cell.angle)
    v = dy * np.cos(cell.angle) - dx * np.sin(cell.angle)
    theta = np.arctan2(v / cell.minor_px, u / cell.major_px)
    # Irregular outline of the nucleus: an ellipse with second and third harmonics, constant for a cell.
    own = np.random.default_rng(int(cell.pattern))
    phases, bulge = own.uniform(0, 2 * np.pi, 2), own.uniform(0.02, 0.06, 2) * (1 - 0.7 * cell.rounding)
    outline = 1 + bulge[0] * np.cos(2 * theta + phases[0]) + bulge[1] * np.cos(3 * theta + phases[1])
    rho = np.hypot(u / cell.major_px, v / cell.minor_px) / outline
    # The body of a spread cell extends beyond its nucleus; a rounded cell is hardly wider than its chromatin.
    spread = BODY - (BODY - 1.35) * cell.rounding
    even = np.sqrt(cell.major_px * cell.minor_px)
    long, short = (spread * (0.6 * even + 0.4 * axis) for axis in (cell.major_px, cell.minor_px))
    body = np.hypot(u / long, v / short) / (1 + 1.5 * (outline - 1))
    return Window(rows, columns, rho, body, u, v)


def truth_mask(rows: pd.DataFrame, size: int) -> np.ndarray:
    """Return the label image of one frame: nuclei of the tracked cells, 0 for background.

    If two nuclei overlap, a pixel belongs to the one in which it lies deeper.

    Parameters
    ----------
    rows
        Rows of the positions table of one frame.
    size
        Height and width in pixels.
    """
    labels, depth = np.zeros((size, size), np.uint16), np.ones((size, size))
    cells = rows[(rows["kind"] == "cell") & rows["tracked"]]
    for cell in cells.itertuples(index=False):
        view = window(cell, size)
        if view is None:
            continue
        here = (view.rows, view.columns)
        deeper = view.rho < depth[here]
        labels[here][deeper] = cell.number
        depth[here] = np.minimum(depth[here], view.rho)
    return labels


def render_scene(rows: pd.DataFrame, optics: MovieOptics, rng: np.random.Generator) -> np.ndarray:
    """Render one frame.

    Parameters
    ----------
    rows
        Rows of the positions table of one frame: cells, debris and cages.
    optics
        Illumination and textures of the field.
    rng
        Random generator of the noise.

    Returns
    -------
    numpy.ndarray
        Grey levels, uint16, shape (channels, size, size), channels as in :data:`CHANNELS`.
    """
    # Sum the light of all objects, (channels, size, size), and blur it.
    size = optics.shading.shape[-1]
    light = np.zeros((3, size, size))
    draw = {"cell": _draw_cell, "debris": _draw_debris, "cage": _draw_cage}
    for row in rows.itertuples(index=False):
        draw[row.kind](light, row, optics, size)
    light = ndimage.gaussian_filter(light, (0, BLUR_PX, BLUR_PX))
    # Scale to grey levels, add the uneven background, and apply the illumination.
    level = np.array([BACKGROUND[c] for c in CHANNELS])[:, None, None]
    light[0], light[2] = light[0] * NUCLEAR_SIGNAL, light[2]
    light[1] *= level[1]
    expected = np.clip((light + level * optics.haze) * optics.shading, 1, None)
    return _expose(expected, rng)


def _expose(expected: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return grey levels with shot noise and read noise, uint16, from expected grey levels of the same shape."""
    gain = np.array([GAIN[c] for c in CHANNELS])[:, None, None]
    seen = rng.poisson(expected / gain) * gain + rng.normal(0, READ_NOISE, expected.shape)
    return np.clip(np.rint(seen), 0, 65535).astype(np.uint16)


def _inside(rho: np.ndarray, softness: float) -> np.ndarray:
    """Return a soft mask: 1 inside the outline at ``rho`` of 1, 0 outside."""
    return 1 / (1 + np.exp(np.clip((rho - 1) / softness, -30, 30)))


def _texture(optics: MovieOptics, view: Window, pattern: int, offset: int) -> np.ndarray:
    """Return a texture tile in the coordinates of the cell, shape (height, width)."""
    tile = optics.textures[pattern % _TILES + offset]
    at = (np.rint(view.v).astype(int) + _TILE // 2, np.rint(view.u).astype(int) + _TILE // 2)
    return tile[at[0] % _TILE, at[1] % _TILE]


def _draw_cell(light: np.ndarray, cell: pd.Series, optics: MovieOptics, size: int) -> None:
    """Add the light of one cell in the three channels to ``light``, in place."""
    view = window(cell, size)
    if view is None:
        return
    nucleus, body = _inside(view.rho, 0.07), _inside(view.body, 0.08)
    chromatin = np.clip(1 + cell.nuclear_texture * _texture(optics, view, cell.pattern, 0), 0.1, None)
    light[0, view.rows, view.columns] += cell.brightness * nucleus * chromatin
    light[1, view.rows, view.columns] += _bright_field(cell, optics, view, nucleus, body)
    droplets = np.clip(1 + 0.20 * _texture(optics, view, cell.pattern + 7, _TILES), 0.1, None)
    light[2, view.rows, view.columns] += cell.signal * body * droplets * (1 - 0.25 * view.body.clip(0, 1) ** 2)


def _bright_field(
    cell: pd.Series, optics: MovieOptics, view: Window, nucleus: np.ndarray, body: np.ndarray
) -> np.ndarray:
    """Return the contrast of one cell: dark with a bright halo if spread, bright with a dark ring if rounded."""
    grain = _texture(optics, view, cell.pattern + 3, _TILES) * cell.bright_texture
    halo = np.exp(-(((view.body - 1.12) / 0.13) ** 2))
    rim = np.exp(-(((view.rho - 1.0) / 0.12) ** 2))
    flat = -0.055 * body - 0.02 * nucleus - 0.025 * rim + 0.05 * halo
    ball = 0.22 * np.exp(-((view.body / 0.6) ** 2)) - 0.20 * np.exp(-(((view.body - 0.95) / 0.15) ** 2)) + 0.16 * halo
    return (1 - cell.rounding) * flat + cell.rounding * ball + grain * body * (1 + 1.5 * cell.dying)


def _draw_debris(light: np.ndarray, dead: pd.Series, optics: MovieOptics, size: int) -> None:  # noqa: ARG001
    """Add fragments of a dead cell, each a small bright spot, to ``light``, in place."""
    own = np.random.default_rng(int(dead.pattern))
    for angle, far, radius in own.uniform((0, 2.5, 0.9), (2 * np.pi, 8.0, 1.7), (4, 3)):
        y, x = dead.y_px + far * np.sin(angle), dead.x_px + far * np.cos(angle)
        rows = slice(max(0, round(y) - 5), min(size, max(0, round(y) + 6)))
        columns = slice(max(0, round(x) - 5), min(size, max(0, round(x) + 6)))
        dy, dx = np.arange(rows.start, rows.stop)[:, None] - y, np.arange(columns.start, columns.stop)[None] - x
        ball = np.exp(-(dy**2 + dx**2) / (2 * radius**2))
        light[0, rows, columns] += dead.brightness * ball
        light[1, rows, columns] += 0.25 * dead.brightness * (ball - 0.6 * np.exp(-(dy**2 + dx**2) / (5 * radius**2)))
        light[2, rows, columns] += 0.3 * dead.signal * ball


def _draw_cage(light: np.ndarray, cage: pd.Series, optics: MovieOptics, size: int) -> None:  # noqa: ARG001
    """Add the wall of a cage, a faint ring in bright field only, to ``light``, in place."""
    reach = int(cage.major_px + 6)
    y, x = round(cage.y_px), round(cage.x_px)
    rows = slice(max(0, y - reach), min(size, max(0, y + reach + 1)))
    columns = slice(max(0, x - reach), min(size, max(0, x + reach + 1)))
    dy, dx = np.arange(rows.start, rows.stop)[:, None] - cage.y_px, np.arange(columns.start, columns.stop) - cage.x_px
    far = np.hypot(dy, dx) - cage.major_px
    light[1, rows, columns] += 0.03 * np.exp(-((far / 1.2) ** 2)) - 0.02 * np.exp(-(((far - 2.5) / 1.5) ** 2))


def render_movie(positions: pd.DataFrame, frames: int, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield the planes of one movie in frame-major, then channel order, each uint16 of shape (size, size).

    Parameters
    ----------
    positions
        Rows of the positions table of one field of view.
    frames, size
        Number of frames, and height and width in pixels.
    rng
        Random generator of optics and noise.
    """
    optics = MovieOptics.of_field(size, rng)
    for rows in _by_frame(positions, frames):
        yield from render_scene(rows, optics, rng)


def truth_masks(positions: pd.DataFrame, frames: int, size: int) -> Iterator[np.ndarray]:
    """Yield the label image of every frame of one field of view, see :func:`truth_mask`."""
    for rows in _by_frame(positions, frames):
        yield truth_mask(rows, size)


def _by_frame(positions: pd.DataFrame, frames: int) -> Iterator[pd.DataFrame]:
    frame = positions["frame"].to_numpy()
    for number in range(frames):
        yield positions[frame == number]
