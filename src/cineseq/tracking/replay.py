"""Replay of edits on a lineage: the same edits on the same tracks always give the same lineage."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from cineseq.errors import UserError
from cineseq.text import count
from cineseq.tracking.compartments import passable
from cineseq.tracking.edits import END_KINDS, Edit, Edits, contradiction
from cineseq.tracking.ends import with_end_classes
from cineseq.tracking.lineage import TrackLineage, before_each, fates

ORDER = ("delete", "unlink", "not_divide", "not_death", "death", "exit", "link", "divide")
"""Order of replay: cuts before joins, so that the order of the rows does not matter."""


@dataclass(frozen=True)
class Replayed:
    """The lineage after the edits.

    Attributes
    ----------
    families
        The lineage.
    ends
        Edits that set how a track ended, each with the number of the track.
    edited
        Whether an edit concerns what follows an object, shape (objects,).
    status
        By line of the file: ``applied``, ``confirmed`` (tracking gave the same) or ``not applicable`` (the object is
        not in the masks).
    bodies
        Numbers of the tracks that follow a death of the file: a dead body does not die again.
    """

    families: TrackLineage
    ends: tuple[tuple[int, Edit], ...]
    edited: np.ndarray
    status: dict[int, str]
    bodies: frozenset[int] = frozenset()


def unedited(families: TrackLineage) -> Replayed:
    """Return a lineage without edits."""
    return Replayed(families, (), np.zeros(len(families.number), bool), {})


def replay(edits: Edits, objects: pd.DataFrame, families: TrackLineage, compartment: np.ndarray) -> Replayed:
    """Apply edits to a lineage.

    The lineage is represented by one pointer per object, to the object before it; two pointers to the same object are a
    division. An edit moves or removes pointers. A single daughter is therefore always the same cell as its parent, and
    no object is in two tracks. Tracks keep their number as long as they keep their first object.

    Parameters
    ----------
    edits
        From :func:`~cineseq.tracking.edits.read_edits`, on the same objects.
    objects
        The objects, sorted by frame.
    families
        The lineage before the edits.
    compartment
        Closed compartment of each object, -1 for none, shape (objects,).

    Raises
    ------
    UserError
        When an edit leads a cell through the wall of a closed compartment, or when edits state both that a track ends
        in death and that it does not.
    """
    # Object before each object, -1 for none, shape (objects,): as tracked, and with the edits.
    tracked = before_each(objects["frame"].to_numpy(np.int64), families)
    before = tracked.copy()
    edited, bodies = np.zeros(len(before), bool), np.zeros(len(before), bool)
    status = dict.fromkeys(edits.missing, "not applicable")
    for edit in sorted(edits.applicable, key=lambda e: (ORDER.index(e.action), e.source, e.targets)):
        _check_walls(edits, edit, compartment)
        status[edit.row] = "confirmed" if _holds(edit, tracked) else "applied"
        bodies[before == edit.source] |= edit.action == "death"
        _apply(edit, before)
        edited[edit.source] |= edit.action != "not_death"
    # Back to tracks; a track that follows a death of the file is a body.
    confirmed = np.array([e.source for e in edits.applicable if e.action == "divide"], np.int64)
    after = _families(before, objects, families, confirmed)
    remains = frozenset(after.number[bodies & (before < 0)].tolist())
    after = replace(after, deaths=after.deaths - remains)
    ends = _ends(edits, before, after.number)
    edited[[e.source for e in ends]] = True
    return Replayed(after, tuple((int(after.number[e.source]), e) for e in ends), edited, status, remains)


def _ends(edits: Edits, before: np.ndarray, number: np.ndarray) -> list[Edit]:
    """Return the edits that set how a track ended, moved to its last object.

    ``not_death`` may name any object of the track. Other ends come last and prevail: a cell that left did not die.
    """
    last = dict(zip(number.tolist(), range(len(number)), strict=True))
    ends = sorted((e for e in edits.applicable if e.action in END_KINDS), key=lambda e: e.action != "not_death")
    placed = [(e, replace(e, source=last[int(number[e.source])])) for e in ends]
    not_dead = {at.source: e for e, at in placed if e.action == "not_death"}
    for edit, _ in placed:
        if edit.action == "death" and edit.source in not_dead:
            raise UserError(contradiction(edits.path, not_dead[edit.source], edit))
    return [at for e, at in placed if at.source not in before and (e.action == "not_death" or at.source == e.source)]


def _holds(edit: Edit, before: np.ndarray) -> bool:
    """Return whether tracking agrees with an edit of links; kinds of end are compared in :func:`settle_ends`."""
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
    """Apply one edit to the object before each object, in place."""
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


def _check_walls(edits: Edits, edit: Edit, compartment: np.ndarray) -> None:
    """Raise a UserError for an edit that leads a cell through the wall of a closed compartment."""
    if edit.action in ("link", "divide"):
        targets = np.array(edit.targets)
        if not passable(compartment, np.full(len(targets), edit.source), targets).all():
            msg = (
                f"{edits.path}, row {edit.row}: '{edit.action}' leads a cell through the wall of a closed compartment;"
                " fix the row, or closed_frame in the table of compartments."
            )
            raise UserError(msg)


def _families(before: np.ndarray, objects: pd.DataFrame, old: TrackLineage, confirmed: np.ndarray) -> TrackLineage:
    """Return the lineage from the object before each object.

    A known death stays one while nothing follows the object in which it was seen.

    Parameters
    ----------
    before
        Row of the object before each object, -1 for none, shape (objects,).
    objects
        The objects, sorted by frame.
    old
        The lineage before the edits.
    confirmed
        Rows of the parents of divisions that an edit states; these have confidence 1.
    """
    rows = np.arange(len(before))
    daughters = np.bincount(before[before >= 0], minlength=len(before))
    # First object (head) of the track of each object, shape (objects,), by following pointers until none moves.
    continues = (before >= 0) & (daughters[before] == 1)
    head = np.where(continues, before, rows)
    while (head[head] != head).any():
        head = head[head]
    number = _numbers(head, objects, old.number)
    # Parents by daughter; confidences and deaths of the old lineage where they still hold.
    born = rows[(before >= 0) & (daughters[before] == 2)]
    parent = dict(zip(number[born].tolist(), number[before[born]].tolist(), strict=True))
    renumbered = {int(old.number[m]): int(number[m]) for m in np.unique(before[born])}
    confidence = {new: old.confidence[k] for k, new in renumbered.items() if k in old.confidence}
    confidence |= dict.fromkeys(number[confirmed].tolist(), 1.0)
    last = dict(zip(old.number.tolist(), rows.tolist(), strict=True))
    deaths = frozenset(int(number[last[n]]) for n in old.deaths if daughters[last[n]] == 0)
    return TrackLineage(number, parent, confidence, deaths)


def _numbers(head: np.ndarray, objects: pd.DataFrame, old: np.ndarray) -> np.ndarray:
    """Return track numbers: the old one where the first object is kept, else new ones by frame and position."""
    first = np.zeros(len(head), bool)
    first[np.unique(old, return_index=True)[1]] = True
    heads = np.unique(head)
    new = heads[~first[heads]]
    starts = objects.iloc[new]
    new = new[np.lexsort((starts["x_px"], starts["y_px"], starts["frame"]))]
    number = old.copy()
    number[new] = old.max(initial=0) + 1 + np.arange(len(new))
    return number[head]


def settle_ends(tracks: pd.DataFrame, replayed: Replayed) -> tuple[pd.DataFrame, dict[int, str]]:
    """Set the ends that edits state, with confidence 1.

    ``not_death`` turns a death into ``lost``; an exit and the end of the movie stay. The end of a body is not a second
    death unless an edit states it.

    Returns
    -------
    tracks
        The table with ``end_kind``, ``end_confidence`` and the resulting fates.
    status
        Status of every edit, with those that change an end as ``applied``.
    """
    tracked = dict(zip(tracks["number"], tracks["end_kind"], strict=True))
    wanted, status = {n: "lost" for n in replayed.bodies if tracked[n] == "death"}, dict(replayed.status)
    for number, edit in replayed.ends:
        unchanged = edit.action == "not_death" and tracked[number] != "death"
        wanted[number] = tracked[number] if unchanged else END_KINDS[edit.action]
        if tracked[number] != wanted[number]:
            status[edit.row] = "applied"
    kind = tracks["number"].map(wanted).fillna(tracks["end_kind"])
    confidence = tracks["end_confidence"].where(~tracks["number"].isin(wanted), 1.0)
    settled = tracks.assign(end_kind=kind, end_confidence=confidence, **fates(kind))
    return (with_end_classes(settled) if "end_class" in tracks else settled), status


def edit_lines(edits: Edits, status: dict[int, str]) -> tuple[list[str], dict[str, int]]:
    """Return sentences on the edits for the report, and their counts."""
    counts = Counter(status.values())
    line = f"{count(len(status), 'edit')} from {edits.path.name}: {count(counts['applied'])} applied, "
    line += f"{count(counts['confirmed'])} confirm the tracking"
    if edits.missing:
        rows = ", ".join(map(str, edits.missing[:5])) + (", ..." if len(edits.missing) > 5 else "")
        line += f", {count(len(edits.missing))} not applicable because an object is not in the masks (row {rows})"
    numbers = {f"edits_{name.replace(' ', '_')}": counts[name] for name in ("applied", "confirmed", "not applicable")}
    return [f"{line}."], numbers
