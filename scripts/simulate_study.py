"""Simulate an experiment: lineages, cages and transcriptomes of cells.

Out: the data of an experiment (compartments, barcodes, one count matrix per sample) and the truth (tracks, positions,
latents of each cell, effects on each gene, simulated effects). `simulate_movie` renders movies from the positions, one
field of view at a time.
"""

import logging
from pathlib import Path

from cineseq.config.base import Section
from cineseq.config.simulate import Simulate
from cineseq.files import write_json
from cineseq.simulate.experiment import simulate
from cineseq.simulate.outputs import barcode_table, write_counts
from cineseq.simulate.truth import cell_table, gene_truth, planted_effects, position_table, track_table
from cineseq.tables.contract import write_table
from cineseq.tables.imaging import BARCODES, COMPARTMENTS, TRACKS
from cineseq.tables.simulation import SIMULATED_CELLS, SIMULATED_GENES, SIMULATED_POSITIONS
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step."""

    simulate: Simulate = Simulate()
    seed: int = 1


def main(
    *,
    compartments: Path,
    barcodes: Path,
    counts: list[Path],
    tracks: Path,
    positions: Path,
    cells: Path,
    genes: Path,
    effects: Path,
    settings: Settings,
) -> None:
    """Simulate the experiment and write its data and its truth."""
    experiment = simulate(settings.simulate, settings.seed)
    write_table(experiment.compartments, compartments, COMPARTMENTS)
    write_table(barcode_table(experiment), barcodes, BARCODES)
    write_counts(experiment, counts)
    write_table(track_table(experiment, settings.simulate), tracks, TRACKS)
    write_table(position_table(experiment), positions, SIMULATED_POSITIONS)
    write_table(cell_table(experiment), cells, SIMULATED_CELLS)
    write_table(gene_truth(experiment, settings.simulate), genes, SIMULATED_GENES)
    summary = planted_effects(experiment, settings.simulate, settings.seed)
    write_json(summary, effects)
    numbers = summary["counts"]
    logger.info(
        "Simulated %d tracks with %d divisions and %d deaths; %d of %d cells at the end can be paired.",
        *(numbers[k] for k in ("tracks", "divisions", "deaths", "paired_cells", "endpoint_cells")),
    )


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
