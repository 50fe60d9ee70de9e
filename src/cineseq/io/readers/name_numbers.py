"""Numbers and times in the names of files, and what they are by the letters before them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cineseq.text import count

CHANNEL_LETTERS = {"c", "ch", "chn", "chan", "channel", "w", "wv", "wave", "wavelength", "cam", "camera", "laser"}
POSITION_LETTERS = {
    *("s", "xy", "pos", "position", "site", "fov", "field", "fld", "scene", "series", "well"),
    *("roi", "tile", "view", "stage", "loc", "location", "point", "region"),
}
Z_LETTERS = {"z", "zstep", "zslice", "slice", "plane"}
WELL_ROWS = "ABCDEFGH"
WELL_COLUMNS = 24
MARKED = {
    **dict.fromkeys(CHANNEL_LETTERS, "channel"),
    **dict.fromkeys(POSITION_LETTERS, "position"),
    **dict.fromkeys(Z_LETTERS, "z"),
}
"""What a number is by the letters before it, where these are customary; all other numbers may be time."""


def _seconds(days: str, hours: str, minutes: str, seconds: str | None) -> float:
    return ((int(days) * 24 + int(hours)) * 60 + int(minutes)) * 60 + int(seconds or 0)


def _date(*parts: str | None) -> float:
    year, month, day, hour, minute, second = ([int(part or 0) for part in parts] + [0] * 3)[:6]
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
    (re.compile(rf"(?<![\d.])((?:19|20)\d{{2}})-{_MONTH}-{_DAY}(?!\d)"), _date),
    (re.compile(rf"(?<![\d.])((?:19|20)\d{{2}}){_MONTH}{_DAY}(?!\d)"), _date),
    (re.compile(rf"(?<!\d)(\d\d){_MONTH}/{_DAY}/{_HOUR}{_MINUTE}(?!\d)"), _date),
    (
        re.compile(r"(?<!\d)()(\d{1,3})h(\d{1,2})(?:m(?:in)?)?(?:(\d{1,2})s)?(?![0-9A-Za-z])"),
        lambda _, *p: _seconds("0", *p),
    ),
    (re.compile(r"(?<![\d.])(\d+\.\d+)(?= ?(?:ms|s|sec|min|h|hr|d)(?![A-Za-z]))"), float),
)
"""Times in names, of several numbers that count as one, and their value (seconds, except for the last)."""


def as_in_names(value: float) -> str:
    """Write a number as names do, without separators."""
    return str(int(value)) if value == int(value) else str(value)


@dataclass(frozen=True)
class Number:
    """One number, or one time, at the same place in all names.

    Attributes
    ----------
    letters
        The letters before it; empty if there are none.
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
        if self.is_time:
            return ""
        # Nikon writes XY without a blank after the name of the experiment.
        letters = "xy" if self.letters.endswith("XY") else self.letters.lower()
        return MARKED.get(letters, "")

    @property
    def may_be_wells(self) -> bool:
        """Whether it may be the column of a well, as in A1 to A12."""
        return self.letters in (*WELL_ROWS,) and min(self.values) >= 1 and max(self.values) <= WELL_COLUMNS

    @property
    def words(self) -> str:
        """What varies, for a message."""
        distinct = sorted(set(self.values))
        written = [as_in_names(value) for value in distinct]
        shown = ", ".join(written) if len(written) < 4 else f"{written[0]} to {written[-1]}"
        if self.is_time:
            return f"a time ({count(len(written))} of them)"
        return f"the number after '{self.letters}' ({shown})" if self.letters else f"a number ({shown})"


def parsed_numbers(texts: list[str], channels: list[str] | None = None) -> list[Number] | None:
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
        numbers.append((before[1] if before else "", value_, is_time))
        at = stop
    return (shape + text[at:]).lower(), numbers
