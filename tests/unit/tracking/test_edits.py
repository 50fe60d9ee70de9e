"""Edits of tracks: what each action does, what is refused, and that replaying is a function of the edits alone."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.tracking.tracking_examples import INFO, two_families

from cineseq.config.base import FieldOfView
from cineseq.config.tracking import Track
from cineseq.errors import UserError
from cineseq.tracking.edits import CELLS_AFTER, Edit, Edits, check_contradictions, read_edits
from cineseq.tracking.finalise import Curated, curate
from cineseq.tracking.lineage import before_each
from cineseq.tracking.replay import replay, settle_ends

OPEN = np.full(15, -1)
FIELD = FieldOfView(sample="s", fov="f")
HEADER = "action,frame,cell,next_frame,next_cell,second_cell"


def edits(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "edits.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def curated(folder: Path, *rows: str, header: str = HEADER) -> Curated:
    objects, families = two_families()
    path = edits(folder, *rows, header=header)
    return curate(objects, families, OPEN, path, info=INFO, field=FIELD, settings=Track())


def lineage(made: Curated) -> dict[str, tuple[int, int, str, str]]:
    """Return first and last frame, parent and kind of end of every track, by its number."""
    tracks = made.tracks.assign(parent=made.tracks["parent_id"].fillna("-").str.split("/").str[-1])
    rows = zip(tracks["start_frame"], tracks["end_frame"], tracks["parent"], tracks["end_kind"], strict=True)
    return dict(zip(tracks["number"], rows, strict=True))


AS_FOUND = {1: (0, 2, "-", "division"), 2: (3, 5, "1", "end_of_movie"), 3: (3, 5, "1", "end_of_movie")}
OTHER = {4: (0, 5, "-", "end_of_movie")}
CUT = {1: (0, 2, "-", "lost"), 2: (3, 5, "-", "end_of_movie"), 3: (3, 5, "-", "end_of_movie")}
CASES = {
    "divide,2,1,3,2,3": AS_FOUND | OTHER,
    "not_divide,2,1,,,": CUT | OTHER,
    "unlink,2,1,,,": CUT | OTHER,
    "unlink,2,1,3,3,": {1: (0, 5, "-", "end_of_movie"), 3: (3, 5, "-", "end_of_movie")} | OTHER,
    "link,2,1,3,3,": {1: (0, 5, "-", "end_of_movie"), 2: (3, 5, "-", "end_of_movie")} | OTHER,
    "link,2,4,3,2,": {
        1: (0, 5, "-", "end_of_movie"),
        4: (0, 5, "-", "end_of_movie"),
        5: (3, 5, "-", "end_of_movie"),
    },
    "death,3,4,,,": AS_FOUND | {4: (0, 3, "-", "death"), 5: (4, 5, "-", "end_of_movie")},
    "exit,4,3,,,": AS_FOUND | {3: (3, 4, "1", "left_fov"), 5: (5, 5, "-", "end_of_movie")} | OTHER,
    "death,5,4,,,": AS_FOUND | {4: (0, 5, "-", "death")},
    "not_death,5,4,,,": AS_FOUND | OTHER,
    "delete,2,1,,,": AS_FOUND | {1: (0, 1, "-", "division"), 5: (2, 2, "-", "lost")} | OTHER,
    "delete,3,4,,,": AS_FOUND | OTHER | {5: (3, 3, "-", "lost")},
    "divide,3,4,4,2,3": {
        1: (0, 2, "-", "division"),
        2: (3, 3, "1", "lost"),
        3: (3, 3, "1", "lost"),
        4: (0, 3, "-", "division"),
        5: (4, 5, "4", "end_of_movie"),
        6: (4, 5, "4", "end_of_movie"),
        7: (4, 5, "-", "end_of_movie"),
    },
    "link,1,1,4,2,": {
        1: (0, 5, "-", "end_of_movie"),
        2: (3, 3, "5", "lost"),
        3: (3, 5, "5", "end_of_movie"),
        5: (2, 2, "-", "division"),
    }
    | OTHER,
}


@pytest.mark.parametrize("row", CASES)
def test_what_one_edit_makes(tmp_path: Path, row: str) -> None:
    assert lineage(curated(tmp_path, row)) == CASES[row]


def test_what_a_person_said_is_certain_counted_and_off_the_list(tmp_path: Path) -> None:
    made = curated(tmp_path, "divide,2,1,3,2,3", "death,3,4,,,", "death,3,77,,,", "unlink,0,4,1,1,")
    counts = {name: made.numbers[f"edits_{name}"] for name in ("applied", "confirmed", "not_applicable")}
    assert counts == {"applied": 1, "confirmed": 2, "not_applicable": 1}
    assert "not applicable because an object is not in the masks (row 4)" in made.lines[0]
    sure = made.tracks.set_index("number")["end_confidence"]
    assert (sure[1], sure[4]) == (1.0, 1.0)
    dead = made.tracks.set_index("number").loc[4]
    assert (dead["fate"], dead["fate_known"], dead["alive_at_end"]) == ("death", True, False)
    settled = made.events[made.events["edited"]]
    assert sorted(zip(settled["kind"], settled["frame"], settled["label"], strict=True)) == [
        ("death", 3, 4),
        ("division", 2, 1),
        ("link", 0, 4),
    ]
    assert set(settled["confidence"]) == {1.0}


def test_a_cell_is_named_by_its_place_too_and_rows_of_other_fields_are_left_out(tmp_path: Path) -> None:
    header = "action\tframe\tcell\tnext_cell\tsecond_cell\tsample\tfov\tnote"
    place = "death\t3\t71.5 69\t\t\ts\tf\tblebs"
    other = "death\t2\t4\t\t\ts\tother\t"
    made = curated(tmp_path, place, "", other, header=header)
    assert lineage(made) == AS_FOUND | {4: (0, 3, "-", "death"), 5: (4, 5, "-", "end_of_movie")}
    assert made.numbers["edits_applied"] == 1
    far = curated(tmp_path, "death\t3\t90 90\t\t\t\t\t", header=header)
    assert far.numbers["edits_not_applicable"] == 1


CONTRADICTIONS = [
    ("link,2,1,3,2,", "divide,2,1,3,2,3"),
    ("link,2,4,3,2,", "link,2,1,3,2,"),
    ("link,2,1,3,2,", "link,2,1,3,3,"),
    ("link,2,1,3,2,", "unlink,2,1,3,2,"),
    ("unlink,2,1,,,", "link,2,1,3,2,"),
    ("not_divide,2,1,,,", "divide,2,1,3,2,3"),
    ("death,2,4,,,", "link,2,4,3,4,"),
    ("death,2,4,,,", "exit,2,4,,,"),
    ("death,2,4,,,", "not_death,2,4,,,"),
    ("delete,3,2,,,", "divide,2,1,3,2,3"),
    ("not_death,2,4,,,", "death,4,4,,,"),
]


@pytest.mark.parametrize(("one", "other"), CONTRADICTIONS)
def test_contradictory_edits_are_refused_with_their_rows(tmp_path: Path, one: str, other: str) -> None:
    with pytest.raises(UserError, match=r"edits\.csv, row 4: '\w+' contradicts '\w+' in row 2; keep the correct one"):
        curated(tmp_path, one, "death,1,4,,,", other)


BAD = {
    "row 2: unknown action 'kill'; the actions are link": "kill,1,4,,,",
    "row 2: 'link' names 0 cells of a later frame; expected 1": "link,1,4,,,",
    "row 2: 'death' names 1 cells of a later frame; expected 0": "death,1,4,2,4,",
    "row 2: frame 'x' should be a frame number": "death,x,4,,,",
    "row 2: next_frame 1 should be after frame 1": "link,1,4,1,1,",
    "row 2: cell 'left one' should be a label": "death,1,left one,,,",
    "row 2: the two daughters are the same cell": "divide,2,1,3,2,2",
    "row 2: more entries than the header has columns": "death,1,4,,,,,,",
}


@pytest.mark.parametrize("said", BAD)
def test_a_bad_row_is_refused_in_one_sentence(tmp_path: Path, said: str) -> None:
    with pytest.raises(UserError, match=said):
        curated(tmp_path, BAD[said])


def test_a_bad_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown column 'labels'; the columns are action, frame, cell"):
        curated(tmp_path, header="action,frame,labels")
    with pytest.raises(UserError, match="a column is missing"):
        curated(tmp_path, header="action,frame")


def test_no_edit_takes_a_cell_through_a_wall(tmp_path: Path) -> None:
    objects, families = two_families()
    compartment = np.where(objects.table["y_px"] < 50, 0, 1)
    asked = read_edits(edits(tmp_path, "death,1,4,,,", "link,2,1,3,4,"), objects.table, FIELD)
    with pytest.raises(UserError, match="row 3: 'link' leads a cell through the wall of a closed compartment"):
        replay(asked, objects.table, families, compartment)


OBJECTS, FAMILIES = two_families()
FRAME = OBJECTS.table["frame"].to_numpy()
PAIRS = [(a, b) for a, b in itertools.product(range(15), repeat=2) if FRAME[b] > FRAME[a]]
TRIPLES = [(a, b, c) for (a, b), c in itertools.product(PAIRS, range(15)) if c > b and FRAME[c] == FRAME[b]]
ONE_EDIT = st.one_of(
    st.tuples(st.sampled_from([n for n, k in CELLS_AFTER.items() if 0 in k]), st.tuples(st.integers(0, 14))),
    st.tuples(st.sampled_from(["link", "unlink"]), st.sampled_from(PAIRS)),
    st.tuples(st.just("divide"), st.sampled_from(TRIPLES)),
)


def numbered(pairs: list) -> tuple[Edit, ...]:
    return tuple(Edit(row, action, cells[0], tuple(cells[1:])) for row, (action, cells) in enumerate(pairs, start=2))


@given(st.lists(ONE_EDIT, max_size=6), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=200)
def test_any_edits_leave_a_possible_lineage_in_any_order_and_twice(pairs: list, random) -> None:
    objects, families = OBJECTS, FAMILIES
    path = Path("edits.csv")
    given_edits = numbered(pairs)
    try:
        check_contradictions(path, list(given_edits))
        once = replay(Edits(path, given_edits, ()), objects.table, families, OPEN)
    except UserError:
        return
    before = before_each(FRAME, once.families)
    assert (FRAME[before[before >= 0]] < FRAME[before >= 0]).all()
    assert set(np.bincount(before[before >= 0], minlength=1)) <= {0, 1, 2}
    assert set(np.bincount(list(once.families.parent.values()), minlength=1)) <= {0, 2}
    shuffled = random.sample(given_edits, len(given_edits))
    for again in (
        replay(Edits(path, tuple(shuffled), ()), objects.table, families, OPEN),
        replay(Edits(path, given_edits, ()), objects.table, once.families, OPEN),
    ):
        assert again.families.number.tolist() == once.families.number.tolist()
        assert again.families.parent == once.families.parent
    for edit in given_edits:
        after = set(np.flatnonzero(before == edit.source).tolist())
        if edit.action in ("link", "divide"):
            assert after == set(edit.targets)
        if edit.action in ("death", "exit"):
            assert not after


def test_a_stated_death_stays_while_nothing_follows_its_object() -> None:
    objects, families = two_families()
    died = replace(families, parent={}, deaths=frozenset({1, 4}))
    rows = {number: np.flatnonzero(families.number == number).tolist() for number in (1, 2, 4)}
    onward = Edit(2, "link", rows[1][-1], (rows[2][0],))
    assert replay(Edits(Path("e.csv"), (onward,), ()), objects.table, died, OPEN).families.deaths == {4}
    halved = Edit(2, "unlink", rows[4][1], ())
    after = replay(Edits(Path("e.csv"), (halved,), ()), objects.table, died, OPEN).families
    assert after.deaths == {1, after.number[rows[4][-1]]}
    assert 4 not in after.deaths


def test_a_cell_dies_once_when_its_body_shows_a_death_or_was_stated_to_die() -> None:
    objects, families = two_families()
    last = objects.table["label"].eq(4) & objects.table["frame"].eq(5)
    table = objects.table[~last].reset_index(drop=True)
    found = replace(families, number=table["label"].to_numpy(), deaths=frozenset({4}))
    at = {key: row for row, key in enumerate(zip(table["label"], table["frame"], strict=True))}
    said = Edits(Path("e.csv"), (Edit(2, "death", at[4, 2]),), ())
    once = replay(said, table, found, OPEN)
    assert (once.bodies, once.families.deaths) == ({5}, set())
    shown = pd.DataFrame({"number": [1, 2, 3, 4, 5], "end_kind": ["division", *["lost"] * 2, "lost", "death"]})
    settled, _ = settle_ends(shown.assign(end_confidence=0.7), once)
    assert settled["end_kind"].tolist() == ["division", "lost", "lost", "death", "lost"]
    assert settled["end_confidence"].tolist() == [0.7, 0.7, 0.7, 1.0, 1.0]
    taken = Edit(3, "link", at[1, 2], (at[4, 3],))
    other = replay(Edits(Path("e.csv"), (*said.applicable, taken), ()), table, found, OPEN)
    assert (other.bodies, other.families.deaths) == (set(), {1})


@pytest.mark.parametrize("frame", [0, 3])
def test_no_death_may_name_any_cell_of_the_track(frame: int) -> None:
    objects, families = two_families()
    table = objects.table[~objects.table["label"].eq(4) | objects.table["frame"].lt(4)].reset_index(drop=True)
    at = {key: row for row, key in enumerate(zip(table["label"], table["frame"], strict=True))}
    found = replace(families, number=table["label"].to_numpy())
    said = Edits(Path("e.csv"), (Edit(2, "not_death", at[4, frame]), Edit(3, "not_death", at[1, 0])), ())
    replayed = replay(said, table, found, OPEN)
    assert np.flatnonzero(replayed.edited).tolist() == [at[4, 3]]
    shown = pd.DataFrame({"number": [1, 2, 3, 4], "end_kind": ["division", "lost", "lost", "death"]})
    settled, status = settle_ends(shown.assign(end_confidence=0.7), replayed)
    assert settled["end_kind"].tolist() == ["division", "lost", "lost", "lost"]
    assert settled["end_confidence"].tolist() == [0.7, 0.7, 0.7, 1.0]
    assert status == {2: "applied", 3: "confirmed"}
