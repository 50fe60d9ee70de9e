"""External tables of cells and external paired data, read with the names that a user has."""

import logging
from dataclasses import replace
from pathlib import Path

import anndata
import import_cells
import import_paired
import mudata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import sparse
from tests.unit.pairing.pairing_examples import write

from cineseq.config.base import FieldOfView
from cineseq.config.external import External
from cineseq.config.pairing import Pairing
from cineseq.errors import SeriousRemarks, UserError
from cineseq.external.cell_columns import as_text
from cineseq.external.cells import cells_of_paired, cells_of_tables
from cineseq.external.lineages import read_families
from cineseq.external.paired import only_file, read_external_paired
from cineseq.io.adata import read_paired, write_paired
from cineseq.io.delimited import read_plain
from cineseq.io.mudata_export import blocks_apart, write_mudata
from cineseq.io.paired import PairedData
from cineseq.tables.contract import read_table
from cineseq.tables.imaging import CELLS

NAMED = "id,function_speed,morphology_area,class,mouse\nc1,1.5,3,exc,7\nc2,,4,inh,8\nc3,2.5,,exc,\n"


def imported(
    folder: Path, tables: list[Path], counts: list[Path], **settings: object
) -> tuple[pd.DataFrame, PairedData]:
    outputs = {"cells": folder / "cells.parquet", "csv": folder / "cells.csv"}
    outputs |= {"paired": folder / "paired.h5ad", "mudata": folder / "paired.h5mu", "report": folder / "report.json"}
    import_cells.main(external=tables, counts=counts, **outputs, settings=import_cells.Settings(**settings))
    cells = read_table(outputs["cells"], CELLS)
    assert read_table(outputs["csv"], CELLS)["track_id"].tolist() == cells["track_id"].tolist()
    return cells, read_paired(outputs["paired"])


def test_ready_named_columns_need_no_configuration(tmp_path: Path) -> None:
    table = write(tmp_path / "cells.csv", NAMED)
    counts = write(tmp_path / "counts.csv", "id,g1,g2\nc3,1,2\nc1,3,4\nx,5,6\n")
    cells, data = imported(tmp_path, [table], [counts], external=External(groups={"mouse": "mouse"}))
    assert cells["track_id"].tolist() == ["c1", "c2", "c3"]
    assert cells["function_speed"].fillna(-1).tolist() == [1.5, -1, 2.5]
    assert data.obs.index.tolist() == ["c1", "c3"]
    assert data.counts.toarray().tolist() == [[3, 4], [1, 2]]
    assert data.obs["group_class"].tolist() == ["exc", "exc"]
    assert data.obs["group_mouse"].fillna("?").tolist() == ["7", "?"]
    assert data.obs["family"].tolist() == ["c1", "c3"]
    assert set(data.obs["sample"]) == {"study"}
    assert data.morphology["morphology_area"].isna().tolist() == [False, True]


def test_arbitrary_names_several_tables_and_an_angle(tmp_path: Path) -> None:
    first = write(tmp_path / "a.csv", ",phase,drug name\n01_x,0.0,no\n02_x,1.5707963267948966,yes\n")
    second = write(tmp_path / "b.tsv", "cell\tsoma size\tsoma class\tdepth\n02x\t5\tround\t9\n03x\t6\tflat\t9\n")
    counts = write(tmp_path / "counts.tsv", "gene\t01x\t02x\ng1\t1\t2\ng2\t3\t4\n")
    columns = External(
        id=["cell"],
        id_replace={"_": ""},
        function={"theta": "phase"},
        circular=["theta"],
        morphology=["soma *"],
        groups={"condition": "drug name"},
        states={"shape": "soma class"},
    )
    pairing = Pairing(counts_orientation="genes_by_cells")
    cells, data = imported(tmp_path, [first, second], [counts], external=columns, pairing=pairing)
    assert cells["track_id"].tolist() == ["01x", "02x"]
    assert cells["condition"].tolist() == ["no", "yes"]
    assert cells["state_shape"].fillna("?").tolist() == ["?", "round"]
    np.testing.assert_allclose(data.function[["function_theta_cos", "function_theta_sin"]], [[1, 0], [0, 1]], atol=1e-9)
    assert list(data.function) == ["function_theta_cos", "function_theta_sin"]
    assert data.morphology.fillna(0).to_dict("list") == {"morphology_soma size": [0, 5]}
    assert data.counts.toarray().tolist() == [[1, 3], [2, 4]]


def test_tables_of_two_samples_are_kept_apart(tmp_path: Path) -> None:
    tables = [write(tmp_path / f"{s}.csv", f"id,function_f\nc1,{v}\nc2,3\n") for s, v in (("a", 1), ("b", 2))]
    counts = [write(tmp_path / f"n{s}.csv", f"id,g\nc1,{v}\nc2,9\n") for s, v in (("a", 1), ("b", 2))]
    rows = [FieldOfView(sample=s, condition=f"drug {s}") for s in "ab"]
    cells, data = imported(tmp_path, tables, counts, rows=rows, samples=["a", "b"])
    assert cells["track_id"].tolist() == ["a/c1", "a/c2", "b/c1", "b/c2"]
    assert cells["condition"].tolist() == ["drug a", "drug a", "drug b", "drug b"]
    assert data.counts.toarray().ravel().tolist() == [1, 9, 2, 9]


def test_cells_without_counts_are_paired_data_without_expression(tmp_path: Path) -> None:
    _, data = imported(tmp_path, [write(tmp_path / "a.csv", NAMED)], [])
    assert data.counts is None
    assert len(data.obs) == 3


@pytest.mark.parametrize(
    ("text", "named", "words"),
    [
        ("name,function_f\na,1\n", {}, "no column with the names of cells, 'id'"),
        ("id,function_f\na,1\na,2\n", {}, "row 3: the cell 'a' is listed twice"),
        ("id,function_f\n,1\n", {}, "row 2: the cell has no name in column 'id'"),
        ("id,function_f\na,\nb,\n", {}, "function_f has no value in any of the 2 cells"),
        ("id,function_f\na,1\nb,high\n", {}, "column 'function_f' should hold numbers, but cell 'b' has 'high'"),
        ("id,x\na,1\n", {"function": {"f": "y"}}, r"external\.function\.f: there is no column 'y'"),
        ("id,x\na,1\n", {"morphology": ["soma*"]}, r"external\.morphology: no numeric column"),
        ("id,x\na,round\n", {"morphology": ["x"]}, "column 'x' should hold numbers, but cell 'a' has 'round'"),
        ("id,x\n", {}, "the table has no rows"),
        ("", {}, "not a readable table"),
    ],
)
def test_bad_tables_are_refused(tmp_path: Path, text: str, named: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=f"a.csv.*{words}|{words}.*a.csv"):
        cells_of_tables([write(tmp_path / "a.csv", text)], [], External(**named))


def test_tables_and_counts_without_a_common_cell_are_refused(tmp_path: Path) -> None:
    one, two = (write(tmp_path / f"{n}.csv", f"id,function_{n}\n{n}1,1\n") for n in "ab")
    with pytest.raises(UserError, match=r"none of its cells \(such as 'b1'\) is in .*a\.csv .*external\.id_replace"):
        cells_of_tables([one, two], [], External())
    counts = write(tmp_path / "counts.csv", "id,g\nz,1\n")
    with pytest.raises(
        UserError, match=r"counts\.csv: none of the external cells \(\['a1'\], .* in the counts \(\['z'\]"
    ):
        imported(tmp_path, [one], [counts])
    with pytest.raises(UserError, match="one row of the sample sheet was expected for each of the 1 tables, got 2"):
        cells_of_tables([one], [FieldOfView(), FieldOfView()], External())
    assert not (tmp_path / "cells.parquet").exists()


def test_configuration_names_are_checked() -> None:
    with pytest.raises(ValidationError, match="circular: 'theta' is not a name under function"):
        External(circular=["theta"])
    with pytest.raises(ValidationError, match="'sample_1 /' should be made of letters"):
        External(groups={"sample_1 /": "x"})
    with pytest.raises(ValidationError, match=r"'\(' is not a regular expression"):
        External(id_replace={"(": ""})


def test_whole_numbers_with_gaps_read_as_whole_numbers() -> None:
    assert as_text(pd.Series([1.0, np.nan])).fillna("?").tolist() == ["1", "?"]
    assert as_text(pd.Series([1.5, np.nan])).fillna("?").tolist() == ["1.5", "?"]


def test_separators_are_told_from_the_header(tmp_path: Path) -> None:
    for name, text in (("a.csv", "id;x\n1;2,5\n"), ("b.csv", "id\tx, y\n1\t2\n"), ("c.tsv", "id,x\n1,2\n")):
        assert read_plain(write(tmp_path / name, text)).columns[0] == "id"


def make_h5ad(path: Path, **obs: list[object]) -> Path:
    frame = pd.DataFrame(obs, index=["c1", "c2"])
    data = anndata.AnnData(sparse.csr_matrix([[1, 0], [2, 3]]), frame, pd.DataFrame(index=["g1", "g2"]))
    data.obsm["morphology"] = pd.DataFrame({"area": [4.0, 5.0]}, index=frame.index)
    data.write(path)
    return path


def test_h5ad_with_blocks_in_obs_and_obsm(tmp_path: Path) -> None:
    path = make_h5ad(tmp_path / "a.h5ad", speed=[1.0, 2.0], lane=["x", "y"])
    columns = External(function={"speed": "speed"}, groups={"sample": "lane"})
    outputs = {"paired": tmp_path / "paired.h5ad", "mudata": tmp_path / "paired.h5mu"}
    outputs |= {"csv": tmp_path / "cells.csv", "report": tmp_path / "report.json"}
    import_paired.main(external=[path], **outputs, settings=import_paired.Settings(external=columns))
    with blocks_apart():
        assert mudata.read_h5mu(outputs["mudata"]).mod["function"].X.ravel().tolist() == [1, 2]
    data = read_paired(outputs["paired"])
    assert data.obs["sample"].tolist() == ["x", "y"]
    assert data.counts.toarray().tolist() == [[1, 0], [2, 3]]
    assert data.morphology.to_dict("list") == {"morphology_area": [4, 5]}
    assert data.function.to_dict("list") == {"function_speed": [1, 2]}
    cells = read_table(outputs["csv"], CELLS).set_index("track_id")
    assert cells[["sample", "function_speed", "morphology_area"]].to_dict("list") == {
        "sample": ["x", "y"],
        "function_speed": [1, 2],
        "morphology_area": [4, 5],
    }


def test_mudata_of_others_and_of_our_own(tmp_path: Path) -> None:
    rna = anndata.read_h5ad(make_h5ad(tmp_path / "a.h5ad", speed=[1.0, 2.0]))
    del rna.obsm["morphology"]
    shape = anndata.AnnData(np.array([[7.0], [8.0]]), pd.DataFrame(index=["c2", "c1"]), pd.DataFrame(index=["area"]))
    mudata.MuData({"rna": rna, "morphology": shape}).write(tmp_path / "other.h5mu")
    data = read_external_paired(tmp_path / "other.h5mu", External(function={"speed": "speed"}))
    assert data.morphology["morphology_area"].to_dict() == {"c1": 8, "c2": 7}
    write_mudata(data, tmp_path / "own.h5mu")
    again = read_external_paired(tmp_path / "own.h5mu", External())
    assert again.obs["family"].tolist() == ["c1", "c2"]
    assert cells_of_paired(again)["function_speed"].tolist() == [1, 2]
    assert again.function.to_dict("list") == {"function_speed": [1, 2]}


def test_our_own_h5ad_is_read_unchanged_unless_columns_are_named(tmp_path: Path) -> None:
    path = make_h5ad(tmp_path / "a.h5ad", function_speed=[1.0, 2.0])
    data = read_external_paired(path, External())
    data = replace(data, obs=data.obs.assign(founder_id=["r", "r"], family=["r", "r"], barcode_edits=[0, 1]))
    write_paired(data, tmp_path / "own.h5ad")
    again = read_external_paired(tmp_path / "own.h5ad", External())
    assert again.obs[["family", "barcode_edits"]].to_dict("list") == {"family": ["r", "r"], "barcode_edits": [0, 1]}
    assert again.function.to_dict("list") == {"function_speed": [1, 2]}
    assert again.morphology.to_dict("list") == {"morphology_area": [4, 5]}
    assert again.counts.toarray().tolist() == [[1, 0], [2, 3]]
    named = read_external_paired(tmp_path / "own.h5ad", External(function={"edits": "barcode_edits"}))
    assert named.function["function_edits"].tolist() == [0, 1]


def test_bad_paired_data_are_refused(tmp_path: Path) -> None:
    path = make_h5ad(tmp_path / "a.h5ad", speed=[1.0, 2.0])
    with pytest.raises(UserError, match=r"a\.h5ad: there is no function"):
        read_external_paired(path, External())
    with pytest.raises(UserError, match="there is no such file; check the column paired of the sample sheet"):
        read_external_paired(tmp_path / "b.h5ad", External())
    with pytest.raises(UserError, match=r"c\.h5ad: not readable as \.h5ad"):
        read_external_paired(write(tmp_path / "c.h5ad", "no"), External())
    with pytest.raises(UserError, match=r"should be \.h5ad, \.zarr or \.h5mu"):
        read_external_paired(write(tmp_path / "c.rds", "no"), External())
    with pytest.raises(UserError, match="one file of paired data was expected, got 2"):
        only_file([path, path])


def test_angles_in_degrees_are_refused(tmp_path: Path) -> None:
    table = write(tmp_path / "a.csv", "id,phase\nc1,180\nc2,90\n")
    columns = External(function={"theta": "phase"}, circular=["theta"])
    with pytest.raises(UserError, match=r"function_theta .* in radians, but reaches 180; convert"):
        imported(tmp_path, [table], [], external=columns)


FUCCI = External(
    function={"theta": "theta", "gfp": "gfp.median.log10sum.adjust"},
    circular=["theta"],
    morphology=["size", "perimeter", "eccentricity", "dapi.median.log10sum.adjust"],
    groups={"sample": "chip_id"},
)


@pytest.mark.data
def test_fucci_cells(data_folder: Path, tmp_path: Path) -> None:
    folder = data_folder / "fucci_ipsc"
    cells, data = imported(tmp_path, [folder / "cells.csv"], [folder / "counts_888x101.csv"], external=FUCCI)
    assert len(cells) == 888
    assert data.counts.shape == (888, 101)
    assert data.morphology.shape == (888, 4)
    assert data.obs["sample"].nunique() == 6
    radius = np.hypot(data.function["function_theta_cos"], data.function["function_theta_sin"])
    np.testing.assert_allclose(radius, 1)
    row = data.genes.get_loc("CDK1"), data.obs.index.get_loc("20170905-A02")
    assert data.counts[row[1], row[0]] == 1


@pytest.mark.data
def test_patchseq_neurons(data_folder: Path, tmp_path: Path) -> None:
    folder = data_folder / "patchseq_m1"
    columns = External(
        id=["cell id", "Cell"],
        id_replace={"_": ""},
        function={"ap_width": "AP width", "sag": "Sag"},
        morphology=[
            '"apical"*',
            "EMD*",
            "Log1p*",
            "axon*",
            "dendrite*",
            "mean initial*",
            "normalized depth",
            "soma radius",
            "stems*",
        ],
        groups={"mouse": "Mouse", "class": "RNA family"},
    )
    names = ("ephys_values.csv", "m1_patchseq_morph_features.csv", "m1_patchseq_meta_data.csv")
    _, data = imported(
        tmp_path,
        [folder / n for n in names],
        [folder / "gene_counts.csv"],
        external=columns,
        pairing=Pairing(counts_orientation="genes_by_cells"),
    )
    assert data.counts.shape == (1213, 1000)
    assert data.morphology.shape[1] == 61  # 63 less the layer ("2/3") and the cell class, which are text
    with_shape = data.morphology.notna().any(axis=1)
    assert with_shape.sum() == 627
    assert data.function.notna().all(axis=None)
    assert data.obs.loc[with_shape, "group_mouse"].nunique() == 223
    assert data.obs.loc["20180918sample1", "group_class"] == "Vip"


SHEET = FieldOfView(
    sample="lane_1", fov="f7", condition="drug", replicate="r2", metadata=(("donor", "d1"), ("group_dose", "10"))
)
STATED = {"condition": "drug", "replicate": "r2", "group_donor": "d1", "group_dose": "10"}


def stated_of(obs: pd.DataFrame) -> list[dict[str, str]]:
    return obs[["sample", "fov", *STATED]].astype("string").drop_duplicates().to_dict("records")


def other_h5ad(path: Path, **columns: list[str | None]) -> Path:
    """Write four cells of another program, with columns of ``obs``."""
    obs = pd.DataFrame({"function_x": [1.0, 2, 3, 4], **columns}, index=list("abcd"))
    anndata.AnnData(sparse.csr_matrix(np.ones((4, 2), np.float32)), obs, pd.DataFrame(index=["g1", "g2"])).write(path)
    return path


def test_every_start_keeps_what_the_sheet_states(tmp_path: Path) -> None:
    expected = [{"sample": "lane_1", "fov": "f7", **STATED}]
    table = write(tmp_path / "cells.csv", "id,function_x\na,1\nb,2\n")
    counts = write(tmp_path / "counts.csv", "id,g1\na,3\nb,4\n")
    cells, data = imported(tmp_path, [table], [counts], rows=[SHEET], samples=["lane_1"])
    assert stated_of(cells) == expected
    assert stated_of(data.obs) == expected
    files = {"paired": tmp_path / "p.h5ad", "mudata": tmp_path / "p.h5mu", "csv": tmp_path / "p.csv"}
    other = other_h5ad(tmp_path / "other.h5ad")
    settings = import_paired.Settings(rows=[SHEET])
    import_paired.main(external=[other], report=tmp_path / "r.json", **files, settings=settings)
    assert stated_of(read_paired(files["paired"]).obs) == expected
    assert stated_of(read_table(files["csv"], CELLS)) == expected
    assert stated_of(read_external_paired(files["mudata"], External()).obs) == expected


def test_a_file_of_this_pipeline_takes_what_it_does_not_know_from_the_sheet(tmp_path: Path) -> None:
    other = other_h5ad(tmp_path / "other.h5ad", condition=["drug"] * 4, sample=list("sstt"), fov=list("1122"))
    write_paired(read_external_paired(other, External()), tmp_path / "own.h5ad")
    again = read_external_paired(tmp_path / "own.h5ad", External(), SHEET)
    assert again.obs["sample"].tolist() == list("sstt")
    assert again.obs["fov"].tolist() == list("1122")
    assert again.obs[list(STATED)].astype("string").drop_duplicates().to_dict("records") == [STATED]


@pytest.mark.parametrize("start", ["cells", "paired", "lineage"])
def test_a_table_that_contradicts_the_sheet_counts_with_a_warning(
    start: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def read(field: FieldOfView) -> pd.DataFrame:
        if start == "paired":
            return read_external_paired(
                other_h5ad(tmp_path / "o.h5ad", group_donor=["d1", None, "d2", "d1"]), External(), field
            ).obs
        rest = ",parent,birth,end,fate" if start == "lineage" else ""
        rows = "".join(
            f"{cell},1,{donor}{',,0,3,death' if rest else ''}\n"
            for cell, donor in zip("abc", ("d1", "", "d2"), strict=True)
        )
        table = write(tmp_path / "t.csv", f"id,function_x,donor{rest}\n{rows}")
        return read_families(table, field, External()) if rest else cells_of_tables([table], [field], External())

    assert read(SHEET)["group_donor"].tolist()[:3] == ["d1", "d1", "d2"]
    assert (
        "cell 'c' has the donor 'd2', but the sample sheet gives sample 'lane_1' the donor 'd1' (1 such" in caplog.text
    )
    caplog.clear()
    without = SHEET.model_copy(update={"metadata": ()})
    assert read(without)["group_donor"].fillna("?").tolist()[:3] == ["d1", "?", "d2"]
    assert "the sample sheet gives" not in caplog.text


# ---- other names of modalities and tables, and messages with the user's names


def others(folder: Path, names: dict[str, str]) -> Path:
    cells, genes = pd.DataFrame(index=["c1", "c2"]), pd.DataFrame(index=["g1", "g2"])
    parts = {names["rna"]: anndata.AnnData(sparse.csr_matrix([[1.0, 0], [2, 3]]), cells.copy(), genes)}
    for name, column in (("morphology", "area"), ("function", "rate")):
        values = sparse.csr_matrix([[1.0], [2.0]])
        parts[names[name]] = anndata.AnnData(values, cells.copy(), pd.DataFrame(index=[column]))
    with blocks_apart():
        mudata.MuData(parts).write(folder / "other.h5mu")
    return folder / "other.h5mu"


def test_modalities_are_mapped_and_listed(tmp_path: Path) -> None:
    names = {"rna": "gene expression", "morphology": "shape", "function": "ephys"}
    path = others(tmp_path, names)
    with pytest.raises(UserError, match=r"found gene expression, shape and ephys; .* \{rna: gene expression\}"):
        read_external_paired(path, External())
    with pytest.raises(UserError, match=r"there is no function; .* modalities are .*ephys\. .*external\.modalities"):
        read_external_paired(path, External(modalities={"rna": "gene expression"}))
    with pytest.raises(UserError, match=r"external\.modalities\.rna: there is no modality 'genes'; there are gene"):
        read_external_paired(path, External(modalities={"rna": "genes"}))
    data = read_external_paired(path, External(modalities=names))
    assert data.function.to_dict("list") == {"function_rate": [1, 2]}
    assert data.morphology.to_dict("list") == {"morphology_area": [1, 2]}
    assert data.counts.toarray().tolist() == [[1, 0], [2, 3]]


def test_the_modality_of_counts_in_capitals(tmp_path: Path) -> None:
    path = others(tmp_path, {"rna": "RNA", "morphology": "morphology", "function": "function"})
    assert read_external_paired(path, External()).genes.tolist() == ["g1", "g2"]


def test_tables_in_obsm_and_layers_are_mapped_and_listed(tmp_path: Path) -> None:
    data = anndata.read_h5ad(make_h5ad(tmp_path / "a.h5ad", speed=[1.0, 2.0]))
    data.obsm["X_morph"] = data.obsm.pop("morphology")
    data.layers["raw_counts"], data.X = data.X.copy(), data.X * 0.5
    data.obs_names = [" c1", "c2 "]
    data.write(tmp_path / "b.h5ad")
    with pytest.raises(UserError, match=r"external\.obsm\.morphology: there is no table in obsm 'morph'; there are X"):
        read_external_paired(tmp_path / "b.h5ad", External(obsm={"morphology": "morph"}, function={"speed": "speed"}))
    external = External(obsm={"morphology": "X_morph"}, function={"speed": "speed"})
    with pytest.raises(UserError, match=r"layers\['raw_counts'\]\. .*pairing\.counts_layer"):
        read_external_paired(tmp_path / "b.h5ad", external)
    found = read_external_paired(tmp_path / "b.h5ad", external, layer="raw_counts")
    assert found.morphology["morphology_area"].to_dict() == {"c1": 4, "c2": 5}
    assert found.counts.toarray().tolist() == [[1, 0], [2, 3]]


@pytest.mark.parametrize(("value", "said"), [("high", "holds? numbers|hold numbers"), ("", "has no value")])
def test_messages_name_the_column_of_the_user(tmp_path: Path, value: str, said: str) -> None:
    table = write(tmp_path / "a.csv", f"id,AP width\nc1,{value}\nc2,{value}\n")
    with pytest.raises(UserError, match=rf"column 'AP width'.*{said}"):
        cells_of_tables([table], [], External(function={"width": "AP width"}))


def test_a_row_of_counts_is_given_to_one_cell(tmp_path: Path) -> None:
    tables = [write(tmp_path / f"{s}.csv", "id,function_f\nc1,1\nc2,3\n") for s in "ab"]
    counts = write(tmp_path / "n.csv", "id,g\nc1,4\nc2,9\n")
    rows = [FieldOfView(sample=s) for s in "ab"]
    with pytest.raises(UserError, match=r"cells 'a/c1' and 'b/c1' would get the same row 'a?/?c1' of one file"):
        imported(tmp_path, tables, [counts, counts], rows=rows, samples=["a", "b"])


def test_words_for_nothing_are_missing_numbers_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    table = write(tmp_path / "a.csv", "id,function_f,condition\nc1,#N/A,None\nc2,3,NA\nc3,NaN,null\n")
    with caplog.at_level("INFO"):
        cells = cells_of_tables([table], [], External())
    assert cells["condition"].tolist() == ["None", "NA", "null"]
    assert cells["function_f"].isna().tolist() == [True, False, True]
    assert "column 'function_f' has 2 words for a missing value ('#N/A', 'NaN')" in caplog.text


NAMES = ["001", "01", "1", "1.10", "1.1", "1e5", "NA", "nan", "None", "True", "12127037390359512345"]


@pytest.mark.parametrize("orientation", ["cells_by_genes", "genes_by_cells"])
def test_names_of_cells_and_genes_are_text(tmp_path: Path, orientation: str) -> None:
    values = pd.DataFrame(np.arange(121).reshape(11, 11), NAMES, NAMES)
    (values if orientation == "cells_by_genes" else values.T).to_csv(tmp_path / "n.csv")
    table = write(tmp_path / "a.csv", "id,function_f\n" + "".join(f"{name},1\n" for name in NAMES))
    _, data = imported(tmp_path, [table], [tmp_path / "n.csv"], pairing=Pairing(counts_orientation=orientation))
    found = pd.DataFrame(data.counts.toarray(), data.obs.index, data.genes).loc[NAMES, NAMES]
    assert found.to_numpy().tolist() == values.to_numpy().tolist()


@given(
    names=st.lists(st.from_regex(r"[a-z]\d{1,3}", fullmatch=True), min_size=1, max_size=6, unique=True),
    below=st.lists(st.sampled_from(["mean", "Total", "SD", "sum "]), max_size=3, unique=True),
)
def test_rows_that_sum_up_the_cells_above_them_are_left_out_and_said(
    names: list[str], below: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("cells") / "cells.csv"
    rows = [f"{name},{k}.5" for k, name in enumerate([*names, *below])]
    write(path, "\n".join(["id,function_score", *rows]) + "\n")
    remarks = SeriousRemarks()
    logging.getLogger("cineseq").addHandler(remarks)
    try:
        cells = cells_of_tables([path], [], External(id=["id"]))
    finally:
        logging.getLogger("cineseq").removeHandler(remarks)
    assert cells["track_id"].tolist() == names
    assert len(remarks.texts) == bool(below)
    assert not below or f"cells.csv, row {len(names) + 2}: " in remarks.texts[0]


def test_a_table_marked_in_capitals_or_by_a_sign_is_a_serious_notice(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "cells.csv", "id,function_score,Condition,Sample\na,1,drug,s1\n#b,2,drug,s2\nc,3,drug,s3\n")
    cells_of_tables([path], [], External())
    assert "row 3: 1 row begins with # and is read like the others" in caplog.messages[0]
    [said] = caplog.messages[1:]  # samples are those of the sheet
    assert "column 'Condition' is not read; call it 'condition'" in said
    caplog.clear()
    path = write(tmp_path / "cells.csv", "id,function_score,condition\na,1,drug\nc,3,drug\n")  # as the sentences say
    assert cells_of_tables([path], [], External())["condition"].tolist() == ["drug", "drug"]
    assert caplog.messages == []


def test_a_cell_in_between_may_have_the_name_of_a_sum(tmp_path: Path) -> None:
    path = write(tmp_path / "cells.csv", "id,function_score\nmean,1.5\nb,2.5\n")
    assert cells_of_tables([path], [], External(id=["id"]))["track_id"].tolist() == ["mean", "b"]


def test_modalities_that_are_not_read_and_cells_without_counts_are_serious_notices(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = others(tmp_path, {"rna": "rna", "morphology": "shape", "function": "function"})
    with blocks_apart():
        data = mudata.read_h5mu(path)
        parts = {name: data.mod[name].copy() for name in data.mod}
        parts["rna"] = parts["rna"][:1].copy()
        mudata.MuData(parts).write(path)
    read_external_paired(path, External())
    said = [record.getMessage() for record in caplog.records if getattr(record, "serious", False)]
    assert f"{path}: 1 modality is not read: 'shape'; name what should be in external.modalities" in said[0]
    assert said[1:] == [f"{path}: left out 1 cell of 2 without counts."]
    caplog.clear()
    read = read_external_paired(path, External(modalities={"morphology": "shape"}))  # what the sentence says
    assert read.morphology.to_dict("list") == {"morphology_area": [1]}
    assert "not read" not in caplog.text


@pytest.mark.parametrize("block", ["morphology", "embedding", "features", "function"])
@pytest.mark.parametrize("prefix", ["", "X_"])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, pd.DataFrame])
def test_tables_of_obsm_are_blocks_whatever_holds_them(tmp_path: Path, block: str, prefix: str, kind: type) -> None:
    data = anndata.read_h5ad(make_h5ad(tmp_path / "a.h5ad", speed=[1.0, 2.0]))
    del data.obsm["morphology"]
    values = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    data.obsm[prefix + block] = (
        pd.DataFrame(values, index=data.obs_names, columns=["0", "1", "2"]) if kind is pd.DataFrame else kind(values)
    )
    data.write(tmp_path / "b.h5ad")
    found = read_external_paired(tmp_path / "b.h5ad", External(function={"speed": "speed"}))
    cells = cells_of_paired(found)
    assert cells[[f"{block}_{k}" for k in range(3)]].to_numpy(float).tolist() == values.tolist()
