"""Measure how the time and memory of tracking grow with the number and density of cells.

Run: ``OMP_NUM_THREADS=1 .venv/bin/python benchmarks/bench_points.py``
Cells move at random, divide and disappear; there are no masks. Each run is a separate process.
"""

import argparse
import logging
import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scores import Score, own_peak_gb

from cineseq.config.base import FieldOfView
from cineseq.config.tracking import Track
from cineseq.io.stacks import MovieInfo
from cineseq.tracking.finalise import curate
from cineseq.tracking.objects import COLUMNS, Objects, no_overlaps
from cineseq.tracking.tracker import link_objects

SPACINGS = (60.0, 30.0, 15.0, 10.0, 8.0)
GROWTH = (100, 300, 1000, 2500, 5000)
STEP_PX = 3.0
DIVIDING = 0.005
"""Fraction of the cells that divide in a frame; as many others disappear."""


@dataclass(frozen=True)
class Crowd:
    """Simulated cells: how many, for how long, how far apart, and the largest step where it is set by hand."""

    cells: int
    frames: int
    spacing: float
    reach: float | None = None


def walk(crowd: Crowd, seed: int = 0) -> Objects:
    """Simulate the objects of a crowd, uniform in a square field at its mean spacing."""
    rng = np.random.default_rng(seed)
    side = np.sqrt(crowd.cells) * crowd.spacing
    full = (0.6 * crowd.spacing) ** 2
    place, area = rng.uniform(0, side, (crowd.cells, 2)), full * rng.uniform(0.5, 1, crowd.cells)
    tables = []
    for frame in range(crowd.frames):
        tables.append(_one_frame(frame, place, area, rng))
        place = np.abs(place + rng.normal(0, STEP_PX, place.shape))
        place = side - np.abs(side - place)
        area = np.minimum(full, 1.02 * area)
        mother, gone = rng.permutation(crowd.cells)[: 2 * int(np.ceil(DIVIDING * crowd.cells))].reshape(2, -1)
        turn = rng.uniform(0, np.pi, len(mother))
        apart = 0.5 * np.sqrt(area[mother])[:, None] * np.c_[np.sin(turn), np.cos(turn)]
        place[gone], place[mother] = place[mother] - apart, place[mother] + apart
        area[mother] = area[gone] = area[mother] / 2
    shape = (crowd.frames, int(side) + 1, int(side) + 1)
    return Objects(pd.concat(tables, ignore_index=True), no_overlaps(), shape, 0)


def _one_frame(frame: int, place: np.ndarray, area: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    n = len(place)
    columns = {
        "frame": frame,
        "label": np.arange(1, n + 1),
        "y_px": place[:, 0],
        "x_px": place[:, 1],
        "area_px": area * rng.lognormal(0, 0.05, n),
        "eccentricity": 0.5,
        "ellipse_extent": 1.0,
        "elongation_0": 0.0,
        "elongation_45": 0.0,
        "touches_border": False,
        "brightness": np.nan,
    }
    return pd.DataFrame(columns, index=range(n)).astype(COLUMNS)


@dataclass(frozen=True)
class Taken:
    """What tracking took: seconds on the wall, least seconds of processor, and the most memory in GB."""

    wall: float
    processor: float
    peak_gb: float


def track_crowd(crowd: Crowd, repeats: int = 1) -> Taken:
    """Track a crowd, from objects to checked tables."""
    logging.disable(logging.WARNING)
    objects = walk(crowd)
    compartment = np.full(len(objects.table), -1)
    settings = Track(search_range_px=crowd.reach)
    wall, processor = [], []
    for _ in range(repeats):
        started = time.perf_counter(), time.process_time()
        linked = link_objects(objects, compartment, settings)
        info = MovieInfo(*objects.shape, (), None, None)
        curate(objects, linked.families, compartment, None, info=info, field=FieldOfView(), settings=settings)
        wall.append(time.perf_counter() - started[0])
        processor.append(time.process_time() - started[1])
    return Taken(min(wall), min(processor), own_peak_gb())


def densities(apart: ProcessPoolExecutor, cells: int, frames: int) -> Iterator[Score]:
    """Track crowds of one size at rising density."""
    crowds = [Crowd(cells, frames, spacing) for spacing in SPACINGS] + [Crowd(cells, frames, 8.0, reach=20.0)]
    for crowd in crowds:
        taken = apart.submit(track_crowd, crowd).result()
        given = "" if crowd.reach is None else f", search range set to {crowd.reach:g} px"
        name = f"{cells:,} cells x {frames} frames, {crowd.spacing:g} px apart{given}"
        yield Score(f"{name}: seconds of processor", taken.processor, high=25)
        yield Score(f"{name}: seconds on the wall", taken.wall)
        yield Score(f"{name}: peak memory, GB", taken.peak_gb, high=1)


def growth(apart: ProcessPoolExecutor, frames: int, repeats: int = 3) -> Iterator[Score]:
    """Track crowds of one density and rising size; the slope is that of log seconds over log cells."""
    taken = []
    for cells in GROWTH:
        crowd = Crowd(cells, frames, 30.0)
        taken.append(apart.submit(track_crowd, crowd, repeats).result().processor)
        yield Score(f"{cells:,} cells x {frames} frames: seconds of processor", taken[-1])
    slope = np.polyfit(np.log(GROWTH), np.log(taken), 1)[0]
    late = np.polyfit(np.log(GROWTH[2:]), np.log(taken[2:]), 1)[0]
    yield Score(f"growth from {GROWTH[0]:,} to {GROWTH[-1]:,} cells a frame: log-log slope", slope, high=1.2)
    yield Score(f"growth from {GROWTH[2]:,} to {GROWTH[-1]:,} cells a frame: log-log slope", late)


def main() -> None:
    """Print every score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=2000)
    parser.add_argument("--frames", type=int, default=100)
    options = parser.parse_args()
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh, max_tasks_per_child=1) as apart:
        for score in densities(apart, options.cells, options.frames):
            print(score, flush=True)
        for score in growth(apart, max(options.frames // 5, 3)):
            print(score, flush=True)


if __name__ == "__main__":
    main()
