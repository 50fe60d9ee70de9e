"""Crops decoded from latent variables of morphology, judged in held-out cells beside what needs no decoder."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cineseq.generative.network import NetworkMean, network
from cineseq.generative.representations import principal_axes
from cineseq.prediction.crossval.folds import inner_splits

SIDE = 32
"""Side of the crops that are decoded, in pixels; larger ones are scaled down."""
COMPONENTS = 50
"""Most principal components of the pixels that the network gives; they are learned in the training cells too."""
GREYS = 255.0


@dataclass(frozen=True)
class Decoder:
    """A network from latent variables of morphology to crops, learned in the training cells of a fold.

    Attributes
    ----------
    centre, scale
        Mean and standard deviation of the latents in the training cells, shape (latents,) each.
    net
        From scaled latents to scores of the components.
    mean
        Mean crop of the training cells, shape (channels, side, side).
    axes
        Components of the pixels of all channels, shape (pixels, components).
    """

    centre: np.ndarray
    scale: np.ndarray
    net: NetworkMean
    mean: np.ndarray
    axes: np.ndarray

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """Return the crops of latents, shape (cells, latents) to (cells, channels, side, side)."""
        pixels = self.net.predict((latents - self.centre) / self.scale) @ self.axes.T
        return np.clip(self.mean + pixels.reshape(-1, *self.mean.shape), 0, 1)


def fit_decoder(latents: np.ndarray, crops: np.ndarray, units: np.ndarray, inner: int, seed: int) -> Decoder:
    """Learn to decode crops from latents, stopped by grouped inner folds; without any training it is the mean crop.

    Parameters
    ----------
    latents
        Of the training cells, shape (cells, latents).
    crops
        Their crops, shape (cells, channels, side, side), from :func:`aligned`.
    units
        Group of each cell, shape (cells,); at least two groups.
    inner
        Number of inner folds.
    seed
        Seed of weights and batches.
    """
    centre, deviation = latents.mean(axis=0), latents.std(axis=0)
    scale = np.where(deviation > 0, deviation, 1.0)
    mean = crops.mean(axis=0)
    pixels = (crops - mean).reshape(len(crops), -1)
    axes = principal_axes(pixels, COMPONENTS)
    groups = np.unique(units, return_inverse=True)[1]
    net, _ = network((latents - centre) / scale, pixels @ axes, inner_splits(groups, inner), seed)
    return Decoder(centre, scale, net, mean, axes)


def aligned(images: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Turn crops so that the long axis of each cell is horizontal and its heavier ends point right and down.

    How a cell lies in the field is in no latent variable, so that it could not be decoded.

    Parameters
    ----------
    images
        Grey levels 0 to 255, shape (cells, channels, side, side).
    masks
        Which pixels are the cell, shape (cells, side, side).

    Returns
    -------
    numpy.ndarray
        Grey levels 0 to 1, shape (cells, channels, :data:`SIDE`, :data:`SIDE`).
    """
    turned = np.empty((*images.shape[:2], SIDE, SIDE), np.float32)
    step = images.shape[-1] / SIDE
    middle = np.full(2, (SIDE - 1) / 2)
    for number, (crop, mask) in enumerate(zip(images, masks, strict=True)):
        centre, axes = _pose(mask)
        # Rows and columns of the input are its centre plus those of the output along the axes of the cell.
        to_input = axes * step
        for channel, plane in enumerate(crop):
            turned[number, channel] = ndimage.affine_transform(
                plane.astype(np.float32), to_input, centre - to_input @ middle, (SIDE, SIDE), order=1, mode="nearest"
            )
    return turned / GREYS


def _pose(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the centre of a cell, row and column, and its short and long axis as columns, shape (2, 2)."""
    points = np.argwhere(mask).astype(float)
    if len(points) < 2:
        return (np.array(mask.shape) - 1) / 2, np.eye(2)
    centre = points.mean(axis=0)
    axes = np.linalg.eigh(np.cov((points - centre).T))[1]
    skew = (((points - centre) @ axes) ** 3).sum(axis=0)
    signs = np.where(skew < -1e-6, -1.0, 1.0)
    # Axes without skewness have the sign that makes their largest part positive.
    largest = axes[np.abs(axes).argmax(axis=0), [0, 1]]
    return centre, axes * np.where(np.abs(skew) <= 1e-6, np.sign(largest), signs)


def squared_errors(real: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Return the mean squared difference of the pixels of each cell, shape (cells,)."""
    return np.square(real - shown).reshape(len(real), -1).mean(axis=1)
