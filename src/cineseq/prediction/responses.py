"""Functions to predict: one column each, or the cosine and sine of an angle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from cineseq.errors import UserError
from cineseq.prediction.crossval.folds import NotEstimableError
from cineseq.text import COSINE, FUNCTION, SINE


@dataclass(frozen=True)
class Response:
    """One function to predict.

    Attributes
    ----------
    name
        Name of the column; for an angle without ``_cos`` and ``_sin``.
    columns
        Names of its columns: one, or two for an angle.
    values
        Shape (cells, columns); NaN where not measured.
    """

    name: str
    columns: tuple[str, ...]
    values: np.ndarray

    @property
    def is_angle(self) -> bool:
        """Whether the columns are the cosine and the sine of one angle."""
        return len(self.columns) == 2

    @property
    def is_indicator(self) -> bool:
        """Whether the value of every measured cell is 0 or 1."""
        return not self.is_angle and bool(np.isin(self.values[self.measured], (0, 1)).all())

    @property
    def measured(self) -> np.ndarray:
        """Which cells have a value, shape (cells,)."""
        return np.isfinite(self.values).all(axis=1)

    def rows(self, rows: np.ndarray) -> Response:
        """Return the response of some cells."""
        return Response(self.name, self.columns, self.values[rows])


def responses_of(function: pd.DataFrame, wanted: list[str]) -> list[Response]:
    """Return the responses of the function block; the two columns of an angle make one.

    Parameters
    ----------
    function
        One row per cell, columns ``function_*``.
    wanted
        Names of the functions to return, with or without the prefix ``function_``; empty for all.

    Raises
    ------
    UserError
        When there is no function, or a wanted one does not exist.
    """
    columns = {str(c): pd.to_numeric(function[c], errors="coerce") for c in function.columns}
    angles = {c.removesuffix(COSINE) for c in columns if c.endswith(COSINE)}
    angles = {a for a in angles if a + SINE in columns}
    names = dict.fromkeys(_angle_or_itself(c, angles) for c in columns)
    found = {n: (n + COSINE, n + SINE) if n in angles else (n,) for n in names}
    if not found:
        msg = (
            "There is no function to predict: the paired cells have no column 'function_*'; name a function channel "
            "in channels.function, or supply a table of cells with such a column."
        )
        raise UserError(msg)
    known = {n.removeprefix(FUNCTION) for n in found}
    names_wanted = [n.removeprefix(FUNCTION) for n in wanted]
    absent = [n for n in names_wanted if n not in known]
    if absent:
        msg = f"prediction.functions: there is no function '{absent[0]}'; the paired cells have {sorted(known)}."
        raise UserError(msg)
    return [
        Response(name, parts, np.column_stack([columns[c].to_numpy(float) for c in parts]))
        for name, parts in found.items()
        if not wanted or name.removeprefix(FUNCTION) in names_wanted
    ]


def transformed(response: Response, how: str) -> list[Response]:
    """Transform a function into the responses to predict: unchanged, ranks, an indicator, or the two parts of a hurdle.

    All models minimise squared error, so R² of an indicator is the gain in Brier score. The area under its ROC curve is
    in the table ``sensitivity``. Ranks are over all measured cells: this redefines the response and leaks no
    information into the models.

    Parameters
    ----------
    response
        A function as measured; an angle is returned as it is.
    how
        ``measured``; ``rank`` (normal scores); ``binary`` (1 above zero, else 0); or ``hurdle``: the indicator
        ``<name>_above_zero`` and ``<name>_amount``, the logarithm of values above zero (NaN elsewhere).

    References
    ----------
    Cragg, Econometrica 39 (1971) 829 (hurdle).
    """
    if response.is_angle or how == "measured":
        return [response]
    values = response.values[:, 0]
    if how == "rank":
        return [_of(response.name, normal_scores(values))]
    above = np.where(response.measured, (values > 0).astype(float), np.nan)
    if how == "binary":
        return [_of(response.name, above)]
    amount = np.log(values, where=values > 0, out=np.full(len(values), np.nan))
    return [_of(f"{response.name}_above_zero", above), _of(f"{response.name}_amount", amount)]


def normal_scores(values: np.ndarray) -> np.ndarray:
    """Return the normal quantile of the rank of each value, shape (cells,); ties are equal, NaN stays.

    References
    ----------
    Blom, Statistical Estimates and Transformed Beta-Variables (1958).
    """
    known = np.isfinite(values)
    scores = np.full(len(values), np.nan)
    scores[known] = stats.norm.ppf((stats.rankdata(values[known]) - 0.375) / (known.sum() + 0.25))
    return scores


def _of(name: str, values: np.ndarray) -> Response:
    return Response(name, (name,), values[:, None])


def measured_rows(response: Response) -> np.ndarray:
    """Return the positions of the cells that have a value.

    Raises
    ------
    NotEstimableError
        When the function is measured in no cell or is constant.
    """
    rows = np.flatnonzero(response.measured)
    if not len(rows):
        msg = (
            "the function was measured in no paired cell"
            if len(response.values)
            else "no paired cell passed quality control"
        )
        raise NotEstimableError(msg)
    if np.ptp(response.values[rows], axis=0).max() == 0:
        msg = f"the function has the same value in all {len(rows)} cells"
        raise NotEstimableError(msg)
    return rows


def angular_error(predicted: np.ndarray, measured: np.ndarray) -> float:
    """Return the mean absolute angle between predicted and measured directions, in turns (0 to 0.5).

    Parameters
    ----------
    predicted, measured
        Cosine and sine (of any length), each shape (cells, 2).
    """
    difference = np.arctan2(predicted[:, 1], predicted[:, 0]) - np.arctan2(measured[:, 1], measured[:, 0])
    return float(np.abs(np.angle(np.exp(1j * difference))).mean() / (2 * np.pi))


def _angle_or_itself(column: str, angles: set[str]) -> str:
    for suffix in (COSINE, SINE):
        if column.endswith(suffix) and column.removesuffix(suffix) in angles:
            return column.removesuffix(suffix)
    return column
