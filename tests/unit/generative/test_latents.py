"""Latent variables that were learned elsewhere are those of the cells, or are refused."""

from __future__ import annotations

from pathlib import Path

import anndata
import mudata
import numpy as np
import pandas as pd
import pytest

from cineseq.errors import UserError
from cineseq.generative.latents import read_latents

CELLS = pd.DataFrame({"sample": "s", "barcode": ["AC", "GT"]}, index=["s/f/1", "s/f/2"])


def test_latents_follow_the_order_of_the_cells(tmp_path: Path) -> None:
    path = tmp_path / "latents.tsv"
    pd.DataFrame({"track_id": ["s/f/2", "s/f/1", "more"], "z": [2.0, 1.0, 9.0]}).to_csv(path, sep="\t", index=False)
    assert read_latents("pca", None, CELLS) is None
    assert read_latents(str(path), None, CELLS)["z"].tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"cell": ["s/f/1", "s/f/2"], "z": [1, 2]}, "no column 'track_id'"),
        ({"track_id": ["s/f/1"], "z": [1]}, "1 paired cell without a row, such as 's/f/2'"),
        ({"track_id": ["s/f/1", "s/f/2", "s/f/2"], "z": [1, 2, 3]}, "cells with two rows, such as 's/f/2'"),
        ({"track_id": ["s/f/1", "s/f/2"], "z": [1, None]}, "column 'z' of cell 's/f/2' is not a finite number"),
    ],
)
def test_a_table_that_does_not_match_the_cells_is_refused(columns: dict, said: str, tmp_path: Path) -> None:
    pd.DataFrame(columns).to_csv(tmp_path / "latents.csv", index=False)
    with pytest.raises(UserError, match=said):
        read_latents(str(tmp_path / "latents.csv"), None, CELLS)


def test_a_representation_that_is_no_table_is_refused() -> None:
    with pytest.raises(UserError, match=r"'X_scVI' is neither pca nor a table"):
        read_latents("X_scVI", None, CELLS)


@pytest.mark.parametrize(
    "names", [["s/f/2", "s/f/1", "s/f/3"], ["2", "1", "3"], ["GT", "AC", "TT"], ["s/GT", "s/AC", "x"]]
)
@pytest.mark.parametrize("ending", [".h5ad", ".h5mu"])
def test_an_obsm_is_matched_by_the_names_that_its_rows_have(names: list[str], ending: str, tmp_path: Path) -> None:
    data = anndata.AnnData(np.ones((3, 2)), obs=pd.DataFrame(index=names))
    data.obsm["X_scVI"] = np.array([[2.0, 0.0], [1.0, 5.0], [9.0, 9.0]])
    path = tmp_path / f"counts{ending}"
    (data if ending == ".h5ad" else mudata.MuData({"rna": data})).write(path)
    found = read_latents(str(path), "X_scVI", CELLS)
    assert found.index.tolist() == CELLS.index.tolist()
    assert found["X_scVI_0"].tolist() == [1.0, 2.0]
    with pytest.raises(UserError, match=r"generative.obsm names 'X_pca', which is not there; name one of X_scVI\."):
        read_latents(str(path), "X_pca", CELLS)


def test_an_obsm_of_other_cells_or_without_variance_is_refused(tmp_path: Path) -> None:
    data = anndata.AnnData(np.ones((3, 2)), obs=pd.DataFrame(index=["AC", "TT", "TG"]))
    data.obsm["X_scVI"] = np.ones((3, 2))
    data.write(tmp_path / "a.h5ad")
    with pytest.raises(UserError, match=r"1 paired cell of 2 without a row of their own, such as 's/f/2', while rows"):
        read_latents(str(tmp_path / "a.h5ad"), "X_scVI", CELLS)
    data.obs_names = ["AC", "GT", "TG"]
    data.write(tmp_path / "b.h5ad")
    with pytest.raises(UserError, match="no latent variable varies"):
        read_latents(str(tmp_path / "b.h5ad"), "X_scVI", CELLS)
