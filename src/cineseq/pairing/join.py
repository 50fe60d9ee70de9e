"""Join singlets and their counts into paired data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from cineseq.config.pairing import Orientation
from cineseq.errors import UserError
from cineseq.io.counts import Counts, read_counts
from cineseq.io.group_columns import GROUP
from cineseq.io.paired import BLOCKS, PairedData
from cineseq.pairing.barcodes import files_by_sample
from cineseq.pairing.common_genes import LostGenes, common_genes
from cineseq.text import count

EXAMPLES = 3
PAIR_COLUMNS = ("barcode", "compartment_id", "occupancy", "posterior", "barcode_edits")
SISTER_COLUMNS = ("fate", "end_kind", "end_frame", "end_hours")


@dataclass(frozen=True)
class StudyCounts:
    """Counts of all samples on the genes that all of them have.

    Attributes
    ----------
    matrix
        Shape (rows of the files, genes).
    index
        Sample and barcode of every cell, unique.
    genes
        Gene names, unique.
    lost
        The genes of some files only, which are left out; None if there are none.
    origin
        Row of the matrix of every cell, shape (cells,): the same for one that two samples have. None if cells are rows.
    """

    matrix: sparse.csr_matrix
    index: pd.MultiIndex
    genes: pd.Index
    lost: LostGenes | None = None
    origin: np.ndarray | None = None

    def check_one_cell_each(self, rows: np.ndarray, cells: pd.Series) -> None:
        """Refuse rows that two cells would get.

        Parameters
        ----------
        rows
            Positions of the rows that are used, shape (cells,).
        cells
            Names of the cells that get them.

        Raises
        ------
        UserError
            When a row of a file is used twice; both cells are named.
        """
        if self.origin is None:
            return
        used = pd.Series(self.origin[rows])
        twice = used.duplicated(keep=False)
        if twice.any():
            one, other = pd.Series(cells.to_numpy())[used == used[twice].iloc[0]].iloc[:2]
            barcode = self.index[rows[int(twice.idxmax())]][1]
            msg = (
                f"counts: cells '{one}' and '{other}' would get the same row '{barcode}' of one file "
                f"({count(int(twice.sum()), 'such cell')}); give each sample the counts of its own cells."
            )
            raise UserError(msg)

    def of(self, cells: np.ndarray) -> sparse.csr_matrix:
        """Return the counts of cells, by their positions in the index; shape (cells, genes)."""
        return sparse.csr_matrix(self.matrix[cells if self.origin is None else self.origin[cells]])

    @property
    def totals(self) -> pd.Series:
        """Total counts, indexed by sample and barcode."""
        totals = np.asarray(self.matrix.sum(axis=1)).ravel()
        return pd.Series(totals if self.origin is None else totals[self.origin], index=self.index)


def joined_counts(
    paths: list[Path], samples: list[str], orientation: Orientation, layer: str | None = None
) -> StudyCounts:
    """Read the counts of every sample and keep the genes that all samples have.

    Raises
    ------
    UserError
        When there is no file or one cannot be read, the samples have no gene in common, or two files of a sample
        share a barcode.
    """
    if not paths:
        msg = "counts: there is no file of counts; name it in the column counts of the sample sheet."
        raise UserError(msg)
    read = {path: read_counts(path, orientation, layer) for path in dict.fromkeys(paths)}
    files = [(sample, path) for sample, mine in files_by_sample(paths, samples).items() for path in mine]
    genes, lost = common_genes(read)
    index = pd.MultiIndex.from_tuples(
        [(sample, barcode) for sample, path in files for barcode in read[path].cells], names=["sample", "barcode"]
    )
    if index.has_duplicates:
        sample, barcode = index[index.duplicated()][0]
        one, *others = dict.fromkeys(path for name, path in files if name == sample and barcode in read[path].cells)
        msg = f"{one}: the file is listed twice for sample '{sample}'; list it once."
        if others:
            msg = (
                f"{one} and {others[0]}: barcode '{barcode}' is in both, which are files of sample '{sample}'; "
                "barcodes must be unique within a sample, so assign the files of two libraries to two samples."
            )
        raise UserError(msg)
    # Each file is in the matrix once, whatever the number of its samples and of its names.
    once: dict[Path, Path] = {}
    for path in read:
        once.setdefault(path.resolve(), path)
    sizes = [len(read[path].cells) for path in once.values()]
    first_row = dict(zip(once, np.cumsum([0, *sizes[:-1]]), strict=True))
    origin = np.concatenate([first_row[path.resolve()] + np.arange(len(read[path].cells)) for _, path in files])
    blocks = [_on_genes(read.pop(path), genes) for path in once.values()]
    return StudyCounts(blocks[0] if len(blocks) == 1 else sparse.vstack(blocks, "csr"), index, genes, lost, origin)


def _on_genes(counts: Counts, genes: pd.Index) -> sparse.csr_matrix:
    return counts.matrix if genes.equals(counts.genes) else counts.matrix[:, counts.genes.get_indexer(genes)]


def pair_cells(cells: pd.DataFrame, pairs: pd.DataFrame, counts: StudyCounts, why: str = "") -> PairedData:
    """Return the singlets that were sequenced, with all their measurements.

    Parameters
    ----------
    cells, pairs
        As :data:`cineseq.tables.imaging.CELLS` and :data:`cineseq.tables.imaging.PAIRS`.
    counts
        Counts of all samples.
    why
        Why there may be no singlet, and what to do, in the words of the caller; by default in those of the workflow.

    Returns
    -------
    PairedData
        Sorted by ``track_id``; ``obs`` has the columns of the cells that are in no block, those of the pair, its
        groups, ``sister_*`` and ``ambient_score``, the fraction of the cell's counts that is likely ambient: the median
        count of blank compartments of its sample over the cell's total, at most 1; missing without blanks.

    Raises
    ------
    UserError
        When there is no singlet, or none of them was sequenced.
    """
    singlets = pairs[pairs["status"] == "singlet"].sort_values("track_id")
    if singlets.empty:
        statuses = ", ".join(f"{n} {s}" for s, n in pairs["status"].value_counts().items()) or "no row"
        msg = (
            f"pairs: no cell is alone in a compartment with one barcode (status of pairs: {statuses}), so nothing can "
            f"be paired; {why or _why_none(pairs)}."
        )
        raise UserError(msg)
    rows = counts.index.get_indexer(pd.MultiIndex.from_frame(singlets[["sample", "barcode"]]))
    if (rows < 0).all():
        msg = (
            "counts: none of the paired barcodes is in them; counts have "
            f"{_shown(counts.index)} and pairs have {_shown(singlets[['sample', 'barcode']].itertuples(index=False))}; "
            "name samples and barcodes alike."
        )
        raise UserError(msg)
    singlets, rows = singlets[rows >= 0], rows[rows >= 0]
    counts.check_one_cell_each(rows, singlets["track_id"])
    facts = by_track(cells).loc[singlets["track_id"]]
    obs = facts[[c for c in facts.columns if not c.startswith(tuple(f"{b}_" for b in BLOCKS))]]
    obs = obs.assign(family=family_of(facts), **_sister_columns(facts, cells))
    groups = [str(c) for c in singlets.columns if str(c).startswith(GROUP)]
    _check_groups_agree(facts, singlets, groups)
    obs = obs.assign(
        **{c: singlets[c].to_numpy() for c in (*PAIR_COLUMNS, *groups)}, ambient_score=_ambient(singlets, pairs, counts)
    )
    return PairedData(obs, counts.of(rows), counts.genes, **blocks_of(facts))


def _check_groups_agree(cells: pd.DataFrame, singlets: pd.DataFrame, groups: list[str]) -> None:
    """Check that the sheet and the table of barcodes state the same where both have a column."""
    for column in (c for c in groups if c in cells):
        of_cell, of_barcode = (table[column].astype("string").reset_index(drop=True) for table in (cells, singlets))
        wrong = (of_cell.notna() & of_barcode.notna() & (of_cell != of_barcode)).fillna(value=False)
        if wrong.any():
            row, name = int(wrong.idxmax()), column.removeprefix(GROUP)
            msg = (
                f"barcodes: barcode '{singlets['barcode'].iloc[row]}' has the {name} '{of_barcode[row]}', but the "
                f"sample sheet gives its sample '{singlets['sample'].iloc[row]}' the {name} '{of_cell[row]}'; correct "
                "one of them, or rename the column of the sheet."
            )
            raise UserError(msg)


def _why_none(pairs: pd.DataFrame) -> str:
    """Return where users of the workflow find why nothing was paired, and what to do if no shift could be told."""
    if (pairs["track_id"].isna() & pairs["compartment_id"].isna() & (pairs["status"] == "ambiguous")).any():
        return (
            "the compartment of barcodes that are known by position could not be told, and reports/match_barcodes.json "
            "gives the reason for each field; where it is that several shifts of the map of barcodes fit, and the two "
            "maps are known to be in register, set pairing.max_shift to 0.5"
        )
    return "the column status of study/pairs.parquet gives the reason for each barcode"


def _shown(names: Iterable[tuple[str, str]]) -> str:
    first = [f"'{sample}: {barcode}'" for sample, barcode in names]
    return ", ".join(first[:EXAMPLES]) + (", ..." if len(first) > EXAMPLES else "")


def blocks_of(cells: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the feature blocks of the cells as floats, selected by column prefix."""
    return {name: cells[[c for c in cells.columns if c.startswith(f"{name}_")]].astype("float64") for name in BLOCKS}


def by_track(cells: pd.DataFrame) -> pd.DataFrame:
    """Return a table of cells indexed by ``track_id``, as plain strings that AnnData can write."""
    return cells.set_index(pd.Index(cells["track_id"].astype(object), name="track_id")).drop(columns="track_id")


def family_of(cells: pd.DataFrame) -> pd.Series:
    """Return the root cell of each cell, indexed by ``track_id``; where unknown, the cell itself."""
    own = pd.Series(cells.index, index=cells.index, dtype="string")
    return cells["founder_id"].astype("string").fillna(own)


def _sister_columns(cells: pd.DataFrame, all_cells: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the fate of each cell's sister, and how and when its track ended; missing without a sister."""
    sisters = all_cells.set_index("track_id")[list(SISTER_COLUMNS)].reindex(cells["sister_id"])
    return {f"sister_{name}": sisters[name].array for name in SISTER_COLUMNS}


def blank_totals(pairs: pd.DataFrame, counts: StudyCounts) -> pd.Series:
    """Return the total counts of compartments without a live cell, indexed by sample and barcode."""
    blank = pairs[(pairs["status"] == "no_cell") & (pairs["occupancy"] == 0).fillna(value=False).to_numpy(bool)]
    totals = counts.totals.reindex(pd.MultiIndex.from_frame(blank[["sample", "barcode"]]))
    return totals.dropna()


def _ambient(singlets: pd.DataFrame, pairs: pd.DataFrame, counts: StudyCounts) -> np.ndarray:
    # Use the median: a compartment whose cell died counts as blank here but holds the RNA of that cell.
    blank = blank_totals(pairs, counts).groupby(level="sample").median()
    total = counts.totals.reindex(pd.MultiIndex.from_frame(singlets[["sample", "barcode"]])).to_numpy()
    fraction = blank.reindex(singlets["sample"]).to_numpy(np.float64) / np.maximum(total, 1)
    return np.minimum(fraction, 1.0)
