"""What tracking tells the report page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cineseq.tables.imaging import END_KINDS, START_KINDS
from cineseq.text import number
from cineseq.tracking.imports.base import FOLLOWED
from cineseq.tracking.objects import Objects

if TYPE_CHECKING:
    from cineseq.tracking.tracker import Linked

FAR = 1 / 3
"""Step over neighbour distance above which links become unsure."""


def tracking_report(objects: Objects, linked: Linked | None, tracks: pd.DataFrame) -> dict[str, Any]:
    """Return sentences and numbers on one field's tracking; ``linked`` is None where nothing was linked."""
    done = _linking(linked) if linked is not None else ([], {})
    return _report(objects, done, tracks)


def import_report(objects: Objects, counts: dict[str, int], tracks: pd.DataFrame) -> dict[str, Any]:
    """Return sentences and numbers on the import of one field's tracks and its repairs."""
    lines = ["The tracks are external."]
    lines += [
        f"Repaired on import: {n:,} {name.replace('_', ' ')}." for name, n in counts.items() if n and name != FOLLOWED
    ]
    if followed := counts.get(FOLLOWED):
        lines.append(
            f"Cells followed further than the frame in which the file says that they are dead: {followed:,}. Those "
            "frames are kept and may describe a dead cell: end such tracks at death."
        )
    return _report(objects, (lines, dict(counts)), tracks)


def point_tracks_report(objects: Objects, counts: dict[str, int], tracks: pd.DataFrame) -> dict[str, Any]:
    """Return the same on tracks that came without masks."""
    said = import_report(objects, counts, tracks)
    said["lines"].append(
        "There are no masks: nothing is known of areas, borders, or deaths that the file does not state."
    )
    return said


def _report(objects: Objects, done: tuple[list[str], dict[str, Any]], tracks: pd.DataFrame) -> dict[str, Any]:
    frames, seen = objects.shape[0], len(objects.table)
    lines = [f"{seen:,} objects in {frames} frames became {len(tracks):,} tracks."]
    numbers: dict[str, Any] = {"frames": frames, "objects": seen, "tracks": len(tracks)}
    if objects.split_labels:
        lines.append(
            f"{objects.split_labels:,} mask pieces lie apart from the rest of their object and stay part of it."
        )
    numbers["split_labels"] = objects.split_labels
    lines += done[0]
    numbers |= done[1]
    for column, kinds in (("start_kind", START_KINDS), ("end_kind", END_KINDS)):
        counts = tracks[column].value_counts()
        numbers |= {f"{column}_{kind}": int(counts.get(kind, 0)) for kind in kinds}
    if len(tracks):
        said = ", ".join(f"{numbers[f'end_kind_{kind}']:,} {kind.replace('_', ' ')}" for kind in END_KINDS)
        lines.append(f"Tracks ended by: {said}.")
    return {"lines": lines, "numbers": numbers}


def _linking(linked: Linked) -> tuple[list[str], dict[str, Any]]:
    moved = linked.motion
    ratio, left = moved.step / moved.spacing, moved.left / moved.spacing
    known = bool(np.isfinite(ratio))
    lines = [f"Search range {number(linked.reach, 1)} px after removing the common motion ({moved.kind})."]
    if known:
        lines.append(
            f"Cells step {number(moved.step, 1)} px a frame and are {number(moved.spacing, 1)} px apart "
            f"(ratio {number(ratio)})"
            + ("." if moved.kind == "none" else f"; without their common motion the ratio is {number(left)}.")
        )
    if known and left > FAR:
        lines.append("That ratio is above one third, where links become unsure: film at shorter intervals if you can.")
    if linked.without_overlaps:
        lines.append(f"Links go by distance only, not by the pixels that masks share: {linked.without_overlaps}.")
    if linked.counts["fragments"]:
        lines.append(f"{linked.counts['fragments']:,} fragments were kept as one-frame tracks and not linked.")
    lines.append(f"{linked.counts['gaps_closed']:,} gaps were closed.")
    if linked.counts["merges_like_divisions"]:
        lines.append(
            "Cells never fuse, so what divides in the movie run backwards are touching cells that share a mask: "
            f"{linked.counts['merges_like_divisions']:,} such merges. {linked.counts['splits_explained_by_merges']:,} "
            "splits undo one or are undone by one and are no divisions; of the divisions that are called, about "
            f"{linked.counts['divisions_expected_false']:,} may be touching cells that come apart."
        )
    numbers = {
        "search_range_px": round(linked.reach, 3),
        "motion": moved.kind,
        "median_step_px": round(moved.step, 3),
        "neighbour_distance_px": round(moved.spacing, 3) if known else None,
        "step_over_neighbour_distance": round(ratio, 4) if known else None,
        "step_left_over_neighbour_distance": round(left, 4) if known else None,
        "overlaps_used": not linked.without_overlaps,
        **linked.counts,
    }
    return lines, numbers
