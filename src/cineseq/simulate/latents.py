"""Latent variables of each cell, on which its function, shape and expression depend."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cineseq.config.simulate import Simulate
from cineseq.statistics.streams import stream


def spread(probability: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw true or false by probability so that each run of rows has its expected number of true, plus or minus one.

    This is systematic sampling along the given order. It keeps a simulated association close to its expected strength
    in a small sample.

    Parameters
    ----------
    probability
        Probabilities, shape (n,), in the order along which the draws are spread.
    rng
        Random generator; one number is drawn.
    """
    ladder = np.concatenate([[0.0], np.cumsum(probability)]) + rng.random()
    return np.diff(np.floor(ladder)) > 0


LOADINGS = {
    "size": 0.60,
    "elongation": -0.60,
    "brightness": 0.55,
    "nuclear_texture": 0.70,
    "bright_texture": 0.70,
}
"""Correlation of each shape feature with the latent that is associated with function."""


SHARED = ("shape_early", "shape_late", "shape_joint", "shape_size")
"""What shape shares with expression within a field, apart from function; groups of genes have the same names.

The first is the part of elongation that is independent of function, seen throughout a cell's life. The second is that
of the texture in bright field, which fades in at the end of the movie. The third is a bounded product of elongation and
size, which no linear function of shape predicts. The last is the part of size that is independent of function.
"""
FADES_IN = (9, 2)
"""The second part of :data:`SHARED` fades in from the first to the second of these numbers of frames before the end."""
JOINT = 2.4
"""Factor that gives the third part of :data:`SHARED` a standard deviation of about 1."""


def coupling(expression: float, morphology: float, both: float) -> tuple[float, float, float]:
    """Return weights of two standard latents, and their correlation, that explain given fractions of the variance.

    With function ``a z_e + b z_m + noise`` of unit variance and ``r`` the correlation of the latents, the squared
    correlation of function with ``z_e`` is ``expression``, with ``z_m`` it is ``morphology``, and their multiple
    correlation squared is ``both``.

    Parameters
    ----------
    expression, morphology, both
        Fractions of the variance, each in (0, 1); ``both`` lies between the larger and the sum of the others.

    Returns
    -------
    tuple of float
        The weights ``a``, ``b`` and the correlation ``r``.
    """
    p, q = np.sqrt(expression), np.sqrt(morphology)
    # both (1 - r^2) = p^2 + q^2 - 2 p q r, solved for the root between 0 and min(p/q, q/p)
    r = (p * q - np.sqrt(max(0.0, p * p * q * q - both * (expression + morphology - both)))) / both
    a, b = (p - r * q) / (1 - r * r), (q - r * p) / (1 - r * r)
    return float(a), float(b), float(r)


def balanced(draws: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Whiten draws so that among some cells they have mean 0, variance 1 and no correlation.

    Among a few hundred cells, chance correlations can halve or double a weak signal; balanced draws have the specified
    effects in every field. The symmetric (ZCA) whitening changes the draws least.

    Parameters
    ----------
    draws
        Independent draws, shape (draws, cells).
    cells
        Mask of the cells among which the draws are balanced, shape (cells,).
    """
    centred = draws - draws[:, cells].mean(1, keepdims=True)
    size, axes = np.linalg.eigh(np.cov(centred[:, cells], ddof=0))
    return axes @ np.diag(1 / np.sqrt(np.maximum(size, 1e-6))) @ axes.T @ centred


def draw_latents(cells: pd.DataFrame, settings: Simulate, seed: int, sample: str, fov: str) -> pd.DataFrame:
    """Draw the latents and the function of every cell of one field of view.

    Where an effect is switched off, the same numbers are drawn, but the module (or the shape) depends on another latent
    that is independent of function; function itself does not change.

    Returns
    -------
    pandas.DataFrame
        One row per cell: ``module`` (that of the expression module), ``shape`` (that of the features), one column per
        feature in :data:`LOADINGS`, ``function`` (mean 0, variance 1 over fields), ``library``, what genes share with
        shape (:data:`SHARED`), and ``bright_texture_before``, the texture before the second of these fades in.
    """
    rng = stream(seed, "latents", sample, fov)
    a, b, r = coupling(settings.expression_r2, settings.morphology_r2, settings.both_r2)
    alive = (cells["end_kind"] == "end_of_movie").to_numpy()
    # Latents of expression and of shape (correlated by r), noise, and latents that are independent of function.
    z_e, own, noise, null_e, null_m = balanced(rng.standard_normal((5, len(cells))), alive)
    library = rng.standard_normal(len(cells))
    z_m = r * z_e + np.sqrt(1 - r * r) * own
    field_shift = stream(seed, "field shift", sample, fov).standard_normal()
    # Function: what both latents share with it, noise, and a shift of the field.
    left = 1 - settings.both_r2 - settings.field_variance
    function = a * z_e + b * z_m + np.sqrt(left) * noise
    function += np.sqrt(settings.field_variance) * field_shift * settings.plants("confounder")
    latents = pd.DataFrame(
        {
            "module": z_e if settings.plants("expression") else null_e,
            "shape": z_m if settings.plants("morphology") else null_m,
            "function": function,
            "library": library,
        }
    )
    own = {name: rng.standard_normal(len(cells)) for name in LOADINGS}
    for name, loading in LOADINGS.items():
        latents[name] = loading * latents["shape"] + np.sqrt(1 - loading**2) * own[name]
    latents["bright_texture_before"] = LOADINGS["bright_texture"] * latents["shape"]
    # What genes share with shape: the parts of features that are independent of function, or as many random numbers.
    both = latents["elongation"].to_numpy(), latents["size"].to_numpy()
    parts = [own["elongation"], own["bright_texture"], *both, own["size"]]
    if not settings.plants("shared"):
        parts = list(stream(seed, "not shared", sample, fov).standard_normal((5, len(cells))))
    early, late, one, other, size = parts
    joint = JOINT * np.tanh(one) * np.tanh(other)
    return latents.assign(shape_early=early, shape_late=late, shape_joint=joint, shape_size=size)
