"""Plain table of tracks: one row per object with frame, track, label or position, and parent of the track."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from cineseq.config.tracking import Track
from cineseq.errors import UserError
from cineseq.io.delimited import read_plain
from cineseq.io.end_words import deaths as stated_deaths
from cineseq.io.written import as_numbers, as_text, says_nothing
from cineseq.tracking.imports.base import ExternalTracks, check_not_empty, frames, parent_links
from cineseq.tracking.lineage import FOLLOWED

NAME = "a table (.csv, .tsv or .parquet) with columns frame, track, parent and either label or y and x"
SUFFIXES = (".csv", ".tsv", ".parquet")
HOLDS = ("frame", "track", "label", "y", "x", "parent", "death")
COLUMNS = {what: what for what in HOLDS}
"""Name of the column of each entry, unless the settings name another."""


def recognises(path: Path) -> bool:
    """Return whether the path has the suffix of a table."""
    return path.suffix in SUFFIXES


def read(path: Path, settings: Track) -> ExternalTracks:
    """Read a table of objects.

    ``track`` is empty or -1 for an object in no track; tracks that are numbered from 0 become one higher. ``parent`` is
    empty, negative or the track itself where it has none, and so is 0 unless there is a track 0. ``death`` is true in
    any row of a track that died, or names its end, such as ``apoptosis`` (:mod:`cineseq.io.end_words`). Both columns
    are optional; without them, parents or deaths are unknown.

    Raises
    ------
    UserError
        When the table is empty, a column is missing, a value is not a number, or a word for a death is not known.
    """
    return external_of(read_plain(path), COLUMNS | dict(settings.external_columns), settings, path)


def external_of(table: pd.DataFrame, columns: Mapping[str, str], settings: Track, path: Path) -> ExternalTracks:
    """Return the tracks of a table indexed by row; ``columns`` maps each of ``HOLDS`` to the name of its column."""
    names = {what: columns.get(what, what) for what in HOLDS}
    by_label, placed = names["label"] in table, names["y"] in table and names["x"] in table
    needed = ["frame", "track", *(["label"] if by_label else ["y", "x"])]
    missing = [names[what] for what in needed if names[what] not in table]
    if missing:
        msg = (
            f"{path}: no column {missing[0]!r} among {list(table.columns)}; name the columns in track.external_columns"
            " (frame, track, parent, and label or y and x)."
        )
        raise UserError(msg)
    time = row_numbers(table[names["frame"]], path, whole=settings.external_frame_interval is None)
    number = frames(time, settings.external_frame_interval, path, f"column '{names['frame']}'")
    unlinked = without_track(table[names["track"]])
    check_not_empty(int((~unlinked).sum()), path, f"no row has a track in column '{names['track']}'")
    table, rows = table[~unlinked], {"frame": number[~unlinked]}
    stated = row_numbers(table[names["track"]], path, whole=True)
    # Numbers from 1 are what other steps expect; 0 means no track there.
    shift = int(stated.min() == 0)
    rows["track"] = stated + shift
    if by_label:
        rows["label"] = row_numbers(table[names["label"]], path, whole=True)
    if placed:
        size = settings.external_pixel_size or 1.0
        rows |= {f"{axis}_px": row_numbers(table[names[axis]], path, whole=False) / size for axis in ("y", "x")}
    track = rows["track"]
    pairs = parent_links()
    deaths: frozenset[int] = frozenset()
    counts = {"objects_in_no_track": int(unlinked.sum())}
    if names["parent"] in table:
        named = table[names["parent"]].astype(object)
        parent = row_numbers(named.mask(says_nothing(named), -1), path, whole=True) + shift
        stated_parent = (parent > 0) & (parent != track)
        pairs = parent_links(track[stated_parent], parent[stated_parent])
    if names["death"] in table:
        advice = "correct it, or name another column as death in track.external_columns"
        dead = stated_deaths(table[names["death"]], f"{path}, column '{names['death']}'", advice)
        deaths = frozenset(track[dead].tolist())
        counts[FOLLOWED] = followed_after_death(rows["frame"], track, dead)
    others = tuple(number[unlinked].unique().tolist())
    return ExternalTracks(
        pd.DataFrame(rows).reset_index(drop=True), pairs, deaths=deaths, counts=counts, other_frames=others
    )


def without_track(values: pd.Series) -> pd.Series:
    """Return where an object is in no track: where nothing is stated, or -1."""
    return says_nothing(values) | as_text(values).isin(["-1", "-1.0"]).fillna(value=False)


def followed_after_death(frame: pd.Series, track: pd.Series, dead: pd.Series) -> int:
    """Return how many tracks go on after the first row that marks the cell as dead.

    A track whose first row is marked already does not count: the mark then concerns the track, not a frame.
    """
    died = frame[dead].groupby(track[dead]).min()
    spans = frame.groupby(track).agg(["min", "max"]).loc[died.index]
    return int(((died > spans["min"]) & (died < spans["max"])).sum())


def row_numbers(values: pd.Series, path: Path, *, whole: bool) -> pd.Series:
    """Return a column as numbers; a UserError names the first row without one."""
    numbers, wrong = as_numbers(values)
    wrong |= numbers.isna() | (whole & (numbers % 1 != 0))
    if wrong.any():
        row = wrong.idxmax()
        kind = "a whole number" if whole else "a number"
        msg = f"{path}, row {row}: column '{values.name}' should be {kind}, not {values[row]!r}; fix it."
        raise UserError(msg)
    return numbers.astype("int64" if whole else "float64")
