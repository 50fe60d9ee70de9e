"""Preparation of a raw movie: choice of frames and channels, corrections, and its planes one by one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from cineseq.config.imaging import Channels, Inputs
from cineseq.errors import UserError
from cineseq.io.grey_levels import Levels
from cineseq.io.readers import ReadOptions, Source
from cineseq.io.stacks import MovieInfo
from cineseq.preprocessing.channel_names import named_channels, no_channel
from cineseq.preprocessing.checks import check_black_frames
from cineseq.preprocessing.compare_fields import GreyLevels, Recorded
from cineseq.preprocessing.drift import Drift, estimate_drift, shift_back
from cineseq.preprocessing.flat_field import estimate_profile, flatten
from cineseq.preprocessing.saturation import Saturation
from cineseq.preprocessing.scales import frame_times, pixel_scale
from cineseq.progress import progress
from cineseq.text import number

logger = logging.getLogger(__name__)

PROFILE_FRAMES = 24
"""Number of frames, spread over the movie, from which an illumination profile is estimated."""
LEVEL_PIXELS = 2**16
"""Number of pixels of a frame, on a grid, from which its grey levels are estimated."""


@dataclass(frozen=True)
class Plan:
    """Frames and channels of a source that make the movie.

    Attributes
    ----------
    frames
        Frames of the source that are kept, in order.
    channels
        Channels of the source that are kept, one for each of ``info.channels``.
    info
        Metadata of the movie.
    needed
        Channels that neither measure function nor stain dead cells, and may be used for segmentation.
    drift_channel
        Channel on which drift is estimated; it does not measure function unless the configuration names it.
    notices
        Sentences for the top of the report on how the file was read.
    """

    frames: range
    channels: tuple[int, ...]
    info: MovieInfo
    needed: tuple[str, ...]
    drift_channel: str
    notices: tuple[str, ...] = ()


def plan_movie(source: Source, inputs: Inputs, channels: Channels, frame_step: int) -> Plan:
    """Choose frames, channels and scales; values of the configuration override those of the file, which is logged.

    Raises
    ------
    UserError
        When channel names do not fit the file, or a function or drift channel or the stain of dead cells is not among
        them.
    """
    info = source.info
    for note in info.notes:
        logger.info("%s", note)
    kept, names = named_channels(source, channels.names)
    uses: dict[str, list[str | None]] = {
        "channels.function": [*channels.function],
        "channels.death": [channels.death],
        "inputs.drift_channel": [inputs.drift_channel],
    }
    for key, wanted in uses.items():
        unknown = [name for name in wanted if name is not None and name not in names]
        if unknown:
            raise no_channel(source, key, unknown[0], names)
    frames = range(0, info.frames, frame_step)
    pixels = pixel_scale(source, inputs)
    times = frame_times(source, inputs)
    kept_times = times.of(frames)
    movie = MovieInfo(
        len(frames),
        info.height,
        info.width,
        names,
        pixels.size_um,
        kept_times.interval_min,
        pixel_aspect=pixels.aspect,
        times_min=kept_times.minutes,
    )
    open_ones = channels.open_to("segment", movie.channels) or movie.channels
    needed = tuple(name for name in names if name not in {*channels.function, channels.death})
    notices = (*info.notices, *pixels.notices, *times.notices)
    for notice in notices:
        logger.warning("%s", notice)
    return Plan(frames, kept, movie, needed, inputs.drift_channel or open_ones[0], notices)


def read_options(inputs: Inputs, channels: Channels, series: str) -> ReadOptions:
    """Return what the configuration and the sheet state on the file of a movie."""
    count = len(channels.names) if isinstance(channels.names, list) else None
    return ReadOptions(count, inputs.axes, series, missing_chunks=inputs.missing_chunks)


@dataclass(frozen=True)
class Corrections:
    """Corrections of every plane: illumination profiles by channel (may be empty), and drift (may be None)."""

    profiles: dict[str, np.ndarray]
    drift: Drift | None

    def applied_to(self, info: MovieInfo) -> MovieInfo:
        """Return the metadata of the corrected movie, with the origin of each frame."""
        if self.drift is None:
            return info
        return replace(info, origins=tuple((-y, -x) for y, x in self.drift.offsets.tolist()))


def estimate_corrections(source: Source, plan: Plan, inputs: Inputs) -> Corrections:
    """Estimate the corrections that the configuration asks for, and log them."""
    profiles = {}
    if inputs.flat_field == "estimate":
        there = [frame for frame in plan.frames if frame not in source.missing]
        chosen = np.linspace(0, len(there) - 1, min(PROFILE_FRAMES, len(there))).round().astype(int)
        for name, channel in zip(plan.info.channels, plan.channels, strict=True):
            planes = (checked_plane(source, there[i], channel) for i in np.unique(chosen))
            profile = estimate_profile(planes, inputs.camera_offset)
            logger.info("Flat field of %s: %s to %s of its mean.", name, number(profile.min()), number(profile.max()))
            profiles[name] = profile
    drift = None
    if inputs.drift == "translation":
        name = plan.drift_channel
        channel = plan.channels[plan.info.channels.index(name)]
        frames = progress(plan.frames, "Drift", logger)
        planes = (_flat(checked_plane(source, f, channel), name, profiles, inputs) for f in frames)
        drift = estimate_drift(planes)
        logger.info("Drift on %s: up to %s px from the first frame.", name, number(drift.largest_px, 0))
        if drift.doubted:
            logger.warning("Implausibly large drift of frames %s was set to zero.", list(drift.doubted))
    return Corrections(profiles, drift)


def _flat(plane: np.ndarray, name: str, profiles: dict[str, np.ndarray], inputs: Inputs) -> np.ndarray:
    """Return a plane divided by the illumination profile of its channel, if there is one."""
    return flatten(plane, profiles[name], inputs.camera_offset) if name in profiles else plane


def checked_plane(source: Source, frame: int, channel: int) -> np.ndarray:
    """Read a plane as uint8, uint16 or float32.

    Raises
    ------
    UserError
        If pixels are not single numbers, or values are not finite.
    """
    plane = source.plane(frame, channel)
    if plane.dtype in (np.uint8, np.uint16):
        return plane
    if plane.dtype.kind not in "uif":
        msg = f"{source.path}: frame {frame} is of type {plane.dtype}; expected grey levels (8 or 16 bit, or float)."
        raise UserError(msg)
    if not np.isfinite(plane).all():
        msg = f"{source.path}: frame {frame} of channel {channel} has values that are not finite; fix the image."
        raise UserError(msg)
    return plane.astype(np.float32)


@dataclass
class Tally:
    """Statistics of the raw planes, collected while they are read.

    Attributes
    ----------
    black
        (frame of the source, channel) of planes without contrast.
    counts
        Counts of the grey levels of each channel.
    saturation
        Pixels at the highest level of each channel.
    levels
        Median and .999 quantile of a sample of the pixels of each frame, per channel.
    """

    black: list[tuple[int, str]] = field(default_factory=list)
    counts: dict[str, Levels] = field(default_factory=dict)
    saturation: Saturation = field(default_factory=Saturation)
    levels: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def see(self, plane: np.ndarray, frame: int, name: str) -> None:
        """Count one raw plane."""
        if plane.min() == plane.max():
            self.black.append((frame, name))
        self.counts.setdefault(name, Levels()).add(plane)
        step = max(1, round((plane.size / LEVEL_PIXELS) ** 0.5))
        typical, bright = np.quantile(plane[::step, ::step], (0.5, 0.999)).tolist()
        self.levels.setdefault(name, []).append((typical, bright))

    def grey_levels(self) -> dict[str, GreyLevels]:
        """Return the grey levels of each channel: the median over frames, and those of the brightest frame."""
        return {
            name: GreyLevels(typical=float(np.median([t for t, _ in seen])), bright=max(b for _, b in seen))
            for name, seen in self.levels.items()
        }

    def saturated(self, name: str) -> tuple[float, float]:
        """Return the saturated level of a channel and the fraction of pixels there, 0 where none is known to be."""
        return self.counts[name].saturated() or (0.0, 0.0)

    def saturated_share(self, name: str) -> float:
        """Return the fraction of saturated pixels, see :meth:`cineseq.io.grey_levels.Levels.saturated`."""
        return self.saturated(name)[1]


@dataclass(frozen=True)
class Recording:
    """A source with its plan and its corrections, which gives the planes of the prepared movie in any order.

    Attributes
    ----------
    source, plan, corrections, inputs
        The source, the planes that are kept, and their corrections.
    kinds
        Type of the planes of each channel of the source.
    """

    source: Source
    plan: Plan
    corrections: Corrections
    inputs: Inputs
    kinds: dict[int, np.dtype]

    @classmethod
    def of(cls, source: Source, plan: Plan, corrections: Corrections, inputs: Inputs) -> Recording:
        """Read the first plane of every channel for its type."""
        kinds = {c: checked_plane(source, plan.frames[0], c).dtype for c in plan.channels}
        return cls(source, plan, corrections, inputs, kinds)

    def recorded(self, tally: Tally) -> Recorded:
        """Return what this field holds, to be compared with the other fields."""
        info = self.plan.info
        kinds = {name: str(self.kinds[c]) for name, c in zip(info.channels, self.plan.channels, strict=True)}
        return Recorded(
            channels=kinds,
            grey_levels=tally.grey_levels(),
            pixel_size_um=info.pixel_size_um,
            frame_interval_min=info.frame_interval_min,
        )

    def raw_plane(self, index: int, position: int) -> np.ndarray:
        """Return the plane of a frame and a channel of the movie, both from 0, as recorded.

        Raises
        ------
        UserError
            When it differs from the first plane of the channel in shape or type; the message names its frame.
        """
        frame, channel = self.plan.frames[index], self.plan.channels[position]
        shape = (self.plan.info.height, self.plan.info.width)
        raw = checked_plane(self.source, frame, channel)
        if (raw.shape, raw.dtype) != (shape, self.kinds[channel]):
            msg = (
                f"{self.source.path}: frame {frame} of channel {self.plan.info.channels[position]} is {raw.dtype} of "
                f"shape {raw.shape}, but {self.kinds[channel]} of {shape} was expected; all frames of a channel must "
                "be alike."
            )
            raise UserError(msg)
        return raw

    def corrected(self, raw: np.ndarray, index: int, position: int) -> np.ndarray:
        """Return a corrected plane: in the common type, with even illumination and without drift."""
        # Cameras and exports mix 8 and 16 bit between channels; the movie has the type that holds them all.
        common = np.result_type(*self.kinds.values())
        name = self.plan.info.channels[position]
        profiles = {} if self.plan.frames[index] in self.source.missing else self.corrections.profiles
        plane = _flat(raw.astype(common, copy=False), name, profiles, self.inputs)
        return self.without_drift(plane, index)

    def without_drift(self, plane: np.ndarray, index: int) -> np.ndarray:
        """Return a plane shifted back as its frame is."""
        drift = self.corrections.drift
        return plane if drift is None else shift_back(plane, drift.offsets[index])

    def plane(self, index: int, position: int) -> np.ndarray:
        """Return one corrected plane."""
        return self.corrected(self.raw_plane(index, position), index, position)


def corrected_planes(recording: Recording, tally: Tally) -> Iterator[np.ndarray]:
    """Yield the movie's planes in frame-major, then channel order, one in memory at a time.

    Raises
    ------
    UserError
        See :meth:`Recording.raw_plane`; after the last plane, when a channel used for segmentation has no contrast in
        some frame (see ``inputs.allow_black_frames``) or in all frames.
    """
    plan = recording.plan
    last = (len(plan.frames) - 1, len(plan.channels) - 1)
    for index, frame in enumerate(progress(plan.frames, "Frames", logger)):
        for position, name in enumerate(plan.info.channels):
            raw = recording.raw_plane(index, position)
            if frame not in recording.source.missing:
                tally.see(raw, frame, name)
                at_top = tally.saturation.see(raw, name)
                if at_top is not None:
                    tally.saturation.keep(recording.without_drift(at_top, index), index, name)
            if (index, position) == last:  # now, since a writer requests nothing after the last plane
                seen = len(set(plan.frames) - set(recording.source.missing))
                check_black_frames(recording.source, tally.black, seen, plan.needed, recording.inputs)
            yield recording.corrected(raw, index, position)
