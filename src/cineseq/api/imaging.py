"""Movies and shapes in memory; torch is not loaded."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import pandas as pd

from cineseq.config.base import FieldOfView
from cineseq.config.features import Morphology
from cineseq.config.imaging import Channels, Inputs
from cineseq.config.schema import section_from
from cineseq.errors import UserError
from cineseq.features.channels import channels_for
from cineseq.features.morphology import MeasuredChannels
from cineseq.features.morphology import measure as measure_stack
from cineseq.io.arrays import as_labels, as_movie, chosen_channels, image_axes, label_array, positive
from cineseq.io.named_files import named_files
from cineseq.io.readers import open_source
from cineseq.io.stacks import Movie
from cineseq.preprocessing.movie import Recording, estimate_corrections, plan_movie, read_options
from cineseq.tables.imaging import MORPHOLOGY


def read_movie(
    path: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    channels: str | Sequence[str] | Mapping[str, str] | None = None,
    function: str | Sequence[str] = (),
    pixel_size_um: float | None = None,
    frame_interval_min: float | None = None,
    frame_step: int = 1,
    channel_pattern: str | None = None,
    series: str | int = "",
    axes: str | None = None,
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
    channels : str, sequence of str or mapping, optional
        Names of the channels. If all of these are in the file, they select and order the channels that are kept. A
        mapping renames channels, such as ``{"DAPI": "nuclei"}``; a list names all channels in file order where the file
        has no names or placeholders.
    function : str or sequence of str
        Channels that measure function: :func:`segment`, :func:`track`, :func:`measure` and :func:`embed` then leave
        them out. Name a stain of dead cells here too, so that it is left out as well.
    pixel_size_um, frame_interval_min : float, optional
        Micrometres per pixel, and minutes between frames as recorded; by default those of the file.
    frame_step : int
        Keep every n-th frame; the frame interval grows with it.
    channel_pattern : str, optional
        Regular expression searched in the paths of a series, with a group ``channel`` or ``frame`` or both, such as
        ``"_(?P<channel>[PRG])_"``, or the name of a microscope, such as ``"operetta"``.
    series : str or int, optional
        Name, or number from 0, of the image in a file that holds several (positions).
    axes : str, optional
        Axes of the stored arrays, one letter each, such as ``"TCYX"`` or ``"TYXC"``; by default those of the file.
    **settings
        Other settings of the section ``inputs`` of the configuration: ``missing_frames``, ``frame_times``,
        ``flat_field``, ``camera_offset``, ``drift`` and ``drift_channel``. By default nothing is corrected.

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
        Inputs,
        settings | scales | {"channel_pattern": channel_pattern, "frame_step": frame_step, "axes": axes},
        "read_movie",
    )
    named: dict[str, Any] = {"names": channels, "function": _names(function)}
    if channels is not None:
        named["names"] = dict(channels) if isinstance(channels, Mapping) else _names(channels)
    chosen = section_from(Channels, named, "read_movie")
    with ExitStack() as opened:
        options = read_options(inputs, chosen, str(series))
        source = opened.enter_context(open_source(_files(path), channel_pattern, options, inputs.missing_frames))
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
        files = [Path(one) for one in named_files(name, recursive=True)[0]]
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
        Channels whose intensity and texture are measured; by default all that do not measure function. Leave a stain
        of dead cells out of them, or name it as ``function`` of :func:`read_movie`.
    names : sequence of str, optional
        Names of the channels of an array, used in the names of columns; by default C0, C1, ...
    **settings
        Settings of the section ``morphology`` of the configuration: ``background_gap_px``, ``background_ring_px``,
        ``texture_levels``, ``texture_distance_px``, ``minimum_area_px``, and ``spots=True`` with ``spot_radius_px`` and
        ``spot_threshold``, which adds the number and the summed intensity of bright spots in each channel.

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
