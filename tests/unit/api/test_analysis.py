"""The analyses on arrays and tables: equal to the steps, nothing written, inputs left alone, refusals."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anndata
import compare_sisters as compare_sisters_step
import describe_fates as describe_fates_step
import explain_modalities as explain_step
import match_barcodes as match_step
import numpy as np
import pair as pair_step
import pandas as pd
import predict as predict_step
import pytest
from scipy import sparse
from tests.unit.lineage.lineage_examples import as_cells, cell, experiment, family
from tests.unit.pairing.pairing_examples import make_barcodes, make_cells, make_compartments
from tests.unit.prediction.prediction_examples import Planted, simulate

from cineseq.api.analysis import Associations, cluster, explain, predict
from cineseq.api.pairing import pair
from cineseq.api.sisters import compare_sisters
from cineseq.config.expression import Clusters
from cineseq.config.external import External
from cineseq.config.lineage import Lineage
from cineseq.config.prediction import Crossmodal, Folds, Prediction
from cineseq.errors import UserError
from cineseq.expression.cluster import cluster_study
from cineseq.expression.normalise import expression_of
from cineseq.external.paired import read_external_paired
from cineseq.io.adata import adata_of, paired_of, read_paired, write_paired
from cineseq.io.mudata_export import read_mudata
from cineseq.io.paired import BLOCKS, PairedData, in_order
from cineseq.lineage.complete_cells import completed_cells
from cineseq.tables.contract import Table, read_table, write_table
from cineseq.tables.crossmodal import FEATURE_VARIANCE, GENE_VARIANCE, VARIANCE_BY_SAMPLE, VARIANCE_SUMMARY
from cineseq.tables.expression import CLUSTERS
from cineseq.tables.imaging import CELLS, PAIRS
from cineseq.tables.lineage import (
    CONCORDANCE,
    LINEAGE_POWER,
    LINEAGE_SENSITIVITY,
    LINEAGE_WARNINGS,
    STATE_BY_SAMPLE,
    STATE_BY_SISTER,
    TIMES,
)
from cineseq.tables.prediction import (
    BEYOND_COVARIATES,
    BY_SAMPLE,
    GENES,
    PERFORMANCE,
    PREDICTIVE_FEATURES,
    UNUSED_GROUPS,
)

PLANTED = Planted(expression=0.5, morphology=0.3, fields=6, cells_per_field=12, genes=30, features=8, embedding=3)
QUICK = {
    "permutations": 19, "class_permutations": 19, "half_samples": 20, "l1_ratios": [0.5],
    "most_permutations": 39, "alphas": 6, "null_alphas": 3, "sensitivity": [],
}  # fmt: skip
FOLDS = {"outer": 3, "inner": 2}
QUICK_CLUSTERS = {"min_counts": 1, "min_genes": 1, "resamples": 0}
QUICK_CROSSMODAL = {"permutations": 19, "thinnings": 1}


def same_as_file(table: pd.DataFrame, path: Path, contract: Table) -> None:
    """Assert that a table, written as a step writes it, has the bytes of a file."""
    mine = path.with_name(f"mine_{path.name}")
    write_table(table, mine, contract)
    assert mine.read_bytes() == path.read_bytes()


@pytest.fixture(scope="module")
def data() -> PairedData:
    return in_order(simulate(PLANTED, 1))  # as the steps write it


@pytest.fixture
def adata(data: PairedData) -> anndata.AnnData:
    return adata_of(data)


@pytest.fixture(scope="module")
def predicted(data: PairedData) -> Associations:
    return predict(adata_of(data), None, **FOLDS, **QUICK)


@pytest.fixture(scope="module")
def clustered(data: PairedData) -> anndata.AnnData:
    return cluster(adata_of(data), **QUICK_CLUSTERS)


# ---- one AnnData is the form of paired data


def same_data(one: PairedData, other: PairedData) -> None:
    pd.testing.assert_frame_equal(one.obs[other.obs.columns], other.obs)
    assert set(one.obs) == set(other.obs)
    for name in BLOCKS:
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), check_names=False)
    assert (one.counts != other.counts).nnz == 0
    assert list(one.genes) == list(other.genes)


@pytest.mark.parametrize("backed", [None, "r"])
def test_adata_holds_what_the_file_of_the_workflow_holds(data: PairedData, tmp_path: Path, backed: str | None) -> None:
    write_paired(data, tmp_path / "paired.h5ad")
    read = read_paired(tmp_path / "paired.h5ad")
    same_data(read, paired_of(adata_of(data), "test"))
    same_data(paired_of(anndata.read_h5ad(tmp_path / "paired.h5ad", backed=backed), "test"), read)


def test_the_workflow_reads_what_is_saved(data: PairedData, adata: anndata.AnnData, tmp_path: Path) -> None:
    adata.write_h5ad(tmp_path / "own.h5ad")
    read = read_external_paired(tmp_path / "own.h5ad", External())
    for name in BLOCKS:
        pd.testing.assert_frame_equal(getattr(read, name), getattr(data, name), check_names=False)
    assert read.obs["sample"].tolist() == data.obs["sample"].tolist()
    assert (read.counts != data.counts).nnz == 0


def test_adata_has_the_parts_that_are_promised(adata: anndata.AnnData) -> None:
    assert set(adata.obs) >= {"track_id", "sample", "fov", "condition", "function_uptake"}
    assert list(adata.obs["track_id"]) == list(adata.obs_names)
    assert list(adata.obsm["X_embedding"]) == ["embedding_0", "embedding_1", "embedding_2"]
    assert adata.obsm["X_morphology"].shape == (72, 8)
    total = adata.layers["counts"].sum(axis=1)
    expected = np.log1p(adata.layers["counts"].toarray() * np.median(np.asarray(total)) / np.asarray(total))
    np.testing.assert_allclose(adata.X.toarray(), expected, rtol=1e-5)


@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize("place", ["X", "layer", "raw"])
def test_counts_are_found_where_others_keep_them(adata: anndata.AnnData, dense: bool, place: str) -> None:
    counts = adata.layers["counts"].toarray() if dense else sparse.csc_matrix(adata.layers["counts"])
    other = anndata.AnnData(counts if place != "layer" else adata.X, obs=adata.obs, var=adata.var)
    if place == "layer":
        other.layers["counts"] = counts
    if place == "raw":
        other.raw = other.copy()
        other.X = adata.X
    assert (paired_of(other, "test").counts != adata.layers["counts"]).nnz == 0


def test_blocks_without_names_are_numbered(adata: anndata.AnnData) -> None:
    adata.obsm = {"X_morphology": np.arange(144.0).reshape(72, 2), "embedding": sparse.csr_matrix(np.eye(72, 3))}
    adata.obs["features_own"] = 1.5
    read = paired_of(adata, "test")
    assert list(read.morphology) == ["morphology_0", "morphology_1"]
    assert list(read.embedding) == ["embedding_0", "embedding_1", "embedding_2"]
    assert list(read.features) == ["features_own"]


def test_what_others_do_not_say_is_one_sample_and_unknown(adata: anndata.AnnData) -> None:
    read = paired_of(anndata.AnnData(adata.layers["counts"], obs=adata.obs[["function_uptake"]]), "test")
    assert set(read.obs["sample"]) == {"sample"}
    assert read.obs["condition"].isna().all()
    assert read.obs["family"].tolist() == list(adata.obs_names)


# ---- the tables are those that the steps write


def predicted_by_the_step(data: PairedData, folder: Path) -> dict[str, Path]:
    write_paired(data, folder / "paired.h5ad")
    names = (
        *("performance", "samples", "by_sample", "contrasts", "beyond_covariates", "unused_groups", "covariates"),
        *("genes", "overlap", "model_sensitivity"),
    )
    files = {name: folder / f"{name}.tsv" for name in names} | {"predictions": folder / "predictions.parquet"}
    figures = ("ladder", "scatter", "selection", "selected_genes", "overlap_figure")
    predict_step.main(
        paired=folder / "paired.h5ad",
        **files,
        **{name: folder / f"{name}.svg" for name in figures},
        report=folder / "report.json",
        # Clusters in every fold are not part of what cs.predict returns.
        settings=predict_step.Settings(
            prediction=Prediction(**QUICK), folds=Folds(**FOLDS), clusters=Clusters(min_cells=100)
        ),
    )
    return files


def test_predict_gives_the_tables_of_the_step(data: PairedData, predicted: Associations, tmp_path: Path) -> None:
    files = predicted_by_the_step(data, tmp_path)
    found = predicted
    same_as_file(found.performance, files["performance"], PERFORMANCE)
    same_as_file(found.genes, files["genes"], GENES)
    same_as_file(found.by_sample, files["by_sample"], BY_SAMPLE)
    same_as_file(found.beyond_covariates, files["beyond_covariates"], BEYOND_COVARIATES)
    same_as_file(found.unused_groups, files["unused_groups"], UNUSED_GROUPS)
    features = PREDICTIVE_FEATURES.check(found.features)
    assert set(features["block"]) == {"morphology", "embedding"}
    assert len(features) == 11
    # the first three features carry the state that function goes with
    carriers = ["morphology_area_um2", "morphology_shape0", "morphology_shape1"]
    assert set(features.sort_values("univariate_rho").tail(3)["feature"]) == set(carriers)
    assert features.set_index("feature")["frequency"].idxmax() in carriers


def test_explain_gives_the_tables_of_the_step(data: PairedData, adata: anndata.AnnData, tmp_path: Path) -> None:
    write_paired(data, tmp_path / "paired.h5ad")
    files = {name: tmp_path / f"{name}.tsv" for name in ("genes", "features", "summary", "by_sample")}
    settings = explain_step.Settings(crossmodal=Crossmodal(**QUICK_CROSSMODAL))
    rest = {"variance": tmp_path / "f.svg", "report": tmp_path / "r.json", "settings": settings}
    outputs = {f"crossmodal_{name}": path for name, path in files.items()}
    explain_step.main(paired=tmp_path / "paired.h5ad", **outputs, **rest)
    found = explain(adata, **QUICK_CROSSMODAL)
    same_as_file(found.summary, files["summary"], VARIANCE_SUMMARY)
    same_as_file(found.genes, files["genes"], GENE_VARIANCE)
    same_as_file(found.features, files["features"], FEATURE_VARIANCE)
    same_as_file(found.by_sample, files["by_sample"], VARIANCE_BY_SAMPLE)


def test_cluster_gives_the_table_of_the_step(data: PairedData, clustered: anndata.AnnData) -> None:
    expected = cluster_study(data.obs.index, expression_of(data), Clusters(**QUICK_CLUSTERS), 1).table
    expected = CLUSTERS.check(expected)
    for name in ("cluster", "phase", "s_score", "total_counts", "passes_qc", "multiplet"):
        mine = clustered.obs[name].astype(expected[name].dtype).reset_index(drop=True)
        pd.testing.assert_series_equal(mine, expected[name])
    np.testing.assert_array_equal(clustered.obsm["X_umap"], expected[["umap_1", "umap_2"]])
    np.testing.assert_array_equal(clustered.obsm["X_pca"], expected.filter(like="pc_"))
    assert "72 of 72 sequenced cells passed" in clustered.uns["cluster"]["lines"][1]


def test_clusters_enter_the_prediction(clustered: anndata.AnnData) -> None:
    failing = clustered.copy()
    failing.obs["passes_qc"] = pd.array([False] * 12 + [True] * 60, dtype="boolean")
    found = predict(failing, "uptake", **FOLDS, **QUICK)
    by_model = found.performance.set_index(["estimand", "model"])
    assert by_model.loc[("within", "mean"), "n"] == 60
    assert found.genes["cluster_eta2"].notna().any()


CELLS_OF_STEP = make_cells(3, y_px=[10.0, 50.0, 90.0], x_px=[10.0, 50.0, 90.0], morphology_area_um2=[1.0, 2.0, 3.0])
CAGES = make_compartments([(10, 10), (50, 50), (90, 90)])
BARCODES = make_barcodes({"AAAAAAAA": "c0", "CCCCCCCC": "c1", "GGGGGGGG": "c2"})
COUNTS = pd.DataFrame(
    [[3, 0, 1], [2, 2, 0], [0, 5, 5]], index=["AAAAAAAA", "CCCCCCCC", "GGGGGGGT"], columns=["g1", "g2", "g3"]
)


def test_pair_gives_the_data_of_the_steps(tmp_path: Path) -> None:
    cells = CELLS_OF_STEP.assign(function_uptake=[0.5, np.nan, 1.5], sister_id=["s/1/2", "s/1/1", None])
    write_table(CELLS.check(cells), tmp_path / "cells.parquet", CELLS)
    CAGES.to_csv(tmp_path / "rooms.csv", index=False)
    BARCODES.to_csv(tmp_path / "barcodes.csv", index=False)
    COUNTS.to_csv(tmp_path / "counts.csv")
    files = {name: tmp_path / f"{name}.parquet" for name in ("cells", "pairs")}
    counts = {"counts": [tmp_path / "counts.csv"]}
    maps = {"labels": [], "compartments": [tmp_path / "rooms.csv"], "barcodes": [tmp_path / "barcodes.csv"]}
    matched = match_step.Settings(samples=["s"], fields=[{"sample": "s", "fov": "1"}])
    match_step.main(**files, **maps, **counts, report=tmp_path / "m.json", settings=matched)
    paired = pair_step.Settings(samples=["s"])
    written = {"paired": tmp_path / "p.h5ad", "mudata": tmp_path / "p.h5mu", "report": tmp_path / "p.json"}
    pair_step.main(**files, **counts, **written, settings=paired)
    found = pair(CELLS.check(cells), CAGES, BARCODES, COUNTS)
    same_data(paired_of(found, "test"), read_paired(tmp_path / "p.h5ad"))
    same_data(read_mudata(tmp_path / "p.h5mu"), read_paired(tmp_path / "p.h5ad"))
    pd.testing.assert_frame_equal(
        PAIRS.check(found.uns["pairs"].reset_index(drop=True)), read_table(files["pairs"], PAIRS)
    )
    # the letter that was read wrongly is corrected and said
    assert found.obs["barcode_edits"].tolist() == [0, 0, 1]


def sisters(**settings: object) -> tuple[pd.DataFrame, Lineage]:
    return experiment(0, founders=60), Lineage(permutations=199, **settings)


def test_compare_sisters_gives_the_tables_of_the_steps(tmp_path: Path) -> None:
    cells, lineage = sisters()
    write_table(cells, tmp_path / "cells.parquet", CELLS)
    of_sisters = ("states", "states_by_sample", "power", "warnings", "sensitivity")
    of_fates = ("incidence", "concordance", "fate_odds", "times", "survival", "fading", "fate_pairs")
    files = {name: tmp_path / f"{name}.tsv" for name in (*of_sisters, *of_fates)}
    first = {name: tmp_path / f"{name}.svg" for name in ("trees", "trees_by_state", "forest")}
    compare_sisters_step.main(
        cells=tmp_path / "cells.parquet",
        compartments=[],
        **{name: files[name] for name in of_sisters},
        **first,
        report=tmp_path / "r.json",
        settings=compare_sisters_step.Settings(lineage=lineage),
    )
    second = {name: tmp_path / f"{name}.svg" for name in ("incidence_figure", "survival_figure", "fate_pairs_figure")}
    describe_fates_step.main(
        cells=tmp_path / "cells.parquet",
        **{name: files[name] for name in of_fates},
        **second,
        report=tmp_path / "d.json",
        settings=describe_fates_step.Settings(lineage=lineage),
    )
    found = compare_sisters(cells, permutations=199)
    same_as_file(found.concordance, files["concordance"], CONCORDANCE)
    same_as_file(found.times, files["times"], TIMES)
    same_as_file(found.state_by_sister, files["states"], STATE_BY_SISTER)
    same_as_file(found.power, files["power"], LINEAGE_POWER)
    same_as_file(found.sensitivity, files["sensitivity"], LINEAGE_SENSITIVITY)
    same_as_file(found.warnings, files["warnings"], LINEAGE_WARNINGS)
    same_as_file(found.by_sample, files["states_by_sample"], STATE_BY_SAMPLE)


def test_compare_sisters_derives_what_is_missing() -> None:
    cells = experiment(0, founders=60)
    needed = ["track_id", "sample", "fov", "parent_id", "start_frame", "end_frame", "end_kind"]
    states = [c for c in cells if c.startswith("state_")]
    more = ["condition", "start_hours", "end_hours", "start_y_px", "start_x_px"]
    few = cells[[*needed, *states, *(c for c in more if c in cells)]]
    one, other = (compare_sisters(table, permutations=99) for table in (cells, few))
    for name in ("concordance", "times", "state_by_sister", "power", "sensitivity", "warnings"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))


def test_fates_follow_from_ends_and_unknown_stays_unknown() -> None:
    rows = [*family("f", "death", "lost"), cell("g", "g", 0, 5, "left_fov")]
    table = as_cells(rows)[["track_id", "parent_id", "start_frame", "end_frame", "end_kind"]]
    done = completed_cells(table).set_index("track_id")
    assert done["fate"].to_dict() == {"f": "division", "f.0": "death", "f.1": "unknown", "g": "unknown"}
    assert done["alive_at_end"].isna().to_dict() == {"f": True, "f.0": False, "f.1": True, "g": True}
    assert done["founder_id"].to_dict() == {"f": "f", "f.0": "f", "f.1": "f", "g": "g"}
    assert done["generation"].to_dict() == {"f": 0, "f.0": 1, "f.1": 1, "g": 0}
    assert done["sister_id"].dropna().to_dict() == {"f.0": "f.1", "f.1": "f.0"}
    assert done["start_kind"].to_dict() == {
        "f": "first_frame",
        "f.0": "division",
        "f.1": "division",
        "g": "first_frame",
    }


def test_daughters_of_a_mother_that_is_not_in_the_table_are_sisters() -> None:
    table = as_cells(family("f", "death", "lost"))[["track_id", "parent_id", "start_frame", "end_frame", "end_kind"]]
    done = completed_cells(table.iloc[1:])
    assert done["founder_id"].tolist() == ["f", "f"]
    assert done["sister_id"].tolist() == ["f.1", "f.0"]


def test_a_column_of_compartments_places_dead_neighbours() -> None:
    """Half of the survivors that lost no sister sit beside a dead cell of another family."""
    rows = []
    for k in range(24):
        beside = "dead" if k % 2 else "alone"
        rows += family(f"f{k}", "end_of_movie", "end_of_movie", state_x=float(k % 3 == 0))
        rows.append(cell(f"d{k}", f"d{k}", 0, 20, "death"))
        for row in rows[-4:]:
            row["compartment_id"] = f"{k}{row['track_id'][-2:]}"
        if beside == "dead":
            rows[-1]["compartment_id"] = rows[-2]["compartment_id"]
    compartment = [row.pop("compartment_id") for row in rows]
    found = compare_sisters(as_cells(rows).assign(compartment_id=compartment), permutations=99, birth_time_bins=1)
    by_contrast = found.state_by_sister.set_index("contrast")
    assert by_contrast.loc["mate_died_vs_none", "families"] == 24
    power = found.power.set_index("contrast").loc["mate_died_vs_none"]
    assert (power["died"], power["survived"]) == (12, 12)


# ---- tracks, tables of features, several samples


def tracked() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two cells over three frames, whose labels change from frame to frame."""
    tracks = pd.DataFrame({
        "track_id": ["s/1/1", "s/1/2"], "sample": "s", "fov": "1", "start_frame": 0, "end_frame": 2, "parent_id": None,
        "end_kind": "end_of_movie", "end_y_px": [10.0, 50.0], "end_x_px": [10.0, 50.0],
    })  # fmt: skip
    detections = pd.DataFrame({
        "track_id": ["s/1/1"] * 3 + ["s/1/2"] * 3, "frame": [0, 1, 2] * 2, "label": [1, 2, 2, 2, 1, 1],
        "y_px": [9.0, 9.5, 10.0, 48.0, 49.0, 50.0], "x_px": [9.0, 9.5, 10.0, 48.0, 49.0, 50.0],
    })  # fmt: skip
    return tracks, detections


FEATURES = pd.DataFrame({
    "frame": [0, 0, 1, 1, 2, 2], "label": [1, 2, 1, 2, 1, 2], "morphology_area_um2": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
})  # fmt: skip


@pytest.mark.parametrize("how", ["detections", "result", "column", "attrs"])
def test_features_by_frame_and_label_follow_the_tracks(how: str) -> None:
    tracks, detections = tracked()
    given = {"detections": detections} if how == "detections" else {}
    if how == "result":
        tracks = SimpleNamespace(tracks=tracks, detections=detections)
    if how == "column":
        tracks["end_label"] = [2, 1]
    if how == "attrs":
        tracks.attrs["end_label"] = {"s/1/1": 2, "s/1/2": 1}
    other = FEATURES[["frame", "label"]].assign(embedding_0=-FEATURES["morphology_area_um2"])
    found = pair(tracks, CAGES, BARCODES, COUNTS, (FEATURES, other), **given)
    assert found.obsm["X_morphology"]["morphology_area_um2"].tolist() == [6.0, 5.0]
    assert found.obsm["X_embedding"]["embedding_0"].tolist() == [-6.0, -5.0]
    assert found.obs["y_px"].tolist() == [10.0, 50.0]
    assert found.obs["feature_frame"].tolist() == [2, 2]


def test_a_window_of_frames_is_averaged_and_a_table_by_cell_joined() -> None:
    tracks, detections = tracked()
    scores = pd.DataFrame({"track_id": ["s/1/2", "s/1/1"], "function_uptake": [0.2, 0.1]})
    found = pair(tracks, CAGES, BARCODES, COUNTS, [FEATURES, scores], detections=detections, window_frames=2)
    assert found.obsm["X_morphology"]["morphology_area_um2"].tolist() == [5.0, 4.0]
    assert found.obs["function_uptake"].tolist() == [0.1, 0.2]


def test_samples_of_counts_are_told_apart() -> None:
    cells = pd.concat([CELLS_OF_STEP, CELLS_OF_STEP.assign(sample="t", track_id=["t/1/1", "t/1/2", "t/1/3"])])
    rooms, barcodes = (pd.concat([table, table.assign(sample="t")]) for table in (CAGES, BARCODES))
    counts = pd.concat([COUNTS.assign(sample="s"), (10 * COUNTS).assign(sample="t")])
    found = pair(cells, rooms, barcodes, counts)
    assert found.obs["sample"].value_counts().to_dict() == {"s": 3, "t": 3}
    assert np.asarray(found.layers["counts"].sum(axis=1)).ravel().tolist() == [4, 4, 10, 40, 40, 100]
    other = anndata.AnnData(counts.drop(columns="sample").to_numpy(float), obs=counts[["sample"]])
    other.var_names = ["g1", "g2", "g3"]
    same_data(paired_of(pair(cells, rooms, barcodes, other), "test"), paired_of(found, "test"))


def test_without_compartments_every_cell_stands_for_its_own() -> None:
    places = BARCODES.drop(columns="compartment_id").assign(y_px=[10.0, 50.0, 90.0], x_px=[10.0, 50.0, 90.0], fov="1")
    assert pair(CELLS_OF_STEP, None, places, COUNTS).n_obs == 3


# ---- inputs are left as they are, and results depend on the seed alone


def test_inputs_are_not_changed_and_nothing_is_written(
    clustered: anndata.AnnData, no_writing: Callable, tmp_path: Path
) -> None:
    """``clustered`` was made first: numba may fill caches of its own while it compiles."""
    adata = clustered.copy()
    before = adata.copy()
    tracks, detections = tracked()
    tables = [tracks, CAGES, BARCODES, COUNTS, FEATURES, detections, experiment(0, founders=30)]
    copies = [table.copy() for table in tables]
    with no_writing():
        predict(adata, "uptake", **FOLDS, **QUICK)
        explain(adata, **QUICK_CROSSMODAL)
        cluster(adata, **QUICK_CLUSTERS)
        pair(*tables[:4], [FEATURES], detections=detections)
        compare_sisters(tables[-1], permutations=99)
        with pytest.raises(PermissionError):
            (tmp_path / "never").write_text("x")
    assert list(adata.obs) == list(before.obs)
    pd.testing.assert_frame_equal(adata.obs, before.obs)
    assert (adata.X != before.X).nnz == (adata.layers["counts"] != before.layers["counts"]).nnz == 0
    assert list(adata.obsm) == list(before.obsm)
    assert set(adata.uns) == {"cluster"}
    for table, copy in zip(tables, copies, strict=True):
        pd.testing.assert_frame_equal(table, copy)


def test_a_seed_makes_one_result(adata: anndata.AnnData) -> None:
    one, again, other = (explain(adata, seed=seed, **QUICK_CROSSMODAL).summary for seed in (3, 3, 4))
    pd.testing.assert_frame_equal(one, again)
    assert not one.equals(other)


# ---- refusals, and what is not estimable


def renamed_twice(adata: anndata.AnnData) -> anndata.AnnData:
    adata.obs_names = ["a", "a", *adata.obs_names[2:]]
    return adata


def logged(adata: anndata.AnnData) -> anndata.AnnData:
    del adata.layers["counts"]
    return adata


def broken(adata: anndata.AnnData, column: str, value: float) -> anndata.AnnData:
    table = adata.obs if column.startswith("function") else adata.obsm["X_morphology"]
    table.loc[table.index[3], column] = value
    return adata


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (renamed_twice, r"predict: the cell 'a' is there twice; call adata.obs_names_make_unique\(\)"),
        (logged, r"predict: raw counts .* in layers\['counts'\], of X: found fractions"),
        (lambda a: broken(a, "function_uptake", np.inf), "'function_uptake' of cell 's0/0/[0-9]+' is not finite"),
        (
            lambda a: broken(a, "morphology_area_um2", -np.inf),
            "'morphology_area_um2' of cell 's0/0/[0-9]+' is not finite",
        ),
        (lambda a: a.X, "predict: an AnnData was expected, got csr_matrix"),
    ],
)
def test_predict_refuses(adata: anndata.AnnData, change: Callable, message: str) -> None:
    with pytest.raises(UserError, match=message):
        predict(change(adata), "uptake", **QUICK)


def test_names_are_answered_with_the_nearest(adata: anndata.AnnData) -> None:
    with pytest.raises(UserError, match=r"predict: adata.obs has no function 'uptak', did you mean 'uptake'\?"):
        predict(adata, "uptak")
    with pytest.raises(UserError, match=r"predict: there is no setting 'permutation', did you mean 'permutations'\?"):
        predict(adata, "uptake", permutation=19)
    with pytest.raises(UserError, match=r"cluster: there is no setting 'resolutions', did you mean 'resolution'\?"):
        cluster(adata, resolutions=1.0)
    with pytest.raises(UserError, match=r"explain: permutations: .* \(got -1\)"):
        explain(adata, permutations=-1)
    with pytest.raises(UserError, match="'dose' is not a column of the paired cells"):
        predict(adata, "uptake", groups=["dose"], **QUICK)
    with pytest.raises(UserError, match="the argument function names none"):
        predict(adata, [])


@pytest.mark.parametrize("call", [cluster, partial(predict, function="uptake"), explain])
@pytest.mark.parametrize("seed", [-1, 1.5, "x", True, 2**32])
def test_seeds_that_no_generator_takes_are_named(adata: anndata.AnnData, call: Callable, seed: object) -> None:
    with pytest.raises(UserError, match=f"seed: {seed!r} should be a whole number from 0 to 4294967295"):
        call(adata, seed=seed)


def test_a_number_of_processes_is_at_least_one(adata: anndata.AnnData) -> None:
    with pytest.raises(UserError, match="threads: 0 should be a whole number from 1"):
        predict(adata, "uptake", threads=0)
    with pytest.raises(UserError, match="threads: -1 should be a whole number from 1"):
        explain(adata, threads=-1)


def test_any_numeric_column_can_be_predicted(adata: anndata.AnnData, predicted: Associations) -> None:
    adata.obs["killing"] = adata.obs["function_uptake"].to_numpy()
    other = predict(adata, "killing", **FOLDS, **QUICK).performance
    assert set(other["function"]) == {"function_killing"}
    # The control shuffles cells by random numbers that belong to the name of the function.
    same, others = (rows[rows["model"] != "both_permuted"]["r2"] for rows in (predicted.performance, other))
    pd.testing.assert_series_equal(same, others)


def test_too_few_cells_are_not_estimable_and_the_tables_say_so(adata: anndata.AnnData) -> None:
    few = adata[:20]
    predicted = predict(few, "uptake", **QUICK)
    assert predicted.performance["r2"].isna().all()
    assert set(predicted.performance["note"]) == {
        "not estimable: only 20 cells with a value, fewer than folds.min_cells = 30"
    }
    assert len(predicted.genes) == len(predicted.features) == 0
    assert explain(few).summary["note"].str.startswith("not estimable: only 20 cells").all()
    grouped = cluster(few, **QUICK_CLUSTERS)
    assert grouped.obs["cluster"].isna().all()
    assert grouped.uns["cluster"]["lines"][-1].startswith("Clusters are not estimable: 20 cells passed")
    assert grouped.obsm["X_umap"].shape == (20, 2)


def test_pair_refuses_what_cannot_be_joined() -> None:
    tracks, detections = tracked()
    with pytest.raises(UserError, match="require the track of each label; set detections="):
        pair(tracks, CAGES, BARCODES, COUNTS, [FEATURES])
    with pytest.raises(UserError, match="no row of a table matches a tracked cell in its feature frame"):
        pair(tracks, CAGES, BARCODES, COUNTS, [FEATURES.assign(frame=FEATURES["frame"] + 9)], detections=detections)
    with pytest.raises(UserError, match="column 'area' of table 1 belongs to no block"):
        pair(tracks, CAGES, BARCODES, COUNTS, [FEATURES.rename(columns={"morphology_area_um2": "area"})])
    with pytest.raises(UserError, match="table 2 lacks 'frame' and 'label', or 'track_id'"):
        pair(tracks, CAGES, BARCODES, COUNTS, [FEATURES, FEATURES.drop(columns="label")])
    with pytest.raises(UserError, match=r"counts of sample 's': counts .* were expected, found negative values"):
        pair(CELLS_OF_STEP, CAGES, BARCODES, -COUNTS)
    with pytest.raises(UserError, match="compartments, row 3: compartment 'c0' of sample 's' is listed"):
        pair(CELLS_OF_STEP, pd.concat([CAGES, CAGES.iloc[:1]], ignore_index=True), BARCODES, COUNTS)
    with pytest.raises(UserError, match="tracks: the column 'track_id' is missing"):
        pair(CELLS_OF_STEP.drop(columns="track_id"), CAGES, BARCODES, COUNTS)
    with pytest.raises(UserError, match="none of the 2 cells is alive"):
        pair(tracks.drop(columns="end_kind"), CAGES, BARCODES, COUNTS)


def in_register(offset: float) -> dict[str, pd.DataFrame]:
    """Return a full array of 16 compartments with a cell and a barcode in each."""
    cages = make_compartments([(offset + 50 * i, offset + 50 * j) for i in range(4) for j in range(4)])
    where = {"y_px": cages["y_px"].tolist(), "x_px": cages["x_px"].tolist()}
    names = [f"{'ACGT'[i // 4] * 4}{'ACGT'[i % 4] * 4}" for i in range(16)]
    return {
        "tracks": make_cells(16, **where),
        "compartments": cages,
        "barcodes": pd.DataFrame({"barcode": names, "sample": "s", "fov": "1", **where}),
        "counts": pd.DataFrame(np.arange(48).reshape(16, 3) + 1, names, ["g1", "g2", "g3"]),
    }


def refusal(**given: Any) -> str:
    with pytest.warns(UserWarning, match="were not paired by position"), pytest.raises(UserError) as caught:
        pair(**given)
    return str(caught.value)


def test_a_map_whose_shift_cannot_be_told_is_refused_with_advice_that_works() -> None:
    given = in_register(25)
    said = refusal(**given)
    assert "several shifts of the map of barcodes fit the compartments of field s/1" in said
    assert "give max_shift=0.5, if the two maps are known to be in register, or image_size_px=(height, width)" in said
    assert "parquet" not in said
    assert pair(**given, max_shift=0.5).n_obs == 16
    # An image that shows the edges of the array tells it; one that ends with it does not, and is no advice any more.
    assert pair(**in_register(250), image_size_px=(650, 650)).n_obs == 16
    said = refusal(**given, image_size_px=(200, 200))
    assert "max_shift=0.5" in said
    assert "image_size_px" not in said
    # Barcodes that are elsewhere have another reason.
    away = given["barcodes"].assign(y_px=np.linspace(0, 9000, 16), x_px=np.linspace(0, 31, 16) ** 2)
    assert "barcodes do not fit the compartments" in refusal(**given | {"barcodes": away})


NO_SIZES = [400, (400,), (400, 400, 2), "big", "ab", (-5, 10), (np.nan, 5), (None, 5), (True, 5), (9e9, 5)]


@pytest.mark.parametrize("size", NO_SIZES)
def test_a_size_of_images_that_is_none_is_refused_in_one_sentence(size: Any) -> None:
    with pytest.raises(
        UserError, match=r"^image_size_px: .* should be height and width of the images in pixels"
    ) as said:
        pair(CELLS_OF_STEP, CAGES, BARCODES, COUNTS, image_size_px=size)
    assert str(said.value).count(". ") == 0


def test_a_size_of_images_may_be_a_list_or_an_array() -> None:
    for size in ([100, 100], np.array([100, 100]), (100.0, 100.0)):
        assert pair(CELLS_OF_STEP, CAGES, BARCODES, COUNTS, image_size_px=size).n_obs == 3


def test_tables_without_rows_are_said() -> None:
    with pytest.raises(UserError, match=r"^counts: the table has no rows; give one row of counts per barcode\.$"):
        pair(CELLS_OF_STEP, CAGES, BARCODES, COUNTS[:0])
    with pytest.raises(UserError, match=r"status of pairs: 3 no_barcode\), so nothing can be paired; check that cells"):
        pair(CELLS_OF_STEP, CAGES, BARCODES[:0], COUNTS)


def test_compare_sisters_refuses_impossible_lineages() -> None:
    table = as_cells(family("f", "death", "lost"))
    with pytest.raises(UserError, match="cells: the column 'end_kind' is missing"):
        compare_sisters(table.drop(columns="end_kind"))
    circle = table.drop(columns=["founder_id", "generation", "sister_id"]).assign(parent_id=["f.0", "f", "f"])
    with pytest.raises(UserError, match=r"cells: cell .f(\.0)?. descends from itself"):
        compare_sisters(circle)
    wrong = "'end_kind' has 1 wrong value, the first in row 1: 'died'; expected one of division, death"
    with pytest.raises(UserError, match=wrong):
        compare_sisters(table.assign(end_kind=["division", "died", "lost"]).drop(columns="fate"))
    with pytest.raises(UserError, match="seed: -1 should be a whole number"):
        compare_sisters(table, seed=-1)
    with pytest.raises(UserError, match="gene_sets needs counts"):
        compare_sisters(table, gene_sets={"stress": ["g1"]})


def shuffled(adata: anndata.AnnData) -> anndata.AnnData:
    return adata[np.random.default_rng(3).permutation(adata.n_obs)].copy()


def sixty_cells() -> anndata.AnnData:
    rng = np.random.default_rng(5)
    obs = pd.DataFrame({"sample": np.repeat(list("abcdef"), 10), "function_uptake": rng.normal(size=60)})
    obs.index = [f"cell{k}" for k in range(60)]
    shape = pd.DataFrame({"morphology_area_um2": rng.normal(size=60)}, index=obs.index)
    return anndata.AnnData(rng.poisson(3, (60, 20)).astype(float), obs=obs, obsm={"X_morphology": shape})


def test_the_order_of_rows_changes_no_result(data: PairedData, predicted: Associations) -> None:
    state = np.random.get_state()[1].copy()  # noqa: NPY002 - the global generator is what must not move
    found = predict(shuffled(adata_of(data)), None, **FOLDS, **QUICK)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    pd.testing.assert_frame_equal(found.performance, predicted.performance)
    few = {"permutations": 9, "thinnings": 1}
    adata = sixty_cells()
    pd.testing.assert_frame_equal(explain(adata, **few).genes, explain(shuffled(adata), **few).genes)


def test_a_cell_without_a_sample_is_refused() -> None:
    adata = sixty_cells()
    adata.obs.loc["cell3", "sample"] = None
    with pytest.raises(UserError, match=r"predict: cell 'cell3' has no value in adata.obs\['sample'\]"):
        predict(adata, "uptake")


def test_where_no_cell_passes_the_reason_is_quality() -> None:
    adata = sixty_cells()
    adata.obs["passes_qc"] = False
    found = predict(adata, "uptake", permutations=0, sensitivity=[])
    assert set(found.performance["note"]) == {"not estimable: no paired cell passed quality control"}


def test_unknown_normalisations_are_refused() -> None:
    with pytest.raises(UserError, match="normalisation='zz' is not known"):
        explain(sixty_cells(), normalisation="zz")


def test_a_dead_cell_is_not_alive_at_the_end() -> None:
    tracks = pd.DataFrame({"track_id": ["a"], "end_kind": ["death"], "alive_at_end": [True], "y_px": 1.0, "x_px": 1.0})
    with pytest.raises(UserError, match="'a' is alive_at_end, but its end_kind is death"):
        pair(tracks, None, pd.DataFrame({"barcode": ["A"], "compartment_id": ["a"]}), pd.DataFrame([[1]], ["A"], ["g"]))
