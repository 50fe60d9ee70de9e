"""The MuData export has every block and the lineage, and a user can bring it to another study."""

import warnings
from dataclasses import replace
from pathlib import Path

import mudata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from tests.unit.io.paired_examples import CELLS, COUNTS, assert_read_back, paired

from cineseq.errors import UserError
from cineseq.io.mudata_export import blocks_apart, read_mudata, write_mudata
from cineseq.io.paired import PairedData


def round_trip(data: PairedData, folder: Path) -> PairedData:
    """Write and read, and let no warning pass."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_mudata(data, folder / "paired.h5mu")
        return read_mudata(folder / "paired.h5mu")


def test_types_and_values_come_back(tmp_path: Path) -> None:
    assert_read_back(round_trip(paired(COUNTS), tmp_path), check_names=False, check_index_type=False)


def test_names_with_a_slash_come_back(tmp_path: Path) -> None:
    data = paired(COUNTS)
    groups = data.obs.assign(**{"group_donor/line": list("abc"), "group_donor": list("xyz")})
    found = round_trip(replace(data, obs=groups), tmp_path).obs
    assert found[["group_donor/line", "group_donor"]].to_numpy().tolist() == [["a", "x"], ["b", "y"], ["c", "z"]]


def test_a_second_round_changes_nothing(tmp_path: Path) -> None:
    once = round_trip(paired(sparse.csr_matrix(np.eye(3, 2))), tmp_path)
    pd.testing.assert_frame_equal(round_trip(once, tmp_path).obs, once.obs)


def test_external_features_are_a_modality_where_there_are_some(tmp_path: Path) -> None:
    own = pd.DataFrame({"features_gabor": [1.0, np.nan, 3.0]}, CELLS)
    found = round_trip(replace(paired(None), features=own), tmp_path)
    assert found.features["features_gabor"].fillna(-1).tolist() == [1, -1, 3]
    assert found.subset(np.array([2])).features.to_dict("list") == {"features_gabor": [3.0]}
    with blocks_apart():
        assert "features" in mudata.read_h5mu(tmp_path / "paired.h5mu").mod
    without = round_trip(paired(None), tmp_path).features
    assert without.shape == (3, 0)


def test_without_expression(tmp_path: Path) -> None:
    found = round_trip(paired(None), tmp_path)
    assert found.counts is None
    assert len(found.genes) == 0
    assert found.embedding.shape == (3, 0)


def test_other_programs_can_read_it(tmp_path: Path) -> None:
    round_trip(paired(sparse.csr_matrix(np.eye(3, 2))), tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        found = mudata.read_h5mu(tmp_path / "paired.h5mu")
    assert list(found.mod) == ["rna", "morphology", "embedding", "function", "lineage"]
    assert found.obs["sample"].tolist() == ["01", "01", "02"]
    assert found.obs_names.tolist() == CELLS.tolist()


def test_the_lineage_is_a_modality(tmp_path: Path) -> None:
    round_trip(paired(None), tmp_path)
    with blocks_apart():
        lineage = mudata.read_h5mu(tmp_path / "paired.h5mu").mod["lineage"]
    assert lineage.obs_names.tolist() == CELLS.tolist()
    assert lineage.var_names.tolist() == ["generation", "start_hours", "end_hours"]
    np.testing.assert_array_equal(lineage.X, [[0, 1, 1], [1, 2, np.nan], [1, 3, 3]])
    assert lineage.obs["sister_id"].isna().tolist() == [False, True, True]
    assert lineage.obs["sister_id"].iloc[0] == "s/1/2"
    assert lineage.obs["fate_known"].tolist() == [True, False, True]
    assert list(lineage.obs) == ["sister_id", "fate_known", "alive_at_end"]


def test_cells_without_a_lineage_have_an_empty_one(tmp_path: Path) -> None:
    data = paired(None)
    round_trip(replace(data, obs=data.obs[["sample"]]), tmp_path)
    with blocks_apart():
        assert mudata.read_h5mu(tmp_path / "paired.h5mu").mod["lineage"].shape == (3, 0)


def test_values_that_are_no_counts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"paired\.h5mu: counts .* were expected, found fractions \(such as 0\.5\)"):
        round_trip(paired(sparse.csr_matrix([[0, 0.5], [1, 0], [0, 0]])), tmp_path)
