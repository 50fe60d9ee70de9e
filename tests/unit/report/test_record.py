"""The page is reached whatever a record or a table lacks: optional keys, kinds of inputs, columns and values."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import write_provenance
import zarr
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.unit.report.report_examples import render, step_report

from cineseq.report import provenance as records
from cineseq.report.provenance import describe_inputs
from cineseq.report.record import show_record
from cineseq.tables.contract import Column, contract_named, write_table
from cineseq.workflow.products import read_by_report

MODEL = {"name": "compact", "sha256": "ab" * 32, "note": "trained on simulated images", "steps": ["segment"]}
INPUT = {"file": "a", "bytes": 3, "sha256": "cd", "sha256_of_listing": "ef", "note": "n", "modified_ns": 1, "files": 2}
TABLES = [product for product in read_by_report() if product.contract]
SLOW = settings(
    max_examples=20,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # a page takes too long to be rendered again for a shorter example
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def write_inputs(folder: Path) -> list[Path]:
    """Write a Zarr, a GEFF and an mtx folder, an empty folder, a small and a large file; one more input is missing."""
    zarr.save(str(folder / "movie.zarr"), np.arange(2000).reshape(20, 100))
    (folder / "tracks.geff/nodes").mkdir(parents=True)
    (folder / "tracks.geff/zarr.json").write_text("{}")
    (folder / "mtx").mkdir()
    for name in ("matrix.mtx.gz", "barcodes.tsv.gz", "features.tsv.gz"):
        (folder / "mtx" / name).write_bytes(name.encode())
    (folder / "empty").mkdir()
    (folder / "small.csv").write_text("a")
    (folder / "large.tif").write_bytes(bytes(5000))
    return [folder / n for n in ("movie.zarr", "tracks.geff", "mtx", "empty", "small.csv", "large.tif", "gone.csv")]


def rendered_with(folder: Path, provenance: dict) -> str:
    path = folder / "provenance.json"
    path.write_text(json.dumps(provenance))
    return render(folder, provenance=path)[0]


def shown_inputs(page: str) -> dict[str, tuple[str, ...]]:
    """Return size, hash and note of every input on the page, by its name."""
    rows = re.findall(r"<tr><td>([^<]*)</td><td class=\"n\">([^<]*)</td><td><code>([^<]*)</code></td>"
                      r"<td class=\"w\">([^<]*)</td></tr>", page)  # fmt: skip
    return {Path(name).name: (size, found, note) for name, size, found, note in rows}


def test_folders_large_files_and_missing_ones_are_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(records, "HASHED_UP_TO", 4999)
    inputs, run = write_inputs(tmp_path), write_provenance.Settings(run="mine", config={"seed": 1})
    (tmp_path / "samples.tsv").write_text("sample\ns\n")
    step = step_report(tmp_path / "reports/track/s@0.json", model={"name": "m"})
    record = tmp_path / "provenance.json"
    write_provenance.main(
        sheet=tmp_path / "samples.tsv", inputs=inputs, step_reports=[step], provenance=record, settings=run
    )
    shown = shown_inputs(render(tmp_path, provenance=record, step_reports=[step])[0])
    assert set(shown) == {path.name for path in [*inputs, tmp_path / "samples.tsv"]}
    assert shown["small.csv"][1:] == ("ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb", "")
    assert shown["large.tif"][0] == "5,000"
    assert shown["large.tif"][1] == ""
    assert shown["large.tif"][2].startswith("not hashed: above the limit of 0 MB for one input")
    assert shown["gone.csv"] == ("–", "", "missing when the record was written")
    assert shown["mtx"][1].startswith("listing: ")
    assert shown["mtx"][2] == "folder of 3 files: names, sizes and their contents"
    assert shown["empty"][2] == "folder of 0 files: names, sizes and their contents"
    assert all(shown[name][1].startswith("listing: ") for name in ("movie.zarr", "tracks.geff", "empty"))


def test_a_folder_changes_with_its_contents_names_and_files(tmp_path: Path):
    folder = tmp_path / "a.zarr"
    folder.mkdir()
    hashes = []
    for name, content in (("0", "abc"), ("0", "abd"), ("1", "abd")):
        for path in folder.iterdir():
            path.unlink()
        (folder / name).write_text(content)
        hashes.append(describe_inputs([folder])[0]["sha256_of_listing"])
    assert len(set(hashes)) == 3


def test_a_large_folder_says_how_much_of_it_was_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(records, "HASHED_UP_TO", 7)
    folder = tmp_path / "a.zarr"
    folder.mkdir()
    for name in "abc":
        (folder / name).write_text("123")
    before = describe_inputs([folder])[0]
    assert before["note"] == "folder of 3 files: names, sizes and the contents of 2 of them (limit: 0 MB of one input)"
    (folder / "c").write_text("124")  # beyond the limit, of the same size
    assert describe_inputs([folder])[0]["sha256_of_listing"] == before["sha256_of_listing"]
    (folder / "b").write_text("124")
    assert describe_inputs([folder])[0]["sha256_of_listing"] != before["sha256_of_listing"]


def test_an_input_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "a").write_text("a")

    def denied(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(records, "sha256", denied)
    note = describe_inputs([tmp_path / "a"])[0]["note"]
    assert note == "could not be read when the record was written (Permission denied)"


def some_of(entries: dict) -> st.SearchStrategy[dict]:
    """Draw a dictionary that lacks some keys and has no value for others."""
    return st.fixed_dictionaries({}, optional={key: st.sampled_from([value, None]) for key, value in entries.items()})


RECORDS = st.fixed_dictionaries(
    {},
    optional={
        "cineseq": st.sampled_from(["0.1", None]),
        "python": st.sampled_from(["3.12", None]),
        "packages": st.sampled_from([{}, {"numpy": "2"}, {"no-such-package": "1"}, None]),
        "run": st.just("mine"),
        "config": st.sampled_from([{}, {"a": {"b": None, "c": [1]}, "d": {}}, None]),
        "models": st.one_of(st.none(), st.lists(some_of(MODEL), max_size=3)),
        "inputs": st.one_of(st.none(), st.lists(some_of(INPUT), max_size=3)),
    },
)


@SLOW
@given(record=RECORDS, steps=st.lists(some_of(MODEL), max_size=2))
def test_a_record_without_any_of_its_keys_is_shown(tmp_path: Path, record: dict, steps: list[dict]):
    reports = [step_report(tmp_path / f"reports/track/s@{i}.json", model=model) for i, model in enumerate(steps)]
    (tmp_path / "provenance.json").write_text(json.dumps(record))
    page, _ = render(tmp_path, provenance=tmp_path / "provenance.json", step_reports=reports)
    assert not re.search(r">(None|nan|Undefined)<", page)
    assert page.count("<td><code>") >= len(record.get("inputs") or []) + len(record.get("models") or [])


def test_what_is_unknown_of_a_record_has_a_text():
    view = show_record({"inputs": [{}], "packages": {"numpy": "2"}}, [{}])
    assert (view.models[0].name, view.models[0].sha256, view.models[0].steps) == ("unnamed", "unknown", "–")
    assert (view.inputs[0].file, view.inputs[0].bytes, view.inputs[0].note) == ("–", "–", "not hashed")
    assert view.python == "–"


def value_of(column: Column, row: int) -> object:
    """Return a value that the contract of a column allows."""
    if column.kind == "truth":
        return True
    if column.kind == "text":
        return column.values[row % len(column.values)] if column.values else f"{column.name}{row}"
    low = 0.5 if column.low is None else column.low
    return int(low) + 1 if column.kind == "integer" else min(low + 0.25, 1.0 if column.high is None else column.high)


@st.composite
def tables(draw: st.DrawFn) -> dict[str, pd.DataFrame]:
    """Draw some tables of a run, each with values, columns or all rows missing where its contract allows it."""
    drawn = {}
    for product in draw(st.lists(st.sampled_from(TABLES), unique=True, max_size=6)):
        columns = [c for c in contract_named(product.contract).columns if not c.is_family]
        kept = [c for c in columns if not (c.optional and draw(st.booleans()))]
        empty_too = draw(st.booleans())
        rows = draw(st.integers(0, 2))
        drawn[product.path] = pd.DataFrame(
            {c.name: [None if c.missing and (empty_too or draw(st.booleans())) else value_of(c, row)
                      for row in range(rows)] for c in kept}
        )  # fmt: skip
    return drawn


@SLOW
@given(drawn=tables())
def test_tables_without_any_optional_column_or_value_are_shown(tmp_path: Path, drawn: dict[str, pd.DataFrame]):
    results = []
    for product in TABLES:
        if product.path in drawn:
            path = tmp_path / product.path
            path.parent.mkdir(exist_ok=True)
            write_table(drawn[product.path], path, contract_named(product.contract))
            results.append(path)
    page, answers = render(tmp_path, results=results)
    said = " ".join(answer["answer"] for answer in answers["answers"])
    assert not re.search(r"\b(nan|None|<NA>)\b", said), said
    assert not re.search(r">(None|nan|&lt;NA&gt;)<", page)
