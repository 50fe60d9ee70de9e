"""Compartments with two living sisters hold the sum of both: they are compared with sums of two bereaved survivors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from cineseq.kinship.families import Families, strata
from cineseq.pairing.joining import StudyCounts

COMPARTMENT = ["sample", "compartment_id", "barcode"]


@dataclass(frozen=True)
class Sums:
    """Sums of the counts of two survivors each.

    Attributes
    ----------
    counts
        Shape (sums, genes).
    exposed
        Whether both lost their sister (they are of two families), or are sisters of each other, shape (sums,).
    stratum
        Stratum of field and birth time, from 0, shape (sums,).
    """

    counts: sparse.csr_matrix
    exposed: np.ndarray
    stratum: np.ndarray


def sums_of_two(
    families: Families, status: pd.DataFrame, pairs: pd.DataFrame, counts: StudyCounts, *, bins: int, seed: int
) -> Sums:
    """Sum the counts of survivors by two, so that both arms hold as many cells.

    Two living sisters in one compartment are a sum as they are, and counts of single survivors would differ from it
    by their number of cells alone. Survivors whose sister died are therefore added up by two, at random within strata
    of field and birth time; an odd one is left out.

    Parameters
    ----------
    families, status
        Trees, and :func:`~cineseq.kinship.status.sister_status` of their cells.
    pairs
        As :data:`cineseq.contracts.PAIRS`.
    counts
        Counts of all samples.
    bins
        Quantile bins of birth time.
    seed
        Of the random partners.
    """
    rng = np.random.default_rng(seed)
    alone, together = _alone(families, status, pairs, counts), _together(families, status, pairs, counts)
    first = np.concatenate([alone["cell"], together["cell"]]).astype(int)
    cells = families.cells.iloc[first]
    stratum = strata(cells["field"].to_numpy(), cells["birth"].to_numpy(), bins)
    order = np.argsort(stratum[: len(alone)] + rng.random(len(alone)))
    ordered = stratum[: len(alone)][order]
    rank = np.arange(len(ordered)) - np.searchsorted(ordered, ordered)
    left = np.flatnonzero((rank[:-1] % 2 == 0) & (ordered[:-1] == ordered[1:])) if len(ordered) else np.empty(0, int)
    rows = alone["row"].to_numpy(int)[order]
    bereaved = counts.matrix[rows[left]] + counts.matrix[rows[left + 1]]
    both = counts.matrix[together["row"].to_numpy(int)]
    exposed = np.repeat([True, False], [len(left), len(together)])
    kept = np.concatenate([ordered[left], stratum[len(alone) :]])
    return Sums(sparse.csr_matrix(sparse.vstack([bereaved, both])), exposed, np.unique(kept, return_inverse=True)[1])


def _alone(families: Families, status: pd.DataFrame, pairs: pd.DataFrame, counts: StudyCounts) -> pd.DataFrame:
    """Return paired survivors whose sister died: ``cell`` (position in the trees) and ``row`` (of the counts)."""
    single = pairs[pairs["status"] == "singlet"]
    cell = pd.Index(families.cells["track_id"]).get_indexer(single["track_id"])
    found = pd.DataFrame({"cell": cell, "row": _rows(single, counts)})
    bereaved = (status["status"] == "died").to_numpy()[cell] & (cell >= 0)
    return found[bereaved & (found["row"] >= 0).to_numpy()]


def _together(families: Families, status: pd.DataFrame, pairs: pd.DataFrame, counts: StudyCounts) -> pd.DataFrame:
    """Return compartments whose two live cells are sisters: ``cell`` (one of them) and ``row`` (of the counts)."""
    shared = pairs[(pairs["status"] == "multi_cell") & (pairs["occupancy"] == 2) & (pairs["barcodes"] == 1)]
    shared = shared.assign(cell=pd.Index(families.cells["track_id"]).get_indexer(shared["track_id"]))
    shared = shared[(shared["cell"] >= 0) & (status["status"] == "survived").to_numpy()[shared["cell"]]]
    sister = status["sister"].to_numpy()[shared["cell"]]
    compartment = shared.groupby(COMPARTMENT)["cell"]
    with_sister = (compartment.transform("sum") - shared["cell"] == sister) & (compartment.transform("size") == 2)
    shared = shared[with_sister].drop_duplicates(COMPARTMENT)
    found = pd.DataFrame({"cell": shared["cell"].to_numpy(int), "row": _rows(shared, counts)})
    return found[found["row"] >= 0]


def _rows(pairs: pd.DataFrame, counts: StudyCounts) -> np.ndarray:
    return counts.index.get_indexer(pd.MultiIndex.from_frame(pairs[["sample", "barcode"]]))
