"""Cells from tracks and tables of features, and counts of several samples, in the form that the pairing reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd
from scipy import sparse

from cineseq.api.keywords import check_tables
from cineseq.config.features import Features
from cineseq.errors import UserError
from cineseq.features.cells import MEASURED, OBJECT
from cineseq.features.frames import feature_frames
from cineseq.io.adata import as_finite
from cineseq.io.counts import make_counts
from cineseq.io.which_matrix import counts_matrix
from cineseq.lineage.complete_cells import completed_cells
from cineseq.pairing.join import StudyCounts
from cineseq.tables.contract import FIELD

if TYPE_CHECKING:
    from anndata import AnnData

END_LABEL = "end_label"
"""Column of tracks, or entry of their ``attrs`` by track: the label of the object in the last frame."""
PLACES = ("y_px", "x_px", "area_px", "touches_border")
"""Columns of tables of objects that are not features."""


class Tracked(Protocol):
    """Result of tracking."""

    tracks: pd.DataFrame
    detections: pd.DataFrame


def cells_with_features(
    tracks: pd.DataFrame | Tracked,
    features: Sequence[pd.DataFrame],
    detections: pd.DataFrame | None,
    settings: Features,
) -> pd.DataFrame:
    """Return one row per track with the features of its chosen frames, as :data:`cineseq.tables.imaging.CELLS`.

    Parameters
    ----------
    tracks
        Tracks or cells, or the result of tracking.
    features
        Tables by ``frame`` and ``label`` (with ``sample`` and ``fov`` if there are several fields), or by
        ``track_id``; columns ``morphology_*``, ``embedding_*``, ``features_*`` and ``function_*``.
    detections
        The track of each object; None if ``tracks`` state it.
    settings
        Which frames are averaged.

    Raises
    ------
    UserError
        When a table cannot be joined to the tracks.
    """
    if not isinstance(tracks, pd.DataFrame):
        if not isinstance(getattr(tracks, "tracks", None), pd.DataFrame):
            msg = f"tracks: expected a pandas.DataFrame or the result of cs.track, not a {type(tracks).__name__}."
            raise UserError(msg)
        tracks, detections = tracks.tracks, tracks.detections if detections is None else detections
    cells = completed_cells(tracks, where="tracks")
    _check_alive(cells)
    tables = [_checked(table, number) for number, table in enumerate(features, start=1)]
    by_object = [table for table in tables if "label" in table]
    parts = [_per_cell(table, cells) for table in tables if "label" not in table]
    if by_object:
        if detections is None and (settings.frames != "last_live_frame" or settings.window_frames > 1):
            msg = (
                "features: averages over frames, and frames other than the last one, need the label of a track in "
                "every frame; set detections=, or pass the result of cs.track instead of its tracks."
            )
            raise UserError(msg)
        objects = with_field(_detections(tracks, detections), cells, "detections")
        chosen = objects.merge(feature_frames(objects, cells, settings), on=["track_id", "frame"])
        cells = _with_positions(cells, chosen)
        parts += [_means(with_field(table, cells, "features"), chosen, cells) for table in by_object]
    columns = pd.Index([name for part in (cells, *parts) for name in part])
    if columns.has_duplicates:
        msg = f"features: the column '{columns[columns.duplicated()][0]}' is in two tables; supply each column once."
        raise UserError(msg)
    return pd.concat([cells, *parts], axis=1)


def _check_alive(cells: pd.DataFrame) -> None:
    """Check that no cell that died or divided is marked as alive at the end."""
    wrong = (cells["alive_at_end"].fillna(value=False) & cells["end_kind"].isin(["death", "division"])).to_numpy(bool)
    if wrong.any():
        first = cells.loc[wrong.argmax()]
        msg = (
            f"tracks: '{first['track_id']}' is alive_at_end, but its end_kind is {first['end_kind']}; correct one of "
            "them, or leave out alive_at_end, which is then derived."
        )
        raise UserError(msg)


def _checked(table: pd.DataFrame, number: int) -> pd.DataFrame:
    check_tables(**{f"features, table {number}": table})
    if "track_id" not in table and not {"frame", "label"} <= set(table):
        msg = f"features: table {number} lacks 'frame' and 'label', or 'track_id', to name its rows; add them."
        raise UserError(msg)
    for name in table:
        if not str(name).startswith(MEASURED) and name not in (*OBJECT, *PLACES, "track_id"):
            msg = (
                f"features: column '{name}' of table {number} belongs to no block; start its name with morphology_, "
                "embedding_, features_ or function_."
            )
            raise UserError(msg)
    table = table.drop(columns=[name for name in PLACES if name in table]).reset_index(drop=True)
    return table.assign(**{name: as_finite(table[name], f"features: table {number}") for name in _measured(table)})


def with_field(table: pd.DataFrame, cells: pd.DataFrame, where: str, names: Sequence[str] = FIELD) -> pd.DataFrame:
    """Return a table with sample and field, which it may lack if all cells belong to one."""
    for name in names:
        known = cells[name].unique()
        if name not in table:
            if len(known) > 1:
                msg = f"{where}: the column '{name}' is missing, but the cells have {len(known)} values of it; add it."
                raise UserError(msg)
            table = table.assign(**{name: known[0]})
        table = table.assign(**{name: table[name].astype("string")})
    return table


def _detections(tracks: pd.DataFrame, detections: pd.DataFrame | None) -> pd.DataFrame:
    if detections is not None:
        return detections.assign(track_id=detections["track_id"].astype("string")).reset_index(drop=True)
    labels = tracks.get(END_LABEL, tracks["track_id"].map(tracks.attrs.get(END_LABEL, {})))
    if "end_frame" not in tracks or labels.isna().all():
        msg = (
            "features: tables by frame and label require the track of each label; set detections= (track_id, "
            f"frame, label), or a column '{END_LABEL}' of tracks, the label in end_frame."
        )
        raise UserError(msg)
    names = {"track_id": "track_id", "end_frame": "frame", "end_y_px": "y_px", "end_x_px": "x_px"}
    kept = tracks[[c for c in (*names, *FIELD) if c in tracks]].rename(columns=names)
    kept = kept.assign(label=labels, track_id=kept["track_id"].astype("string"))
    return kept.dropna(subset=["frame", "label"]).reset_index(drop=True)


def _with_positions(cells: pd.DataFrame, chosen: pd.DataFrame) -> pd.DataFrame:
    """Return cells with the last of their feature frames and their position in it."""
    last = chosen.sort_values("frame").groupby("track_id").tail(1).set_index("track_id").reindex(cells["track_id"])
    places = {name: last[name].to_numpy(float) for name in ("y_px", "x_px") if name in last}
    return cells.assign(feature_frame=last["frame"].astype("Int64").array, **places)


def _per_cell(table: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    named = table.set_index(table["track_id"].astype("string"))
    if named.index.has_duplicates:
        twice = named.index[named.index.duplicated()][0]
        msg = f"features: cell '{twice}' is listed twice in a table by track_id; keep one row per cell."
        raise UserError(msg)
    if not named.index.isin(cells["track_id"]).any():
        msg = f"features: no cell of a table ('{named.index[0]}', ...) is among the tracks; use the same names in both."
        raise UserError(msg)
    return named[_measured(table)].reindex(cells["track_id"]).reset_index(drop=True)


def _means(table: pd.DataFrame, chosen: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """Return the mean of each feature over the chosen frames of every cell."""
    twice = table.duplicated(OBJECT)
    if twice.any():
        first = table.loc[twice.idxmax(), ["frame", "label"]].to_dict()
        msg = f"features: frame {first['frame']} has the label {first['label']} twice; keep one row per object."
        raise UserError(msg)
    of_track = table.drop(columns="track_id", errors="ignore").merge(chosen[[*OBJECT, "track_id"]], on=OBJECT)
    if of_track.empty and len(table):
        msg = (
            "features: no row of a table matches a tracked cell in its feature frame by frame and label; check that "
            "frames count from 0 and that the labels are those that were tracked."
        )
        raise UserError(msg)
    means = of_track.groupby("track_id")[_measured(table)].mean()
    return means.reindex(cells["track_id"]).reset_index(drop=True)


def _measured(table: pd.DataFrame) -> list[str]:
    return [name for name in table if str(name).startswith(MEASURED)]


def study_counts(counts: AnnData | pd.DataFrame, cells: pd.DataFrame) -> StudyCounts:
    """Return counts by sample and barcode.

    Parameters
    ----------
    counts
        Cells in rows, named by barcode (or ``obs["barcode"]``), genes in columns; ``sample`` is a column of the table
        or of ``obs``, and may be missing if all cells belong to one sample.
    cells
        The cells that will be paired.

    Raises
    ------
    UserError
        When values are not counts, a sample has a barcode twice, or the sample of a row is unknown.
    """
    if isinstance(counts, pd.DataFrame):
        values = counts.loc[:, counts.columns != "sample"]
        matrix, facts, barcodes, genes = _matrix(values), counts, counts.index, values.columns
    elif not hasattr(counts, "obs"):
        msg = f"counts: expected an AnnData or a pandas.DataFrame, not a {type(counts).__name__}."
        raise UserError(msg)
    else:
        matrix, barcodes, genes = counts_matrix(counts, "counts")
        facts = counts.obs
        barcodes = pd.Index(facts["barcode"]) if "barcode" in facts else barcodes
    sample = with_field(facts[[c for c in facts if c == "sample"]].reset_index(drop=True), cells, "counts", ["sample"])
    if sample.empty:
        msg = "counts: the table has no rows; give one row of counts per barcode."
        raise UserError(msg)
    parts, names = [], []
    for name in sample["sample"].unique():
        rows = np.flatnonzero(sample["sample"] == name)
        mine = make_counts(matrix[rows], barcodes[rows], genes, Path(f"counts of sample '{name}'"))
        parts.append(mine.matrix)
        names += [(name, barcode) for barcode in mine.cells]
    index = pd.MultiIndex.from_tuples(names, names=["sample", "barcode"])
    return StudyCounts(sparse.csr_matrix(sparse.vstack(parts)), index, mine.genes)


def _matrix(counts: pd.DataFrame) -> sparse.csr_matrix:
    text = next((c for c, kind in counts.dtypes.items() if not pd.api.types.is_numeric_dtype(kind)), None)
    if text is not None:
        msg = f"counts: column '{text}' should hold counts but holds text; put the barcodes into the index."
        raise UserError(msg)
    return sparse.csr_matrix(counts.to_numpy(np.float64, na_value=np.nan))
