"""Write the tracks of one field in the Graph Exchange File Format, for viewers and editors of tracks.

Goes in: the tables of detections and tracks. Comes out: a Zarr folder with one node per object, an edge from each
object to the cell's next one, and an edge from a mother's last object to each daughter's first.
"""

import logging
from pathlib import Path

from cineseq.contracts import DETECTIONS, TRACKS
from cineseq.step import run
from cineseq.tables import read_table
from cineseq.tracking.geff_export import write_geff

logger = logging.getLogger("export_geff")


def main(*, detections: Path, tracks: Path, geff: Path) -> None:
    """Export one field of view."""
    nodes, edges = write_geff(read_table(detections, DETECTIONS), read_table(tracks, TRACKS), geff)
    logger.info("Wrote %d objects and %d links.", nodes, edges)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
