"""Public names change only where somebody means it."""

from dataclasses import dataclass
from types import SimpleNamespace

import write_public_names
from write_public_names import LIST, PAGE, as_text, dropped, old_names, public_names, python_names

from cineseq.config.schema import load
from cineseq.errors import UserError

NAMES = public_names()


def test_the_committed_list_is_that_of_the_code() -> None:
    assert as_text(NAMES) == LIST.read_text(encoding="utf-8"), "public names changed; run `make config` and commit"


def test_the_list_holds_what_users_know() -> None:
    assert {"segment.model", "samples", "function.scores.name"} <= set(NAMES["keys of the configuration"])
    assert {"sample", "images", "paired"} <= set(NAMES["columns of the sample sheet"])
    assert {"tracks.founder_id", "cells.function_*"} <= set(NAMES["columns of tables"])
    assert {"lineage/state_by_sister.tsv", "fov/{sample}/{fov}/tracks.parquet"} <= set(NAMES["paths of results"])
    assert {"track", "prediction"} <= set(NAMES["rules and targets"])


def test_functions_are_listed_with_their_arguments_and_results_with_their_fields() -> None:
    @dataclass
    class Tracked:
        tracks: int

    def track(labels: int, pixel_size_um: float = 1.0) -> None: ...

    module = SimpleNamespace(__all__=["track", "Tracked"], track=track, Tracked=Tracked)
    assert sorted(python_names(module)) == [
        "Tracked", "Tracked.tracks", "track", "track(labels)", "track(pixel_size_um)",
    ]  # fmt: skip


def test_a_name_is_dropped_only_with_an_old_name_in_the_page() -> None:
    before = as_text({"keys": ["given.id", "given.lineage.end", "track.x"], "paths": ["id"]})
    after = as_text({"keys": ["external.id"], "paths": ["id"]})
    assert dropped(before, after, []) == ["given.id", "given.lineage.end", "track.x"]
    assert dropped(before, after, ["given"]) == ["track.x"]
    assert dropped(before, after, ["given.id"]) == ["given.lineage.end", "track.x"]
    page = (
        "| `not` | this |\n\n| old name | new name |\n|---|---|\n| `given` | `external` |\n| `track.x` | `track.y` |\n"
    )
    assert old_names(page) == ["given", "track.x"]


def test_the_program_refuses_to_drop_a_name(tmp_path, monkeypatch, capsys) -> None:
    path = tmp_path / "names.txt"
    text = as_text({"keys of the configuration": ["segment.gone"]})
    path.write_text(text)
    monkeypatch.setattr(write_public_names, "LIST", path)
    assert write_public_names.main() == 1
    assert "would lose segment.gone; keep the old names" in capsys.readouterr().err
    assert path.read_text() == text


def is_known(key: str) -> bool:
    """Return whether the configuration has a key, whatever values it takes."""
    raw: dict = {}
    for part in reversed(key.split(".")):
        raw = {part: raw or None}
    try:
        load(raw)
    except UserError as error:
        return "unknown key" not in str(error)
    return True


def test_old_keys_of_the_page_are_still_known() -> None:
    assert is_known("segment.model")
    assert not is_known("segment.modle")
    old = [name for name in old_names(PAGE.read_text(encoding="utf-8")) if "." in name and "/" not in name]
    assert [name for name in old if not is_known(name)] == []
