"""Chunks: data as classic scripts, the only files that a page opened from a folder may load.

Browsers forbid a page from ``file://`` to fetch files, to import modules and to read the pixels of images. They run
scripts beside it, so each chunk is a script that hands over one text: gzip in base64.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

CHUNK_BYTES = 20_000
"""Bytes of values in a chunk of many columns or genes, so that its file stays below 30 kB even if nothing shrinks."""

_CALL = re.compile(r'cineseq\.take\("(\w+)", "([A-Za-z0-9+/=]*)"\);\n')


def chunk_script(name: str, content: bytes) -> str:
    """Return the script that hands over ``content`` under a name of letters, digits and underscores."""
    packed = base64.b64encode(gzip.compress(content, 6, mtime=0)).decode()
    return f'cineseq.take("{name}", "{packed}");\n'


def write_chunk(folder: Path, name: str, content: bytes) -> int:
    """Write one chunk to ``folder`` and return the bytes of its file."""
    text = chunk_script(name, content)
    (folder / f"{name}.js").write_text(text, encoding="ascii")
    return len(text)


def read_chunk(path: Path) -> bytes:
    """Return the content of a chunk, as the page does.

    Raises
    ------
    ValueError
        When the file is no chunk, or has another name than the chunk in it.
    """
    match = _CALL.fullmatch(path.read_text(encoding="ascii"))
    if match is None or match[1] != path.stem:
        msg = f"{path}: not a chunk of the explorer"
        raise ValueError(msg)
    return gzip.decompress(base64.b64decode(match[2]))


def as_json(value: Any) -> bytes:
    """Return a value as compact JSON without NaN."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def rows_of_chunk(width: int) -> int:
    """Return how many rows of ``width`` bytes go into a chunk of :data:`CHUNK_BYTES`, at least one."""
    return max(1, CHUNK_BYTES // max(width, 1))


def write_rows(folder: Path, prefix: str, rows: np.ndarray) -> int:
    """Write an array row by row to as many chunks as its size asks for, named ``<prefix>_<number>``.

    Parameters
    ----------
    folder
        Folder of the chunks.
    prefix
        First part of their names.
    rows
        Shape (rows, cells), in the byte order of the machine, which is that of browsers.

    Returns
    -------
    int
        Rows of each chunk but the last.
    """
    each = rows_of_chunk(rows.shape[1] * rows.itemsize)
    for number, first in enumerate(range(0, len(rows), each)):
        write_chunk(folder, f"{prefix}_{number}", np.ascontiguousarray(rows[first : first + each]).tobytes())
    return each
