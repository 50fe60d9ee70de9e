"""What of a user's movie or masks is refused, although it can be read."""

from __future__ import annotations

from pathlib import Path

from cineseq.config.imaging import Inputs
from cineseq.errors import UserError
from cineseq.io.readers.source import Source


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
    source: Source, black: list[tuple[int, str]], frames: int, needed: tuple[str, ...], inputs: Inputs
) -> None:
    """Refuse a movie in which a channel that cells may be found on has no contrast in a frame, or in all of them.

    Parameters
    ----------
    source
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
        Naming the first such channel, and its first black frame where not all are.
    """
    for name in needed:
        found = [frame for frame, channel in black if channel == name]
        if len(found) == frames:
            msg = (
                f"{source.path}: channel {name} is all of one grey level (black) in every one of the {frames} frames "
                "used; mend the file, leave this field out of the sheet, or, where the file itself names its "
                "channels, leave this one out of channels.names."
            )
            raise UserError(msg)
        if found and not inputs.allow_black_frames:
            msg = (
                f"{source.file_of(found[0])}: channel {name} is all of one grey level (black) in {len(found)} of the "
                f"{frames} frames used, the first of them frame {found[0]}; mend the file, leave this "
                "field out of the sheet, or set inputs.allow_black_frames to true to keep such frames."
            )
            raise UserError(msg)
