"""Summarise objects and tracks as one row per cell, and collect the cells of all fields."""

from __future__ import annotations

import logging
from collections import Counter
from itertools import combinations
from typing import Any

import pandas as pd

from cineseq.config.base import FieldOfView
from cineseq.config.imaging import Channels
from cineseq.config.pairing import Cells
from cineseq.errors import UserError, warn_of
from cineseq.features.scaling import divisor
from cineseq.io.group_columns import sheet_columns
from cineseq.tables.contract import FIELD
from cineseq.tables.imaging import CELLS, FATES
from cineseq.text import count

logger = logging.getLogger(__name__)
OBJECT = [*FIELD, "frame", "label"]
FEWEST_ALIKE = 3
"""Fewest cells by which one field is called a copy of another."""
MEASURED = ("morphology_", "embedding_", "features_", "function_")


def join_objects(detections: pd.DataFrame, morphology: pd.DataFrame) -> pd.DataFrame:
    """Join detections with their morphology; values are missing for an object that was not measured.

    Parameters
    ----------
    detections, morphology
        As :data:`cineseq.tables.imaging.DETECTIONS` and :data:`cineseq.tables.imaging.MORPHOLOGY`, of one field.

    Returns
    -------
    pandas.DataFrame
        As :data:`cineseq.tables.imaging.OBJECTS`.
    """
    joined = detections.merge(morphology, on=OBJECT, how="left", validate="one_to_one", indicator=True)
    alone = int((joined["_merge"] == "left_only").sum())
    if alone:
        logger.warning("%d of %d tracked objects have no morphology.", alone, len(joined))
    return joined.drop(columns="_merge")


def join_features(objects: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """Add external features to the objects of one field; an object that has none keeps missing values.

    Parameters
    ----------
    objects
        As :data:`cineseq.tables.imaging.OBJECTS`.
    features
        Columns ``frame``, ``label`` and ``features_*``.
    """
    return objects.merge(features, on=["frame", "label"], how="left", validate="one_to_one")


def cells_of_field(
    tracks: pd.DataFrame,
    objects: pd.DataFrame,
    frames: pd.DataFrame,
    field: FieldOfView,
    *,
    embeddings: pd.DataFrame | None = None,
    scores: pd.DataFrame | None = None,
    features: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return one row per track with the means of the features in its feature frames.

    Parameters
    ----------
    tracks, objects
        As :data:`cineseq.tables.imaging.TRACKS` and :data:`cineseq.tables.imaging.OBJECTS`, of one field.
    frames
        Columns ``track_id`` and ``frame``: the frames whose measurements are averaged.
    field
        Field of view, with its condition and replicate.
    embeddings, scores
        As their contracts; None if absent.
    features
        External features by cell, columns ``track_id`` and ``features_*``; None if absent. Features by frame and
        label are columns of ``objects``.

    Returns
    -------
    pandas.DataFrame
        As :data:`cineseq.tables.imaging.CELLS`, in the order of ``tracks``. ``feature_frame`` and the position are
        those of the last frame of the window; a track without a feature frame has none, and no measurements.
    """
    # Objects of each track in its feature frames, and the last of them.
    chosen = objects.merge(frames, on=["track_id", "frame"]).sort_values(["track_id", "frame"])
    last = chosen.groupby("track_id").tail(1).set_index("track_id")
    parts = [
        last[["frame", "y_px", "x_px"]].rename(columns={"frame": "feature_frame"}),
        _means(chosen, "morphology_"),
        _means(chosen, "features_"),
    ]
    if embeddings is not None:
        parts.append(_means(embeddings.merge(chosen[[*OBJECT, "track_id"]], on=OBJECT), "embedding_"))
    if scores is not None:
        parts.append(scores.set_index("track_id")[_named(scores, "function_")])
    if features is not None:
        parts.append(features.set_index("track_id"))
    # One row per track, with what was measured beside what the tracks say.
    measured = pd.concat([part.reindex(tracks["track_id"]) for part in parts], axis=1).reset_index(drop=True)
    known = tracks[[c for c in tracks.columns if c in {column.name for column in CELLS.columns}]]
    known = known.reset_index(drop=True).drop(columns=["y_px", "x_px"], errors="ignore")
    cells = pd.concat([known, measured], axis=1)
    return cells.assign(**{name: value or pd.NA for name, value in sheet_columns(field).items()})


def _named(frame: pd.DataFrame, prefix: str) -> list[str]:
    return [c for c in frame.columns if c.startswith(prefix)]


def _means(objects: pd.DataFrame, prefix: str) -> pd.DataFrame:
    return objects.groupby("track_id")[_named(objects, prefix)].mean()


def collect(fields: list[pd.DataFrame]) -> pd.DataFrame:
    """Concatenate the cells of all fields, sorted by sample, field and track.

    Columns that a field lacks (for example of a channel or an embedding) are missing there.

    Raises
    ------
    UserError
        When no field has a cell, or a function score has no value in any.
    """
    filled = [cells for cells in fields if len(cells)]
    if not filled:
        msg = (
            f"cells: none of the {len(fields)} fields of view has a tracked cell; check the masks, and lower "
            "segment.diameter or the thresholds if cells were missed."
        )
        raise UserError(msg)
    columns = list(dict.fromkeys(c for cells in filled for c in cells.columns))
    for name in columns:
        lacking = sum(name not in cells for cells in filled)
        if lacking and name.startswith(MEASURED):
            logger.warning("%s is missing in %d of %d fields.", name, lacking, len(filled))
    joined = pd.concat([cells.reindex(columns=columns) for cells in filled], ignore_index=True)
    for one, other, shared in fields_alike(joined):
        warn_of(
            logger,
            f"Fields {one} and {other} have {count(shared, 'cell')} in the same frames and places, so one of them is a "
            "copy, and its cells count twice; correct its path in the sample sheet, or remove its row.",
        )
    for name, samples in samples_without_value(joined).items():
        if len(samples) == joined["sample"].nunique():
            msg = (
                f"cells: {name} has no value in any of the {len(joined)} cells ({_of_samples(samples)}); check the "
                "channel and frames of this score in function.scores, or leave it out."
            )
            raise UserError(msg)
        logger.warning("%s has no value in any cell (%s).", name, _of_samples(samples))
    return joined.sort_values([*FIELD, "track_id"], ignore_index=True)


def fields_alike(cells: pd.DataFrame) -> list[tuple[str, str, int]]:
    """Return pairs of fields of which at least half of the cells of one are in the same frames and places.

    Parameters
    ----------
    cells
        As :data:`cineseq.tables.imaging.CELLS`.

    Returns
    -------
    list of tuple
        Names of both fields, and the number of cells that they share; at least :data:`FEWEST_ALIKE`.
    """
    places = ["start_frame", "end_frame", "y_px", "x_px"]
    here = cells[places].assign(field=cells["sample"] + "/" + cells["fov"]).dropna().drop_duplicates()
    many = here["field"].value_counts()
    alike = here[here.duplicated(places, keep=False)].groupby(places, sort=False)["field"].agg(sorted)
    shared = Counter(pair for fields in alike for pair in combinations(fields, 2))
    return [
        (one, other, cells_shared)
        for (one, other), cells_shared in sorted(shared.items())
        if cells_shared >= max(FEWEST_ALIKE, min(many[one], many[other]) / 2)
    ]


def samples_without_value(cells: pd.DataFrame) -> dict[str, list[str]]:
    """Return, for each function score that lacks values in whole samples, these samples in order.

    Parameters
    ----------
    cells
        As :data:`cineseq.tables.imaging.CELLS`.
    """
    has = cells[_named(cells, "function_")].notna().groupby(cells["sample"]).any()
    without = {name: sorted(has.index[~has[name]]) for name in has}
    return {name: samples for name, samples in without.items() if samples}


def _of_samples(samples: list[str]) -> str:
    return f"sample{'s' if len(samples) > 1 else ''} {', '.join(samples)}"


def cells_report(cells: pd.DataFrame, factors: pd.DataFrame, channels: Channels, settings: Cells) -> dict[str, Any]:
    """Return report lines and numbers on the cells and on the scaling of their fluorescence.

    Parameters
    ----------
    cells
        As :data:`cineseq.tables.imaging.CELLS`.
    factors
        As :func:`cineseq.features.scaling.scaled` returns them.
    channels
        The section ``channels`` of the configuration.
    settings
        The section ``cells`` of the configuration.
    """
    per_sample = cells["sample"].value_counts().sort_index()
    live = int(cells["alive_at_end"].fillna(value=False).sum())
    counted = ", ".join(f"{count(n)} in {sample}" for sample, n in per_sample.items())
    lines = [f"Cells tracked: {count(len(cells))} ({counted}), of which {count(live)} are alive in the last frame."]
    if len(factors):
        references = ", ".join(factors["reference"].unique())
        lines.append(f"Fluorescence was divided by {divisor(settings)} (medians of {references}).")
    else:
        lines.append(f"Fluorescence is in grey levels, not scaled between samples (cells.scaling: {settings.scaling}).")
    lines += [
        f"{name} has no value in any cell ({_of_samples(samples)})."
        for name, samples in samples_without_value(cells).items()
    ]
    if columns := _named(cells, "features_"):
        has = int(cells[columns].notna().any(axis=1).sum())
        lines.append(
            f"{count(has)} of {count(len(cells), 'cell')} have external features ({count(len(columns), 'column')})."
        )
    if channels.allow_function_in:
        lines.append(f"The function channel was allowed in: {', '.join(channels.allow_function_in)}.")
    numbers: dict[str, Any] = {"cells": len(cells), "live_cells": live}
    numbers |= {f"cells_{sample}": int(n) for sample, n in per_sample.items()}
    numbers |= {f"fate_{fate}": int((cells["fate"] == fate).sum()) for fate in FATES}
    numbers |= {f"{c}_measured": int(n) for c, n in cells.filter(like="function_").notna().sum().items()}
    numbers |= {f"factor_{row.sample}_{row.reference}": float(row.factor) for row in factors.itertuples()}
    return {"lines": lines, "numbers": numbers}
