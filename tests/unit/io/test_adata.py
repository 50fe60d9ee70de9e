"""Paired data come back from their AnnData file with the types and values that they had."""

import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from tests.unit.io.paired_examples import CELLS, COUNTS, OBS, assert_read_back, paired

from cineseq.errors import UserError
from cineseq.io.adata import read_paired, write_paired
from cineseq.io.paired import BLOCKS, PairedData


def round_trip(data: PairedData, folder: Path) -> PairedData:
    """Write and read, and let no warning pass."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_paired(data, folder / "paired.h5ad")
        return read_paired(folder / "paired.h5ad")


def test_types_and_values_come_back(tmp_path: Path) -> None:
    assert_read_back(round_trip(paired(COUNTS), tmp_path))


def test_a_second_round_changes_nothing(tmp_path: Path) -> None:
    once = round_trip(paired(sparse.csr_matrix(np.eye(3, 2))), tmp_path)
    pd.testing.assert_frame_equal(round_trip(once, tmp_path).obs, once.obs)


def test_external_features_come_back_where_there_are_some(tmp_path: Path) -> None:
    own = pd.DataFrame({"features_gabor": [1.0, np.nan, 3.0]}, CELLS)
    found = round_trip(replace(paired(None), features=own), tmp_path)
    assert found.features["features_gabor"].fillna(-1).tolist() == [1, -1, 3]
    assert found.subset(np.array([2])).features.to_dict("list") == {"features_gabor": [3.0]}
    assert round_trip(paired(None), tmp_path).features.shape == (3, 0)


def test_without_expression(tmp_path: Path) -> None:
    found = round_trip(paired(None), tmp_path)
    assert found.counts is None
    assert len(found.genes) == 0
    assert found.embedding.shape == (3, 0)


def test_no_cell_is_no_error(tmp_path: Path) -> None:
    found = round_trip(paired(sparse.csr_matrix(np.eye(3, 2))).subset(np.array([], dtype=int)), tmp_path)
    assert found.counts.shape == (0, 2)
    assert found.genes.tolist() == ["Actb", "NA"]
    assert found.morphology.shape == (0, 2)
    assert list(found.obs) == list(OBS)


def test_other_programs_read_one_anndata(tmp_path: Path) -> None:
    round_trip(paired(sparse.csr_matrix([[0, 5], [1, 0], [0, 0]])), tmp_path)
    found = anndata.read_h5ad(tmp_path / "paired.h5ad")
    assert found.obs_names.tolist() == found.obs["track_id"].tolist() == CELLS.tolist()
    assert found.obs["function_kill"].tolist() == [0, 1, 0.5]
    assert list(found.obsm["X_morphology"]) == ["morphology_area_um2", "morphology_a%2Fb"]
    assert found.layers["counts"].toarray().tolist() == [[0, 5], [1, 0], [0, 0]]
    # the median of the totals, of the cells that have counts, is 3
    np.testing.assert_allclose(found.X.toarray(), np.log1p([[0, 3], [3, 0], [0, 0]]), rtol=1e-6)


@pytest.mark.parametrize("damage", ["text", "empty", "cut", "other"])
def test_a_file_that_is_not_paired_data_is_refused_in_one_sentence(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "paired.h5ad"
    write_paired(paired(sparse.csr_matrix(np.eye(3, 2))), path)
    whole = path.read_bytes()
    path.write_bytes({"text": b"no", "empty": b"", "cut": whole[: len(whole) // 2], "other": whole}[damage])
    if damage == "other":
        with h5py.File(path, "w") as file:
            file["pixels"] = np.eye(3)
    with pytest.raises(UserError, match=r"paired\.h5ad: not readable as paired data \(.*\); delete it and run again"):
        read_paired(path)


def test_values_that_are_no_counts_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "paired.h5ad"
    write_paired(paired(sparse.csr_matrix([[0, 0.5], [1, 0], [0, 0]])), path)
    with pytest.raises(UserError, match=r"paired\.h5ad: raw counts .* found fractions \(such as 0\.5\)"):
        read_paired(path)


# ---- any paired data come back

NAMES = st.text("abz09_/é .%-", min_size=1, max_size=6).map(str.strip).filter(bool)
NUMBERS = st.one_of(st.floats(allow_infinity=False), st.integers(-9, 9).map(float))
VALUES = {
    "string": st.none() | st.text("ab1 é", max_size=3),
    "boolean": st.none() | st.booleans(),
    "Int64": st.none() | st.integers(-(2**40), 2**40),
    "float64": NUMBERS,
}


@st.composite
def paired_data(draw: st.DrawFn) -> PairedData:
    """Draw paired data of one to five cells."""
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    cells, size = pd.Index(names, name="track_id", dtype=object), len(names)

    def column(kind: str) -> pd.Series:
        values = draw(st.lists(VALUES[kind], min_size=size, max_size=size))
        return pd.Series(pd.array(values, dtype=kind) if kind != "float64" else np.array(values), cells)

    def block(name: str) -> pd.DataFrame:
        columns = draw(st.lists(NAMES, max_size=3, unique=True))
        return pd.DataFrame({f"{name}_{c}": column("float64") for c in columns}, cells, dtype=np.float64)

    obs = pd.DataFrame({name: column("string") for name in ("condition", "replicate", "family")})
    obs = obs.assign(sample=pd.array(["s"] * size, "string"), fov=pd.array(["1"] * size, "string"))
    for name in draw(st.lists(NAMES, max_size=4, unique=True)):
        obs[f"own_{name}"] = column(draw(st.sampled_from(list(VALUES))))
    genes = draw(st.lists(NAMES, max_size=4, unique=True))
    matrix = draw(st.lists(st.integers(0, 2**20), min_size=size * len(genes), max_size=size * len(genes)))
    counts = sparse.csr_matrix(np.array(matrix, np.float32).reshape(size, -1)) if genes else None
    return PairedData(obs, counts, pd.Index(genes, dtype=object), **{name: block(name) for name in BLOCKS})


@given(data=paired_data())
@settings(max_examples=40, deadline=None)
def test_any_paired_data_come_back(data: PairedData) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = round_trip(data, Path(folder))
    pd.testing.assert_frame_equal(found.obs, data.obs, check_column_type=False)
    for name in BLOCKS:
        expected = getattr(data, name)
        pd.testing.assert_frame_equal(getattr(found, name), expected, check_column_type=False, check_exact=True)
    assert found.genes.tolist() == data.genes.tolist()
    assert (found.counts is None) == (data.counts is None)
    if data.counts is not None:
        np.testing.assert_array_equal(found.counts.toarray(), data.counts.toarray())
