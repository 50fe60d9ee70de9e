"""A field of view that cannot be processed is set aside; the study goes on without it until it is mended."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from tests.workflow.conftest import Project, undeclared, write_sheet, write_small_movie

from cineseq.workflow.set_aside import Record, Status, read_record, write_record

pytestmark = [pytest.mark.workflow, pytest.mark.slow, pytest.mark.timeout(1800)]
SENTENCE = "b.ome.tif: not a whole TIFF file"


@pytest.fixture
def three(small: Project) -> Project:
    """Return a study of three fields, two of whose movies were cut off."""
    rows = []
    for fov in ("a", "b", "c"):
        write_small_movie(small.folder, fov)
        rows.append({"sample": "s", "fov": fov, "images": f"{fov}.ome.tif", "masks": f"{fov}_masks.tif"})
    write_sheet(small.folder, rows)
    for fov in ("b", "c"):
        cut_off(small.folder / f"{fov}.ome.tif")
    return small


def cut_off(movie: Path) -> None:
    movie.write_bytes(movie.read_bytes()[:1500])


def fields_planned(project: Project, *targets: str) -> set[str]:
    """Return the fields of view of the jobs that Snakemake would run."""
    return set(re.findall(r"wildcards: sample=s, fov=(\w)", project.snakemake(*targets, "-n")))


def test_a_study_with_bad_fields(three: Project) -> None:
    results = three.folder / "results/small"
    # Two of three are too many: the run stops before the study steps, with the list.
    said = three.complaint("features")
    assert "2 of 3 fields of view could not be processed, and run.may_fail (0.05) allows 1" in said
    for fov in ("b", "c"):
        assert said.count(f"prepare_movie, sample s, field {fov}: {fov}.ome.tif: not a whole TIFF file") == 1
    assert pd.read_parquet(results / "fov/s/b/cells.parquet").empty
    assert not (results / "study/cells.parquet").exists()

    # One is mended and re-runs alone; the study is made without the other, and says so.
    write_small_movie(three.folder, "c")
    assert fields_planned(three, "report") == {"c"}
    said = three.snakemake("report")
    assert said.count(SENTENCE) == 1
    assert "Report: results/small/report/index.html" in said
    assert undeclared(results) == []
    fields = pd.read_csv(results / "study/fields.tsv", sep="\t", index_col="fov")
    assert fields["status"].to_dict() == {"a": "kept", "b": "left_out", "c": "kept"}
    assert fields.loc["b", ["step", "reason"]].tolist() == ["prepare_movie", "refused"]
    assert set(pd.read_parquet(results / "study/cells.parquet")["fov"]) == {"a", "c"}
    left_out = json.loads((results / "provenance.json").read_text())["fields_left_out"]
    assert [(row["fov"], row["step"]) for row in left_out] == [("b", "prepare_movie")]
    page = (results / "report/index.html").read_text()
    assert "1 of 3 fields of view: left out of this study" in page
    assert SENTENCE in page
    assert not three.planned("report")

    # No field may fail any more: the table of fields is made again, and refuses.
    three.configure(run={"may_fail": 0})
    assert three.planned("features") >= {"list_fields"}
    assert "run.may_fail (0.0) allows 0" in three.complaint("results/small/study/fields.tsv")
    three.configure()

    # The other is mended and re-runs alone, and nothing is left of its failure.
    write_small_movie(three.folder, "b")
    assert fields_planned(three, "report") == {"b"}
    assert SENTENCE not in three.snakemake("features")
    assert set(pd.read_parquet(results / "study/cells.parquet")["fov"]) == {"a", "b", "c"}
    assert not three.planned("features")

    # A field that ran out of memory is tried again once.
    record = results / "set_aside/track/s@a.json"
    write_record(Record(1, Status("track", "s", "a", "memory", "it was killed.")), record)
    assert fields_planned(three, "results/small/fov/s/a/tracks.parquet") == {"a"}
    three.snakemake("results/small/fov/s/a/tracks.parquet")
    assert read_record(record) == Record(1, None)
    assert not three.planned("results/small/fov/s/a/tracks.parquet")
