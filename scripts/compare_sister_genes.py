"""Find heritable genes, and genes associated with the fate of the sister.

In: the cells table with its lineage, the paired data, and the clusters (which cells passed quality control). Out:
heritable genes, by the correlation within pairs of sequenced sisters, with partners permuted within field and birth
time; genes by the fate of the sister, permuted within field and birth time, or by sign flips of the scores of root
cells where these have several pairs of sisters; a report.
"""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from cineseq.config.base import Section
from cineseq.config.expression import Normalisation
from cineseq.config.lineage import Lineage
from cineseq.expression.normalise import Expression, detected_genes, expression_of
from cineseq.expression.quality_control import usable_cells
from cineseq.files import write_json
from cineseq.io.adata import read_paired
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
from cineseq.statistics import ALPHA
from cineseq.tables.contract import empty, read_table, write_table
from cineseq.tables.expression import CLUSTERS
from cineseq.tables.imaging import CELLS
from cineseq.tables.lineage import GENES_BY_SISTER, HERITABLE_GENES
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)

BETWEEN = "survivors whose sister died and whose sister lived"


class Settings(Section):
    """Settings of this step."""

    lineage: Lineage = Lineage()
    seed: int = 1
    normalisation: Normalisation = "median"


def main(
    *,
    cells: Path,
    paired: Path,
    clusters: Path | None = None,
    heritable: Path,
    by_sister: Path,
    report: Path,
    settings: Settings,
) -> None:
    """Correlate expression between sisters, and compare it between survivors by the fate of the sister."""
    families = families_of(read_table(cells, CELLS))
    quality = None if clusters is None else read_table(clusters, CLUSTERS).set_index("track_id")
    data = usable_cells(read_paired(paired, settings.normalisation), quality)
    expression = expression_of(data)
    shared, differing = empty(HERITABLE_GENES), empty(GENES_BY_SISTER)
    if expression is not None:
        row = pd.Index(data.obs.index.astype(str)).get_indexer(families.cells["track_id"])
        row[families.cells["died"] == 1] = -1
        shared = _heritable(families, expression, row, settings)
        differing = _by_sister(families, expression, row, settings)
    lines = [heritable_line(shared), difference_line(differing, BETWEEN)]
    for line in lines:
        logger.info("%s", line)
    write_table(shared, heritable, HERITABLE_GENES)
    write_table(differing, by_sister, GENES_BY_SISTER)
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


def _by_sister(families: LineageTrees, expression: Expression, row: np.ndarray, settings: Settings) -> pd.DataFrame:
    """Compare survivors by the fate of the sister; ``row`` as for :func:`_heritable`."""
    status = sister_status(families, settings.lineage).assign(sequenced=row >= 0)
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


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
