"""Grouped cross-validation folds; groups are never split between training and test cells."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold

from cineseq.config.prediction import Folds
from cineseq.prediction.crossval.feature_blocks import class_labels
from cineseq.prediction.crossval.labels import (
    FAMILY,
    family_labels,
    group_columns,
    joint_labels,
    known_families,
    known_positions,
    merged,
)
from cineseq.statistics.correlation import detectable_r2
from cineseq.statistics.metrics import centred
from cineseq.statistics.position import Place, SpatialNull, SpatialNulls, spatial_null, spatial_nulls
from cineseq.tables.contract import FIELD
from cineseq.text import count, listed, percent

FEWEST_GROUPS = 3
CELL = "cell"
ALONE = ((FAMILY,), (CELL,))
"""Groups that do not keep the cells of a field together."""
PLACES = ("sample", "fov")
"""Columns that split the cells further where the configured groups are too few."""
LITTLE = 0.05
"""Cells are called few where a share of variance this large can be missed."""
logger = logging.getLogger(__name__)


class NotEstimableError(ValueError):
    """The quantity is not estimable from these cells; the message is the reason."""


@dataclass(frozen=True)
class FoldPlan:
    """Groups and outer folds of the cells.

    Attributes
    ----------
    units
        Number of the group of each cell, from 0 to ``groups`` - 1, shape (cells,).
    fold
        Number of the outer fold in which each cell is a test cell, shape (cells,).
    level
        Columns that define a group, strongest first.
    notes
        Sentences about the choice of groups, for the report.
    """

    units: np.ndarray
    fold: np.ndarray
    level: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def groups(self) -> int:
        """Number of groups."""
        return int(self.units.max()) + 1

    @property
    def grouped_by(self) -> str:
        """Names of the columns that define a group, in words."""
        return listed(name.removeprefix("group_") for name in self.level)

    @property
    def folds(self) -> int:
        """Number of outer folds."""
        return int(self.fold.max()) + 1

    def splits(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the positions of training and test cells of every outer fold."""
        return [(np.flatnonzero(self.fold != k), np.flatnonzero(self.fold == k)) for k in range(self.folds)]


def plan_folds(obs: pd.DataFrame, settings: Folds) -> FoldPlan:
    """Split cells by the strongest grouping with enough groups; families stay whole.

    The first of ``settings.groups`` defines the groups if it has at least ``outer_min_samples`` of them, else its
    combination with the second, and so on. If none has enough, the one with the most groups is used. If that has fewer
    than three, fields are the groups, else families, else (where no family is known) single cells; the notes then say
    what the result cannot show.

    Parameters
    ----------
    obs
        One row per cell, with the columns that ``settings.groups`` names (or ``group_`` and the name).
    settings
        The section ``folds`` of the configuration.

    Returns
    -------
    FoldPlan
        Groups and folds; deterministic for the same cells in the same order.

    Raises
    ------
    NotEstimableError
        With fewer cells than ``min_cells``, or fewer than three groups of any kind.
    UserError
        When a grouping is not a column.
    """
    if len(obs) < settings.min_cells:
        msg = f"only {len(obs)} cells with a value, fewer than folds.min_cells = {settings.min_cells}"
        raise NotEstimableError(msg)
    level, units, about = _choose_level(obs, settings)
    groups = int(units.max()) + 1
    folds = min(settings.outer, groups)
    whole = "" if level in ALONE else ", families whole"
    notes = [f"{folds} outer folds hold out {count(groups, 'group')} by {' and '.join(level)}{whole}.", *about]
    if folds < settings.outer:
        notes.append(f"There are fewer groups than the configured {settings.outer} folds.")
    largest = np.bincount(units).max() / len(obs)
    if largest > 0.5:
        notes.append(f"One group holds {percent(largest, 0)} of the cells.")
    return FoldPlan(units, grouped_folds(units, folds), level, (*notes, *_few_cells(len(obs))))


def exchange_notes(plan: FoldPlan, strata: np.ndarray) -> tuple[str, ...]:
    """Return a note for the report if the null exchanges cells between groups of the folds.

    Parameters
    ----------
    plan
        The folds.
    strata
        Strata of the permutation null, shape (cells,).
    """
    groups = pd.Series(plan.units).groupby(strata).nunique()
    if plan.level in ALONE or groups.max() < 2:
        return ()
    named = " and ".join(plan.level)
    return (
        f"The permutation null exchanges cells between up to {count(groups.max())} groups by {named}, because "
        f"folds.null_strata does not separate these: if cells of one group are more alike than others, its p-values "
        f"are too small.",
    )


def grouped_folds(units: np.ndarray, folds: int) -> np.ndarray:
    """Assign groups to folds of about equal size; return the fold of every cell, shape (cells,)."""
    fold = np.empty(len(units), dtype=int)
    for number, (_, test) in enumerate(GroupKFold(folds).split(units, groups=units)):
        fold[test] = number
    return fold


def inner_splits(units: np.ndarray, folds: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split the training cells of one outer fold by their groups.

    Parameters
    ----------
    units
        Groups of the training cells, shape (training cells,); at least two.
    folds
        Number of folds, at most the number of groups.

    Returns
    -------
    list of tuple
        Positions of inner training and validation cells among the training cells.
    """
    folds = min(folds, len(np.unique(units)))
    return list(GroupKFold(folds).split(units, groups=units))


def _levels(obs: pd.DataFrame, settings: Folds) -> dict[tuple[str, ...], np.ndarray]:
    family = family_labels(obs)
    columns = group_columns(obs, [n for n in settings.groups if n != FAMILY], "folds.groups")
    if not columns:
        return {(FAMILY,): merged(family)}
    prefixes = [columns[: k + 1] for k in range(len(columns))]
    return {tuple(prefix): merged(joint_labels(obs, prefix), family) for prefix in prefixes}


def _choose_level(obs: pd.DataFrame, settings: Folds) -> tuple[tuple[str, ...], np.ndarray, list[str]]:
    """Return the columns that define the groups, the group of each cell, and notes on what was not held out."""
    levels = _levels(obs, settings)
    counts = {level: int(units.max()) + 1 for level, units in levels.items()}
    enough = [level for level, groups in counts.items() if groups >= settings.outer_min_samples]
    level = enough[0] if enough else max(counts, key=counts.__getitem__)
    if counts[level] < FEWEST_GROUPS:
        return _fallback(obs, settings, f"only {count(counts[level], 'group')} by {' and '.join(level)}")
    strongest = next(iter(counts))
    if level == strongest:
        return level, levels[level], []
    if counts[strongest] == 1:
        note = f"There is only one {strongest[0]}: whether the result generalises to another is unknown."
    else:
        note = (
            f"{count(counts[strongest])} groups by {strongest[0]} are fewer than folds.outer_min_samples = "
            f"{settings.outer_min_samples}, so whole groups of that kind are not left out."
        )
    return level, levels[level], [note]


def _fallback(obs: pd.DataFrame, settings: Folds, few: str) -> tuple[tuple[str, ...], np.ndarray, list[str]]:
    """Return the coarsest of fields, families and single cells that has three groups, as :func:`_choose_level`.

    Raises
    ------
    NotEstimableError
        When none has.
    """
    family = family_labels(obs)
    columns = group_columns(obs, [n for n in settings.groups if n != FAMILY], "folds.groups")
    places = [*columns, *(name for name in PLACES if name in obs.columns and name not in columns)]
    levels = {} if places == columns else {tuple(places): merged(joint_labels(obs, places), family)}
    levels[(FAMILY,) if known_families(obs).any() else (CELL,)] = merged(family)
    for level, units in levels.items():
        if units.max() + 1 >= FEWEST_GROUPS:
            return level, units, [_of_fallback(obs, level, few)]
    msg = f"{few}, but {FEWEST_GROUPS} are needed to hold some out, and fields and families are as few"
    raise NotEstimableError(msg)


def _of_fallback(obs: pd.DataFrame, level: tuple[str, ...], few: str) -> str:
    """Return a note on what the result cannot show where groups other than the configured ones are held out."""
    alone: dict[tuple[str, ...], str] = {(FAMILY,): "families", (CELL,): "single cells"}
    held_out = alone.get(level, f"groups by {listed(level)}")
    note = f"With {few}, {held_out} are held out instead"
    if level not in ALONE:
        return f"{note}: that the result holds in another {level[0].removeprefix('group_')} cannot be claimed."
    note += (
        ": cells of one field are among both training and held-out cells, so R² includes what they share "
        "(illumination, density, treatment), and that the result holds in another field or sample cannot be claimed."
    )
    if unknown := int((~known_families(obs)).sum()):
        note += (
            f" The family of {count(unknown)} of {count(len(obs), 'cell')} is unknown: relatives among them may be "
            "split between training and held-out cells, which can make R² too large and p-values too small."
        )
    return note


def _few_cells(cells: int) -> tuple[str, ...]:
    """Return a note on the R² that a single predictor needs to be detected; empty where there are many cells."""
    least = detectable_r2(cells)
    if least <= LITTLE:
        return ()
    return (
        f"{count(cells, 'cell')} carry little: even one predictor that is named beforehand is found with 80 % power "
        f"only if it explains {percent(least)} of the variance or more; a model of many predictors needs more, and so "
        "do cells that are related.",
    )


@dataclass(frozen=True)
class CrossvalCells:
    """Cells of one function, with folds and labels that all models share.

    Attributes
    ----------
    values
        The function, shape (cells, columns).
    plan
        Groups and folds.
    strata
        Strata of the permutation null, shape (cells,).
    families
        Families, which the null permutes as blocks, shape (cells,).
    classes
        Class labels, shape (cells,).
    fields, samples
        Field of view (of a sample) and sample of each cell, shape (cells,); None: the groups of the folds.
    centre
        Groups within which values are centred, shape (cells,), see :meth:`within_fields`; None where they are not.
    position
        Row and column in the frame, which the null keeps, shape (cells, 2); None where it does not.
    """

    values: np.ndarray
    plan: FoldPlan
    strata: np.ndarray
    families: np.ndarray
    classes: np.ndarray
    fields: np.ndarray | None = None
    samples: np.ndarray | None = None
    centre: np.ndarray | None = None
    position: np.ndarray | None = None

    def within_class(self) -> CrossvalCells:
        """Return the same cells with strata split by class."""
        joint = pd.MultiIndex.from_arrays([self.strata, self.classes])
        return replace(self, strata=pd.factorize(joint)[0])

    def field_labels(self) -> np.ndarray:
        """Return the field of each cell, shape (cells,)."""
        return self.plan.units if self.fields is None else self.fields

    def sample_labels(self) -> np.ndarray:
        """Return the sample of each cell, shape (cells,)."""
        return self.plan.units if self.samples is None else self.samples

    def null_by_position(self) -> SpatialNull | None:
        """Return how the values vary with position within fields; None where the null does not keep it."""
        return self._by_position

    @cached_property
    def _by_position(self) -> SpatialNull | None:
        return self.null_of(self.values)

    @cached_property
    def place(self) -> Place | None:
        """Positions that the null keeps, and the fields that surfaces are of; None where it does not keep them.

        Surfaces are of fields within strata, so that they change neither the means of fields nor those of strata.
        """
        if self.position is None:
            return None
        return Place(self.position, pd.factorize(pd.MultiIndex.from_arrays([self.strata, self.field_labels()]))[0])

    def null_of(self, values: np.ndarray) -> SpatialNull | None:
        """Estimate how values of the cells vary with position; None where the null does not keep it."""
        return None if self.place is None else spatial_null(values, self.place.position, self.place.fields)

    def nulls_of(self, values: np.ndarray) -> SpatialNulls | None:
        """Estimate how many columns vary with position, see :func:`cineseq.statistics.position.spatial_nulls`."""
        return None if self.place is None else spatial_nulls(values, self.place.position, self.place.fields)

    def within_fields(self) -> CrossvalCells:
        """Return the same cells with values centred within fields.

        Where a fold holds out part of a field, that part is centred on its own mean, so that no training cell depends
        on a held-out one.

        Raises
        ------
        NotEstimableError
            When no field has two cells in the same fold.
        """
        labels = pd.factorize(pd.MultiIndex.from_arrays([self.field_labels(), self.plan.fold]))[0]
        if np.bincount(labels).max() < 2:
            msg = "no field has two cells, so nothing differs within fields"
            raise NotEstimableError(msg)
        return replace(self, values=centred(self.values, labels), centre=labels)


def cells_of(obs: pd.DataFrame, values: np.ndarray, folds: Folds, class_column: str) -> CrossvalCells:
    """Plan the folds of some cells and label their strata, families and classes.

    Raises
    ------
    NotEstimableError
        When the cells cannot be split into groups.
    """
    strata = joint_labels(obs, group_columns(obs, folds.null_strata, "folds.null_strata"))
    plan = plan_folds(obs, folds)
    plan = replace(plan, notes=(*plan.notes, *exchange_notes(plan, strata)))
    fields, samples = (joint_labels(obs, [c for c in columns if c in obs]) for columns in (FIELD, FIELD[:1]))
    classes, position = class_labels(obs, class_column), known_positions(obs) if folds.position_null else None
    return CrossvalCells(values, plan, strata, family_labels(obs), classes, fields, samples, position=position)
