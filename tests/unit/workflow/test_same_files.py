"""Rows that name the same data twice are refused; rows that only look alike are not."""

import resource
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.io.readers.ome_examples import movie_of, write_set

from cineseq.errors import UserError
from cineseq.workflow.same_files import BLOCK, ENDS, Named, check_repeats, same_content
from cineseq.workflow.sample_sheet import Entry


def entry(row: int, **columns: str) -> Entry:
    return Entry("a", str(row), row=row, **columns)


def refusal(entries: list[Entry]) -> str:
    with pytest.raises(UserError) as raised:
        check_repeats(Path("samples.tsv"), entries)
    return str(raised.value)


def test_one_file_by_several_names(tmp_path: Path) -> None:
    (tmp_path / "m.tif").write_bytes(b"1")
    (tmp_path / "link.tif").symlink_to("m.tif")
    for other in ("m.tif", "../" + tmp_path.name + "/m.tif", "link.tif", "m*.tif"):
        entries = [entry(2, images=f"{tmp_path}/m.tif"), entry(3, images=f"{tmp_path}/{other}")]
        assert refusal(entries).startswith(f"samples.tsv, row 3: images '{tmp_path}/")
        assert "those of row 2 are the same file" in refusal(entries)
        check_repeats(Path("samples.tsv"), entries[:1])  # as the message advises


def test_masks_of_whole_cells_belong_to_one_field(tmp_path: Path) -> None:
    for name in ("m1.tif", "m2.tif", "cells.tif"):
        (tmp_path / name).write_bytes(name.encode())
    rows = [entry(i + 1, images=f"{tmp_path}/m{i}.tif", cell_masks=f"{tmp_path}/cells.tif") for i in (1, 2)]
    assert refusal(rows) == (
        f"samples.tsv, row 3: cell_masks '{tmp_path}/cells.tif' and those of row 2 are the same file "
        f"'{tmp_path}/cells.tif', so function would be measured in the cells of another field; correct the path, or "
        "remove the row."
    )
    check_repeats(Path("samples.tsv"), rows[:1])


@pytest.mark.parametrize(("header", "refused"), [("frame,y_px,x_px", True), ("fov,frame,y_px,x_px", False)])
def test_one_table_of_points_serves_fields_that_it_names(header: str, refused: bool, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(f"{header}\n" + ",".join("1" for _ in header.split(",")) + "\n")
    rows = [entry(i, points=f"{tmp_path}/p.csv") for i in (2, 3)]
    if refused:
        assert "so the same cells would count twice" in refusal(rows)
    else:
        check_repeats(Path("samples.tsv"), rows)
        assert "p.csv" in refusal([rows[0], rows[0]])


def test_two_files_of_one_movie_are_one_movie_and_two_images_of_a_file_are_two(tmp_path: Path) -> None:
    split = write_set(tmp_path, [movie_of(0, 3, 2)], lambda _p, t, _c: f"T{t}.ome.tif")
    rows = [entry(2, images=str(split[0])), entry(3, images=str(split[2]))]
    assert "those of row 2 are the same file" in refusal(rows)
    positions = write_set(tmp_path, [movie_of(p, 3, 2) for p in (1, 2)], lambda p, _t, _c: f"s{p}.ome.tif")
    check_repeats(Path("samples.tsv"), [entry(2 + i, images=str(file)) for i, file in enumerate(positions)])
    (joined,) = write_set(tmp_path, [movie_of(p, 3, 2) for p in (1, 2)], lambda *_: "all.ome.tif")
    check_repeats(Path("samples.tsv"), [entry(2 + i, images=str(joined), series=str(i)) for i in range(2)])
    assert "the same file" in refusal([entry(2 + i, images=str(joined), series="1") for i in range(2)])


def test_a_row_that_names_a_file_twice(tmp_path: Path) -> None:
    (tmp_path / "t1.tif").write_bytes(b"1")
    assert "row 2: images names the file" in refusal([entry(2, images=f"{tmp_path}/t1.tif;{tmp_path}/t*.tif")])


def test_more_files_of_one_size_than_a_process_may_open(tmp_path: Path) -> None:
    named = []
    for row in range(200):
        path = tmp_path / f"{row}.tif"
        path.write_bytes(row.to_bytes(2, "big"))
        named.append(Named(row, "", (str(path),)))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, limits[1]))
    try:
        assert same_content(named) == []
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@given(data=st.data(), size=st.integers(1, 3 * ENDS), fields=st.integers(2, 5))
def test_copies_are_found_and_a_single_byte_tells_files_apart(
    data: st.DataObject, size: int, fields: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("copies")
    content = np.random.default_rng(size).bytes(size)
    entries = []
    for field in range(fields):
        at = (size // fields) * field
        changed = bytes([content[at] ^ (field + 1)]) if field else content[at : at + 1]
        (folder / f"{field}.tif").write_bytes(content[:at] + changed + content[at + 1 :])
        entries.append(entry(field + 2, images=f"{folder}/{field}.tif"))
    check_repeats(Path("samples.tsv"), entries)
    copied = data.draw(st.integers(0, fields - 1))
    (folder / "copy.tif").write_bytes((folder / f"{copied}.tif").read_bytes())
    message = refusal([*entries, entry(99, images=f"{folder}/copy.tif")])
    assert f"row 99: images '{folder}/copy.tif' and those of row {copied + 2} are copies of one file" in message


def test_files_that_differ_only_in_the_middle_are_not_copies(tmp_path: Path) -> None:
    content = bytearray(2 * BLOCK)
    (tmp_path / "a").write_bytes(content)
    content[BLOCK] = 1
    (tmp_path / "b").write_bytes(content)
    rows = [Named(i, "", (str(tmp_path / name),)) for i, name in enumerate("ab")]
    assert same_content(rows) == []


def test_the_content_of_a_field_counts_and_not_that_of_a_frame(tmp_path: Path) -> None:
    for name, content in {"a1": b"1", "a2": b"2", "b1": b"1", "b2": b"3"}.items():
        (tmp_path / name).write_bytes(content)
    entries = [entry(2, images=f"{tmp_path}/a*"), entry(3, images=f"{tmp_path}/b*")]
    check_repeats(Path("samples.tsv"), entries)
    (tmp_path / "b2").write_bytes(b"2")
    assert "are copies of one file" in refusal(entries)


def test_folders_are_compared_by_what_is_in_them(tmp_path: Path) -> None:
    for folder in "ab":
        (tmp_path / folder / "0").mkdir(parents=True)
        (tmp_path / folder / "0" / "chunk").write_bytes(b"1")
    entries = [entry(2, images=f"{tmp_path}/a"), entry(3, images=f"{tmp_path}/b")]
    assert "are copies of one file" in refusal(entries)
    (tmp_path / "b" / "0" / "chunk").rename(tmp_path / "b" / "0" / "other")
    check_repeats(Path("samples.tsv"), entries)


def test_fields_without_a_cell_may_be_alike(tmp_path: Path) -> None:
    for name in "ab":
        tifffile.imwrite(tmp_path / f"{name}.tif", np.zeros((2, 8, 8), np.uint8))
        (tmp_path / f"{name}.csv").write_text("frame,label,track\n")
    rows = [entry(i, masks=f"{tmp_path}/{n}.tif", tracks=f"{tmp_path}/{n}.csv") for i, n in enumerate("ab", start=2)]
    check_repeats(Path("samples.tsv"), rows)
    for name in "ab":
        tifffile.imwrite(tmp_path / f"{name}.tif", np.ones((2, 8, 8), np.uint8))
    assert "row 3: masks" in refusal(rows)


def test_files_of_later_rules_and_other_parts_of_a_file_are_passed_over(tmp_path: Path) -> None:
    check_repeats(Path("samples.tsv"), [entry(2, images="results/a.tif"), entry(3, images="results/b.tif")])
    (tmp_path / "m.tif").write_bytes(b"1")
    file = (str(tmp_path / "m.tif"),)
    assert same_content([Named(2, "s1", file), Named(3, "s2", file)]) == []


def test_samples_may_not_share_their_cells(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("cell\n1\n")
    rows = [Entry(sample, cells=f"{tmp_path}/c.csv", row=row) for row, sample in ((2, "a"), (3, "b"))]
    assert "row 3: cells" in refusal(rows)
    same_sample = [Entry("a", fov, cells=f"{tmp_path}/c.csv", row=row) for row, fov in ((2, "1"), (3, "2"))]
    check_repeats(Path("samples.tsv"), same_sample)


def test_copies_of_tables_of_cells_are_refused_and_of_tracks_warned_of(tmp_path: Path, caplog) -> None:
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text("frame,track,y,x\n0,1,2,3\n")
    rows = [Entry(name, "1", row=n, tracks=f"{tmp_path}/{name}.csv") for n, name in enumerate("ab", 2)]
    check_repeats(Path("samples.tsv"), rows)
    assert "row 3: tracks" in caplog.text
    assert "copies of one file" in caplog.text
    cells = [Entry(name, "1", row=n, cells=f"{tmp_path}/{name}.csv") for n, name in enumerate("ab", 2)]
    assert "row 3: cells" in refusal(cells)
