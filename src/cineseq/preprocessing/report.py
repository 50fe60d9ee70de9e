"""Report of the preparation of a movie: sentences and numbers."""

from __future__ import annotations

from typing import Any

from cineseq.preprocessing.drift import padded_margins
from cineseq.preprocessing.movie import Corrections, Plan, Tally
from cineseq.text import count, number, percent, quantity, significant

NOTABLE_SATURATION = 0.001
"""Fraction of saturated pixels above which the report mentions them."""


def movie_report(plan: Plan, corrections: Corrections, tally: Tally, raw_frames: int) -> dict[str, Any]:
    """Return the report of one movie: sentences, numbers, and the drift of each frame as a series."""
    lines, numbers = _of_movie(plan, raw_frames)
    for more_lines, more_numbers in (_of_faults(plan, tally), _of_corrections(corrections)):
        lines, numbers = lines + more_lines, numbers | more_numbers
    offsets = None if corrections.drift is None else corrections.drift.offsets
    series = {} if offsets is None else {"drift_y_px": offsets[:, 0].tolist(), "drift_x_px": offsets[:, 1].tolist()}
    notices = [{"level": "serious", "text": notice} for notice in plan.notices]
    lines += [notice for notice in plan.notices if notice not in lines]
    return {"lines": lines, "numbers": numbers, "series": series, "notices": notices}


def _of_movie(plan: Plan, raw_frames: int) -> tuple[list[str], dict[str, Any]]:
    """Return sentences and numbers on frames, channels and scales."""
    info = plan.info
    size = (
        "an unknown pixel size" if info.pixel_size_um is None else f"{quantity(info.pixel_size_um, 'um', 4)} per pixel"
    )
    step = (
        "an unknown interval"
        if info.frame_interval_min is None
        else f"{quantity(info.frame_interval_min, 'min', 4)} per frame"
    )
    lines = [
        f"{count(info.frames)} of {count(raw_frames, 'frame')} of {info.height} x {info.width} px with the channels "
        f"{', '.join(info.channels)}, {size}, {step}."
    ]
    if info.frames == 1:
        lines.append("The movie has one frame: cells can be measured, but not tracked.")
    numbers = {
        "frames": info.frames,
        "raw_frames": raw_frames,
        "height_px": info.height,
        "width_px": info.width,
        "channels": len(info.channels),
        "pixel_size_um": info.pixel_size_um,
        "frame_interval_min": info.frame_interval_min,
    }
    return lines, numbers


def _of_faults(plan: Plan, tally: Tally) -> tuple[list[str], dict[str, Any]]:
    """Return sentences and numbers on black planes and saturation."""
    lines: list[str] = []
    numbers: dict[str, Any] = {"black_planes": len(tally.black)}
    if tally.black:
        which = ", ".join(f"frame {frame} of {name}" for frame, name in tally.black[:10])
        more = f" and {count(len(tally.black) - 10)} more" if len(tally.black) > 10 else ""
        lines.append(f"Without contrast (black), but kept: {which}{more}.")
    for name in plan.info.channels:
        share = tally.saturated_share(name)
        numbers[f"saturated_share_{name}"] = share
        if share > NOTABLE_SATURATION:
            lines.append(
                f"{percent(share, 2)} of the pixels of {name} are saturated (at grey level "
                f"{significant(tally.saturated(name)[0], 6)}); their true intensities are higher."
            )
    return lines, numbers


def _of_corrections(corrections: Corrections) -> tuple[list[str], dict[str, Any]]:
    """Return sentences and numbers on flat field and drift."""
    lines: list[str] = []
    numbers: dict[str, Any] = {}
    for name, profile in corrections.profiles.items():
        low, high = float(profile.min()), float(profile.max())
        lines.append(f"Flat field of {name}: the illumination ranges from {number(low)} to {number(high)} of its mean.")
        numbers |= {f"flat_field_lowest_{name}": low, f"flat_field_highest_{name}": high}
    if corrections.drift is not None:
        drift = corrections.drift
        margins = padded_margins(drift.offsets)
        padded = ", ".join(f"{n} px at the {side}" for side, n in margins.items())
        lines.append(
            f"Drift of up to {number(drift.largest_px, 0)} px was corrected in all channels. At most {padded} have no "
            "image; they contain the median of the frame and are not searched for cells."
        )
        if drift.doubted:
            lines.append(f"Implausibly large drift of {count(len(drift.doubted), 'frame')} was set to zero.")
        numbers |= {"drift_largest_px": drift.largest_px, "drift_doubted_frames": len(drift.doubted)}
        numbers |= {f"padded_{side}_px": n for side, n in margins.items()}
    return lines, numbers
