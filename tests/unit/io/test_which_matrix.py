"""Which matrix holds the counts, which features are genes, and what a damaged matrix does."""

from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from cineseq.errors import UserError
from cineseq.io.counts import read_counts
from cineseq.io.which_matrix import as_sparse, counts_matrix, without_summaries

COUNTS = np.array([[5, 0, 3], [0, 7, 2]])
OTHERS = {
    "zeros": np.zeros((2, 3)),
    "ones": (COUNTS > 0) * 1.0,
    "rounded logarithms": np.round(np.log1p(COUNTS)),
    "ranks": COUNTS.argsort(axis=0).argsort(axis=0) * 1.0,
    "logarithms": np.log1p(COUNTS),
    "scaled": COUNTS - COUNTS.mean(axis=0),
}


def adata(x: np.ndarray | None, raw: np.ndarray | None = None, **layers: np.ndarray) -> anndata.AnnData:
    var = pd.DataFrame(index=["g1", "g2", "g3"])
    data = anndata.AnnData(x, pd.DataFrame(index=["a", "b"]), var.copy())
    if raw is not None:
        data.raw = anndata.AnnData(sparse.csr_matrix(raw), data.obs.copy(), var)
    for name, values in layers.items():
        data.layers[name] = values
    return data


def read(data: anndata.AnnData, layer: str | None = None) -> list[list[float]]:
    return counts_matrix(data, "a.h5ad", layer)[0].toarray().tolist()


@pytest.mark.parametrize("x", OTHERS.values(), ids=list(OTHERS))
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
def test_counts_are_found_beside_any_x(x: np.ndarray, kind: type) -> None:
    assert read(adata(kind(x), counts=kind(COUNTS))) == COUNTS.tolist()
    assert read(adata(kind(x), raw=COUNTS)) == COUNTS.tolist()


def test_x_of_counts_and_the_choice_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        assert read(adata(COUNTS * 1.0, raw=np.log1p(COUNTS))) == COUNTS.tolist()
        assert read(adata(COUNTS * 1.0, raw=COUNTS)) == COUNTS.tolist()
        assert read(adata(None, counts=COUNTS)) == COUNTS.tolist()
    assert "a.h5ad: counts are those of X; there are X, raw." in caplog.text
    assert "counts are those of layers['counts']; there are layers['counts']." in caplog.text


def test_a_layer_of_another_name_is_listed_and_can_be_named() -> None:
    data = adata(np.log1p(COUNTS), raw_counts=COUNTS)
    with pytest.raises(UserError, match=r"there are X, layers\['raw_counts'\]\. .* in pairing\.counts_layer"):
        read(data)
    assert read(data, "raw_counts") == COUNTS.tolist()
    with pytest.raises(UserError, match=r"no layer 'rawcounts' .* there are X, layers\['raw_counts'\]"):
        read(data, "rawcounts")


@given(
    kinds=st.lists(
        st.sampled_from(["Gene Expression", "Antibody Capture", "CRISPR Guide Capture", "Peaks"]),
        min_size=3,
        max_size=3,
    )
)
def test_only_genes_are_genes(kinds: list[str]) -> None:
    data = adata(COUNTS * 1.0)
    data.var["feature_types"] = pd.Categorical(kinds)
    genes = np.array(kinds) == "Gene Expression"
    if not genes.any():
        with pytest.raises(UserError, match=r"no feature is a gene by 'feature_types'"):
            read(data)
        return
    assert read(data) == COUNTS[:, genes].tolist()


def test_types_that_are_not_known_are_genes() -> None:
    data = adata(COUNTS * 1.0)
    data.var["feature_types"] = ["protein_coding", "Antibody Capture", None]
    assert read(data) == COUNTS[:, [0, 2]].tolist()


@pytest.mark.parametrize(
    "name",
    [
        *("__no_feature", "__ambiguous", "N_noFeature", "N_unmapped", "Unassigned_NoFeatures"),
        *("n_counts", "nCount_RNA", "nFeature_RNA", "n_genes_by_counts", "total_counts", "Total"),
    ],
)
def test_summaries_of_counting_programs_are_no_genes(name: str, caplog: pytest.LogCaptureFixture) -> None:
    matrix, genes = without_summaries(sparse.csr_matrix([[1, 9]]), pd.Index(["N_GENE", name]), "a.csv")
    assert (genes.tolist(), matrix.toarray().tolist()) == (["N_GENE"], [[1]])
    assert f"a.csv: left out 1 row that are no genes ({name}), with 90 % of the counts." in caplog.text


@given(index=st.integers(-5, 9), place=st.integers(0, 3), form=st.sampled_from(["csr", "csc"]))
@settings(deadline=None)
def test_indices_outside_of_a_matrix_are_refused(index: int, place: int, form: str) -> None:
    matrix = sparse.random(4, 4, 1.0, format=form, rng=np.random.default_rng(0))
    matrix.indices[place] = index
    inside = 0 <= index < 4
    if inside:
        as_sparse(matrix, "a.h5ad")
        return
    with pytest.raises(UserError, match=r"a\.h5ad: damaged: the indices of a sparse matrix do not fit its shape"):
        as_sparse(matrix, "a.h5ad")


@pytest.mark.parametrize("place", ["X", "layers/counts", "raw/X"])
def test_a_damaged_h5ad_is_refused_before_it_is_used(tmp_path: Path, place: str) -> None:
    data = adata(sparse.csr_matrix(COUNTS * (1.0 if place == "X" else 0.5)), raw=COUNTS)
    if place == "layers/counts":
        data.layers["counts"] = sparse.csr_matrix(COUNTS)
    data.write(tmp_path / "a.h5ad")
    with h5py.File(tmp_path / "a.h5ad", "r+") as file:
        file[place]["indices"][1] = 2**30
    with pytest.raises(UserError, match=r"a\.h5ad: damaged"):
        read_counts(tmp_path / "a.h5ad")


@given(
    seed=st.integers(0, 2**32 - 1),
    left=st.integers(1, 5),
    place=st.sampled_from(["X", "counts"]),
    held=st.sampled_from(["counts", "logarithms", "other counts", "no further genes", "no types"]),
)
@settings(deadline=None)
def test_counts_of_all_genes_are_preferred_to_those_of_some(
    seed: int, left: int, place: str, held: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("counts") / "a.h5ad"
    rng = np.random.default_rng(seed)
    values = rng.poisson(2, (4, 6)) + 1.0
    whole = anndata.AnnData(values, pd.DataFrame(index=list("abcd")), pd.DataFrame(index=[f"g{k}" for k in range(6)]))
    some = np.sort(rng.choice(6, 6 if held == "no further genes" else left, replace=False))
    data = whole[:, some].copy()
    data.raw = anndata.AnnData(np.log1p(values) if held == "logarithms" else values, whole.obs, whole.var)
    if held == "other counts":
        data.X[:, 0] += 1
    if held == "no types":
        data.var["feature_types"] = "Gene Expression"
    if place == "counts":
        data.layers["counts"], data.X = data.X.copy(), np.log1p(data.X)
    data.write(path)
    found = read_counts(path)
    mine = data.layers["counts"] if place == "counts" else data.X
    is_raw = held == "counts" or (held == "other counts" and place == "X")
    assert found.matrix.toarray().tolist() == (values if is_raw else mine).tolist()
    assert read_counts(path, layer=place).matrix.toarray().tolist() == mine.tolist()
    if held != "logarithms":
        assert read_counts(path, layer="raw").genes.tolist() == whole.var_names.tolist()
    in_memory = whole if held == "other counts" and is_raw else data
    assert counts_matrix(data, "in memory")[2].tolist() == in_memory.var_names.tolist()


def test_zeros_beside_layers_are_no_counts() -> None:
    data = adata(np.zeros((2, 3)), spliced=COUNTS, unspliced=COUNTS)
    with pytest.raises(UserError, match=r"of X: found zeros alone; there are X, layers\['spliced'\]"):
        read(data)
    assert read(data, "spliced") == COUNTS.tolist()  # what the sentence says


def test_a_layer_called_raw_can_be_named() -> None:
    data = adata(np.log1p(COUNTS))
    data.layers["raw"] = COUNTS
    assert read(data, "raw") == COUNTS.tolist()
