"""A step gets the same arguments from Snakemake and from the command line."""

import json
import logging
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_type_hints

import pytest
import train_embedder
import train_segmenter
from pydantic import Field

from cineseq import progress
from cineseq.config.base import FieldOfView, Section
from cineseq.errors import UserError, warn_of
from cineseq.files import write_json
from cineseq.models.registry import COMPACT, COMPACT_FILE, COMPACT_PHASE, model_file
from cineseq.workflow.placeholders import write_placeholder
from cineseq.workflow.set_aside import Status
from cineseq.workflow.step import from_command_line, leave_out_set_aside, run


class Settings(Section):
    """What the step is told."""

    size: int = Field(3, ge=1)


CALLS: list[dict[str, Any]] = []


def main(
    *,
    images: list[Path],
    table: Path,
    extra: Path | None = None,
    settings: Settings = Settings(),  # noqa: B008 - frozen
    threads: int = 1,
) -> None:
    """Keep what the step was called with."""
    CALLS.append({"images": images, "table": table, "extra": extra, "settings": settings, "threads": threads})


class Files:
    """Files by name, as Snakemake gives them."""

    def __init__(self, **files: Any) -> None:
        self._files = files

    def items(self) -> Any:
        """Return names and files."""
        return self._files.items()


def job(log: Path, inputs: dict[str, Any], **params: Any) -> SimpleNamespace:
    """Return what Snakemake puts into a script's globals."""
    return SimpleNamespace(
        input=Files(**inputs), output=Files(table="t.tsv"), params=params, threads=2, log=[str(log)], rule="measure"
    )


@pytest.fixture(autouse=True)
def _fresh() -> Any:
    CALLS.clear()
    yield
    logging.basicConfig(level="WARNING", force=True)
    logging.captureWarnings(capture=False)


def test_snakemake_and_the_command_line_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = {"images": ["a.tif", "b.tif"], "extra": []}
    run(main, job(tmp_path / "log" / "a.log", inputs, settings={"size": 5}, _code="123"))
    words = ["step", "--images", "a.tif", "b.tif", "--table", "t.tsv", "--settings", '{"size": 5}', "--threads", "2"]
    monkeypatch.setattr(sys, "argv", words)
    run(main)
    expected = {"images": [Path("a.tif"), Path("b.tif")], "table": Path("t.tsv"), "extra": None}
    assert [{**expected, "settings": Settings(size=5), "threads": 2}] * 2 == CALLS


def test_one_file_is_a_list_where_a_list_is_asked_for(tmp_path: Path) -> None:
    run(main, job(tmp_path / "a.log", {"images": "a.tif", "extra": ["e.csv"]}))
    assert CALLS[0]["images"] == [Path("a.tif")]
    assert CALLS[0]["extra"] == Path("e.csv")
    assert CALLS[0]["settings"] == Settings(size=3)


def test_settings_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "settings.yaml").write_text("size: 7\n")
    words = ["step", "--images", "a", "--table", "t", "--settings", f"@{tmp_path / 'settings.yaml'}"]
    monkeypatch.setattr(sys, "argv", words)
    run(main)
    assert CALLS[0]["settings"].size == 7


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--images", "a"], "the following arguments are required: --table"),
        (["--table", "t", "--images", "a", "--settings", '{"size": 0}'], "greater than or equal to 1"),
        (["--table", "t", "--images", "a", "--settings", '{"sise": 1}'], "Extra inputs are not permitted"),
        (["--table", "t", "--images", "a", "--threads", "many"], "argument --threads: invalid int value: 'many'"),
    ],
)
def test_a_wrong_command_line(
    words: list[str], complaint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["step", *words])
    with pytest.raises(SystemExit) as ended:
        run(main)
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err
    assert CALLS == []


def test_a_rule_that_disagrees_with_its_script(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"rule and script disagree; unknown \['image'\], missing \['images'\]"):
        run(main, job(tmp_path / "a.log", {"image": "a.tif"}))


def failing(error: Exception) -> Any:
    """Return a step that fails."""

    def main(*, table: Path) -> None:
        logging.getLogger("cineseq.test").info("Read 3 rows.")
        raise error

    return main


def test_a_mistake_of_the_user_is_one_sentence_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    with pytest.raises(SystemExit) as ended:
        run(failing(UserError("cells.csv, row 3: no cell.")), job(log, {}))
    assert ended.value.code == 65
    first, last = log.read_text().splitlines()
    assert first.endswith("INFO cineseq.test: Read 3 rows.")
    assert last.endswith("ERROR measure: cells.csv, row 3: no cell.")


def test_every_line_of_a_log_names_the_field(tmp_path: Path) -> None:
    class OfField(Section):
        field: FieldOfView = FieldOfView()

    def main(*, table: Path, settings: OfField) -> None:
        logging.getLogger("cineseq.test").warning("No cell.")
        msg = "m.tif: no such channel."
        raise UserError(msg)

    main.__annotations__ = {"table": Path, "settings": OfField, "return": type(None)}
    with pytest.raises(SystemExit):
        run(main, job(tmp_path / "a.log", {}, settings={"field": {"sample": "s", "fov": "a"}}))
    first, last = (tmp_path / "a.log").read_text().splitlines()
    assert first.endswith("WARNING cineseq.test, sample s, field a: No cell.")
    assert last.endswith("ERROR measure, sample s, field a: m.tif: no such channel.")


def test_what_libraries_tell_in_passing_is_left_out(tmp_path: Path) -> None:
    def main(*, table: Path) -> None:
        assert table
        logging.getLogger().info("Using custom options.")
        logging.getLogger().warning("These options are old.")
        logging.getLogger("cineseq.test").info("Kept 3 cells.")

    main.__annotations__ = {"table": Path, "return": type(None)}
    run(main, job(tmp_path / "a.log", {}))
    said = (tmp_path / "a.log").read_text().splitlines()
    assert [line.split(maxsplit=1)[1] for line in said] == [
        "WARNING root: These options are old.",
        "INFO cineseq.test: Kept 3 cells.",
    ]


def test_a_bug_keeps_its_traceback(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    with pytest.raises(SystemExit) as ended:
        run(failing(ZeroDivisionError("by zero")), job(log, {}))
    assert ended.value.code == 70
    said = log.read_text()
    assert "The step failed; this is a bug in cineseq or in a library" in said
    assert said.strip().endswith("ZeroDivisionError: by zero")
    assert "Traceback" in said


def test_memory_that_ran_out_has_a_status_of_its_own(tmp_path: Path) -> None:
    refused = UserError("a.tif: not a whole TIFF file.")
    refused.__cause__ = MemoryError()
    for error in (MemoryError(), refused):
        with pytest.raises(SystemExit) as ended:
            run(failing(error), job(tmp_path / "a.log", {}))
        assert ended.value.code == 75


def test_errors_are_not_on_the_screen_where_the_run_says_them_at_its_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(failing(UserError("no cell.")), job(tmp_path / "a.log", {}))
    said = capsys.readouterr().err
    assert "Read 3 rows." in said
    assert "no cell." not in said


def test_a_field_that_is_set_aside_is_left_out_of_all_lists(tmp_path: Path) -> None:
    why = Status("segment", "s", "b", "refused", "no frame.")
    labels, pictures = (
        [tmp_path / f"results/r/fov/s/{fov}/{name}" for fov in "abc"] for name in ("m.ome.tif", "t.png")
    )
    reports = [tmp_path / f"results/r/reports/track/s@{fov}.json" for fov in "abc"]
    truth = [tmp_path / f"results/r/experiment/truth/masks/s_{fov}.ome.tif" for fov in "abc"]
    maps = [tmp_path / f"{fov}.csv" for fov in "abc"]
    for path in [*labels, *pictures, *reports]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("real")
    write_placeholder(labels[1], why)
    lists = {"labels": labels, "pictures": pictures, "step_reports": reports, "maps": maps, "true": truth}
    arguments: dict[str, Any] = {**lists, "one": labels[1], "settings": None}
    leave_out_set_aside(arguments, [*lists, "one"])
    assert [path.parent.name for path in arguments["labels"]] == ["a", "c"]
    assert [path.parent.name for path in arguments["pictures"]] == ["a", "c"]
    assert [path.name for path in arguments["true"]] == ["s_a.ome.tif", "s_c.ome.tif"]
    assert arguments["step_reports"] == reports
    assert arguments["maps"] == maps
    assert arguments["one"] is None
    write_placeholder(reports[2], why)
    leave_out_set_aside(arguments, ["labels", "step_reports"])
    assert arguments["step_reports"] == reports[:2]
    assert len(arguments["labels"]) == 2


def test_long_loops_say_how_far_they_are(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = iter([0.0, 4.0, 11.0, 12.0, 22.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    assert list(progress.progress("abcd", "Frames", logging.getLogger("loop"))) == list("abcd")
    said = [record.getMessage() for record in caplog.records if record.name == "loop"]
    assert said == ["Frames: 2 of 4 done in 11 s.", "Frames: 4 of 4 done in 22 s."]


@pytest.mark.parametrize(
    ("script", "models"),
    [
        (train_embedder, {"model": COMPACT_FILE}),
        (train_segmenter, {"model": model_file(COMPACT), "phase_model": model_file(COMPACT_PHASE)}),
    ],
    ids=["embedder", "segmenter"],
)
def test_the_models_are_made_by_a_command_without_arguments(
    script: Any, models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [script.__name__])
    told = from_command_line(script.main, get_type_hints(script.main))
    assert {name: told[name] for name in models} == models
    cards = [told[name.replace("model", "card")] for name in models]
    assert cards == [path.with_suffix(".md") for path in models.values()]
    assert all(path.is_file() for path in (*models.values(), *cards))
    assert told["settings"] == script.Settings()


def reported(*, report: Path) -> None:
    """Write a report, after remarks of which one is in it already."""
    for text in ("The table counts.", "Half is missing (50 %s).", "Half is missing (50 %s)."):
        warn_of(logging.getLogger("reader"), text)
    notice = {"level": "serious", "text": "The table counts."}
    write_json({"lines": ["First.", "The table counts."], "numbers": {"cells": 3}, "notices": [notice]}, report)


def test_serious_remarks_become_notices_of_the_report_once(tmp_path: Path) -> None:
    files = SimpleNamespace(
        input=Files(), output=Files(report=str(tmp_path / "r.json")), params={}, log=[str(tmp_path / "a.log")], rule="r"
    )
    run(reported, files)
    assert json.loads((tmp_path / "r.json").read_text()) == {
        "lines": ["First.", "The table counts.", "Half is missing (50 %s)."],
        "numbers": {"cells": 3},
        "notices": [
            {"level": "serious", "text": "The table counts."},
            {"level": "serious", "text": "Half is missing (50 %s)."},
        ],
    }
