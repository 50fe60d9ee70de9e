"""Ends of tracks in simulated movies with pasted real nuclei: which are called deaths, and with what probability.

A study is six movies with nuclei of plates and wells that the shipped model has not seen, and as many deaths, lost
mitoses, other losses and exits as there are of the rarest. The pictures are in ``../shared/data`` or where
``CINESEQ_DATA`` says; without them these numbers are not estimable.
"""

from __future__ import annotations

import math
import os
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
from truth.claims import Claim

from cineseq.config.base import FieldOfView
from cineseq.config.tracking import Track
from cineseq.tracking.track_tables import tables
from cineseq.training.end_movies import KINDS, end_movie, followed
from cineseq.training.end_nuclei import HELD_OUT, Nuclei, folds_by_movie, read_nuclei

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
MOVIES, STUDIES, FIRST_SEED = 6, 6, 50_000
BINS = 10
SURE = 0.8


@cache
def nuclei() -> Nuclei | None:
    """Return the nuclei of the movies that no model was trained on; None without the pictures."""
    folder = Path(os.environ.get("CINESEQ_DATA", DATA)) / "nuclei_classes_mitocheck"
    if not folder.is_dir():
        return None
    every = read_nuclei(folder)
    names = np.unique(every.movie)
    fold = dict(zip(every.movie, folds_by_movie(every.movie), strict=True))
    return every.of_movies(names[[fold[name] == HELD_OUT for name in names]])


@cache
def all_ends(study: int) -> pd.DataFrame:
    """Return every end of a study: ``true_end``, ``how``, ``end_kind``, ``p_death`` and ``with_image``."""
    rows, drawn = [], nuclei()
    for seed in range(study * MOVIES, (study + 1) * MOVIES):
        movie = end_movie(drawn, FIRST_SEED + seed)
        for with_image in (True, False):
            truth, objects, families = followed(movie, with_image=with_image)
            _, tracks = tables(objects, families, FieldOfView(), movie.info, Track())
            tracks = tracks.assign(**truth[["true_end", "how"]], p_death=tracks["p_death"].fillna(0.0))
            kept = tracks.loc[tracks["true_end"].notna(), ["true_end", "how", "end_kind", "p_death"]]
            rows.append(kept.assign(with_image=with_image))
    return pd.concat(rows, ignore_index=True)


def balanced(study: int, *, with_image: bool = True) -> pd.DataFrame:
    """Return as many ends of each kind as there are of the rarest."""
    found = all_ends(study)[lambda t: t["with_image"] == with_image]
    least = found["true_end"].value_counts().reindex(KINDS, fill_value=0).min()
    rng = np.random.default_rng([3, study])
    parts = [group.iloc[rng.permutation(len(group))[:least]] for _, group in found.groupby("true_end")]
    return pd.concat(parts, ignore_index=True)


def precision(study: int, *, with_image: bool = True) -> float:
    """Return the fraction of deaths among the ends that are deaths with a probability of at least .8."""
    drawn = balanced(study, with_image=with_image)
    sure = drawn[drawn["p_death"] >= SURE]
    return float((sure["true_end"] == "death").mean()) if len(sure) else math.nan


def recall(study: int, *, least: float, with_image: bool = True) -> float:
    """Return the fraction of the deaths that have a probability of at least ``least``."""
    drawn = balanced(study, with_image=with_image)
    return float((drawn.loc[drawn["true_end"] == "death", "p_death"] >= least).mean())


def called_death(study: int, *, kind: str, with_image: bool = True) -> float:
    """Return the fraction of the ends of one kind that are called deaths."""
    found = all_ends(study)[lambda t: t["with_image"] == with_image]
    return float((found.loc[found["true_end"] == kind, "end_kind"] == "death").mean())


def vanished_called_death(study: int) -> float:
    """Return the fraction of the living cells that vanish from one frame to the next that are called deaths."""
    found = all_ends(study)[lambda t: t["with_image"]]
    gone = found[(found["true_end"] == "other") & (found["how"] == "gone")]
    return float((gone["end_kind"] == "death").mean())


def calibration_error(_: int, *, with_image: bool = True) -> float:
    """Return the expected calibration error of the probability of death, over all studies, in ten bins."""
    drawn = pd.concat([balanced(study, with_image=with_image) for study in range(STUDIES)])
    died = drawn["true_end"] == "death"
    slot = np.minimum((drawn["p_death"] * BINS).astype(int), BINS - 1)
    gap = (drawn["p_death"] - died).groupby(slot).sum().abs().sum()
    return float(gap / len(drawn))


DESIGN = "six movies, real nuclei of unseen plates, ends 1:1:1:1 of death, lost mitosis, other loss and exit"
MASKS = f"{DESIGN}, masks without images"


def known(study, seed: int, **how: object) -> float:
    """Return the number of a study, or NaN without the pictures."""
    return math.nan if nuclei() is None else study(seed, **how)


def _claim(name: str, measures: str, study, bounds: dict, design: str = DESIGN, **how: object) -> Claim:
    studies = 1 if study is calibration_error else STUDIES
    return Claim(f"ends.{name}", design, measures, partial(known, study, **how), studies, **bounds)


CLAIMS: tuple[Claim, ...] = (
    _claim("precision", "share of deaths at p >= .8", precision, {"at_least": 0.85}),
    _claim("recall", "share of the deaths with p >= .5", recall, {"at_least": 0.7}, least=0.5),
    _claim("recall_sure", "share of the deaths with p >= .8", recall, {"at_least": 0.7}, least=SURE),
    _claim("exits", "share called death", called_death, {"at_most": 0.0}, "exits of those movies", kind="exit"),
    _claim("mitoses", "share called death", called_death, {"at_most": 0.1}, "lost mitoses", kind="mitosis"),
    _claim("others", "share called death", called_death, {"at_most": 0.05}, "other losses", kind="other"),
    _claim("vanished", "share called death", vanished_called_death, {"at_most": 0.0}, "cells that vanish at once"),
    _claim("calibration", "expected calibration error", calibration_error, {"at_most": 0.05}, f"{DESIGN}; 6 studies"),
    _claim("masks.precision", "share of deaths at p >= .8", precision, {"harder": True}, MASKS, with_image=False),
    _claim("masks.recall", "share with p >= .5", recall, {"harder": True}, MASKS, least=0.5, with_image=False),
    _claim(
        "masks.calibration", "expected calibration error", calibration_error, {"harder": True}, MASKS, with_image=False
    ),
)
