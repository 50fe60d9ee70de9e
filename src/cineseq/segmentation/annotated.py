"""Read and check frames that a user annotated, and split them into training and held-out frames."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from skimage.io import imread
from skimage.segmentation import relabel_sequential
from skimage.transform import resize

from cineseq.errors import UserError, reading


@dataclass(frozen=True)
class AnnotatedImage:
    """An image and its annotated cells.

    Attributes
    ----------
    image
        Grey levels, shape (height, width), float32.
    labels
        One positive integer per cell, 0 for background, shape (height, width), int32.
    """

    image: np.ndarray
    labels: np.ndarray


logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Frame:
    """An annotated frame: its files, its group, and its grey levels and labels, both of shape (height, width)."""

    image: Path
    mask: Path
    group: str
    annotated: AnnotatedImage


def read_frames(images: list[Path], masks: list[Path], groups: list[str] | None) -> list[Frame]:
    """Read annotated frames; images and masks are matched by their order.

    Raises
    ------
    UserError
        When an image has no mask, sizes differ, a file is not a single plane, a mask has other values than
        integers or has no cell, or the numbers of groups and images differ.
    """
    if not images:
        msg = "train.images: no image is listed; list annotated frames there and their masks in train.masks."
        raise UserError(msg)
    if len(images) != len(masks):
        extra = (images[len(masks) :] or masks[len(images) :])[0]
        msg = (
            f"train.masks: {len(images)} images but {len(masks)} masks, so {extra} has no partner; give one mask "
            "per image, in the same order."
        )
        raise UserError(msg)
    if groups is not None and len(groups) != len(images):
        msg = f"train.groups: {len(groups)} groups for {len(images)} images; name one for each, or none."
        raise UserError(msg)
    names = groups or [str(path) for path in images]
    return [Frame(i, m, g, _annotated_image(i, m)) for i, m, g in zip(images, masks, names, strict=True)]


def _annotated_image(image: Path, mask: Path) -> AnnotatedImage:
    grey, labels = _plane(image), _plane(mask)
    if grey.shape != labels.shape:
        msg = f"{mask}: {labels.shape} pixels, but its image {image} has {grey.shape}; pair or crop them alike."
        raise UserError(msg)
    if labels.dtype.kind not in "ui" or labels.min() < 0:
        msg = f"{mask}: labels must be integers from 0 on, found {labels.dtype}; save one positive integer per cell."
        raise UserError(msg)
    if not labels.any():
        msg = f"{mask}: the mask holds no cell; leave the frame out or annotate it."
        raise UserError(msg)
    return AnnotatedImage(grey.astype(np.float32), relabel_sequential(labels)[0].astype(np.int32))


def _plane(path: Path) -> np.ndarray:
    with reading(path, "not a readable image", "give a TIFF or PNG file"):
        plane = np.squeeze(imread(path))
    if plane.ndim != 2:
        msg = f"{path}: shape {plane.shape}, but one plane (height, width) was expected; export a single channel."
        raise UserError(msg)
    return plane


def split(frames: list[Frame], held_out: float, seed: int) -> tuple[list[Frame], list[Frame]]:
    """Return the training frames and the held-out frames; groups are never split.

    With a fraction of 0, or a single group, nothing is held out.
    """
    groups = sorted({f.group for f in frames})
    if held_out == 0 or len(groups) == 1:
        return frames, []
    count = min(len(groups) - 1, max(1, round(held_out * len(groups))))
    chosen = set(np.random.default_rng(seed).choice(groups, count, replace=False))
    return [f for f in frames if f.group not in chosen], [f for f in frames if f.group in chosen]


def median_diameter(frames: list[Frame]) -> float:
    """Return the median equivalent diameter of the cells (of a circle of equal area), in px."""
    areas = np.concatenate([np.bincount(f.annotated.labels.ravel())[1:] for f in frames])
    return float(2 * np.sqrt(np.median(areas) / np.pi))


def zoomed(annotated: AnnotatedImage, zoom: float) -> AnnotatedImage:
    """Return an annotated image magnified by ``zoom``."""
    if zoom == 1:
        return annotated
    shape = tuple(max(1, round(n * zoom)) for n in annotated.image.shape)
    image = resize(annotated.image, shape, order=1, anti_aliasing=zoom < 1, preserve_range=True)
    labels = resize(annotated.labels, shape, order=0, anti_aliasing=False, preserve_range=True)
    return AnnotatedImage(image.astype(np.float32), relabel_sequential(labels.astype(np.int32))[0].astype(np.int32))
