"""Tables of counts as spreadsheets, R and counting programs write them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cineseq.config.pairing import Orientation
from cineseq.errors import UserError
from cineseq.io.count_tables import mark_of, read_count_table


def serious(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if getattr(record, "serious", False)]


def drawn(seed: int, high: int = 3000) -> pd.DataFrame:
    """Return counts of 8 cells and 6 genes; a quarter are 0, and some are above 1,000."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, high, (8, 6)) * (rng.random((8, 6)) < 0.75)
    return pd.DataFrame(values, [f"c{i}" for i in range(8)], [f"g{i}" for i in range(6)])


def check(path: Path, counts: pd.DataFrame, orientation: Orientation = "cells_by_genes") -> None:
    values, cells, genes = read_count_table(path, orientation)
    assert (list(cells), list(genes)) == (list(counts.index), list(counts.columns))
    assert values.tolist() == counts.to_numpy(float).tolist()


@given(
    seed=st.integers(0, 2**32 - 1),
    mark=st.sampled_from([".", ",", "'", "\u2019", "\u00a0", "\u202f"]),
    separator=st.sampled_from("\t;"),
    orientation=st.sampled_from(["cells_by_genes", "genes_by_cells"]),
)
def test_marks_of_thousands_are_left_out(
    seed: int, mark: str, separator: str, orientation: Orientation, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path, counts = tmp_path_factory.mktemp("counts") / "a.csv", drawn(seed, 5_000_000)
    counts.iloc[0, :3] = [1000, 999_000, 2_000_000]
    table = counts if orientation == "cells_by_genes" else counts.T
    table.map(lambda value: f"{value:,}".replace(",", mark)).to_csv(path, sep=separator)
    check(path, counts, orientation)


@given(
    seed=st.integers(0, 2**32 - 1), written=st.sampled_from(["{:.3f}", "{:.1f}", "{:.6f}", "{}", "{:.0f}", "{:.3e}"])
)
def test_decimals_of_whole_numbers_are_no_marks_of_thousands(
    seed: int, written: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path, counts = tmp_path_factory.mktemp("counts") / "a.csv", drawn(seed, 900)
    counts.iloc[0, 0] = 0
    counts.map(lambda value: written.format(float(value) if "f" in written or "e" in written else value)).to_csv(path)
    check(path, counts)


@pytest.mark.parametrize(
    ("values", "mark"),
    [
        (["1.000", "2.000", "3.500", "7"], "."),
        (["1.000", "2.000", "3.500", "1000"], ""),
        (["1.000", "2.000", "0.500", "7"], ""),
        (["1.000", "2.000", "3.5", "7"], ""),
        (["1.000", "2.000", "7"], ""),
        (["1.000", "2,000", "3.000"], ""),
        (["12.345.678", "1.000", "2.000", "CD4"], "."),
        (["1000", "2"], ""),
    ],
)
def test_a_mark_of_thousands_is_told_from_a_decimal_point(values: list[str], mark: str) -> None:
    assert mark_of(values) == mark


def test_a_mark_of_thousands_is_a_serious_notice(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.csv").write_text("id;g1;g2\nc1;1.000;2\nc2;3.500;0\nc3;12.345;999\n")
    check(tmp_path / "a.csv", pd.DataFrame([[1000, 2], [3500, 0], [12345, 999]], ["c1", "c2", "c3"], ["g1", "g2"]))
    assert "'.' was read as the mark of thousands" in serious(caplog)[0]


COLUMNS = {"length": "500", "Gene.Name": "TP53", "chr": "X", "gene_biotype": "protein_coding", "gc_content": "0.41"}


@given(
    seed=st.integers(0, 2**32 - 1),
    names=st.lists(st.sampled_from(list(COLUMNS)), min_size=1, max_size=4, unique=True),
    last=st.booleans(),
)
def test_columns_that_describe_genes_are_no_cells(
    seed: int,
    names: list[str],
    last: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path, counts = tmp_path_factory.mktemp("counts") / "a.tsv", drawn(seed)
    table = counts.T.copy()
    for name in names:
        table.insert(len(table.columns) if last else 0, name, COLUMNS[name])
    table.to_csv(path, sep="\t")
    check(path, counts, "genes_by_cells")


def test_columns_of_text_are_left_out_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    counts = drawn(0)
    counts.assign(cell_type="T cell", note="good").to_csv(tmp_path / "a.csv")
    check(tmp_path / "a.csv", counts)
    assert serious(caplog) == [
        f"{tmp_path / 'a.csv'}: 2 columns hold text and no counts, and are left out: 'cell_type' and 'note'."
    ]


@pytest.mark.parametrize("value", ["#REF!", "NA", "", "2.100,5", "12a,"])
def test_a_column_of_counts_with_something_else_is_refused(value: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f'id,g1,g2,g3\nc1,1,2,3\nc2,4,"{value}",6\n')
    with pytest.raises(UserError, match="column 'g2' should hold counts but holds text in 1 row"):
        read_count_table(tmp_path / "a.csv", "cells_by_genes")


def test_columns_that_describe_cells_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    counts = drawn(0).assign(leiden=range(8), batch=1)
    counts.to_csv(tmp_path / "a.csv")
    check(tmp_path / "a.csv", counts)
    assert "2 columns describe cells by name and are read as genes: 'leiden' and 'batch'" in serious(caplog)[0]
    drawn(0).to_csv(tmp_path / "b.csv")  # what the sentence says
    caplog.clear()
    check(tmp_path / "b.csv", drawn(0))
    assert serious(caplog) == []


@given(
    seed=st.integers(0, 2**32 - 1),
    quoted=st.booleans(),
    orientation=st.sampled_from(["cells_by_genes", "genes_by_cells"]),
)
def test_tables_of_r_are_separated_by_blanks(
    seed: int,
    quoted: bool,
    orientation: Orientation,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path, counts = tmp_path_factory.mktemp("counts") / "a.txt", drawn(seed)
    table = counts if orientation == "cells_by_genes" else counts.T
    quote = '"' if quoted else ""
    lines = [" ".join(f"{quote}{name}{quote}" for name in table.columns)]
    lines += [
        f"{quote}{name}{quote} " + " ".join(map(str, row))
        for name, row in zip(table.index, table.to_numpy(), strict=True)
    ]
    path.write_text("\n".join(lines) + "\n")
    check(path, counts, orientation)


@given(
    seed=st.integers(0, 2**32 - 1),
    below=st.lists(st.sampled_from(["Total", "mean", "SD"]), min_size=1, max_size=2, unique=True),
    orientation=st.sampled_from(["cells_by_genes", "genes_by_cells"]),
)
def test_sums_over_cells_are_no_cells(
    seed: int, below: list[str], orientation: Orientation, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path, counts = tmp_path_factory.mktemp("counts") / "a.csv", drawn(seed)
    table = pd.concat([counts, *(counts.sum().to_frame(name).T for name in below)])
    (table if orientation == "cells_by_genes" else table.T).to_csv(path)
    check(path, counts, orientation)


@pytest.mark.parametrize("first", [0, 1])
def test_row_numbers_before_the_names_are_left_out(first: int, tmp_path: Path) -> None:
    counts = drawn(0, 5_000_000)
    table = counts.map("{:,}".format).reset_index(names="barcode")
    table.set_axis(range(first, first + len(table))).to_csv(tmp_path / "a.csv")
    check(tmp_path / "a.csv", counts)
    counts.set_axis(range(len(counts))).to_csv(tmp_path / "b.csv")
    check(tmp_path / "b.csv", counts.set_axis(map(str, range(len(counts)))))


def test_a_long_table_is_refused_with_what_to_do(tmp_path: Path) -> None:
    counts = drawn(0)
    long = counts.reset_index(names="cell").melt("cell", var_name="gene", value_name="count")
    long.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(UserError, match=r"a\.csv: this is a long table"):
        read_count_table(tmp_path / "a.csv", "cells_by_genes")
    long.pivot_table(index="cell", columns="gene", values="count", fill_value=0).to_csv(tmp_path / "b.csv")
    check(tmp_path / "b.csv", counts)
