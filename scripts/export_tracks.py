"""Export the tracks of one field for other tools.

In: the tables of detections and tracks, and where there are masks the label stack.
Out: ``geff``, a folder in the Graph Exchange File Format, for viewers and editors of tracks: one node per object, an
edge from each object to the next of the same track, and an edge from the last object of a parent to the first of each
daughter. With masks also ``ctc``, a folder in the format of the Cell Tracking Challenge: one mask per frame, whose
labels are track numbers, and ``res_track.txt``. There a track with a gap is written as several tracks, each the parent
of the next, because the format requires a mask in every frame of a track.
"""

from cineseq.workflow.guard import guard

guard(globals().get("snakemake"))

import logging
from pathlib import Path

from cineseq.errors import UserError
from cineseq.io.stacks import open_labels
from cineseq.tables.contract import read_table
from cineseq.tables.imaging import DETECTIONS, TRACKS
from cineseq.tracking.export import write_ctc, write_geff
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


def main(*, labels: Path | None = None, detections: Path, tracks: Path, geff: Path, ctc: Path | None = None) -> None:
    """Export one field of view; with masks also as masks."""
    found, followed = read_table(detections, DETECTIONS), read_table(tracks, TRACKS)
    nodes, edges = write_geff(found, followed, geff)
    logger.info("Wrote %d objects and %d links.", nodes, edges)
    if ctc is not None:
        if labels is None:
            msg = f"{ctc}: tracks without masks cannot be written as masks; supply labels or leave ctc out."
            raise UserError(msg)
        with open_labels(labels) as stack:
            written = write_ctc(stack, found, followed, ctc)
        logger.info("Wrote %d tracks as %d pieces without gaps.", len(followed), len(written))


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
