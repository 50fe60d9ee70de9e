"""What every reader of given tracks returns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pandas as pd

FOLLOWED = "cells_followed_after_death"
"""Name of the count of tracks that a file follows beyond the frame in which it says that the cell is dead."""


def mothers(track: Iterable[int] = (), mother: Iterable[int] = ()) -> pd.DataFrame:
    """Return pairs of daughter and mother, columns ``track`` and ``mother``, each pair once."""
    pairs = pd.DataFrame({"track": pd.Series(track, dtype="int64"), "mother": pd.Series(mother, dtype="int64")})
    return pairs.drop_duplicates(ignore_index=True)


@dataclass(frozen=True)
class GivenTracks:
    """Tracks as another tool wrote them; what it does not say is not in here.

    Attributes
    ----------
    rows
        One row per object: ``frame`` and ``track``, and ``label`` (its label in the mask), ``y_px`` and ``x_px``, or
        all three. None where the labels of the masks are the track numbers themselves.
    parents
        One row per pair of a daughter and its mother, columns ``track`` and ``mother``. What no cell can have (two
        mothers, three daughters) may be in here; :func:`~cineseq.tracking.conflicts.settle` sees to it.
    spans
        Where the file states them: first and last frame of each track, columns ``track``, ``first``, ``last``.
    deaths
        Tracks that the file says ended in death.
    counts
        What the reader left out, by name.
    """

    rows: pd.DataFrame | None
    parents: pd.DataFrame
    spans: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["track", "first", "last"], dtype=int))
    deaths: frozenset[int] = frozenset()
    counts: dict[str, int] = field(default_factory=dict)
