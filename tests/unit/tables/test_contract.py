"""Contracts of tables: what is refused, what is written, and that it comes back as it was."""

import csv
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cineseq.errors import UserError
from cineseq.report.dictionary import every_table
from cineseq.tables.contract import Column, Table, contract_named, empty, read_table, write_table
from cineseq.tables.imaging import TRACKS
from cineseq.workflow.products import PRODUCTS

MICE = Table(
    "mice",
    "One row per mouse",
    ("name",),
    (
        Column("name", "text", "Name"),
        Column("litter", "integer", "Litter", missing=True, low=1),
        Column("weight_g", "number", "Weight", "g", missing=True, low=0, high=100),
        Column("alive", "truth", "Alive", missing=True),
        Column("coat", "text", "Coat", values=("agouti", "black")),
        Column("group_*", "text", "Groups", missing=True),
        Column("note", "text", "Note", missing=True, optional=True),
    ),
)


def mice(**columns: list) -> pd.DataFrame:
    """Return two mice, with some columns replaced."""
    frame = {"name": ["a", "b"], "litter": [1, None], "weight_g": [20.5, np.nan], "alive": [True, None]}
    return pd.DataFrame({**frame, "coat": ["black", "agouti"], **columns})


def test_check_gives_the_declared_types_and_order() -> None:
    frame = mice(group_cage=["1", None]).iloc[:, ::-1]
    checked = MICE.check(frame)
    assert {name: str(kind) for name, kind in checked.dtypes.items()} == {
        "name": "string",
        "litter": "Int64",
        "weight_g": "float64",
        "alive": "boolean",
        "coat": "string",
        "group_cage": "string",
    }


@pytest.mark.parametrize(
    ("frame", "complaint"),
    [
        (mice().drop(columns=["coat", "alive"]), r"table 'mice' lacks the columns \['alive', 'coat'\]"),
        (mice(tail=[1, 2]), "table 'mice' has an undeclared column 'tail'"),
        (mice(name=["a", "a"]), "table 'mice' has 1 repeated key, the first {'name': 'a'}"),
        (mice(name=["a", None]), "column 'name' has 1 wrong value, the first in row 1: None"),
        (mice(litter=[0, 1]), "column 'litter' has 1 wrong value, the first in row 0: 0"),
        (mice(litter=[1.5, 1]), "column 'litter' should hold a whole number of at least 1"),
        (mice(weight_g=["heavy", 1]), "column 'weight_g' should hold a number"),
        (mice(weight_g=[101.0, 1]), "column 'weight_g' has 1 wrong value, the first in row 0: 101.0"),
        (mice(weight_g=[1, np.inf]), "column 'weight_g' has 1 wrong value, the first in row 1: inf"),
        (mice(alive=["yes", None]), "column 'alive' should hold true or false"),
        (mice(coat=["pink", "black"]), "column 'coat' has 1 wrong value, the first in row 0: 'pink'; expected one of "),
    ],
)
def test_check_refuses(frame: pd.DataFrame, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        MICE.check(frame)


def test_rows_that_share_a_name_are_no_trouble() -> None:
    frame = mice(coat=["black", "pink"]).set_axis([7, 7])
    with pytest.raises(ValueError, match="the first in row 7: 'pink'"):
        MICE.check(frame)
    assert MICE.check(mice().set_axis([7, 7])).index.tolist() == [0, 1]


def test_check_says_where() -> None:
    with pytest.raises(ValueError, match=r"^mice\.tsv: table 'mice' lacks"):
        MICE.check(mice().drop(columns="coat"), "mice.tsv")


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)
NUMBERS = st.one_of(st.none(), st.floats(0, 100))
INTEGERS = st.one_of(st.none(), st.integers(1, 2**53))
ROWS = st.lists(
    st.tuples(WORDS, INTEGERS, NUMBERS, st.sampled_from([True, False, None]), st.sampled_from(["agouti", "black"])),
    unique_by=lambda row: row[0],
    max_size=8,
)


def as_frame(rows: list[tuple]) -> pd.DataFrame:
    """Return drawn rows as a frame in which None stands for missing."""
    columns = ["name", "litter", "weight_g", "alive", "coat"]
    frame = pd.DataFrame(rows, columns=columns, dtype=object)
    return frame.astype({"litter": "Int64", "weight_g": "float64"}).assign(group_odd=frame["name"])


@given(ROWS)
def test_check_is_idempotent(rows: list[tuple]) -> None:
    once = MICE.check(as_frame(rows))
    pd.testing.assert_frame_equal(MICE.check(once), once)


@settings(deadline=None)
@given(rows=ROWS)
def test_what_is_written_comes_back(rows: list[tuple], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("tables") / "mice.parquet"
    frame = as_frame(rows)
    write_table(frame, path, MICE)
    expected = MICE.check(frame).sort_values("name", kind="stable", ignore_index=True)
    pd.testing.assert_frame_equal(read_table(path, MICE), expected)


@settings(deadline=None)
@given(rows=ROWS, suffix=st.sampled_from(["tsv", "csv"]))
def test_what_is_written_as_text_comes_back_to_six_digits(
    rows: list[tuple], suffix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("tables") / f"mice.{suffix}"
    frame = as_frame(rows)
    write_table(frame, path, MICE)
    expected = MICE.check(frame).sort_values("name", kind="stable", ignore_index=True)
    found = read_table(path, MICE)
    np.testing.assert_allclose(found.pop("weight_g"), expected.pop("weight_g"), rtol=1e-5, atol=1e-300)
    pd.testing.assert_frame_equal(found, expected)


@settings(deadline=None)
@given(rows=ROWS, seed=st.integers(0, 99), suffix=st.sampled_from(["parquet", "tsv"]))
def test_the_order_of_rows_does_not_matter_for_the_file(
    rows: list[tuple], seed: int, suffix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("tables")
    frame = as_frame(rows)
    write_table(frame, folder / f"a.{suffix}", MICE)
    write_table(frame.sample(frac=1, random_state=seed), folder / f"b.{suffix}", MICE)
    assert (folder / f"a.{suffix}").read_bytes() == (folder / f"b.{suffix}").read_bytes()


@pytest.mark.parametrize("suffix", ["tsv", "csv"])
def test_names_that_look_like_nothing_or_like_numbers_stay_text(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"mice.{suffix}"
    write_table(mice(name=["NA", "None"], group_cage=["01", None]), path, MICE)
    found = read_table(path, MICE)
    assert found["name"].tolist() == ["NA", "None"]
    assert found["group_cage"].tolist() == ["01", pd.NA]


def test_a_table_that_breaks_its_contract_is_not_written(tmp_path: Path) -> None:
    write_table(mice(), tmp_path / "mice.tsv", MICE)
    before = (tmp_path / "mice.tsv").read_bytes()
    with pytest.raises(ValueError, match=r"mice\.tsv: table 'mice'"):
        write_table(mice(coat=["pink", "black"]), tmp_path / "mice.tsv", MICE)
    assert (tmp_path / "mice.tsv").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["mice.tsv"]


@pytest.mark.parametrize("name", ["mice.parquet", "mice.tsv", "mice.csv"])
@pytest.mark.parametrize("content", [None, b"", b"name\tcoat\nx\tpink\n", b"\xff\xfe\x00broken"])
def test_an_unreadable_table_says_what_to_do(name: str, content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"mice\.\w+: not a readable 'mice' table .*; delete it and run the"):
        read_table(path, MICE)


def test_an_empty_table_obeys_its_contract() -> None:
    for table in every_table():
        pd.testing.assert_frame_equal(table.check(empty(table)), empty(table), check_index_type=False)


def test_every_contract_is_sound() -> None:
    declared = every_table()
    assert len({t.name for t in declared}) == len({id(t) for t in declared}) > 20
    for table in declared:
        names = [c.name for c in table.columns]
        assert len(set(names)) == len(names), table.name
        assert set(table.key) <= set(names), table.name
        assert all(c.meaning and not c.meaning.endswith(".") for c in table.columns), table.name
        assert all(c.kind == "text" for c in table.columns if c.values), table.name


def test_every_contract_of_a_product_is_in_the_dictionary() -> None:
    contracts = {product.contract for product in PRODUCTS if product.contract}
    assert {contract_named(name).name for name in contracts} <= {table.name for table in every_table()}


def test_a_death_without_a_word_for_it_is_refused() -> None:
    kinds = next(c for c in TRACKS.columns if c.name == "end_kind").values
    assert kinds == ("division", "death", "left_fov", "lost", "end_of_movie")


FORMULAS = st.text(st.sampled_from("=+-@'1.ex"), min_size=1, max_size=6)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(FORMULAS, min_size=1, max_size=5))
def test_text_that_a_spreadsheet_would_run_is_quoted_and_read_back(tmp_path, texts):
    table = Table("names", "Names", (), (Column("name", "text", "Name"),))
    write_table(pd.DataFrame({"name": texts}), tmp_path / "a.csv", table)
    assert read_table(tmp_path / "a.csv", table)["name"].tolist() == texts
    cells = [row[0] for row in csv.reader((tmp_path / "a.csv").read_text().splitlines()[1:])]
    for cell in cells:
        is_number = re.fullmatch(r"[+-]?[\d.]+(e[+-]?\d+)?", cell)
        assert len(cell) == 1 or is_number or not cell.startswith(("=", "+", "-", "@", "\t"))
