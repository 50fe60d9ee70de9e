"""The movies of the benchmark of tracking: masks, true tracks, and what is required."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile
from crowds import Crowd, epithelium, rods, write_ctc_truth

from tracking import colonies, tissues

HERE = Path(__file__).resolve().parent
CODE = (HERE / "movies.py", HERE / "colonies.py", HERE / "tissues.py", HERE.parent / "crowds.py")
"""The code that makes simulated movies; they are kept until it changes."""
CACHE = Path(__file__).resolve().parents[2] / "results/bench_tracking"


@dataclass(frozen=True)
class Truth:
    """Masks whose labels are true tracks, and these tracks.

    Attributes
    ----------
    planes
        One label image per frame.
    tracks
        ``track``, ``first``, ``last`` and ``parent`` (0 for none).
    """

    planes: list[np.ndarray]
    tracks: pd.DataFrame

    @property
    def divisions(self) -> int:
        """Number of mothers with two daughters."""
        parents = self.tracks.loc[self.tracks["parent"] > 0, "parent"]
        return int((parents.value_counts() >= 2).sum())

    @property
    def cells(self) -> int:
        """Number of objects in all frames."""
        return sum(len(np.unique(plane[plane > 0])) for plane in self.planes)


@dataclass(frozen=True)
class Wanted:
    """A score and what is required of it; infinite where nothing is."""

    score: str
    at_least: float = -math.inf
    at_most: float = math.inf

    def holds(self, value: float) -> bool:
        """Return whether a value, rounded as it is printed, meets what is required."""
        return self.at_least <= round(value, 3) <= self.at_most

    def __str__(self) -> str:
        if math.isfinite(self.at_least):
            return f">={self.at_least:g}"
        return f"<={self.at_most:g}" if math.isfinite(self.at_most) else "-"


@dataclass(frozen=True)
class Movie:
    """A movie: its name, what returns its truth, the rows of the table (one or two scores each).

    ``harder`` movies are there to see where tracking breaks; nothing is required of them.
    """

    name: str
    make: Callable[[Path], Truth]
    rows: tuple[tuple[Wanted, ...], ...]
    harder: bool = False
    partial: str = ""
    """Name of a data set whose true links are known in part, to score as well."""


def read(folder: Path, pattern: str, table: Path, *, every: int = 1) -> Truth:
    """Read masks that are labelled by track, and the table of tracks."""
    planes = [tifffile.imread(path) for path in sorted(folder.glob(pattern))[::every]]
    tracks = pd.DataFrame(np.loadtxt(table, int, ndmin=2), columns=["track", "first", "last", "parent"])
    return Truth(planes, tracks)


def thinned(folder: Path, every: int, data: Path) -> Truth:
    """Read masks and tracks of which every n-th frame is kept; a track without a kept frame is gone."""
    whole = read(data / folder, "man_track*.tif", data / folder / "man_track.txt")
    if every == 1:
        return whole
    tracks = whole.tracks
    parent = tracks.set_index("track")["parent"].to_dict()
    # First and last kept frame of a track; the parent is the last ancestor that was kept, if it is seen until then.
    tracks = tracks.assign(first=-(-tracks["first"] // every), last=tracks["last"] // every)
    tracks = tracks[tracks["first"] <= tracks["last"]].reset_index(drop=True)
    last = tracks.set_index("track")["last"]
    while (gone := (tracks["parent"] > 0) & ~tracks["parent"].isin(tracks["track"])).any():
        tracks.loc[gone, "parent"] = tracks.loc[gone, "parent"].map(parent)
    tracks["parent"] = tracks["parent"].where(tracks["parent"].map(last) + 1 == tracks["first"], 0)
    return Truth(whole.planes[::every], tracks)


def simulated(name: str, draw: Callable[[], Crowd], every: int, _: Path) -> Truth:
    """Simulate a crowd, or read it where it was simulated by the same code."""
    code = b"".join(path.read_bytes() for path in CODE)
    key = hashlib.sha256(code).hexdigest()[:12]
    folder = CACHE / "movies" / f"{name.replace(' ', '_').replace('%', '')}-{key}"
    if not (folder / "man_track.txt").exists():
        write_ctc_truth(draw(), folder, every)
    return read(folder, "man_track*.tif", folder / "man_track.txt")


def _pair(lnk: float, division_f1: float) -> tuple[Wanted, Wanted]:
    return Wanted("LNK", lnk), Wanted("division F1", division_f1)


NONE = -math.inf
EPIDERMIS = Path("epidermis/01_GT/TRA")


def _ctc(folder: str, pattern: str, table: str, every: int = 1) -> Callable[[Path], Truth]:
    def make(data: Path) -> Truth:
        return read(data / folder, pattern, data / table, every=every)

    return make


def _sparse(every: int, least: float) -> Movie:
    table = f"epithelium/sparse_man_track/Sparse{every}.txt"
    return Movie(
        f"epithelium every {every}",
        _ctc("epithelium/02_GT/TRA", "man_track*.tif", table, every),
        ((Wanted("edge Jaccard", least),),),
    )


REAL = (
    *(
        Movie(f"epidermis step {n}", partial(thinned, EPIDERMIS, n), (_pair(*least),))
        for n, least in {1: (0.90, 0.74), 2: (0.76, 0.62), 3: (0.56, 0.46)}.items()
    ),
    Movie(
        "epithelium",
        _ctc("epithelium/02_GT/TRA", "man_track*.tif", "epithelium/02_GT/TRA/man_track.txt"),
        (_pair(0.999, 0.941),),
    ),
    *(_sparse(n, {3: 0.98, 5: 0.91}.get(n, NONE)) for n in (2, 3, 4, 5, 6, 7)),
    Movie(
        "hela",
        _ctc("hela/01_RES", "mask*.tif", "hela/01_RES/res_track.txt"),
        (_pair(0.986, 0.786), (Wanted("true edges", 0.996), Wanted("true divisions", 1.0))),
        partial="hela",
    ),
    Movie(
        "ctc_sim01",
        _ctc("ctc_sim01/01_GT/TRA", "man_track*.tif", "ctc_sim01/01_GT/TRA/man_track.txt"),
        (_pair(1.0, 1.0),),
    ),
)


def _colony(kind: str, design: colonies.Design) -> Movie:
    harder = design.doublings > 3
    name = f"{kind} {design.doublings:g} doublings seed {design.seed}"
    required = _pair(NONE, NONE) if harder else _pair(0.97, 0.93)
    return Movie(name, partial(simulated, name, partial(colonies.grow, design), 1), (required,), harder)


def _tissue(leaving: float, seed: int) -> Movie:
    harder = leaving > 0.2
    name = f"tissue {leaving:.0%} leaving seed {seed}"
    ends = (Wanted("false divisions"), Wanted("ends F1"))
    if not harder:
        ends = (Wanted("false divisions", at_most=0.03), Wanted("ends F1", 0.85))
    design = tissues.Design(leaving, seed=seed)
    rows = (ends, _pair(NONE, NONE))
    return Movie(name, partial(simulated, name, partial(tissues.live, design), 1), rows, harder)


# Doublings are those in 20 frames. The rods of the first seed are short, those of the second are long. To all sides,
# 500 cells that double once or twice in 20 frames move less than a width in a frame: these grow in a chamber, too.
SHAPES = ({"seed": 0}, {"seed": 1, "width": 9.0, "length": 56.0})
COLONIES = (
    *(_colony("rods", colonies.Design(n, **shape)) for n in (1, 2, 3, 4) for shape in SHAPES),
    *(
        _colony("rods in a chamber", colonies.Design(n, chamber=width, **shape))
        for n, width in ((1, 190.0), (2, 280.0))
        for shape in SHAPES
    ),
)
TISSUES = tuple(_tissue(leaving, seed) for leaving in (0.05, 0.2, 0.4) for seed in (0, 1))


def _crowd(name: str, draw: Callable[[], Crowd], lnk: float, every: int = 1) -> Movie:
    return Movie(name, partial(simulated, name, draw, every), (_pair(lnk, NONE),))


RELIABILITY = (Wanted("reliability error", at_most=0.05), Wanted("doubted links that are wrong"))
"""What is asked of the confidence of links, in every movie."""
CROWDS = (
    _crowd("crowd of rods", rods, 0.95),
    _crowd("crowd of rods every 3", rods, 0.95, 3),
    _crowd("packed epithelium", epithelium, 0.98),
)
MOVIES = (*REAL, *COLONIES, *TISSUES, *CROWDS)
