"""Text files in the encodings and with the separators of spreadsheets."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cineseq.errors import UserError
from cineseq.io.text_files import opened, separator_of, stated_separator


@given(
    text=st.text(st.characters(codec="utf-8", exclude_characters="\r\ufeff\ufffe"), min_size=1),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    packed=st.booleans(),
)
def test_text_is_read_in_any_encoding_packed_or_not(
    text: str,
    encoding: str,
    packed: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("texts") / "table.csv"
    written = f"a{text}".encode(encoding)
    path.write_bytes(gzip.compress(written) if packed else written)
    with opened(path, newline="") as stream:
        assert stream.read() == f"a{text}"


@pytest.mark.parametrize(
    ("start", "kind"), [(b"PK\x03\x04..", "a zip file or an Excel workbook"), (b"PAR1....", "parquet")]
)
def test_files_that_are_no_text_are_named(start: bytes, kind: str, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(start)
    with pytest.raises(UserError, match=rf"table\.csv: this is {kind}, not a table as text"):
        opened(tmp_path / "table.csv")


@pytest.mark.parametrize("line", ["sep=;\n", "SEP=;\r\n", "\ufeffsep=;", "sep=;"])
def test_a_stated_separator(line: str) -> None:
    assert stated_separator(line) == ";"


@pytest.mark.parametrize("line", ["sep;a\n", "sepal=;\n", "sep=;;x\n", "a;sep=;\n", ""])
def test_other_first_lines_state_none(line: str) -> None:
    assert stated_separator(line) == ""


@pytest.mark.parametrize(
    ("header", "separator"),
    [
        ("a\tb", "\t"),
        ("a,b", ","),
        ("a;b", ";"),
        ('"a, b, c";d;e', ";"),
        ("a", "\t"),
        ('"a b" "c"\n', " "),
        ('"a" b', "\t"),
        ('"x\ty"\ta,b', "\t"),
    ],
)
def test_the_separator_is_that_of_the_header(header: str, separator: str) -> None:
    assert separator_of(header) == separator
