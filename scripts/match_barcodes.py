"""Pair live cells with sequenced barcodes through the compartments that hold both.

In: the cells of the study, the masks of its fields if there are any (for their pixel size), maps of compartments,
tables of barcodes, and the counts if there are any, whose barcodes may have one wrong letter. Out: one row per live
cell and per barcode without a cell, with a status (``singlet``, ``multi_cell``, ``multi_barcode``, ``ambiguous``,
``no_barcode``, ``no_cell``); only singlets are used.
"""

import logging
from pathlib import Path

from pydantic import Field

from cineseq.config.base import FieldOfView, Section
from cineseq.config.imaging import Inputs
from cineseq.config.pairing import Pairing
from cineseq.files import write_json
from cineseq.io.delimited import fields_of
from cineseq.io.maps import check_fields, check_samples, read_barcode_tables, read_compartments
from cineseq.pairing.barcodes import sequenced_only
from cineseq.pairing.match import match
from cineseq.pairing.positions import missing_sizes, pixel_sizes, with_micrometres
from cineseq.pairing.readings import Maps, check_maps
from cineseq.pairing.report import pairs_report
from cineseq.tables.contract import read_table, write_table
from cineseq.tables.imaging import CELLS, PAIRS
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step."""

    inputs: Inputs = Inputs()
    pairing: Pairing = Pairing()
    samples: list[str] = Field(default_factory=list, description="Sample of each count file.")
    fields: list[FieldOfView] = Field(default_factory=list, description="Fields of view, in the order of their masks.")


def main(
    *,
    cells: Path,
    labels: list[Path],
    compartments: list[Path],
    barcodes: list[Path],
    counts: list[Path],
    pairs: Path,
    report: Path,
    settings: Settings,
) -> None:
    """Pair live cells with barcodes."""
    imaged = read_table(cells, CELLS)
    where = read_compartments(compartments)
    known = read_barcode_tables(barcodes, where)
    check_samples(imaged, where, known)
    check_fields(settings.fields, where, known)
    sequenced = sequenced_only(known, barcodes, counts, settings.samples, settings.pairing)
    sizes = pixel_sizes(labels, fields_of(labels, settings.fields), settings.inputs.pixel_size_um)
    matched = match(imaged, where, sequenced, settings.pairing, sizes)
    doubts = check_maps(Maps(imaged, where, sequenced, settings.pairing, sizes), matched.alignments)
    result = pairs_report(matched, known=len(known), sequenced=len(sequenced), imaged=len(imaged), doubts=doubts)
    result["lines"] += missing_sizes(sizes)
    for line in result["lines"]:
        logger.info("%s", line)
    write_table(with_micrometres(matched.pairs, sizes), pairs, PAIRS)
    write_json(result, report)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
