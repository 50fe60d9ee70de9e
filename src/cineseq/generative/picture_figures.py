"""Galleries: crops of real cells that show what was generated, and decoded crops."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cineseq.features.stored_crops import StoredCrops
from cineseq.generative.decoded import LEVELS, SOURCES, Decoded
from cineseq.plotting import figure, write_words
from cineseq.text import listed, number, percent

SHOWN = ("track_id", "neighbour_of_mean", "neighbour", "random_in_field")
"""Columns of the table of neighbours in the order of the gallery."""
HEADINGS = (
    "the cell itself",
    "nearest real cell to\nits predicted mean",
    "nearest real cell to\na generated sample",
    "a random cell\nof its field",
)
DECODED_HEADINGS = (
    "the cell itself,\nturned",
    "decoded from\nits morphology",
    "decoded from what\nexpression predicts",
    "nearest training\ncell",
    "mean of the\ntraining cells",
)
NO_IMAGES = "There are no images of these cells, so that no pictures of them are shown."
NOTHING = "Nothing was generated, so that there is no picture of it."
TILE, WIDE, LABEL = 1.15, 9.2, 1.3
"""Largest width of one channel of a crop, and width of the figure and of its labels, in inches."""
GAP = 2
"""Pixels between channels."""
GREYS = 255


def gallery_cells(neighbours: pd.DataFrame, crops: StoredCrops, rows: int) -> pd.DataFrame:
    """Return the cells that a gallery shows: at even steps of their rank, from the best to the worst picture.

    Parameters
    ----------
    neighbours
        Table of :func:`cineseq.generative.pictures.neighbour_rows`.
    crops
        Crops; a cell is shown where it and its neighbours have one.
    rows
        Number of cells.
    """
    known = neighbours[list(SHOWN)].isin(set(crops.track_id.tolist())).all(axis=1)
    ranked = neighbours[known & neighbours["pair_match_rank"].notna()]
    ranked = ranked.sort_values(["pair_match_rank", "track_id"], ignore_index=True)
    return ranked.iloc[np.unique(np.linspace(0, len(ranked) - 1, rows).round().astype(int))] if len(ranked) else ranked


def draw_gallery(chosen: pd.DataFrame, crops: StoredCrops, path: Path) -> None:
    """Draw each cell beside the real cells that show what was generated from its expression.

    Parameters
    ----------
    chosen
        From :func:`gallery_cells`.
    crops
        Crops of these cells.
    path
        The figure.
    """
    if chosen.empty:
        write_words(path, NOTHING if len(crops.track_id) else NO_IMAGES)
        return
    at = pd.Series(np.arange(len(crops.track_id)), index=crops.track_id)
    tiles = [[_tile(crops.images[at[cell]] / GREYS) for cell in row] for row in chosen[list(SHOWN)].to_numpy(str)]
    labels = [
        f"{cell}\nrank {number(rank)}" for cell, rank in zip(chosen["track_id"], chosen["pair_match_rank"], strict=True)
    ]
    _draw_tiles(tiles, HEADINGS, labels, crops.channels, path)


def draw_decoded(found: Decoded | None, chosen: pd.DataFrame, channels: tuple[str, ...], path: Path) -> None:
    """Draw the cells of the gallery as decoded, beside their own crop, the nearest and the mean crop."""
    wanted = [] if found is None or chosen.empty else chosen["track_id"].astype(str).tolist()
    tiles, labels = [], []
    for cell in wanted:
        for fold in found.folds if found is not None else ():
            for place in np.flatnonzero(fold.names == cell):
                mean, nearest, own, predicted = (fold.shown[source][place] for source in SOURCES)
                tiles.append([_tile(crop) for crop in (fold.real[place], own, predicted, nearest, mean)])
                labels.append(cell)
    if not tiles:
        write_words(path, NOTHING)
        return
    _draw_tiles(tiles, DECODED_HEADINGS, labels, channels, path)


def draw_gene_axis(found: Decoded | None, channels: tuple[str, ...], path: Path) -> None:
    """Draw what is decoded along the quantiles of one gene, and below it the change from the first to each."""
    fold = next((fold for fold in found.folds if fold.axis is not None), None) if found is not None else None
    if fold is None or fold.axis is None:
        write_words(path, "No gene along which to decode crops.")
        return
    change = fold.axis - fold.axis[:1]
    largest = max(float(np.abs(change).max()), 1e-6)
    tiles = [[_tile(crop) for crop in fold.axis], [_tile(0.5 + 0.5 * crop / largest) for crop in change]]
    headings = [f"{fold.gene}\n{percent(level, 0)} quantile" for level in LEVELS]
    change_label = f"change from\nthe first,\ngrey ± {number(largest, 3)}"
    _draw_tiles(tiles, headings, ["decoded", change_label], channels, path)


def _tile(crop: np.ndarray) -> np.ndarray:
    """Return the channels of a crop side by side, shape (channels, side, side) to (side, width)."""
    gap = np.ones((crop.shape[1], GAP))
    parts = [part for plane in crop for part in (plane, gap)][:-1]
    return np.concatenate(parts, axis=1)


def _draw_tiles(
    tiles: Sequence[Sequence[np.ndarray]],
    headings: Sequence[str],
    labels: Sequence[str],
    channels: tuple[str, ...],
    path: Path,
) -> None:
    """Draw rows of crops under their headings, with labels at the left."""
    across = len(headings) * max(len(channels), 1)
    side = min(TILE, (WIDE - LABEL) / across)
    with figure(path, side * across + LABEL, (side + 0.12) * len(tiles) + 0.8) as drawn:
        panels = drawn.subplots(len(tiles), len(headings), squeeze=False)
        for row, (own, label) in enumerate(zip(tiles, labels, strict=True)):
            for axes, tile in zip(panels[row], own, strict=True):
                axes.imshow(tile, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
                axes.set_xticks([])
                axes.set_yticks([])
                axes.spines[:].set_visible(False)
            panels[row, 0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=8)
        for axes, heading in zip(panels[0], headings, strict=True):
            axes.set_title(heading, fontsize=9)
        drawn.supxlabel(f"channels of each crop, from the left: {listed(channels)}", fontsize=8)
