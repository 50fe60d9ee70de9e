"""Published trackers on the same masks, each in an environment of its own; their scores are kept by their input."""

from __future__ import annotations

import hashlib
import json
import math
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from skimage.measure import regionprops_table

from tracking.movies import CACHE, Movie, Truth
from tracking.scoring import Result, edges, partial_truth, score

HERE = Path(__file__).resolve().parents[1]
PEERS, BTRACK = HERE.parent / ".venv-peers/bin/python", HERE.parent / ".venv-btrack/bin/python"
REACHES = (15.0, 20.0, 30.0)
"""Largest steps in px that a peer is run with; the best division F1 counts, or the best LNK."""

PATIENCE = 180
"""Seconds after which a peer is stopped."""


@dataclass(frozen=True)
class Peer:
    """A published tracker: its script, the Python of its environment, its arguments, and whether its reach is set."""

    name: str
    script: str
    python: Path
    arguments: tuple[str, ...] = ()
    reaches: tuple[float, ...] = (0.0,)


ALL = (
    Peer("laptrack split", "peer_laptrack.py", PEERS, reaches=REACHES),
    Peer("laptrack overlap", "peer_laptrack.py", PEERS, ("--method=overlap",)),
    Peer("laptrack tuned", "peer_laptrack.py", PEERS, ("--method=tuned",)),
    Peer("trackpy", "peer_trackpy.py", PEERS, reaches=REACHES),
    Peer("btrack", "peer_btrack.py", BTRACK, reaches=(30.0,)),
)


def scores(movie: Movie, truth: Truth, data: Path, *, run: bool) -> dict[str, dict[str, float]]:
    """Return the scores of each peer on a movie, of its best run; empty where it was not run or failed.

    Parameters
    ----------
    movie, truth, data
        The movie, its truth, and the folder of real data.
    run
        Whether to run what is not kept.
    """
    found = {}
    for peer in ALL:
        runs = [one for reach in peer.reaches if (one := _kept(peer, reach, movie, truth, data, run=run))]
        if runs:
            best = max(runs, key=_rank)
            found[peer.name] = best | {"seconds": min(one["seconds"] for one in runs)}
    return found


def _rank(one: dict[str, float]) -> tuple[float, ...]:
    """Order runs by division F1, then by LNK or the links in common; a score that does not exist is the lowest."""
    values = (one.get("division F1", math.nan), one.get("LNK", math.nan), one["edge Jaccard"])
    return tuple(-1.0 if math.isnan(value) else value for value in values)


def _kept(peer: Peer, reach: float, movie: Movie, truth: Truth, data: Path, *, run: bool) -> dict[str, float]:
    """Return the scores of one run, kept or made."""
    digest = hashlib.sha256(f"{peer.name} {peer.arguments} {reach} {movie.name}".encode())
    digest.update((HERE / peer.script).read_bytes())
    for plane in truth.planes:
        digest.update(np.ascontiguousarray(plane))
    digest.update(truth.tracks.to_csv().encode())
    path = CACHE / "peers" / f"{digest.hexdigest()[:16]}.json"
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    if not run:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        values = _run(peer, reach, movie, truth, data=data, work=Path(folder))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values), encoding="utf-8")
    return values


def _run(peer: Peer, reach: float, movie: Movie, truth: Truth, *, data: Path, work: Path) -> dict[str, float]:
    points = pd.concat(_points(truth.planes), ignore_index=True)
    linked = _apart(peer, reach, points, truth, work)
    if linked is None:
        return {}
    objects, parents, seconds = linked
    result = Result(objects, parents, seconds)
    values = score(result, truth) | {"seconds": seconds}
    return values | (partial_truth(data, edges(objects, parents)) if movie.partial else {})


def _points(planes: list[np.ndarray]) -> Iterator[pd.DataFrame]:
    for frame, plane in enumerate(planes):
        table = pd.DataFrame(regionprops_table(plane, properties=("label", "centroid")))
        yield table.set_axis(["label", "y_px", "x_px"], axis=1).assign(frame=frame)


def _apart(
    peer: Peer, reach: float, points: pd.DataFrame, truth: Truth, work: Path
) -> tuple[pd.DataFrame, pd.DataFrame, float] | None:
    """Run the script of a peer in its environment; None where it fails, with a line that says so."""
    files = {name: work / f"{name}.csv" for name in ("points", "tracks", "parents")}
    points.to_csv(files["points"], index=False)
    np.save(work / "masks.npy", np.stack(truth.planes))
    masks = [f"--masks={work / 'masks.npy'}"] if peer.arguments else []
    given = [*(f"--{name}={path}" for name, path in files.items()), f"--reach={reach}", *peer.arguments, *masks]
    command = [str(peer.python), str(HERE / peer.script), *given]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        print(f"  {peer.name} was stopped after {PATIENCE} s", flush=True)
        return None
    if done.returncode:
        print(f"  {peer.name} failed: {(done.stderr.strip() or str(done.returncode)).splitlines()[-1]}", flush=True)
        return None
    return pd.read_csv(files["tracks"]), pd.read_csv(files["parents"]), float(done.stdout.splitlines()[-1])
