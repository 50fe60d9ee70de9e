"""Checks and grey-level ranges of the movie channels that the feature steps measure."""

from __future__ import annotations

import logging

import numpy as np

from cineseq.config.features import Function
from cineseq.config.imaging import Channels
from cineseq.errors import UserError
from cineseq.io.stacks import Labels, Movie

logger = logging.getLogger(__name__)
SAMPLED_FRAMES = 50
SAMPLED_PIXELS = 40_000
"""Number of frames, and of pixels per frame, from which the grey-level range of a movie is estimated."""


def check_same_size(labels: Labels, movie: Movie) -> None:
    """Check that masks belong to the movie.

    Raises
    ------
    UserError
        When frames, height or width differ.
    """
    of_labels, of_movie = labels.info, movie.info
    mine = (of_labels.frames, of_labels.height, of_labels.width)
    theirs = (of_movie.frames, of_movie.height, of_movie.width)
    if mine != theirs:
        msg = (
            f"{movie.path}: the movie has {theirs[0]} frames of {theirs[1]} x {theirs[2]} px but its masks have "
            f"{mine[0]} frames of {mine[1]} x {mine[2]} px; give masks and movie of the same field."
        )
        raise UserError(msg)


def channels_for(step: str, wanted: list[str] | None, channels: Channels, movie: Movie) -> tuple[str, ...]:
    """Return the channels that a step measures, in the order of the movie.

    Parameters
    ----------
    step
        ``morphology``, ``embed`` or ``pictures``.
    wanted
        Channels configured for the step; None uses every channel that it may use.
    channels
        Section ``channels``: which channels measure function, and which steps may use these.
    movie
        The movie.

    Raises
    ------
    UserError
        When a function channel or the stain of dead cells is not in the movie (a misspelt name would let it in as an
        ordinary channel), or when a configured channel is not in the movie, is the stain, or is a function channel
        that the step may not use.
    """
    present = movie.info.channels
    _check_present(present, channels.function, movie, "channels.function")
    _check_stain_present(channels, movie)
    allowed = channels.open_to(step, present)
    if wanted is None:
        return allowed
    _check_present(present, wanted, movie, f"{step}.channels")
    if channels.death in wanted:
        msg = (
            f"{step}.channels: '{channels.death}' is the stain of dead cells (channels.death), which is used for "
            "nothing else; take it out of one of them."
        )
        raise UserError(msg)
    barred = [c for c in wanted if c not in allowed]
    if barred:
        msg = (
            f"{step}.channels: '{barred[0]}' measures function and must not enter {step}; take it out, or add "
            f"'{step}' to channels.allow_function_in."
        )
        raise UserError(msg)
    return tuple(c for c in allowed if c in wanted)


def function_channels(channels: Channels, settings: Function, movie: Movie) -> list[str]:
    """Return the channels whose time course is measured: function channels, and channels of scores.

    Raises
    ------
    UserError
        When one of them is not in the movie.
    """
    present = movie.info.channels
    _check_present(present, channels.function, movie, "channels.function")
    _check_present(present, [s.channel for s in settings.scores], movie, "function.scores")
    _check_stain_present(channels, movie)
    wanted = {*channels.function, *(s.channel for s in settings.scores)}
    return [c for c in present if c in wanted]


def _check_stain_present(channels: Channels, movie: Movie) -> None:
    """Raise a :class:`~cineseq.errors.UserError` if the stain of dead cells is configured but not in the movie."""
    stain = [] if channels.death is None else [channels.death]
    _check_present(movie.info.channels, stain, movie, "channels.death")


def _check_present(present: tuple[str, ...], names: list[str], movie: Movie, key: str) -> None:
    absent = [c for c in names if c not in present]
    if absent:
        msg = f"{movie.path}: no channel '{absent[0]}' as named in {key}; the movie has {', '.join(present)}."
        raise UserError(msg)


def grey_range(movie: Movie, channel: str, percentiles: tuple[float, float]) -> tuple[float, float]:
    """Return two percentiles of a channel over the whole movie.

    One range for the whole movie keeps intensities comparable between cells and frames. It is estimated from at most
    :data:`SAMPLED_FRAMES` evenly spaced frames and every n-th pixel of each, which bounds the memory.

    Parameters
    ----------
    movie
        The movie.
    channel
        Name of the channel.
    percentiles
        The lower and the upper percentile, 0 to 100.
    """
    last = movie.info.frames - 1
    frames = np.unique(np.linspace(0, last, min(SAMPLED_FRAMES, last + 1)).round().astype(int))
    # A stride that does not divide the width visits every column of the flattened plane.
    stride = max(1, movie.info.height * movie.info.width // SAMPLED_PIXELS)
    stride += stride > 1 and movie.info.width % stride == 0
    pixels = np.concatenate([movie.plane(int(f), channel).ravel()[::stride] for f in frames])
    low, high = np.percentile(pixels[np.isfinite(pixels)], percentiles)
    return float(low), float(high)
