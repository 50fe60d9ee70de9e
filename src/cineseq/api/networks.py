"""Segmentation and embedding of images in memory; these load torch."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike, fspath
from typing import Any

import numpy as np
import pandas as pd

from cineseq.config.base import FieldOfView
from cineseq.config.features import Embed
from cineseq.config.imaging import Channels, Segment
from cineseq.config.schema import section_from
from cineseq.errors import UserError
from cineseq.features.channels import channels_for
from cineseq.features.crops import crop_side
from cineseq.features.embed_field import Task, embed_objects
from cineseq.features.embedder import load_embedder
from cineseq.io.arrays import as_labels, as_movie, chosen_channels, image_axes
from cineseq.segmentation.cellpose import load_model
from cineseq.segmentation.movie import choose_channels, segment_movie, warn_of_scale
from cineseq.tables.imaging import EMBEDDINGS
from cineseq.tracking.objects import measure as measure_objects


def segment(
    image: Any,
    model: str | PathLike[str] = "compact",
    *,
    axes: str | None = None,
    channels: str | int | Sequence[str | int] | None = None,
    names: Sequence[str] | None = None,
    pixel_size_um: float | None = None,
    **settings: Any,
) -> np.ndarray:
    """Segment the cells of an image or of every frame of a movie.

    Parameters
    ----------
    image : Movie or array
        A movie of :func:`read_movie`, or grey levels of shape YX, CYX or TCYX (frames, channels, rows, columns), of
        any integer or float type.
    model : str or path
        ``"compact"`` (shipped: nuclei, runs on a CPU), ``"compact_phase"`` (shipped: phase contrast, to train on),
        ``"cpsam_v2"`` or ``"cpsam"`` (cellpose; see ``download``), or the file of a checkpoint of one of them.
    axes : str, optional
        Axes of an array that is not YX, CYX or TCYX, one letter each, such as ``"TYX"`` or ``"YXC"``.
    channels : str, int or sequence of them, optional
        Channels to segment on, by name or by number from 0; the compact models take one. By default the first one that
        does not measure function.
    names : sequence of str, optional
        Names of the channels of an array; by default C0, C1, ...
    pixel_size_um : float, optional
        Micrometres per pixel; by default that of the movie. With it, lengths and areas in the settings are in
        micrometres, otherwise in pixels.
    **settings
        Settings of the section ``segment`` of the configuration: ``diameter``, ``min_area``, ``max_area``,
        ``cellprob_threshold``, ``flow_threshold``, ``batch_size``, ``sha256`` and ``download`` (False: no model is
        downloaded).

    Returns
    -------
    numpy.ndarray
        Labels, int32, in the shape of the image without its channel axis: 0 for background, 1, 2, ... for the
        cells of each frame. Labels are not linked between frames, see :func:`track`.

    Raises
    ------
    UserError
        When axes, channels, settings or values do not fit the image, or the model does not exist.

    Notes
    -----
    Flows are predicted and followed as in Cellpose (Stringer et al. 2021, Nature Methods 18, 100; Pachitariu et al.
    2025, bioRxiv 2025.04.28.651001). The compact model is a U-Net trained on simulated nuclei only.

    Examples
    --------
    >>> import numpy as np
    >>> import cineseq as cs
    >>> rows, columns = np.mgrid[:64, :64]
    >>> nucleus = 500.0 * (np.hypot(rows - 30, columns - 34) < 9)
    >>> labels = cs.segment(nucleus + np.random.default_rng(0).normal(100, 5, (64, 64)))
    >>> labels.shape, labels.dtype, int(labels.max())
    ((64, 64), dtype('int32'), 1)
    """
    letters = image_axes(image, axes)
    movie = as_movie(image, axes=axes, names=names, pixel_size_um=pixel_size_um)
    wanted = chosen_channels(movie, channels)
    chosen = section_from(Segment, settings | {"model": _model(model), "channels": wanted}, "segment")
    network = load_model(chosen)
    warn_of_scale(network, chosen)
    on = choose_channels(movie.path, movie.channels, Channels(function=list(movie.function)), chosen, network)
    labels = np.stack([plane.astype(np.int32) for plane in segment_movie(movie, on, network, chosen, [])])
    return _with_axes_of(labels, letters)


def _model(model: str | PathLike[str]) -> str:
    """Return a model as text; raise a UserError for anything but a name or a path."""
    if not isinstance(model, (str, PathLike)):
        msg = f"model: {model!r} should be the name of a model or the path of its weights, such as 'compact'."
        raise UserError(msg)
    return fspath(model)


def _with_axes_of(labels: np.ndarray, letters: str) -> np.ndarray:
    """Return labels, shape TYX, with the axes of their image without C."""
    kept = letters.replace("C", "")
    if "T" not in kept:
        return np.ascontiguousarray(labels[0].transpose(["YX".index(letter) for letter in kept]))
    return np.ascontiguousarray(labels.transpose(["TYX".index(letter) for letter in kept]))


def embed(
    image: Any,
    labels: Any,
    model: str | PathLike[str] = "compact",
    *,
    axes: str | None = None,
    channels: str | int | Sequence[str | int] | None = None,
    names: Sequence[str] | None = None,
    pixel_size_um: float | None = None,
    download: bool = False,
    **settings: Any,
) -> pd.DataFrame:
    """Embed the image of every cell as a vector.

    A square is cropped around each cell, everything but the cell is replaced by local background, and a vision
    transformer embeds the crop; vectors are averaged over rotations.

    Parameters
    ----------
    image : Movie or array
        A movie of :func:`read_movie`, or grey levels of shape YX, CYX or TCYX, of any integer or float type.
    labels : array or Movie
        Label images: whole numbers in the shape of the image without its channel axis, 0 for background; or a movie
        of one channel that holds them.
    model : str or path
        ``"compact"`` (shipped, trained on simulated cells), a file of weights (.safetensors or .pth), a timm name
        such as ``"vit_small_patch14_dinov2.lvd142m"``, or ``"untrained:<architecture>"`` with
        ``allow_untrained=True``, for trials.
    axes : str, optional
        Axes of an array that is not YX, CYX or TCYX, such as ``"TYX"``.
    channels : str, int or sequence of them, optional
        Channels to embed, each separately; by default all that do not measure function. Leave a stain of dead cells
        out of them, or name it as ``function`` of :func:`read_movie`.
    names : sequence of str, optional
        Names of the channels of an array; by default C0, C1, ...
    pixel_size_um : float, optional
        Micrometres per pixel, for ``crop_um``; by default that of the movie.
    download : bool
        Whether a model on the hub that is not in the local cache may be downloaded.
    **settings
        Settings of the section ``embed`` of the configuration: ``crop_um`` or ``crop_px`` (the side of the square; set
        one of them to make images comparable, otherwise it is estimated from these labels), ``surroundings``,
        ``margin_px``, ``clip_percentiles``, ``image_px``, ``orientations``, ``batch_size``, ``bfloat16``,
        ``architecture``, ``revision`` and ``sha256`` (a download needs both) and ``allow_untrained``.

    Returns
    -------
    pandas.DataFrame
        One row per cell and frame: ``frame`` (from 0), ``label`` and ``embedding_<channel>_0000`` and so on, without
        unit; ``embedding_untrained_...`` if the weights are random.

    Raises
    ------
    UserError
        When labels do not fit the image, or channels, settings or the model do not exist.

    Notes
    -----
    The compact model was trained with the DINO objective (Caron et al. 2021, ICCV, 9650) on simulated cells only.

    Examples
    --------
    >>> import numpy as np
    >>> import cineseq as cs
    >>> labels = np.zeros((64, 64), int)
    >>> labels[10:26, 10:26], labels[36:48, 30:50] = 1, 2
    >>> table = cs.embed(100.0 + 50 * (labels > 0), labels)
    >>> table.shape, list(table.columns[:3])
    ((2, 130), ['frame', 'label', 'embedding_C0_0000'])
    """
    letters = image_axes(image, axes)
    movie = as_movie(image, axes=axes, names=names, pixel_size_um=pixel_size_um)
    stack = as_labels(labels, movie, letters.replace("C", ""))
    wanted = chosen_channels(movie, channels)
    chosen = section_from(Embed, settings | {"model": _model(model), "channels": wanted, "frames": "all"}, "embed")
    on = channels_for("embed", chosen.channels, Channels(function=list(movie.function)), movie)
    if not on:
        msg = f"{movie.path}: every channel measures function, so none is left to embed; open it with another one."
        raise UserError(msg)
    embedder = load_embedder(chosen, download=download)
    found, field = measure_objects(stack).table, FieldOfView()
    cells = found[["frame", "label", "y_px", "x_px"]].assign(sample=field.sample, fov=field.fov)
    task = Task(stack, movie, on, embedder, crop_side(stack, chosen), chosen)
    return EMBEDDINGS.check(embed_objects(task, cells)).drop(columns=["sample", "fov"])
