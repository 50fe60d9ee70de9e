"""What of a user's movie or masks is refused, although it can be read."""

from __future__ import annotations

from pathlib import Path

from cineseq.config.base import FieldOfView
from cineseq.config.inputs import Inputs
from cineseq.config.track import Track
from cineseq.errors import UserError

MOST_FRAMES_NAMED = 5


def refuse_single_frame(path: Path, kept: int, recorded: int, inputs: Inputs) -> None:
    """Refuse a movie or masks of which one frame is kept, for in one frame no cell can be followed.

    Raises
    ------
    UserError
        Unless ``inputs.allow_single_frame`` says that cells shall be measured all the same.
    """
    if kept > 1 or inputs.allow_single_frame:
        return
    found = "one frame was found" if recorded == 1 else f"frame_step leaves one of {recorded} frames"
    msg = (
        f"{path}: {found}, in which no cell can be followed; give the whole movie, or set inputs.allow_single_frame "
        "to true to measure the cells of single frames."
    )
    raise UserError(msg)


def refuse_black_frames(
    path: Path, black: list[tuple[int, str]], frames: int, needed: tuple[str, ...], inputs: Inputs
) -> None:
    """Refuse a movie in which a channel that cells may be found on has no contrast in a frame, or in all of them.

    Parameters
    ----------
    path
        The movie.
    black
        (frame, channel) of the planes without any contrast.
    frames
        Number of frames.
    needed
        Channels that do not measure function.
    inputs
        Whether single frames may be black: ``inputs.allow_black_frames``.

    Raises
    ------
    UserError
        Naming the first such channel, and its frames where they are not all of the movie.
    """
    for name in needed:
        found = [frame for frame, channel in black if channel == name]
        if len(found) == frames:
            msg = (
                f"{path}: channel {name} is all of one grey level (black) in every one of its {frames} frames; mend "
                "the file, leave this field out of the sheet, or, where the file itself names its "
                "channels, leave this one out of channels.names."
            )
            raise UserError(msg)
        if found and not inputs.allow_black_frames:
            which = ", ".join(map(str, found[:MOST_FRAMES_NAMED])) + (", ..." if len(found) > MOST_FRAMES_NAMED else "")
            msg = (
                f"{path}: frame {which} of channel {name} is all of one grey level (black), {len(found)} of {frames} "
                "frames, and shows no cell; mend the file, or set inputs.allow_black_frames to true to keep it."
            )
            raise UserError(msg)


def refuse_empty_field(labels: Path, objects: int, field: FieldOfView, track: Track) -> None:
    """Refuse a field of view in which no cell was found.

    Raises
    ------
    UserError
        Unless ``track.allow_empty`` says to go on without it.
    """
    if objects or track.allow_empty:
        return
    msg = (
        f"{labels}: there is no cell in any frame of sample {field.sample}, field {field.fov}; look at its movie and "
        "at what it was segmented with, take the field out of the sheet, or set track.allow_empty to true to go on "
        "without its cells."
    )
    raise UserError(msg)
