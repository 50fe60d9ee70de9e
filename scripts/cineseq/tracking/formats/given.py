"""What every reader of given tracks returns."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True)
class GivenTracks:
    """Tracks as another tool wrote them.

    Attributes
    ----------
    rows
        One row per object: ``frame`` and ``track`` and either ``label`` (its label in the mask) or ``y_px`` and
        ``x_px``. None where the labels of the masks are the track numbers themselves.
    parents
        Track number of the mother, by track number.
    spans
        Where the file states them: first and last frame of each track, columns ``track``, ``first``, ``last``.
    """

    rows: pd.DataFrame | None
    parents: dict[int, int]
    spans: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["track", "first", "last"], dtype=int))
