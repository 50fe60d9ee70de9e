"""Frames that a user annotated: read with their masks, checked, and split into those to learn from and the rest."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from skimage.io import imread
from skimage.segmentation import relabel_sequential
from skimage.transform import resize

from cineseq.errors import UserError


@dataclass(frozen=True)
class AnnotatedImage:
    """One simulated image and the outlines in it.

    Attributes
    ----------
    image
        Grey levels, shape (size, size), float32.
    labels
        One positive integer per cell, shape (size, size), int32, 0 the background.
    """

    image: np.ndarray
    labels: np.ndarray


logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Frame:
    """One annotated frame: its files, its group, its grey levels and labels, both of shape (height, width)."""

    image: Path
    mask: Path
    group: str
    scene: AnnotatedImage


def read_frames(images: list[Path], masks: list[Path], groups: list[str] | None) -> list[Frame]:
    """Read annotated frames; images and masks belong together by their order.

    Raises
    ------
    UserError
        When an image lacks its mask, sizes differ, a file is no single plane, a mask is not made of integers or holds
        no cell, or groups do not match the images.
    """
    if not images:
        msg = "train.images: no image is given; list annotated frames there and their masks in train.masks."
        raise UserError(msg)
    if len(images) != len(masks):
        extra = (images[len(masks) :] or masks[len(images) :])[0]
        msg = (
            f"train.masks: {len(images)} images but {len(masks)} masks, so that {extra} has no partner; give every "
            "image one mask, in the same order."
        )
        raise UserError(msg)
    if groups is not None and len(groups) != len(images):
        msg = f"train.groups: {len(groups)} groups for {len(images)} images; name one for each, or none."
        raise UserError(msg)
    names = groups or [str(path) for path in images]
    return [Frame(i, m, g, _scene(i, m)) for i, m, g in zip(images, masks, names, strict=True)]


def _scene(image: Path, mask: Path) -> AnnotatedImage:
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
    try:
        plane = np.squeeze(imread(path))
    except (OSError, ValueError, SyntaxError) as error:
        msg = f"{path}: not a readable image ({type(error).__name__}); give a TIFF or PNG file."
        raise UserError(msg) from error
    if plane.ndim != 2:
        msg = f"{path}: shape {plane.shape}, but one plane (height, width) was expected; export a single channel."
        raise UserError(msg)
    return plane


def split(frames: list[Frame], held_out: float, seed: int) -> tuple[list[Frame], list[Frame]]:
    """Return the frames to learn from and those held out, whole groups at a time.

    With a share of 0, or a single group, nothing is held out.
    """
    groups = sorted({f.group for f in frames})
    if held_out == 0 or len(groups) == 1:
        return frames, []
    count = min(len(groups) - 1, max(1, round(held_out * len(groups))))
    chosen = set(np.random.default_rng(seed).choice(groups, count, replace=False))
    return [f for f in frames if f.group not in chosen], [f for f in frames if f.group in chosen]


def median_diameter(frames: list[Frame]) -> float:
    """Return the median diameter in px of the cells, as circles of equal area."""
    areas = np.concatenate([np.bincount(f.scene.labels.ravel())[1:] for f in frames])
    return float(2 * np.sqrt(np.median(areas) / np.pi))


def zoomed(scene: AnnotatedImage, zoom: float) -> AnnotatedImage:
    """Return a scene enlarged by ``zoom``."""
    if zoom == 1:
        return scene
    shape = tuple(max(1, round(n * zoom)) for n in scene.image.shape)
    image = resize(scene.image, shape, order=1, anti_aliasing=zoom < 1, preserve_range=True)
    labels = resize(scene.labels, shape, order=0, anti_aliasing=False, preserve_range=True)
    return AnnotatedImage(image.astype(np.float32), relabel_sequential(labels.astype(np.int32))[0].astype(np.int32))
