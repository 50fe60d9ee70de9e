"""Write the model card of a trained embedder, and measure what a probe reads from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cineseq.files import sha256, write_text
from cineseq.text import count, number
from cineseq.training.dino import Recipe


@dataclass(frozen=True)
class Training:
    """Contents of a model card.

    Attributes
    ----------
    recipe
        Training settings.
    architecture
        Arguments of the vision transformer.
    parameters
        Number of weights.
    cells
        Number of simulated cells for training.
    held_out
        Number of simulated cells for the probe.
    seed
        Seed of all random numbers.
    losses
        Mean loss of the first and of the last hundred steps.
    scores
        Held-out R², one row per attribute and one column per representation.
    """

    recipe: Recipe
    architecture: dict[str, int]
    parameters: int
    cells: int
    held_out: int
    seed: int
    losses: tuple[float, float]
    scores: pd.DataFrame


def write_card(training: Training, weights: Path, card: Path) -> None:
    """Write the model card of ``weights`` as Markdown."""
    recipe, net = training.recipe, training.architecture
    rows = [f"| {name} | " + " | ".join(number(value) for value in row) + " |" for name, row in _rows(training.scores)]
    lines = [
        "# Compact cell embedder",
        "",
        f"File `{weights.name}`, SHA-256 `{sha256(weights)}`.",
        "",
        "**What it is.** A small vision transformer "
        f"({count(training.parameters)} weights, {net['img_size']} px images, {net['patch_size']} px patches, width "
        f"{net['embed_dim']}, depth {net['depth']}) trained from random weights with the DINO objective (Caron et al. "
        f"2021) on {count(training.cells)} simulated crops of single cells, and on nothing else.",
        "",
        "**What it is not.** It is not DINOv2, it has seen no real image, and it was trained for minutes on one "
        "processor core. It serves demonstrations, tests and machines without a network; for results, name "
        "`vit_small_patch14_dinov2.lvd142m` or weights trained on your kind of images in `embed.model`.",
        "",
        f"**Training.** {count(recipe.steps)} steps of {recipe.batch} cells, two {recipe.global_px} px and "
        f"{recipe.locals_per_cell} {recipe.local_px} px views of each: turned, mirrored, shifted, greys jittered, "
        f"never rescaled, because size is information. Seed {training.seed}; loss {number(training.losses[0])} in the "
        f"first hundred steps, {number(training.losses[1])} in the last. Made by `tools/train_embedder.py`.",
        "",
        "**What a linear probe reads from it.** R² of ridge regression under five-fold cross-validation on "
        f"{count(training.held_out)} simulated cells that it was not trained on, for attributes that were planted. "
        "Beside it the same network with its random starting weights, and as many principal components of the raw "
        "pixels. All see the same crops; the two networks are averaged over four quarter turns.",
        "",
        "| attribute | " + " | ".join(training.scores.columns) + " |",
        "|---|" + "---|" * len(training.scores.columns),
        *rows,
        "",
    ]
    write_text("\n".join(lines), card)


def _rows(scores: pd.DataFrame) -> list[tuple[str, list[float]]]:
    named = [
        (str(name).replace("_", " "), list(row)) for name, row in zip(scores.index, scores.to_numpy(), strict=True)
    ]
    return [*named, ("**mean**", list(scores.mean()))]


PENALTIES = np.logspace(-2, 4, 13)


def probe(features: np.ndarray, attributes: pd.DataFrame, seed: int) -> pd.Series:
    """Return the R² of each attribute by ridge regression with five-fold cross-validation.

    Parameters
    ----------
    features
        Representation, shape (cells, dimensions).
    attributes
        Simulated values, one column per attribute.
    seed
        Seed of the folds.

    Returns
    -------
    pandas.Series
        R² by attribute, relative to the mean of the same cells.
    """
    folds = KFold(5, shuffle=True, random_state=seed)
    model = make_pipeline(StandardScaler(), RidgeCV(PENALTIES))
    scores = {}
    for name in attributes.columns:
        y = attributes[name].to_numpy(float)
        guess = cross_val_predict(model, features, y, cv=folds)
        scores[name] = 1 - np.sum((y - guess) ** 2) / np.sum((y - y.mean()) ** 2)
    return pd.Series(scores)


def pixel_components(images: np.ndarray, components: int, seed: int) -> np.ndarray:
    """Return principal components of raw pixels, the baseline of equal width, shape (cells, components)."""
    return PCA(components, svd_solver="randomized", random_state=seed).fit_transform(images.reshape(len(images), -1))
