"""btrack: the HDF5 file that its ``HDF5FileHandler`` or ``export`` writes."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from cineseq.config.tracking import Track
from cineseq.errors import UserError
from cineseq.tracking.imports.base import ExternalTracks, frames, mothers, refuse_depth, refuse_empty

NAME = "a btrack file (.h5 or .hdf5)"
SUFFIXES = (".h5", ".hdf5", ".hdf")
DEATHS = (5, 666)
"""Values of btrack's ``Fates`` that are deaths: APOPTOSIS and DEAD. Every TERMINATE says only that a track ends."""


def recognises(path: Path) -> bool:
    """Whether the path is an HDF5 file by its suffix."""
    return path.suffix in SUFFIXES


def read(path: Path, settings: Track) -> ExternalTracks:
    """Read the tracks of the one object type in the file.

    A track lists its objects by row of ``coords`` (t, x, y, z); negative entries are dummies, which btrack puts where
    it believes a cell that was not seen, and are left out and counted. A track whose parent is itself or 0 has none.
    Tracks with the fate APOPTOSIS or DEAD died.

    Raises
    ------
    UserError
        When the file is no HDF5, holds no tracks or several object types, or its tables disagree.
    """
    coords, refs, spans, lbep, fates = _arrays(path)
    refuse_empty(len(spans), path, "it holds no tracks")
    length = np.diff(spans.astype(np.int64), axis=1)[:, 0]
    track = np.repeat(lbep[:, 0], length)
    if len(track) != len(refs) or len(lbep) != len(spans) or refs.max(initial=-1) >= len(coords):
        msg = f"{path}: the tables of its tracks disagree in length; write the file again with btrack."
        raise UserError(msg)
    seen = refs >= 0
    refuse_empty(int(seen.sum()), path, "its tracks hold no object that was seen")
    time, x, y, z = coords[refs[seen], :4].T.astype(float)
    refuse_depth(z, path)
    size = settings.external_pixel_size or 1.0
    frame = frames(pd.Series(time), settings.external_frame_interval, path, "the time of coords")
    rows = pd.DataFrame({"frame": frame, "track": track[seen].astype(np.int64), "y_px": y / size, "x_px": x / size})
    born = (lbep[:, 3] > 0) & (lbep[:, 3] != lbep[:, 0])
    died = frozenset(lbep[np.isin(fates, DEATHS), 0].tolist())
    return ExternalTracks(
        rows, mothers(lbep[born, 0], lbep[born, 3]), deaths=died, counts={"dummies": int((~seen).sum())}
    )


def _arrays(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    try:
        with h5py.File(path) as file:
            tracks = file["tracks"]
            if len(tracks) != 1:
                msg = f"{path}: tracks of {len(tracks)} object types ({', '.join(tracks)}); keep one of them in it."
                raise UserError(msg)
            name = next(iter(tracks))
            group = tracks[name]
            return file["objects"][name]["coords"][:], *(group[n][:] for n in ("tracks", "map", "LBEPR", "fates"))
    except (OSError, KeyError) as error:
        msg = (
            f"{path}: not a btrack file with tracks ({error}); write it with btrack's HDF5FileHandler, objects and"
            " tracks both."
        )
        raise UserError(msg) from error
