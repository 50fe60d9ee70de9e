"""Facts of cells, such as class, drug or time, that are known beside the modality that is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from cineseq.errors import UserError
from cineseq.io.written import as_text
from cineseq.text import count, listed

SMALLEST = 1e-12
MOST_CATEGORIES = 50
"""Most categories of one condition; with more, names are probably of cells."""
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Condition:
    """One fact, as the training cells have it.

    Attributes
    ----------
    name
        Its column.
    categories
        Its values in the training cells, in order; none for numbers.
    centre, scale
        Mean of each column of its code, shape (columns,), and the factor that gives it a variance of 1 in total.
    """

    name: str
    categories: tuple[str, ...]
    centre: np.ndarray
    scale: float

    def coded(self, values: pd.Series) -> np.ndarray:
        """Return the code of cells, shape (cells, columns): all zero where a value is missing or was not seen."""
        raw, known = _raw(values, self.categories)
        return np.where(known[:, None], (raw - self.centre) * self.scale, 0.0)


@dataclass(frozen=True)
class Conditions:
    """All facts that are given.

    Attributes
    ----------
    parts
        One per fact.
    weight
        Factor of the code among predictors, which gives the facts the total variance of the other predictors.
    """

    parts: tuple[Condition, ...]
    weight: float = 1.0

    @property
    def names(self) -> list[str]:
        """Names of the facts."""
        return [part.name for part in self.parts]

    def coded(self, facts: pd.DataFrame) -> np.ndarray:
        """Return the code of cells, unweighted, shape (cells, columns)."""
        blocks = [part.coded(facts[part.name]) for part in self.parts]
        return np.column_stack(blocks) if blocks else np.empty((len(facts), 0))

    def beside(self, predictors: np.ndarray, facts: pd.DataFrame) -> np.ndarray:
        """Return predictors with the weighted code as their last columns."""
        return np.column_stack([predictors, self.weight * self.coded(facts)]) if self.parts else predictors

    def weighted_for(self, predictors: np.ndarray) -> Conditions:
        """Return the conditions with the weight for predictors of training cells, shape (cells, predictors)."""
        return replace(self, weight=float(np.sqrt(predictors.var(axis=0).sum() / max(len(self.parts), 1))))

    def facts_of(self, obs: pd.DataFrame, where: str) -> pd.DataFrame:
        """Return the facts of new cells.

        Raises
        ------
        UserError
            When a column is missing, or holds a category that the training cells did not have.
        """
        for part in self.parts:
            kinds = f"one of {listed(list(part.categories))}" if part.categories else "a number"
            if part.name not in obs:
                msg = (
                    f"{where}: the model was given '{part.name}' of each cell; add the column '{part.name}' to obs "
                    f"({kinds}; a missing value is unknown)."
                )
                raise UserError(msg)
            values = obs[part.name]
            wrong = ~_raw(values, part.categories)[1] & ~_unknown(values)
            if wrong.any():
                msg = (
                    f"{where}: '{part.name}' of cell '{obs.index[wrong.argmax()]}' is '{values[wrong].iloc[0]}', but "
                    f"the model knows {kinds} only; leave it empty where it is unknown."
                )
                raise UserError(msg)
        return obs[self.names]


NONE = Conditions(())


def known_facts(obs: pd.DataFrame, columns: Sequence[str], where: str) -> pd.DataFrame:
    """Return the columns of a study that generation is conditioned on.

    Raises
    ------
    UserError
        When a column is missing or has more categories than cells can teach.
    """
    for name in columns:
        if name not in obs:
            some = listed([str(column) for column in obs.columns][:20])
            msg = f"{where}: there is no column '{name}' of the cells; name one of {some}."
            raise UserError(msg)
        many = 0 if pd.api.types.is_numeric_dtype(obs[name]) else as_text(obs[name]).nunique()
        if many > MOST_CATEGORIES:
            msg = (
                f"{where}: column '{name}' has {count(many, 'category', 'categories')}, more than {MOST_CATEGORIES}; "
                "name a column of classes, or one of numbers."
            )
            raise UserError(msg)
    return obs[list(columns)]


def learned_conditions(facts: pd.DataFrame) -> Conditions:
    """Return how the facts of training cells are coded; a fact that does not vary there is left out.

    Categories are coded one column each, minus its frequency; numbers as they are. Each fact has a variance of 1.
    """
    parts = []
    for name in facts:
        values = facts[name]
        numbers = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
        categories = () if numbers else tuple(sorted(as_text(values[~_unknown(values)]).unique()))
        raw, known = _raw(values, categories)
        variance = float(raw[known].var(axis=0).sum()) if known.any() else 0.0
        if variance > SMALLEST:
            parts.append(Condition(str(name), categories, raw[known].mean(axis=0), float(1 / np.sqrt(variance))))
    return Conditions(tuple(parts))


def _unknown(values: pd.Series) -> np.ndarray:
    text = as_text(values)
    return (text.isna() | (text == UNKNOWN)).to_numpy(bool)


def _raw(values: pd.Series, categories: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return indicators of the categories, or the numbers, shape (cells, columns), and which cells are known."""
    if not categories:
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan)
        known = np.isfinite(numbers)
        return np.where(known, numbers, 0.0)[:, None], known
    raw = as_text(values).fillna(UNKNOWN).to_numpy(object)[:, None] == np.array(categories, dtype=object)
    return raw.astype(np.float64), raw.any(axis=1)
