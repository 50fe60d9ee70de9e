"""Score and time tracking with its default settings on real movies with masks.

Run: ``OMP_NUM_THREADS=1 .venv/bin/python benchmarks/bench_tracking.py --data ../shared/data``
All rows use one parameter set, the defaults. LNK, TRA and division F1 (frame buffer 1) are computed by traccuracy.
Masks are those of the data sets, except for ``ctc_sim01_raw``, which is segmented with the compact model. Rods and the
packed epithelium are simulated by ``crowds.py``.
"""

import argparse
import importlib.util
import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile
from crowds import Crowd, epithelium, rods, write_ctc_truth
from scores import Score

from cineseq.config.base import FieldOfView
from cineseq.config.imaging import Channels
from cineseq.config.tracking import Track
from cineseq.evaluation.tracking import score_ctc
from cineseq.io.stacks import MovieInfo, write_labels
from cineseq.tables.contract import read_table
from cineseq.tables.imaging import DETECTIONS, TRACKS

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Case:
    """A movie with masks and truth: its folder, file pattern, target scores and frame step."""

    name: str
    folder: str
    pattern: str
    tracks: str
    asked: dict[str, float] = field(default_factory=dict)
    frame_step: int = 1


PARTIAL_EDGES = 0.996
THINNED = {3: {"edge Jaccard": 0.98}, 5: {"edge Jaccard": 0.91}}
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
CASES = (
    SIM01,
    EPITHELIUM,
    *(
        replace(
            EPITHELIUM,
            name=f"epithelium every {n}",
            tracks=f"epithelium/sparse_man_track/Sparse{n}.txt",
            asked=THINNED.get(n, {}),
            frame_step=n,
        )
        for n in (2, 3, 4, 5, 6, 7)
    ),
    HELA,
)


@dataclass(frozen=True)
class Simulated:
    """A simulated crowd: its case, what makes it, and the step between the frames that are kept."""

    case: Case
    make: Callable[[], Crowd]
    frame_step: int = 1


def _crowd(name: str, make: Callable[[], Crowd], lnk: float, frame_step: int = 1) -> Simulated:
    folder = f"{make.__name__} {frame_step}"
    case = Case(f"simulated {name}", folder, "man_track*.tif", f"{folder}/man_track.txt", {"LNK": lnk})
    return Simulated(case, make, frame_step)


SIMULATED = (
    _crowd("rods", rods, 0.95),
    _crowd("rods every 3", rods, 0.95, 3),
    _crowd("packed epithelium", epithelium, 0.98),
)


def step(name: str):
    """Load a step's script as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def track(case: Case, data: Path, work: Path, settings: Track | None = None) -> tuple[Path, float]:
    """Track a case through the steps' own scripts; return its folder and the seconds of ``track``."""
    files = sorted((data / case.folder).glob(case.pattern))[:: case.frame_step]
    first = tifffile.imread(files[0])
    work.mkdir(parents=True)
    write_labels(
        (tifffile.imread(f) for f in files), work / "masks.ome.tif", MovieInfo(len(files), *first.shape, (), None, None)
    )
    return work, _tracked(work, settings or Track())


def _tracked(work: Path, settings: Track, **more: Path) -> float:
    """Track ``masks.ome.tif`` and export it, ``more`` files given; return the seconds of ``track``."""
    tables = {"detections": work / "detections.parquet", "tracks": work / "tracks.parquet"}
    module, export = step("track"), step("export_tracks")
    started = time.perf_counter()
    told = module.Settings(field=FieldOfView(sample="bench", fov="1"), track=settings)
    written = tables | {"events": work / "events.parquet", "report": work / "report.json"}
    module.main(labels=work / "masks.ome.tif", **more, **written, settings=told)
    seconds = time.perf_counter() - started
    export.main(labels=work / "masks.ome.tif", **tables, geff=work / "tracks.geff", ctc=work / "ctc")
    return seconds


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


def edges(labels: pd.DataFrame, parents: pd.DataFrame) -> set[tuple[int, int, int, int]]:
    """Return the links (frame, label, frame, label): within tracks, and from a parent to its daughters."""
    ordered = labels.sort_values(["track", "frame"])
    rows = ordered[["frame", "label"]].to_numpy(np.int64)
    same = ordered["track"].to_numpy()[1:] == ordered["track"].to_numpy()[:-1]
    links = np.c_[rows[:-1][same], rows[1:][same]]
    first, last = ordered.groupby("track").first(), ordered.groupby("track").last()
    known = parents[parents["parent"].isin(last.index) & parents["track"].isin(first.index)]
    births = np.c_[
        last.loc[known["parent"], ["frame", "label"]].to_numpy(),
        first.loc[known["track"], ["frame", "label"]].to_numpy(),
    ]
    return {tuple(row) for row in np.r_[links, births].astype(int).tolist()}


def predicted_edges(work: Path) -> set[tuple[int, int, int, int]]:
    """Return the links that tracking made."""
    detections = read_table(work / "detections.parquet", DETECTIONS).rename(columns={"track_id": "track"})
    tracks = read_table(work / "tracks.parquet", TRACKS).dropna(subset="parent_id")
    return edges(detections, tracks.rename(columns={"track_id": "track", "parent_id": "parent"})[["track", "parent"]])


def true_edges(work: Path, path: Path) -> set[tuple[int, int, int, int]]:
    """Return the links of a truth whose masks are labelled by track."""
    detections = read_table(work / "detections.parquet", DETECTIONS)
    table = pd.DataFrame(np.loadtxt(path, int, ndmin=2), columns=["track", "first", "last", "parent"])
    return edges(detections.assign(track=detections["label"]), table[table["parent"] > 0])


def hela_partial(data: Path, work: Path) -> Iterator[Score]:
    """Score HeLa links and divisions against the public part of the manual truth."""
    markers = pd.read_csv(data / "hela/partial_gt_markers.csv")
    markers = markers[markers["res"] > 0]
    label = {(t, i): r for t, i, r in zip(markers["t"], markers["id"], markers["res"], strict=True)}
    found = predicted_edges(work)
    wanted = {(t, r, t + 1, label[t + 1, i]) for (t, i), r in label.items() if (t + 1, i) in label}
    divisions = pd.read_csv(data / "hela/partial_gt_divisions.csv")
    births = []
    for mother, t, *daughters in divisions.itertuples(index=False):
        keys = [(t, mother), *((t + 1, d) for d in daughters)]
        births.append(
            {(t, label[keys[0]], t + 1, label[k]) for k in keys[1:]} if all(k in label for k in keys) else None
        )
    hits = sum(b is not None and b <= found for b in births)
    yield Score("hela, partial truth: edges", len(wanted & found) / len(wanted), low=PARTIAL_EDGES)
    yield Score(f"hela, partial truth: divisions, {hits} of {len(births)}", hits / len(births), low=1)


def score(case: Case, data: Path, work: Path) -> Iterator[Score]:
    """Track and score one case."""
    work, seconds = track(case, data, work)
    found, truth = predicted_edges(work), true_edges(work, data / case.tracks)
    values = {"edge Jaccard": len(found & truth) / len(found | truth)}
    if case.frame_step == 1:
        values |= _by_traccuracy(work, (data / case.tracks).parent)
    for name, value in values.items():
        yield Score(f"{case.name}: {name}", value, low=case.asked.get(name, -np.inf))
    if case is HELA:
        yield from hela_partial(data, work)
    yield Score(f"{case.name}: seconds of the whole step", seconds)


def score_raw(data: Path, work: Path) -> Iterator[Score]:
    """Track and score the raw frames of ``ctc_sim01``."""
    track_raw(data, work)
    for name, value in _by_traccuracy(work, (data / SIM01.tracks).parent).items():
        yield Score(f"{RAW}: {name}", value)


def _by_traccuracy(work: Path, truth: Path) -> dict[str, float]:
    ctc = score_ctc(work / "ctc", truth)
    names = ("LNK", "TRA", "division_precision", "division_recall", "division_F1")
    return {name.replace("_", " "): ctc[name] for name in names}


def main() -> None:
    """Print every score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT / "../shared/data")
    parser.add_argument("--only", default="", help="run the cases whose name contains this")
    chosen = parser.parse_args()
    logging.basicConfig(level="WARNING")
    with tempfile.TemporaryDirectory() as folder:
        for case in (case for case in CASES if chosen.only in case.name):
            for found in score(case, chosen.data, Path(folder) / case.name):
                print(found, flush=True)
        for crowd in (crowd for crowd in SIMULATED if chosen.only in crowd.case.name):
            write_ctc_truth(crowd.make(), Path(folder) / crowd.case.folder, crowd.frame_step)
            for found in score(crowd.case, Path(folder), Path(folder) / crowd.case.name):
                print(found, flush=True)
        if chosen.only in RAW:
            for found in score_raw(chosen.data, Path(folder) / RAW):
                print(found, flush=True)


if __name__ == "__main__":
    main()
