"""Movies in the explorer: the film strips of cells as sprites, and their function over time, one chunk per field."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cineseq.errors import reading
from cineseq.report.explorer.chunks import as_json, write_chunk
from cineseq.tables.contract import read_table
from cineseq.tables.imaging import TIMECOURSE

Places = dict[str, int]
"""Row of each cell, by ``track_id``."""
DIGITS = 5


def write_fields(
    folder: Path, fields: list[tuple[str, str]], rows: Places, strips: list[Path], timecourses: list[Path]
) -> dict[str, int]:
    """Write one chunk per field, and copy its sprites.

    Parameters
    ----------
    folder
        Folder of the chunks.
    fields
        Sample and field of view, in the order in which the page numbers them.
    rows
        Row of each cell.
    strips
        Folders that ``draw_field`` wrote, ``<sample>/<fov>/cell_strips``.
    timecourses
        Tables with the contract TIMECOURSE, ``<sample>/<fov>/timecourse.parquet``.

    Returns
    -------
    dict
        Number of cells with a film strip (``strips``), and of cells that the limit left out (``without``).
    """
    told = {"strips": 0, "without": 0}
    drawn, measured = ({path.parts[-3:-1]: path for path in paths} for paths in (strips, timecourses))
    for number, field in enumerate(fields):
        content: dict[str, Any] = {"strips": {}, "curves": {}}
        if field in drawn:
            content |= _sprites(drawn[field], folder, number, rows)
            told["strips"] += len(content["strips"])
            told["without"] += content["without"]
        if field in measured:
            content["curves"] = curves(read_table(measured[field], TIMECOURSE), rows)
        write_chunk(folder, f"field_{number}", as_json(content))
    return told


def _sprites(source: Path, folder: Path, number: int, rows: Places) -> dict[str, Any]:
    """Copy the sprites of a field under names without the user's words, and return where each cell is on them."""
    with reading(source / "strips.json", "not a readable list of film strips", "delete it and run the workflow again"):
        listed = json.loads((source / "strips.json").read_text(encoding="utf-8"))
    for sheet in range(listed["sheets"]):
        shutil.copyfile(source / f"{sheet}.webp", folder / f"strips_{number}_{sheet}.webp")
    placed = {str(rows[name]): where for name, where in listed["cells"].items() if name in rows}
    return {"strips": placed, **{key: listed[key] for key in ("panel", "um_per_panel", "frame_hours", "without")}}


def curves(timecourse: pd.DataFrame, rows: Places) -> dict[str, dict[str, list[list[float | int | None]]]]:
    """Return frames, hours and values of every cell, by channel and row."""
    known = timecourse[timecourse["track_id"].isin(list(rows))].sort_values(["channel", "track_id", "frame"])
    lists = [_listed(known[column]) for column in ("frame", "hours", "value")]
    found: dict[str, dict[str, list[list[float | int | None]]]] = {}
    for (channel, name), places in known.groupby(["channel", "track_id"]).indices.items():
        of_cell = [values[places[0] : places[-1] + 1] for values in lists]
        found.setdefault(str(channel), {})[str(rows[str(name)])] = of_cell
    return found


def _listed(values: pd.Series) -> list[float | int | None]:
    numbers = values.to_numpy(float, na_value=np.nan)
    size = np.where(numbers == 0, 1.0, np.abs(numbers))
    unit = 10.0 ** (DIGITS - 1 - np.floor(np.log10(size)))
    rounded = np.round(numbers * unit) / unit
    return [None if not np.isfinite(v) else int(v) if v == int(v) else float(v) for v in rounded]
