"""Simulate images of fluorescent nuclei with known outlines, by domain randomisation.

Size, shape, density, contacts, texture, mitotic and dying cells, haze, debris, illumination, blur, noise, gamma and
saturation are drawn anew for each image, from wider ranges than real images need, so that a network trained on them
does not depend on one appearance. No real image is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.measure import label as connected_components
from skimage.measure import regionprops

from cineseq.segmentation.annotated import AnnotatedImage
from cineseq.segmentation.compact import DIAMETERS_PX
from cineseq.simulate.images import smooth_noise

SMALLEST_OBJECT_PX = 12
EMPTY_SHARE = 0.04
DIMMEST = 0.35
"""Relative brightness of the dimmest cells; dimmer cells would be lost in noise."""

SPECKS_FROM_PX = 14
"""Smallest diameter at which cells can be distinguished from specks of debris."""


@dataclass(frozen=True)
class Domain:
    """Ranges from which each image draws its own values.

    Attributes
    ----------
    diameters_px
        Median diameter of the cells of an image.
    spacing
        Least distance of two cells, as a fraction of the sum of their radii.
    reach
        Distance of a cell from the cell that it clumps with, in diameters.
    ripple, elongation
        Largest irregularity and elongation of outlines.
    dome
        Exponent with which brightness decreases towards the outline; 0 for a flat disc.
    veil
        Fraction of the light of a cell that shines through an overlapping cell.
    stacked
        Fraction of images in which the later of two cells lies on top, instead of sharing a border.
    """

    diameters_px: tuple[float, float] = DIAMETERS_PX
    spacing: tuple[float, float] = (0.72, 1.1)
    reach: tuple[float, float] = (0.68, 1.15)
    ripple: float = 0.12
    elongation: tuple[float, float] = (0.05, 0.8)
    dome: float = 0.5
    veil: float = 0.0
    stacked: float = 0.0


WIDE = Domain()
"""The full range of fluorescent, blob-like cells."""

TOUCHING = Domain(
    diameters_px=(9.0, 50.0),
    spacing=(0.6, 1.0),
    reach=(0.6, 1.0),
    ripple=0.05,
    elongation=(0.05, 0.7),
    dome=0.45,
    veil=0.6,
    stacked=0.25,
)
"""Smooth ellipses side by side, whose border is visible in their shape more than in their intensity."""

CROWDED = Domain(
    diameters_px=(10.0, 46.0),
    spacing=(0.5, 1.0),
    reach=(0.5, 1.05),
    ripple=0.05,
    elongation=(0.05, 0.6),
    dome=0.25,
    veil=0.9,
    stacked=0.4,
)
"""Smooth ellipses that touch and overlap, which are hardest to separate; for scoring."""


@dataclass(frozen=True)
class DrawnCell:
    """Position and appearance of one cell.

    ``waves`` are the (amplitude, phase) of the ripples of its outline; elongation does not change its area.
    """

    y: float
    x: float
    radius: float
    aspect: float
    angle: float
    waves: np.ndarray
    brightness: float
    kind: str


@dataclass(frozen=True)
class Style:
    """Irregularity, elongation and variation in brightness of the cells of an image."""

    ripple: float
    elongation: float
    contrast: float


def draw_image(rng: np.random.Generator, size: int = 288, domain: Domain = WIDE) -> AnnotatedImage:
    """Simulate one image of ``size`` by ``size`` pixels."""
    diameter = float(np.exp(rng.uniform(*np.log(domain.diameters_px))))
    cells = [] if rng.random() < EMPTY_SHARE else _cells(rng, size, diameter, domain)
    stacked = domain.stacked > 0 and rng.random() < domain.stacked
    layers = _outlines(cells, size, "stacked" if stacked else "bordering")
    light = _paint(rng, cells, layers, diameter, domain)
    return AnnotatedImage(_photograph(rng, light, diameter), separate(layers.owner))


def draw_images(seed: int, count: int, size: int = 288, domain: Domain = WIDE) -> list[AnnotatedImage]:
    """Simulate ``count`` images; an image depends only on the seed and its index."""
    return [draw_image(np.random.default_rng((seed, number)), size, domain) for number in range(count)]


def _cells(rng: np.random.Generator, size: int, diameter: float, domain: Domain) -> list[DrawnCell]:
    """Place cells singly and in clumps until the drawn coverage is reached or space runs out."""
    coverage = rng.uniform(0.01, 0.65) if rng.random() < 0.8 else rng.uniform(0.0, 0.06)
    wanted = max(1, round(coverage * size**2 / (np.pi * diameter**2 / 4)))
    spacing = rng.uniform(*domain.spacing)
    clumping = rng.choice([0.0, rng.uniform(0.2, 0.9), rng.uniform(0.5, 0.95)])
    spread, ripple = rng.uniform(0.05, 0.3), rng.uniform(0.0, domain.ripple)
    style = Style(ripple, rng.uniform(*domain.elongation), rng.uniform(0.05, 0.7))
    unusual = rng.choice([0.0, 0.05, 0.2])
    cells: list[DrawnCell] = []
    centres, radii = np.empty((wanted, 2)), np.empty(wanted)
    for _ in range(4 * wanted):
        if len(cells) >= wanted:
            break
        radius = diameter / 2 * float(np.clip(rng.lognormal(0, spread), 0.5, 1.8))
        centre = rng.uniform(-radius / 2, size + radius / 2, 2)
        if cells and rng.random() < clumping:
            turn = rng.uniform(0, 2 * np.pi)
            near = centres[rng.integers(len(cells))]
            centre = near + diameter * rng.uniform(*domain.reach) * np.array([np.sin(turn), np.cos(turn)])
        n = len(cells)
        if n and (np.hypot(*(centres[:n] - centre).T) < spacing * (radii[:n] + radius)).any():
            continue
        centres[n], radii[n] = centre, radius
        kind = rng.choice(["mitotic", "condensed", "fragmented"]) if rng.random() < unusual else "interphase"
        cells.append(_cell(rng, (*centre, radius), str(kind), style))
    return cells


def _cell(rng: np.random.Generator, where: tuple[float, float, float], kind: str, style: Style) -> DrawnCell:
    y, x, radius = where
    aspect = 1 + abs(rng.normal(0, style.elongation))
    brightness = max(DIMMEST, float(rng.lognormal(0, style.contrast)))
    if kind == "mitotic":
        radius, aspect, brightness = (
            radius * rng.uniform(0.5, 0.9),
            rng.uniform(1.3, 3.5),
            brightness * rng.uniform(1, 7),
        )
    elif kind == "condensed":
        radius, aspect, brightness = radius * rng.uniform(0.45, 0.8), 1.1, brightness * rng.uniform(1.5, 5)
    elif kind == "fragmented":
        radius, aspect, brightness = radius * rng.uniform(0.7, 1.0), 1.1, brightness * rng.uniform(1, 3)
    waves = np.stack([rng.normal(0, style.ripple, 4) / np.arange(1.5, 5.5), rng.uniform(0, 2 * np.pi, 4)], axis=1)
    return DrawnCell(y, x, radius, min(aspect, 3.5), rng.uniform(0, np.pi), waves, brightness, kind)


@dataclass(frozen=True)
class Layers:
    """Cells at each pixel of an image; all arrays have shape (size, size).

    ``owner`` is the cell of a pixel (from 1; 0 for none), ``depth`` its relative distance from the centre of that cell
    (0 at the centre, 1 at the outline), and ``hidden`` the brightness of the other cells there.
    """

    owner: np.ndarray
    depth: np.ndarray
    hidden: np.ndarray


def _outlines(cells: list[DrawnCell], size: int, overlap: str) -> Layers:
    """Return the cells at each pixel.

    If overlapping cells are ``bordering``, a pixel belongs to the cell in which it lies deeper, so that touching cells
    share a border; if they are ``stacked``, it belongs to the cell drawn last.
    """
    owner, depth = np.zeros((size, size), np.int32), np.ones((size, size), np.float32)
    total, own = np.zeros((size, size)), np.zeros((size, size))
    for number, cell in enumerate(cells, start=1):
        reach = int(np.ceil(cell.radius * np.sqrt(cell.aspect) * 1.4)) + 1
        window = window_around(cell.y, cell.x, reach, size)
        y, x = np.mgrid[window]
        inside = _depth(cell, y - cell.y, x - cell.x)
        taken = inside < (depth[window] if overlap == "bordering" else 1)
        depth[window][taken], owner[window][taken] = inside[taken], number
        total[window][inside < 1] += cell.brightness
        own[window][taken] = cell.brightness
    return Layers(owner, depth, total - own)


def window_around(y: float, x: float, reach: int, size: int) -> tuple[slice, slice]:
    """Return the slices of the image within ``reach`` of a point; empty for a point far outside."""
    edges = np.clip([int(y) - reach, int(y) + reach + 1, int(x) - reach, int(x) + reach + 1], 0, size)
    return slice(edges[0], edges[1]), slice(edges[2], edges[3])


def _depth(cell: DrawnCell, dy: np.ndarray, dx: np.ndarray) -> np.ndarray:
    along = dx * np.cos(cell.angle) + dy * np.sin(cell.angle)
    across = dy * np.cos(cell.angle) - dx * np.sin(cell.angle)
    along, across = along / np.sqrt(cell.aspect), across * np.sqrt(cell.aspect)
    bearing = np.arctan2(across, along)
    outline = np.ones_like(bearing)
    for harmonic, (amplitude, phase) in enumerate(cell.waves, start=2):
        outline += amplitude * np.cos(harmonic * bearing + phase)
    return (np.hypot(along, across) / (cell.radius * np.maximum(outline, 0.4))).astype(np.float32)


def _paint(
    rng: np.random.Generator, cells: list[DrawnCell], layers: Layers, diameter: float, domain: Domain
) -> np.ndarray:
    """Return the intensity of each pixel before the optics: about 1 in cells, 0 elsewhere."""
    owner = layers.owner
    brightness = np.array([0.0, *(c.brightness for c in cells)])[owner]
    light = brightness * np.power(np.clip(1 - layers.depth**2, 0, 1), rng.uniform(0.0, domain.dome))
    if domain.veil:
        light += rng.choice([0.0, rng.uniform(0, domain.veil)]) * layers.hidden
    for _ in range(2):
        grain = smooth_noise(rng, owner.shape, max(0.6, diameter * rng.uniform(0.02, 0.2)))
        light *= np.clip(1 + rng.uniform(0, 0.35) * grain, 0.15, 3)
    _spots(rng, cells, owner, light)
    haze = ndimage.gaussian_filter(light, diameter * rng.uniform(0.3, 1.2)) * rng.choice([0.0, rng.uniform(0, 0.5)])
    return light + haze + _debris(rng, owner.shape, diameter)


def _spots(rng: np.random.Generator, cells: list[DrawnCell], owner: np.ndarray, light: np.ndarray) -> None:
    """Add nucleoli and chromocentres to interphase cells and bright blobs to fragmented ones, in place."""
    share, strength = rng.choice([0.0, rng.uniform(0.2, 1)]), rng.choice([rng.uniform(-0.6, -0.2), rng.uniform(0.2, 1)])
    for number, cell in enumerate(cells, start=1):
        fragmented = cell.kind == "fragmented"
        if cell.radius < 4 or not (fragmented or rng.random() < share):
            continue
        for _ in range(rng.integers(2, 6)):
            away, turn = cell.radius * rng.uniform(0, 0.7), rng.uniform(0, 2 * np.pi)
            width = cell.radius * rng.uniform(0.12, 0.3)
            y, x = cell.y + away * np.sin(turn), cell.x + away * np.cos(turn)
            window = window_around(y, x, int(3 * width) + 1, len(owner))
            yy, xx = np.mgrid[window]
            bump = np.exp(-((yy - y) ** 2 + (xx - x) ** 2) / (2 * width**2)) * (owner[window] == number)
            light[window] *= 1 + bump * (rng.uniform(1, 4) if fragmented else strength)


def _debris(rng: np.random.Generator, shape: tuple[int, int], diameter: float) -> np.ndarray:
    """Return the intensity of specks and out-of-focus blobs that are not cells."""
    field = np.zeros(shape)
    if rng.random() < 0.5 and diameter > SPECKS_FROM_PX:
        specks = rng.integers(1, 40)
        where = tuple(rng.integers(0, shape[0], (2, specks)))
        field[where] = rng.lognormal(0, 0.8, specks)
        width = rng.uniform(0.4, max(0.5, min(2.0, 0.06 * diameter)))
        field = ndimage.gaussian_filter(field, width) * 2 * np.pi * width**2 * rng.uniform(0.3, 2)
    if rng.random() < 0.3:
        blobs = np.zeros(shape)
        count = rng.integers(1, 8)
        blobs[tuple(rng.integers(0, shape[0], (2, count)))] = 1
        width = diameter * rng.uniform(0.6, 2)
        field += ndimage.gaussian_filter(blobs, width) * 2 * np.pi * width**2 * rng.uniform(0.03, 0.25)
    return field


def _photograph(rng: np.random.Generator, light: np.ndarray, diameter: float) -> np.ndarray:
    """Apply blur, uneven illumination, shot noise, read noise, gamma and saturation."""
    size = light.shape[0]
    blurred = ndimage.gaussian_filter(light, rng.uniform(0.3, min(3.0, 0.5 + 0.09 * diameter)))
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    tilt = rng.normal(0, 0.25, 5)
    uneven = 1 + tilt[0] * x + tilt[1] * y + tilt[2] * x * y + tilt[3] * x**2 + tilt[4] * y**2
    background = rng.uniform(0.02, 1.5) * np.clip(uneven, 0.1, None)
    if rng.random() < 0.3:
        background *= np.clip(1 + rng.uniform(0, 0.3) * smooth_noise(rng, light.shape, size / 8), 0.1, None)
    vignette = np.clip(1 - rng.uniform(0, 0.4) * (x**2 + y**2) / 2, 0.2, None)
    signal = (blurred + background) * vignette
    noise_to_cell = np.exp(rng.uniform(np.log(0.01), np.log(0.3)))
    shot = rng.uniform(0, 1)
    image = signal + noise_to_cell * rng.normal(size=light.shape) * np.sqrt(1 - shot + shot * signal)
    if rng.random() < 0.2:
        dead = rng.random(image.shape) < rng.uniform(0, 0.002)
        image[dead] = rng.choice([image.min(), np.percentile(image, 99.5)], np.count_nonzero(dead))
    if rng.random() < 0.3:
        low = image.min()
        span = np.ptp(image) or 1.0
        image = low + span * ((image - low) / span) ** rng.uniform(0.6, 1.5)
    if rng.random() < 0.2:
        image = np.minimum(image, np.percentile(image, rng.uniform(94, 99.9)))
    return image.astype(np.float32)


def separate(owner: np.ndarray) -> np.ndarray:
    """Label connected components separately and remove those that are too small to be seen."""
    pieces = connected_components(owner, background=0, connectivity=1)
    small = [p.label for p in regionprops(pieces) if p.area < SMALLEST_OBJECT_PX]
    pieces[np.isin(pieces, small)] = 0
    return connected_components(pieces, background=0, connectivity=1).astype(np.int32)
