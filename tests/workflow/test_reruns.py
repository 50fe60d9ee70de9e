"""What re-runs and what does not; on a small study whose masks are given."""

import json
import os
from pathlib import Path

import pytest
from tests.workflow.conftest import ROOT, Project, write_sheet

pytestmark = pytest.mark.workflow
DOWNSTREAM_OF_TRACKS = {
    "track",
    "export_tracks",
    "draw_field",
    "collect_uncertain",
    "score_function",
    "summarise_tracks",
    "collect_cells",
    "list_fields",
}
NOT_OF_TRACKING = {"score_function", "summarise_tracks", "collect_cells", "list_fields"}


def test_a_run_and_what_re_runs_it(small: Project) -> None:
    small.snakemake("tracking", "features")
    assert "Nothing to be done" in small.snakemake("tracking", "features")
    assert (small.folder / "results/small/fov/s/a/ctc/res_track.txt").is_file()

    now = Path(ROOT / "scripts/track.py").stat()
    os.utime(ROOT / "scripts/track.py")
    try:
        assert not small.planned("tracking", "features"), "touching a script is a no-op"
    finally:
        os.utime(ROOT / "scripts/track.py", (now.st_atime, now.st_mtime))

    small.configure(track={"max_gap": 1})
    assert small.planned("tracking", "features") - {"features", "tracking"} == DOWNSTREAM_OF_TRACKS

    small.configure(report={"fields_shown": 3})
    assert not small.planned("tracking", "features"), "an edit that cannot change a step does not re-run it"

    small.configure()
    (small.folder / "results/small/fov/s/a/tracks.parquet").unlink()
    assert "track" in small.planned("tracking")


def test_an_edit_re_runs_the_tracking_of_its_field_only(small: Project) -> None:
    sheet = (small.folder / "samples.tsv").read_text().splitlines()
    rows = [dict(zip(sheet[0].split("\t"), line.split("\t"), strict=True)) for line in sheet[1:]]
    edits = small.folder / "edits.csv"
    edits.write_text("action,frame,cell\n")
    write_sheet(small.folder, [rows[0] | {"edits": "edits.csv"}, rows[1] | {"edits": ""}])
    small.snakemake("tracking")
    edits.write_text("action,frame,cell\ndeath,2,1\n")
    planned = small.planned("tracking")
    assert planned - {"tracking"} == DOWNSTREAM_OF_TRACKS - NOT_OF_TRACKING
    said = small.snakemake("tracking")
    assert "fov=b" not in said
    report = json.loads((small.folder / "results/small/reports/track/s@a.json").read_text())
    assert report["numbers"]["edits_applied"] == 1
    edits.write_text("action,frame,cell\ndeath,2,1\nexit,2,1\n")
    small.configure(run={"may_fail": 0})
    said = small.complaint("tracking")
    assert "edits.csv, row 3: 'exit' contradicts 'death' in row 2" in said


def test_swapping_two_values_re_runs(small: Project) -> None:
    small.configure(track={"max_gap": 1, "border_px": 2.0})
    small.snakemake("results/small/fov/s/a/tracks.parquet")
    small.configure(track={"max_gap": 2, "border_px": 1.0})
    assert "track" in small.planned("results/small/fov/s/a/tracks.parquet")


def test_frame_step_re_runs_its_field_only(small: Project) -> None:
    small.snakemake("results/small/fov/s/a/masks.ome.tif", "results/small/fov/s/b/masks.ome.tif")
    sheet = (small.folder / "samples.tsv").read_text().splitlines()
    rows = [dict(zip(sheet[0].split("\t"), line.split("\t"), strict=True)) for line in sheet[1:]]
    write_sheet(small.folder, [row | {"frame_step": step} for row, step in zip(rows, "12", strict=True)])
    said = small.snakemake("-n", "results/small/fov/s/a/masks.ome.tif", "results/small/fov/s/b/masks.ome.tif")
    assert "fov=b" in said
    assert "fov=a" not in said


def test_a_target_that_the_data_do_not_allow_says_why(small: Project) -> None:
    said = small.complaint("-n", "prediction")
    assert "target 'prediction': the sheet samples.tsv gives no barcodes and counts" in said


def test_movies_can_be_dropped(small: Project) -> None:
    small.configure(keep_movies=False)
    small.snakemake("features")
    assert not list(small.folder.glob("results/small/fov/*/*/movie.ome.tif"))


def test_report_of_a_study_without_transcriptomes(small: Project) -> None:
    small.snakemake("report")
    answers = json.loads((small.folder / "results/small/report/answers.json").read_text())
    by_id = {a["id"]: a["answer"] for a in answers["answers"]}
    assert by_id["modalities"].startswith("Not run: this run has no prediction")


def test_a_file_that_is_replaced_by_an_older_one_is_noticed_and_one_that_is_touched_is_not(small: Project) -> None:
    masks = small.folder / "a_masks.tif"
    write_sheet(small.folder, [{"sample": "s", "fov": "a", "images": "a.ome.tif", "masks": "a_masks.tif"}])
    wanted = "results/small/fov/s/a/masks.ome.tif"
    small.snakemake(wanted)
    assert not small.planned(wanted)
    content, then = masks.read_bytes(), masks.stat().st_mtime - 9_000_000
    masks.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(masks, (then, then))
    assert "import_masks" in small.planned(wanted)
    masks.write_bytes(content)
    os.utime(masks, (then, then))
    assert not small.planned(wanted)
