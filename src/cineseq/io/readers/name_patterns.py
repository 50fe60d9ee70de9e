"""Patterns of file names: the user's own, and ready-made ones of microscopes by name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from cineseq.errors import UserError

GUID = re.compile(
    r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|(?<![0-9A-Za-z])[0-9A-Fa-f]{32}(?![0-9A-Za-z])"
)
"""Identifiers that differ between all files and order nothing."""


def _letters(**groups: str) -> str:
    """Return a pattern of a name in which each group is a number after its letters, in any order; all are optional."""
    each = (rf"(?=(?:[^/]*(?<![a-z])(?:{letters})(?P<{name}>\d+))?)" for name, letters in groups.items())
    return r"(?i)(?:^|(?<=/))(?=[^/]*$)" + "".join(each)


_ZEISS = _letters(position="s|scene-?", frame="t", z="z", channel="c|ch", tile="m")
_TIFF = r"\.(?:tiff?|stk|png)$"

READY_MADE: dict[str, tuple[str, ...]] = {
    # <prefix>_<well>_<image>_<time>, or folders YYMM/DD/HHMM with <well>-<image>-<channel>. The prefix is the channel,
    # unless it is the number of the vessel, VID<n>.
    "incucyte": (
        r"(?P<frame>\d{4}/\d{1,2}/\d{4})/(?:[^/]+/)*(?P<well>[A-P]\d{1,2})-(?P<field>\d+)-(?P<channel>[^/.-]+)\.",
        r"(?<![^/_])(?:(?!VID\d)(?P<channel>[^/_]+)_)?(?P<well>[A-P]\d{1,2})_(?P<field>\d+)_"
        r"(?P<frame>(?:\d{4}y\d{1,2}m\d{1,2}d_?\d{1,2}h\d{1,2}m|\d{1,3}d\d{1,2}h\d{1,2}m)(?:\d{1,2}s)?)",
    ),
    # TimePoint_<t>/ZStep_<z>/<plate>_<well>_s<site>_w<channel><GUID>, of a stack also _z<z>; the plate may be missing
    "imagexpress": (
        r"(?i)(?:TimePoint_(?P<frame>\d+)/)?(?:ZStep_(?P<z>\d+)/)?(?:[^/]*_)?(?<![^/_])(?P<well>(?:[A-P]|A[A-F])\d{2})"
        r"(?:_s(?P<field>\d+))?(?:_w(?P<channel>\d+))?(?:_z(?P<plane>\d+))?" + _TIFF,
    ),
    # r01c01f01p01-ch1sk1fk1fl1
    "operetta": (
        r"(?P<well>r\d+c\d+)f(?P<field>\d+)(?:p(?P<z>\d+))?[^/-]*-ch(?P<channel>\d+)(?:(?:sk|t)(?P<frame>\d+))?",
    ),
    # img_channel000_position000_time000000000_z000, or Pos0/img_000000000_DAPI_000
    "micromanager": (
        r"img_channel(?P<channel>\d+)_position(?P<position>\d+)_time(?P<frame>\d+)_z(?P<z>\d+)",
        r"(?:Pos_?(?P<position>[^/]*)/)?img_(?P<frame>\d{9})_(?P<channel>[^/]*)_(?P<z>\d{3})\.",
    ),
    # <name>t001xy01z1c1, letters in any order, small or capital
    "nikon": (
        r"(?i)(?=(?:_?(?:t|xy|z|c|m)\d+)+\.tiff?$)(?=(?:.*t(?P<frame>\d+))?)(?=(?:.*xy(?P<position>\d+))?)"
        r"(?=(?:.*z(?P<z>\d+))?)(?=(?:.*c(?P<channel>\d+))?)(?=(?:.*m(?P<tile>\d+))?)",
    ),
    # <name>_w1DAPI_s1_t1, where the name after the number may be a wavelength: _w1405, _w2488 CSU
    "metamorph": (
        r"(?i)_w(?P<order>[1-9]\d*?)[ -]?(?P<channel>(?:[3-9]\d\d(?!\d)|[^\d/_. -])[^/]*?)"
        r"(?:_s(?P<position>\d+))?(?:_t(?P<frame>\d+))?" + _TIFF,
        r"(?i)(?:_w(?P<channel>\d+))?(?:_s(?P<position>\d+))?(?:_t(?P<frame>\d+))?" + _TIFF,
    ),
    # <name>_s01t001z1c1_ORG
    "celldiscoverer": (_ZEISS,),
    "zen": (_ZEISS,),
    # <well>_<step>_<image>_<field>Z<z>_<channel>_<time>
    "cytation": (
        r"(?P<well>[A-P]\d{1,2})_-?\d+_\d+_(?P<field>\d+)(?:Z(?P<z>\d+))?_(?P<channel>[^/]+?)_(?P<frame>\d+)" + _TIFF,
    ),
    # <plate>_A01_T0001F001L01A01Z01C01
    "yokogawa": (r"(?P<well>[A-P]\d{2})_T(?P<frame>\d+)F(?P<field>\d+)L\d+A\d+Z(?P<z>\d+)C(?P<channel>\d+)",),
    # A - 01(fld 1 wv UV - DAPI z 1 tm 1)
    "incell": (
        r"(?i)(?P<well>[A-P] ?- ?\d{1,2})\((?:fld (?P<field>\d+))?(?=(?:[^/]*?wv (?P<channel>[^/]+?)"
        r"(?= (?:z|time|tm|tp|t) ?\d|\)))?)(?=(?:[^/]*? z ?(?P<z>\d+))?)"
        r"(?=(?:[^/]*? (?:time|tm|tp|t) ?(?P<frame>\d+))?)",
    ),
    # <project>_Series003_t01_z00_ch00, or image--L0000--S00--U00--V00--J15--E00--O00--X00--Y00--T0000--Z00--C00
    "leica": (
        _letters(position="s|series|position ?|pos", frame="t", z="z", channel="c|ch", u="u", v="v", x="x", y="y"),
    ),
}
"""Patterns of each microscope, of which the first that fits all files is used; ``order`` numbers the channels, and
other groups than ``channel`` and ``frame`` name what must not vary within a movie."""
DISTINCTIVE = ("incucyte", "imagexpress", "operetta", "micromanager", "cytation", "yokogawa", "incell")
"""Names that are known by their form."""
CELLPOSE_MASKS = "cellpose_masks"
"""Passes over what cellpose writes beside images; among masks, over all but its masks."""
NAMES = (*READY_MADE, CELLPOSE_MASKS)
MASKS = re.compile(r"_(?:cp_)?masks$")
WRITTEN_BY_CELLPOSE = re.compile(
    r"_(?:(?:cp_)?masks|(?:cp_)?outlines|(?:cp_)?flows|cp_output|seg|dP|cellprob)(?:_cp_masks)?$"
)
THUMBNAIL = re.compile(r"_thumb", re.IGNORECASE)


@dataclass(frozen=True)
class Match:
    """What a pattern finds in one path.

    Attributes
    ----------
    path
        The file.
    channel, frame
        Text of these groups; None where the pattern has none or it took no part.
    rest
        The path without channel, frame and GUIDs.
    others
        Text of the other groups by name.
    order
        Number of the channel by which channels are in order; 0 where the pattern states none.
    """

    path: Path
    channel: str | None
    frame: str | None
    rest: str
    others: dict[str, str]
    order: int = 0


def chosen_files(files: list[Path], pattern: str | None, *, masks: bool = False) -> list[Path]:
    """Return the files of a series that a ready-made pattern does not pass over: thumbnails, and files of cellpose.

    Raises
    ------
    UserError
        When none is left.
    """
    left = files
    if pattern in READY_MADE:
        left = [file for file in files if not THUMBNAIL.search(GUID.sub("", file.name))]
    elif pattern == CELLPOSE_MASKS:
        left = [f for f in files if (MASKS.search(f.stem) if masks else not WRITTEN_BY_CELLPOSE.search(f.stem))]
    if files and not left:
        kind = "masks of cellpose (*_cp_masks)" if masks else "images"
        msg = f"{files[0]}: among these files are no {kind} for inputs.channel_pattern '{pattern}'; correct either."
        raise UserError(msg)
    return left


def matches(paths: list[Path], pattern: str) -> list[Match]:
    """Search a pattern in all paths: in the names if it matches each of them, else in the whole paths.

    GUIDs are passed over, unless the pattern matches only with them.

    Raises
    ------
    UserError
        When no way of searching matches every path; the message names the first that does not.
    """
    if pattern in READY_MADE:
        for one in READY_MADE[pattern]:
            found = _all_matches([(path, "", GUID.sub("", path.as_posix())) for path in paths], one)
            if found is not None:
                return found
        msg = (
            f"{paths[0]}: this name, or that of one of the {len(paths)} files with it, is not as {pattern} writes "
            "them; correct inputs.channel_pattern, or leave the other files out."
        )
        raise UserError(msg)
    whole = [path.as_posix() for path in paths]
    for clean in (lambda text: GUID.sub("", text), lambda text: text):
        for texts in (
            [(path, clean(path.parent.as_posix()) + "/", clean(path.name)) for path in paths],
            [(path, "", clean(text)) for path, text in zip(paths, whole, strict=True)],
        ):
            found = _all_matches(texts, pattern)
            if found is not None:
                return found
    at = next((path for path in paths if re.search(pattern, path.as_posix()) is None), paths[0])
    msg = f"{at}: the name does not match inputs.channel_pattern '{pattern}'; correct it or leave the file out."
    raise UserError(msg)


def _all_matches(texts: list[tuple[Path, str, str]], pattern: str) -> list[Match] | None:
    """Return the matches of (path, text before, text to search), or None where one has none that says anything."""
    compiled, found = re.compile(pattern), []
    for path, before, text in texts:
        match = compiled.search(text)
        groups = match.groupdict() if match is not None else {}
        if match is None or all(groups.get(name) is None for name in ("channel", "frame")):
            return None
        spans = sorted(match.span(name) for name in ("channel", "frame") if groups.get(name) is not None)
        rest, at = before, 0
        for start, stop in spans:
            rest, at = rest + text[at:start] + "\0", stop  # a sign that no path has, so that numbers stay apart
        others = {k: v for k, v in groups.items() if k not in ("channel", "frame", "order") and v is not None}
        order = groups.get("order") or ""
        number = int(order) if order.isdecimal() else 0
        found.append(Match(path, groups.get("channel"), groups.get("frame"), rest + text[at:], others, number))
    return found
