"""Genes against the sister's fate where sisters share a compartment: sums of two cells against sums of two cells.

In: the cells table with its lineage, the pairs and the counts. Out: genes by what became of the sister, between sums
of two living sisters and sums of two survivors that lost theirs; a report.
"""

import logging
from pathlib import Path

from pydantic import Field

from cineseq import contracts, family_results
from cineseq.clustering.counts import detected_genes, expression_from, kind_of
from cineseq.config.base import Section
from cineseq.config.lineage import Lineage
from cineseq.config.pairing import Pairing
from cineseq.files import write_json
from cineseq.kinship.families import families_of
from cineseq.kinship.genes import DETECTED, Design, difference_line, genes_by_sister
from cineseq.kinship.status import sister_status
from cineseq.kinship.sums import sums_of_two
from cineseq.pairing.joining import joined_counts
from cineseq.step import run
from cineseq.tables import empty, read_table, write_table

logger = logging.getLogger(__name__)

BETWEEN = "sums of two survivors whose sisters died and sums of two living sisters in one compartment"


class Settings(Section):
    """What this step is told."""

    lineage: Lineage = Lineage()
    pairing: Pairing = Pairing()
    samples: list[str] = Field(default_factory=list, description="Sample of each file of counts.")
    seed: int = 1


def main(*, cells: Path, pairs: Path, counts: list[Path], sums: Path, report: Path, settings: Settings) -> None:
    """Compare sums of two survivors by what became of their sisters."""
    families = families_of(read_table(cells, contracts.CELLS))
    status = sister_status(families, settings.lineage)
    sequenced = joined_counts(counts, settings.samples, settings.pairing.counts_orientation)
    matched = read_table(pairs, contracts.PAIRS)
    bins = settings.lineage.birth_time_bins
    found = sums_of_two(families, status, matched, sequenced, bins=bins, seed=settings.seed)
    table, kind = empty(family_results.GENES_BY_SISTER_SUMS), kind_of(sequenced.matrix)
    if kind in {"counts", "fractional"}:  # sums of logarithms are no logarithms of sums
        expression = expression_from(found.counts, sequenced.genes, kind)
        tested = detected_genes(found.counts, DETECTED)
        design = Design(expression.genes[tested], found.stratum, settings.lineage.permutations, settings.seed)
        table = genes_by_sister(expression.log[:, tested].toarray().astype(float), found.exposed, design)
    lines = [difference_line(table, BETWEEN)]
    logger.info("%s", lines[0])
    write_table(table, sums, family_results.GENES_BY_SISTER_SUMS)
    numbers = {"sums_sister_died": int(found.exposed.sum()), "sums_both_alive": int((~found.exposed).sum())}
    write_json({"lines": lines, "numbers": numbers}, report)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
