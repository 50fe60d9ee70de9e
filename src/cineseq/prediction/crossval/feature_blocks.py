"""Feature blocks of the models: columns on the same cells, before any transformation."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from cineseq.config.prediction import Prediction
from cineseq.errors import UserError
from cineseq.expression.normalise import Expression, expression_of
from cineseq.io.paired import PairedData

logger = logging.getLogger(__name__)
POSITION = ("y_px", "x_px")
NEIGHBOUR = ("neighbour", "neighbor", "crowding", "local_density")
LIBRARY_SIZE = "log_total_counts"
CONDITION = "condition"
CYCLE = ("s_score", "g2m_score")


@dataclass(frozen=True)
class Block:
    """Feature columns of the same cells.

    Attributes
    ----------
    values
        Shape (cells, columns); missing values are NaN.
    names
        One name per column.
    kind
        ``genes`` are filtered by detection and variance in the training cells; ``features`` are all kept.
    centre
        Groups within which columns are centred once selected and imputed, shape (cells,); None where they are not.
    """

    values: np.ndarray
    names: tuple[str, ...]
    kind: Literal["genes", "features"] = "features"
    centre: np.ndarray | None = None

    def rows(self, rows: np.ndarray) -> Block:
        """Return the block of the cells at the given positions, in that order."""
        return replace(self, values=self.values[rows], centre=None if self.centre is None else self.centre[rows])


def gene_block(expression: Expression | None) -> Block | None:
    """Return normalised expression as a dense block; None where there is none."""
    if expression is None:
        return None
    return Block(expression.log.toarray().astype(np.float64), tuple(expression.genes), "genes")


def frame_block(frame: pd.DataFrame) -> Block | None:
    """Return the numeric columns of a table as a block; None where none varies."""
    if not frame.shape[1]:
        return None
    values = frame.apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    values[~np.isfinite(values)] = np.nan
    varies = np.array([np.unique(column[np.isfinite(column)]).size > 1 for column in values.T])
    if not varies.any():
        return None
    return Block(values[:, varies], tuple(frame.columns[varies].astype(str)))


def joined(*blocks: Block | None) -> Block | None:
    """Return feature blocks side by side; None where there is none."""
    present = [b for b in blocks if b is not None]
    if not present:
        return None
    names = tuple(name for b in present for name in b.names)
    return Block(np.column_stack([b.values for b in present]), names)


def all_blocks(data: PairedData, clusters: pd.DataFrame | None, settings: Prediction) -> dict[str, Block | None]:
    """Return all feature blocks of the models.

    Parameters
    ----------
    data
        The paired cells.
    clusters
        Table of clusters with cell-cycle scores, indexed by ``track_id``; None if there is none.
    settings
        The section ``prediction`` of the configuration.

    Returns
    -------
    dict
        ``expression``, ``morphology``, ``embedding``, ``technical``, ``size``, ``cycle`` and ``class``; None where
        the data lack it. ``features`` is present only where the user supplies external features.
    """
    area = [c for c in data.morphology.columns if any(word in str(c).lower() for word in settings.size_features)]
    cycle = None if clusters is None else clusters.reindex(data.obs.index)[list(CYCLE)]
    own = {"features": frame_block(data.features)} if data.features.shape[1] else {}
    return {
        "expression": gene_block(expression_of(data)),
        "morphology": frame_block(data.morphology),
        "embedding": frame_block(data.embedding),
        "technical": frame_block(technical_columns(data, settings)),
        "size": frame_block(data.morphology[area]),
        "cycle": None if cycle is None else frame_block(cycle),
        "class": frame_block(class_indicators(data.obs, settings.class_column)),
        **own,
    }


def technical_columns(data: PairedData, settings: Prediction) -> pd.DataFrame:
    """Return technical covariates of the cells; the sample is not among them.

    They are the logarithm of total counts, the number of detected genes, the position in the field, distances to
    neighbours where morphology has them, and the columns that the configuration adds.
    """
    frame = pd.DataFrame(index=data.obs.index)
    if data.counts is not None and data.counts.shape[1]:
        frame[LIBRARY_SIZE] = np.log1p(np.asarray(data.counts.sum(axis=1)).ravel())
        frame["genes_detected"] = np.asarray((data.counts > 0).sum(axis=1)).ravel()
    missing = [c for c in settings.technical_columns if c not in data.obs.columns]
    if missing:
        msg = (
            f"prediction.technical_columns: '{missing[0]}' is not a column of the paired cells; name one of "
            f"{sorted(data.obs.select_dtypes('number').columns)}."
        )
        raise UserError(msg)
    for name in dict.fromkeys((*POSITION, *settings.technical_columns)):
        if name in data.obs.columns:
            frame[name] = pd.to_numeric(data.obs[name], errors="coerce").astype(float)
    for name in data.morphology.columns:
        if any(word in str(name).lower() for word in NEIGHBOUR):
            frame[name] = data.morphology[name]
    return frame


def class_labels(obs: pd.DataFrame, column: str) -> np.ndarray:
    """Return the class of every cell as text, shape (cells,); one empty class where there is no ``condition``.

    Raises
    ------
    UserError
        When another column is named and does not exist.
    """
    if not {column, f"group_{column}"} & set(obs.columns):
        if column == CONDITION:
            return np.full(len(obs), "", dtype=object)
        msg = (
            f"class_column (of prediction or crossmodal): '{column}' is not a column of the paired cells; name one of "
            f"{sorted(c for c in obs.columns if 1 < obs[c].nunique() < len(obs))}."
        )
        raise UserError(msg)
    column = column if column in obs.columns else f"group_{column}"
    return obs[column].astype("string").fillna("unknown").to_numpy(dtype=object)


def class_indicators(obs: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return one indicator column per class."""
    labels = pd.Series(class_labels(obs, column), index=obs.index)
    return pd.get_dummies(labels, prefix="class").astype(float)
