"""Small tables of cells, compartments and barcodes for the tests of pairing."""

from pathlib import Path

import numpy as np
import pandas as pd

from cineseq.tables.contract import empty
from cineseq.tables.imaging import CELLS


def make_cells(count: int, **columns: object) -> pd.DataFrame:
    """Return live cells of sample s, field 1, without relatives, at position 0; columns replace what is given."""
    ids = [f"s/1/{i + 1}" for i in range(count)]
    facts = {
        "track_id": ids,
        "sample": "s",
        "fov": "1",
        "founder_id": ids,
        "generation": 0,
        "start_frame": 0,
        "end_frame": 9,
        "start_kind": "first_frame",
        "end_kind": "end_of_movie",
        "fate": "unknown",
        "fate_known": False,
        "alive_at_end": True,
        "feature_frame": 9,
        "y_px": 0.0,
        "x_px": 0.0,
    }
    frame = empty(CELLS).drop(columns=[c for c in empty(CELLS) if c.startswith("end_") and c.endswith("_px")])
    return CELLS.check(frame.reindex(range(count)).assign(**(facts | columns)))


def make_compartments(centres: list[tuple[float, float]], radius: float = 10.0) -> pd.DataFrame:
    """Return compartments c0, c1, ... of sample s, field 1."""
    y, x = np.array(centres, dtype=float).T
    names = [f"c{i}" for i in range(len(centres))]
    return pd.DataFrame(
        {"sample": "s", "fov": "1", "compartment_id": names, "y_px": y, "x_px": x, "radius_px": float(radius)}
    )


def make_barcodes(compartments: dict[str, str | None]) -> pd.DataFrame:
    """Return barcodes (keys) in compartments (values) of sample s."""
    return pd.DataFrame(
        {
            "sample": "s",
            "barcode": list(compartments),
            "compartment_id": pd.Series(list(compartments.values()), dtype="string"),
            "y_px": np.nan,
            "x_px": np.nan,
            "fov": pd.Series(pd.NA, range(len(compartments)), dtype="string"),
        }
    )


def write(path: Path, text: str) -> Path:
    """Write text and return its path."""
    path.write_text(text)
    return path
