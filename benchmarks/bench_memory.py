"""Peak memory of every imaging step on a long movie of two channels.

Run: ``.venv/bin/python benchmarks/bench_memory.py [--frames 500]``
The movie is simulated. Each step runs as from the command line, in a separate process; the score is its peak memory,
libraries included. ``segment`` and ``embed`` take seconds per frame and run only on a short movie and on one of twice
its length: if their memory does not grow, it does not depend on the length of the movie. The imports read the GEFF
folder that the run exported.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scores import Score, run_apart

from cineseq.io.stacks import MovieInfo, write_labels, write_movie

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
SIZE, CELLS, RADIUS = 1024, 200, 11
MOST_GB = 2.0
MAY_GROW_GB = 0.1
CHANNELS = {"names": ["nuclear", "signal"], "function": ["signal"]}
LONG = (
    "prepare_movie",
    "import_masks",
    "track",
    "export_tracks",
    "draw_field",
    "collect_uncertain",
    "import_tracks",
    "import_point_tracks",
    "morphology",
    "score_function",
    "summarise_tracks",
)
SHORT = ("segment", "track", "embed")
SETTINGS = {
    "prepare_movie": {"inputs": {"flat_field": "estimate", "drift": "translation"}, "channels": CHANNELS},
    "import_masks": {},
    "segment": {"channels": CHANNELS},
    "track": {"channels": CHANNELS},
    "draw_field": {"channels": CHANNELS},
    "collect_uncertain": {},
    "import_tracks": {},
    "import_point_tracks": {},
    "morphology": {"channels": CHANNELS},
    "embed": {"channels": CHANNELS, "embed": {"frames": "all"}},
    "score_function": {"channels": CHANNELS, "function": {"scores": [{"name": "signal", "channel": "signal"}]}},
    "summarise_tracks": {},
}


@dataclass(frozen=True)
class Film:
    """A simulated movie: discs that wander over noise, and their masks."""

    folder: Path
    frames: int

    @property
    def info(self) -> MovieInfo:
        """What the movie says of itself."""
        return MovieInfo(self.frames, SIZE, SIZE, tuple(CHANNELS["names"]), 0.65, 15.0)

    def write(self) -> None:
        """Write ``movie.ome.tif`` and ``masks.ome.tif`` into the folder."""
        self.folder.mkdir()
        write_labels(self._masks(), self.folder / "masks.ome.tif", self.info)
        write_movie(self._images(), self.folder / "movie.ome.tif", self.info)

    def _masks(self) -> Iterator[np.ndarray]:
        rng = np.random.default_rng(0)
        across = int(np.ceil(np.sqrt(CELLS)))
        first = np.stack(np.divmod(np.arange(CELLS), across), axis=1) * SIZE / across + SIZE / across / 2
        y, x = np.mgrid[-RADIUS : RADIUS + 1, -RADIUS : RADIUS + 1]
        disc = np.c_[y[y**2 + x**2 <= RADIUS**2], x[y**2 + x**2 <= RADIUS**2]]
        phase = rng.uniform(0, 2 * np.pi, (CELLS, 2))
        for frame in range(self.frames):
            centre = first + 2 * RADIUS * np.sin(phase + 0.05 * frame)
            pixels = np.clip(np.round(centre[:, None] + disc).astype(int), 0, SIZE - 1)
            plane = np.zeros((SIZE, SIZE), np.uint16)
            plane[pixels[..., 0], pixels[..., 1]] = np.arange(1, CELLS + 1)[:, None]
            yield plane

    def _images(self) -> Iterator[np.ndarray]:
        rng = np.random.default_rng(1)
        for plane in self._masks():
            for _ in CHANNELS["names"]:
                noise = rng.integers(90, 110, plane.shape, np.uint16)
                yield noise + np.where(plane > 0, 200 + plane, 0).astype(np.uint16)


def arguments(step: str, film: Path, out: Path) -> list[str]:
    """Return a step's arguments, which are its files' names."""
    movie, masks = {"movie": film / "movie.ome.tif"}, {"labels": film / "masks.ome.tif"}
    tracked = {name: out / f"{name}.parquet" for name in ("detections", "tracks")}
    report = {"report": out / f"{step}.json"}
    events, geff, listed = out / "events.parquet", out / "tracks.geff", out / "curation.tsv"
    again = {name: out / f"{step}_{name}.parquet" for name in tracked}
    files = {
        "prepare_movie": {"images": movie["movie"], "movie": out / "movie.ome.tif", **report},
        "import_masks": {"masks": masks["labels"], "labels": out / "masks.ome.tif", **movie, **report},
        "segment": {**movie, "labels": out / "found.ome.tif", **report},
        "track": {**masks, **movie, **tracked, "events": events, **report},
        "export_tracks": {**masks, **tracked, "geff": geff, "ctc": out / "ctc"},
        "draw_field": {
            **masks,
            **movie,
            **tracked,
            "events": events,
            "picture": out / "a.png",
            "quality": out / "quality.json",
            "uncertain": listed,
            "strips": out / "strips",
            "page": out / "curation.html",
            "cell_strips": out / "cell_strips",
            "crops": out / "crops.npz",
        },
        "collect_uncertain": {"tables": listed, "uncertain": out / "uncertain.tsv"},
        "import_tracks": {"external": geff, **masks, **again, "events": out / f"{step}_events.parquet", **report},
        "import_point_tracks": {"external": geff, **again, **report},
        "morphology": {**masks, **movie, "morphology": out / "morphology.parquet", **report},
        "embed": {**masks, **movie, **tracked, "embeddings": out / "embeddings.parquet", **report},
        "score_function": {
            **masks,
            **movie,
            **tracked,
            "timecourse": out / "timecourse.parquet",
            "scores": out / "scores.parquet",
            "regions": out / "regions.png",
            **report,
        },
        "summarise_tracks": {
            **tracked,
            "morphology": out / "morphology.parquet",
            "scores": out / "scores.parquet",
            "objects": out / "objects.parquet",
            "cells": out / "cells.parquet",
        },
    }[step]
    given = [text for name, path in files.items() for text in (f"--{name}", str(path))]
    return [*given, "--settings", json.dumps(SETTINGS[step])] if step in SETTINGS else given


def peaks(film: Film, steps: tuple[str, ...], out: Path) -> Iterator[tuple[str, dict[str, float]]]:
    """Write a movie and run steps on it; yield each one's name, seconds and peak memory."""
    film.write()
    out.mkdir()
    for step in steps:
        yield step, run_apart(SCRIPTS / f"{step}.py", arguments(step, film.folder, out))


def long_movie(frames: int, work: Path) -> Iterator[Score]:
    """Score the steps that take milliseconds a frame."""
    for step, found in peaks(Film(work / "long", frames), LONG, work / "long_results"):
        name = f"{frames} frames of 2 channels, {SIZE} x {SIZE}: {step}"
        yield Score(f"{name}, peak memory, GB", found["peak_gb"], high=MOST_GB)
        yield Score(f"{name}, seconds", found["seconds"])


def short_movies(frames: int, work: Path) -> Iterator[Score]:
    """Score the steps that take seconds a frame, on two short movies."""
    found = {}
    for count in (frames, 2 * frames):
        for step, run in peaks(Film(work / str(count), count), SHORT, work / f"{count}_results"):
            found[step, count] = run["peak_gb"]
    for step in (step for step in SHORT if step not in LONG):
        short, double = found[step, frames], found[step, 2 * frames]
        yield Score(f"{2 * frames} frames of 2 channels, short movie: {step}, peak memory, GB", double, high=MOST_GB)
        name = f"{step}, bounded by growth: GB that {2 * frames} frames take above {frames}"
        yield Score(name, double - short, high=MAY_GROW_GB)


def main() -> None:
    """Print every score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=500, help="of the long movie")
    parser.add_argument("--short", type=int, default=30, help="frames of the shorter movie of segment and embed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for part in (long_movie(options.frames, Path(folder)), short_movies(options.short, Path(folder))):
            for score in part:
                print(score, flush=True)


if __name__ == "__main__":
    main()
