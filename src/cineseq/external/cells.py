"""Make the cells table of the study and the paired data from external tables of cells and counts."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from cineseq.config.base import FieldOfView
from cineseq.config.external import External
from cineseq.config.pairing import Pairing
from cineseq.errors import UserError
from cineseq.external.cell_columns import cell_table, chosen_columns, read_cells, replaced
from cineseq.io.delimited import STUDY, rows_of
from cineseq.io.paired import BLOCKS, OPTIONAL_BLOCKS, PairedData
from cineseq.pairing.common_genes import lost_report
from cineseq.pairing.join import StudyCounts, blocks_of, by_track, family_of, joined_counts
from cineseq.tables.imaging import CELLS
from cineseq.text import count

logger = logging.getLogger(__name__)
ALWAYS = ("sample", "fov", "family", "condition", "replicate")
"""Columns of ``obs`` that always exist, even without any value."""


def cells_of_tables(paths: list[Path], rows: list[FieldOfView], external: External) -> pd.DataFrame:
    """Read the tables of every row of the sample sheet into one table of cells.

    Tables of one row describe the same cells and are joined by name; tables of different rows are concatenated. With
    several samples, the names of cells are prefixed by their sample.

    Parameters
    ----------
    paths, rows
        Tables, and the row of the sheet of each; without rows, all tables belong to one row.
    external
        The section ``external`` of the configuration.

    Returns
    -------
    pandas.DataFrame
        As :data:`cineseq.tables.imaging.CELLS`.
    """
    sets: dict[FieldOfView, list[Path]] = {}
    for row, path in zip(rows_of(paths, rows), paths, strict=True):
        sets.setdefault(row, []).append(path)
    tables = []
    for row, mine in sets.items():
        where = ", ".join(map(str, mine))
        columns = chosen_columns(read_cells(mine, external), external, where)
        tables.append(cell_table(columns, row, where, prefixes(rows).get(row.sample, "")))
    joined = pd.concat(tables, ignore_index=True)
    twice = joined.loc[joined["track_id"].duplicated(), "track_id"]
    if len(twice):
        msg = f"cells: '{twice.iloc[0]}' is in the tables of two rows of the sample sheet; names must be unique."
        raise UserError(msg)
    return CELLS.check(joined, "external cells")


def prefixes(rows: list[FieldOfView]) -> dict[str, str]:
    """Return the prefix of the names of each sample's cells; empty unless there are several samples."""
    samples = {row.sample for row in rows}
    return {sample: f"{sample}/" for sample in samples} if len(samples) > 1 else {}


def counts_of_cells(
    paths: list[Path], samples: list[str], prefix: dict[str, str], external: External, pairing: Pairing
) -> StudyCounts | None:
    """Read the counts of the external cells and name them like the cells; None without count files.

    Parameters
    ----------
    paths, samples
        Count files, and the sample of each; without samples, all belong to one sample.
    prefix
        Prefix of the names of each sample's cells, see :func:`prefixes`.
    external, pairing
        Sections of the configuration: replacements in names, and the orientation and layer of the counts.
    """
    if not paths:
        return None
    counts = joined_counts(
        paths, samples or [STUDY.sample] * len(paths), pairing.counts_orientation, pairing.counts_layer
    )
    index = counts.index.to_frame(index=False)
    names = index["sample"].map(prefix).fillna("") + replaced(index["barcode"], external.id_replace)
    if names.duplicated().any():
        msg = (
            f"counts: two cells are called '{names[names.duplicated()].iloc[0]}' after external.id_replace; change it."
        )
        raise UserError(msg)
    named = pd.MultiIndex.from_arrays([index["sample"], names.astype(object)], names=["sample", "barcode"])
    return replace(counts, index=named)


def paired_of(cells: pd.DataFrame, counts: StudyCounts | None, source: str = "counts") -> PairedData:
    """Join external cells with their counts; with counts, cells that have none are left out.

    Parameters
    ----------
    cells
        The external cells, named by ``track_id``.
    counts
        Their counts, with the same names as ``barcode``; None without counts.
    source
        The count files, for error messages.

    Raises
    ------
    UserError
        When no cell has counts.
    """
    matrix, genes = None, pd.Index([])
    if counts is not None:
        names = pd.Index(counts.index.get_level_values("barcode"))
        rows = names.get_indexer(cells["track_id"])
        if (rows < 0).all():
            msg = (
                f"{source}: none of the external cells ({list(cells['track_id'][:3])}, ...) is in the counts "
                f"({list(names[:3])}, ...); make names agree with external.id_replace, and check counts_orientation."
            )
            raise UserError(msg)
        without = list(cells["track_id"][rows < 0])
        if without:
            shown = ", ".join(f"'{name}'" for name in without[:3])
            logger.info("Left out %s without counts (such as %s).", count(len(without), "cell"), shown)
        cells, rows = cells[rows >= 0], rows[rows >= 0]
        counts.check_one_cell_each(rows, cells["track_id"])
        matrix, genes = counts.of(rows), counts.genes
    facts = by_track(cells)
    obs = facts[[c for c in facts.columns if not c.startswith(tuple(f"{b}_" for b in BLOCKS))]]
    obs = obs.assign(family=family_of(facts))
    obs = obs[[c for c in obs.columns if c in ALWAYS or obs[c].notna().any()]]
    return PairedData(obs, matrix, genes, **blocks_of(facts))


def cells_of_paired(data: PairedData) -> pd.DataFrame:
    """Return paired cells as :data:`cineseq.tables.imaging.CELLS`, without columns of pairs; unknown is missing."""
    facts = pd.concat([data.obs, *(getattr(data, name) for name in BLOCKS)], axis=1)
    facts = facts.rename_axis("track_id").reset_index()
    families = tuple(c.name[:-1] for c in CELLS.columns if c.is_family)
    names = [c.name for c in CELLS.columns if not c.is_family and (c.name in facts or not c.optional)]
    names += [c for c in facts.columns if c.startswith(families)]
    return CELLS.check(facts.reindex(columns=names), "paired cells")


def external_report(data: PairedData, cells: int, counts: StudyCounts | None = None) -> dict[str, Any]:
    """Return report lines and numbers on external cells: their feature blocks, missing values, and genes left out."""
    shapes = {name: getattr(data, name) for name in BLOCKS}
    shapes = {name: block for name, block in shapes.items() if block.shape[1] or name not in OPTIONAL_BLOCKS}
    present = {name: int(block.notna().any(axis=1).sum()) for name, block in shapes.items()}
    genes = f"counts of {count(len(data.genes), 'gene')}" if data.counts is not None else "no counts"
    lines = [f"{count(len(data.obs))} of {count(cells, 'external cell')} are used, with {genes}."]
    lines += [
        f"{count(present[name])} of {count(len(data.obs), 'cell')} have {name} ({count(block.shape[1], 'column')})."
        for name, block in shapes.items()
        if block.shape[1]
    ]
    numbers: dict[str, Any] = {"given_cells": cells, "paired_cells": len(data.obs), "genes": len(data.genes)}
    numbers |= {f"cells_with_{name}": n for name, n in present.items()}
    numbers |= {f"{name}_columns": block.shape[1] for name, block in shapes.items()}
    for name, column in data.function.items():
        missing = int(column.isna().sum())
        numbers[f"missing_{name}"] = missing
        if missing:
            lines.append(f"{name} is unknown in {count(missing, 'cell')}.")
    groups = [c for c in data.obs.columns if c.startswith("group_") or c in ("sample", "fov")]
    numbers |= {f"groups_by_{c.removeprefix('group_')}": int(data.obs[c].nunique()) for c in groups}
    lost = lost_report(None if counts is None else counts.lost)
    return {"lines": lines + lost["lines"], "numbers": numbers | lost["numbers"], "notices": lost["notices"]}
