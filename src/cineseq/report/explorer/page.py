"""Write the explorer: its page, its scripts, and the chunks of its data."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cineseq.files import replacing, write_text
from cineseq.io.paired import PairedData
from cineseq.report.explorer.cells import describe_columns, join_cells, names_of, numbers_of, relatives
from cineseq.report.explorer.chunks import as_json, write_chunk, write_rows
from cineseq.report.explorer.genes import quantise
from cineseq.report.explorer.movies import write_fields
from cineseq.text import count

ASSETS = Path(__file__).parent / "assets"
SCRIPTS = ("data.js", "scatter.js", "table.js", "family.js", "cell.js", "sets.js", "app.js")
"""Scripts of the page, in the order in which they run."""
FIRST_AXES = (("umap_1", "umap_2"), ("pc_1", "pc_2"), ("x_px", "y_px"), ("start_hours", "end_hours"))
FIRST_COLOURS = ("cluster", "fate", "condition", "sample")


@dataclass(frozen=True)
class ExplorerInputs:
    """What the explorer shows; every part may be absent."""

    title: str
    cells: pd.DataFrame | None = None
    paired: PairedData | None = None
    clusters: pd.DataFrame | None = None
    strips: list[Path] = field(default_factory=list)
    timecourses: list[Path] = field(default_factory=list)
    most_genes: int = 2000


def write_explorer(inputs: ExplorerInputs, page: Path, folder: Path) -> list[str]:
    """Write the page and the folder of its scripts and data, and return what it shows as sentences."""
    table = join_cells(inputs.cells, inputs.paired, inputs.clusters)
    with replacing(folder) as new:
        new.mkdir()
        core = _core(inputs, table, new)
        write_chunk(new, "core", as_json(core))
        for name in (*SCRIPTS, "explorer.css"):
            shutil.copyfile(ASSETS / name, new / name)
    write_text(_page(inputs.title, folder.name), page)
    return core["notes"]


def _page(title: str, folder: str) -> str:
    environment = Environment(loader=FileSystemLoader(ASSETS), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("explorer.html").render(title=title, folder=folder, scripts=SCRIPTS)


def _core(inputs: ExplorerInputs, table: pd.DataFrame, folder: Path) -> dict[str, Any]:
    """Write all chunks but the first, and return the content of the first: names, relatives, and where the rest is."""
    columns = describe_columns(table)
    fields = _fields(table)
    rows = {name: row for row, name in enumerate(table.index)}
    told = write_fields(folder, fields, rows, inputs.strips, inputs.timecourses)
    genes = _genes(inputs, rows, folder)
    numbered = {names: number for number, names in enumerate(fields)}
    places = zip(names_of(table, "sample"), names_of(table, "fov"), strict=True)
    return {
        "title": inputs.title,
        "ids": [str(name) for name in table.index],
        "barcodes": names_of(table, "barcode"),
        **relatives(table),
        "field": [numbered.get(names, -1) for names in places],
        "fields": [list(names) for names in fields],
        "start": numbers_of(table, "start_frame"),
        "end": numbers_of(table, "end_frame"),
        "start_hours": numbers_of(table, "start_hours"),
        "end_hours": numbers_of(table, "end_hours"),
        "end_kind": names_of(table, "end_kind"),
        "fate": names_of(table, "fate"),
        "columns": columns.described,
        "columns_each": write_rows(folder, "columns", columns.values),
        "first": _first(columns.described),
        "genes": genes,
        "has_masks": bool(inputs.strips),
        "notes": _notes(len(table), genes, told, bool(inputs.strips)),
    }


def _fields(table: pd.DataFrame) -> list[tuple[str, str]]:
    if not {"sample", "fov"} <= set(table):
        return []
    return sorted(set(zip(names_of(table, "sample"), names_of(table, "fov"), strict=True)))


def _genes(inputs: ExplorerInputs, rows: dict[str, int], folder: Path) -> dict[str, Any]:
    """Write the chunks of expression, and return the genes and the rows of their cells."""
    if inputs.paired is None or inputs.paired.counts is None:
        return {"names": [], "highest": [], "cells": [], "each": 1, "total": 0}
    found = quantise(inputs.paired.counts, inputs.paired.genes, inputs.most_genes)
    return {
        "names": found.names,
        "highest": np.round(found.highest, 4).tolist(),
        "cells": [rows[str(name)] for name in inputs.paired.obs.index],
        "each": write_rows(folder, "genes", found.levels),
        "total": found.total,
    }


def _first(columns: list[dict[str, Any]]) -> dict[str, str]:
    """Return the columns with which the page opens: two axes, a colour, and those of the table."""
    names = [column["name"] for column in columns]
    numbers = [column["name"] for column in columns if column["kind"] == "number"]
    fallback = (numbers + numbers)[:2] if numbers else ["", ""]
    axes = next((pair for pair in FIRST_AXES if set(pair) <= set(numbers)), fallback)
    functions = [name for name in numbers if name.startswith("function_")]
    colour = next((name for name in (*FIRST_COLOURS, *functions) if name in names), "")
    return {"x": axes[0], "y": axes[1], "colour": colour, "function": functions[0] if functions else ""}


def _notes(cells: int, genes: dict[str, Any], told: dict[str, int], has_strips: bool) -> list[str]:  # noqa: FBT001 - of one call
    lines = [f"{count(cells, 'cell')}; {count(len(genes['cells']))} of them with expression."]
    if genes["total"] > len(genes["names"]):
        lines.append(
            f"The {count(len(genes['names']), 'gene')} that vary most of {count(genes['total'])} are here; the tables "
            "of the report have all."
        )
    if has_strips:
        lines.append(f"{count(told['strips'], 'cell')} with a film strip.")
    if told["without"]:
        lines.append(
            f"{count(told['without'], 'cell')} above the limit of each field of view (report.strips) without one: "
            "cells that reach the last frame, then those with relatives, are drawn first."
        )
    return lines
