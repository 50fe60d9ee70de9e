"""Tables of the detections and tracks of one field, with the kinds of track starts and ends."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cineseq.config.base import FieldOfView
from cineseq.config.tracking import Track
from cineseq.io.stacks import MovieInfo
from cineseq.tracking import ends, lineage
from cineseq.tracking.death_stain import stained_tracks
from cineseq.tracking.end_features import end_features
from cineseq.tracking.end_model import end_probabilities, may_be_dead, shipped
from cineseq.tracking.lineage import TrackLineage
from cineseq.tracking.objects import Objects


def tables(
    objects: Objects, families: TrackLineage, field: FieldOfView, info: MovieInfo, settings: Track
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the tables of detections and tracks, with the kinds of start and end."""
    table, number = objects.table, families.number
    tracks = lineage.track_table(table, families, field, info)
    division_confidence = _division_confidence(tracks, families)
    # Without the jumps of the stage, a cell that a jump takes out of view is near the border of the next frame.
    steady, seen = objects.steady, (info.seen - objects.offsets[:, None, :]) * objects.sides
    entered, left = (ends.exit_probability(steady, number, seen, settings.border_px, way) for way in (-1, 1))
    features, with_images = end_features(objects, number, tracks)
    model = shipped()
    features = features.assign(left=left)
    found = end_probabilities(features, with_images=with_images, model=model).reset_index(drop=True)
    died = found.pop("p_unseen").fillna(0.0).to_numpy()
    starts = ends.start_kinds(tracks, entered, division_confidence)
    finish = ends.end_kinds(
        tracks,
        left,
        died,
        may_be_dead(features),
        division_confidence,
        last_frame=objects.shape[0] - 1,
        least=settings.death_confidence,
    )
    # What the model says of ends that the lineage or the end of the movie does not explain.
    unexplained = ~finish["end_kind"].isin(["division", "end_of_movie"])
    bodies = features["body_count"].round().astype("Int64").reset_index(drop=True)
    evidence = found.assign(body_frames=bodies).where(unexplained)
    evidence["end_model"] = pd.Series(model.label, evidence.index, dtype="string").where(
        found["p_death"].notna() & unexplained
    )
    completed = _completed(tracks, starts, finish, families).join(evidence)
    if objects.source is not None and objects.source.death is not None:
        completed = completed.join(stained_tracks(objects.source, table, number, tracks))
    return lineage.detection_table(table, number, field), ends.with_end_classes(completed)


def tables_of_points(
    objects: Objects, families: TrackLineage, field: FieldOfView, info: MovieInfo
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the tables of detections and tracks of point tracks, which have positions but no masks.

    Borders and shapes are unknown. A start is a division, the first frame, or ``appeared``; an end is a division, a
    known death, the last frame, or ``lost``. ``appeared`` and ``lost`` have no confidence.
    """
    tracks = lineage.track_table(objects.table, families, field, info)
    division_confidence, unknown = _division_confidence(tracks, families), np.full(len(tracks), np.nan)
    starts = ends.start_kinds(tracks, unknown, division_confidence)
    last = objects.shape[0] - 1
    never = np.zeros(len(tracks), bool)
    finish = ends.end_kinds(tracks, unknown, unknown, never, division_confidence, last_frame=last, least=1.0)
    detections = lineage.detection_table(objects.table, families.number, field)
    return detections, ends.with_end_classes(_completed(tracks, starts, finish, families))


def _division_confidence(tracks: pd.DataFrame, families: TrackLineage) -> pd.Series:
    """Return the confidence of divisions by the track id of the parent."""
    names = dict(zip(tracks["number"], tracks["track_id"], strict=True))
    return pd.Series({names[n]: p for n, p in families.confidence.items()}, dtype=float)


def _completed(
    tracks: pd.DataFrame, starts: pd.DataFrame, finish: pd.DataFrame, families: TrackLineage
) -> pd.DataFrame:
    """Return the table of tracks with starts, ends, known deaths and fates."""
    finish = ends.with_known_deaths(finish, tracks["number"], families.deaths)
    return pd.concat([tracks, starts, finish, lineage.fates(finish["end_kind"])], axis=1)
