"""Plain tables: what separates their columns, and which row of the file each row is."""

import gzip
from pathlib import Path

import pandas as pd
import pytest
from tests.unit.pairing.pairing_examples import write

from cineseq.errors import UserError
from cineseq.io.delimited import read_plain


@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_rows_go_by_their_lines_in_the_file(tmp_path: Path, separator: str) -> None:
    text = "a,b\n1,2\n\n   \n3,4\n\n".replace(",", separator)
    table = read_plain(write(tmp_path / "t.csv", text))
    assert table.index.tolist() == [2, 5]
    assert table.to_numpy().tolist() == [[1, 2], [3, 4]]


def test_rows_of_packed_and_columnar_files(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "t.csv.gz", "wt") as stream:
        stream.write("a,b\n\n1,2\n")
    assert read_plain(tmp_path / "t.csv.gz").index.tolist() == [3]
    pd.DataFrame({"a": [1, 2]}, index=[7, 7]).to_parquet(tmp_path / "t.parquet")
    assert read_plain(tmp_path / "t.parquet").index.tolist() == [1, 2]


def test_a_line_break_in_a_value_shifts_no_name(tmp_path: Path) -> None:
    table = read_plain(write(tmp_path / "t.csv", 'a,b\n"1\n1",2\n3,4\n'))
    assert table.index.is_unique
    assert table["b"].tolist() == [2, 4]


def test_rows_that_end_with_a_separator_are_refused(tmp_path: Path) -> None:
    assert read_plain(write(tmp_path / "r.csv", "a,b\nx,1,2\ny,3,4\n"))["b"].tolist() == [2, 4]
    with pytest.raises(UserError, match=r"t\.csv: rows have more values than the header; name every column"):
        read_plain(write(tmp_path / "t.csv", "a,b\n1,2,\n4,5,\n"))


def test_text_stays_text(tmp_path: Path) -> None:
    table = read_plain(write(tmp_path / "t.csv", "\ufeffid,b\n01,2\n"), text=("id",))
    assert table["id"].tolist() == ["01"]
