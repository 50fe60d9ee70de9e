"""Files that a cell of the sheet names: what exists is taken literally first."""

import glob
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cineseq.errors import UserError
from cineseq.io.named_files import named_files
from cineseq.text import natural_order
from cineseq.workflow.sample_sheet import files_of, present

NAMES = st.text("ab1[]*?; é.", min_size=1, max_size=8).filter(
    lambda name: name == name.strip() and name not in (".", "..")
)


@given(name=NAMES, others=st.lists(NAMES, max_size=4))
def test_a_file_that_exists_is_that_file_whatever_its_name(
    name: str, others: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("names")
    for one in {name, *others}:
        (folder / one).touch()
    assert files_of(f"{folder}/{name}", "images") == [f"{folder}/{name}"]


@given(folder=NAMES, files=st.sets(st.integers(0, 30), min_size=1, max_size=5))
def test_a_folder_on_the_way_of_a_pattern_is_literal_if_it_exists(
    folder: str, files: set[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    inside = tmp_path_factory.mktemp("data [1]") / folder.replace(";", "_")
    inside.mkdir()
    for number in files:
        (inside / f"t{number}.tif").touch()
    assert files_of(f"{inside}/t*.tif", "images") == [f"{inside}/t{number}.tif" for number in sorted(files)]


@given(
    names=st.lists(st.text("ab1", min_size=1, max_size=3), min_size=1, max_size=6),
    pattern=st.sampled_from(["*", "a*", "?", "[ab]*"]),
)
def test_other_patterns_match_as_those_of_glob(
    names: list[str], pattern: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("plain")
    for name in names:
        (folder / f"d{name}").mkdir(exist_ok=True)
        (folder / f"d{name}" / name).touch()
    text = f"{folder}/d{pattern}/{pattern}"
    assert named_files(text)[0] == natural_order(glob.glob(text))  # noqa: PTH207 - compared with


def test_brackets_beside_a_name_that_the_pattern_matches(tmp_path: Path) -> None:
    for name in ("movie1.ome.tif", "movie[1].ome.tif"):
        (tmp_path / name).touch()
    assert files_of(f"{tmp_path}/movie[1].ome.tif", "images") == [f"{tmp_path}/movie[1].ome.tif"]
    (tmp_path / "movie[1].ome.tif").unlink()
    assert files_of(f"{tmp_path}/movie[1].ome.tif", "images") == [f"{tmp_path}/movie1.ome.tif"]


def test_two_stars_stand_for_any_number_of_folders_if_asked(tmp_path: Path) -> None:
    folder = tmp_path / "data [1]"
    for name in ("a.tif", "x/a.tif", "x/y/a.tif", "x/y/b.tif"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    found, _ = named_files(f"{folder}/**/a.tif", recursive=True)
    assert found == [f"{folder}/{name}" for name in ("a.tif", "x/a.tif", "x/y/a.tif")]
    assert named_files(f"{folder}/**/a.tif")[0] == [f"{folder}/x/a.tif"]


@pytest.mark.parametrize(("on_disk", "in_sheet"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_letters_composed_otherwise_are_the_same_name(on_disk: str, in_sheet: str, tmp_path: Path) -> None:
    folder = tmp_path / unicodedata.normalize(on_disk, "Zählung")
    folder.mkdir()
    file = folder / unicodedata.normalize(on_disk, "Übersicht.tif")
    file.touch()
    for name in ("Zählung/Übersicht.tif", "Zählung/Ü*.tif" if on_disk == in_sheet else "Zählung/*.tif"):
        assert files_of(unicodedata.normalize(in_sheet, f"{tmp_path}/{name}"), "images") == [str(file)]


def test_backslashes_are_answered_with_the_path_to_write(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "w.tif").touch()
    with pytest.raises(UserError) as raised:
        present(files_of(f"{tmp_path}\\raw\\w.tif", "sample a, field 1, images"), "sample a, field 1, images")
    advised = str(raised.value).split("'")[-2]
    assert "write the path with slashes, not backslashes" in str(raised.value)
    assert present(files_of(advised, "images"), "images") == [f"{tmp_path}/raw/w.tif"]


def test_a_pattern_without_a_match_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"images: no file matches '.*t\*\.tif'; check the path and the pattern"):
        files_of(f"{tmp_path}/t*.tif", "images")


def test_a_path_that_a_rule_may_make_is_unchanged() -> None:
    assert files_of("results/x/movie.tif; results/y.tif", "images") == ["results/x/movie.tif", "results/y.tif"]
