"""The shipped model of ends: from features to calibrated probabilities of death and of a lost mitosis."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cineseq.errors import reading
from cineseq.files import resources, sha256
from cineseq.models.registry import check_shipped

MODEL_FILE = resources() / "ends_compact.json"
"""File of the shipped model; its card is beside it."""
FORMAT = 1
BODY_FRAMES = 2
"""Least number of frames in which a body is seen in place; in one frame it may be half of a mask that was split."""
CLASSES = ("death", "mitosis", "other", "exit")


@dataclass(frozen=True)
class Trees:
    """Boosted trees of one depth, and the isotonic maps of their probabilities.

    Attributes
    ----------
    features
        Names of the features, in order.
    neutral
        Values that replace missing ones, shape (features,).
    start
        Log odds before the first tree, shape (classes,).
    feature, threshold
        Split of every inner node, in the order of levels, shape (rounds, classes, 2 ** depth - 1).
    leaves
        Added log odds, shape (rounds, classes, 2 ** depth).
    maps
        For ``death`` and ``mitosis``, knots of the isotonic map: raw and calibrated probabilities.
    """

    features: tuple[str, ...]
    neutral: np.ndarray
    start: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    leaves: np.ndarray
    maps: dict[str, tuple[np.ndarray, np.ndarray]]

    def raw(self, table: pd.DataFrame) -> np.ndarray:
        """Return the probabilities of :data:`CLASSES` before calibration, shape (tracks, classes)."""
        X = table[list(self.features)].to_numpy(float)
        X = np.where(np.isfinite(X), X, self.neutral)
        rounds, classes, inner = self.feature.shape
        rows, score = np.arange(len(X)), np.tile(self.start, (len(X), 1))
        for i in range(rounds):
            for k in range(classes):
                # Children of node n are 2n + 1 (not above the threshold) and 2n + 2.
                node = np.zeros(len(X), np.int64)
                while len(X) and node[0] < inner:
                    node = 2 * node + 1 + (X[rows, self.feature[i, k, node]] > self.threshold[i, k, node])
                score[:, k] += self.leaves[i, k, node - inner]
        score = np.exp(score - score.max(axis=1, keepdims=True))
        return score / score.sum(axis=1, keepdims=True)

    def calibrated(self, raw: np.ndarray, kind: str) -> np.ndarray:
        """Return the calibrated probability of one class, shape (tracks,)."""
        return np.interp(raw[:, CLASSES.index(kind)], *self.maps[kind])


@dataclass(frozen=True)
class EndModel:
    """The trees for movies and for masks alone, with the file that they came from."""

    name: str
    sha256: str
    with_images: Trees
    from_masks: Trees

    @property
    def label(self) -> str:
        """The name and the first characters of the hash, as tables and reports state them."""
        return f"{self.name} ({self.sha256[:12]})"


@cache
def shipped() -> EndModel:
    """Return the shipped model, checked against the hash in its card."""
    check_shipped(MODEL_FILE, sha256(MODEL_FILE))
    return read_model(MODEL_FILE)


def read_model(path: Path) -> EndModel:
    """Read a model of ends.

    Raises
    ------
    UserError
        When the file is missing or is not such a model.
    """
    advice = "restore the file, or train it again with tools/train_ends.py"
    with reading(path, f"not a model of ends in format {FORMAT}", advice):
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            msg = f"format {content['format']}"
            raise ValueError(msg)
        trees = [_trees(content[name]) for name in ("with_images", "from_masks")]
    return EndModel(content["name"], sha256(path), *trees)


def _trees(content: dict[str, Any]) -> Trees:
    maps = {kind: (np.array(knots[0]), np.array(knots[1])) for kind, knots in content["maps"].items()}
    dtypes = {"neutral": float, "start": float, "feature": np.int64, "threshold": float, "leaves": float}
    arrays = {name: np.array(content[name], dtype) for name, dtype in dtypes.items()}
    return Trees(tuple(content["features"]), **arrays, maps=maps)


def end_probabilities(features: pd.DataFrame, *, with_images: bool, model: EndModel) -> pd.DataFrame:
    """Return ``p_death``, ``p_mitosis`` and ``p_unseen`` of every track; missing where the track is too short.

    A death needs a body that stays: where none was seen in two frames, in the last frames of the track or after it, and
    where the mask touches the border (``left`` 1), ``p_death`` is 0, so disappearance alone is none. The same holds
    where a new track of a daughter's size begins beside it in the next frame: the cell may have divided. ``p_unseen``
    is then the share of deaths among such ends in training, by which the other kinds are less certain; elsewhere it is
    ``p_death``.

    Parameters
    ----------
    features
        From :func:`~cineseq.tracking.end_features.end_features`, ``body_count`` and ``starts_now`` included, with the
        probability ``left`` of an exit.
    with_images
        Whether images were looked at.
    model
        The model.
    """
    trees = model.with_images if with_images else model.from_masks
    raw = trees.raw(features)
    possible = may_be_dead(features)
    raw[~possible, CLASSES.index("death")] = 0
    unseen, mitosis = trees.calibrated(raw, "death"), trees.calibrated(raw, "mitosis")
    values = {"p_death": np.where(possible, unseen, 0.0), "p_mitosis": np.minimum(mitosis, 1 - unseen)}
    found = pd.DataFrame(values | {"p_unseen": unseen}, index=features.index)
    return found.where(features["shrink"].notna())


def may_be_dead(features: pd.DataFrame) -> np.ndarray:
    """Return whether a body was seen, no possible daughter follows at once, and the cell did not leave, (tracks,)."""
    stays = (features["body_count"] >= BODY_FRAMES) & (features["starts_now"] == 0)
    return (stays & (features["left"] < 1)).to_numpy()
