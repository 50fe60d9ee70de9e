"""Style of figures, and writing them reproducibly: the same data make the same file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from cineseq.files import replacing

OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
"""Colours that colour-blind readers can distinguish (Okabe and Ito)."""
BLUE, ORANGE, GREEN, PINK, SKY, VERMILION, YELLOW, BLACK = OKABE_ITO
GREY, DARK_GREY = "#9A9A9A", "#444444"
TWENTY = mpl.color_sequences["tab20"]
"""Colours for more series than :data:`OKABE_ITO` has colours."""
ON_IMAGES = (
    "#e69f00",
    "#56b4e9",
    "#00b88a",
    "#f0e442",
    "#5b8ff9",
    "#ff7f3f",
    "#e58fc0",
    "#a6dba0",
    "#ffc49b",
    "#b8a9f0",
)
"""Colours after Okabe and Ito, lightened for contrast on grey images."""
RED_ON_IMAGES = "#ff4438"
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "legend.frameon": False,
    "svg.hashsalt": "cineseq",
    "svg.fonttype": "path",
}


@contextmanager
def figure(path: Path, width: float, height: float) -> Iterator[Figure]:
    """Yield an empty figure (width and height in inches) and write it to ``path`` atomically."""
    with mpl.rc_context(STYLE):
        drawn = Figure(figsize=(width, height), layout="constrained")
        yield drawn
        metadata = {"Date": None} if path.suffix == ".svg" else None
        with replacing(path) as temporary:
            drawn.savefig(temporary, metadata=metadata, dpi=120)


def colours(names: list[str]) -> dict[str, str]:
    """Assign each name a colour that colour-blind readers can distinguish; from the ninth name on they repeat."""
    return {name: OKABE_ITO[number % len(OKABE_ITO)] for number, name in enumerate(names)}


def apart(heights: np.ndarray, gap: float) -> np.ndarray:
    """Return descending heights, moved down where needed so that neighbours are at least ``gap`` apart."""
    steps = gap * np.arange(len(heights))
    return np.minimum.accumulate(heights + steps) - steps


def write_words(path: Path, words: str) -> None:
    """Write a figure that only states why there is nothing to draw."""
    with figure(path, 6, 1.2) as drawn:
        drawn.text(0.5, 0.5, words, ha="center", va="center", wrap=True)
