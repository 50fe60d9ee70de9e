"""Replaying edits on the tracks that were found: the same edits on the same tracks always make the same lineage."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from cineseq.errors import UserError
from cineseq.tracking.compartments import passable
from cineseq.tracking.edits import END_KINDS, Edit, Edits, contradiction
from cineseq.tracking.lineage import TrackLineage, before_each, fates

ORDER = ("delete", "unlink", "not_divide", "not_death", "death", "exit", "link", "divide")
"""Cuts come before joins, so that the order of the rows does not matter."""


@dataclass(frozen=True)
class Replayed:
    """The lineage after the edits.

    Attributes
    ----------
    families
        Tracks and mothers.
    ends
        Edits that say how a track ended, each with the track's number.
    edited
        Whether a person said what became of an object, shape (objects,).
    status
        By line of the file: ``applied``, ``confirmed`` (tracking had found the same) or ``not applicable`` (the object
        is not in the masks).
    bodies
        Numbers of the tracks that followed a death of the file: what is left of a cell does not die again.
    """

    families: TrackLineage
    ends: tuple[tuple[int, Edit], ...]
    edited: np.ndarray
    status: dict[int, str]
    bodies: frozenset[int] = frozenset()


def unedited(families: TrackLineage) -> Replayed:
    """Return a lineage that nobody edited."""
    return Replayed(families, (), np.zeros(len(families.number), bool), {})


def replay(edits: Edits, objects: pd.DataFrame, families: TrackLineage, room: np.ndarray) -> Replayed:
    """Apply edits to a lineage.

    The lineage is one arrow per object, to the object before it; two arrows to the same object are a division. An edit
    moves or removes arrows, so that an only daughter is always the same cell as her mother and no object is ever
    shared. Tracks keep their number as long as they keep their first object.

    Parameters
    ----------
    edits
        From :func:`~cineseq.tracking.edits.read_edits`, on the same objects.
    objects
        The objects, sorted by frame.
    families
        As found.
    room
        Closed compartment of each object, -1 for none, shape (objects,).

    Raises
    ------
    UserError
        When an edit takes a cell through the wall of a closed compartment, or a track is said to end in death and not
        to.
    """
    found = before_each(objects["frame"].to_numpy(np.int64), families)
    before = found.copy()
    edited, bodies = np.zeros(len(before), bool), np.zeros(len(before), bool)
    status = dict.fromkeys(edits.missing, "not applicable")
    for edit in sorted(edits.found, key=lambda e: (ORDER.index(e.action), e.source, e.targets)):
        _refuse_walls(edits, edit, room)
        status[edit.row] = "confirmed" if _holds(edit, found) else "applied"
        bodies[before == edit.source] |= edit.action == "death"
        _apply(edit, before)
        edited[edit.source] |= edit.action != "not_death"
    sure = np.array([e.source for e in edits.found if e.action == "divide"], np.int64)
    after = _families(before, objects, families, sure)
    remains = frozenset(after.number[bodies & (before < 0)].tolist())
    after = replace(after, deaths=after.deaths - remains)
    ends = _ends(edits, before, after.number)
    edited[[e.source for e in ends]] = True
    return Replayed(after, tuple((int(after.number[e.source]), e) for e in ends), edited, status, remains)


def _ends(edits: Edits, before: np.ndarray, number: np.ndarray) -> list[Edit]:
    """Return the edits that say how a track ended, of its last object; ``not_death`` may name any cell of the track.

    Other ends come last, as they say more: a cell that left did not die.
    """
    last = dict(zip(number.tolist(), range(len(number)), strict=True))
    said = sorted((e for e in edits.found if e.action in END_KINDS), key=lambda e: e.action != "not_death")
    placed = [(e, replace(e, source=last[int(number[e.source])])) for e in said]
    spared = {at.source: e for e, at in placed if e.action == "not_death"}
    for edit, _ in placed:
        if edit.action == "death" and edit.source in spared:
            raise UserError(contradiction(edits.path, spared[edit.source], edit))
    return [at for e, at in placed if at.source not in before and (e.action == "not_death" or at.source == e.source)]


def _holds(edit: Edit, before: np.ndarray) -> bool:
    """Whether tracking itself had found what an edit of arrows says; kinds of end are compared later."""
    after = set(np.flatnonzero(before == edit.source).tolist())
    if edit.action in ("link", "divide"):
        return after == set(edit.targets)
    if edit.action == "unlink":
        return not (after & set(edit.targets) if edit.targets else after)
    if edit.action == "not_divide":
        return len(after) < 2
    if edit.action == "delete":
        return not after and before[edit.source] < 0
    return edit.action == "not_death" or not after


def _apply(edit: Edit, before: np.ndarray) -> None:
    after = np.flatnonzero(before == edit.source)
    if edit.action == "delete":
        previous = before[edit.source]
        siblings = np.count_nonzero(before == previous) - 1
        bridged = previous >= 0 and siblings + len(after) <= 2
        before[after] = previous if bridged else -1
        before[edit.source] = -1
    elif edit.action == "unlink":
        before[np.intersect1d(after, edit.targets) if edit.targets else after] = -1
    elif edit.action == "not_divide":
        before[after if len(after) == 2 else []] = -1
    elif edit.action != "not_death":
        before[after] = -1
        before[list(edit.targets)] = edit.source


def _refuse_walls(edits: Edits, edit: Edit, room: np.ndarray) -> None:
    if edit.action in ("link", "divide"):
        targets = np.array(edit.targets)
        if not passable(room, np.full(len(targets), edit.source), targets).all():
            msg = (
                f"{edits.path}, row {edit.row}: '{edit.action}' takes a cell through the wall of a closed compartment;"
                " mend the row, or closed_frame in the table of compartments."
            )
            raise UserError(msg)


def _families(before: np.ndarray, objects: pd.DataFrame, old: TrackLineage, sure: np.ndarray) -> TrackLineage:
    """Return tracks and mothers from the object before each object; ``sure`` are the mothers that a person named.

    A known death stays one while nothing comes after the object that it was seen in.
    """
    rows = np.arange(len(before))
    daughters = np.bincount(before[before >= 0], minlength=len(before))
    continues = (before >= 0) & (daughters[before] == 1)
    head = np.where(continues, before, rows)
    while (head[head] != head).any():
        head = head[head]
    number = _numbers(head, objects, old.number)
    born = rows[(before >= 0) & (daughters[before] == 2)]
    parent = dict(zip(number[born].tolist(), number[before[born]].tolist(), strict=True))
    given = {int(old.number[m]): int(number[m]) for m in np.unique(before[born])}
    confidence = {new: old.confidence[k] for k, new in given.items() if k in old.confidence}
    confidence |= dict.fromkeys(number[sure].tolist(), 1.0)
    last = dict(zip(old.number.tolist(), rows.tolist(), strict=True))
    deaths = frozenset(int(number[last[n]]) for n in old.deaths if daughters[last[n]] == 0)
    return TrackLineage(number, parent, confidence, deaths)


def _numbers(head: np.ndarray, objects: pd.DataFrame, old: np.ndarray) -> np.ndarray:
    """Return track numbers: the old one where the first object is kept, else later ones by time and place."""
    first = np.zeros(len(head), bool)
    first[np.unique(old, return_index=True)[1]] = True
    heads = np.unique(head)
    new = heads[~first[heads]]
    place = objects.iloc[new]
    new = new[np.lexsort((place["x_px"], place["y_px"], place["frame"]))]
    number = old.copy()
    number[new] = old.max(initial=0) + 1 + np.arange(len(new))
    return number[head]


def settle_ends(tracks: pd.DataFrame, replayed: Replayed) -> tuple[pd.DataFrame, dict[int, str]]:
    """Set the ends that a person gave, which are certain.

    ``not_death`` makes a death ``lost``; an exit and the end of the movie stay what they are. The end of a body is no
    second death, unless a row says so.

    Returns
    -------
    tracks
        The table with ``end_kind``, ``end_confidence`` and the fates that follow from them.
    status
        Status of every edit, now that it is known which ends tracking had found itself.
    """
    found = dict(zip(tracks["number"], tracks["end_kind"], strict=True))
    wanted, status = {n: "lost" for n in replayed.bodies if found[n] == "death"}, dict(replayed.status)
    for number, edit in replayed.ends:
        spared = edit.action == "not_death" and found[number] != "death"
        wanted[number] = found[number] if spared else END_KINDS[edit.action]
        if found[number] != wanted[number]:
            status[edit.row] = "applied"
    kind = tracks["number"].map(wanted).fillna(tracks["end_kind"])
    sure = tracks["end_confidence"].where(~tracks["number"].isin(wanted), 1.0)
    return tracks.assign(end_kind=kind, end_confidence=sure, **fates(kind)), status


def edit_lines(edits: Edits, status: dict[int, str]) -> tuple[list[str], dict[str, int]]:
    """Return sentences on the edits for the report, and their counts."""
    counts = Counter(status.values())
    said = f"{len(status):,} edits from {edits.path.name}: {counts['applied']:,} applied, {counts['confirmed']:,}"
    said += " confirm what was found"
    if edits.missing:
        rows = ", ".join(map(str, edits.missing[:5])) + (", ..." if len(edits.missing) > 5 else "")
        said += f", {len(edits.missing):,} not applicable because an object is not in the masks (row {rows})"
    numbers = {f"edits_{name.replace(' ', '_')}": counts[name] for name in ("applied", "confirmed", "not applicable")}
    return [f"{said}."], numbers
