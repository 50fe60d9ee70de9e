"""Train and calibrate the model of how tracks end, on simulated movies; folds are by movie of the nuclei."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.isotonic import IsotonicRegression

from cineseq.config.tracking import Track
from cineseq.files import replacing
from cineseq.tracking.end_features import FROM_IMAGES, FROM_MASKS, end_features
from cineseq.tracking.end_model import CLASSES, FORMAT, may_be_dead
from cineseq.tracking.end_pictures import BEFORE
from cineseq.tracking.ends import exit_probability
from cineseq.training.end_movies import EndMovie, drawn_movie, end_movie, followed
from cineseq.training.end_nuclei import FOLDS, HELD_OUT, Nuclei, folds_by_movie

ROUNDS, DEPTH, RATE, LEAST_LEAF = 80, 3, 0.1, 10
SUREST = 0.99
"""Highest calibrated probability."""
KNOTS = 41
"""Points at which the isotonic maps are stored."""
MASKS = ("left", *FROM_MASKS)
IMAGES = (*MASKS, *FROM_IMAGES)


@dataclass(frozen=True)
class Fitted:
    """What one set of features gives.

    Attributes
    ----------
    content
        Trees and maps, as they are stored.
    held_out
        One row per end: ``true_end``, ``weight``, ``p_death`` and ``p_mitosis`` from the folds in which its movie was
        not trained on.
    """

    content: dict[str, Any]
    held_out: pd.DataFrame


def ends_of(nuclei: Nuclei, pasted: int, drawn: int) -> pd.DataFrame:
    """Simulate movies and return the features of every end, with ``true_end``, ``fold`` and ``drawn``.

    Movies with pasted nuclei use those of one fold each, and never those of the fold that is held out.
    """
    names = np.unique(nuclei.movie)
    fold = dict(zip(nuclei.movie, folds_by_movie(nuclei.movie), strict=True))
    open_folds = [f for f in range(FOLDS) if f != HELD_OUT]
    found = []
    for seed in range(pasted):
        here = open_folds[seed % len(open_folds)]
        movie = end_movie(nuclei.of_movies(names[[fold[name] == here for name in names]]), seed)
        found.append(features_of(movie).assign(fold=here, drawn=False))
    found += [
        features_of(drawn_movie(seed)).assign(fold=open_folds[seed % len(open_folds)], drawn=True)
        for seed in range(drawn)
    ]
    return pd.concat(found, ignore_index=True)


def features_of(movie: EndMovie) -> pd.DataFrame:
    """Return the features of every true end of a movie; ``masks_*`` are those without its images."""
    tracks, objects, families = followed(movie)
    features, _ = end_features(objects, families.number, tracks)
    left = exit_probability(objects.table, families.number, movie.info.seen, Track().border_px, 1)
    table = features.assign(left=left, true_end=tracks["true_end"].to_numpy())
    table["small_count"] = (BEFORE * table["still_frames"]).fillna(0)
    return table[table["true_end"].notna() & table["shrink"].notna()]


def fit(table: pd.DataFrame, features: tuple[str, ...], seed: int) -> Fitted:
    """Fit the trees on all ends, and the isotonic maps on probabilities from folds by movie."""
    X = table[list(features)].to_numpy(float)
    neutral = np.nanmedian(X[(table["true_end"] == "other").to_numpy()], axis=0)
    X = np.where(np.isfinite(X), X, neutral)
    y = pd.Categorical(table["true_end"], categories=list(CLASSES)).codes
    weight = balanced_weights(table)
    raw = np.zeros((len(y), len(CLASSES)))
    for fold in table["fold"].unique():
        held = (table["fold"] == fold).to_numpy()
        raw[held] = _boosted(X[~held], y[~held], weight[~held], seed).predict_proba(X[held])
    body = table if "centre_first" in features else table.assign(body_count=table["small_count"])
    raw[~may_be_dead(body), CLASSES.index("death")] = 0
    maps, calibrated = {}, {}
    for kind in ("death", "mitosis"):
        p, true = raw[:, CLASSES.index(kind)], y == CLASSES.index(kind)
        maps[kind] = isotonic_knots(p, true, weight)
        calibrated[f"p_{kind}"] = _across_folds(p, true, weight, table["fold"].to_numpy())
    content = _stored(_boosted(X, y, weight, seed), features, neutral) | {"maps": maps}
    return Fitted(content, table[["true_end", "fold", "drawn"]].assign(weight=weight, **calibrated))


def balanced_weights(table: pd.DataFrame) -> np.ndarray:
    """Return weights with which the kinds of end count 1:1:1:1, mean 1, shape (ends,)."""
    weight = 1 / table["true_end"].map(table["true_end"].value_counts()).to_numpy(float)
    return weight * len(weight) / weight.sum()


def isotonic_knots(p: np.ndarray, true: np.ndarray, weight: np.ndarray) -> list[list[float]]:
    """Return raw and calibrated probabilities at which an isotonic fit is stored."""
    fitted = IsotonicRegression(y_min=0, y_max=SUREST, out_of_bounds="clip").fit(p, true, sample_weight=weight)
    at = np.unique(np.r_[0, np.quantile(p, np.linspace(0, 1, KNOTS)), np.linspace(0, 1, KNOTS)])
    return [[round(float(value), 4) for value in values] for values in (at, fitted.predict(at))]


def _across_folds(p: np.ndarray, true: np.ndarray, weight: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Return calibrated probabilities from maps that were fitted on the other folds."""
    calibrated = np.zeros(len(p))
    for held in (fold == f for f in np.unique(fold)):
        at, value = isotonic_knots(p[~held], true[~held], weight[~held])
        calibrated[held] = np.interp(p[held], at, value)
    return calibrated


def _boosted(X: np.ndarray, y: np.ndarray, weight: np.ndarray, seed: int) -> GradientBoostingClassifier:
    model = GradientBoostingClassifier(
        n_estimators=ROUNDS, max_depth=DEPTH, learning_rate=RATE, subsample=0.7, min_samples_leaf=LEAST_LEAF,
        random_state=seed,
    )  # fmt: skip
    return model.fit(X, y, sample_weight=weight)


def _stored(model: GradientBoostingClassifier, features: tuple[str, ...], neutral: np.ndarray) -> dict[str, Any]:
    """Return the trees as complete binary trees, with their nodes in the order of levels."""
    inner = 2**DEPTH - 1
    shape = (ROUNDS, len(CLASSES))
    split, threshold = np.zeros((*shape, inner), int), np.zeros((*shape, inner))
    leaves = np.zeros((*shape, inner + 1))
    for i, k in np.ndindex(shape):
        tree = model.estimators_[i, k].tree_
        at = [0] + [-1] * (2 * inner)  # node of the tree at each place; a leaf is repeated below itself
        for place in range(inner):
            node = at[place]
            is_leaf = tree.children_left[node] < 0
            if not is_leaf:
                split[i, k, place], threshold[i, k, place] = tree.feature[node], tree.threshold[node]
            at[2 * place + 1] = node if is_leaf else tree.children_left[node]
            at[2 * place + 2] = node if is_leaf else tree.children_right[node]
        leaves[i, k] = RATE * tree.value[at[inner:], 0, 0]
    start = np.log(np.clip(model.init_.class_prior_, 1e-9, 1))
    return {
        "features": list(features),
        "neutral": np.round(neutral, 4).tolist(),
        "start": np.round(start, 5).tolist(),
        "feature": split.tolist(),
        "threshold": np.round(threshold, 4).tolist(),
        "leaves": np.round(leaves, 4).tolist(),
    }


def write_model(name: str, with_images: Fitted, from_masks: Fitted, path: Path) -> None:
    """Write a model that :func:`~cineseq.tracking.end_model.read_model` reads."""
    content = {"format": FORMAT, "name": name, "classes": list(CLASSES)}
    content |= {"with_images": with_images.content, "from_masks": from_masks.content}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")


def scores(held_out: pd.DataFrame) -> dict[str, float]:
    """Return precision and recall at .8 and .5, exits called deaths and the calibration error, in balanced ends."""
    weight, p = held_out["weight"].to_numpy(), held_out["p_death"].to_numpy()
    true = (held_out["true_end"] == "death").to_numpy()
    found = {"ends": float(len(held_out))}
    for least in (0.5, 0.8):
        called = p >= least
        found[f"precision at {least}"] = float((weight * true * called).sum() / max((weight * called).sum(), 1e-9))
        found[f"recall at {least}"] = float((weight * true * called).sum() / (weight * true).sum())
    for kind in ("mitosis", "other", "exit"):
        here = (held_out["true_end"] == kind).to_numpy()
        found[f"{kind} called death"] = float((p[here] >= 0.5).mean())
    slot = np.minimum((p * 10).astype(int), 9)
    gaps = [abs((weight * (p - true))[slot == k].sum()) for k in range(10)]
    return found | {"expected calibration error": float(np.sum(gaps) / weight.sum())}
