"""Families with given ends, and experiments whose shared stress and odds ratio are planted."""

import numpy as np
import pandas as pd

from cineseq import contracts
from cineseq.config.lineage import Lineage
from cineseq.kinship.families import families_of
from cineseq.kinship.state_by_sister import compare_states
from cineseq.kinship.states import states_of, survivors
from cineseq.kinship.status import sister_status

LAST = 99


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
    return contracts.CELLS.check(given_rows)


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
    """A founder that divides, and two daughters with given ends."""
    ends = {"death": birth + 20, "division": birth + 30, "end_of_movie": LAST, "lost": birth + 5}
    return [
        cell(name, name, 0, birth - 1, "division", **more),
        *(cell(f"{name}.{k}", name, birth, ends[e], e, name, **more) for k, e in enumerate((one, other))),
    ]


def experiment(seed, founders=300, fields=12, log_odds=0.0):
    """Families whose field and birth time drive both the state and death; the sister's death adds ``log_odds``."""
    rng = np.random.default_rng(seed)
    field, birth = rng.integers(0, fields, founders), rng.integers(10, 60, founders)
    stress = rng.normal(0, 1, fields)[field] + (birth - 35) / 25
    risk = 1 / (1 + np.exp(0.7 - stress - rng.normal(0, 1, founders)))
    dead = rng.random((founders, 2)) < risk[:, None]
    rate = 1 / (1 + np.exp(1 - stress[:, None] - log_odds * dead[:, ::-1]))
    state = rng.random((founders, 2)) < rate
    names = np.array([f"s/{f}/{k}" for k, f in enumerate(field)], dtype=object)
    shared = {"fov": field.astype(str), "founder_id": names}
    mothers = {
        "track_id": names, "parent_id": None, "start_frame": 0, "end_frame": birth - 1, "start_kind": "first_frame",
        "end_kind": "division", "fate": "division", "fate_known": True, "alive_at_end": False, "state_x": None,
    }  # fmt: skip
    tables = [pd.DataFrame(shared | mothers)]
    for k in (0, 1):
        gone = dead[:, k]
        daughters = {
            "track_id": names + f".{k}", "parent_id": names, "generation": 1, "start_frame": birth,
            "end_frame": np.where(gone, birth + 5, LAST), "start_kind": "division",
            "end_kind": np.where(gone, "death", "end_of_movie"), "fate": np.where(gone, "death", "unknown"),
            "fate_known": gone, "alive_at_end": ~gone,
            "state_x": np.where(gone, None, np.where(state[:, k], "on", "off")),
        }  # fmt: skip
        tables.append(pd.DataFrame(shared | daughters))
    joined = pd.concat(tables, ignore_index=True)
    return as_cells(joined.assign(generation=joined["generation"].fillna(0).astype(int)))


def analyse(cells, **settings):
    settings = Lineage(**{"permutations": 499, **settings})
    families = families_of(cells)
    states = states_of(cells, None, settings.states)
    status = sister_status(families, settings)
    status["sequenced"] = survivors(families, states, None)
    return families, status, compare_states(families, status, states, settings, seed=1)
