"""Frames and channels of a series of files: what their paths say, with every number that varies accounted for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median, mode

from cineseq.errors import UserError
from cineseq.io.readers import name_patterns
from cineseq.io.readers.name_numbers import Number, as_in_names, parsed_numbers
from cineseq.io.readers.name_patterns import GUID, READY_MADE, Match
from cineseq.text import count, listed, natural_order

YEAR_LAST = re.compile(r"(?<!\d)\d{1,2}[-._ ]\d{1,2}[-._ ](?:19|20)\d\d(?!\d)")


@dataclass(frozen=True)
class Series:
    """The files of a movie.

    Attributes
    ----------
    channels
        Names of the channels; one empty name if names say nothing of channels.
    frames
        The files of each frame, one per channel in order; None for a frame that is missing.
    notices
        What may be read wrongly.
    """

    channels: tuple[str, ...]
    frames: tuple[tuple[Path, ...] | None, ...]
    notices: tuple[str, ...] = ()

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
        and ``frame``, or one of them; channels are in the order of a group ``order``, else of their names; other
        groups must not vary.
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
    number = {match.channel or "": match.order for match in found}
    channels = sorted(natural_order(number), key=number.__getitem__)
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
    if not whole or (len(whole) < len(order) and missing_frames == "refuse"):
        raise _lacks_channel(places, order, channels)
    # The first frame is a whole one; those after it keep their time, whole or not.
    kept, complete = order[order.index(whole[0]) :], set(whole)
    there = {f: next(places[f, c] for c in channels if (f, c) in places) for f in kept}
    after = _lost_after(kept, keys, numbers, there, missing_frames)
    frames: list[tuple[Path, ...] | None] = []
    for frame in kept:
        files = tuple(places[frame, channel] for channel in channels) if frame in complete else None
        frames += [files, *[None] * after.get(frame, 0)]
    return Series(tuple(channels), tuple(frames), _notices(found, numbers, pattern))


def _notices(found: list[Match], numbers: list[Number], pattern: str | None) -> tuple[str, ...]:
    if pattern is not None or len(numbers) != 1 or not numbers[0].may_be_wells:
        return ()
    one = numbers[0]
    return (
        f"{found[0].path.name}: {one.words} is read as time. If these are wells, nothing that follows is valid: name "
        "the files of one well in each row of the sheet.",
    )


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
            what = (
                "project the planes first"
                if name in ("z", "plane")
                else "name the files of one in each row of the sheet"
            )
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
    numbers = _numbers(found, pattern)
    varying = [n for n in numbers if _varies_within_channels(n, found)]
    if all(frame is not None for frame in named):
        unmeant = [n for n in varying if n.kind in ("position", "z") and not _one_to_one(n.values, named)]
        if unmeant:
            raise _unaccounted(found, unmeant, pattern)
        texts = [str(frame) for frame in named]
        if len(set(texts)) > 1 and all(YEAR_LAST.search(text) for text in texts):
            msg = (
                f"{found[0].path}: the frame '{texts[0]}' has its year last, so the order of names is not that of "
                "time; rename the files, with year, month and day in this order."
            )
            raise UserError(msg)
        parsed = parsed_numbers(texts)
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


def _numbers(found: list[Match], pattern: str | None) -> list[Number]:
    """Return the numbers of all names, which must be alike without them within each channel."""
    parsed = parsed_numbers([match.rest for match in found], [match.channel or "" for match in found])
    if parsed is None:
        raise _of_several_kinds(found, pattern)
    return parsed


def _of_several_kinds(found: list[Match], pattern: str | None) -> UserError:
    """Return the refusal of names that differ in words, with a pattern that reads them if there is one."""
    paths = [match.path for match in found]
    kinds: dict[str, Path] = {}
    for path in paths:
        kinds.setdefault(re.sub(r"\d+", "#", GUID.sub("", path.as_posix())), path)
    one, other = list(kinds.values())[:2]
    advice = "name the files of one kind in the sheet, by a pattern that the others do not match"
    left = [path for path in paths if not name_patterns.WRITTEN_BY_CELLPOSE.search(path.stem)]
    words = _words_that_differ(list(kinds))
    channel = f"(?P<channel>{'|'.join(words)})"
    # The second pattern is for words that are also part of another, such as a in plate_a.
    patterns = [channel, f"(?<![A-Za-z]){channel}(?![A-Za-z])"] if words else []
    # Trying one of them ends here again if it does not read the names.
    trials = [] if pattern in (*patterns, *READY_MADE) else [*patterns, *READY_MADE]
    if 1 < len(left) < len(paths) and _is_read(left, None):
        advice += f", or set inputs.channel_pattern: {name_patterns.CELLPOSE_MASKS}"
    elif reads := next((trial for trial in trials if _is_read(paths, trial)), None):
        advice += f", or, if these are channels, set inputs.channel_pattern: {_in_yaml(reads)}"
    else:
        advice += ", or give inputs.channel_pattern (docs/inputs.md)"
    return UserError(
        f"{paths[0]}: the names of the {len(paths)} files are of several kinds ('{one.name}' and '{other.name}'), not "
        f"one kind with a number for time; {advice}."
    )


def _words_that_differ(kinds: list[str]) -> list[str]:
    """Return the words of names that differ in one word only; empty where they differ in more."""
    cut = [re.split(r"([^A-Za-z]+)", kind) for kind in kinds]
    if len({tuple(words[1::2]) for words in cut}) > 1:
        return []  # signs or numbers differ too
    differing = [set(words) for words in zip(*cut, strict=True) if len(set(words)) > 1]
    return sorted(map(re.escape, differing[0])) if len(differing) == 1 and all(differing[0]) else []


def _is_read(paths: list[Path], pattern: str | None) -> bool:
    try:
        return len(arrange(paths, pattern, "empty").frames) > 0
    except UserError:
        return False


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
        missing = f"so the frame numbered {as_in_names(expected)} is missing"
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
    groups = [rf"{n.letters}[ _=-]?(?P<{{}}>\d+)" for n in varying if n.kind == "channel"] if pattern is None else []
    for candidate in [*READY_MADE, *(group.format("channel") for group in groups)] if pattern is None else []:
        if _is_read(paths, candidate) and len(varying) > 1:
            return f"set inputs.channel_pattern: {_in_yaml(candidate)}"
    if pattern is None and len(varying) == 1:
        one = varying[0]
        by_hand = {name: _in_yaml(rf"{one.letters}[ _=-]?(?P<{name}>\d+)") for name in ("channel", "frame")}
        rows = {"channel": f"set inputs.channel_pattern: {by_hand['channel']} if these are channels"}
        what = "z plane" if one.kind == "z" else "position"
        first = rows.get(one.kind, f"name the files of one {what} in each row of the sheet")
        return f"{first}, or, if they are times, set inputs.channel_pattern: {by_hand['frame']}"
    others = {n.kind for n in varying} & {"position", "z"}
    if others:
        kind = "position" if "position" in others else "z plane"
        return (
            f"name the files of one {kind} in each row of the sheet, and set inputs.channel_pattern if channels "
            "differ; if the number is time, name it in inputs.channel_pattern as (?P<frame>...)"
        )
    return (
        "set inputs.channel_pattern with the groups (?P<channel>...) and (?P<frame>...), which may span several "
        "numbers (docs/inputs.md)"
    )


def _in_yaml(pattern: str) -> str:
    """Write a pattern as a configuration file takes it: single quotes keep backslashes."""
    return pattern if pattern in READY_MADE else f"'{pattern}'"
