"""Families with given ends, and experiments whose shared stress and odds ratio are planted."""

import numpy as np
import pandas as pd
from benchmarks import lineage_experiments as experiments
from benchmarks.lineage_experiments import LAST, Experiment, simulate

from cineseq.config.lineage import Lineage
from cineseq.tables.imaging import CELLS

__all__ = ["LAST", "TESTED", "analyse", "as_cells", "cell", "experiment", "family"]
TESTED = "sister_died_vs_survived"


def as_cells(rows):
    """Complete a table of cells to its contract."""
    given_rows = pd.DataFrame(rows).reset_index(drop=True)
    defaults = {
        "sample": "s", "fov": "1", "condition": "drug", "replicate": "1", "sister_id": None, "generation": 0,
        "start_hours": np.nan, "end_hours": np.nan, "y_px": np.nan, "x_px": np.nan, "start_confidence": np.nan,
        "end_confidence": np.nan, "feature_frame": None,
    }  # fmt: skip
    for name, value in defaults.items():
        if name not in given_rows:
            given_rows[name] = value
    return CELLS.check(given_rows)


def cell(name, founder, start, end, end_kind, parent=None, **more):  # noqa: PLR0917
    known = end_kind in {"division", "death"}
    return {
        "track_id": name, "founder_id": founder, "parent_id": parent, "start_frame": start, "end_frame": end,
        "start_kind": "division" if parent else "first_frame", "end_kind": end_kind,
        "fate": end_kind if known else "unknown", "fate_known": known,
        "alive_at_end": True if end_kind == "end_of_movie" else None if end_kind in {"lost", "left_fov"} else False,
        "generation": int(parent is not None), **more,
    }  # fmt: skip


def family(name, one, other, birth=10, **more):
    """A root cell that divides, and two daughters with given ends."""
    ends = {"death": birth + 20, "division": birth + 30, "end_of_movie": LAST, "lost": birth + 5}
    return [
        cell(name, name, 0, birth - 1, "division", **more),
        *(cell(f"{name}.{k}", name, birth, ends[e], e, name, **more) for k, e in enumerate((one, other))),
    ]


def experiment(seed, founders=300, fields=12, log_odds=0.0):
    """Families whose field and birth time drive both the state and death; the sister's death adds ``log_odds``."""
    return simulate(Experiment(founders=founders, fields=fields, odds_ratio=np.exp(log_odds), alike=0.0), seed)


def analyse(cells, **settings):
    return experiments.analyse(cells, Lineage(**{"permutations": 499, **settings}))
