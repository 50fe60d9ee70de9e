"""Matrices as 10x software, STARsolo, kallisto and others write them."""

import gzip
import io
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.io import mmwrite

from cineseq.errors import UserError
from cineseq.io.counts import read_counts

COUNTS = np.array([[5, 0, 3, 1], [0, 7, 2, 1]])
CELLS, GENES = ["AAAC-1", "CCCG-1"], ["g1", "g2", "g3", "CD3"]
KINDS = ["Gene Expression"] * 3 + ["Antibody Capture"]


def folder(
    path: Path,
    *,
    columns: int = 3,
    prefix: str = "",
    names: tuple[str, str, str] = ("matrix.mtx", "features.tsv", "barcodes.tsv"),
    packed: bool = True,
    by_cell: bool = False,
    genes: list[str] = GENES,
) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    stream = io.BytesIO()
    mmwrite(stream, sparse.coo_matrix(COUNTS if by_cell else COUNTS.T), field="integer")
    rows = [
        [f"id_{gene}", gene, kind][:columns] if columns > 1 else [gene] for gene, kind in zip(genes, KINDS, strict=True)
    ]
    texts = ["\n".join("\t".join(row) for row in rows) + "\n", "\n".join(CELLS) + "\n"]
    for name, data in zip(names, [stream.getvalue(), *(text.encode() for text in texts)], strict=True):
        (path / f"{prefix}{name}{'.gz' if packed else ''}").write_bytes(gzip.compress(data) if packed else data)
    return path


def read(path: Path) -> tuple[list[str], list[str], list[list[float]]]:
    counts = read_counts(path)
    return list(counts.cells), list(counts.genes), counts.matrix.toarray().tolist()


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("columns", [1, 2, 3])
@pytest.mark.parametrize("prefix", ["", "GSM999_s1_"])
def test_folders_of_any_program(tmp_path: Path, packed: bool, columns: int, prefix: str) -> None:
    found = read(folder(tmp_path / "m", columns=columns, prefix=prefix, packed=packed))
    kept = slice(0, 3) if columns == 3 else slice(0, 4)
    assert found == (CELLS, GENES[kept], COUNTS[:, kept].tolist())


def test_other_names_of_the_files(tmp_path: Path) -> None:
    old = folder(tmp_path / "old", columns=2, names=("matrix.mtx", "genes.tsv", "barcodes.tsv"), packed=False)
    assert read(old)[1] == GENES
    names = ("cells_x_genes.mtx", "cells_x_genes.genes.txt", "cells_x_genes.barcodes.txt")
    assert read(folder(tmp_path / "kb", columns=1, names=names, packed=False, by_cell=True))[2] == COUNTS.tolist()
    assert read(folder(tmp_path / "kb2", columns=1, names=names, packed=False))[2] == COUNTS.tolist()
    folder(tmp_path / "outs/filtered_feature_bc_matrix")
    assert read(tmp_path / "outs")[1] == GENES[:3]
    assert read(tmp_path / "outs/filtered_feature_bc_matrix/matrix.mtx.gz")[1] == GENES[:3]


def test_two_samples_in_one_folder_are_told_apart_by_naming_the_matrix(tmp_path: Path) -> None:
    folder(tmp_path / "geo", prefix="GSM1_")
    folder(tmp_path / "geo", prefix="GSM2_")
    with pytest.raises(UserError, match=r"geo: there are several matrices \(GSM1_matrix\.mtx, .* name the file of one"):
        read(tmp_path / "geo")
    assert read(tmp_path / "geo/GSM2_matrix.mtx.gz")[0] == CELLS


def test_names_of_files_do_not_say_how_they_are_packed(tmp_path: Path) -> None:
    path = folder(tmp_path / "m") / "matrix.mtx.gz"
    path.write_bytes(gzip.decompress(path.read_bytes()))
    assert read(tmp_path / "m")[0] == CELLS


def test_identifiers_alone_are_no_names(tmp_path: Path) -> None:
    identifiers = [f"ENSG{k:011d}" for k in range(4)]
    path = folder(tmp_path / "m", columns=1, genes=identifiers, packed=False)
    with pytest.raises(
        UserError, match=r"the one column of features\.tsv holds identifiers .* with the identifiers again"
    ):
        read(path)
    (path / "features.tsv").write_text("".join(f"{name}\t{name}\n" for name in identifiers))
    assert read(path)[1] == identifiers


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("absent", r"there is no features\.tsv or genes\.tsv next to it; looked for matrix\.mtx"),
        ("short", r"the matrix is 4 by 2, but features\.tsv has 4 lines and barcodes\.tsv 1"),
        ("ragged", r"features\.tsv, row 2: every line should have the same number of columns"),
        ("cut", r"not a complete matrix"),
        ("empty", r"there is no matrix\.mtx; looked for .* found nothing"),
    ],
)
def test_what_is_missing_or_cut_is_said(tmp_path: Path, damage: str, words: str) -> None:
    path = folder(tmp_path / "m", packed=False)
    if damage == "absent":
        (path / "features.tsv").unlink()
    if damage == "short":
        (path / "barcodes.tsv").write_text(CELLS[0] + "\n")
    if damage == "ragged":
        (path / "features.tsv").write_text("id\tg1\tGene Expression\nid\tg2\n")
    if damage == "cut":
        (path / "matrix.mtx").write_bytes((path / "matrix.mtx").read_bytes()[:-9])
    if damage == "empty":
        for file in path.iterdir():
            file.unlink()
    with pytest.raises(UserError, match=words):
        read(path)


def h5(path: Path, *, spoilt: bool = False) -> Path:
    matrix = sparse.csc_matrix(COUNTS.T)
    if spoilt:
        matrix.indices[1] = 2**30
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix")
        for name in ("data", "indices", "indptr"):
            group[name] = getattr(matrix, name)
        group["shape"], group["barcodes"] = np.array([4, 2]), np.array(CELLS, "S")
        features = group.create_group("features")
        features["id"] = features["name"] = np.array(GENES, "S")
        features["feature_type"] = np.array(KINDS, "S")
    return path


def test_10x_h5_and_one_that_is_damaged(tmp_path: Path) -> None:
    assert read(h5(tmp_path / "a.h5")) == (CELLS, GENES[:3], COUNTS[:, :3].tolist())
    with pytest.raises(UserError, match=r"b\.h5: damaged: the indices of a sparse matrix do not fit"):
        read(h5(tmp_path / "b.h5", spoilt=True))


def test_10x_h5_of_version_2(tmp_path: Path) -> None:
    matrix = sparse.csc_matrix(COUNTS.T)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("GRCh38")
        for name in ("data", "indices", "indptr"):
            group[name] = getattr(matrix, name)
        group["shape"], group["barcodes"] = np.array([4, 2]), np.array(CELLS, "S")
        group["gene_names"] = np.array(GENES, "S")
    assert read(tmp_path / "a.h5") == (CELLS, GENES, COUNTS.tolist())


@given(
    cells=st.integers(2, 6),
    genes=st.integers(2, 6),
    headers=st.tuples(st.booleans(), st.booleans()),
    numbered=st.sampled_from([None, 0, 1]),
    separator=st.sampled_from("\t,"),
)
def test_headers_row_numbers_and_commas_of_the_files_beside_a_matrix(  # noqa: PLR0917
    cells: int,
    genes: int,
    headers: tuple[bool, bool],
    numbered: int | None,
    separator: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("mtx")
    values = np.arange(1, cells * genes + 1).reshape(cells, genes)
    mmwrite(folder / "matrix.mtx", sparse.coo_matrix(values.T))
    features = ["gene_id,gene_name"] * headers[0] + [f"E{k},g{k}" for k in range(genes)]
    before = [""] * cells if numbered is None else [f"{k + numbered}," for k in range(cells)]
    barcodes = [("," if numbered is not None else "") + "barcode"] * headers[1]
    barcodes += [f"{number}AC{k}" for k, number in enumerate(before)]
    for name, lines in (("features.tsv", features), ("barcodes.tsv", barcodes)):
        (folder / name).write_text("\n".join(lines).replace(",", separator) + "\n")
    counts = read_counts(folder)
    assert counts.cells.tolist() == [f"AC{k}" for k in range(cells)]
    assert counts.genes.tolist() == [f"g{k}" for k in range(genes)]
    assert counts.matrix.toarray().tolist() == values.tolist()
