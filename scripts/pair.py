"""Join singlets and their counts into the paired data.

In: the cells of the study, the pairs, and the counts of every sample. Out: ``paired`` (AnnData), with one
row per singlet that was sequenced: expression, morphology, embedding, function, lineage, and the fate of the sister;
``mudata``, the same as MuData for other programs; a report.
"""

import logging
from pathlib import Path

from pydantic import Field

from cineseq.config.base import Section
from cineseq.config.pairing import Pairing
from cineseq.files import write_json
from cineseq.io.adata import write_paired
from cineseq.io.mudata_export import write_mudata
from cineseq.pairing.join import joined_counts, pair_cells
from cineseq.pairing.report import paired_report
from cineseq.tables.contract import read_table
from cineseq.tables.imaging import CELLS, PAIRS
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step."""

    pairing: Pairing = Pairing()
    samples: list[str] = Field(default_factory=list, description="Sample of each count file.")


def main(
    *, cells: Path, pairs: Path, counts: list[Path], paired: Path, mudata: Path, report: Path, settings: Settings
) -> None:
    """Write the paired data."""
    imaged, matched = read_table(cells, CELLS), read_table(pairs, PAIRS)
    sequenced = joined_counts(
        counts, settings.samples, settings.pairing.counts_orientation, settings.pairing.counts_layer
    )
    data = pair_cells(imaged, matched, sequenced)
    result = paired_report(data, matched, sequenced)
    for line in result["lines"]:
        logger.info("%s", line)
    write_paired(data, paired)
    write_mudata(data, mudata)
    write_json(result, report)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
