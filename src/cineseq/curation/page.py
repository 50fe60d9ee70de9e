"""The page for curation of uncertain events: one entry per event, with its film strip and the edits to copy."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from cineseq.config.base import FieldOfView
from cineseq.curation.ranking import CLAIMS, EDIT_HEADER
from cineseq.curation.strips import COLOURS
from cineseq.files import replacing, write_text
from cineseq.tables.contract import write_table
from cineseq.tables.imaging import CURATION
from cineseq.text import count, number

TEMPLATES = Path(__file__).parent / "templates"


def as_png(strip: Image.Image) -> bytes:
    """Return a strip as the content of a PNG file."""
    stream = BytesIO()
    strip.save(stream, "PNG")
    return stream.getvalue()


def write_curation(
    listed: pd.DataFrame,
    drawn: list[bytes],
    total: int,
    field: FieldOfView,
    *,
    table: Path,
    strips: Path,
    page: Path,
) -> None:
    """Write the uncertain events as a table, a folder of film strips, and a page that shows both.

    Parameters
    ----------
    listed, drawn, total, field
        As in :func:`render_curation`.
    table, strips, page
        Output files; ``strips`` is a folder.
    """
    write_table(listed, table, CURATION)
    with replacing(strips) as folder:
        folder.mkdir()
        for name, png in zip(listed["strip"], drawn, strict=True):
            (folder / name).write_bytes(png)
    write_text(render_curation(listed, drawn, total, field), page)


def render_curation(listed: pd.DataFrame, strips: list[bytes], total: int, field: FieldOfView) -> str:
    """Render the page, which needs no other file and no network.

    Parameters
    ----------
    listed
        With the contract CURATION.
    strips
        Content of the PNG file of each row.
    total
        Number of events of the field, listed or not.
    field
        Sample and field of view.
    """
    pictures = [f"data:image/png;base64,{base64.b64encode(png).decode()}" for png in strips]
    events = [
        event | {"picture": picture, "claim": CLAIMS[event["kind"]]}
        for event, picture in zip(listed.to_dict("records"), pictures, strict=True)
    ]
    environment = Environment(loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, autoescape=True)
    environment.globals.update(count=count, number=number)
    context = {"events": events, "total": total, "field": field, "header": EDIT_HEADER, "colours": COLOURS}
    return environment.get_template("curation.html").render(context)
