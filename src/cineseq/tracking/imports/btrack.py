"""btrack: the HDF5 file that its ``HDF5FileHandler`` or ``export`` writes."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from cineseq.config.tracking import Track
from cineseq.errors import UserError, reading
from cineseq.io.hdf5 import check_hdf5
from cineseq.text import listed
from cineseq.tracking.imports.base import ExternalTracks, check_depth, check_not_empty, frames, parent_links

NAME = "a btrack file (.h5 or .hdf5)"
SUFFIXES = (".h5", ".hdf5", ".hdf")
FATES = (*range(8), *range(10, 13), *range(20, 23), 666, 999)
"""All values of btrack's ``Fates``."""
DEATHS = (5, 666)
"""Values of btrack's ``Fates`` that are deaths: APOPTOSIS and DEAD. TERMINATE values only mean that a track ends."""


def recognises(path: Path) -> bool:
    """Return whether the path has the suffix of an HDF5 file."""
    return path.suffix in SUFFIXES


def read(path: Path, settings: Track) -> ExternalTracks:
    """Read the tracks of the one object type in the file.

    A track lists its objects by row of ``coords`` (t, x, y, z). Negative entries are dummies, which btrack inserts for
    cells that were not detected; they are left out and counted. A track whose parent is itself or 0 has no parent.
    Tracks with the fate APOPTOSIS or DEAD died.

    Raises
    ------
    UserError
        When the file is not HDF5, contains no tracks or several object types, a fate is not known, or its tables
        disagree.
    """
    coords, refs, spans, lbep, fates = _arrays(path)
    check_not_empty(len(spans), path, "it contains no tracks")
    # Rows of ``refs`` of each track, shape (tracks,), and the track of each entry, shape (entries,).
    _check_shapes((coords, refs, spans, lbep, fates), path)
    length = spans[:, 1].astype(np.int64) - spans[:, 0].astype(np.int64)
    track = np.repeat(lbep[:, 0], length)
    if len(track) != len(refs) or len(lbep) != len(spans) or refs.max(initial=-1) >= len(coords):
        msg = f"{path}: the tables of its tracks disagree in length; write the file again with btrack."
        raise UserError(msg)
    seen = refs >= 0
    check_not_empty(int(seen.sum()), path, "its tracks contain no detected object")
    time, x, y, z = coords[refs[seen], :4].T.astype(float)
    check_depth(z, path)
    size = settings.external_pixel_size or 1.0
    frame = frames(pd.Series(time), settings.external_frame_interval, path, "the time of coords")
    rows = pd.DataFrame({"frame": frame, "track": track[seen].astype(np.int64), "y_px": y / size, "x_px": x / size})
    born = (lbep[:, 3] > 0) & (lbep[:, 3] != lbep[:, 0])
    if len(strange := np.setdiff1d(fates, FATES)):
        msg = f"{path}: fate {strange[0]} is none of btrack's ({listed(map(str, FATES))}); write the file with btrack."
        raise UserError(msg)
    died = frozenset(lbep[np.isin(fates, DEATHS), 0].tolist())
    return ExternalTracks(
        rows, parent_links(lbep[born, 0], lbep[born, 3]), deaths=died, counts={"dummies": int((~seen).sum())}
    )


def _check_shapes(tables: tuple[np.ndarray, ...], path: Path) -> None:
    """Check that the tables have their columns and that no track has fewer than no objects; else raise a UserError."""
    coords, refs, spans, lbep, fates = tables
    columns = [table.ndim == 2 and table.shape[1] >= n for table, n in ((coords, 4), (spans, 2), (lbep, 4))]
    if not all(columns) or refs.ndim != 1 or len(fates) != len(lbep) or (spans[:, 0] > spans[:, 1]).any():
        msg = f"{path}: the tables of its tracks do not have the columns of btrack; write the file again with btrack."
        raise UserError(msg)


def _arrays(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return coordinates of objects, and references, spans, LBEP table and fates of tracks."""
    advice = "write it with btrack's HDF5FileHandler, with objects and tracks"
    check_hdf5(path, "not a btrack file with tracks")
    with reading(path, "not a btrack file with tracks", advice), h5py.File(path) as file:
        tracks = file["tracks"]
        if len(tracks) != 1:
            msg = f"{path}: tracks of {len(tracks)} object types ({', '.join(tracks)}); keep only one."
            raise UserError(msg)
        name = next(iter(tracks))
        group = tracks[name]
        return file["objects"][name]["coords"][:], *(group[n][:] for n in ("tracks", "map", "LBEPR", "fates"))
