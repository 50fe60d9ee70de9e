"""Cut-outs of real nuclei by class, to be pasted into simulated movies of how tracks end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage
from skimage.filters import threshold_otsu

from cineseq.errors import UserError

LIVING = ("Interphase", "Elongated", "Large", "SmallIrregular", "Folded", "Hole")
"""Classes of living nuclei between two divisions."""
MITOTIC = {"rounding": ("Prometaphase",), "plate": ("Metaphase", "MetaphaseAlignment"), "apart": ("Anaphase",)}
"""Classes of the stages of mitosis."""
DEAD = ("Apoptosis",)
FOLDS, HELD_OUT = 5, 1
"""Folds of movies, and the one that no shipped model is trained on."""
NEAR_PX = 22
"""Fragments of a dead nucleus lie within this distance of the centre of the crop, in px."""
LEAST_PX, MOST_PX = 60, 1100
"""Smallest and largest area of a nucleus that is used, in px2; larger ones are several that touch."""


@dataclass(frozen=True)
class Nuclei:
    """Cut-outs of nuclei on a black background.

    Attributes
    ----------
    images
        Grey levels above the background, 0 outside the nucleus, shape (nuclei, 64, 64).
    kind
        ``living``, ``rounding``, ``plate``, ``apart`` or ``dead``, shape (nuclei,).
    area
        Area in px2, shape (nuclei,).
    movie
        Movie (plate and well) of each nucleus, shape (nuclei,).
    """

    images: np.ndarray
    kind: np.ndarray
    area: np.ndarray
    movie: np.ndarray

    def of_movies(self, wanted: np.ndarray) -> Nuclei:
        """Return the nuclei of some movies only."""
        kept = np.isin(self.movie, wanted)
        return Nuclei(self.images[kept], self.kind[kept], self.area[kept], self.movie[kept])

    def rows(self, kind: str) -> np.ndarray:
        """Return the rows of one kind."""
        return np.flatnonzero(self.kind == kind)


def read_nuclei(folder: Path) -> Nuclei:
    """Read the labelled crops of MitoCheck (``crops.npz`` and ``index.csv``) and cut out the nucleus in the middle.

    Raises
    ------
    UserError
        When the folder lacks a file.
    """
    for name in ("crops.npz", "index.csv"):
        if not (folder / name).is_file():
            msg = f"{folder}: no file {name}; name the folder that holds the labelled crops (crops.npz, index.csv)."
            raise UserError(msg)
    index = pd.read_csv(folder / "index.csv")
    with np.load(folder / "crops.npz") as stored:
        crops = stored["images"]
    kinds = dict.fromkeys(LIVING, "living") | dict.fromkeys(DEAD, "dead")
    kinds |= {name: stage for stage, names in MITOTIC.items() for name in names}
    kind = index["class"].map(kinds)
    movie = (index["plate"] + "/" + index["well"]).to_numpy(str)
    rows, images = [], []
    for row in np.flatnonzero(kind.notna()):
        image = cut_out(crops[row].astype(np.float32), in_pieces=kind[row] == "dead")
        if LEAST_PX <= np.count_nonzero(image) <= MOST_PX:
            rows.append(row)
            images.append(image)
    stack = np.stack(images)
    return Nuclei(stack, kind.to_numpy(str)[rows], np.count_nonzero(stack, axis=(1, 2)), movie[rows])


def folds_by_movie(movies: np.ndarray) -> np.ndarray:
    """Return the fold of each movie, 0 to 4, so that no movie is in two; shape like ``movies``.

    The movies with most nuclei are dealt out first, so that folds are of similar size.
    """
    names, count = np.unique(movies, return_counts=True)
    fold, filled = {}, np.zeros(FOLDS)
    for i in np.argsort(-count, kind="stable"):
        fold[names[i]] = int(np.argmin(filled))
        filled[fold[names[i]]] += count[i]
    return np.array([fold[name] for name in movies])


def cut_out(crop: np.ndarray, *, in_pieces: bool) -> np.ndarray:
    """Return a crop with 0 outside the nucleus in its middle.

    Parameters
    ----------
    crop
        Grey levels, shape (height, width).
    in_pieces
        Whether the nucleus is in pieces: all pieces near the middle that do not touch the border are kept; else the
        piece nearest to the middle.
    """
    above = crop - np.median(crop[crop <= np.percentile(crop, 30)])
    smooth = ndimage.gaussian_filter(above, 1.0)
    level = threshold_otsu(smooth) * (0.6 if in_pieces else 1.0)
    pieces, number = ndimage.label(smooth > level)
    if number == 0:
        return np.zeros_like(crop)
    middle = np.array(crop.shape) / 2
    centres = np.array(ndimage.center_of_mass(pieces > 0, pieces, range(1, number + 1)))
    apart = np.hypot(*(centres - middle).T)
    border = np.unique(np.r_[pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]])
    if in_pieces:
        kept = [i + 1 for i in range(number) if apart[i] <= NEAR_PX and i + 1 not in border]
    else:
        kept = [int(np.argmin(apart)) + 1]
    mask = ndimage.binary_dilation(np.isin(pieces, kept))
    return np.where(mask, np.clip(above, 0, None), 0)
