"""Images embedded in the page: PNG and SVG files as data URLs within a size budget."""

from __future__ import annotations

import base64
import os
import re
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from cineseq.text import number

PAGE_BYTES = 20_000_000
IMAGE_BYTES = 15_000_000
SVG_BYTES = 2_000_000

_NOT_DRAWN = re.compile(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<!--.*?-->|<metadata>.*?</metadata>", re.DOTALL)
# Numbers below 1 are kept: they may be scales of glyphs, where a hundredth matters.
_LONG_DECIMAL = re.compile(r"(?<![\d.])([1-9]\d*\.\d{2})\d+")


@dataclass(frozen=True)
class Embedded:
    """An image on the page; where it did not fit, ``source`` is None and ``note`` says so."""

    source: str | None
    alt: str
    caption: str
    file: str
    note: str = ""


class ImageInliner:
    """Embed image files as data URLs until the budget of the page is used up.

    Parameters
    ----------
    page
        Path of the page, from which files are linked.
    budget
        Largest total size of all images in bytes.
    """

    def __init__(self, page: Path, budget: int = IMAGE_BYTES) -> None:
        self._page, self._left = page, budget

    def link(self, path: Path) -> str:
        """Return the path of a file relative to the page."""
        return Path(os.path.relpath(path.absolute(), self._page.absolute().parent)).as_posix()

    def embed(self, path: Path, alt: str, caption: str = "") -> Embedded:
        """Embed a PNG or SVG file.

        An SVG file over 2 MB is replaced by the PNG file of the same name, if there is one. An image that does not fit
        is linked.
        """
        content, kind = path.read_bytes(), "image/png"
        if path.suffix == ".svg":
            content, kind = shrink_svg(content.decode("utf-8")).encode(), "image/svg+xml"
            raster = path.with_suffix(".png")
            if len(content) > SVG_BYTES and raster.exists():
                content, kind = raster.read_bytes(), "image/png"
        address = f"data:{kind};base64,{base64.b64encode(content).decode()}"
        if len(address) > self._left or (kind == "image/svg+xml" and len(content) > SVG_BYTES):
            note = f"Too large for this page ({number(len(content) / 1e6, 1)} MB); see the file."
            return Embedded(None, alt, caption, self.link(path), note)
        self._left -= len(address)
        return Embedded(address, alt, caption, self.link(path))


def figure_address(figure: Figure, salt: str) -> str:
    """Return a figure as the data URL of an SVG image; the same figure and ``salt`` give the same URL."""
    drawn = BytesIO()
    with mpl.rc_context({"svg.hashsalt": salt}):
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    return f"data:image/svg+xml;base64,{base64.b64encode(drawn.getvalue()).decode()}"


def shrink_svg(text: str) -> str:
    """Remove prologue, comments and metadata from an SVG image, and digits beyond a hundredth of a point."""
    return _LONG_DECIMAL.sub(r"\1", _NOT_DRAWN.sub("", text)).strip()
