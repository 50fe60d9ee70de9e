"""The tables of one field's tracks, linked here or given, with the kinds of start and end."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cineseq import contracts
from cineseq.config.base import FieldOfView
from cineseq.config.track import Track
from cineseq.stacks import MovieInfo
from cineseq.tables import empty
from cineseq.tracking import divisions, ends, lineage
from cineseq.tracking.lineage import Families
from cineseq.tracking.objects import Objects


def tables(
    objects: Objects, families: Families, field: FieldOfView, info: MovieInfo, settings: Track
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the tables of detections and tracks, with the kinds of start and end."""
    table, number = objects.table, families.number
    tracks = lineage.track_table(table, families, field, info)
    names = dict(zip(tracks["number"], tracks["track_id"], strict=True))
    confident = pd.Series({names[n]: p for n, p in families.confidence.items()}, dtype=float)
    entered, left = (ends.exit_probability(table, number, info.seen, settings.border_px, way) for way in (-1, 1))
    reach = divisions.SIZES * float(np.sqrt(table["area_px"].median()))
    may_divide = ends.may_have_divided(table, number, tracks, reach)
    died = np.where(may_divide, 0.0, ends.death_probability(table, number))
    starts = ends.start_kinds(tracks, entered, confident)
    finish = ends.end_kinds(
        tracks, left, died, confident, last_frame=objects.shape[0] - 1, least=settings.death_confidence
    )
    tracks = pd.concat([tracks, starts, finish, lineage.fates(finish["end_kind"])], axis=1)
    return lineage.detection_table(table, number, field), tracks


def no_tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the two tables of a field without objects."""
    return empty(contracts.DETECTIONS), empty(contracts.TRACKS)
