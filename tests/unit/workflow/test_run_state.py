"""What a run says last."""

from pathlib import Path

from cineseq.workflow.run_state import set_aside_lines, where_the_report_is, why_it_failed
from cineseq.workflow.set_aside import Status


def test_failures_are_said_once_and_without_their_time(tmp_path: Path) -> None:
    first, second = tmp_path / "a.log", tmp_path / "b.log"
    said = "12:00:01 INFO track: Kept 3.\n12:00:02 ERROR track, sample s, field a: no cell.\nERROR in rule x\n"
    first.write_text(said + said)
    second.write_text("12:00:03 ERROR segment: no file.\n")
    log = tmp_path / "snakemake.log"
    named = f"    log: {first}, {tmp_path / 'absent.log'} (check log file(s) for error details)\n"
    log.write_text("Error in rule x:\n" + named + named + f"    log: {second} (check log file(s) for error details)\n")
    assert why_it_failed([log, tmp_path / "none.log"]) == ["track, sample s, field a: no cell.", "segment: no file."]


def test_the_report_is_named_where_there_is_one(tmp_path: Path) -> None:
    assert where_the_report_is(tmp_path, 0) == []
    page = tmp_path / "report" / "index.html"
    page.parent.mkdir()
    page.touch()
    assert where_the_report_is(tmp_path, 0) == [f"Report: {page}"]
    assert where_the_report_is(tmp_path, page.stat().st_mtime + 1) == []


def test_fields_that_are_set_aside_are_named() -> None:
    assert set_aside_lines([]) == []
    assert set_aside_lines([Status("track", "s", "a", "memory", "it was killed.")]) == [
        "Fields of view that are left out since a step could not process them:",
        "track, sample s, field a: it was killed.",
    ]
