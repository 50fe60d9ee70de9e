"""Which found track is which true one: by the overlap of their masks in the last frame that both are seen in."""

from __future__ import annotations

import pandas as pd

from cineseq.stacks import Labels
from cineseq.truth.segmentation import matched


def true_track_of(found: Labels, true: Labels, detections: pd.DataFrame) -> pd.DataFrame:
    """Match the tracks of one field to true ones.

    Each track is matched in its last frame; where its mask there overlaps no true mask by half, it has no match.

    Parameters
    ----------
    found, true
        Found masks, and true ones whose labels are the numbers of true tracks.
    detections
        Detections of the field (contract DETECTIONS).

    Returns
    -------
    pandas.DataFrame
        One row per matched track: ``track_id`` and ``true_number``.
    """
    last = detections.sort_values("frame").groupby("track_id", as_index=False).last()
    partners = [
        matched(true[int(frame)], found[int(frame)]).assign(frame=frame) for frame in sorted(last["frame"].unique())
    ]
    empty = pd.DataFrame({"true": [], "found": [], "iou": [], "frame": []}, dtype=float)
    pairs = pd.concat(partners) if partners else empty
    joined = last.merge(pairs, left_on=["frame", "label"], right_on=["frame", "found"])
    return joined[["track_id", "true"]].rename(columns={"true": "true_number"}).astype({"true_number": int})
