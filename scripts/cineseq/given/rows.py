"""Which row of the sample sheet a given table belongs to."""

from pathlib import Path

from cineseq.config.base import FieldOfView
from cineseq.errors import UserError

STUDY = FieldOfView(sample="study")
"""Stands for the row where a step is run without a sheet."""


def rows_of(paths: list[Path], rows: list[FieldOfView]) -> list[FieldOfView]:
    """Return one row of the sheet per table; without a sheet all tables belong to the same.

    Raises
    ------
    UserError
        When there are not as many rows as tables.
    """
    if rows and len(rows) != len(paths):
        msg = f"rows: one row of the sample sheet was expected for each of the {len(paths)} tables, got {len(rows)}."
        raise UserError(msg)
    return rows or [STUDY] * len(paths)
