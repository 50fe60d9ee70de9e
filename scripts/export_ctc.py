"""Write the tracks of one field as a Cell Tracking Challenge folder.

Goes in: the label stack and the tables of detections and tracks. Comes out: a folder with one mask per frame, whose
labels are track numbers, and ``res_track.txt``. A track with a gap is written as several, each the parent of the
next, because the format wants a mask in every frame of a track.
"""

import logging
from pathlib import Path

from cineseq.contracts import DETECTIONS, TRACKS
from cineseq.stacks import open_labels
from cineseq.step import run
from cineseq.tables import read_table
from cineseq.tracking.ctc import write_ctc

logger = logging.getLogger("export_ctc")


def main(*, labels: Path, detections: Path, tracks: Path, ctc: Path) -> None:
    """Export one field of view."""
    track_table = read_table(tracks, TRACKS)
    with open_labels(labels) as stack:
        written = write_ctc(stack, read_table(detections, DETECTIONS), track_table, ctc)
    logger.info("Wrote %d tracks as %d pieces without gaps.", len(track_table), len(written))


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
