"""The sample sheet: what it may say, and one sentence for everything that it may not."""

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from cineseq.errors import UserError
from cineseq.workflow.sample_sheet import (
    COLUMNS,
    Entry,
    _edits,
    files_of,
    first_of_samples,
    near_column,
    present,
    read_sheet,
    rows_left_out,
)

ROOT = Path(__file__).resolve().parents[3]


def sheet(folder: Path, *lines: str) -> Path:
    """Write a sheet of which spaces stand for tabs."""
    path = folder / "samples.tsv"
    path.write_text("".join(line.replace(" ", "\t") + "\n" for line in lines))
    return path


def test_a_sheet_with_placeholders_and_defaults(tmp_path: Path) -> None:
    path = sheet(
        tmp_path,
        "sample fov frame_step images masks",
        "a f1 2 {data}/{sample}_{fov}.tif {data}/{run}/*.tif",
        "b f1  {data}/x.tif ",
    )
    assert read_sheet(path, data="/d", run="r") == [
        Entry("a", "f1", frame_step=2, images="/d/a_f1.tif", masks="/d/r/*.tif"),
        Entry("b", "f1", images="/d/x.tif"),
    ]
    assert [e.row for e in read_sheet(path, data="/d", run="r")] == [2, 3]


def test_commas_comments_quotes_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "samples.csv"
    path.write_text('\ufeff# Ours.\nsample,condition,images\n# second\n\na,"low, then high",a.tif\n', "utf-8")
    assert read_sheet(path) == [Entry("a", condition="low, then high", images="a.tif")]
    assert read_sheet(path)[0].row == 5


@pytest.mark.parametrize("separator", ["\t", ",", ";"])
def test_columns_of_the_users_own_are_metadata(separator: str, tmp_path: Path) -> None:
    rows = [["sample", "fov", "donor", "cell line", "images", ""], ["a", "1", "d1", "HeLa", "x.tif", ""]]
    rows += [["a", "2", "", "HeLa, late", "y.tif", ""]]
    lines = [separator.join(f'"{value}"' if separator in value else value for value in row) for row in rows]
    (tmp_path / "samples.csv").write_text("\n".join(lines) + "\n")
    first, second = read_sheet(tmp_path / "samples.csv")
    assert first.metadata == (("donor", "d1"), ("cell line", "HeLa"))
    assert second.metadata == (("cell line", "HeLa, late"),)
    assert first.identity.metadata == first.metadata
    assert (first.images, second.images) == ("x.tif", "y.tif")


def test_a_header_separated_by_spaces_is_refused(tmp_path: Path) -> None:
    (tmp_path / "samples.tsv").write_text("sample fov images\na 1 x.tif\n")
    with pytest.raises(UserError, match="the header holds 'sample fov images'; separate all columns by tabs"):
        read_sheet(tmp_path / "samples.tsv")


LETTERS = "abcdefghijklmnopqrstuvwxyz_"


@st.composite
def misspellings(draw: st.DrawFn) -> tuple[str, str]:
    """Draw a known column and the same with one letter (in long names two) changed, added, left out or swapped."""
    known = draw(st.sampled_from(COLUMNS))
    name = known
    for _ in range(draw(st.integers(1, 1 if len(known) <= 5 else 2))):
        at, letter = draw(st.integers(0, len(name) - 1)), draw(st.sampled_from(LETTERS))
        rest = name[at + 1 :]
        kinds = [name[:at] + letter + rest, name[:at] + letter + name[at:], name[:at] + rest]
        name = draw(st.sampled_from([*kinds, name[:at] + rest[:1] + name[at] + rest[1:]]))
    return known, draw(st.sampled_from([name, name.upper(), name.title(), name.replace("_", "-")]))


@given(drawn=misspellings())
def test_a_misspelt_column_is_refused_with_the_name_it_is_like(drawn: tuple[str, str]) -> None:
    known, name = drawn
    plain = name.lower().replace("-", "_")
    assume(_edits(plain, known) <= (1 if len(known) <= 5 else 2))  # a swap after another change counts more
    near = near_column(name)
    assert near is not None
    assert _edits(plain, near) <= _edits(plain, known)


@pytest.mark.parametrize("name", ["donor", "dose", "notes", "drug", "plate", "batch", "date", "well", "day", "time_h"])
def test_usual_names_of_metadata_are_like_no_column(name: str) -> None:
    assert near_column(name) is None


@given(
    name=st.text(LETTERS, min_size=3, max_size=12).filter(lambda name: near_column(name) is None),
    value=st.from_regex(r"[A-Za-z0-9.+-][A-Za-z0-9 .+-]{0,8}[A-Za-z0-9]", fullmatch=True),
)
def test_any_other_column_is_read_as_written(name: str, value: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("sheets") / "samples.tsv"
    path.write_text(f"sample\timages\t{name}\na\tx.tif\t{value}\n")
    assert read_sheet(path)[0].metadata == ((name, value),)


def test_the_advice_on_a_misspelt_column_works(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'cells'"):
        read_sheet(sheet(tmp_path, "sample images cell", "a x.tif HeLa"))
    renamed = read_sheet(sheet(tmp_path, "sample images cell_line", "a x.tif HeLa"))
    assert renamed[0].metadata == (("cell_line", "HeLa"),)


def test_a_row_that_does_not_say_takes_the_frame_step_of_the_configuration(tmp_path: Path) -> None:
    path = sheet(tmp_path, "sample fov frame_step images", "a 1 1 x.tif", "a 2  y.tif")
    assert [entry.frame_step for entry in read_sheet(path, 3)] == [1, 3]


def test_identity_is_what_steps_are_told() -> None:
    told = Entry("a", "f1", "control", "2", 3, images="a.tif").identity
    assert told.model_dump() == {
        "sample": "a",
        "fov": "f1",
        "condition": "control",
        "replicate": "2",
        "frame_step": 3,
        "metadata": (),
        "series": "",
    }


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (
            ["sample fov images", "a 1 x.tif", "b 1 x.tif", "a 1 y.tif"],
            "row 4: sample 'a' with field '1' is listed twice (first in row 2); give each row a fov of its own.",
        ),
        (["sample image", "a x.tif"], "unknown column 'image'; did you mean 'images'?"),
        (["sample movie", "a x.tif"], "sample 'a' gives nothing ('movie' is taken as metadata); expected images,"),
        (["sample donor Imgaes", "a d1 x.tif"], "unknown column 'Imgaes'; did you mean 'images'? A column of your own"),
        (["sample fov;images", "a 1;x.tif"], "the header holds 'fov;images'; separate all columns by tabs, or all by"),
        (["sample images  donor", "a x.tif d1 d2"], "column 3 has values but no name; give it a name in the header."),
        (["fov images", "1 x.tif"], "the column 'sample' is missing from the header."),
        (["sample images images", "a x.tif y.tif"], "the header names the column 'images' twice;"),
        (["sample images"], "no rows; list at least one sample."),
        (["sample images", "a/b x.tif"], "row 2: sample 'a/b' should be made of letters, digits, dot, dash and"),
        (["sample images", " x.tif"], "row 2: sample '' should be made of letters"),
        (["sample fov images", "a ../up x.tif"], "row 2: fov '../up' should be made of letters"),
        (["sample frame_step images", "a 0 x.tif"], "row 2: frame_step '0' should be a whole number of at least 1."),
        (["sample frame_step images", "a 1.5 x.tif"], "row 2: frame_step '1.5' should be a whole number"),
        (["sample frame_step images", "a ² x.tif"], "row 2: frame_step '²' should be a whole number"),
        (
            ["sample images", "a {folder}/x.tif"],
            "row 2: images '{folder}/x.tif' has an unknown placeholder; the known ones are {data}, {sample}, {fov}.",
        ),
        (["sample images", "a {data.name}/x.tif"], "row 2: images '{data.name}/x.tif' has an unknown placeholder"),
        (["sample images", "a {}/x.tif"], "row 2: images '{}/x.tif' has an unknown placeholder"),
        (["sample images", "a {data/x.tif"], "row 2: images '{data/x.tif' has an unknown placeholder"),
        (["sample images", "a x.tif y.tif"], "row 2: expected as many values as the header has columns"),
        (["sample images masks", "a x.tif"], "row 2: expected as many values as the header has columns"),
        (["sample images", 'a "x.tif'], "row 2: not readable (unexpected end of data); check quotes, tabs"),
        (["sample condition", "a control"], "row 2: sample 'a' gives nothing; expected images, masks, points or"),
        (["sample images cells", "a x.tif c.csv"], "row 2: sample 'a' gives cells and images; expected"),
        (
            ["sample masks lineage", "a m.tif ", "b  l.csv"],
            "rows start from images and lineage; put them into separate sheets and runs.",
        ),
        (
            ["sample cells edits", "a c.csv e.csv"],
            "row 2: edits require images, masks or points; add those that they correct.",
        ),
        (
            ["sample masks cell_masks", "a m.tif c.tif"],
            "row 2: cell_masks are the cells in which function is measured on images; add the images, or leave "
            "cell_masks out.",
        ),
        (
            ["sample cells features", "a c.csv f.csv"],
            "row 2: features require images, masks, points or tracks; without them, put features into columns "
            "features_* of the table of cells.",
        ),
        (
            ["sample points masks", "a p.csv m.tif"],
            "row 2: points and masks are both listed, which are two statements of the same cells; leave the points out "
            "to use the cells by their masks, or leave masks out to track the points.",
        ),
        (["sample points tracks", "a p.csv t.csv"], "row 2: points and tracks are both listed"),
        (["sample images points cell_masks", "a x.tif p.csv c.tif"], "row 2: points and cell_masks are both listed"),
        (["sample points cells", "a p.csv c.csv"], "row 2: sample 'a' gives cells and images; expected"),
        (["sample images tracks", "a x.tif t.csv"], "row 2: images and tracks are listed without masks; add"),
        (
            ["sample fov condition images", "a 1 low x.tif", "a 2 high y.tif"],
            "row 3: condition of sample 'a' differs from row 2 ('high' against 'low'); a sample has one condition.",
        ),
        (
            ["sample fov images counts", "a 1 x.tif c.h5ad", "a 2 y.tif d.h5ad"],
            "row 3: counts of sample 'a' differs from row 2 ('d.h5ad' against 'c.h5ad'); a sample has one counts.",
        ),
    ],
)
def test_what_a_sheet_must_not_say(lines: list[str], complaint: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as raised:
        read_sheet(sheet(tmp_path, *lines), data="/d")
    assert complaint in str(raised.value)
    assert str(raised.value).startswith(str(tmp_path / "samples.tsv"))
    assert "\n" not in str(raised.value)


def test_braces_in_the_name_of_a_file_that_is_there_are_refused_and_a_link_is_read(tmp_path: Path) -> None:
    (tmp_path / "exp{F2B6}_a.tif").touch()
    path = sheet(tmp_path, "sample images", "a {data}/exp{F2B6}_{sample}.tif", "b {data}/exp*.tif")
    for entry in read_sheet(path, data=str(tmp_path)):
        with pytest.raises(UserError, match=r"exp\{F2B6\}_a\.tif' holds braces, .* a symbolic link to it"):
            files_of(entry.images, "images")
    (tmp_path / "link.tif").symlink_to("exp{F2B6}_a.tif")
    assert files_of(f"{tmp_path}/link.tif", "images") == [f"{tmp_path}/link.tif"]


def test_rows_are_counted_as_an_editor_does(tmp_path: Path) -> None:
    path = sheet(tmp_path, "# Ours", "sample images", "", "a x.tif", "# b next", "b {nowhere}")
    with pytest.raises(UserError, match="row 6: images"):
        read_sheet(path)


def test_a_sheet_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"samples: there is no sheet '.*none\.tsv'; give the path of a tab-separated"):
        read_sheet(tmp_path / "none.tsv")


def test_a_relative_path_is_looked_for_where_snakemake_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=rf"there is no sheet 'none\.tsv' in {tmp_path}; give the path"):
        read_sheet(Path("none.tsv"))
    with pytest.raises(UserError, match=rf"there is no file 'x\.tif' in {tmp_path}; check the path"):
        present(["x.tif"], "sample s, images")
    with pytest.raises(UserError, match=r"there is no file '/nowhere/x\.tif'; check the path"):
        present(["/nowhere/x.tif"], "sample s, images")


def test_a_spreadsheet_is_no_sheet(tmp_path: Path) -> None:
    (tmp_path / "samples.xlsx").write_bytes(b"PK\x03\x04\xff\xfe\x00")
    with pytest.raises(UserError, match=r"samples\.xlsx: this is a zip file or an Excel workbook, not a table as text"):
        read_sheet(tmp_path / "samples.xlsx")


def test_an_empty_file_is_no_sheet(tmp_path: Path) -> None:
    (tmp_path / "samples.tsv").touch()
    with pytest.raises(UserError, match="the column 'sample' is missing from the header"):
        read_sheet(tmp_path / "samples.tsv")


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,6}", fullmatch=True)
PATHS = st.text("abc/._-*", min_size=1, max_size=10)


@given(rows=st.dictionaries(st.tuples(NAMES, NAMES), st.tuples(PATHS, st.integers(1, 9)), min_size=1, max_size=6))
def test_a_sheet_says_what_was_written_into_it(rows: dict, tmp_path_factory: pytest.TempPathFactory) -> None:
    entries = [Entry(s, f, frame_step=step, images=images) for (s, f), (images, step) in rows.items()]
    lines = ["sample fov frame_step images", *(f"{e.sample} {e.fov} {e.frame_step} {e.images}" for e in entries)]
    assert read_sheet(sheet(tmp_path_factory.mktemp("sheets"), *lines)) == entries
    assert [e.sample for e in first_of_samples(entries)] == list(dict.fromkeys(e.sample for e in entries))


def test_files_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("t10.tif", "t2.tif", "t1.tif", "other.csv"):
        (tmp_path / name).touch()
    found = files_of(f"{tmp_path}/t*.tif; made/later.tif ;", "images")
    assert found == [f"{tmp_path}/t1.tif", f"{tmp_path}/t2.tif", f"{tmp_path}/t10.tif", "made/later.tif"]
    assert files_of("", "images") == []


def test_a_pattern_that_matches_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError) as raised:
        files_of(f"{tmp_path}/*.tif", "sample a, images")
    assert str(raised.value) == f"sample a, images: no file matches '{tmp_path}/*.tif'; check the path and the pattern."


@pytest.mark.parametrize("path", sorted((ROOT / "config").rglob("*.tsv")), ids=lambda p: p.name)
def test_every_shipped_sheet_is_readable(path: Path) -> None:
    assert all(set(vars(e)) == {*COLUMNS, "metadata", "row"} for e in read_sheet(path, data="/d", run="r"))


def images(folder: Path, path: str) -> str:
    (folder / "s.tsv").write_text(f"sample\timages\nA\t{path}\n")
    return read_sheet(folder / "s.tsv", data="D", run="R")[0].images


def test_placeholders_and_doubled_braces(tmp_path: Path) -> None:
    assert images(tmp_path, "{data}/{run}/{sample}_{fov}_{{x}}.tif") == "D/R/A_1_{x}.tif"


@pytest.mark.parametrize("text", ["{data:>999999999}", "{data!r}", "{data.__class__}", "{data[0]}", "{}", "{0}", "{da"])
def test_nothing_but_a_name_is_a_placeholder(text: str, tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(UserError, match=r"has an unknown placeholder; the known ones are \{data\}, \{run\}"):
        images(tmp_path, f"a/{text}.tif")
    assert time.monotonic() - began < 5


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_characters='{}\t\n\r"#\0', categories=["L", "N", "P"]), min_size=1))
def test_text_without_braces_stays(tmp_path: Path, text: str) -> None:
    assert images(tmp_path, f"a{text}") == f"a{text}"


def test_names_are_bounded_in_length(tmp_path: Path) -> None:
    (tmp_path / "s.tsv").write_text(f"sample\timages\n{'a' * 101}\tx.tif\n")
    with pytest.raises(UserError, match=r"row 2: sample 'a+' should be made of .*, at most 100\."):
        read_sheet(tmp_path / "s.tsv")
    (tmp_path / "s.tsv").write_text(f"sample\timages\n{'a' * 100}\tx.tif\n")
    assert read_sheet(tmp_path / "s.tsv")[0].sample == "a" * 100


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("sample,images,dose\na,x.tif,5\n,,\n,,\n", "utf-8"),
        ("sample\timages\tdose\t\na\tx.tif\t5\t\n\t\t\t\n", "utf-8"),
        ("sample\timages\tdose\r\na\tx.tif\t5\r\n", "utf-16"),
        ("sep=;\r\nsample;images;dose\r\na;x.tif;5\r\n", "utf-8-sig"),
    ],
)
def test_sheets_as_spreadsheets_write_them(tmp_path: Path, text: str, encoding: str) -> None:
    path = tmp_path / "sheet.csv"
    path.write_bytes(text.encode(encoding))
    (entry,) = read_sheet(path)
    assert (entry.sample, entry.images, entry.metadata) == ("a", "x.tif", (("dose", "5"),))


def test_a_header_with_semicolons_may_hold_a_comma(tmp_path: Path) -> None:
    path = tmp_path / "sheet.csv"
    path.write_text("sample;images;dose, uM\na;x.tif;0,5\n")
    (entry,) = read_sheet(path)
    assert entry.metadata == (("dose, uM", "0,5"),)


@given(
    rows=st.lists(st.tuples(st.sampled_from(["", "#", "# ", "##"]), st.booleans()), min_size=1, max_size=8),
    separator=st.sampled_from("\t,;"),
    marked=st.booleans(),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    stated=st.booleans(),
)
def test_rows_behind_a_number_sign_are_left_out_and_counted(  # noqa: PLR0917
    rows: list[tuple[str, bool]],
    separator: str,
    marked: bool,
    encoding: str,
    stated: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("sheets") / "samples.csv"
    lines = [f"sep={separator}"] * stated
    lines.append("#" * marked + separator.join(["sample", "fov", "images"]))
    listed, hidden = [], []
    for number, (sign, full) in enumerate([("", True), *rows], start=len(lines) + 1):
        lines.append(sign + separator.join(["a", str(number), f"{number}.tif"]) if full else "# a remark")
        if full:
            (hidden if sign else listed).append(number)
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    assert [(entry.row, entry.fov, entry.images) for entry in read_sheet(path)] == [
        (number, str(number), f"{number}.tif") for number in listed
    ]
    assert rows_left_out(path) == hidden


def test_a_header_behind_a_number_sign_is_one_only_where_there_is_no_other(tmp_path: Path) -> None:
    path = tmp_path / "samples.tsv"
    path.write_text("#sample\tfov\timages\nsample\timages\na\tx.tif\n")
    assert read_sheet(path) == [Entry("a", images="x.tif")]


def test_one_group_in_two_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'group_donor' and 'donor' would both be the group 'donor'; rename one"):
        read_sheet(sheet(tmp_path, "sample group_donor donor images", "a x y a.tif"))
    assert read_sheet(sheet(tmp_path, "sample group_donor giver images", "a x y a.tif"))[0].metadata == (
        ("group_donor", "x"),
        ("giver", "y"),
    )
