"""The record of a run names versions, settings, models and inputs, and is the same for the same run."""

import hashlib
import json
from pathlib import Path

import pytest
import write_provenance

from cineseq.report import provenance as records
from cineseq.report.provenance import describe_inputs, models_used, package_licence, package_versions
from cineseq.report.steps import StepReport


def report(step: str, name: str, field: str = "s_1") -> StepReport:
    return StepReport(step, field, (), {}, {"name": name, "sha256": "ab", "note": "n"})


def write_study(folder: Path) -> dict:
    (folder / "counts.csv").write_text("a")
    (folder / "movie.tif").write_text("b")
    (folder / "samples.tsv").write_text("sample\timages\tcounts\ns\t{data}/movie.tif\t{data}/counts.csv\n")
    step = folder / "reports/segment/s_1.json"
    step.parent.mkdir(parents=True)
    step.write_text(json.dumps({"lines": [], "numbers": {}, "model": {"name": "m", "sha256": "cd", "note": ""}}))
    config = {"data": str(folder), "clusters": {"resolution": 0.6}}
    settings = write_provenance.Settings(run="mine", config=config)
    inputs = [folder / "counts.csv", folder / "movie.tif"]
    return {"sheet": folder / "samples.tsv", "inputs": inputs, "step_reports": [step], "settings": settings}


def test_the_record_names_everything_and_is_the_same_twice(tmp_path: Path):
    study = write_study(tmp_path)
    for name in ("a.json", "b.json"):
        write_provenance.main(**study, provenance=tmp_path / name)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    record = json.loads((tmp_path / "a.json").read_text())
    assert record["run"] == "mine"
    assert record["config"]["clusters"] == {"resolution": 0.6}
    assert record["models"] == [{"name": "m", "sha256": "cd", "note": "", "steps": ["segment"]}]
    assert [Path(i["file"]).name for i in record["inputs"]] == ["counts.csv", "movie.tif", "samples.tsv"]
    assert record["inputs"][0]["sha256"] == hashlib.sha256(b"a").hexdigest()
    assert {"scanpy", "torch", "numpy"} <= record["packages"].keys()


def test_an_edited_input_changes_the_record(tmp_path: Path):
    study = write_study(tmp_path)
    write_provenance.main(**study, provenance=tmp_path / "a.json")
    (tmp_path / "counts.csv").write_text("c")
    write_provenance.main(**study, provenance=tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() != (tmp_path / "b.json").read_bytes()


def test_models_are_named_once_with_all_their_steps():
    found = models_used(
        [report("segment", "b"), report("segment", "b", "s_2"), report("embed", "a"), report("track", "b")]
    )
    assert [(m["name"], m["steps"]) for m in found] == [("a", ["embed"]), ("b", ["segment", "track"])]


def test_large_files_folders_and_absent_files_are_described_without_a_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(records, "HASHED_UP_TO", 2)
    (tmp_path / "zarr").mkdir()
    (tmp_path / "zarr/0").write_text("123")
    (tmp_path / "large").write_text("1234")
    absent, large, zarr = describe_inputs(
        [tmp_path / "zarr", tmp_path / "large", tmp_path / "absent", tmp_path / "large"]
    )
    assert absent["note"].startswith("missing when the record")
    assert large["bytes"] == 4
    assert "sha256" not in large
    assert large["modified_ns"] == (tmp_path / "large").stat().st_mtime_ns
    assert (zarr["files"], zarr["bytes"]) == (1, 3)


def test_what_is_hashed_in_total_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(records, "HASHED_IN_TOTAL", 5)
    for name in "abc":
        (tmp_path / name).write_text("123")
    described = describe_inputs(sorted(tmp_path.iterdir()))
    assert ["sha256" in d for d in described] == [True, False, False]


def test_versions_and_licences_come_from_the_installed_packages():
    assert set(package_versions()) <= set(records.PACKAGES)
    assert package_licence("pydantic") == "MIT"
    assert package_licence("no-such-package") == "not installed"
