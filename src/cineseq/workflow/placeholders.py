"""Placeholders: what stands for the products of a field of view that is set aside.

Tables are empty and keep their contract; an image has one frame of black pixels; a folder holds a note. Each says why
(:func:`cineseq.workflow.set_aside.status_of`), except tables of text, which have no place for it.
"""

from __future__ import annotations

import html
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from cineseq.files import replacing, write_json, write_text
from cineseq.tables.contract import Table, contract_named, empty, write_table
from cineseq.workflow.products import PRODUCTS, Product
from cineseq.workflow.set_aside import NOTE, Status

SIDE = 16
"""Pixels of the side of an image."""


def write_placeholder(path: Path, status: Status) -> None:
    """Write what stands for a product of a field of view.

    Parameters
    ----------
    path
        The product; a table, a folder or, by its suffix, another file.
    status
        Why the field is set aside.

    Raises
    ------
    ValueError
        For a kind of file that no step of a field writes, which is a bug.
    """
    product = _product_at(path, status)
    if product is not None and product.contract is not None:
        _write_table(path, contract_named(product.contract), status)
    elif product is not None and product.is_folder:
        with replacing(path) as temporary:
            temporary.mkdir()
            write_json(_content(status), temporary / NOTE)
    else:
        _write_file(path, status)


def _product_at(path: Path, status: Status) -> Product | None:
    """Return the product that a path belongs to; None for a report, a movie and its saturated pixels."""
    ends = ((f"/fov/{status.sample}/{status.fov}/{p.path}", p) for p in PRODUCTS if p.level == "field")
    return next((product for end, product in ends if path.as_posix().endswith(end)), None)


def _content(status: Status) -> dict[str, Any]:
    return {"set_aside": asdict(status), "token": status.token}


def _write_table(path: Path, table: Table, status: Status) -> None:
    write_table(empty(table), path, table, {"cineseq_set_aside": status.token})


def _write_file(path: Path, status: Status) -> None:
    name = path.name
    if name.endswith(".json"):
        write_json({"lines": [], "numbers": {}, **_content(status)}, path)
    elif name.endswith(".html"):
        said = f"<p>{html.escape(status.text)}</p><!--{status.token}-->"
        write_text(f"<!doctype html><meta charset='utf-8'><title>Set aside</title>{said}\n", path)
    elif name.endswith(".ome.tif"):
        with replacing(path) as temporary:
            black = np.zeros((1, SIDE, SIDE), np.uint16)
            described = {"axes": "TYX", "Name": "set aside", "Description": status.token}
            tifffile.imwrite(temporary, black, ome=True, metadata=described)
    elif name.endswith(".png"):
        with replacing(path) as temporary:
            beside = PngInfo()
            beside.add_text("set_aside", status.token)
            Image.new("L", (SIDE, SIDE)).save(temporary, format="png", pnginfo=beside)
    elif name.endswith(".npz"):
        with replacing(path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, set_aside=np.array(status.token.encode()))
    else:
        msg = f"{path}: no placeholder is known for this kind of file, of which a field was set aside"
        raise ValueError(msg)
