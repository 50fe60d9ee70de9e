"""Find heritable genes, and genes associated with the fate of the sister.

In: the cells table with its lineage, the paired data, and the clusters (which cells passed quality control); where
cells were paired through compartments, also the pairs, the maps of compartments and the counts. Out: heritable genes,
by the correlation within pairs of sequenced sisters, with partners permuted within field and birth time; genes by the
fate of the sister, by the score of families weighted by their effective number of survivors within field and birth
time; genes of survivors that shared a compartment with their dead sister against the mean cell of two living sisters in
one; a report.
"""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field
from scipy import sparse

from cineseq.config.base import Section
from cineseq.config.expression import Normalisation
from cineseq.config.lineage import Lineage
from cineseq.config.pairing import Pairing
from cineseq.expression.normalise import Expression, detected_genes, expression_of, kind_of
from cineseq.expression.quality_control import usable_cells
from cineseq.files import write_json
from cineseq.io.adata import read_paired
from cineseq.io.maps import read_compartments
from cineseq.lineage.compartment_controls import dead_cells
from cineseq.lineage.separated_pairs import eligible, together
from cineseq.lineage.shared_cages import BEREAVED, FEWEST, SISTERS, Libraries, cage_libraries, cage_line, genes_by_cage
from cineseq.lineage.sister_genes import (
    DETECTED,
    Design,
    difference_line,
    genes_by_sister,
    heritable_genes,
    heritable_line,
)
from cineseq.lineage.sister_score import Summaries
from cineseq.lineage.sister_status import sister_status
from cineseq.lineage.state_by_sister import survivors_with
from cineseq.lineage.trees import LineageTrees, families_of, strata
from cineseq.pairing.join import joined_counts
from cineseq.statistics import ALPHA
from cineseq.tables.contract import empty, read_table, write_table
from cineseq.tables.expression import CLUSTERS
from cineseq.tables.imaging import CELLS, PAIRS
from cineseq.tables.lineage import GENES_BY_CAGE, GENES_BY_SISTER, HERITABLE_GENES
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)

BETWEEN = "survivors whose sister died and whose sister lived"


class Settings(Section):
    """Settings of this step."""

    lineage: Lineage = Lineage()
    seed: int = 1
    normalisation: Normalisation = "median"
    pairing: Pairing = Pairing()
    samples: list[str] = Field(default_factory=list, description="Sample of each count file.")


def main(
    *,
    cells: Path,
    paired: Path,
    clusters: Path | None = None,
    pairs: Path | None = None,
    compartments: list[Path] = [],  # noqa: B006 - never changed; the step adapter wants plain lists
    counts: list[Path] = [],  # noqa: B006
    heritable: Path,
    by_sister: Path,
    by_cage: Path,
    report: Path,
    settings: Settings,
) -> None:
    """Correlate expression between sisters, and compare it between survivors by the fate of the sister."""
    table = read_table(cells, CELLS)
    families = families_of(table)
    quality = None if clusters is None else read_table(clusters, CLUSTERS).set_index("track_id")
    data = usable_cells(read_paired(paired, settings.normalisation), quality)
    expression = expression_of(data)
    shared, differing, of_cages = empty(HERITABLE_GENES), empty(GENES_BY_SISTER), empty(GENES_BY_CAGE)
    lines = []
    if expression is not None:
        row = pd.Index(data.obs.index.astype(str)).get_indexer(families.cells["track_id"])
        row[families.cells["died"] == 1] = -1
        shared = _heritable(families, expression, row, settings)
        status = sister_status(families, settings.lineage).assign(sequenced=row >= 0)
        matched = None if pairs is None else read_table(pairs, PAIRS)
        dead = dead_cells(families, table, read_compartments(compartments)) if compartments else None
        in_one = together(families, status, matched, dead)
        chosen = eligible(families, status, in_one)
        separated = status.assign(sequenced=status["sequenced"] & chosen.cells)
        differing = _by_sister(families, separated, expression, row, settings)
        lines += [f"Genes by the fate of the sister: {chosen.reason}."] if chosen.families else []
        if matched is not None and counts:
            libraries = cage_libraries(families, status, in_one, matched, settings.lineage.birth_time_bins)
            of_cages = _by_cage(libraries, counts, settings)
    lines = [heritable_line(shared), difference_line(differing, BETWEEN), *lines]
    if len(of_cages):
        lines.append(cage_line(of_cages))
    for line in lines:
        logger.info("%s", line)
    write_table(shared, heritable, HERITABLE_GENES)
    write_table(differing, by_sister, GENES_BY_SISTER)
    write_table(of_cages, by_cage, GENES_BY_CAGE)
    tables = {"heritable": shared, "differing": differing}
    numbers = {name: int((table["q_value"] <= ALPHA).sum()) for name, table in tables.items()}
    write_json({"lines": lines, "numbers": numbers}, report)


def _heritable(families: LineageTrees, expression: Expression, row: np.ndarray, settings: Settings) -> pd.DataFrame:
    """Test pairs of sequenced sisters; ``row`` is the row of each cell in the expression or -1, shape (cells,)."""
    pairs = families.sisters[(row[families.sisters] >= 0).all(axis=1)]
    tested = detected_genes(expression.counts[row[pairs.ravel()]], DETECTED)
    one, other = (expression.log[row[pairs[:, k]]][:, tested].toarray().astype(float) for k in (0, 1))
    first = families.cells.iloc[pairs[:, 0]]
    stratum = strata(first["field"].to_numpy(), first["birth"].to_numpy(), settings.lineage.birth_time_bins)
    design = Design(expression.genes[tested], settings.lineage.permutations, settings.seed)
    return heritable_genes(one, other, stratum, design)


def _by_sister(
    families: LineageTrees, status: pd.DataFrame, expression: Expression, row: np.ndarray, settings: Settings
) -> pd.DataFrame:
    """Compare survivors by the fate of the sister; ``row`` as for :func:`_heritable`."""
    cells = survivors_with(families, status, "died", ("survived",))
    cells["stratum"] = strata(cells["field"].to_numpy(), cells["birth"].to_numpy(), settings.lineage.birth_time_bins)
    rows = row[cells.index]
    tested = detected_genes(expression.counts[rows], DETECTED)
    code = pd.factorize(cells["block"])[0]
    survivors = np.bincount(code)
    # Average of the survivors of each family, as a sparse matrix of shape (families, cells).
    average = sparse.csr_matrix((1 / survivors[code], (code, np.arange(len(code)))), (len(survivors), len(code)))
    values = expression.log[rows][:, tested]
    mean = (average @ values).toarray()
    within = np.where(survivors[:, None] > 1, (average @ values.multiply(values)).toarray() - mean**2, 0.0)
    family = cells.groupby(code)[["exposed", "stratum", "root_cell"]].first()
    exposed, stratum, root_cell = (family[name].to_numpy() for name in ("exposed", "stratum", "root_cell"))
    summaries = Summaries(exposed.astype(bool), mean, within.clip(min=0), survivors, stratum.astype(int), root_cell)
    design = Design(expression.genes[tested], settings.lineage.permutations, settings.seed)
    return genes_by_sister(summaries, design)


def _by_cage(libraries: pd.DataFrame, counts: list[Path], settings: Settings) -> pd.DataFrame:
    """Compare survivors of shared compartments with two living sisters; no rows without enough libraries of both."""
    arms = libraries["arm"].value_counts()
    if min(arms.get(BEREAVED, 0), arms.get(SISTERS, 0)) < FEWEST:
        return empty(GENES_BY_CAGE)
    read = joined_counts(counts, settings.samples, settings.pairing.counts_orientation, settings.pairing.counts_layer)
    row = read.index.get_indexer(pd.MultiIndex.from_frame(libraries[["sample", "barcode"]]))
    libraries, matrix = libraries[row >= 0], read.matrix[row[row >= 0]]
    if kind_of(matrix) != "counts":
        return empty(GENES_BY_CAGE)
    tested = detected_genes(matrix, DETECTED)
    columns = (libraries[name].to_numpy() for name in ("arm", "stratum", "root_cell"))
    return genes_by_cage(Libraries(matrix[:, tested], *columns), read.genes[tested], settings.seed)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
