"""Whether sisters share the hazard of death itself, whatever the lengths of their cycles.

Sisters that are alike in the length of their cycles have the same fate more often, because a long cycle leaves more
time to die. The residual of a cell, its death minus the cumulative hazard of death up to its age at division, loss or
the end of the movie, has mean zero whatever that age is, so that residuals of sisters correlate only where their
hazards of death do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from cineseq.lineage.trees import LineageTrees, strata
from cineseq.text import count

FEWEST_DEATHS = 10
FEWEST_ROOT_CELLS = 20


@dataclass(frozen=True)
class SharedHazard:
    """Correlation of the residuals of sisters, and its one-sided p-value; NaN, with the reason, where not estimable."""

    pairs: int
    correlation: float
    p_value: float
    note: str = ""


def residuals(age: np.ndarray, died: np.ndarray) -> np.ndarray:
    """Return the martingale residuals of death, all other ends censoring, shape (cells,).

    Parameters
    ----------
    age
        Age at the end of the track, shape (cells,).
    died
        Whether the cell died then, shape (cells,).

    References
    ----------
    Nelson, Technometrics 14 (1972) 945 (cumulative hazard); Therneau, Grambsch and Fleming, Biometrika 77 (1990) 147.
    """
    # Nelson's cumulative hazard at each age, shape (ages,), from cells at risk and deaths there.
    ages, place = np.unique(age, return_inverse=True)
    at_risk = len(age) - np.concatenate([[0], np.cumsum(np.bincount(place))[:-1]])
    hazard = np.cumsum(np.bincount(place, died, len(ages)) / at_risk)
    return died - hazard[place]


def shared_hazard(residual: np.ndarray, stratum: np.ndarray, root_cell: np.ndarray) -> SharedHazard:
    """Correlate the residuals of sisters within strata of field and birth time.

    The correlation is corrected for the negative bias of centring. Its standard error is robust to several pairs of one
    root cell.

    Parameters
    ----------
    residual
        Of both sisters, shape (pairs, 2).
    stratum, root_cell
        Shape (pairs,).

    References
    ----------
    Commenges and Jacqmin-Gadda, J. R. Stat. Soc. B 59 (1997) 157 (score test of correlated survival times).
    """
    # Strata with at least two pairs, and deviations from the mean of the stratum, shape (pairs, 2).
    stratum = np.unique(stratum, return_inverse=True)[1]
    kept = np.bincount(stratum, minlength=1)[stratum] > 1
    residual, root_cell = residual[kept], root_cell[kept]
    stratum = np.unique(stratum[kept], return_inverse=True)[1]
    root_cells = len(np.unique(root_cell))
    if root_cells < FEWEST_ROOT_CELLS:
        note = f"not estimable: {root_cells} families in strata with several pairs, {FEWEST_ROOT_CELLS} are needed"
        return SharedHazard(len(residual), np.nan, np.nan, note)
    cells = 2.0 * np.bincount(stratum)
    mean = np.bincount(stratum, residual.sum(axis=1)) / cells
    deviation = residual - mean[stratum][:, None]
    # Cross products; in a stratum of c cells centring lowers their expectation by half a square over c - 1.
    square = (deviation**2).sum(axis=1)
    lowered = np.bincount(stratum, square) / (2 * (cells - 1)) / (cells / 2)
    product = deviation.prod(axis=1) + lowered[stratum]
    by_root = np.bincount(np.unique(root_cell, return_inverse=True)[1], product)
    error = np.sqrt((by_root**2).sum())
    if error <= 0:
        return SharedHazard(len(residual), np.nan, np.nan, "not estimable: no cell died")
    p = stats.t.sf(product.sum() / error, root_cells - 1)
    return SharedHazard(len(residual), float(product.sum() / (square.sum() / 2)), float(p))


def hazards_by_condition(families: LineageTrees, bins: int) -> dict[str, SharedHazard]:
    """Return whether sisters share the hazard of death, by condition.

    Parameters
    ----------
    families
        The trees; all pairs of sisters count, whatever their ends.
    bins
        Quantile bins of birth time.
    """
    cells = families.cells
    age, died = (cells["end"] - cells["birth"]).to_numpy(float), (cells["died"] == 1).to_numpy(float)
    found = {}
    for name in sorted(cells["condition"].unique()):
        pairs = families.sisters[(cells["condition"].to_numpy()[families.sisters] == name).all(axis=1)]
        deaths = int(died[pairs].sum())
        if deaths < FEWEST_DEATHS:
            note = f"not estimable: {count(deaths, 'daughter')} died, {FEWEST_DEATHS} are needed"
            found[name] = SharedHazard(len(pairs), np.nan, np.nan, note)
            continue
        first = cells.iloc[pairs[:, 0]]
        stratum = strata(first["field"].to_numpy(), first["birth"].to_numpy(), bins)
        residual = residuals(age[pairs].ravel(), died[pairs].ravel()).reshape(-1, 2)
        found[name] = shared_hazard(residual, stratum, first["root_cell"].to_numpy())
    return found
