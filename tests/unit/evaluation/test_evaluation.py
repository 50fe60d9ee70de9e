"""Scores against the truth, on cases whose answer is known by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import score_tracks
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cineseq.evaluation.analyses import (
    best_state,
    row,
    score_function,
    score_genes,
    score_pairs,
    score_performance,
    score_shared,
    score_sisters,
    score_visible,
    score_warnings,
    truth_lines,
)
from cineseq.evaluation.movies import FieldResult, score_fields, true_detections, true_track_of
from cineseq.io.stacks import MovieInfo, open_labels, write_labels
from cineseq.segmentation.scoring import MaskCounts, count_masks, count_movie, overlaps
from cineseq.tables.contract import Table, empty, read_table, write_table
from cineseq.tables.crossmodal import GENE_VARIANCE, VARIANCE_SUMMARY
from cineseq.tables.imaging import DETECTIONS, PAIRS, TRACKS
from cineseq.tables.lineage import LINEAGE_WARNINGS, STATE_BY_SISTER
from cineseq.tables.prediction import GENES, PERFORMANCE
from cineseq.tables.simulation import TRUE_TRACKS, TRUTH
from cineseq.tracking.export import write_ctc


def table(contract: Table, **columns: object) -> pd.DataFrame:
    frame = pd.DataFrame(columns)
    for column in empty(contract).columns:
        if column not in frame:
            frame[column] = None
    return contract.check(frame)


def measures(rows: list[dict]) -> dict[str, float]:
    return {r["measure"]: r["recovered"] for r in rows}


def plane(*boxes: tuple[int, int, int, int, int]) -> np.ndarray:
    """Return a 20 x 20 image with boxes (label, top, left, height, width)."""
    image = np.zeros((20, 20), np.uint16)
    for label, top, left, height, width in boxes:
        image[top : top + height, left : left + width] = label
    return image


def test_overlap_is_intersection_over_union():
    found = overlaps(plane((1, 0, 0, 4, 4)), plane((7, 0, 2, 4, 4)))
    assert found.to_dict("records") == [{"true": 1, "found": 7, "iou": pytest.approx(8 / 24)}]


def test_masks_are_hits_only_above_half_overlap():
    true = plane((1, 0, 0, 4, 4), (2, 10, 10, 4, 4), (3, 0, 10, 2, 2))
    found = plane((5, 0, 0, 4, 3), (6, 10, 12, 4, 4))
    counts = count_masks(true, found)
    assert counts == MaskCounts(hits=1, false=1, missed=2)
    assert counts.average_precision == pytest.approx(0.25)


def test_a_merged_pair_is_not_two_hits():
    assert count_masks(plane((1, 0, 0, 4, 4), (2, 0, 4, 4, 4)), plane((1, 0, 0, 4, 8))).hits == 0


def test_movies_without_masks_have_no_precision():
    assert np.isnan(count_movie([plane()], [plane()]).average_precision)


@given(hnp.arrays(np.uint8, (6, 6), elements=st.integers(0, 4)), st.permutations(range(1, 5)))
def test_masks_match_themselves_whatever_their_labels(true: np.ndarray, names: list[int]):
    renamed = np.array([0, *names], np.uint8)[true]
    counts = count_masks(true, renamed)
    assert counts == MaskCounts(hits=len(np.unique(true[true > 0])))


def lineage(
    numbers: list[int], ends: list[tuple[int, int, str]], parents: list[int], end_x: list[float]
) -> pd.DataFrame:
    """Return tracks of field s/1 with (first frame, last frame, end kind)."""
    first, last, kind = (list(v) for v in zip(*ends, strict=True))
    name = [f"s/1/{n}" for n in numbers]
    known = [k in ("division", "death") for k in kind]
    return table(
        TRACKS,
        track_id=name,
        sample="s",
        fov="1",
        number=numbers,
        parent_id=[f"s/1/{p}" if p else None for p in parents],
        founder_id=[f"s/1/{p or n}" for n, p in zip(numbers, parents, strict=True)],
        generation=[int(p > 0) for p in parents],
        start_frame=first,
        end_frame=last,
        start_kind=["division" if p else "first_frame" for p in parents],
        end_kind=kind,
        fate=[k if o else "unknown" for k, o in zip(kind, known, strict=True)],
        fate_known=known,
        frames=[b - a + 1 for a, b in zip(first, last, strict=True)],
        end_y_px=5.0,
        end_x_px=end_x,
    )


def detections_in(masks: list[np.ndarray], track_of: dict[int, int]) -> pd.DataFrame:
    rows = [(f, label) for f, m in enumerate(masks) for label in np.unique(m[m > 0])]
    frame = pd.DataFrame(rows, columns=["frame", "label"])
    names = frame["label"].map(track_of).astype(str)
    frame = frame.assign(sample="s", fov="1", track_id="s/1/" + names, y_px=5.0, x_px=5.0, area_px=16.0)
    return DETECTIONS.check(frame.assign(touches_border=False))


def write_stack(masks: list[np.ndarray], path: Path) -> Path:
    write_labels(iter(masks), path, MovieInfo(len(masks), 20, 20, (), None, None))
    return path


def dividing_field(folder: Path) -> FieldResult:
    """Track 1 divides into 2 and 3 after frame 1; 3 dies in frame 3; the found tracks have other names."""
    true = [plane((1, 8, 8, 4, 4))] * 2 + [plane((2, 8, 2, 4, 4), (3, 8, 14, 4, 4))] * 2
    true_tracks = lineage(
        [1, 2, 3], [(0, 1, "division"), (2, 3, "end_of_movie"), (2, 3, "death")], [0, 1, 1], [9.5, 3.5, 15.5]
    )
    renamed = np.array([0, 30, 20, 10], np.uint16)
    found = [renamed[t] for t in true]
    tracks = lineage(
        [10, 20, 30], [(2, 3, "death"), (2, 3, "end_of_movie"), (0, 1, "division")], [30, 30, 0], [15.5, 3.5, 9.5]
    )
    detections = detections_in(found, {10: 10, 20: 20, 30: 30})
    labels = write_stack(found, folder / "masks.ome.tif")
    with open_labels(labels) as stack:
        write_ctc(stack, detections, tracks, folder / "ctc")
    return FieldResult(
        labels, write_stack(true, folder / "true.ome.tif"), folder / "ctc", detections, tracks, true_tracks
    )


def test_a_perfect_field_scores_one_everywhere(tmp_path: Path):
    rows, true_track = score_fields([dividing_field(tmp_path)])
    found = measures(rows)
    names = ["average_precision_50", "TRA", "DET", "LNK"]
    names += [f"{what}_{name}" for what in ("division", "death") for name in ("precision", "recall", "F1")]
    assert {name: found[name] for name in names} == dict.fromkeys(names, pytest.approx(1.0))
    assert true_track.to_dict() == {"s/1/10": "s/1/3", "s/1/20": "s/1/2", "s/1/30": "s/1/1"}


def test_the_step_writes_the_scores_and_who_is_who(tmp_path: Path):
    folder = tmp_path / "s/1"
    field = dividing_field(folder)
    truth = tmp_path / "true_tracks.parquet"
    write_table(field.true_tracks, truth, TRACKS)
    write_table(field.detections, folder / "d.parquet", DETECTIONS)
    write_table(field.tracks, folder / "t.parquet", TRACKS)
    files = {"labels": [field.labels], "detections": [folder / "d.parquet"], "tracks": [folder / "t.parquet"]}
    written = {"movies": tmp_path / "movies.parquet", "identities": tmp_path / "identities.parquet"}
    score_tracks.main(**files, ctc=[field.ctc], true_masks=[field.true_masks], true_tracks=truth, **written)
    who = read_table(written["identities"], TRUE_TRACKS).set_index("track_id")["true_track_id"]
    assert who.to_dict() == {"s/1/10": "s/1/3", "s/1/20": "s/1/2", "s/1/30": "s/1/1"}
    scores = read_table(written["movies"], TRUTH).set_index("measure")["recovered"]
    assert scores[["LNK", "division_F1", "death_F1"]].tolist() == [1, 1, 1]


def test_a_missed_death_and_a_missed_division_are_counted(tmp_path: Path):
    field = dividing_field(tmp_path)
    tracks = lineage(
        [10, 20, 30], [(2, 3, "lost"), (2, 3, "end_of_movie"), (0, 1, "lost")], [0, 0, 0], [15.5, 3.5, 9.5]
    )
    with open_labels(field.labels) as stack:
        write_ctc(stack, field.detections, tracks, tmp_path / "ctc")
    worse = FieldResult(field.labels, field.true_masks, field.ctc, field.detections, tracks, field.true_tracks)
    found = measures(score_fields([worse])[0])
    assert found["division_recall"] == 0
    assert found["death_recall"] == 0
    assert np.isnan(found["death_precision"])
    assert found["LNK"] < 1


def test_tracks_without_a_true_mask_have_no_true_track(tmp_path: Path):
    found = write_stack([plane((1, 0, 0, 4, 4), (2, 10, 10, 4, 4))], tmp_path / "found.ome.tif")
    true = write_stack([plane((9, 0, 0, 4, 4))], tmp_path / "true.ome.tif")
    detections = detections_in([plane((1, 0, 0, 4, 4), (2, 10, 10, 4, 4))], {1: 1, 2: 2})
    with open_labels(found) as f, open_labels(true) as t:
        assert true_track_of(f, t, detections).to_dict("records") == [{"track_id": "s/1/1", "true_number": 9}]
        truth = true_detections(t, lineage([9], [(0, 0, "end_of_movie")], [0], [1.5]))
    assert truth[["frame", "label", "track_id"]].to_dict("records") == [{"frame": 0, "label": 9, "track_id": "s/1/9"}]


TRUE_CELLS = pd.DataFrame(
    {
        "track_id": ["s/1/1", "s/1/2", "s/1/3"],
        "sample": "s",
        "barcode_in_counts": ["AA", "CC", "GG"],
        "pair_status": ["singlet", "singlet", "multi_cell"],
        "sequenced": [True, True, True],
    }
)
TRUE_TRACK = pd.Series({"s/1/11": "s/1/1", "s/1/12": "s/1/2", "s/1/13": "s/1/3"})


def pairs(**columns: object) -> pd.DataFrame:
    return table(PAIRS, sample="s", **columns)


@pytest.mark.parametrize(
    ("tracks", "barcodes", "precision", "recall"),
    [
        (["s/1/11", "s/1/12"], ["AA", "CC"], 1.0, 1.0),
        (["s/1/11", "s/1/12"], ["CC", "AA"], 0.0, 0.0),
        (["s/1/11", "s/1/13"], ["AA", "GG"], 0.5, 0.5),
        (["s/1/11", "s/1/99"], ["AA", "CC"], 0.5, 0.5),
    ],
)
def test_pairs_are_right_when_the_barcode_is_that_of_the_true_cell(tracks, barcodes, precision, recall):
    found = measures(score_pairs(pairs(track_id=tracks, barcode=barcodes, status="singlet"), TRUE_TRACK, TRUE_CELLS))
    assert found == {"pairing_precision": precision, "pairing_recall": recall}


def test_only_singlets_count_as_pairs():
    rows = score_pairs(pairs(track_id=["s/1/11"], barcode=["AA"], status=["ambiguous"]), TRUE_TRACK, TRUE_CELLS)
    assert np.isnan(measures(rows)["pairing_precision"])
    assert measures(rows)["pairing_recall"] == 0


def gene_table(frequency: list[float], rho: list[float]) -> pd.DataFrame:
    names = [f"g{i}" for i in range(len(rho))]
    return table(GENES, function="f", gene=names, frequency=frequency, univariate_rho=rho)


def test_planted_genes_at_the_top_score_one_and_at_the_bottom_zero():
    found = measures(score_genes(gene_table([0.9, 0.8, 0.1, 0.0], [0.1, 0.2, -0.5, 0.6]), {"g0", "g1", "absent"}))
    assert found["gene_auc_frequency"] == 1
    assert found["gene_top_share_frequency"] == 1
    assert found["gene_auc_univariate_rho"] == 0


def test_genes_of_a_null_have_no_score():
    assert np.isnan(measures(score_genes(gene_table([0.1, 0.2], [0.1, 0.2]), set()))["gene_auc_frequency"])


def test_performance_stands_beside_its_oracle_and_says_what_is_missing():
    found = table(
        PERFORMANCE, function="f", model="expression", estimand=["within", "pooled"], r2=[0.1, 0.15], r2_low=0.1,
        p_value=0.01,
    )  # fmt: skip
    rows = {r["measure"]: r for r in score_performance(found, {"expression_r2": 0.35, "both_r2": 0.6})}
    assert rows["r2_expression"]["recovered"] == 0.15
    assert rows["r2_expression"]["planted"] == 0.35
    assert rows["p_expression"]["recovered"] == 0.01
    assert np.isnan(rows["r2_both"]["recovered"])
    assert rows["r2_both"]["note"] == "not estimable"


def test_shared_variance_stands_beside_its_oracle_and_ranks_the_planted_genes():
    summary = table(
        VARIANCE_SUMMARY, direction=["morphology_to_expression"] * 2, estimand=["within", "pooled"], r2=[0.1, 0.2],
        low=0.05, high=0.15, n=9, grouped_by="fov", targets=4, permutations=0,
    )  # fmt: skip
    genes = table(GENE_VARIANCE, gene=list("abcd"), r2_within=[0.3, 0.2, 0.1, 0.9])
    known = pd.DataFrame(
        {
            "gene": list("abcd"),
            "shape_early": [1.0, 0, 0, 0],
            "shape_late": [0, 1.0, 0, 0],
            "shape_joint": [0, 0, 0, 1],
            "shape_size": 0.0,
        }
    )
    rows = {r["measure"]: r for r in score_shared(summary, genes, known, {"morphology_to_expression_r2": 0.3})}
    assert rows["r2_morphology_to_expression"]["recovered"] == 0.1
    assert rows["r2_morphology_to_expression"]["planted"] == 0.3
    assert rows["r2_expression_to_morphology"]["note"] == "not estimable"
    assert rows["shared_gene_auc"]["recovered"] == 1


def test_how_early_genes_are_visible_stands_beside_when_shape_shows_them():
    known = pd.DataFrame(
        {
            "gene": list("abcde"),
            "shape_early": [1, 1, 0, 0, 0],
            "shape_late": [0, 0, 1, 1, 0],
            "shape_joint": [0, 0, 0, 0, 1],
            "shape_size": 0,
        }
    )
    visible = pd.DataFrame({"gene": list("abcde"), "visible": True, "earliest_hours": [9.0, 7.0, 2.0, 1.0, 5.0]})
    visible.loc[3, "visible"] = False
    targets = pd.DataFrame({"direction": "morphology_to_expression", "target": list("abcdef"), "nonlinear": 0.0})
    targets.loc[4, "nonlinear"] = 0.2
    genes = pd.concat([known, pd.DataFrame({"gene": ["f"]})]).fillna(0)
    rows = {r["measure"]: r for r in score_visible(targets, visible, genes, 4.5)}
    assert rows["early_genes_visible_hours"]["recovered"] == 8
    assert rows["late_genes_visible_hours"]["recovered"] == 2
    assert rows["late_genes_visible_hours"]["planted"] == 4.5
    assert rows["early_gene_auc"]["recovered"] == 1
    assert rows["nonlinear_gene_auc"]["recovered"] == 1


def test_function_is_compared_on_matched_cells_only():
    cells = pd.DataFrame({"track_id": ["s/1/11", "s/1/12", "s/1/13", "s/1/99"], "function_x": [1.0, 2.0, 3.0, -9.0]})
    signal = pd.Series({"s/1/1": 5.0, "s/1/2": 6.0, "s/1/3": 7.0})
    (found,) = score_function(cells, TRUE_TRACK, signal)
    assert found["recovered"] == pytest.approx(1.0)
    assert "3 cells" in found["note"]


def test_the_state_that_agrees_best_stands_for_the_planted_one():
    cells = pd.DataFrame({"track_id": list("abcdef"), "cluster": ["0", "0", "1", "1", "1", None]})
    planted = pd.Series({"a": False, "b": False, "c": True, "d": True, "e": False, "f": True})
    assert best_state(cells, planted) == "cluster=1"
    assert best_state(cells, planted & False) is None


def test_sister_odds_ratio_of_the_matching_state():
    states = table(
        STATE_BY_SISTER,
        state=["cluster=0", "cluster=1"],
        contrast="sister_died_vs_survived",
        odds_ratio=[1.0, 6.0],
        low=[0.5, 2.0],
        high=[2.0, 15.0],
        estimand="odds ratio within field",
        p_value=[0.9, 0.001],
        informative=[50, 50],
    )
    found = {r["measure"]: r for r in score_sisters(states, "cluster=1", 8.0)}
    assert found["sister_odds_ratio"] | {"note": ""} == row(
        "lineage", "sister_odds_ratio", 6.0, planted=8.0, low=2.0, high=15.0, note=""
    )
    assert found["sister_p_permutation"]["recovered"] == 0.001
    (nothing,) = score_sisters(states, None, 8.0)
    assert nothing["note"] == "not estimable"


def test_the_selection_warning_is_looked_for_in_the_sample_that_was_caged_early():
    warned = table(
        LINEAGE_WARNINGS,
        warning=["a", "a", "b"],
        sample=["s4", "s1", "s2"],
        severity=["serious", "serious", "info"],
        message="m",
    )
    (found,) = score_warnings(warned, {"s4"})
    assert found["recovered"] == found["planted"] == 1
    assert found["note"] == "other samples with the warning: s1"
    (missed,) = score_warnings(warned[warned["severity"] == "info"], {"s4"})
    assert missed["recovered"] == 0


def test_rows_make_a_table_and_lines():
    rows = [row("a", "some_measure", 0.51234, planted=1, note="why"), row("a", "other", float("inf"))]
    checked = TRUTH.check(pd.DataFrame(rows))
    assert truth_lines(checked) == ["some measure: 0.512 (planted 1); why.", "other: not estimable."]
