"""Whether external tracks and masks share their frames, and how a file may count them otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cineseq.config.tracking import Track
from cineseq.errors import UserError
from cineseq.text import count
from cineseq.tracking.imports.base import ExternalTracks

MOST_STEP = 1000
"""Largest step that is looked for in a file that does not fit."""


@dataclass(frozen=True)
class Counting:
    """How a file of tracks counts the frames of the masks.

    Attributes
    ----------
    first
        The number that the file gives to the first frame.
    step
        The numbers from one frame of the masks to the next.
    """

    first: int = 0
    step: int = 1

    @classmethod
    def of(cls, settings: Track, frame_step: int) -> Counting:
        """Return the counting of the settings; without a step of their own, tracks have every frame of the movie."""
        return cls(settings.external_first_frame, settings.external_frame_step or frame_step)

    def of_masks(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of the frames that the masks have, with the numbers of the masks (from 0)."""
        since = rows["frame"] - self.first
        kept = rows[since % self.step == 0]
        return kept.assign(frame=(kept["frame"] - self.first) // self.step)

    def stated(self, external: ExternalTracks, frames: int) -> tuple[np.ndarray, np.ndarray]:
        """Return which frames of the masks the file states, shape (frames,), and its frames that are not there."""
        numbers = frames * self.step
        covered = np.zeros(numbers + 1, np.int64)
        begin, end = _listed(external) - self.first
        there = (end >= 0) & (begin < numbers)
        np.add.at(covered, np.clip(begin[there], 0, numbers), 1)
        np.add.at(covered, np.clip(end[there] + 1, 0, numbers), -1)
        outside = np.r_[begin[begin < 0], np.maximum(begin, numbers)[end >= numbers]] + self.first
        return np.cumsum(covered)[: numbers : self.step] > 0, np.unique(outside)


def frames_without_row(
    external: ExternalTracks, seen: np.ndarray, counting: Counting, settings: Track, path: Path
) -> np.ndarray:
    """Check that tracks and masks share their frames.

    Parameters
    ----------
    external
        The tracks as read.
    seen
        Whether the masks have an object in a frame, shape (frames,).
    counting, settings
        How the file counts frames; the section ``track``.
    path
        Path of the tracks, for messages.

    Returns
    -------
    numpy.ndarray
        The frames with objects and without any row, shape (n,); there are none unless ``track.external_frames`` is
        annotated.

    Raises
    ------
    UserError
        When a row is in a frame that the masks do not have, or when a frame has objects and no row. The message names
        the setting.
    """
    stated, absent = counting.stated(external, len(seen))
    bare = np.flatnonzero(seen & ~stated)
    if not len(absent) and (not len(bare) or settings.external_frames == "annotated"):
        return bare
    faults = []
    if len(absent):
        faults.append(
            f"frame {absent[0]} of the file is not among the {count(len(seen), 'frame')} of the masks, which are its "
            f"frames {counting.first} to {counting.first + (len(seen) - 1) * counting.step}"
        )
    if len(bare):
        number = counting.first + bare[0] * counting.step
        faults.append(f"frame {number} has objects in the masks and no row ({count(len(bare))} such)")
    msg = f"{path}: {' and '.join(faults)}; {_advice(external, seen, counting, bool(len(absent)))}."
    raise UserError(msg)


def _advice(external: ExternalTracks, seen: np.ndarray, counting: Counting, has_absent: bool) -> str:  # noqa: FBT001
    fitting = _other_counting(external, seen)
    if fitting is not None:
        other_first, other_step = fitting.first != counting.first, fitting.step != counting.step
        how = [f"from {fitting.first}"] * other_first
        how += [f"{count(fitting.step, 'frame')} for one of the masks"] * other_step
        keys = [f"track.external_first_frame: {fitting.first}"] * other_first
        keys += [f"track.external_frame_step: {fitting.step}"] * other_step
        return f"if the file counts {' and '.join(how)}, set {' and '.join(keys)}"
    if has_absent:
        return (
            "supply the masks of all frames, or leave these rows out; if the file counts frames otherwise, set "
            "track.external_first_frame and track.external_frame_step"
        )
    return "if only some frames are annotated, set track.external_frames: annotated; if rows are missing, add them"


def _other_counting(external: ExternalTracks, seen: np.ndarray) -> Counting | None:
    """Return a counting in which tracks and masks share all frames; None if there is none."""
    low, high = int(_listed(external).min()), int(_listed(external).max())
    for first in dict.fromkeys((0, 1, low)):
        # The last frame that is stated is that of the last mask, or of a frame that was left out after it.
        for step in dict.fromkeys((1, -(-(high - first + 1) // len(seen)), (high - first) // max(len(seen) - 1, 1))):
            if not 1 <= step <= MOST_STEP:
                continue
            counting = Counting(first, step)
            stated, absent = counting.stated(external, len(seen))
            if not len(absent) and not (seen & ~stated).any():
                return counting
    return None


def _listed(external: ExternalTracks) -> np.ndarray:
    """Return the first and the last frame of everything that the file lists, shape (2, entries)."""
    spans = external.spans[["first", "last"]] if external.rows is None else external.rows[["frame", "frame"]]
    others = np.array(external.other_frames, np.int64)
    return np.hstack([spans.to_numpy(np.int64).T, np.vstack([others, others])])
