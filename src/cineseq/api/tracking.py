"""Tracking of label images or points, in memory; torch is not loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cineseq.config.base import FieldOfView
from cineseq.config.schema import section_from
from cineseq.config.tracking import Track
from cineseq.errors import UserError
from cineseq.io.arrays import as_labels, as_movie, known_channels, label_array, positive
from cineseq.io.stacks import Labels, MovieInfo
from cineseq.preprocessing.masks import pieces
from cineseq.tables.contract import as_written
from cineseq.tables.imaging import COMPARTMENTS, DETECTIONS, EVENTS, TRACKS
from cineseq.tracking.field import track_objects, track_points
from cineseq.tracking.objects import Objects
from cineseq.tracking.objects import measure as measure_objects
from cineseq.tracking.points import take_points


@dataclass(frozen=True)
class TrackingResult:
    """Result of :func:`track`.

    Attributes
    ----------
    tracks
        One row per track, as :data:`cineseq.tables.imaging.TRACKS`: parent, sister, generation, kinds of start and
        end with their confidence, ``p_death`` and ``p_mitosis`` of unexplained ends, and the model that gave them.
    detections
        One row per cell and frame, as :data:`cineseq.tables.imaging.DETECTIONS`: ``frame``, ``label``, ``track_id``,
        position and area.
    events
        One row per link, division and end, as :data:`cineseq.tables.imaging.EVENTS`, with its confidence.
    """

    tracks: pd.DataFrame
    detections: pd.DataFrame
    events: pd.DataFrame


def track(
    labels: Any,
    pixel_size_um: float | None = None,
    frame_interval_min: float | None = None,
    *,
    image: Any = None,
    axes: str | None = None,
    channels: str | int | Sequence[str | int] | None = None,
    death_channel: str | int | None = None,
    compartments: pd.DataFrame | None = None,
    edits: pd.DataFrame | None = None,
    sample: str = "sample",
    fov: str = "1",
    frames: int | None = None,
    diameter_px: float | None = None,
    **settings: Any,
) -> TrackingResult:
    """Link labelled cells, or points, into tracks and lineages.

    Parameters
    ----------
    labels : array, Movie or pandas.DataFrame
        Label images of one field, whole numbers of shape (frames, height, width), 0 for background, or a movie of one
        channel that holds them; labels need not agree between frames. Or points: a table with ``frame`` (from 0),
        ``y_px`` and ``x_px`` (px), and optionally ``label``, ``area_px`` (px2) and ``track_id``. Points that have the
        same ``track_id`` are one cell, and those that have another are not; points without one (empty or -1) are
        linked with each other and to these tracks. If all have one, these are the tracks: nothing is linked, and no
        division is known. Borders and shapes are unknown for points, so no end is called an exit or a death, and ends
        before the last frame have no confidence.
    pixel_size_um, frame_interval_min : float, optional
        Micrometres per pixel and minutes per frame; by default those of ``image`` if it is a movie. Hours are missing
        if the frame interval is unknown; positions and settings are in px.
    image : Movie or array, optional
        The movie, as evidence of how tracks end (cells condense, bodies stay); for labels only.
    axes : str, optional
        Axes of ``image`` if it is an array that is not TCYX, such as ``"TYX"``.
    channels : str, int or sequence of them, optional
        Channels of ``image`` that are used; by default all that do not measure function, without ``death_channel``.
    death_channel : str or int, optional
        Channel of ``image`` with a stain of dead cells (propidium iodide, Annexin V, a caspase reporter). It gives the
        columns ``stained`` and ``stain_frame`` of ``tracks`` and is used for nothing else. :func:`measure` and
        :func:`embed` do not know of it: leave it out of their ``channels``.
    compartments : pandas.DataFrame, optional
        Cages, wells or droplets, as :data:`cineseq.tables.imaging.COMPARTMENTS`: ``compartment_id``, ``y_px``,
        ``x_px``, ``radius_px`` and ``closed_frame``; ``sample`` and ``fov`` if there are several. Cells do not pass
        the wall of a closed one.
    edits : pandas.DataFrame, optional
        Manual edits: ``action``, ``frame``, ``cell``, ``next_frame``, ``next_cell``,
        ``second_cell``.
    sample, fov : str
        Sample and field of view; tracks are named ``sample/fov/number``.
    frames : int, optional
        Frames of the movie, for points; by default the movie ends with the last point.
    diameter_px : float, optional
        Typical diameter of a cell, for points without ``area_px``; by default the distance between the closest cells.
    **settings
        Settings of the section ``track`` of the configuration: ``search_range_px``, ``motion``, ``overlap_weight``,
        ``fragment_fraction``, ``max_gap``, ``division_probability``, ``step_noise_px``, ``division_rate``,
        ``end_rate``, ``appearance_rate``, ``missed_rate``, ``merges``, ``mitosis_cues``, ``death_confidence``,
        ``allow_empty`` and ``border_px``.

    Returns
    -------
    TrackingResult
        The tables ``tracks``, ``detections`` and ``events``. The end of a track is not called a death without evidence.

    Raises
    ------
    UserError
        When values are not labels or points, the image has another size, settings do not exist, or edits or
        compartments are impossible.

    Notes
    -----
    Links, gaps, divisions, beginnings and ends compete in one decision, as in Jaqaman et al. (2008), Nature Methods 5,
    695. Their log odds follow from steps after the common motion of neighbours, sizes, shapes and overlaps of masks,
    and from rates of events; the movie teaches both by expectation maximisation, with probabilities of events by belief
    propagation. The set of events with the most right links in expectation is found by integer programming.

    Examples
    --------
    >>> import numpy as np
    >>> import cineseq as cs
    >>> labels = np.zeros((4, 60, 60), int)
    >>> for frame in range(4):
    ...     labels[frame, 10 + frame : 20 + frame, 10:20] = 7
    ...     labels[frame, 40:50, 30 - frame : 40 - frame] = 3
    >>> found = cs.track(labels, frame_interval_min=30)
    >>> found.tracks[["track_id", "frames", "end_hours", "end_kind"]].to_numpy().tolist()
    [['sample/1/1', 4, 1.5, 'end_of_movie'], ['sample/1/2', 4, 1.5, 'end_of_movie']]
    """
    chosen = section_from(Track, settings, "track")
    field = section_from(FieldOfView, {"sample": sample, "fov": fov}, "track")
    scales = positive("pixel_size_um", pixel_size_um), positive("frame_interval_min", frame_interval_min)
    if isinstance(labels, pd.DataFrame):
        if image is not None:
            msg = "image: it is used with label images only, since points have no pixels; leave one of them out."
            raise UserError(msg)
        points = take_points(labels, frames, positive("diameter_px", diameter_px))
        objects, info = points.objects, MovieInfo(*points.objects.shape, (), *scales)
    else:
        points = None
        _check_no_points(frames=frames, diameter_px=diameter_px)
        objects, info = _objects(labels, image, axes, scales, channels=channels, death_channel=death_channel)
    if objects.table.empty and not chosen.allow_empty:
        what = "point" if objects.are_points else "cell in any frame"
        msg = f"labels: there is no {what}; check them, or set allow_empty=True to get empty tables."
        raise UserError(msg)
    closed = None if compartments is None else _compartments(compartments, field)
    if points is not None:
        made, _ = track_points(points, closed, edits, info=info, field=field, settings=chosen, where=Path("points"))
    else:
        made, _ = track_objects(objects, closed, edits, info=info, field=field, settings=chosen, where=Path("labels"))
    made_tables = (made.tracks, DETECTIONS.check(made.detections), made.events)
    tables = map(as_written, made_tables, (TRACKS, DETECTIONS, EVENTS))
    return _with_end_labels(TrackingResult(*tables))


def _with_end_labels(result: TrackingResult) -> TrackingResult:
    """Note in ``tracks.attrs["end_label"]`` the label of each track in its last frame, for ``cs.pair``."""
    ends = result.tracks[["track_id", "end_frame"]].merge(
        result.detections, left_on=["track_id", "end_frame"], right_on=["track_id", "frame"]
    )
    result.tracks.attrs["end_label"] = dict(zip(ends["track_id"], ends["label"].astype(int), strict=True))
    return result


def _objects(
    labels: Any,
    image: Any,
    axes: str | None,
    scales: tuple[float | None, float | None],
    *,
    channels: str | int | Sequence[str | int] | None,
    death_channel: str | int | None,
) -> tuple[Objects, MovieInfo]:
    """Measure labels for tracking, with the brightness in an image where there is one."""
    labels = label_array(labels)
    if len(labels.shape) != 3:
        msg = (
            f"labels: {len(labels.shape)} axes; expected (frames, height, width), or a table with frame, y_px and x_px "
            "(a single frame is labels[None])."
        )
        raise UserError(msg)
    if image is None:
        if death_channel is not None:
            msg = "death_channel: it is a channel of image, which is missing; pass the movie as image."
            raise UserError(msg)
        stack = as_labels(labels, pixel_size_um=scales[0], frame_interval_min=scales[1])
        return _checked(measure_objects(stack), stack), stack.info
    movie = as_movie(image, axes=axes, pixel_size_um=scales[0], frame_interval_min=scales[1])
    stack = as_labels(labels, movie)
    stain = None if death_channel is None else known_channels(movie.channels, death_channel, "death_channel")[0]
    open_ones = tuple(name for name in movie.channels if name not in movie.function and name != stain)
    on = open_ones if channels is None else tuple(known_channels(movie.channels, channels, "channels"))
    if stain in on:
        msg = (
            f"death_channel: '{stain}' is among channels too, but a stain is used for nothing else; leave it out there."
        )
        raise UserError(msg)
    return _checked(measure_objects(stack, movie, on, stain), stack), stack.info


def _checked(objects: Objects, stack: Labels) -> Objects:
    """Refuse labels that are black and white: one label only, in several pieces."""
    labels = objects.table["label"]
    if len(labels) and (labels == labels.iloc[0]).all():
        separate, frame = max((pieces(stack[frame] > 0), -frame) for frame in range(len(stack)))
        if separate > 1:
            msg = (
                f"labels: there is one label only, {labels.iloc[0]}, which is in {separate} separate "
                f"pieces in frame {-frame}; number the cells, as skimage.measure.label does."
            )
            raise UserError(msg)
    return objects


def _check_no_points(**only_for_points: object) -> None:
    name = next((name for name, value in only_for_points.items() if value is not None), None)
    if name is not None:
        msg = f"{name}: it is for tables of points only; leave it out for label images."
        raise UserError(msg)


def _compartments(table: pd.DataFrame, field: FieldOfView) -> pd.DataFrame:
    """Return a table of compartments by its contract; rows without sample or field belong to this one."""
    known = [column.name for column in COMPARTMENTS.columns]
    own = {name: value for name, value in (("sample", field.sample), ("fov", field.fov)) if name not in table}
    kept = table.assign(**own)
    try:
        return COMPARTMENTS.check(kept[[name for name in kept.columns if name in known]])
    except ValueError as error:
        msg = f"compartments: {error}; the columns are {', '.join(known)}."
        raise UserError(msg) from None
