"""Function scores: time courses and images whose truth is planted, and what the scores say of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile
from scipy import ndimage
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.stats import spearmanr
from skimage.filters import threshold_otsu
from truth.claims import Claim

import cineseq as cs
from cineseq.config.features import Function
from cineseq.features.corrections import corrected
from cineseq.features.regions import Regions
from cineseq.features.spots import find_spots
from cineseq.features.timecourse import object_brightness
from cineseq.io.arrays import as_labels, as_movie

HOURS = 0.25
"""Time between frames."""
FRAMES = 48
CELLS = 200
FITTED = ("rate", "plateau", "onset")


@dataclass(frozen=True)
class Rises:
    """Time courses of cells that stay flat up to an onset and then approach a plateau.

    Attributes
    ----------
    snr
        Median plateau over the standard deviation of the noise.
    correlation
        Of the noise of consecutive frames.
    rates
        Range of the rates per hour, of which the logarithm is uniform.
    heights
        Factor of all plateaus; 0 leaves cells flat.
    noise_in_signal
        Share of the signal that is added to the standard deviation of the noise.
    """

    snr: float = 5.0
    correlation: float = 0.0
    rates: tuple[float, float] = (0.4, 4.0)
    heights: float = 1.0
    noise_in_signal: float = 0.0

    def draw(self, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the time courses and the truth by ``track_id``."""
        rng = np.random.default_rng(seed)
        time = np.arange(FRAMES) * HOURS
        rate = np.exp(rng.uniform(*np.log(self.rates), CELLS))
        plateau, onset = np.exp(rng.normal(0, 0.4, CELLS)), rng.uniform(8, 24, CELLS) * HOURS
        since = np.maximum(time - onset[:, None], 0)
        clean = self.heights * plateau[:, None] * -np.expm1(-rate[:, None] * since)
        noise = autocorrelated(rng, (CELLS, FRAMES), self.correlation)
        values = clean + noise * (1 / self.snr + self.noise_in_signal * clean)
        truth = pd.DataFrame({"rate": rate, "plateau": plateau, "onset": onset, "initial": rate * plateau})
        return as_course(values), truth.rename_axis("track_id")


def autocorrelated(rng: np.random.Generator, shape: tuple[int, int], correlation: float) -> np.ndarray:
    """Return AR(1) noise of variance 1 along the second axis."""
    noise = rng.normal(size=shape)
    for frame in range(1, shape[1]):
        noise[:, frame] = correlation * noise[:, frame - 1] + np.sqrt(1 - correlation**2) * noise[:, frame]
    return noise


def as_course(values: np.ndarray) -> pd.DataFrame:
    """Return values, shape (tracks, frames), as a table of a time course; NaN are left out."""
    tracks, frames = np.indices(values.shape)
    course = pd.DataFrame({"track_id": tracks.ravel(), "hours": frames.ravel() * HOURS, "value": values.ravel()})
    return course.dropna()


@lru_cache(maxsize=1)
def _drawn(rises: Rises, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    return rises.draw(seed)


def scored(course: pd.DataFrame, summary: str) -> pd.Series:
    """Return a score of each track."""
    return cs.score(course, summary).reindex(course["track_id"].unique())


def rank_correlation(rises: Rises, summary: str, truth: str, seed: int) -> float:
    """Return Spearman's correlation of a score with the truth, over the cells that have one."""
    course, planted = _drawn(rises, seed)
    both = pd.DataFrame({"score": scored(course, summary), "truth": planted[truth]}).dropna()
    return float(spearmanr(both["score"], both["truth"])[0])


def onset_bias(rises: Rises, seed: int) -> float:
    """Return how far the mean onset is off, in frames."""
    course, planted = _drawn(rises, seed)
    return float((scored(course, "onset") - planted["onset"]).mean() / HOURS)


def false_onsets(rises: Rises, seed: int) -> float:
    """Return the share of flat cells that have an onset."""
    course, _ = replace(rises, heights=0.0).draw(seed)
    return float(scored(course, "onset").notna().mean())


def missing(summary: str, seed: int) -> float:
    """Return the share of non-responders, half of the cells, whose score is missing."""
    course, _ = Rises().draw(seed)
    flat, _ = Rises(heights=0.0).draw(seed + 10_000)
    both = pd.concat([course, flat.assign(track_id=flat["track_id"] + CELLS)])
    return float(scored(both, summary).loc[CELLS:].isna().mean())


def unresolved(rates: tuple[float, float], seed: int) -> float:
    """Return the share of cells whose rate is called not resolved."""
    course, _ = _drawn(Rises(snr=10.0, rates=rates), seed)
    found = cs.score(course, "rate", details=True)
    return float(found["note"].str.contains("not resolved", na=False).mean())


def explained_by_time_seen(summary: str, seed: int) -> float:
    """Return R2 of a score with the frames seen, of cells that gain at the same rate and are lost at random."""
    rng = np.random.default_rng(seed)
    seen = rng.integers(8, FRAMES + 1, CELLS)
    frames = np.arange(FRAMES)
    rates = rng.normal(1, 0.1, (CELLS, 1))
    values = 10 + rates * 0.2 * frames * HOURS + rng.normal(0, 0.2, (CELLS, FRAMES))
    values[frames >= seen[:, None]] = np.nan
    score = scored(as_course(values), summary)
    known = score.notna().to_numpy()
    return float(np.corrcoef(score[known], seen[known])[0, 1] ** 2)


def growth_of_maximum(seed: int) -> float:
    """Return the maximum of pure noise over 192 frames, over that over 12 frames."""
    rng = np.random.default_rng(seed)
    long, short = (scored(as_course(rng.normal(size=(CELLS, frames))), "maximum").mean() for frames in (192, 12))
    return float(long / short)


# Images: nuclear masks, and a signal in the nuclei, the cytoplasm or the whole cells.

SIZE = 400
NUCLEUS, CELL = 7.0, 14.0
GRADIENT = 10.0


@dataclass(frozen=True)
class Picture:
    """A frame of cells with nuclear masks.

    Attributes
    ----------
    place
        Where the signal is: ``nucleus``, ``cytoplasm`` or ``cell``.
    confluence
        Share of the frame that cells cover.
    uniform
        Whether a cell's signal is its concentration; otherwise it is its amount, spread over its area.
    """

    place: str = "cell"
    confluence: float = 0.4
    uniform: bool = False

    def draw(self, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return the image, the nuclear masks, and the amount and the area of each cell; label i is element i - 1."""
        rng = np.random.default_rng(seed)
        centres = self._centres(rng)
        rows, columns = np.mgrid[:SIZE, :SIZE]
        # The cell of a pixel: the nearest centre, in units of the cell's radius.
        cell_radius = CELL * np.exp(rng.normal(0, 0.12, len(centres)))
        nuclear_radius = NUCLEUS * np.exp(rng.normal(0, 0.1, len(centres)))
        nearest = np.full((SIZE, SIZE), np.inf)
        owner = np.zeros((SIZE, SIZE), int)
        distance = np.full((SIZE, SIZE), np.inf)
        for number, (y, x) in enumerate(centres):
            box = tuple(slice(max(int(at - 2 * CELL), 0), int(at + 2 * CELL)) for at in (y, x))
            away = np.hypot(rows[box] - y, columns[box] - x)
            closer = away / cell_radius[number] < nearest[box]
            nearest[box][closer] = (away / cell_radius[number])[closer]
            distance[box][closer], owner[box][closer] = away[closer], number
        cells = np.where(nearest <= 1, owner + 1, 0)
        nuclei = np.where((distance <= nuclear_radius[owner]) & (cells > 0), cells, 0)
        where = {"nucleus": nuclei, "cytoplasm": np.where(nuclei == 0, cells, 0), "cell": cells}[self.place]
        area = np.bincount(where.ravel(), minlength=len(centres) + 1)[1:]
        level = 60 * np.exp(rng.normal(0, 0.5, len(centres)))
        typical = np.median(area)
        density = level if self.uniform else level * typical / np.maximum(area, 1)
        light = np.concatenate([[0.0], density])[where]
        image = 200 + GRADIENT * rows / SIZE + ndimage.gaussian_filter(light, 1.2)
        image = image + rng.normal(0, 1, image.shape) * np.sqrt(image) / 3
        return image, nuclei, density * area, area

    def _centres(self, rng: np.random.Generator) -> np.ndarray:
        """Return centres at least a nucleus apart, as many as the confluence asks for."""
        wanted = round(self.confluence * SIZE**2 / (np.pi * CELL**2) * (1.25 if self.confluence > 0.6 else 1.05))
        apart = 2.2 * NUCLEUS if self.confluence > 0.6 else 1.9 * CELL if self.confluence < 0.2 else 1.5 * CELL
        found: list[np.ndarray] = []
        for place in rng.uniform(CELL, SIZE - CELL, (20_000, 2)):
            if len(found) == wanted:
                break
            if all(np.hypot(*(place - other)) >= apart for other in found):
                found.append(place)
        return np.array(found)


def measured(image: np.ndarray, masks: np.ndarray, **settings: object) -> pd.Series:
    """Return the default measure of each label in a frame."""
    ids = np.unique(masks[masks > 0])
    movie = as_movie(image[None, None].astype(np.float32), axes="TCYX", names=["signal"])
    objects = pd.DataFrame({"sample": "s", "fov": "1", "track_id": ids.astype(str), "frame": 0, "label": ids})
    table = object_brightness(as_labels(masks[None], movie), movie, ("signal",), objects, Function(**settings))
    return table.set_index("label")["value"]


def agreement(picture: Picture, seed: int) -> float:
    """Return the correlation of the default measure with the amount of signal in a cell."""
    image, masks, amount, _ = picture.draw(seed)
    found = measured(image, masks)
    return float(np.corrcoef(found, amount[found.index.to_numpy() - 1])[0, 1])


def explained_by_area(seed: int) -> float:
    """Return R2 of the default measure of uptake with the area of the nuclear mask; the amounts are independent."""
    picture = Picture("nucleus", 0.1)
    image, masks, _, area = picture.draw(seed)
    found = measured(image, masks)
    return float(np.corrcoef(found, area[found.index.to_numpy() - 1])[0, 1] ** 2)


# Spots: planted in the cells of a real reporter.


@lru_cache(maxsize=11)
def _reporter(frame: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Return a frame of the reporter of hcc_three_channel and regions around its nuclei; None without the data."""
    folder = Path(os.environ.get("CINESEQ_DATA", Path(__file__).parents[3] / "shared/data")) / "hcc_three_channel"
    names = [sorted(folder.glob(f"HC01501_{channel}_*.tif")) for channel in "RG"]
    if not all(names):
        return None
    nuclear, reporter = (tifffile.imread(of[frame % len(of)]).astype(float) for of in names)
    smooth = ndimage.gaussian_filter(nuclear, 2) - ndimage.gaussian_filter(nuclear, 40)
    masks, _ = ndimage.label(smooth > threshold_otsu(smooth))
    return reporter, Regions.around(masks, 10, 2).labels


def spot_f1(contrast: float, where: str, seed: int) -> float:
    """Return the F1 of 200 planted spots; a match is within 3 pixels."""
    rng = np.random.default_rng(seed)
    size = 1.5
    if where == "reporter":
        found = _reporter(seed)
        if found is None:
            return np.nan
        image, regions = found[0].copy(), found[1]
    else:
        image, regions = rng.normal(200, 5, (600, 600)), np.ones((600, 600), int)
    # Noise around each pixel: of what differs from the smoothed image.
    rough = image - ndimage.gaussian_filter(image, 3)
    noise = 1.25 * ndimage.uniform_filter(np.abs(rough), 25)
    inside = np.argwhere(regions > 0)
    planted: list[np.ndarray] = []
    for place in inside[rng.permutation(len(inside))]:
        clear = place.min() >= 10 and (place < np.array(image.shape) - 10).all()
        if clear and all(np.hypot(*(place - other)) >= 8 for other in planted):
            planted.append(place)
        if len(planted) == 200:
            break
    dy, dx = np.mgrid[-8:9, -8:9]
    shape = np.exp(-(dy**2 + dx**2) / (2 * size**2))
    for y, x in planted:
        image[y - 8 : y + 9, x - 8 : x + 9] += contrast * noise[y, x] * shape
    spots = find_spots(image, regions, Function().spot_radius_px, Function().spot_threshold)
    away = cdist(np.array(planted), np.column_stack([spots.rows, spots.columns]))
    rows, columns = linear_sum_assignment(np.minimum(away, 99))
    matched = int((away[rows, columns] <= 3).sum())
    return 2 * matched / (len(planted) + len(spots.rows))


def left_by_bleaching(seed: int) -> float:
    """Return the median endpoint over the truth, of cells that lose 1% a frame, after correction by the field."""
    rng = np.random.default_rng(seed)
    level = 100 * np.exp(rng.normal(0, 0.4, (CELLS, 1)))
    values = level * 0.99 ** np.arange(FRAMES) + rng.normal(0, 5, (CELLS, FRAMES))
    course = as_course(values).assign(channel="signal")
    course["frame"] = (course["hours"] / HOURS).round().astype(int)
    mended = corrected(course, Function(bleaching="field"))
    return float(np.median(scored(mended, "endpoint") / level[:, 0]))


def _kinetics(name: str, rises: Rises, at_least: dict[str, float], *, harder: bool = False) -> list[Claim]:
    design = (
        f"{CELLS} cells, {FRAMES} frames of 15 min, onset in frames 8-24, {rises.rates[0]:g}-{rises.rates[1]:g} per "
        f"hour, SNR {rises.snr:g}"
        + (f", AR(1) noise of {rises.correlation:g}" if rises.correlation else "")
        + (f", noise grows by {rises.noise_in_signal:g} of the signal" if rises.noise_in_signal else "")
    )
    return [
        Claim(f"scores.{summary}.{name}", design, "rank correlation with the truth",
              partial(rank_correlation, rises, summary, summary), 40,
              at_least=at_least.get(summary, -np.inf), harder=harder)
        for summary in FITTED
    ]  # fmt: skip


def _one(name: str, design: str, measures: str, study: Callable[[int], float], studies: int, **bounds: object) -> Claim:
    return Claim(f"scores.{name}", design, measures, study, studies, **bounds)


_AT_5 = {"rate": 0.72, "plateau": 0.93, "onset": 0.93}
_AT_10 = dict.fromkeys(FITTED, 0.92)

CLAIMS = (
    *_kinetics("snr_5", Rises(), _AT_5),
    *_kinetics("snr_10", Rises(snr=10.0), _AT_10),
    *_kinetics("snr_5_autocorrelated", Rises(correlation=0.5), {}),
    *_kinetics("snr_10_autocorrelated", Rises(snr=10.0, correlation=0.5), {}),
    *_kinetics("snr_2", Rises(snr=2.0), {}, harder=True),
    *_kinetics("snr_5_noise_of_signal", Rises(noise_in_signal=0.2), {}, harder=True),
    *[
        _one(f"onset_bias.snr_{snr}", f"as rate.snr_{snr}", "mean onset minus the truth, in frames",
             partial(onset_bias, Rises(snr=snr)), 40, at_least=-1.0, at_most=1.0)
        for snr in (5, 10)
    ],
    *[
        _one(f"false_onsets.ar_{round(100 * correlation):02d}", f"{CELLS} flat cells, AR(1) noise of {correlation:g}",
             "share with an onset", partial(false_onsets, Rises(correlation=correlation)), 40,
             at_most=np.inf if correlation > 0.8 else 0.02, harder=correlation > 0.8)
        for correlation in (0.0, 0.3, 0.5, 0.7, 0.95)
    ],
    *[
        _one(f"missing.{summary}", f"{CELLS} cells that rise and {CELLS} that do not, SNR 5",
             "share of those that do not rise without a score", partial(missing, summary), 20, at_most=0.0)
        for summary in ("slope", "rate")
    ],
    _one("not_resolved.fast", "rates of 12-40 per hour, SNR 10", "share called not resolved",
         partial(unresolved, (12.0, 40.0)), 20, at_least=0.9, new=True),
    _one("not_resolved.slow", "rates of 0.4-2 per hour, SNR 10", "share called not resolved",
         partial(unresolved, (0.4, 2.0)), 20, at_most=0.02, new=True),
    _one("not_resolved.near_the_limit", "rates of 4-8 per hour (one per frame is 4), SNR 10",
         "share called not resolved", partial(unresolved, (4.0, 8.0)), 20, harder=True, new=True),
    *[
        _one(f"slope.{name}", f"{CELLS} cells, rates of {rates[0]:g}-{rates[1]:g} per hour, SNR 10",
             "rank correlation with the initial slope, rate times plateau",
             partial(rank_correlation, Rises(snr=10.0, rates=rates), "slope", "initial"), 40, **bounds)
        for name, rates, bounds in (
            ("slow", (0.1, 1.5), {"at_least": 0.8}), ("as_rate", (0.4, 4.0), {"at_least": 0.6}),
            ("fast", (1.3, 13.3), {"harder": True}),
        )
    ],
    *[
        _one(f"time_seen.{summary}", f"{CELLS} cells that gain alike, lost at random after 8-48 frames",
             "R2 with the frames seen", partial(explained_by_time_seen, summary), 40, at_most=0.05)
        for summary in ("auc_per_hour",)
    ],
    _one("maximum.length", "pure noise over 192 and over 12 frames", "ratio of the mean maxima",
         growth_of_maximum, 40, at_most=1.1),
    *[
        _one(f"background.{place}.{round(100 * confluence)}", f"nuclear masks, signal in the {place}, "
             f"{confluence:.0%} confluence", "correlation of the default measure with the amount",
             partial(agreement, Picture(place, confluence)), 20, at_least=0.95)
        for place in ("nucleus", "cytoplasm", "cell")
        for confluence in (0.1, 0.4, 0.8)
    ],
    *[
        _one(f"background.{place}.densest", f"nuclear masks, signal in the {place}, packed densely (87% confluence)",
             "correlation of the default measure with the amount", partial(agreement, Picture(place, 0.97)), 20,
             harder=True)
        for place in ("nucleus", "cytoplasm", "cell")
    ],
    *[
        _one(f"spots.{where}.contrast_{contrast}", f"200 spots in {background}, contrast-to-noise {contrast}",
             "F1 of the planted spots", partial(spot_f1, float(contrast), where), 20, new=True, **bounds)
        for where, background in (("reporter", "the reporter of hcc_three_channel"), ("noise", "plain noise"))
        for contrast, bounds in (
            (3, {"harder": True}), (5, {"at_least": 0.9} if where == "reporter" else {}), (8, {"at_least": 0.9})
        )
    ],
    _one("bleaching.endpoint", f"{CELLS} steady cells that lose 1% a frame, corrected by the field",
         "median endpoint over the truth", left_by_bleaching, 20, at_least=0.97, at_most=1.03, new=True),
    _one("uptake.area", "amounts independent of area, nuclear masks at 10% confluence", "R2 of the measure with area",
         explained_by_area, 40, at_most=0.05),
)  # fmt: skip
