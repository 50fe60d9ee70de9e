"""Compare linking and divisions with laptrack on a real movie, and our scores with those of py-ctcmetrics.

Run: ``OMP_NUM_THREADS=1 .venv/bin/python benchmarks/bench_linking.py``, after ``make .venv-peers``
laptrack gets the same objects of the epithelium, already measured, and each of a few largest steps; its best division
F1 and its least seconds count, also where these are of different runs. Seconds are those of the processor, for on a
busy machine the clock on the wall says little; both work in one thread. All results are scored by traccuracy.
"""

import argparse
import json
import logging
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from bench_tracking import EPITHELIUM, HELA, ROOT, SIM01, Case, track
from scores import Score, exactly

from cineseq.config.tracking import Track
from cineseq.evaluation.tracking import score_ctc
from cineseq.io.stacks import open_labels
from cineseq.tracking.export import write_ctc
from cineseq.tracking.objects import Objects, measure
from cineseq.tracking.tracker import link_objects

HERE = Path(__file__).parent
REACHES = (15.0, 20.0, 30.0)
"""Largest steps in px for laptrack; neighbours are 28 px apart."""
REPEATS = 3
CHECKED = (SIM01, EPITHELIUM, HELA)
"""Movies whose scores are computed by both libraries."""


def our_seconds(objects: Objects) -> float:
    """Return the median processor seconds of linking and divisions."""
    taken = []
    for _ in range(REPEATS):
        started = time.process_time()
        link_objects(objects, np.full(len(objects.table), -1), Track())
        taken.append(time.process_time() - started)
    return float(np.median(taken))


def run_laptrack(peers: Path, objects: Objects, reach: float, work: Path) -> tuple[float, pd.DataFrame, pd.DataFrame]:
    """Return the processor seconds, detections and tracks of laptrack."""
    files = {name: work / f"{name}_{reach:g}.csv" for name in ("points", "tracks", "parents")}
    objects.table[["frame", "label", "y_px", "x_px"]].to_csv(files["points"], index=False)
    given = [f"--{name}={path}" for name, path in files.items()]
    said = _peer(peers, "peer_laptrack.py", *given, f"--reach={reach}")
    detections, parents = pd.read_csv(files["tracks"]), pd.read_csv(files["parents"])
    detections["track_id"] = (detections["track"] + 1).astype("string")
    number = np.sort(detections["track"].unique()) + 1
    parent = pd.Series(number - 1).map(parents.set_index("track")["parent"]).astype("Int64") + 1
    tracks = pd.DataFrame(
        {"number": number, "track_id": pd.array(number).astype("string"), "parent_id": parent.astype("string")}
    )
    return float(said), detections, tracks


def _peer(peers: Path, script: str, *arguments: str) -> str:
    """Run a script of the peers' environment; return the last line that it printed."""
    command = [str(peers), str(HERE / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout.splitlines()[-1]


def against_laptrack(data: Path, peers: Path, work: Path) -> Iterator[Score]:
    """Compare seconds and scores on the epithelium."""
    truth = (data / EPITHELIUM.tracks).parent
    ours, whole_step = track(EPITHELIUM, data, work / "epithelium")
    with open_labels(ours / "masks.ome.tif") as labels:
        objects = measure(labels)
        seconds = our_seconds(objects)
        theirs, scores = [], []
        for reach in REACHES:
            taken, detections, tracks = run_laptrack(peers, objects, reach, work)
            write_ctc(labels, detections, tracks, work / f"laptrack_{reach:g}")
            theirs.append(taken)
            scores.append(score_ctc(work / f"laptrack_{reach:g}", truth))
            yield Score(f"epithelium, laptrack, steps up to {reach:g} px: division F1", scores[-1]["division_F1"])
            yield Score(f"epithelium, laptrack, steps up to {reach:g} px: processor seconds", taken)
    best = max(scores, key=lambda score: score["division_F1"])
    mine = score_ctc(ours / "ctc", truth)
    yield Score("epithelium: objects", len(objects.table))
    yield Score("epithelium: processor seconds of linking and divisions", seconds)
    yield Score("epithelium: seconds of the whole step, including reading and measuring masks", whole_step)
    yield Score("epithelium: shortest time of laptrack divided by ours", min(theirs) / seconds, low=10)
    yield Score("epithelium: division F1, at least the best of laptrack", mine["division_F1"], low=best["division_F1"])
    yield Score("epithelium: LNK (best of laptrack in the next line)", mine["LNK"])
    yield Score("epithelium, laptrack: best LNK", max(score["LNK"] for score in scores))


def against_ctcmetrics(case: Case, data: Path, peers: Path, work: Path) -> Iterator[Score]:
    """Compare the scores of two libraries on one result."""
    folder, _ = track(case, data, work / "checked" / case.name)
    truth = (data / case.tracks).parent
    (work / "truth" / case.name / "TRA").mkdir(parents=True)
    for file in truth.iterdir():
        name = "man_track.txt" if file.suffix == ".txt" else file.name
        (work / "truth" / case.name / "TRA" / name).symlink_to(file.resolve())
    given = (f"--result={folder / 'ctc'}", f"--truth={work / 'truth' / case.name}")
    found = json.loads(_peer(peers, "peer_ctcmetrics.py", *given))
    mine = score_ctc(folder / "ctc", truth)
    yield Score(f"{case.name}: LNK by py-ctcmetrics", found["LNK"], low=case.asked["LNK"])
    if found["BC(1)"] is not None:
        yield Score(f"{case.name}: branching correctness BC(1) by py-ctcmetrics", found["BC(1)"])
        yield Score(f"{case.name}: division F1 by traccuracy", mine["division_F1"])
    for name in ("LNK", "TRA"):
        yield exactly(f"{case.name}: {name}, py-ctcmetrics less traccuracy", found[name] - mine[name], 0, 1e-4)


def main() -> None:
    """Print every score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT / "../shared/data")
    parser.add_argument("--peers", type=Path, default=ROOT / ".venv-peers/bin/python", help="Python of the peers")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        parts = [against_laptrack(options.data, options.peers, Path(folder))]
        parts += [against_ctcmetrics(case, options.data, options.peers, Path(folder)) for case in CHECKED]
        for part in parts:
            for score in part:
                print(score, flush=True)


if __name__ == "__main__":
    main()
