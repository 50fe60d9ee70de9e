"""How many fields of view may fail, what is said of them, and what is remembered."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from cineseq.workflow.set_aside import (
    Record,
    Status,
    listed_once,
    read_record,
    read_records,
    record_of,
    spared,
    status_of,
    too_many,
    write_record,
)


def failed(fov: str, sentence: str = "no frame.") -> Status:
    return Status("segment", "s", fov, "refused", sentence)


def test_how_many_may_fail() -> None:
    assert [spared(n, 0.05) for n in (1, 2, 3, 39, 40, 200, 10_000)] == [0, 1, 1, 1, 2, 10, 500]
    assert spared(5, 0) == 0
    assert spared(5, 1) == 4


@given(fields=st.integers(1, 10_000), share=st.floats(0, 1))
def test_one_field_is_always_left(fields: int, share: float) -> None:
    assert 0 <= spared(fields, share) < fields
    assert spared(fields, share) >= min(fields - 1, 1) * (share > 0)


def test_a_run_stops_above_the_limit() -> None:
    assert too_many([failed("a"), failed("a", "other.")], 3, 0.05) == ""
    assert too_many([failed("a"), failed("b")], 3, 0.05) == (
        "2 of 3 fields of view could not be processed, and run.may_fail (0.05) allows 1; mend what is said of them, or "
        "raise run.may_fail."
    )


def test_the_same_sentence_is_said_once() -> None:
    assert listed_once([failed("b"), failed("a"), failed("c", "no cell."), failed("b")]) == [
        "segment, sample s, field c: no cell.",
        "segment, 2 fields (s/a, s/b): no frame.",
    ]


def test_records_are_found_by_step_and_field(tmp_path: Path) -> None:
    log = tmp_path / "logs/segment/s@a.log"
    assert read_record(record_of(log)) == Record()
    for record in (Record(1, failed("a")), Record(1, None)):
        write_record(record, record_of(log))
        assert read_records(tmp_path) == {("segment", "s", "a"): record}


def test_large_and_absent_files_are_no_placeholders(tmp_path: Path) -> None:
    assert status_of(tmp_path / "absent") is None
    (tmp_path / "large").write_bytes(failed("a").token.encode() + bytes(70_000))
    assert status_of(tmp_path / "large") is None
    (tmp_path / "small").write_bytes(failed("a").token.encode())
    assert status_of(tmp_path / "small") == failed("a")
