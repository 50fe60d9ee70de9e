"""External lineages that no cell can have: refused, or cut and counted, as the configuration says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cineseq.config.tracking import Track
from cineseq.errors import UserError
from cineseq.text import number
from cineseq.tracking.imports.base import ExternalTracks
from cineseq.tracking.lineage import ImpossibleLineageError, ancestors


def settle(external: ExternalTracks, settings: Track, path: Path) -> tuple[dict[int, int], dict[str, int]]:
    """Return the mother of every track that has one, and how many links were cut.

    A cell has one mother: of a track with several, as after a merge, all are cut, since the file does not say which
    is right. A mother has at most two daughters: of more, all are cut for the same reason.

    Parameters
    ----------
    external
        As read.
    settings
        The section ``track``; ``external_conflicts`` says whether to refuse or to cut.
    path
        Where the tracks were read, for messages.

    Raises
    ------
    UserError
        Where conflicts are refused, for the first of them; always when a track is its own ancestor, or died and has
        daughters.
    """
    pairs = external.parents
    merged = pairs["track"].duplicated(keep=False)
    crowded = pairs[~merged].groupby("mother")["track"].transform("size").reindex(pairs.index, fill_value=0) > 2
    if settings.external_conflicts == "refuse":
        if merged.any():
            track = int(pairs.loc[merged, "track"].iloc[0])
            named = _listed(pairs.loc[pairs["track"] == track, "mother"])
            _refuse(f"{_named(track, external)} has more than one mother, {named} (a merge?)", path)
        if crowded.any():
            mother = int(pairs.loc[crowded, "mother"].iloc[0])
            named = _listed(pairs.loc[pairs["mother"] == mother, "track"])
            _refuse(f"{_named(mother, external)} has more than two daughters, {named}", path)
    kept = pairs[~merged & ~crowded]
    mother = dict(zip(kept["track"].tolist(), kept["mother"].tolist(), strict=True))
    _check_possible(mother, external.deaths, path)
    counts = {
        "links_cut_to_two_mothers": int(merged.sum()),
        "links_cut_to_more_than_two_daughters": int(crowded.sum()),
    }
    return mother, counts


def _check_possible(mother: dict[int, int], deaths: frozenset[int], path: Path) -> None:
    """Refuse what cutting cannot mend, since there is no telling which entry is wrong."""
    try:
        ancestors(np.array(list(mother), np.int64), mother)
    except ImpossibleLineageError as error:
        msg = f"{path}: {error}; mend the tracks in the tool that made them."
        raise UserError(msg) from error
    if dead := deaths & set(mother.values()):
        msg = f"{path}: track {min(dead)} is said to have died, and has daughters; mend one of the two."
        raise UserError(msg)


def _named(track: int, external: ExternalTracks) -> str:
    """Name a track by its number and, for formats that have none, by when and where it begins."""
    if external.rows is None or not (external.rows["track"] == track).any():
        return f"track {track}"
    row = external.rows[external.rows["track"] == track].sort_values("frame").iloc[0]
    place = f" at y {number(row['y_px'], 1)}, x {number(row['x_px'], 1)}" if "y_px" in row else ""
    return f"track {track} (which begins in frame {int(row['frame'])}{place})"


def _listed(numbers: pd.Series) -> str:
    return ", ".join(str(n) for n in numbers)


def _refuse(said: str, path: Path) -> None:
    msg = f"{path}: {said}; mend it in the tool that made it, or set track.external_conflicts to cut."
    raise UserError(msg)
