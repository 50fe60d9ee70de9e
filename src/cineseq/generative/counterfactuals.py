"""The same held-out cells generated under another class: what the model says that changes, beside what was observed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cineseq.statistics.streams import stream
from cineseq.text import count

if TYPE_CHECKING:
    from cineseq.generative.direction import Direction, Learned
    from cineseq.generative.samplers import Sampler

SAMPLES = 20
"""Samples of a cell under each class."""

KEYS = ["class_from", "class_to", "unit"]
ROWS = ("direction", "class_from", "class_to", "name", "change", "observed", "separates", "cells", "note")
MODELS_OWN = (
    "Counterfactuals are the model's: what it generates for the same cells, with the same values of the other "
    "modality, under another class. They are no measurement, and no evidence of what a change of class would cause."
)


def changes_of(data: Direction, own: Learned, test: np.ndarray, sampler: Sampler, seed: int) -> pd.DataFrame:
    """Return how the target of held-out cells changes under the other values of a fact.

    Cells are generated from the same latents and random numbers, under their own value and under every other one that
    the training cells have. Cells whose own value is unknown, or was not seen in training, are left out.

    Returns
    -------
    pandas.DataFrame
        One row per own value, other value and group of cells: the index, with the number of ``cells``; one column per
        gene or feature with the mean change in standard deviations of the training cells.
    """
    part = next((part for part in own.conditions.parts if part.name == data.changed and part.categories), None)
    if part is None:
        return pd.DataFrame()
    facts = data.facts.iloc[test]
    labels = facts[part.name].astype(str).to_numpy()
    # Latents of the target under each value, with the same random numbers: shape (cells, latents) each.
    found = {}
    for value in part.categories:
        x = own.predictors(data, test, facts.assign(**{part.name: value}))
        drawn = sampler.draw(own.mean.predict(x), x, SAMPLES, stream(seed, "samples"))
        found[value] = _standardised(own, drawn.mean(axis=0))
    units, names = data.plan.units[test], _names(data, own)
    tables = []
    for start in part.categories:
        rows = labels == start
        for end in (value for value in part.categories if value != start and rows.any()):
            change = pd.DataFrame((found[end] - found[start])[rows], columns=names)
            keys = pd.DataFrame({"class_from": start, "class_to": end, "unit": units[rows]})
            means = change.groupby([keys[key] for key in KEYS]).mean()
            sizes = keys.groupby(KEYS).size().rename("cells")
            tables.append(means.set_index(sizes, append=True))
    return pd.concat(tables) if tables else pd.DataFrame()


def counterfactual_rows(changes: dict[str, list[pd.DataFrame]]) -> pd.DataFrame:
    """Return the mean change of each gene and feature over groups of cells.

    It has no interval: how cells differ says nothing of how sure the model is of what a class changes.

    Parameters
    ----------
    changes
        By direction, those of every judged fold; see :func:`changes_of`.
    """
    tables = []
    for direction, folds in changes.items():
        whole = pd.concat([fold for fold in folds if len(fold)]) if any(map(len, folds)) else pd.DataFrame()
        for (start, end), rows in whole.groupby(level=KEYS[:2], sort=False) if len(whole) else ():
            known = rows.dropna(axis=1)
            of_pair = {"direction": direction, "class_from": start, "class_to": end}
            cells = int(known.index.get_level_values("cells").to_numpy().sum())
            tables.append(
                pd.DataFrame(of_pair | {"name": known.columns, "change": known.mean().to_numpy(), "cells": cells})
            )
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(ROWS))


def beside_observed(changes: pd.DataFrame, differences: pd.DataFrame) -> pd.DataFrame:
    """Return the changes between classes whose difference is estimable, beside that difference.

    Parameters
    ----------
    changes
        Of :func:`counterfactual_rows`.
    differences
        Of :class:`cineseq.generative.responders.Responders`.
    """
    if changes.empty or differences.empty:
        return pd.DataFrame(columns=list(ROWS))
    own = differences.rename(columns={"class_a": "class_from", "class_b": "class_to", "difference": "observed"})
    turned = own.rename(columns={"class_from": "class_to", "class_to": "class_from"})
    both = pd.concat([own, turned.assign(observed=-turned["observed"])])[[*KEYS[:2], "name", "observed", "separates"]]
    return changes.merge(both, on=[*KEYS[:2], "name"]).assign(note=MODELS_OWN)[list(ROWS)]


def report(table: pd.DataFrame, column: str | None) -> dict[str, Any]:
    """Return the report of the counterfactuals: sentences and numbers; ``column`` is None where no class was given."""
    if column is None:
        return {"lines": [], "numbers": {}}
    if table.empty:
        why = f"no two classes of '{column}' could be compared by replicates"
        return {"lines": [f"Counterfactuals are not estimable: {why}."], "numbers": {}}
    lines: list[str] = []
    numbers: dict[str, float] = {}
    for (direction, start, end), rows in table.groupby(["direction", "class_from", "class_to"], sort=False):
        kind = "gene" if str(direction).endswith("expression") else "feature"
        apart = rows[rows["separates"].fillna(value=False).astype(bool)]
        alike = int((np.sign(apart["change"]) == np.sign(apart["observed"])).sum())
        numbers |= {
            f"{direction}.{start}.{end}.separate": len(apart),
            f"{direction}.{start}.{end}.same_direction": alike,
            f"{direction}.{start}.{end}.root_mean_square": float(np.sqrt(np.square(rows["change"]).mean())),
        }
        text = f"Counterfactuals, {start} to {end}: "
        if len(apart):
            text += (
                f"{count(alike)} of {count(len(apart), kind)} that separate the classes change in the same direction"
            )
        else:
            text += (
                f"no {kind} of {count(len(rows))} separates the classes, so that changes may be chance that was learned"
            )
        lines.append(f"{text}.")
    return {"lines": [*lines, MODELS_OWN], "numbers": numbers}


def _standardised(own: Learned, latents: np.ndarray) -> np.ndarray:
    """Return the columns of the first block in standard deviations, shape (cells, latents) to (cells, columns)."""
    first = own.target.parts[0]
    return latents[:, : first.latents] / own.target.weights[0] @ first.axes.T


def _names(data: Direction, own: Learned) -> list[str]:
    return [data.target.names[0][column] for column in own.target.parts[0].columns]
