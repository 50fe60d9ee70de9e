"""What the feature steps say of themselves: sentences for the report page, and numbers."""

from __future__ import annotations

from typing import Any

from cineseq.config.features import Morphology
from cineseq.features.morphology import Optics
from cineseq.stacks import MovieInfo


def morphology_report(
    info: MovieInfo, optics: Optics | None, counts: dict[str, int], settings: Morphology
) -> dict[str, Any]:
    """Say how many objects were measured, in which unit and on which channels, and which are doubtful."""
    channels = [] if optics is None else list(optics.ranges)
    lines = [
        f"Measured {counts['objects']:,} objects in {info.frames:,} frames, in "
        + ("pixels, because the pixel size is unknown." if info.pixel_size_um is None else "micrometres."),
        f"Intensity and texture on {', '.join(channels)}." if channels else "Shape alone: no channel to measure on.",
    ]
    left_out = [] if optics is None else [c for c in optics.movie.info.channels if c not in channels]
    if left_out:
        lines.append(f"Not measured: {', '.join(left_out)}.")
    if counts["small_objects"]:
        lines.append(
            f"{counts['small_objects']:,} objects are smaller than {settings.minimum_area_px} px; their perimeter, "
            "form factor and solidity are biased."
        )
    if counts["crowded_objects"]:
        lines.append(
            f"{counts['crowded_objects']:,} objects have no free ring around them; their background is the frame's."
        )
    return {"lines": lines, "numbers": {"frames": info.frames, **counts, "channels": len(channels)}}
