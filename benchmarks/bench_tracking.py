"""Score and time tracking with its default settings on movies with masks, beside published trackers.

Run: ``make bench-tracking``, or for some movies and without peers
``OMP_NUM_THREADS=1 .venv/bin/python benchmarks/bench_tracking.py --only epidermis,rods``. One line per movie and pair
of scores: what is required, the scores now, those before the present method, those of each peer, and processor seconds
of linking, ours and those of laptrack over ours. The last rows are of a movie that is segmented first.

All rows use one parameter set, the defaults. LNK, TRA and division F1 (frame buffer 1) are computed by traccuracy. The
edge Jaccard compares links. An end in the layer is a track that ends before the last frame, not at the border and
without daughters; it is found where a track ends at the same cell, a frame earlier or later at most. False divisions
are a share of those that are called. Colonies and tissues are simulated by ``tracking/`` and ``crowds.py``.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import logging
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from scores import Score
from tracking import peers
from tracking.movies import MOVIES, RELIABILITY, Movie, Truth, Wanted
from tracking.scoring import Result, edges, partial_truth, reliability, score

from cineseq.config.base import FieldOfView
from cineseq.config.imaging import Channels
from cineseq.config.tracking import Track
from cineseq.evaluation.tracking import score_ctc
from cineseq.io.stacks import MovieInfo, write_labels
from cineseq.tables.contract import read_table
from cineseq.tables.imaging import DETECTIONS, EVENTS, TRACKS

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "../shared/data"
BEFORE = Path(__file__).parent / "tracking/before.csv"


@dataclass(frozen=True)
class Case:
    """A movie with masks and truth, for other benchmarks: its folder, file pattern, target scores and frame step."""

    name: str
    folder: str
    pattern: str
    tracks: str
    asked: dict[str, float] = field(default_factory=dict)
    frame_step: int = 1


SIM01 = Case(
    "ctc_sim01",
    "ctc_sim01/01_GT/TRA",
    "man_track*.tif",
    "ctc_sim01/01_GT/TRA/man_track.txt",
    {"LNK": 1.0, "division F1": 1.0},
)
EPITHELIUM = Case(
    "epithelium",
    "epithelium/02_GT/TRA",
    "man_track*.tif",
    "epithelium/02_GT/TRA/man_track.txt",
    {"LNK": 0.998, "division F1": 0.92},
)
HELA = Case("hela, against the result file", "hela/01_RES", "mask*.tif", "hela/01_RES/res_track.txt", {"LNK": 0.985})
RAW = "ctc_sim01_raw"


def step(name: str):
    """Load a step's script as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def track(case: Case, data: Path, work: Path, settings: Track | None = None) -> tuple[Path, float]:
    """Track a case through the steps' own scripts; return its folder and the seconds of ``track``."""
    files = sorted((data / case.folder).glob(case.pattern))[:: case.frame_step]
    _write_masks((tifffile.imread(f) for f in files), len(files), work)
    seconds, _ = _tracked(work, settings or Track())
    _export(work)
    return work, seconds


def _export(work: Path) -> None:
    tables = {"detections": work / "detections.parquet", "tracks": work / "tracks.parquet"}
    step("export_tracks").main(labels=work / "masks.ome.tif", **tables, geff=work / "tracks.geff", ctc=work / "ctc")


def _write_masks(planes: Iterator[np.ndarray] | list[np.ndarray], frames: int, work: Path) -> None:
    planes = iter(planes)
    first = next(planes)
    work.mkdir(parents=True)
    info = MovieInfo(frames, *first.shape, (), None, None)
    write_labels((plane for part in ([first], planes) for plane in part), work / "masks.ome.tif", info)


def _tracked(work: Path, settings: Track, **more: Path) -> tuple[float, float]:
    """Track ``masks.ome.tif``, ``more`` files given.

    Returns the seconds of the whole step, and the processor seconds of all after measuring masks.
    """
    tables = {"detections": work / "detections.parquet", "tracks": work / "tracks.parquet"}
    module = step("track")
    linking = [0.0]
    module.track_objects = _timed(module.track_objects, linking)
    started = time.perf_counter()
    told = module.Settings(field=FieldOfView(sample="bench", fov="1"), track=settings)
    written = tables | {"events": work / "events.parquet", "report": work / "report.json"}
    module.main(labels=work / "masks.ome.tif", **more, **written, settings=told)
    seconds = time.perf_counter() - started
    return seconds, linking[0]


def _timed(function: Callable[..., Any], seconds: list[float]) -> Callable[..., Any]:
    """Return a function that adds its processor seconds to the first of ``seconds``."""

    def timed(*given: Any, **named: Any) -> Any:
        started = time.process_time()
        result = function(*given, **named)
        seconds[0] += time.process_time() - started
        return result

    return timed


def track_raw(data: Path, work: Path) -> None:
    """Segment and track the raw frames of ``ctc_sim01`` through the steps' own scripts."""
    prepare, segment = step("prepare_movie"), step("segment")
    work.mkdir(parents=True)
    channels, movie = Channels(names=["nuclei"]), work / "movie.ome.tif"
    prepare.main(
        images=sorted((data / "ctc_sim01/01").glob("t*.tif")),
        movie=movie,
        report=work / "movie.json",
        settings=prepare.Settings(channels=channels),
    )
    segment.main(
        movie=movie,
        labels=work / "masks.ome.tif",
        report=work / "segment.json",
        settings=segment.Settings(channels=channels),
    )
    _tracked(work, Track(), movie=movie)
    _export(work)


def run_case(movie: Movie | str, settings: Track | None = None, data: Path = DATA) -> dict[str, float]:
    """Track a movie, given or named, and return all its scores, ``seconds`` and ``linking seconds`` among them.

    Raises
    ------
    StopIteration
        When no movie has the name.
    """
    movie = next(m for m in MOVIES if m.name == movie) if isinstance(movie, str) else movie
    return score_ours(movie, movie.make(data), data, settings)


def score_ours(movie: Movie, truth: Truth, data: Path, settings: Track | None = None) -> dict[str, float]:
    """Track the masks of a movie with our step and return all scores."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "work"
        _write_masks(truth.planes, len(truth.planes), work)
        seconds, linking = _tracked(work, settings or Track())
        objects = read_table(work / "detections.parquet", DETECTIONS).rename(columns={"track_id": "track"})
        tracks = read_table(work / "tracks.parquet", TRACKS).dropna(subset="parent_id")
        parents = tracks[["track_id", "parent_id"]].set_axis(["track", "parent"], axis=1)
        result = Result(objects[["frame", "label", "track"]], parents, linking)
        values = score(result, truth) | {"seconds": seconds, "linking seconds": linking}
        values |= reliability(read_table(work / "events.parquet", EVENTS), truth, result.objects)
    if movie.partial:
        values |= partial_truth(data, edges(result.objects, result.parents))
    return values


def score_raw(data: Path, work: Path) -> Iterator[Score]:
    """Track and score the raw frames of ``ctc_sim01``."""
    track_raw(data, work)
    found = score_ctc(work / "ctc", (data / SIM01.tracks).parent)
    for name in ("LNK", "TRA", "division_precision", "division_recall", "division_F1"):
        yield Score(f"{RAW}: {name.replace('_', ' ')}", found[name])


def read_before() -> dict[str, dict[str, float]]:
    """Return the scores of the method before, by movie and score."""
    found: dict[str, dict[str, float]] = {}
    if BEFORE.exists():
        with BEFORE.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                found.setdefault(row["movie"], {})[row["score"]] = float(row["value"])
    return found


def write_scores(scores: dict[str, dict[str, float]], path: Path) -> None:
    """Write scores in the format of the table before."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["movie", "score", "value"])
        for movie, values in scores.items():
            writer.writerows((movie, name, f"{value:.4f}") for name, value in values.items())


def lines(
    movie: Movie, truth: Truth, now: dict[str, float], before: dict[str, float], others: dict[str, dict[str, float]]
) -> Iterator[str]:
    """Yield the lines of one movie."""
    counts = f"{len(truth.planes)} frames, {truth.cells} objects, {truth.divisions} divisions"
    counts += f", {now['true ends']:.0f} ends in the layer" if now.get("true ends") else ""
    yield f"{movie.name}: {counts}"
    theirs = others.get("laptrack split", {}).get("seconds")
    ratio = f", laptrack {theirs / now['linking seconds']:.1f} x" if theirs else ""
    for row in (*movie.rows, RELIABILITY):
        cells = [("now", now), ("before", before), *others.items()]
        shown = "  ".join(f"{name} {_values(row, values):13}" for name, values in cells)
        name = " / ".join(wanted.score for wanted in row)
        required = " / ".join(str(wanted) for wanted in row)
        time_said = f"linking {now['linking seconds']:.1f} s{ratio}"
        yield f"  {name:28} required {required:16}  {shown}  {time_said}  {_verdict(movie, row, now)}"


def _values(row: tuple[Wanted, ...], values: dict[str, float]) -> str:
    return " / ".join(_number(values.get(wanted.score)) for wanted in row)


def _number(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.3f}"


def _verdict(movie: Movie, row: tuple[Wanted, ...], now: dict[str, float]) -> str:
    if movie.harder or all(math.isinf(w.at_least) and math.isinf(w.at_most) for w in row):
        return "for comparison"
    asked = [w for w in row if math.isfinite(w.at_least) or math.isfinite(w.at_most)]
    return "ok" if all(wanted.holds(now[wanted.score]) for wanted in asked) else "MISSED"


def main() -> None:
    """Print every score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--only", default="", help="run the movies whose name contains one of these, parted by commas")
    parser.add_argument("--peers", action="store_true", help="run the peers, too, where that was not done before")
    parser.add_argument("--write", type=Path, help="also write our scores to this file, as the table before")
    chosen = parser.parse_args()
    logging.basicConfig(level="ERROR")
    before, scores, started = read_before(), {}, time.perf_counter()
    asked = [part.strip() for part in chosen.only.split(",")]
    met = []
    for movie in (movie for movie in MOVIES if any(part in movie.name for part in asked)):
        truth = movie.make(chosen.data)
        scores[movie.name] = score_ours(movie, truth, chosen.data)
        others = peers.scores(movie, truth, chosen.data, run=chosen.peers)
        for line in lines(movie, truth, scores[movie.name], before.get(movie.name, {}), others):
            print(line, flush=True)
            met += [line.endswith(" ok")] if line.endswith((" ok", " MISSED")) else []
    if any(part in RAW for part in asked):
        with tempfile.TemporaryDirectory() as folder:
            for found in score_raw(chosen.data, Path(folder) / RAW):
                print(found, flush=True)
    if chosen.write:
        write_scores(scores, chosen.write)
    print(f"{sum(met)} of {len(met)} rows with a requirement meet it; {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
