"""Movies, tracks and shapes in memory; none of these loads torch."""

from __future__ import annotations

import glob
import weakref
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cineseq.config.base import FieldOfView
from cineseq.config.features import Morphology
from cineseq.config.imaging import Channels, Inputs
from cineseq.config.schema import section_from
from cineseq.config.tracking import Track
from cineseq.errors import UserError
from cineseq.features.channels import channels_for
from cineseq.features.morphology import MeasuredChannels
from cineseq.features.morphology import measure as measure_stack
from cineseq.io.arrays import as_labels, as_movie, chosen_channels, image_axes, known_channels, label_array, positive
from cineseq.io.readers import open_source
from cineseq.io.stacks import Movie, MovieInfo
from cineseq.preprocessing.movie import Recording, estimate_corrections, plan_movie
from cineseq.tables.contract import Table
from cineseq.tables.imaging import COMPARTMENTS, DETECTIONS, EVENTS, MORPHOLOGY, TRACKS
from cineseq.tracking.field import track_objects
from cineseq.tracking.objects import Objects
from cineseq.tracking.objects import measure as measure_objects
from cineseq.tracking.points import take_points


def read_movie(
    path: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    channels: str | Sequence[str] | None = None,
    function: str | Sequence[str] = (),
    pixel_size_um: float | None = None,
    frame_interval_min: float | None = None,
    frame_step: int = 1,
    channel_pattern: str | None = None,
    **settings: Any,
) -> Movie:
    """Open a movie or an image in any format that the workflow reads.

    Sizes and names are read at once, and planes on request; the files stay open as long as the movie is in use.

    Parameters
    ----------
    path : path or sequence of paths
        One OME-TIFF, TIFF stack, PNG or OME-Zarr (2 or 3, zipped or not), or a series of TIFF or PNG files: their
        folder, a pattern such as ``"run1/t*.tif"``, or a list. Each file of a series is a frame, in the order of the
        numbers in the names.
    channels : str or sequence of str, optional
        Names of the channels. If the file has names and all of these are among them, they select and order the
        channels that are kept; otherwise they rename all channels in file order.
    function : str or sequence of str
        Channels that measure function: :func:`segment`, :func:`track`, :func:`measure` and :func:`embed` then leave
        them out.
    pixel_size_um, frame_interval_min : float, optional
        Micrometres per pixel, and minutes between frames as recorded; by default those of the file.
    frame_step : int
        Keep every n-th frame; the frame interval grows with it.
    channel_pattern : str, optional
        Regular expression searched in the names of a series, with a group ``channel`` and optionally ``frame``, such
        as ``"_(?P<channel>[PRG])_"``.
    **settings
        Other settings of the section ``inputs`` of the configuration: ``flat_field``, ``camera_offset``, ``drift`` and
        ``drift_channel``. By default nothing is corrected.

    Returns
    -------
    Movie
        ``data`` (frames, channels, height, width; read on first use), ``channels`` (names),
        ``pixel_size_um`` and ``frame_interval_min`` (None where unknown). ``plane(frame, channel)`` reads one plane,
        and ``numpy.asarray`` also works.

    Raises
    ------
    UserError
        When the file does not exist, has no known format or is damaged, or when channels or settings do not fit it.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import tifffile
    >>> import cineseq as cs
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tifffile.imwrite(f"{folder}/m.ome.tif", np.zeros((5, 2, 32, 48), np.uint16), metadata={"axes": "TCYX"})
    ...     movie = cs.read_movie(f"{folder}/m.ome.tif", channels=["nuclei", "lipid"], frame_interval_min=10)
    ...     movie.data.shape, movie.channels, movie.pixel_size_um, movie.frame_interval_min
    ((5, 2, 32, 48), ('nuclei', 'lipid'), None, 10.0)
    """
    scales = {
        "pixel_size_um": positive("pixel_size_um", pixel_size_um),
        "frame_interval_min": positive("frame_interval_min", frame_interval_min),
    }
    inputs = section_from(
        Inputs, settings | scales | {"channel_pattern": channel_pattern, "frame_step": frame_step}, "read_movie"
    )
    named = {"names": None if channels is None else _names(channels), "function": _names(function)}
    chosen = section_from(Channels, named, "read_movie")
    with ExitStack() as opened:
        expected = None if chosen.names is None else len(chosen.names)
        source = opened.enter_context(open_source(_files(path), channel_pattern, expected))
        plan = plan_movie(source, inputs, chosen, inputs.frame_step)
        corrections = estimate_corrections(source, plan, inputs)
        recording = Recording.of(source, plan, corrections, inputs)
        movie = Movie(source.path, corrections.applied_to(plan.info), recording.plane, tuple(chosen.function))
        weakref.finalize(movie, opened.pop_all().close)
    return movie


def _names(names: str | Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _files(path: str | PathLike[str] | Sequence[str | PathLike[str]]) -> list[Path]:
    """Return the paths that a path, a pattern or a list of paths names."""
    if not isinstance(path, (str, PathLike)):
        given = list(path) if isinstance(path, Iterable) else [path]
        if not all(isinstance(one, (str, PathLike)) for one in given):
            msg = (
                f"path: expected a path, a pattern or a list of paths, not a {type(path).__name__}; pass an array to "
                "segment, track, measure or embed directly, without read_movie."
            )
            raise UserError(msg)
        files = [Path(fspath(one)).expanduser() for one in given]
    else:
        name = str(Path(fspath(path)).expanduser())
        found = [name] if Path(name).exists() else sorted(glob.glob(name, recursive=True))  # noqa: PTH207 - absolute too
        files = [Path(one) for one in found]
    missing = next((file for file in files if not file.exists()), None)
    if missing is not None or not files:
        msg = f"path: there is no file or folder '{missing or path}', nor one that matches this pattern; correct it."
        raise UserError(msg)
    return files


def measure(
    image: Any,
    labels: Any,
    pixel_size_um: float | None = None,
    *,
    axes: str | None = None,
    channels: str | int | Sequence[str | int] | None = None,
    names: Sequence[str] | None = None,
    **settings: Any,
) -> pd.DataFrame:
    """Measure size, shape, intensity and texture of every cell.

    Parameters
    ----------
    image : Movie, array or None
        A movie of :func:`read_movie`, or grey levels of shape YX, CYX or TCYX, of any integer or float type; None
        measures shape alone.
    labels : array or Movie
        Label images: whole numbers in the shape of the image without its channel axis, 0 for background; or a movie
        of one channel that holds them. Each label is one cell of a frame, even if it is in several pieces.
    pixel_size_um : float, optional
        Micrometres per pixel; by default that of the movie. Without it, lengths and areas are in pixels.
    axes : str, optional
        Axes of an array that is not YX, CYX or TCYX, such as ``"TYX"``.
    channels : str, int or sequence of them, optional
        Channels whose intensity and texture are measured; by default all that do not measure function.
    names : sequence of str, optional
        Names of the channels of an array, used in the names of columns; by default C0, C1, ...
    **settings
        Settings of the section ``morphology`` of the configuration: ``background_gap_px``, ``background_ring_px``,
        ``texture_levels``, ``texture_distance_px`` and ``minimum_area_px``.

    Returns
    -------
    pandas.DataFrame
        One row per cell and frame: ``frame`` (from 0), ``label`` and ``morphology_*``, whose names end in their unit:
        ``_um``, ``_um2`` or ``_px``, ``_px2``.

    Raises
    ------
    UserError
        When labels do not fit the image, or channels or settings do not exist.

    Notes
    -----
    Textures are those of Haralick et al. (1973), IEEE Trans. Syst. Man Cybern. SMC-3, 610, over four directions.

    Examples
    --------
    >>> import numpy as np
    >>> import cineseq as cs
    >>> labels = np.zeros((40, 40), int)
    >>> labels[5:15, 5:25], labels[20:32, 20:32] = 1, 2
    >>> table = cs.measure(np.where(labels == 2, 300, 100), labels, pixel_size_um=0.5)
    >>> table[["frame", "label", "morphology_area_um2", "morphology_C0_mean"]].round(1).to_numpy().tolist()
    [[0, 1, 50.0, 100.0], [0, 2, 36.0, 300.0]]
    """
    chosen = section_from(Morphology, settings, "measure")
    if image is None:
        letters = None if axes is None else image_axes(label_array(labels), axes)
        if letters is not None and "C" in letters:
            msg = f"axes: '{axes}' has channels C, but labels have none and there is no image; use 'TYX' or 'YX'."
            raise UserError(msg)
        stack, optics = as_labels(labels, axes=letters, pixel_size_um=pixel_size_um), None
    else:
        letters = image_axes(image, axes)
        movie = as_movie(image, axes=axes, names=names, pixel_size_um=pixel_size_um)
        stack = as_labels(labels, movie, letters.replace("C", ""))
        wanted = chosen_channels(movie, channels)
        on = channels_for("morphology", wanted, Channels(function=list(movie.function)), movie)
        optics = MeasuredChannels.of(movie, on)
    table, _ = measure_stack(stack, optics, chosen)
    field = FieldOfView()
    return MORPHOLOGY.check(table.assign(sample=field.sample, fov=field.fov)).drop(columns=["sample", "fov"])


@dataclass(frozen=True)
class TrackingResult:
    """Result of :func:`track`.

    Attributes
    ----------
    tracks
        One row per track, as :data:`cineseq.tables.imaging.TRACKS`: parent, sister, generation, kinds of start and
        end with their confidence.
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
        ``y_px`` and ``x_px`` (px), and optionally ``label`` and ``area_px`` (px2). Borders and shapes are unknown for
        points, so no end is called an exit or a death, and ends before the last frame have no confidence.
    pixel_size_um, frame_interval_min : float, optional
        Micrometres per pixel and minutes per frame; by default those of ``image`` if it is a movie. Hours are missing
        if the frame interval is unknown; positions and settings are in px.
    image : Movie or array, optional
        The movie, as evidence of deaths (dying cells brighten); for labels only.
    axes : str, optional
        Axes of ``image`` if it is an array that is not TCYX, such as ``"TYX"``.
    channels : str, int or sequence of them, optional
        Channels of ``image`` that are used; by default all that do not measure function.
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
        ``fragment_fraction``, ``max_gap``, ``division_cost``, ``mitosis_cues``, ``death_confidence``, ``allow_empty``
        and ``border_px``.

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
    After the common motion of neighbours is removed, cells are linked between frames by the assignment of lowest total
    cost, as in Jaqaman et al. (2008), Nature Methods 5, 695. Divisions are the best compatible set of hypotheses, found
    by integer programming.

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
        objects = take_points(labels, frames, positive("diameter_px", diameter_px))
        info = MovieInfo(*objects.shape, (), *scales)
    else:
        _check_no_points(frames=frames, diameter_px=diameter_px)
        objects, info = _objects(labels, image, axes, channels, scales)
    if objects.table.empty and not chosen.allow_empty:
        what = "point" if objects.are_points else "cell in any frame"
        msg = f"labels: there is no {what}; check them, or set allow_empty=True to get empty tables."
        raise UserError(msg)
    closed = None if compartments is None else _compartments(compartments, field)
    made, _ = track_objects(objects, closed, edits, info=info, field=field, settings=chosen, where=Path("labels"))
    detections = DETECTIONS.check(made.detections)
    if objects.are_points:
        known = "area_px" in labels
        area = detections["area_px"] if known else np.nan
        detections = detections.assign(area_px=area, touches_border=pd.array([pd.NA] * len(detections), "boolean"))
    tables = map(_by_key, (made.tracks, detections, made.events), (TRACKS, DETECTIONS, EVENTS))
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
    channels: str | int | Sequence[str | int] | None,
    scales: tuple[float | None, float | None],
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
        stack = as_labels(labels, pixel_size_um=scales[0], frame_interval_min=scales[1])
        return measure_objects(stack), stack.info
    movie = as_movie(image, axes=axes, pixel_size_um=scales[0], frame_interval_min=scales[1])
    stack = as_labels(labels, movie)
    open_ones = tuple(name for name in movie.channels if name not in movie.function)
    on = open_ones if channels is None else tuple(known_channels(movie.channels, channels, "channels"))
    return measure_objects(stack, movie, on), stack.info


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


def _by_key(table: pd.DataFrame, contract: Table) -> pd.DataFrame:
    return contract.check(table).sort_values(list(contract.key), kind="stable", ignore_index=True)
