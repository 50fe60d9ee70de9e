"""Score tracking with its default settings on real movies with masks given, and time it.

Run: ``OMP_NUM_THREADS=1 PYTHONPATH=scripts .venv/bin/python benchmarks/bench_tracking.py --data ../shared/data``
One parameter set (the defaults) for every row. LNK, TRA and division F1 (frame buffer 1) by traccuracy.
"""

import argparse
import importlib.util
import logging
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile

from cineseq.config.base import FieldOfView
from cineseq.contracts import DETECTIONS, TRACKS
from cineseq.stacks import MovieInfo, write_labels
from cineseq.tables import read_table
from cineseq.tracking.scoring import score_ctc

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Case:
    """A movie with masks and truth: its folder, file pattern and the step between its frames."""

    name: str
    folder: str
    pattern: str
    tracks: str
    frame_step: int = 1


CASES = (
    Case("ctc_sim01", "ctc_sim01/01_GT/TRA", "man_track*.tif", "ctc_sim01/01_GT/TRA/man_track.txt"),
    Case("epithelium", "epithelium/02_GT/TRA", "man_track*.tif", "epithelium/02_GT/TRA/man_track.txt"),
    *(
        Case(f"epithelium every {n}", "epithelium/02_GT/TRA", "man_track*.tif", f"epithelium/{thinned}", n)
        for n in (2, 3, 4, 5, 6, 7)
        for thinned in (f"sparse_man_track/Sparse{n}.txt",)
    ),
    Case("hela, against the result file", "hela/01_RES", "mask*.tif", "hela/01_RES/res_track.txt"),
)


def step(name: str):
    """Load a step's script as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def track(case: Case, data: Path, work: Path) -> tuple[Path, float]:
    """Track a case through the steps' own scripts; return its folder and the seconds that ``track`` took."""
    files = sorted((data / case.folder).glob(case.pattern))[:: case.frame_step]
    first = tifffile.imread(files[0])
    work.mkdir(parents=True)
    write_labels(
        (tifffile.imread(f) for f in files), work / "masks.ome.tif", MovieInfo(len(files), *first.shape, (), None, None)
    )
    tables = {"detections": work / "detections.parquet", "tracks": work / "tracks.parquet"}
    module, export = step("track"), step("export_ctc")
    started = time.perf_counter()
    settings = module.Settings(field=FieldOfView(sample="bench", fov="1"))
    module.main(labels=work / "masks.ome.tif", **tables, report=work / "report.json", settings=settings)
    seconds = time.perf_counter() - started
    export.main(labels=work / "masks.ome.tif", **tables, ctc=work / "ctc")
    return work, seconds


def edges(labels: pd.DataFrame, parents: pd.DataFrame) -> set[tuple[int, int, int, int]]:
    """Return the links (frame, label, frame, label): within tracks, and from a mother to her daughters."""
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


def hela_partial(data: Path, work: Path) -> dict[str, str]:
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
    known = [b for b in births if b is not None]
    return {
        "edges": f"{len(wanted & found)}/{len(wanted)} = {len(wanted & found) / len(wanted):.4f}",
        "divisions": f"{sum(b <= found for b in known)}/{len(known)}",
    }


def row(case: Case, data: Path, work: Path) -> dict[str, object]:
    """Track and score one case."""
    work, seconds = track(case, data, work)
    found, truth = predicted_edges(work), true_edges(work, data / case.tracks)
    scores: dict[str, object] = {
        "set": case.name,
        "objects": len(read_table(work / "detections.parquet", DETECTIONS)),
        "edge Jaccard": round(len(found & truth) / len(found | truth), 4),
    }
    if case.frame_step == 1:
        ctc = score_ctc(work / "ctc", (data / case.tracks).parent)
        scores |= {n: round(ctc[n], 4) for n in ("LNK", "TRA", "division_precision", "division_recall", "division_F1")}
    if case.name.startswith("hela"):
        scores |= {f"partial truth {k}": v for k, v in hela_partial(data, work).items()}
    return scores | {"track step s": round(seconds, 2)}


def main() -> None:
    """Print the table of figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT / "../shared/data")
    parser.add_argument("--only", default="", help="run the cases whose name contains this")
    chosen = parser.parse_args()
    logging.basicConfig(level="WARNING")
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            row(case, chosen.data, Path(folder) / str(i)) for i, case in enumerate(CASES) if chosen.only in case.name
        ]
    print(pd.DataFrame(rows).fillna("").set_index("set").T.to_string())


if __name__ == "__main__":
    main()
