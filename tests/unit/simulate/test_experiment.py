"""The simulated experiment as a whole: what is planted is there, and absent where it is made null."""

import hashlib
import json

import anndata
import numpy as np
import pandas as pd
import pytest
import simulate_movie
import simulate_study

from cineseq.config.base import FieldOfView
from cineseq.config.simulate import Simulate
from cineseq.errors import UserError
from cineseq.io.stacks import open_labels, open_movie
from cineseq.simulate.experiment import simulate
from cineseq.simulate.expression import sister_status
from cineseq.simulate.genes import G2M_PHASE, S_PHASE, gene_table
from cineseq.simulate.images import CHANNELS
from cineseq.simulate.latents import balanced, coupling
from cineseq.simulate.sequencing import BARCODE_DISTANCE, design_barcodes, misread
from cineseq.simulate.truth import mantel_haenszel, paired_cells, planted_effects
from cineseq.tables.contract import read_table
from cineseq.tables.imaging import BARCODES, COMPARTMENTS, TRACKS
from cineseq.tables.simulation import SIMULATED_CELLS, SIMULATED_GENES, SIMULATED_POSITIONS
from cineseq.workflow.sample_sheet import read_sheet

SMALL = Simulate(samples=2, fields=1, frames=24, size_px=160, founders=10, genes=350)


def make(folder, settings=SMALL, seed=1):
    files = {
        "compartments": folder / "compartments.csv",
        "barcodes": folder / "barcodes.csv",
        "counts": [folder / f"counts_{s}.h5ad" for s in settings.sample_names],
        **{n: folder / f"truth/{n}.parquet" for n in ("tracks", "positions", "cells")},
        "genes": folder / "truth/genes.tsv",
        "effects": folder / "truth/effects.json",
    }
    simulate_study.main(**files, settings=simulate_study.Settings(simulate=settings, seed=seed))
    return files


def render(files, folder, sample, settings=SMALL):
    movie, masks = folder / f"{sample}.ome.tif", folder / f"{sample}_masks.ome.tif"
    wanted = simulate_movie.Settings(simulate=settings, field=FieldOfView(sample=sample, fov="f1"), seed=1)
    simulate_movie.main(positions=files["positions"], movie=movie, masks=masks, settings=wanted)
    return movie, masks


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return make(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def rendered(small, tmp_path_factory):
    return render(small, tmp_path_factory.mktemp("rendered"), "s1")


@pytest.fixture(scope="module")
def demo():
    return simulate(Simulate(), 1)


@pytest.fixture(scope="module")
def null():
    return simulate(
        Simulate(null_effects=["expression", "morphology", "sister", "clusters", "confounder", "shared"]), 1
    )


def paired_counts(experiment):
    """Log-normalised counts of the paired cells, and those cells."""
    cells = paired_cells(experiment.cells)
    names = [(s, n) for s, library in experiment.libraries.items() for n in library.names]
    counts = np.concatenate([library.counts for library in experiment.libraries.values()])
    rows = pd.MultiIndex.from_tuples(names).get_indexer(
        pd.MultiIndex.from_frame(cells[["sample", "barcode_in_counts"]])
    )
    assert (rows >= 0).all()
    kept = counts[rows]
    return np.log1p(4000 * kept / kept.sum(1, keepdims=True)), cells


def module_score(experiment):
    counts, cells = paired_counts(experiment)
    return counts[:, (experiment.genes["group"] == "function_module").to_numpy()].mean(1), cells


def test_one_seed_makes_one_experiment_bit_for_bit(small, tmp_path):
    again = make(tmp_path)
    for name, path in small.items():
        for one, other in zip(np.atleast_1d(path), np.atleast_1d(again[name]), strict=True):
            digests = {hashlib.sha256(p.read_bytes()).hexdigest() for p in (one, other)}
            assert len(digests) == 1, name


def test_another_seed_makes_another(small, tmp_path):
    other = make(tmp_path, seed=2)
    assert small["positions"].read_bytes() != other["positions"].read_bytes()
    assert small["barcodes"].read_bytes() != other["barcodes"].read_bytes()


def test_one_seed_renders_one_movie(small, rendered, tmp_path):
    again, _ = render(small, tmp_path, "s1")
    with open_movie(rendered[0]) as one, open_movie(again) as other:
        for frame in (0, 13, 23):
            for channel in CHANNELS:
                np.testing.assert_array_equal(one.plane(frame, channel), other.plane(frame, channel))


def test_every_file_keeps_its_contract(small):
    contracts = {
        "compartments": COMPARTMENTS,
        "barcodes": BARCODES,
        "tracks": TRACKS,
        "positions": SIMULATED_POSITIONS,
        "cells": SIMULATED_CELLS,
        "genes": SIMULATED_GENES,
    }
    for name, table in contracts.items():
        assert len(read_table(small[name], table)) > 5, name
    assert json.loads(small["effects"].read_text())["seed"] == 1


def test_counts_are_whole_and_hide_the_truth(small):
    for path in small["counts"]:
        data = anndata.read_h5ad(path)
        assert data.X.format == "csr"
        assert np.issubdtype(data.X.dtype, np.integer)
        assert data.X.min() >= 0
        assert list(data.obs.columns) == list(data.var.columns) == []
        assert list(data.obs_names) == sorted(data.obs_names)
        assert data.obs_names.is_unique
        assert data.var_names.is_unique


def test_movie_says_what_it_is(rendered):
    with open_movie(rendered[0]) as movie:
        assert movie.info.channels == ("nuclear", "brightfield", "lipid")
        assert (movie.info.frames, movie.info.height, movie.info.width) == (24, 160, 160)
        assert (movie.info.pixel_size_um, movie.info.frame_interval_min) == (0.65, 30.0)
        assert movie.plane(0, "nuclear").dtype == np.uint16


def test_masks_hold_each_track_in_each_of_its_frames_and_nothing_else(small, rendered):
    tracks = read_table(small["tracks"], TRACKS).query("sample == 's1'")
    with open_labels(rendered[1]) as labels:
        for frame, plane in enumerate(labels):
            alive = tracks[(tracks["start_frame"] <= frame) & (tracks["end_frame"] >= frame)]
            assert set(np.unique(plane)) - {0} == set(alive["number"])


def test_tracks_are_a_possible_lineage(small):
    tracks = read_table(small["tracks"], TRACKS)
    by_id = tracks.set_index("track_id")
    assert (tracks["frames"] == tracks["end_frame"] - tracks["start_frame"] + 1).all()
    born = tracks.dropna(subset="parent_id")
    assert (born["start_kind"] == "division").all()
    assert (by_id.loc[born["parent_id"], "end_frame"].to_numpy() == born["start_frame"] - 1).all()
    assert (by_id.loc[born["parent_id"], "end_kind"] == "division").all()
    assert (by_id.loc[born["sister_id"], "sister_id"].to_numpy() == born["track_id"]).all()
    assert (born.groupby("parent_id").size() == 2).all()
    assert (tracks["fate"].isin(("division", "death")) == tracks["fate_known"]).all()
    assert tracks.loc[tracks["end_kind"] == "left_fov", "alive_at_end"].isna().all()


def test_function_can_be_measured_in_its_channel(small, rendered):
    cells = read_table(small["cells"], SIMULATED_CELLS).query("sample == 's1'")
    with open_movie(rendered[0]) as movie, open_labels(rendered[1]) as labels:
        lipid, mask = movie.plane(23, "lipid").astype(float), labels[23]
    measured = [lipid[mask == n].mean() - np.median(lipid[mask == 0]) for n in cells["number"]]
    assert np.corrcoef(measured, cells["function"])[0, 1] > 0.85  # 12 cells; > 0.9 in the whole demo
    assert np.abs(np.mean(measured) / cells["function_signal"].mean() - 1) < 0.25


def test_a_dead_cell_shrinks_brightens_and_leaves_debris(small, rendered):
    tracks = read_table(small["tracks"], TRACKS).query("sample == 's1' and end_kind == 'death'")
    assert len(tracks) >= 2
    with open_movie(rendered[0]) as movie, open_labels(rendered[1]) as labels:
        for number, end, y, x in tracks[["number", "end_frame", "end_y_px", "end_x_px"]].itertuples(index=False):
            before, after = labels[end - 4] == number, labels[end] == number
            assert after.sum() < 0.65 * before.sum()
            bright = [movie.plane(f, "nuclear")[m].mean() for f, m in ((end - 4, before), (end, after))]
            assert bright[1] > 1.2 * bright[0]
            square = np.s_[max(0, int(y) - 12) : int(y) + 13, max(0, int(x) - 12) : int(x) + 13]
            debris = movie.plane(end + 1, "nuclear")[square][labels[end + 1][square] == 0]
            assert debris.max() > 3 * np.median(movie.plane(end + 1, "nuclear"))


def test_a_field_that_is_not_there_is_refused(small, tmp_path):
    with pytest.raises(UserError, match="no field 'f1' of sample 's9'"):
        render(small, tmp_path, "s9")


def test_count_files_and_samples_must_agree(tmp_path, small):
    files = dict.fromkeys(("compartments", "barcodes", "tracks", "positions", "cells", "genes", "effects"))
    files = {n: tmp_path / (n + (".csv" if n in ("compartments", "barcodes") else ".parquet")) for n in files}
    with pytest.raises(UserError, match=r"2 samples, but the sample sheet names 1 count file;"):
        simulate_study.main(
            **files, counts=[tmp_path / "a.h5ad"], settings=simulate_study.Settings(simulate=SMALL, seed=1)
        )


def test_the_demo_is_large_enough(demo):
    numbers = planted_effects(demo, Simulate(), 1)
    assert numbers["counts"]["paired_cells"] >= 350
    assert numbers["sisters"]["died_not_caged_early"] >= 45
    paired = paired_cells(demo.cells)
    families = paired.loc[paired["sister_status"] == "died", ["sample", "fov", "root_cell"]].drop_duplicates()
    assert len(families) >= 50
    assert set(demo.cells["pair_status"]) == {"singlet", "multi_cell", "multi_barcode", "no_barcode"}


def test_sister_state_is_planted_within_strata(demo, null):
    assert mantel_haenszel(paired_cells(demo.cells)) >= 4
    assert mantel_haenszel(paired_cells(demo.cells), bins=1) >= 4
    assert 0.5 < mantel_haenszel(paired_cells(null.cells)) < 2


def test_oracle_shares_are_those_asked_for(demo, null):
    planted = planted_effects(demo, Simulate(), 1)["oracle"]
    assert planted["expression_r2"] == pytest.approx(0.30, abs=0.08)
    assert planted["morphology_r2"] == pytest.approx(0.45, abs=0.08)
    assert planted["both_r2"] == pytest.approx(0.60, abs=0.06)
    assert planted["state_r2"] < 0.03
    none = planted_effects(null, Simulate(), 1)["oracle"]
    assert max(none["expression_r2"], none["morphology_r2"], none["both_r2"]) < 0.04


def test_module_genes_go_with_function_only_where_planted(demo, null):
    score, cells = module_score(demo)
    assert np.corrcoef(score, cells["function"])[0, 1] > 0.4
    score, cells = module_score(null)
    assert abs(np.corrcoef(score, cells["function"])[0, 1]) < 0.15


def test_shape_goes_with_function_only_where_planted(demo, null):
    for experiment, low, high in ((demo, 0.2, 1.0), (null, 0.0, 0.15)):
        cells = paired_cells(experiment.cells)
        found = abs(np.corrcoef(cells["trait_bright_texture"], cells["function"])[0, 1])
        assert low <= found <= high


def test_clusters_are_there_only_where_planted(demo, null):
    for experiment, low, high in ((demo, 1.0, 9.0), (null, 0.0, 0.1)):
        counts, cells = paired_counts(experiment)
        markers = counts[:, (experiment.genes["group"] == "state_a").to_numpy()].mean(1)
        gap = markers[cells["state"] == "A"].mean() - markers[cells["state"] == "B"].mean()
        assert low * markers.std() <= abs(gap) <= high * max(markers.std(), 1)


def test_field_shifts_genes_and_function_only_where_planted(demo, null):
    def between(experiment):
        counts, cells = paired_counts(experiment)
        own = counts[:, (experiment.genes["confounder"] > 0.4).to_numpy()]
        means = pd.DataFrame(own).groupby([cells["sample"].to_numpy(), cells["fov"].to_numpy()]).mean()
        return float(means.var().mean() / own.var(0).mean())

    assert between(demo) > 3 * between(null)
    oracle = [planted_effects(e, Simulate(), 1)["oracle"]["field_r2"] for e in (demo, null)]
    assert oracle[0] > oracle[1] + 0.02


def test_a_null_effect_changes_nothing_else(demo):
    other = simulate(Simulate(null_effects=["expression"]), 1)
    same = ["track_id", "function", "shape", "state", "barcode", "pair_status", "y_px"]
    pd.testing.assert_frame_equal(demo.cells[same], other.cells[same])
    pd.testing.assert_frame_equal(demo.fields[0].positions, other.fields[0].positions)
    assert not np.allclose(demo.cells["module"], other.cells["module"])


def test_genes_go_with_shape_only_where_planted(demo, null):
    wanted = {"shape_early": "trait_elongation", "shape_late": "trait_bright_texture", "shape_size": "trait_size"}
    for experiment, low, high in ((demo, 0.55, 1.0), (null, 0.0, 0.2)):
        counts, cells = paired_counts(experiment)
        for group, trait in wanted.items():
            score = counts[:, (experiment.genes["group"] == group).to_numpy()].mean(1)
            assert low < abs(np.corrcoef(score, cells[trait])[0, 1]) < high
        joint = counts[:, (experiment.genes["group"] == "shape_joint").to_numpy()].mean(1)
        product = cells["trait_elongation"] * cells["trait_size"]
        assert low - 0.1 < abs(np.corrcoef(joint, product)[0, 1]) < high
        assert abs(np.corrcoef(joint, cells["trait_elongation"])[0, 1]) < 0.2
    oracles = [planted_effects(e, Simulate(), 1)["oracle"] for e in (demo, null)]
    assert 0.2 < oracles[0]["morphology_to_expression_r2"] < 0.4
    assert 0.25 < oracles[0]["expression_to_morphology_r2"] < 0.45
    assert oracles[1]["expression_to_morphology_r2"] < 0.2


def test_the_late_part_of_texture_is_not_seen_before_it_fades_in(demo):
    cells = demo.cells[demo.cells["birth_frame"] <= 14].set_index(["sample", "fov", "number"])
    rows = pd.concat([f.positions for f in demo.fields]).query("kind == 'cell'")
    for frame, low, high in ((27, 0.5, 0.9), (18, 0.0, 0.15)):
        seen = rows[rows["frame"] == frame].set_index(["sample", "fov", "number"])["bright_texture"]
        at = np.log(seen.reindex(cells.index).to_numpy())
        assert low <= abs(np.corrcoef(at, cells["shape_late"])[0, 1]) <= high


def test_larger_cells_have_larger_libraries(demo):
    cells = paired_cells(demo.cells)
    assert np.corrcoef(cells["trait_size"], np.log(cells["library_size"]))[0, 1] > 0.25


def test_coupling_gives_the_three_shares():
    a, b, r = coupling(0.35, 0.45, 0.60)
    assert (a + b * r) ** 2 == pytest.approx(0.35)
    assert (b + a * r) ** 2 == pytest.approx(0.45)
    assert a * a + b * b + 2 * a * b * r == pytest.approx(0.60)
    assert coupling(0.3, 0.4, 0.7)[2] == pytest.approx(0)


def test_balanced_draws_have_no_chance_correlation():
    cells = np.arange(30) < 20
    draws = balanced(np.random.default_rng(0).standard_normal((4, 30)), cells)
    np.testing.assert_allclose(draws[:, cells].mean(1), 0, atol=1e-12)
    np.testing.assert_allclose(np.cov(draws[:, cells], ddof=0), np.eye(4), atol=1e-12)


def test_sister_status_tells_death_from_life():
    cells = pd.DataFrame(
        {
            "number": [1, 2, 3, 4, 5, 6],
            "parent": [0, 1, 1, 3, 3, 0],
            "end_kind": ["division", "death", "division", "end_of_movie", "end_of_movie", "end_of_movie"],
        }
    )
    assert sister_status(cells).tolist() == ["none", "survived", "died", "survived", "survived", "none"]


def test_mantel_haenszel_on_a_known_table():
    rows = [("died", True)] * 6 + [("died", False)] * 3 + [("survived", True)] * 2 + [("survived", False)] * 8
    cells = pd.DataFrame(rows, columns=["sister_status", "stress"]).assign(sample="s1", fov="f1", birth_frame=5)
    assert mantel_haenszel(cells) == pytest.approx(6 * 8 / (3 * 2))
    assert mantel_haenszel(cells[cells["stress"]]) is None


def test_barcodes_differ_enough_to_be_corrected_uniquely():
    rng = np.random.default_rng(0)
    codes = design_barcodes(80, rng)
    apart = (codes[:, None] != codes[None]).sum(-1) + 99 * np.eye(80, dtype=int)
    assert apart.min() >= BARCODE_DISTANCE
    assert ((misread(codes, rng) != codes).sum(1) == 1).all()


def test_barcodes_are_lost_doubled_and_misread(demo):
    tags = pd.concat([library.tags for library in demo.libraries.values()])
    share = tags.drop_duplicates("barcode")["event"].value_counts(normalize=True)
    assert 0.02 < share["not_decoded"] < 0.08
    assert 0.02 < share["doubled"] < 0.12
    assert 0.02 < share["misread"] < 0.09
    wrong = tags[tags["event"] == "misread"]
    assert all(
        sum(a != b for a, b in zip(*pair, strict=True)) == 1
        for pair in zip(wrong["barcode"], wrong["read_as"], strict=True)
    )


def test_some_cages_are_empty_and_their_barcodes_hold_little(demo):
    library = demo.libraries["s1"]
    totals = library.counts.sum(1)
    assert (totals < 300).sum() >= 3
    assert np.median(totals) > 3000


def test_genes_are_named_once_and_score_the_cell_cycle():
    genes = gene_table(1000, np.random.default_rng(0))
    assert len(genes) == 1000
    assert genes["gene"].is_unique
    assert {"MCM5", "PCNA", "TOP2A", "MKI67", "CDK1", "MT-ND1"} <= set(genes["gene"])
    assert len(S_PHASE) > 40
    assert len(G2M_PHASE) > 50


def test_sample_sheet_names_what_is_simulated(pytestconfig):
    sheet = read_sheet(pytestconfig.rootpath / "config/samples.tsv", run="demo", data="data")
    settings = Simulate()
    assert [(e.sample, e.fov) for e in sheet] == [(s, f) for s in settings.sample_names for f in settings.field_names]
    assert all(e.condition == settings.condition(e.sample) for e in sheet)
    assert sheet[0].images == "results/demo/experiment/movies/s1_f1.ome.tif"
