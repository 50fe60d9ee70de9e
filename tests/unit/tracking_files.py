"""Files and small fields that tests of tracking share."""

from pathlib import Path

import numpy as np
import pandas as pd

from cineseq.stacks import MovieInfo
from cineseq.tracking.lineage import Families
from cineseq.tracking.objects import Objects


def outputs(folder: Path) -> dict[str, Path]:
    """Return where tracking and its import write."""
    names = {"detections": "d.parquet", "tracks": "t.parquet", "events": "e.parquet", "report": "r.json"}
    return {what: folder / name for what, name in names.items()}


INFO = MovieInfo(6, 100, 100, (), None, 30.0)


def two_families() -> tuple[Objects, Families]:
    """Return tracks 1 (frames 0-2, mother of 2 and 3, frames 3-5) and 4 (frames 0-5); labels are track numbers."""
    rows = [(t, 1, 30.0, 30.0 + t) for t in range(3)] + [(t, 4, 70.0, 70.0) for t in range(6)]
    rows += [(t, n, 30.0, x) for t in range(3, 6) for n, x in ((2, 24.0 - t), (3, 42.0 + t))]
    table = pd.DataFrame(sorted(rows), columns=["frame", "label", "y_px", "x_px"])
    table = table.assign(area_px=100.0, eccentricity=0.1, touches_border=False, brightness=np.nan)
    none = pd.DataFrame({"source": pd.Series(dtype=int), "target": pd.Series(dtype=int), "shared": []})
    families = Families(table["label"].to_numpy(np.int64), {2: 1, 3: 1}, {1: 0.9})
    return Objects(table, none, (6, 100, 100), 0), families
