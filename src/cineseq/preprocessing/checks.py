"""Checks of a user's movie or masks beyond whether they can be read."""

from __future__ import annotations

from pathlib import Path

from cineseq.config.imaging import Inputs
from cineseq.errors import UserError
from cineseq.io.readers.source import Source


def check_single_frame(path: Path, kept: int, recorded: int, inputs: Inputs) -> None:
    """Check that more than one frame is kept, since no cell can be tracked in one frame.

    Raises
    ------
    UserError
        If one frame is kept and ``inputs.allow_single_frame`` is false.
    """
    if kept > 1 or inputs.allow_single_frame:
        return
    problem = "one frame was found" if recorded == 1 else f"frame_step leaves one of {recorded} frames"
    msg = (
        f"{path}: {problem}, in which no cell can be tracked; use the whole movie, or set inputs.allow_single_frame "
        "to true to measure the cells of single frames."
    )
    raise UserError(msg)


def check_black_frames(
    source: Source, black: list[tuple[int, str]], frames: int, needed: tuple[str, ...], inputs: Inputs
) -> None:
    """Check that every channel used for segmentation has contrast in every frame.

    Parameters
    ----------
    source
        The movie.
    black
        (frame, channel) of the planes without contrast.
    frames
        Number of frames.
    needed
        Channels that do not measure function.
    inputs
        ``inputs.allow_black_frames`` allows black frames, but not a channel that is black in all frames.

    Raises
    ------
    UserError
        For the first channel without contrast; the message names its first black frame.
    """
    for name in needed:
        black_frames = [frame for frame, channel in black if channel == name]
        if len(black_frames) == frames:
            msg = (
                f"{source.path}: channel {name} has a single grey level (black) in each of the {frames} frames used; "
                "fix the file, remove this field from the sheet, or, if the file names its channels, leave this one "
                "out of channels.names."
            )
            raise UserError(msg)
        if black_frames and not inputs.allow_black_frames:
            msg = (
                f"{source.file_of(black_frames[0])}: channel {name} has a single grey level (black) in "
                f"{len(black_frames)} of the {frames} frames used, the first of them frame {black_frames[0]}; fix the "
                "file, remove this field from the sheet, or set inputs.allow_black_frames to true to keep such frames."
            )
            raise UserError(msg)
