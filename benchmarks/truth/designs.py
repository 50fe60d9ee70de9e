"""What the designs share: how fields and families make cells alike, and the columns that say where cells are."""

from __future__ import annotations

import numpy as np
import pandas as pd


def with_family(noise: np.ndarray, family: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return noise of which cells of a family share half the variance.

    Parameters
    ----------
    noise
        Of single cells, variance 1, shape (cells,) or (cells, columns).
    family
        Number of the family of each cell, from 0, shape (cells,). Where every cell is its own family, nothing is drawn.
    rng
        Draws what families share.
    """
    families = int(family.max()) + 1
    if families == len(family):
        return noise
    return np.sqrt(0.5) * (noise + rng.normal(size=(families, *noise.shape[1:]))[family])


def field_shift(field: np.ndarray, fields: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    """Draw effects of fields, of variance 1 over fields, for their cells, shape (cells, columns).

    Parameters
    ----------
    field
        Number of the field of each cell, from 0, shape (cells,).
    fields
        Number of fields, of which some may have no cell.
    columns
        Number of independent effects.
    rng
        Draws them.
    """
    return rng.normal(size=(fields, columns))[field]


def labels_of_cells(field: np.ndarray, sample: list[str] | str = "s", family: np.ndarray | None = None) -> pd.DataFrame:
    """Return sample, field of view, condition and family (where given) of cells, from numbers of field and family."""
    labels = pd.DataFrame({"sample": sample, "fov": field.astype(str), "condition": "one"}, index=range(len(field)))
    return labels if family is None else labels.assign(family=family.astype(str))


def samples_in_order(field: np.ndarray, samples: int, fields: int) -> list[str]:
    """Return the sample of each cell, where samples have equal numbers of fields, one after the other."""
    return [f"sample {number * samples // fields}" for number in field]
