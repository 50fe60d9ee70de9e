"""What a run says last."""

from pathlib import Path

from cineseq.workflow.run_state import where_the_report_is, why_it_failed


def test_failures_are_said_once_and_without_their_time(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    said = "12:00:01 INFO track: Kept 3.\n12:00:02 ERROR track, sample s, field a: no cell.\nERROR in rule x\n"
    log.write_text(said + said + "12:00:03 ERROR segment: no file.\n")
    assert why_it_failed([log, tmp_path / "absent.log"]) == [
        "track, sample s, field a: no cell.",
        "segment: no file.",
    ]


def test_the_report_is_named_where_there_is_one(tmp_path: Path) -> None:
    assert where_the_report_is(tmp_path, 0) == []
    page = tmp_path / "report" / "index.html"
    page.parent.mkdir()
    page.touch()
    assert where_the_report_is(tmp_path, 0) == [f"Report: {page}"]
    assert where_the_report_is(tmp_path, page.stat().st_mtime + 1) == []
