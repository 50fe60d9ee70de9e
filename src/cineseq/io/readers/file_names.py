"""Frames and channels of a series of files: what their paths say, with every number that varies accounted for."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median, mode

from cineseq.errors import UserError
from cineseq.io.readers import name_patterns
from cineseq.io.readers.name_patterns import GUID, READY_MADE, Match
from cineseq.text import count, listed, natural_order

CHANNEL_LETTERS = {"c", "ch", "chn", "chan", "channel", "w", "wv", "wave", "wavelength"}
POSITION_LETTERS = {"s", "xy", "pos", "position", "site", "fov", "field", "fld", "scene", "series", "well"}
Z_LETTERS = {"z", "zstep", "zslice"}
MARKED = {
    **dict.fromkeys(CHANNEL_LETTERS, "channel"),
    **dict.fromkeys(POSITION_LETTERS, "position"),
    **dict.fromkeys(Z_LETTERS, "z"),
}
"""What a number is by the letters before it, where these are customary; all other numbers may be time."""


def _seconds(days: str, hours: str, minutes: str, seconds: str | None) -> float:
    return ((int(days) * 24 + int(hours)) * 60 + int(minutes)) * 60 + int(seconds or 0)


def _date(*parts: str | None) -> float:
    year, month, day, hour, minute, second = ([int(part or 0) for part in parts] + [0])[:6]
    return datetime(year + 2000 if year < 100 else year, month, day, hour, minute, second, tzinfo=UTC).timestamp()


_MONTH, _DAY, _HOUR, _MINUTE = r"(0[1-9]|1[0-2])", r"(0[1-9]|[12]\d|3[01])", r"([01]\d|2[0-3])", r"([0-5]\d)"
STAMPS: tuple[tuple[re.Pattern[str], Callable[..., float]], ...] = (
    (re.compile(rf"(\d{{4}})y{_MONTH}m{_DAY}d_?{_HOUR}h{_MINUTE}m(?:{_MINUTE}s)?"), _date),
    (re.compile(r"(\d+)d(\d{1,2})h(\d{1,2})m(?:(\d{1,2})s)?"), _seconds),
    (
        re.compile(
            rf"(?<!\d)((?:19|20)\d{{2}})-?{_MONTH}-?{_DAY}[T_ -]?{_HOUR}[-:.h]?{_MINUTE}(?:[-:.m]?{_MINUTE})?(?!\d)"
        ),
        _date,
    ),
    (re.compile(rf"(?<!\d)(\d\d){_MONTH}/{_DAY}/{_HOUR}{_MINUTE}(?!\d)"), _date),
    (
        re.compile(r"(?<!\d)()(\d{1,3})h(\d{1,2})(?:m(?:in)?)?(?:(\d{1,2})s)?(?![0-9A-Za-z])"),
        lambda _, *p: _seconds("0", *p),
    ),
    (re.compile(r"(?<![\d.])(\d+\.\d+)(?= ?(?:ms|s|sec|min|h|hr|d)(?![A-Za-z]))"), float),
)
"""Times in names, of several numbers that count as one, and their value (seconds, except for the last)."""


def _plain(value: float) -> str:
    """Write a number of a file name, without separators of thousands."""
    return str(int(value)) if value == int(value) else str(value)


@dataclass(frozen=True)
class Number:
    """One number, or one time, at the same place in all names.

    Attributes
    ----------
    letters
        The letters before it, in small letters; empty if there are none.
    values
        Its value in each name.
    is_time
        Whether it is a time of several numbers.
    """

    letters: str
    values: tuple[float, ...]
    is_time: bool = False

    @property
    def kind(self) -> str:
        """What it is by its letters: channel, position, z, or empty where nothing is known."""
        return "" if self.is_time else MARKED.get(self.letters, "")

    @property
    def words(self) -> str:
        """What varies, for a message."""
        distinct = sorted(set(self.values))
        written = [_plain(value) for value in distinct]
        shown = ", ".join(written) if len(written) < 4 else f"{written[0]} to {written[-1]}"
        if self.is_time:
            return f"a time ({count(len(written))} of them)"
        return f"the number after '{self.letters}' ({shown})" if self.letters else f"a number ({shown})"


@dataclass(frozen=True)
class Series:
    """The files of a movie.

    Attributes
    ----------
    channels
        Names of the channels; one empty name if names say nothing of channels.
    frames
        The files of each frame, one per channel in order; None for a frame that is missing.
    """

    channels: tuple[str, ...]
    frames: tuple[tuple[Path, ...] | None, ...]

    @property
    def by_channel(self) -> bool:
        """Whether each channel has files of its own."""
        return self.channels != ("",)


def arrange(paths: list[Path], pattern: str | None = None, missing_frames: str = "refuse") -> Series:
    """Tell frames and channels of a series of files by their paths.

    Without a pattern, names must differ in time only: in one number, or in several that change together. Numbers that
    the pattern does not name are treated likewise within each channel.

    Parameters
    ----------
    paths
        The files, in any order.
    pattern
        A name of :data:`~cineseq.io.readers.name_patterns.READY_MADE`, or a regular expression with groups ``channel``
        and ``frame``, or one of them; other groups must not vary.
    missing_frames
        ``refuse``, or ``empty`` to give lost frames without their files.

    Raises
    ------
    UserError
        When names differ in more than is accounted for, a frame lacks a channel, or a frame is missing.
    """
    if pattern is None or pattern == name_patterns.CELLPOSE_MASKS:
        _check_unmeant(paths)
        found = [Match(path, None, None, GUID.sub("", path.as_posix()), {}) for path in paths]
    else:
        found = name_patterns.matches(paths, pattern)
        _check_other_groups(found)
    channels = natural_order({match.channel or "" for match in found})
    keys, numbers = _time(found, pattern)
    places: dict[tuple[float | str, str], Path] = {}
    for match, key in zip(found, keys, strict=True):
        place = (key, match.channel or "")
        if place in places:
            msg = (
                f"{match.path}: same frame and channel as {places[place].name}; inputs.channel_pattern must "
                "distinguish them."
            )
            raise UserError(msg)
        places[place] = match.path
    order: list[float | str] = (
        [*natural_order(set(map(str, keys)))] if isinstance(keys[0], str) else [*sorted(set(map(float, keys)))]
    )
    whole = [frame for frame in order if all((frame, channel) in places for channel in channels)]
    if len(whole) < len(order) and missing_frames == "refuse":
        raise _lacks_channel(places, order, channels)
    after = _lost_after(whole, keys, numbers, {f: places[f, channels[0]] for f in whole}, missing_frames)
    frames: list[tuple[Path, ...] | None] = []
    for frame in whole:
        frames += [tuple(places[frame, channel] for channel in channels), *[None] * after.get(frame, 0)]
    return Series(tuple(channels), tuple(frames))


def _check_unmeant(paths: list[Path]) -> None:
    """Refuse names of a microscope, seen by their form, that are of several wells, fields or planes."""
    for name in name_patterns.DISTINCTIVE:
        try:
            found = name_patterns.matches(paths, name)
        except UserError:
            continue
        _check_other_groups(found)


def _check_other_groups(found: Sequence[Match]) -> None:
    for name in found[0].others:
        values = natural_order({match.others.get(name, "") for match in found})
        if len(values) > 1:
            what = "project the planes first" if name == "z" else "name the files of one in each row of the sheet"
            msg = (
                f"{found[0].path}: the {len(found)} files are of {len(values)} values of {name} "
                f"({', '.join(values[:4])}{', ...' if len(values) > 4 else ''}), which is not time; {what}."
            )
            raise UserError(msg)


def _lacks_channel(
    places: dict[tuple[float | str, str], Path], order: Sequence[float | str], channels: Sequence[str]
) -> UserError:
    frame = next(f for f in order if not all((f, c) in places for c in channels))
    missing = [c for c in channels if (frame, c) not in places]
    there = next(places[frame, c] for c in channels if (frame, c) in places)
    return UserError(
        f"{there}: this frame has no file of channel {', '.join(missing)}; add it, leave the frame out, or set "
        "inputs.missing_frames to empty, which takes the whole frame for lost."
    )


def _time(found: list[Match], pattern: str | None) -> tuple[list[float | str], list[Number]]:
    """Return the frame of each file, as a number or as the text of the group, and the numbers that tell frames."""
    named = [match.frame for match in found]
    numbers = _numbers([match.rest for match in found], [match.channel or "" for match in found], found)
    varying = [n for n in numbers if _varies_within_channels(n, found)]
    if all(frame is not None for frame in named):
        unmeant = [n for n in varying if n.kind in ("position", "z") and not _one_to_one(n.values, named)]
        if unmeant:
            raise _unaccounted(found, unmeant, pattern)
        texts = [str(frame) for frame in named]
        parsed = _parsed(texts)
        varying = [n for n in parsed if len(set(n.values)) > 1] if parsed else []
        return [*texts], varying if len(varying) == 1 else []
    if not varying:
        return [0.0] * len(found), []
    channels = [match.channel or "" for match in found]
    tells = [n for n in varying if len(set(zip(n.values, channels, strict=True))) == len(found)]
    times = [n for n in tells if not n.kind and all(_follows(other, n) for other in varying)]
    if not times:
        raise _unaccounted(found, varying, pattern)
    return list(times[0].values), times


def _varies_within_channels(number: Number, found: list[Match]) -> bool:
    pairs = {(match.channel, value) for match, value in zip(found, number.values, strict=True)}
    return len(pairs) > len({channel for channel, _ in pairs})


def _one_to_one(one: Sequence[object], other: Sequence[object]) -> bool:
    return len(set(zip(one, other, strict=True))) == len(set(one)) == len(set(other))


def _follows(number: Number, time: Number) -> bool:
    """Whether a number never falls while time rises, and is not by its letters another coordinate with own values."""
    if number.kind and not _one_to_one(number.values, time.values):
        return False
    groups: dict[float, list[float]] = {}
    for at, value in zip(time.values, number.values, strict=True):
        groups.setdefault(at, []).append(value)
    return all(max(groups[a]) <= min(groups[b]) for a, b in pairwise(sorted(groups)))


def _numbers(texts: list[str], channels: list[str], found: list[Match]) -> list[Number]:
    """Return the numbers of all names, which must be alike without them within each channel."""
    parsed = _parsed(texts, channels)
    if parsed is None:
        by_shape: dict[str, str] = {}
        for text, match in zip(texts, found, strict=True):
            by_shape.setdefault(re.sub(r"\d+", "#", text), match.path.name)
        names = list(by_shape.values())
        msg = (
            f"{found[0].path}: the names of the {len(found)} files are of several kinds ('{names[0]}' and "
            f"'{names[1]}'), not one kind with a number for time; name the files of one kind in the sheet, by a "
            "pattern that the others do not match, or give inputs.channel_pattern (docs/inputs.md)."
        )
        raise UserError(msg)
    return parsed


def _parsed(texts: list[str], channels: list[str] | None = None) -> list[Number] | None:
    """Return the numbers at the same place of all texts; None where texts differ in more than numbers.

    Texts of different channels may differ in words too, as long as they have the same number of numbers.
    """
    channels = channels or [""] * len(texts)
    for stamps in (STAMPS, ()):
        cut = [_cut(text, stamps) for text in texts]
        shapes = {(channel, shape) for channel, (shape, _) in zip(channels, cut, strict=True)}
        lengths = {len(numbers) for _, numbers in cut}
        if len(shapes) == len(set(channels)) and len(lengths) == 1:
            columns = zip(*(numbers for _, numbers in cut), strict=True)
            return [Number(c[0][0], tuple(value for _, value, _ in c), c[0][2]) for c in columns]
    return None


def _cut(
    text: str, stamps: Sequence[tuple[re.Pattern[str], Callable[..., float]]]
) -> tuple[str, list[tuple[str, float, bool]]]:
    """Return a name without its numbers, and each number: the letters before it, its value, whether it is a time."""
    text = re.sub(r"\.[A-Za-z]+$", "", text)
    spans: list[tuple[int, int, float, bool]] = []
    for pattern, value in stamps:
        for match in pattern.finditer(text):
            if not any(a < match.end() and match.start() < b for a, b, *_ in spans):
                try:
                    spans.append((match.start(), match.end(), value(*match.groups()), True))
                except ValueError:  # 31 February
                    continue
    for match in re.finditer(r"\d+", text):
        if not any(a < match.end() and match.start() < b for a, b, *_ in spans):
            spans.append((match.start(), match.end(), int(match[0]), False))
    shape, numbers, at = "", [], 0
    for start, stop, value_, is_time in sorted(spans):
        before = re.search(r"([A-Za-z]*)[ _=-]?$", text[:start])
        shape += text[at:start] + ("@" if is_time else "#")
        numbers.append((before[1].lower() if before else "", value_, is_time))
        at = stop
    return (shape + text[at:]).lower(), numbers


def _lost_after(
    frames: Sequence[float | str],
    keys: Sequence[float | str],
    numbers: list[Number],
    files: dict[float | str, Path],
    missing_frames: str,
) -> dict[float | str, int]:
    """Return how many frames are missing after each frame.

    A constant step of any number that tells frames is no gap. Otherwise the number with the most regular steps counts.

    Raises
    ------
    UserError
        When frames are missing and ``missing_frames`` is ``refuse``, or a step is no multiple of the usual one.
    """
    candidates = []
    for number in numbers:
        first = dict(zip(reversed(keys), reversed(number.values), strict=True))
        values = [first[frame] for frame in frames]
        steps = [b - a for a, b in pairwise(values)]
        if len(steps) < 2 or len(set(steps)) == 1:
            return {}
        usual = mode(sorted(steps))
        candidates.append((steps.count(usual), number, values, steps, usual))
    if not candidates:
        return {}
    regular, number, values, steps, usual = max(candidates, key=lambda candidate: candidate[0])
    # Times jitter: what is nearer to two of the usual steps than to one is a gap.
    jitters = number.is_time or 2 * regular < len(steps)
    usual = median(steps) if jitters else usual
    lost: dict[float | str, int] = {}
    for frame, after, value, step in zip(frames, frames[1:], values, steps, strict=False):
        if usual > 0 and step > 1.5 * usual and (jitters or step % usual == 0):
            lost[frame] = max(round(step / usual) - 1, 1)
        elif jitters or step == usual:
            continue
        if missing_frames == "refuse" or frame not in lost:
            raise _gap(files[frame], files[after], number, value + usual, lost.get(frame))
    return lost


def _gap(before: Path, after: Path, number: Number, expected: float, lost: int | None) -> UserError:
    if number.is_time and lost is not None:
        missing = (
            f"so {count(lost, 'frame')} between them {'is' if lost == 1 else 'are'} missing, by the usual interval"
        )
    else:
        missing = f"so the frame numbered {_plain(expected)} is missing"
    empty = ", or set inputs.missing_frames to empty to keep its place without cells" if lost is not None else ""
    return UserError(
        f"{after}: follows {before.name}, {missing}; add it, or make the frames after it a separate movie{empty}."
    )


def _unaccounted(found: list[Match], varying: list[Number], pattern: str | None) -> UserError:
    """Return the refusal of names in which more than time varies, with a pattern that reads them if one is known."""
    what = listed(n.words for n in varying)
    advice = _advice([match.path for match in found], varying, pattern)
    return UserError(
        f"{found[0].path}: in the names of the {len(found)} files {what} var{'ies' if len(varying) == 1 else 'y'}, "
        f"which cannot be time alone; {advice}."
    )


def _advice(paths: list[Path], varying: list[Number], pattern: str | None) -> str:
    by_letters = [rf"{n.letters}(?P<channel>\d+)" for n in varying if n.kind == "channel"] if pattern is None else []
    for candidate in [*READY_MADE, *by_letters] if pattern is None else []:
        try:
            arrange(paths, candidate, "empty")
        except UserError:
            continue
        return f"set inputs.channel_pattern: {candidate if candidate in READY_MADE else repr(candidate)}"
    others = {n.kind for n in varying} & {"position", "z"}
    if others:
        kind = "position" if "position" in others else "z plane"
        return (
            f"name the files of one {kind} in each row of the sheet, and set inputs.channel_pattern if channels "
            "differ; if the number is time, name it in inputs.channel_pattern as (?P<frame>...)"
        )
    return "set inputs.channel_pattern with the groups (?P<channel>...) and (?P<frame>...) (docs/inputs.md)"
