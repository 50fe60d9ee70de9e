"""What no family can be, whatever table it comes from."""

import numpy as np
import pandas as pd

BIRTH_TOLERANCE = 1
"""Frames that a daughter may be seen before her mother's last frame; tables differ in whose frame a division is."""


def ends_before_it_begins(cells: pd.DataFrame) -> np.ndarray:
    """Return which cells end before they begin, by ``start_frame`` and ``end_frame``; shape (cells,)."""
    return (cells["end_frame"] < cells["start_frame"]).to_numpy(bool)


def born_before_mother_ends(cells: pd.DataFrame, mother: np.ndarray) -> np.ndarray:
    """Return which cells are born before their mother's end, by more than the tolerance; shape (cells,).

    Parameters
    ----------
    cells
        With ``start_frame`` and ``end_frame``.
    mother
        Position of each cell's mother in ``cells``, shape (cells,); -1 where she is not there.
    """
    start, end = cells["start_frame"].to_numpy(), cells["end_frame"].to_numpy()
    return (mother >= 0) & (start < end[mother] - BIRTH_TOLERANCE) if len(cells) else np.empty(0, dtype=bool)
