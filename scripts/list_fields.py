"""List every field of view with its status, and stop if too many could not be processed.

In: the last products of every field: cells, quality measures (where there are masks) and the export of tracks. They say
which step failed, if any. Out: ``fields``, one row per field of view; ``report``, which names the fields that are left
out, and why.
"""

import logging
from pathlib import Path

import pandas as pd
from pydantic import Field

from cineseq.config.base import FieldOfView, Section
from cineseq.errors import UserError
from cineseq.files import write_json
from cineseq.tables.contract import write_table
from cineseq.tables.imaging import FIELDS
from cineseq.text import count
from cineseq.workflow.set_aside import Status, listed_once, status_of, too_many
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step."""

    fields: list[FieldOfView] = Field(default_factory=list, description="Fields of view, in the order of the files.")
    may_fail: float = Field(0.05, description="Share of the fields of view that may be left out.")


def main(
    *,
    cells: list[Path],
    pictures: list[Path] = [],  # noqa: B006 - never changed; the step adapter wants plain lists
    exports: list[Path],
    fields: Path,
    report: Path,
    settings: Settings,
) -> None:
    """List the fields of view."""
    without_cells = {status.field: status for status in map(status_of, cells) if status}
    others = {status.field: status for status in map(status_of, [*pictures, *exports]) if status}
    failed = others | without_cells
    logger.info("%d of %d fields of view could not be processed.", len(failed), len(settings.fields))
    if excess := too_many(failed.values(), len(settings.fields), settings.may_fail):
        raise UserError(excess)
    rows = [_row(field, failed.get((field.sample, field.fov)), set(without_cells)) for field in settings.fields]
    write_table(pd.DataFrame(rows), fields, FIELDS)
    write_json(_report(list(without_cells.values()), list(failed.values()), len(rows)), report)


def _row(field: FieldOfView, failed: Status | None, without_cells: set[tuple[str, str]]) -> dict[str, str | None]:
    """Return the row of one field of view."""
    name = {"sample": field.sample, "fov": field.fov}
    if failed is None:
        return {**name, "status": "kept", "step": None, "reason": None, "sentence": None}
    status = "left_out" if failed.field in without_cells else "incomplete"
    return {**name, "status": status, "step": failed.step, "reason": failed.reason, "sentence": failed.sentence}


def _report(left_out: list[Status], failed: list[Status], fields: int) -> dict[str, object]:
    """Return the report: each field that is left out is named before any result."""
    numbers = {"fields": fields, "fields_left_out": len(left_out), "fields_incomplete": len(failed) - len(left_out)}
    if not failed:
        return {"lines": ["Every field of view was processed."], "numbers": numbers}
    notices = []
    for what, here in (
        ("left out of this study, since a step could not process it", left_out),
        ("without pictures or an export", [status for status in failed if status not in left_out]),
    ):
        if here:
            said = f"{count(len(here))} of {count(fields, 'field')} of view: {what}. "
            notices.append(said + " ".join(listed_once(here)))
    return {
        "lines": notices,
        "numbers": numbers,
        "notices": [{"level": "serious", "text": text} for text in notices],
    }


if __name__ == "__main__":
    run(main, globals().get("snakemake"), kept_only=False)
