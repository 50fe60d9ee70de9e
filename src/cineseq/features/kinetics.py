"""Fit a saturating rise to the time course of every track: a baseline, an onset, a rate and a plateau.

The model is ``baseline + plateau * (1 - exp(-rate * (time - onset)))`` from the onset on, and the baseline before it.
Onset and rate lie on a grid, on which baseline and plateau follow in closed form; a finer grid around the estimates of
each track follows. The errors are autocorrelated (AR(1) with one correlation for all tracks). Rates and plateaus of the
tracks are shrunken towards their population (empirical Bayes), because a rate is hardly determined by one noisy track;
estimates are posterior means, standard errors posterior standard deviations. A track rises only if the fit explains
more than it does in all but a share of simulated flat tracks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.special import log_ndtr

from cineseq.features.rises import FINE, ONSETS, WIDEST_STEP, Courses, Grid, Limits, Posterior, Sums, runs_of

LEAST_FRAMES = 6
"""Fewest values that a fit needs: it has four parameters and a noise."""
REFINEMENTS = 5
CHUNK = 500
"""Tracks that are fitted at once."""
CELLS = 4_000_000
"""Numbers in the shapes of the finer grids of tracks that are fitted at once."""
MOST_TRACKS = 150
"""Tracks, spread over the table, from which the population is estimated."""
FLAT_TRACKS = 2000
CORRELATIONS = np.arange(0, 0.95, 0.05)
NOISE_FREEDOM = 6.0
"""Weight of the typical noise in the noise of a track, in degrees of freedom."""
PRIOR_TRACKS = 5.0
"""Weight of the wide prior in the spread of the population, in tracks."""
PRIOR_LOG_RATE_SD = 1.0
PRIOR_PLATEAU_CV = 0.6
ROUNDS = 6
PARAMETERS = ("rate", "plateau", "onset", "time_to_half")
FITTED = (*PARAMETERS, "responded")
"""Summaries that :func:`saturating_fits` gives."""


@dataclass(frozen=True)
class Population:
    """What the tracks have in common: their errors, rates and plateaus.

    Attributes
    ----------
    correlation
        Of the errors of consecutive frames.
    noise
        Typical standard deviation of the innovations.
    log_rate, log_rate_sd, plateau, plateau_sd
        Means and standard deviations among the tracks that rise.
    """

    correlation: float
    noise: float
    log_rate: float
    log_rate_sd: float
    plateau: float
    plateau_sd: float


def together(courses: Courses, rows: np.ndarray, frame: float) -> list[np.ndarray]:
    """Return the tracks that share a grid: all, or in a long movie those that begin at about the same time.

    A grid over a long movie would be coarser than a frame, and most of it beyond any one track.
    """
    first, last = courses.ends[rows].T
    if last.max() - first.min() <= ONSETS / 2 * frame:
        return [rows]
    width = max((last - first).max() / 4, WIDEST_STEP * frame)
    window = ((first - first.min()) // width).astype(int)
    return [rows[window == one] for one in np.unique(window)]


def since_first(courses: Courses, rows: np.ndarray) -> tuple[Courses, float]:
    """Return some of the tracks in time since the first value of any of them, and its time."""
    part = courses.part(rows)
    return Courses(part.tracks, part.times - part.times[0], part.values), float(part.times[0])


def correlation_of(parts: list[Courses], length: float, frame: float) -> float:
    """Return the correlation of consecutive errors with the greatest likelihood, 0 to .9, over all tracks."""
    grid = Grid.over(length, frame, onsets=60, rates=5)
    runs = sum(runs_of(~np.isnan(part.values))[0].sum() for part in parts)

    def likelihood(correlation: float) -> float:
        sums = Sums.joined([Sums.of(part, grid, correlation, frame) for part in parts])
        freedom = np.maximum(sums.n - 4, 1)
        known = sums.yy > 0
        fit = -0.5 * (freedom * np.log(np.maximum(sums.left(), 1e-300)))[known].sum()
        return float(fit + 0.5 * runs * np.log1p(-(correlation**2)))

    best = float(max(CORRELATIONS, key=likelihood))
    # The fit takes up some of the correlation: the usual bias of an autocorrelation, (1 + 4 r) / n.
    typical = float(np.median(np.concatenate([(~np.isnan(part.values)).sum(1) for part in parts])))
    return float(min(best + (1 + 4 * best) / typical, CORRELATIONS[-1])) if best > 0 else 0.0


def population_of(sums: Sums, grid: Grid, correlation: float, rises: np.ndarray) -> Population:
    """Estimate the population of the tracks that rise by expectation-maximisation."""
    left, freedom = sums.left(), np.maximum(sums.n - 4, 1)
    noise = float(np.sqrt(np.median(left / freedom))) if len(left) else 0.0
    best = sums.explained().argmax(1)
    every = np.arange(len(best))
    highest = (sums.gy / sums.gg)[every, best]
    # Start: the rates of the grid that one can tell apart, and the typical rise.
    typical = float(np.median(highest[rises])) if rises.any() else 1.0
    rates = np.broadcast_to(np.log(grid.rate), sums.gg.shape)
    middle = float(np.median(rates[every, best][rises])) if rises.any() else float(rates.mean())
    found = Population(correlation, noise, middle, PRIOR_LOG_RATE_SD, typical, PRIOR_PLATEAU_CV * abs(typical))
    if not rises.any():
        return found
    chosen, own = sums.part(rises), grid.part(rises)
    for _ in range(ROUNDS):
        one = posterior(chosen, own, found)
        log_rate, log_rate_sd = _moments(one.log_rate, one.log_rate_sd, PRIOR_LOG_RATE_SD)
        plateau, plateau_sd = _moments(one.plateau, one.plateau_sd, PRIOR_PLATEAU_CV * abs(typical))
        found = Population(correlation, noise, log_rate, log_rate_sd, plateau, plateau_sd)
    return found


def _moments(mean: np.ndarray, sd: np.ndarray, wide: float) -> tuple[float, float]:
    """Return the mean and the standard deviation of a population; a few tracks leave it wide."""
    centre = float(mean.mean())
    squares = float(((mean - centre) ** 2 + sd**2).sum())
    return centre, float(np.sqrt((PRIOR_TRACKS * wide**2 + squares) / (PRIOR_TRACKS + len(mean))))


def posterior(sums: Sums, grid: Grid, population: Population) -> Posterior:
    """Return the estimates of each track, given its population."""
    freedom = np.maximum(sums.n - 4, 0)
    variance = (NOISE_FREEDOM * population.noise**2 + sums.left()) / (NOISE_FREEDOM + freedom)
    variance = np.maximum(variance, 1e-12 * np.maximum(population.plateau**2, 1e-300))[:, None]
    # Plateau, given onset and rate: normal, because its prior and the errors are; (tracks, pairs).
    prior = 1 / population.plateau_sd**2
    precision = sums.gg / variance + prior
    plateau = (sums.gy / variance + population.plateau * prior) / precision
    # Log posterior of each pair, up to a constant of the track; plateaus are positive.
    log = 0.5 * plateau**2 * precision - 0.5 * np.log(precision) + log_ndtr(plateau * np.sqrt(precision))
    rates = np.log(grid.rate)
    log += -0.5 * ((rates - population.log_rate) / population.log_rate_sd) ** 2
    log = np.where(sums.allowed, log, -np.inf)
    weight = np.exp(log - log.max(1, keepdims=True))
    weight /= weight.sum(1, keepdims=True)
    height = np.maximum(plateau, 0)
    rate, onset, level = (weight * rates).sum(1), (weight * grid.onset).sum(1), (weight * height).sum(1)
    rate_sd = np.sqrt((weight * (rates - rate[:, None]) ** 2).sum(1))
    onset_sd = np.sqrt((weight * (grid.onset - onset[:, None]) ** 2).sum(1))
    level_sd = np.sqrt(np.maximum((weight * (height**2 + 1 / precision)).sum(1) - level**2, 0))
    return Posterior(rate, rate_sd, level, level_sd, onset, onset_sd)


def refined(courses: Courses, sums: Sums, grid: Grid, population: Population, frame: float) -> tuple[Sums, Grid]:
    """Return sums on finer grids, each around the estimates of its track on the common grid."""
    parts = []
    size = max(CELLS // (FINE**2 * len(courses.times)), 1)
    for begin in range(0, len(courses.tracks), size):
        rows = np.arange(begin, min(begin + size, len(courses.tracks)))
        own, some, fine = courses.part(rows), sums.part(rows), grid
        limits = Limits.of(own, grid, frame)
        for _ in range(REFINEMENTS):
            fine = Grid.around(posterior(some, fine, population), fine.steps(), limits)
            some = Sums.of(own, fine, population.correlation, frame)
        parts.append((some, fine))
    onset, rate = (np.concatenate([getattr(fine, name) for _, fine in parts]) for name in ("onset", "rate"))
    return Sums.joined([some for some, _ in parts]), Grid(onset, rate)


def evidence(sums: Sums) -> np.ndarray:
    """Return how much more than noise the best rise explains, per degree of freedom, shape (tracks,)."""
    left = sums.left() / np.maximum(sums.n - 4, 1)
    return np.divide(sums.explained().max(1), left, out=np.zeros(len(left)), where=left > 0)


@lru_cache(maxsize=64)
def evidence_of_flat_tracks(frames: int, correlation: float, share: float) -> float:
    """Return the evidence that a share of simulated flat tracks with AR(1) errors exceeds."""
    rng = np.random.default_rng(20240)
    values = rng.normal(size=(FLAT_TRACKS, frames))
    for frame in range(1, frames):
        values[:, frame] = correlation * values[:, frame - 1] + np.sqrt(1 - correlation**2) * values[:, frame]
    times = np.arange(frames, dtype=float)
    grid = Grid.over(times[-1], 1.0, onsets=60, rates=6)
    flat = Courses(pd.RangeIndex(FLAT_TRACKS), times, values)
    return float(np.quantile(evidence(Sums.of(flat, grid, correlation, 1.0)), 1 - share))


def rising(sums: Sums, correlation: float, share: float) -> np.ndarray:
    """Return which tracks rise, shape (tracks,); lengths are compared with flat tracks of a rounded length."""
    rounded = np.unique(np.round(np.geomspace(LEAST_FRAMES, max(sums.n.max(), LEAST_FRAMES + 1), 8)).astype(int))
    limits = [evidence_of_flat_tracks(int(frames), round(correlation, 2), share) for frames in rounded]
    limit = np.interp(sums.n, rounded, limits)
    return (sums.n >= LEAST_FRAMES) & (evidence(sums) > limit)


def saturating_fits(course: pd.DataFrame, false_onsets: float) -> pd.DataFrame:
    """Fit a saturating rise to every track.

    Parameters
    ----------
    course
        ``track_id``, ``time`` and ``value`` without missing values.
    false_onsets
        Share of flat tracks that may be taken for rising.

    Returns
    -------
    pandas.DataFrame
        By ``track_id``, the columns of :data:`FITTED`, each with ``_error`` (standard error) and ``_note``. A track
        that does not rise has rate and plateau 0, and neither onset nor time to half; with fewer than
        :data:`LEAST_FRAMES` values nothing is known. A rate above one per frame stands at this limit, and its note
        says that it is not resolved. A plateau, with its rate, that lies beyond what is seen is noted as extrapolated.
    """
    if course.empty:
        return _fit_table(pd.Index([], name="track_id"), _unknown(0), np.zeros(0, int), np.zeros(0), np.nan)
    courses = Courses.of(course)
    counts = (~np.isnan(courses.values)).sum(1)
    enough = np.flatnonzero(counts >= LEAST_FRAMES)
    found = _unknown(len(courses.tracks))
    frame = courses.part(enough).frame() if len(enough) else np.nan
    if len(enough):
        groups = together(courses, enough, frame)
        length = max(float(np.ptp(courses.part(rows).times)) for rows in groups)
        population = _population(courses, groups, length, frame, false_onsets)
        grid = Grid.over(length, frame)
        for rows in groups:
            for begin in range(0, len(rows), CHUNK):
                chosen = rows[begin : begin + CHUNK]
                part, origin = since_first(courses, chosen)
                found.loc[chosen] = _fits(part, origin, grid, population, frame=frame, false_onsets=false_onsets)
    return _fit_table(courses.tracks, found, counts, courses.ends[:, 1], frame)


def _unknown(tracks: int) -> pd.DataFrame:
    columns = [f"{name}{ending}" for name in PARAMETERS for ending in ("", "_error")]
    return pd.DataFrame(np.nan, index=range(tracks), columns=["responded", *columns])


def _population(
    courses: Courses, groups: list[np.ndarray], length: float, frame: float, false_onsets: float
) -> Population:
    """Return the errors and the population, from tracks spread over the table."""
    every = np.sort(np.concatenate(groups))
    chosen = every[np.linspace(0, len(every) - 1, min(len(every), MOST_TRACKS)).astype(int)]
    spread = [rows[np.isin(rows, chosen)] for rows in groups]
    parts = [since_first(courses, rows)[0] for rows in spread if len(rows)]
    correlation = correlation_of(parts, length, frame)
    grid = Grid.over(length, frame, onsets=50, rates=15)
    each = [Sums.of(part, grid, correlation, frame) for part in parts]
    sums = Sums.joined(each)
    rises = rising(sums, correlation, false_onsets)
    first = population_of(sums, grid, correlation, rises)
    fine = [refined(part, one, grid, first, frame) for part, one in zip(parts, each, strict=True)]
    onset, rate = (np.concatenate([getattr(own, name) for _, own in fine]) for name in ("onset", "rate"))
    return population_of(Sums.joined([one for one, _ in fine]), Grid(onset, rate), correlation, rises)


def _fits(
    courses: Courses, origin: float, grid: Grid, population: Population, *, frame: float, false_onsets: float
) -> np.ndarray:
    """Return responses and parameters of tracks in the columns of :func:`_unknown`."""
    sums = Sums.of(courses, grid, population.correlation, frame)
    rises = rising(sums, population.correlation, false_onsets)
    own, fine = refined(courses, sums, grid, population, frame)
    one = posterior(own, fine, population)
    # The grid is coarse where a track determines its parameters better than the grid's steps.
    onset_step, rate_step = fine.steps()
    onset_error = np.hypot(one.onset_sd, onset_step / np.sqrt(12))
    log_error = np.hypot(one.log_rate_sd, rate_step / np.sqrt(12))
    rate, half = np.exp(one.log_rate), np.log(2) / np.exp(one.log_rate)
    columns = [
        (rate, rate * log_error, 0.0), (one.plateau, one.plateau_sd, 0.0),
        (one.onset + origin, onset_error, np.nan), (half, half * log_error, np.nan),
    ]  # fmt: skip
    parts = [np.where(rises, value, other) for mean, error, other in columns for value in (mean, error)]
    for place in (1, 3):
        parts[place] = np.where(rises, parts[place], np.nan)
    return np.column_stack([rises.astype(float), *parts])


def _fit_table(
    tracks: pd.Index, found: pd.DataFrame, counts: np.ndarray, last: np.ndarray, frame: float
) -> pd.DataFrame:
    """Return the public table: rates at their limit, and notes."""
    table = found.set_axis(tracks)
    few = counts < LEAST_FRAMES
    flat = (table["responded"] == 0).to_numpy()
    fast = (table["rate"] > 1 / frame).to_numpy() if np.isfinite(frame) else np.zeros(len(table), bool)
    # A rise that is seen for less than one time constant is nearly a line: its plateau lies beyond the data.
    short = (table["rate"] * (last - table["onset"]) < 1).to_numpy() & ~flat & ~fast
    table.loc[fast, "rate"] = 1 / frame
    table.loc[fast, "time_to_half"] = np.log(2) * frame
    table.loc[fast, ["rate_error", "time_to_half_error"]] = np.nan
    quick = "not resolved: faster than one per frame, the value is this limit"
    beyond = "not reached: extrapolated, the rise is seen for less than one time constant"
    for name in FITTED:
        notes = np.where(few, f"fewer than {LEAST_FRAMES} frames", np.where(flat, "the signal does not rise", ""))
        if name in {"rate", "plateau", "time_to_half"}:
            notes = np.where(short, beyond, notes)
        if name in {"rate", "time_to_half"}:
            notes = np.where(fast, quick, notes)
        table[f"{name}_note"] = pd.Series(notes, table.index, dtype="string").where(notes != "")
    table["responded_note"] = table["responded_note"].where(few)
    return table.assign(responded_error=np.nan)
