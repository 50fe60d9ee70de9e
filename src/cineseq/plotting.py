"""The look of figures, and writing them so that the same data make the same file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from cineseq.files import replacing

OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
GREY = "#BBBBBB"
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
    """Yield an empty figure (inches) and write it to ``path``, whole or not at all."""
    with mpl.rc_context(STYLE):
        drawn = plt.figure(figsize=(width, height), layout="constrained")
        try:
            yield drawn
            metadata = {"Date": None} if path.suffix == ".svg" else None
            with replacing(path) as temporary:
                drawn.savefig(temporary, metadata=metadata, dpi=120)
        finally:
            plt.close(drawn)


def colours(names: list[str]) -> dict[str, str]:
    """Give each name a colour that colour-blind readers tell apart; from the ninth name on they repeat."""
    return {name: OKABE_ITO[number % len(OKABE_ITO)] for number, name in enumerate(names)}


def apart(heights: np.ndarray, gap: float) -> np.ndarray:
    """Return heights, which fall, moved down where one is nearer than ``gap`` to the one before it."""
    steps = gap * np.arange(len(heights))
    return np.minimum.accumulate(heights + steps) - steps


def write_words(path: Path, words: str) -> None:
    """Write a figure that only says why there is nothing to draw."""
    with figure(path, 6, 1.2) as drawn:
        drawn.text(0.5, 0.5, words, ha="center", va="center", wrap=True)
