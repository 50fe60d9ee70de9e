"""Score the masks, tracks, divisions and deaths of a run on the simulated experiment.

In: masks, tables and exports of all fields, and the true masks and tracks. Out: a table with one row per measure, and
the true track of each track.
"""

import logging
from pathlib import Path

import pandas as pd

from cineseq.evaluation.analyses import truth_lines
from cineseq.evaluation.movies import read_fields, score_fields
from cineseq.tables.contract import read_table, write_table
from cineseq.tables.imaging import TRACKS
from cineseq.tables.simulation import TRUE_TRACKS, TRUTH
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


def main(
    *,
    labels: list[Path],
    detections: list[Path],
    tracks: list[Path],
    ctc: list[Path],
    true_masks: list[Path],
    true_tracks: Path,
    movies: Path,
    identities: Path,
    threads: int = 1,
) -> None:
    """Score the movies of a run."""
    true_fields = read_table(true_tracks, TRACKS)
    fields = read_fields(labels, detections, tracks, ctc=ctc, true_masks=true_masks, true_tracks=true_fields)
    rows, true_track = score_fields(fields, threads)
    table = pd.DataFrame(rows)
    for line in truth_lines(table):
        logger.info("%s", line)
    known = true_track.dropna().rename("true_track_id").rename_axis("track_id").reset_index()
    write_table(known, identities, TRUE_TRACKS)
    write_table(table, movies, TRUTH)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
