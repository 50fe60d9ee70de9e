"""Comparison of the recordings of all fields of view: what must be alike for their cells to be compared."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from cineseq.config.base import Section
from cineseq.errors import UserError
from cineseq.text import count, listed, quantity, significant

SIZE_TOLERANCE = 0.01
"""Pixel sizes and intervals that differ by less than this fraction are the same."""
CONTRAST_FACTOR = 3.0
"""Grey levels are on another scale if the contrast (bright above typical pixels) differs by more than this factor, and
typical pixels do by more than the next one."""
TYPICAL_FACTOR = 1.5
"""Factor in either direction, because an export that stretches the contrast lowers typical pixels."""
LARGE_FACTOR = 8.0
"""Factor of the contrast that is another scale by itself; brighter cells change the contrast alone, but by less."""
EXAMPLES = 3


class GreyLevels(Section):
    """Grey levels of a channel: the median pixel, and the .999 quantile of the brightest frame."""

    typical: float
    bright: float

    @property
    def contrast(self) -> float:
        """How far bright pixels are above typical ones."""
        return self.bright - self.typical


class Recorded(Section):
    """What the files of one field of view state and hold.

    Attributes
    ----------
    channels
        Type of the pixels of each channel, by its name; empty for masks.
    grey_levels
        Grey levels of each channel.
    pixel_size_um, frame_interval_min
        Scales after the configuration; None if unknown.
    """

    channels: dict[str, str] = Field(default_factory=dict)
    grey_levels: dict[str, GreyLevels] = Field(default_factory=dict)
    pixel_size_um: float | None = None
    frame_interval_min: float | None = None


def read_recorded(path: Path) -> Recorded | None:
    """Read what was recorded from the report of a step on one field of view; None if it does not state it.

    A rule of the user's own, instead of ours, need not state it.

    Raises
    ------
    UserError
        When the report is not readable.
    """
    try:
        stated = dict(json.loads(path.read_text(encoding="utf-8"))).get("recorded")
        return None if stated is None else Recorded.model_validate(stated)
    except (OSError, ValueError, TypeError, ValidationError) as error:
        msg = (
            f"{path}: not a readable report on a field ({type(error).__name__}); delete it and run the workflow again."
        )
        raise UserError(msg) from None


def compare_fields(stated: Mapping[str, Recorded | None], lengths_in_pixels: Iterable[str]) -> dict[str, Any]:
    """Compare the recordings of all fields of view.

    Parameters
    ----------
    stated
        What was recorded in each field, by ``sample/fov``, in the order of the sheet; None where that is not known.
    lengths_in_pixels
        Settings that give a length in pixels.

    Returns
    -------
    dict
        Lines, numbers and notices for the report. Grey levels, intervals and pixel sizes that differ are serious
        notices.

    Raises
    ------
    UserError
        When fields have other channels or types of pixels, or pixel sizes that differ by more than 1 % while lengths
        are in pixels. The message names two fields that differ, and how to go on.
    """
    fields = {name: recorded for name, recorded in stated.items() if recorded is not None}
    notices = _not_stated([name for name in stated if name not in fields])
    lines = []
    if fields:
        _check_channels(fields)
        _check_types(fields)
        _check_pixel_sizes(fields, sorted(lengths_in_pixels))
        notices += [*_pixel_size_notice(fields), *_interval_notice(fields), *_grey_notices(fields)]
        lines = [f"The recordings of {count(len(fields), 'field')} of view have the same channels and types of pixels."]
    return {
        "lines": lines + notices,
        "numbers": {"fields_compared": len(fields), "recordings_differ": len(notices)},
        "notices": [{"level": "serious", "text": text} for text in notices],
    }


def _not_stated(names: list[str]) -> list[str]:
    if not names:
        return []
    return [
        f"{count(len(names), 'field')} of view ({listed(names[:EXAMPLES])}{', ...' if len(names) > EXAMPLES else ''}) "
        "could not be compared with the others: the report of the step that made the movie or masks has no entry "
        "'recorded'. Check that channels, scales and grey levels are alike."
    ]


def _check_channels(fields: Mapping[str, Recorded]) -> None:
    first, *others = fields
    for other in others:
        sets = [fields[name].channels for name in (first, other)]
        if set(sets[0]) != set(sets[1]):
            named = " against ".join(", ".join(channels) or "none" for channels in sets)
            shared = ", ".join(name for name in sets[0] if all(name in f.channels for f in fields.values()))
            keep = f"set channels.names to those that all fields have ([{shared}]), or " if shared else ""
            msg = (
                f"fields {first} and {other}: the channels differ ({named}); {keep}put fields with other channels "
                "into separate sheets and runs."
            )
            raise UserError(msg)


def _check_types(fields: Mapping[str, Recorded]) -> None:
    for channel in next(iter(fields.values())).channels:
        first, second = _two_that_differ({name: field.channels[channel] for name, field in fields.items()})
        if second:
            kinds = " and ".join(f"{fields[name].channels[channel]} in field {name}" for name in (first, second))
            msg = (
                f"channel {channel}: the pixels are {kinds}, so grey levels do not mean the same; export all fields in "
                "one type without rescaling, or put them into separate sheets and runs."
            )
            raise UserError(msg)


def _two_that_differ(values: Mapping[str, Any]) -> tuple[str, str]:
    """Return the first field and the first one of another value; empty names where all are the same."""
    first, value = next(iter(values.items()))
    return next(((first, name) for name, other in values.items() if other != value), ("", ""))


def _check_pixel_sizes(fields: Mapping[str, Recorded], lengths_in_pixels: list[str]) -> None:
    sizes = {name: field.pixel_size_um for name, field in fields.items()}
    low, high = _extremes(sizes)
    unknown = next((name for name, size in sizes.items() if size is None), "")
    if low and unknown:
        msg = (
            f"field {unknown}: the pixel size is unknown, but it is {_size(sizes[low])} in field {low}, so lengths are "
            "in pixels in one and in micrometres in the other; set inputs.pixel_size_um if it is that of all fields, "
            "or put them into separate sheets and runs."
        )
        raise UserError(msg)
    if lengths_in_pixels and _differ(sizes[low] if low else None, sizes[high] if high else None):
        msg = (
            f"fields {low} and {high}: a pixel is {_size(sizes[low])} and {_size(sizes[high])}, but "
            f"{listed(lengths_in_pixels)} {'is' if len(lengths_in_pixels) == 1 else 'are'} in pixels and would mean "
            "other lengths; leave these settings out, or put the fields into separate sheets and runs."
        )
        raise UserError(msg)


def _extremes(values: Mapping[str, float | None]) -> tuple[str, str]:
    """Return the fields with the lowest and the highest value; empty names where no value is known."""
    known = {name: value for name, value in values.items() if value is not None}
    return (min(known, key=known.__getitem__), max(known, key=known.__getitem__)) if known else ("", "")


def _differ(low: float | None, high: float | None) -> bool:
    return low is not None and high is not None and high > low * (1 + SIZE_TOLERANCE)


def _size(value: float | None) -> str:
    return quantity(value, "um", 4)


def _pixel_size_notice(fields: Mapping[str, Recorded]) -> list[str]:
    sizes = {name: field.pixel_size_um for name, field in fields.items()}
    low, high = _extremes(sizes)
    if not _differ(sizes.get(low), sizes.get(high)):
        return []
    return [
        f"The pixel size differs between fields of view: {_size(sizes[low])} in {low}, {_size(sizes[high])} in {high}. "
        "Lengths and areas are in micrometres and can be compared; textures and settings in pixels cannot. "
        "Check whether the files state it rightly."
    ]


def _interval_notice(fields: Mapping[str, Recorded]) -> list[str]:
    minutes = {name: field.frame_interval_min for name, field in fields.items()}
    low, high = _extremes(minutes)
    unknown = [name for name, value in minutes.items() if value is None]
    if low and unknown:
        return [
            f"The frame interval is unknown in {_examples(unknown)}, and {quantity(minutes[low], 'min', 4)} in {low}: "
            "times of the former are in frames only. Set inputs.frame_interval_min if it is that of all fields."
        ]
    if not _differ(minutes.get(low), minutes.get(high)):
        return []
    return [
        f"The frame interval differs between fields of view: {quantity(minutes[low], 'min', 4)} in {low}, "
        f"{quantity(minutes[high], 'min', 4)} in {high}. Anything per frame, such as steps, windows and margins in "
        "frames, means other times; a sheet can make them equal with frame_step."
    ]


def _examples(names: list[str]) -> str:
    more = f" and {count(len(names) - EXAMPLES)} more" if len(names) > EXAMPLES else ""
    return ", ".join(names[:EXAMPLES]) + more


def _grey_notices(fields: Mapping[str, Recorded]) -> list[str]:
    notices = []
    for channel in next(iter(fields.values())).channels:
        levels = {name: field.grey_levels[channel] for name, field in fields.items() if channel in field.grey_levels}
        # A channel without any contrast is a function that is never on, or named elsewhere as black.
        dark, light = _extremes({name: value.contrast for name, value in levels.items() if value.contrast > 0})
        if dark and _other_scale(levels[dark], levels[light]):
            notices.append(
                f"The grey levels of channel {channel} differ between fields of view: "
                f"{_levels(dark, levels[dark])}, {_levels(light, levels[light])}. If this is exposure, gain or an "
                "export that rescales (12 against 16 bit), intensities and function cannot be compared between them."
            )
    return notices


def _other_scale(dark: GreyLevels, light: GreyLevels) -> bool:
    """Whether grey levels are on another scale; cells of another brightness change the contrast only."""
    contrast = light.contrast / dark.contrast
    low, high = sorted((max(dark.typical, 0.0), max(light.typical, 0.0)))
    return contrast > LARGE_FACTOR or (contrast > CONTRAST_FACTOR and high > TYPICAL_FACTOR * low)


def _levels(name: str, levels: GreyLevels) -> str:
    return f"{name} has a median of {significant(levels.typical)} and bright pixels of {significant(levels.bright)}"
