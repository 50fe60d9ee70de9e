"""Plain tables: what separates their columns, which row of the file each row is, and what is no whole table."""

import gzip
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.pairing.pairing_examples import write

from cineseq.errors import UserError
from cineseq.io.delimited import read_plain


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_rows_go_by_their_lines_in_the_file(tmp_path: Path, separator: str) -> None:
    text = "a,b\n1,2\n\n   \n3,4\n\n".replace(",", separator)
    table = read_plain(write(tmp_path / "t.csv", text))
    assert table.index.tolist() == [2, 5]
    assert table.to_numpy().tolist() == [["1", "2"], ["3", "4"]]


def test_rows_of_packed_and_columnar_files(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "t.csv.gz", "wt") as stream:
        stream.write("a,b\n\n1,2")
    assert read_plain(tmp_path / "t.csv.gz").index.tolist() == [3]
    (tmp_path / "packed.csv").write_bytes((tmp_path / "t.csv.gz").read_bytes())
    assert read_plain(tmp_path / "packed.csv")["b"].tolist() == ["2"]
    pd.DataFrame({"a": [1, 2]}, index=[7, 7]).to_parquet(tmp_path / "t.parquet")
    assert read_plain(tmp_path / "t.parquet").index.tolist() == [1, 2]


def test_a_line_break_in_a_value_shifts_no_name(tmp_path: Path) -> None:
    table = read_plain(write(tmp_path / "t.csv", 'a,b\n"1\n1",2\n3,4\n'))
    assert table.index.tolist() == [2, 4]
    assert table["b"].tolist() == ["2", "4"]


def test_row_names_of_r_have_no_header(tmp_path: Path) -> None:
    table = read_plain(write(tmp_path / "r.csv", "a,b\nx,1,2\ny,3,4\n"))
    assert table.to_dict("list") == {"Unnamed: 0": ["x", "y"], "a": ["1", "3"], "b": ["2", "4"]}


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffid,b\n01,None\n",
        "id, b\n01, None \n",
        "# made by X, 2020; v1\nid,b\n01,None\n",
        "# id,b\n01,None\n",
        "sep=;\nid;b\n01;None\n",
        "id,b,\n01,None,\n",
        "id,b\r\n01,None\r\n",
        "id,b\r01,None\r",
        "id,b\n01,None\u00a0\n,\n",
        '"id","b"\n"01","None"',
        "id\tb, or c\n01\tNone\n".replace("b, or c", "b"),
    ],
)
def test_ways_of_writing_one_table(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8", newline="")
    assert read_plain(path).to_dict("list") == {"id": ["01"], "b": ["None"]}
    path.write_text(text.lstrip("\ufeff"), encoding="utf-16", newline="")
    assert read_plain(path).to_dict("list") == {"id": ["01"], "b": ["None"]}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2,\n4,5,\n", "rows have more values than the header; name every column"),
        ("a,b,c\n1,2\n3,4\n", "row 2: 2 values, fewer than the 3 columns of the header"),
        ("a,b\n1,2,3,4\n", "row 2: 4 values, more than the 2 columns of the header"),
        ("a,b\n1,2\n3\n", "row 3: 1 value, but 2 in row 2"),
        ("a,b\n1,2\n3,4,5\n", "row 3: 3 values, but 2 in row 2"),
        ("a,b\n1,2\n3,\x004\n", "row 3: there is a NUL character"),
        ("a,b\n1,2\n3,12", "row 3: the last line has no end, so its last value '12' may be cut"),
        ("a,a\n1,2\n", "the header names the column 'a' twice"),
        ('a,b\n"1,2\n3,4\n', "row 2: a quoted value does not end"),
        ("a,b\n,\n", "the table has no rows"),
        ("", "not a readable table .it is empty."),
    ],
)
def test_what_is_no_whole_table_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UserError, match=rf"t\.csv.*{words}"):
        read_plain(write(tmp_path / "t.csv", text))


@pytest.mark.parametrize("data", [b"PK\x03\x04" + bytes(90), b"\xd0\xcf\x11\xe0" + bytes(90), b"a,\xb5m\n1,2\n"])
def test_other_kinds_of_files_are_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "t.csv").write_bytes(data)
    with pytest.raises(UserError, match=r"t\.csv: .*(workbook|text in UTF-8)"):
        read_plain(tmp_path / "t.csv")


def test_advice_on_a_last_line_without_end(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "a,b\n1,2\n3,12")
    with pytest.raises(UserError, match="add a line break at the end of the file"):
        read_plain(path)
    path.write_text(path.read_text() + "\n")
    assert read_plain(path)["b"].tolist() == ["2", "12"]


@pytest.mark.parametrize("last", ["drug", '"y"', "2020-02-03"])
def test_a_last_value_that_is_complete_needs_no_end(tmp_path: Path, last: str) -> None:
    other = "drug" if last == "drug" else "2020-01-01"
    rows = "".join(f"{k},{other}\n" for k in range(3))
    assert len(read_plain(write(tmp_path / "t.csv", f"a,b\n{rows}3,{last}"))) == 4


# ---- any table comes back as written, or is refused where it is cut

TEXT = st.text("abz019.,;\té\"'#-+ \n", max_size=5).map(str.strip)
ROWS = st.lists(st.tuples(st.integers(0, 999).map("{:03d}".format), TEXT, TEXT), min_size=1, max_size=6)


@given(rows=ROWS, separator=st.sampled_from(",;\t"))
@settings(deadline=None)
def test_any_table_comes_back_as_text(folder: Path, rows: list[tuple[str, str, str]], separator: str) -> None:
    path = folder / "any.csv"
    written = pd.DataFrame(rows, columns=["id", "x", "y"])
    written.to_csv(path, sep=separator, index=False, quoting=1)
    assert read_plain(path).fillna("").to_numpy().tolist() == [list(row) for row in rows]


LENGTHS = st.lists(st.text("abcxyz", min_size=2, max_size=9), min_size=2, max_size=8, unique_by=len)


@given(names=LENGTHS, share=st.floats(0, 1))
@settings(deadline=None)
def test_a_table_that_is_cut_is_refused_or_ends_on_a_whole_row(folder: Path, names: list[str], share: float) -> None:
    path = folder / "cut.csv"
    text = "id,x,y\n" + "".join(f"{k},{1.5 * k},{name}\n" for k, name in enumerate(names))
    path.write_text(text[: int(share * len(text))])
    try:
        table = read_plain(path)
    except UserError:
        return
    assert table["y"].tolist() == names[: len(table)]
