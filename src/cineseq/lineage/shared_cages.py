"""Expression of survivors of a shared compartment against that of two living sisters in one, per cell.

Where all sisters share a compartment, a survivor read alone has lost its sister, and no single cell was read whose
sister lives. Compartments with two living sisters have a library of both: half of its counts, drawn at random, is one
cell's worth of RNA with the mean composition of both. It varies less than a single cell, so that the variances of the
arms may differ. Means are compared on the linear scale, on which the mean of two cells is unbiased.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse, stats

from cineseq.lineage.compartment_controls import two_cell_compartments
from cineseq.lineage.sister_genes import difference_line
from cineseq.lineage.trees import LineageTrees, strata
from cineseq.statistics import ALPHA
from cineseq.statistics.permutation import benjamini_hochberg
from cineseq.tables.lineage import GENES_BY_CAGE
from cineseq.text import count

BEREAVED, SISTERS, STRANGERS = "bereaved", "sisters", "strangers"
FEWEST = 5
"""Fewest informative units of an arm, and fewest degrees of freedom of its variance."""


@dataclass(frozen=True)
class Libraries:
    """Libraries of compartments with one survivor or with two living cells.

    Attributes
    ----------
    counts
        Whole counts, shape (libraries, genes).
    arm
        :data:`BEREAVED` (one survivor, whose sister died in the compartment), :data:`SISTERS` (two living sisters) or
        :data:`STRANGERS` (two living cells that are not sisters and lost none), shape (libraries,).
    stratum
        Stratum of field and birth time, from 0, shape (libraries,).
    root_cell
        Root cell of each library, shape (libraries,); libraries of one root cell in an arm of a stratum are averaged.
    """

    counts: sparse.csr_matrix
    arm: np.ndarray
    stratum: np.ndarray
    root_cell: np.ndarray


def genes_by_cage(libraries: Libraries, genes: pd.Index, seed: int) -> pd.DataFrame:
    """Compare genes between survivors that lost their sister and the mean cell of two living sisters.

    The control compares two living sisters with two living strangers: both are libraries of two cells, and no sister
    died. A gene that differs there differs with the presence of a sister and not with a death.

    Parameters
    ----------
    libraries
        Libraries of all arms.
    genes
        Names, one per column.
    seed
        Seed of the halving of counts.

    Returns
    -------
    pandas.DataFrame
        The table :data:`cineseq.tables.lineage.GENES_BY_CAGE`.

    References
    ----------
    Welch, Biometrika 34 (1947) 28 (unequal variances).
    """
    table = pd.DataFrame({"gene": genes})
    values = per_cell(libraries.counts, libraries.arm != BEREAVED, np.random.default_rng(seed))
    found = welch(*_units(libraries, values, BEREAVED, SISTERS))
    control = welch(*_units(libraries, values, SISTERS, STRANGERS))
    table = table.assign(
        bereaved=found.first, cages=found.second, difference=found.difference, p_value=found.p_value,
        q_value=benjamini_hochberg(found.p_value), strangers=control.second,
        control_difference=control.difference, control_p=control.p_value,
    )  # fmt: skip
    note = found.note or (f"no control: {control.note}" if control.note else "")
    constant = np.isnan(found.p_value) & (found.note == "")
    return GENES_BY_CAGE.check(table.assign(note=np.where(constant, "not estimable: the gene does not vary", note)))


def per_cell(counts: sparse.csr_matrix, two: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return counts per cell, scaled to the median total; shape (libraries, genes).

    Of libraries of two cells (``two``, shape (libraries,)), each count is kept with probability 1/2.
    """
    counts = sparse.csr_matrix(counts, copy=True)
    of_two = np.repeat(two, np.diff(counts.indptr))
    counts.data[of_two] = rng.binomial(np.rint(counts.data[of_two]).astype(np.int64), 0.5)
    values = counts.toarray().astype(float)
    total = values.sum(axis=1)
    return values * (np.median(total) / np.maximum(total, 1))[:, None]


def _units(
    libraries: Libraries, values: np.ndarray, first: str, second: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return values, arm (True for the first) and stratum of the units of two arms, those of one root cell averaged."""
    rows = np.flatnonzero(np.isin(libraries.arm, [first, second]))
    keys = pd.DataFrame(
        {"stratum": libraries.stratum[rows], "arm": libraries.arm[rows] == first, "root": libraries.root_cell[rows]}
    )
    group = keys.groupby(list(keys.columns), sort=True)
    mean = pd.DataFrame(values[rows]).groupby(group.ngroup()).mean().to_numpy()
    of_group = keys.groupby(group.ngroup()).first()
    return mean.reshape(len(of_group), -1), of_group["arm"].to_numpy(bool), of_group["stratum"].to_numpy(int)


@dataclass(frozen=True)
class WelchTest:
    """Units of both arms, differences of means and p-values of all columns, and why they are missing."""

    first: int
    second: int
    difference: np.ndarray
    p_value: np.ndarray
    note: str = ""


def welch(values: np.ndarray, exposed: np.ndarray, stratum: np.ndarray) -> WelchTest:
    """Compare the means of two arms within strata without taking their variances for equal.

    The difference is the mean over strata, weighted by n1 n0 / (n1 + n0). The variance of an arm is pooled over strata,
    and degrees of freedom are those of Satterthwaite.

    Parameters
    ----------
    values
        Shape (units, columns).
    exposed, stratum
        Whether a unit is in the first arm, and its stratum from 0; shape (units,).

    References
    ----------
    Welch, Biometrika 34 (1947) 28; Satterthwaite, Biometrics Bulletin 2 (1946) 110.
    """
    size, first = np.bincount(stratum, minlength=1), np.bincount(stratum, exposed, minlength=1)
    kept = ((first > 0) & (first < size))[stratum] if len(stratum) else np.zeros(0, dtype=bool)
    values, exposed = values[kept], exposed[kept]
    stratum = np.unique(stratum[kept], return_inverse=True)[1]
    units = int(exposed.sum()), int((~exposed).sum())
    strata = int(stratum.max(initial=-1)) + 1
    absent = np.full(values.shape[1], np.nan)
    if min(units) - strata < FEWEST:
        note = f"not estimable: {units[0]} and {units[1]} libraries in {strata} strata with both arms"
        return WelchTest(*units, absent, absent, f"{note}, {FEWEST} more than strata are needed")
    # Means of each arm and stratum, shape (strata, columns), and the pooled variance within strata, shape (columns,).
    means, errors, freedoms = [], [], []
    weight = np.bincount(stratum, exposed) * np.bincount(stratum, ~exposed) / np.bincount(stratum)
    weight = weight / weight.sum()
    for arm in (exposed, ~exposed):
        number = np.bincount(stratum[arm])
        sums = sparse.csr_array((np.ones(arm.sum()), (stratum[arm], np.arange(arm.sum()))))
        mean = (sums @ values[arm]) / number[:, None]
        freedom = arm.sum() - strata
        variance = ((values[arm] - mean[stratum[arm]]) ** 2).sum(axis=0) / freedom
        means.append(weight @ mean)
        errors.append(variance * (weight**2 / number).sum())
        freedoms.append(freedom)
    difference, error = means[0] - means[1], errors[0] + errors[1]
    varies = error > 1e-12
    scale = np.where(varies, error, 1.0)
    freedom = scale**2 / np.maximum(errors[0] ** 2 / freedoms[0] + errors[1] ** 2 / freedoms[1], 1e-300)
    p = 2 * stats.t.sf(np.abs(difference) / np.sqrt(scale), freedom)
    return WelchTest(*units, np.where(varies, difference, np.nan), np.where(varies, p, np.nan))


def cage_libraries(
    families: LineageTrees, status: pd.DataFrame, shared: np.ndarray, pairs: pd.DataFrame, bins: int
) -> pd.DataFrame:
    """Choose the compartments with one barcode whose libraries :func:`genes_by_cage` compares.

    Parameters
    ----------
    families, status
        Trees, and :func:`~cineseq.lineage.sister_status.sister_status` of their cells with ``sequenced``.
    shared
        Which cells share the compartment of their sister, as
        :func:`~cineseq.lineage.separated_pairs.together` returns.
    pairs
        As :data:`cineseq.tables.imaging.PAIRS`.
    bins
        Quantile bins of birth time.

    Returns
    -------
    pandas.DataFrame
        ``sample``, ``barcode``, ``arm``, ``stratum`` and ``root_cell``, one row per library.
    """
    cells = families.cells
    library = pairs[(pairs["barcodes"] == 1) & pairs["track_id"].notna()].drop_duplicates("track_id")
    library = library.set_index("track_id")[["sample", "barcode"]].reindex(cells["track_id"])
    alone = np.flatnonzero((status["status"] == "died") & status["sequenced"] & (shared == 1))
    two = two_cell_compartments(families, status, pairs)
    first = np.concatenate([alone, two["one"].to_numpy(int)])
    arms = np.concatenate([np.full(len(alone), BEREAVED), np.where(two["sisters"], SISTERS, STRANGERS)])
    birth = np.concatenate([cells["birth"].to_numpy(float)[alone], two["birth"].to_numpy(float)])
    chosen = library.iloc[first].assign(
        arm=arms,
        stratum=strata(cells["field"].to_numpy()[first], birth, bins),
        root_cell=cells["root_cell"].to_numpy()[first],
    )
    return chosen.dropna(subset="barcode").reset_index(drop=True)


def cage_line(table: pd.DataFrame) -> str:
    """Report how many genes differ between survivors read alone and the mean cell of two living sisters."""
    what = "survivors alone in the compartment of a dead sister and the mean cell of two living sisters in one"
    line = difference_line(table, what)
    if not table["p_value"].notna().any():
        return line
    called = table[table["q_value"] <= ALPHA]
    also = int((called["control_p"] <= ALPHA).sum())
    control = "the control of two living sisters against two living strangers is not estimable"
    if table["control_p"].notna().any():
        control = f"{count(also)} of them also in the control (two living sisters against two living strangers)"
    return (
        f"{line.rstrip('.')}; {control}. A cell alone also has more space than two, and its library may hold RNA "
        "of the dead sister."
    )
