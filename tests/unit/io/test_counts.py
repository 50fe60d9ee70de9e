"""Reading counts from every format, and refusing what is not counts."""

import gzip
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import io, sparse

from cineseq.errors import UserError
from cineseq.io.counts import make_counts, read_counts

MATRIX = np.array([[1, 0, 3], [0, 5, 0]])
CELLS, GENES = ["AAA", "CCC"], ["g1", "g2", "g3"]


def test_csv_with_cells_in_rows(tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    pd.DataFrame(MATRIX, CELLS, GENES).to_csv(path)
    counts = read_counts(path)
    assert (list(counts.cells), list(counts.genes)) == (CELLS, GENES)
    assert counts.matrix.toarray().tolist() == MATRIX.tolist()
    assert counts.totals.tolist() == [4, 5]


def test_gzipped_tsv_with_genes_in_rows_and_no_corner(tmp_path: Path) -> None:
    path = tmp_path / "counts.tsv.gz"
    path.write_bytes(gzip.compress(b"AAA\tCCC\ng1\t1\t0\ng2\t0\t5\ng3\t3\t0\n"))
    counts = read_counts(path, "genes_by_cells")
    assert (list(counts.cells), list(counts.genes)) == (CELLS, GENES)
    assert counts.matrix.toarray().tolist() == MATRIX.tolist()


def test_h5ad_takes_the_layer_of_counts_when_x_is_normalised(tmp_path: Path) -> None:
    data = anndata.AnnData(np.log1p(MATRIX), pd.DataFrame(index=CELLS), pd.DataFrame(index=GENES))
    data.layers["counts"] = sparse.csr_matrix(MATRIX)
    data.write(tmp_path / "counts.h5ad")
    assert read_counts(tmp_path / "counts.h5ad").matrix.toarray().tolist() == MATRIX.tolist()


def test_10x_folder_sums_genes_of_one_name(tmp_path: Path) -> None:
    for name, lines in (
        ("barcodes.tsv.gz", CELLS),
        ("features.tsv.gz", [f"E{i}\t{g}\tGene Expression" for i, g in enumerate(["g1", "g2", "g1"])]),
    ):
        (tmp_path / name).write_bytes(gzip.compress("\n".join(lines).encode()))
    io.mmwrite(tmp_path / "matrix.mtx", sparse.coo_matrix(MATRIX.T))
    (tmp_path / "matrix.mtx.gz").write_bytes(gzip.compress((tmp_path / "matrix.mtx").read_bytes()))
    counts = read_counts(tmp_path)
    assert list(counts.genes) == ["g1", "g2"]
    assert counts.matrix.toarray().tolist() == [[4, 0], [0, 5]]


def test_10x_h5(tmp_path: Path) -> None:
    matrix = sparse.csc_matrix(MATRIX.T)
    with h5py.File(tmp_path / "counts.h5", "w") as file:
        group = file.create_group("matrix")
        for name, values in (("data", matrix.data), ("indices", matrix.indices), ("indptr", matrix.indptr)):
            group[name] = values
        group["shape"], group["barcodes"] = np.array(matrix.shape), np.array(CELLS, "S")
        features = group.create_group("features")
        for name in ("id", "name"):
            features[name] = np.array(GENES, "S")
        features["feature_type"] = features["genome"] = np.array(["Gene Expression"] * 3, "S")
    counts = read_counts(tmp_path / "counts.h5")
    assert counts.matrix.toarray().tolist() == MATRIX.tolist()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.log1p(MATRIX), "these look log-transformed"),
        (MATRIX * 1000.5, "these look normalised"),
        (MATRIX - 1.0, "negative values"),
        (MATRIX * np.nan, "missing or infinite"),
    ],
)
def test_what_is_not_counts_is_refused(values: np.ndarray, words: str) -> None:
    with pytest.raises(UserError, match=f"^a.csv: counts .* {words}"):
        make_counts(sparse.csr_matrix(values), pd.Index(CELLS), pd.Index(GENES), Path("a.csv"))


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "id,AAA,AAA\ng1,1,2\n", "the cell 'AAA' is listed twice"),
        ("b.csv", "id,AAA,note\ng1,1,2\ng2,1,good\n", "column 'note' should hold counts but holds text"),
        ("c.csv", "", r"not a readable table \(it is empty\)"),
        ("d.csv", "id\ng1\n", "the header has no separator"),
        ("e.h5ad", "no", "not readable as counts"),
        ("f.xlsx", "no", r"counts should be \.h5ad"),
    ],
)
def test_bad_files_are_refused_by_name(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=f"{name}: .*{words}"):
        read_counts(tmp_path / name, "genes_by_cells")


def test_absent_counts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.h5ad: there is no such file"):
        read_counts(tmp_path / "nowhere.h5ad")


def test_rows_of_separators_alone_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,g1,g2\nAAA,1,2\nCCC,0,3\n,,\n,,\n")
    counts = read_counts(tmp_path / "a.csv")
    assert (counts.cells.tolist(), counts.matrix.toarray().tolist()) == (["AAA", "CCC"], [[1, 2], [0, 3]])
    (tmp_path / "b.csv").write_text("id,g1,g2\nAAA,1,2\n,0,3\n")
    with pytest.raises(UserError, match=r"row 3: the first column holds no name"):
        read_counts(tmp_path / "b.csv")
    (tmp_path / "c.csv").write_text("id,g1,g2\nAAA,1,2\nCCC,,3\n,,\n")
    with pytest.raises(UserError, match=r"column 'g1' should hold counts .*row 3 has nothing"):
        read_counts(tmp_path / "c.csv")


def test_quoted_names_of_a_10x_folder_are_bare_and_a_matrix_without_values_is_refused(tmp_path: Path) -> None:
    (tmp_path / "features.tsv").write_text('"E1"\t"A"\n"E2"\t"B"\n')
    (tmp_path / "barcodes.tsv").write_text('"AAA"\n')
    matrix = tmp_path / "matrix.mtx"
    matrix.write_text("%%MatrixMarket matrix coordinate integer general\n2 1 1\n2 1 7\n")
    counts = read_counts(tmp_path)
    assert (counts.cells.tolist(), counts.genes.tolist()) == (["AAA"], ["A", "B"])
    matrix.write_text("%%MatrixMarket matrix coordinate pattern general\n2 1 1\n2 1\n")
    with pytest.raises(UserError, match=r"matrix\.mtx: a pattern .* no counts"):
        read_counts(tmp_path)


@pytest.mark.parametrize(
    "name", ["1-Mar", "Sep-02", "01. Mrz", "2021-03-01", "2021-03-01 00:00:00", "3/1/2021", "2.31E+13", "1-Sept."]
)
def test_names_of_genes_that_a_spreadsheet_changed_are_a_serious_notice(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    counts = make_counts(sparse.csr_matrix([[1, 2, 4]]), pd.Index(["AAA"]), pd.Index(["g1", name, name]), Path("a.csv"))
    assert counts.matrix.toarray().tolist() == [[1, 6]]
    [record] = [r for r in caplog.records if getattr(r, "serious", False)]
    assert f"a.csv: 2 genes have names such as '{name}'" in record.getMessage()


@pytest.mark.parametrize("name", ["MARCH1", "sep-1", "Sept7", "2310009E13Rik", "Mar1", "7SK", "RP11-34P13.7", "Dec1"])
def test_names_of_genes_that_look_a_little_like_dates_are_no_matter(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    make_counts(sparse.csr_matrix([[1, 2]]), pd.Index(["AAA"]), pd.Index(["g1", name]), Path("a.csv"))
    assert not [r for r in caplog.records if getattr(r, "serious", False)]
