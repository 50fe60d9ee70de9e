"""Import point tracks (external tracks without masks), check their lineage, and write them as tables.

In: the tracks, in any format of ``cineseq.tracking.imports`` that states positions; optionally the compartments of the
sample (cells do not pass the walls of closed ones).
Out: the two tables and the report of ``import_tracks``, with areas and borders missing. The movie ends with the last
frame in which any cell is listed; a track that ends before is lost, unless the file states its death.
"""

from cineseq.workflow.guard import guard

guard(globals().get("snakemake"))

import logging
from pathlib import Path

from cineseq.config.base import FieldOfView, Section
from cineseq.config.imaging import Inputs
from cineseq.config.tracking import Track
from cineseq.errors import UserError
from cineseq.files import write_json
from cineseq.io.stacks import MovieInfo
from cineseq.tables.contract import write_table
from cineseq.tables.imaging import DETECTIONS, TRACKS
from cineseq.tracking.compartments import closed_compartments
from cineseq.tracking.imports import read_external
from cineseq.tracking.imports.match_objects import take_points
from cineseq.tracking.lineage import ImpossibleLineageError
from cineseq.tracking.motion import common_path
from cineseq.tracking.report import point_tracks_report
from cineseq.tracking.track_tables import tables_of_points
from cineseq.tracking.validate import validate, validate_walls
from cineseq.workflow.step import run

logger = logging.getLogger("import_point_tracks")


class Settings(Section):
    """Settings of this step."""

    field: FieldOfView = FieldOfView()
    inputs: Inputs = Inputs()
    track: Track = Track()


def main(
    *,
    external: Path,
    compartments: Path | None = None,
    detections: Path,
    tracks: Path,
    report: Path,
    settings: Settings,
) -> None:
    """Import the tracks of one field of view."""
    step, minutes = settings.field.frame_step, settings.inputs.frame_interval_min
    tracks_read = read_external(external, settings.track)
    objects, adopted = take_points(tracks_read, step, settings.track, external)
    objects = objects.with_jumps() if settings.track.motion != "none" else objects
    info = MovieInfo(*objects.shape, (), settings.inputs.pixel_size_um, None if minutes is None else minutes * step)
    detection_table, track_table = tables_of_points(objects, adopted.families, settings.field, info)
    try:
        validate(detection_table, track_table)
        compartment = closed_compartments(objects.table, compartments, settings.field)
        validate_walls(detection_table, adopted.families, compartment)
    except ImpossibleLineageError as error:
        msg = f"{external}: {error}; fix the tracks in the tool that made them."
        raise UserError(msg) from error
    summary = point_tracks_report(objects, adopted.counts, track_table)
    for line in summary["lines"]:
        logger.info("%s", line)
    write_table(detection_table, detections, DETECTIONS)
    write_table(track_table, tracks, TRACKS)
    write_json(summary | {"series": common_path(detection_table, objects.shape[0])}, report)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
