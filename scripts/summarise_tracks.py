"""Join the measurements of one field of view into one table of objects and one of cells.

In: detections and tracks; if available, morphology, embeddings, function scores and external features. Out:
``objects`` (one row per object, with its track, morphology and external features) and ``cells`` (one row per track,
measured in its feature frames).
"""

from cineseq.workflow.guard import guard

guard(globals().get("snakemake"))

import logging
from pathlib import Path

from cineseq.config.base import FieldOfView, Section
from cineseq.config.features import Features
from cineseq.external.feature_tables import read_features
from cineseq.features.cells import cells_of_field, join_features, join_objects
from cineseq.features.frames import feature_frames
from cineseq.tables.contract import read_table, write_table
from cineseq.tables.imaging import CELLS, DETECTIONS, EMBEDDINGS, MORPHOLOGY, OBJECTS, SCORES, TRACKS
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step."""

    field: FieldOfView = FieldOfView()
    features: Features = Features()


def main(
    *,
    detections: Path,
    tracks: Path,
    morphology: Path | None = None,
    embeddings: Path | None = None,
    scores: Path | None = None,
    features: list[Path] = [],  # noqa: B006 - never changed; the step adapter wants plain lists
    objects: Path,
    cells: Path,
    settings: Settings,
) -> None:
    """Write the objects and the cells of one field of view."""
    found, followed = read_table(detections, DETECTIONS), read_table(tracks, TRACKS)
    joined = found if morphology is None else join_objects(found, read_table(morphology, MORPHOLOGY))
    own = read_features(features, found, followed, settings.field)
    joined = joined if own.objects is None else join_features(joined, own.objects)
    frames = feature_frames(found, followed, settings.features)
    made = cells_of_field(
        followed,
        joined,
        frames,
        settings.field,
        embeddings=None if embeddings is None else read_table(embeddings, EMBEDDINGS),
        scores=None if scores is None else read_table(scores, SCORES),
        features=own.cells,
    )
    logger.info(
        "%d objects make %d cells; %d of them have a feature frame (%s, %d frames averaged).",
        *(len(joined), len(made), made["feature_frame"].notna().sum()),
        *(settings.features.frames, settings.features.window_frames),
    )
    write_table(joined, objects, OBJECTS)
    write_table(made, cells, CELLS)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
