"""Which sister dies: literal windows, planted features found, null ones silent, and what cannot be estimated."""

import json

import numpy as np
import pandas as pd
import pytest
from compare_sisters_before_death import Settings, main
from tests.unit.lineage.lineage_examples import as_cells, family

from cineseq.config.base import FieldOfView
from cineseq.config.lineage import Lineage
from cineseq.config.tracking import JUDGED_FRAMES
from cineseq.lineage.discordant_sisters import (
    FEATURES,
    Scale,
    call_lines,
    discordant_pairs,
    measured_before_fate,
    scale_of,
    which_dies_lines,
    which_sister_dies,
)
from cineseq.lineage.trees import families_of
from cineseq.tables.contract import empty, read_table, write_table
from cineseq.tables.imaging import CELLS, COMPARTMENTS, OBJECTS
from cineseq.tables.lineage import WHICH_SISTER_DIES

BIRTH = 10


def pairs_of(rows, margin=3):
    return discordant_pairs(families_of(as_cells(rows)), margin)


def imaged(rows, rng, larger=0.0):
    """Objects of every daughter in every frame of its life; those that die are larger by ``larger`` SDs of a cell."""
    table = pd.DataFrame(rows)
    table = table[table["parent_id"].notna()]
    size = 5 + 0.2 * (rng.normal(size=len(table)) + larger * (table["fate"] == "death").to_numpy())
    life = (table["end_frame"] - table["start_frame"] + 1).to_numpy()
    which = np.repeat(np.arange(len(table)), life)
    frame = table["start_frame"].to_numpy()[which] + np.concatenate([np.arange(n) for n in life])
    noise = rng.normal(0, 0.02, len(which))
    return OBJECTS.check(
        pd.DataFrame(
            {
                "sample": "s",
                "fov": "1",
                "frame": frame,
                "label": which + 1,
                "track_id": table["track_id"].to_numpy()[which],
                "y_px": 100 + np.cumsum(rng.normal(size=len(which))) % 50,
                "x_px": 100.0,
                "area_px": np.exp(size[which] + noise),
                "touches_border": False,
            }
        )
    )


def families_with_one_death(count):
    return [row for k in range(count) for row in family(f"f{k}", *("death", "end_of_movie")[:: 1 - 2 * (k % 2)])]


def compartments_of(**columns):
    return COMPARTMENTS.check(pd.DataFrame({"sample": ["s"], "fov": ["1"], "compartment_id": ["a"], **columns}))


def table_of(rows, objects, margin=3, permutations=999):
    pairs = pairs_of(rows, margin)
    measured = measured_before_fate(pairs, objects, empty(COMPARTMENTS))
    found = which_sister_dies(measured, len(pairs), permutations, 1)
    return WHICH_SISTER_DIES.check(found).set_index("feature")


def test_only_pairs_with_one_death_and_a_known_other_fate_count_and_the_window_ends_before_both():
    rows = [
        *family("a", "death", "end_of_movie"), *family("b", "division", "death"), *family("c", "death", "death"),
        *family("d", "death", "lost"), *family("e", "end_of_movie", "end_of_movie"),
    ]  # fmt: skip
    found = pairs_of(rows, margin=4).set_index("died")
    assert list(found.index) == ["a.0", "b.1"]
    assert list(found["other"]) == ["a.1", "b.0"]
    assert list(found["first"]) == [BIRTH, BIRTH]
    assert list(found["last"]) == [BIRTH + 20 - 4, BIRTH + 20 - 4]


def test_a_sister_that_divides_first_ends_the_window_by_its_division():
    rows = family("a", "death", "division")
    rows[2]["end_frame"] = BIRTH + 8
    assert list(pairs_of(rows, margin=2)["last"]) == [BIRTH + 6]


def test_features_of_a_literal_pair_are_taken_in_common_frames_only():
    rows = family("a", "death", "end_of_movie")
    frame = np.array([10, 11, 12, 13, 28, 10, 12, 13, 14])
    objects = pd.DataFrame(
        {
            "sample": "s", "fov": "1", "frame": frame, "label": [1, 1, 1, 1, 1, 2, 2, 2, 2],
            "track_id": ["a.0"] * 5 + ["a.1"] * 4, "y_px": [0, 9, 4, 4, 90, 3, 3, 3, 90.0],
            "x_px": [0, 0, 0, 3, 0, 4, 4, 4, 0.0], "touches_border": False,
            "area_px": np.exp([0, 9, 2, 3, 9, 1, 1, 1, 9.0]),
            "morphology_neighbour_distance_um": [1, 9, 2, 3, 9, 4, 4, 4, 9.0],
        }
    )  # fmt: skip
    compartment = compartments_of(y_px=[0.0], x_px=[0.0], radius_px=[10.0])
    found = measured_before_fate(pairs_of(rows), OBJECTS.check(objects), compartment)
    died, other = found.loc[(0, "died")], found.loc[(0, "other")]
    assert died["frames"] == other["frames"] == 3
    assert died["area"] == pytest.approx(5 / 3)
    assert died["area_growth"] == pytest.approx(1.0)
    assert died["speed"] == pytest.approx((4 / 2 + 3) / 2)
    assert died["neighbour_distance"] == pytest.approx(2)
    assert died["compartment_distance"] == pytest.approx((0 + 0.4 + 0.5) / 3)
    assert other["compartment_distance"] == pytest.approx(0.5)
    assert other["area_growth"] == pytest.approx(0)
    assert np.isnan(died["solidity"])


def test_a_missing_area_leaves_the_slope_of_a_linear_logarithm_as_it_is():
    rows = family("a", "death", "end_of_movie")
    objects = imaged(rows, np.random.default_rng(0))
    objects["area_px"] = np.exp(5 + 0.1 * (objects["frame"] - BIRTH))
    objects.loc[objects["frame"] == BIRTH + 1, "area_px"] = np.nan
    found = measured_before_fate(pairs_of(rows), objects, empty(COMPARTMENTS))
    assert found["area_growth"].tolist() == pytest.approx([0.1, 0.1])


def test_what_is_seen_in_the_frames_of_dying_changes_nothing():
    rows = families_with_one_death(20)
    objects = imaged(rows, np.random.default_rng(0))
    shrunk = objects.copy()
    shrunk.loc[shrunk["frame"] > BIRTH + 20 - 3, "area_px"] = 1.0
    pd.testing.assert_frame_equal(table_of(rows, objects), table_of(rows, shrunk))


def test_a_planted_odds_ratio_is_covered_and_only_its_feature_is_found():
    """Sisters differ by N(e, 2) SDs of a cell, so the log odds of being the one that died are e per SD of a cell."""
    effect = 1.0
    rows = families_with_one_death(150)
    found = table_of(rows, imaged(rows, np.random.default_rng(1), larger=effect))
    area = found.loc["area"]
    per_cell_sd = np.log(area[["odds_ratio", "low", "high"]].astype(float)) * 0.2 / area["sd"]
    assert per_cell_sd["low"] < effect < per_cell_sd["high"]
    assert list(found.index[found["q_value"] <= 0.05]) == ["area"]
    assert area["pairs"] == 150
    text = " ".join(which_dies_lines(found.reset_index(), 17))
    assert "The mean logarithm of the area is associated with which sister dies: odds ratio per SD" in text


def test_without_an_effect_the_swaps_reject_as_rarely_as_they_should():
    rows = families_with_one_death(25)
    rng = np.random.default_rng(2)
    p = np.array([table_of(rows, imaged(rows, rng), permutations=199).loc["area", "p_permutation"] for _ in range(60)])
    assert (p <= 0.05).mean() <= 0.15
    assert 0.3 < np.median(p) < 0.7


def test_too_few_pairs_separation_and_equal_sisters_give_no_odds_ratio():
    rng = np.random.default_rng(0)
    few = table_of(families_with_one_death(9), imaged(families_with_one_death(9), rng))
    assert few["p_permutation"].isna().all()
    assert few.loc["area", "note"].startswith("not estimable: 9 pairs of which one sister died")
    rows = families_with_one_death(12)
    apart = table_of(rows, imaged(rows, rng, larger=50.0)).loc["area"]
    assert np.isnan(apart["odds_ratio"])
    assert apart["p_permutation"] < 0.01
    assert (
        apart["note"] == "odds ratio not estimable: in no pair was the value lower in the sister that died (separation)"
    )
    same = table_of(rows, imaged(rows, rng).assign(area_px=9.0)).loc["area"]
    assert same["note"] == "not estimable: the two sisters of a pair do not differ"
    assert table_of(rows, imaged(rows, rng)).loc["solidity", "pairs"] == 0


def pairs_in(root_cell, difference, **units):
    """Measured pairs that differ in area alone, the sister that died less the other."""
    index = pd.MultiIndex.from_product([range(len(difference)), ["died", "other"]], names=["pair", "side"])
    values = np.column_stack([difference, np.zeros(len(difference))]).ravel()
    empty_features = dict.fromkeys(FEATURES, np.nan)
    table = pd.DataFrame({**empty_features, "area": values, "speed": values, "frames": 5}, index)
    return table.assign(root_cell=np.repeat(root_cell, 2), **{"length": "um", "time": "h"} | units)


def feature_of(measured, feature="area", permutations=999):
    return which_sister_dies(measured, 20, permutations, 1).set_index("feature").loc[feature]


def test_pairs_of_one_root_cell_change_places_together():
    difference = 1 + np.arange(20) / 20
    difference[[0, 10]] = -1.0
    apart = feature_of(pairs_in(np.arange(20), difference))
    assert apart["p_permutation"] < 0.01
    assert not apart["note"]
    kin = feature_of(pairs_in(np.arange(20) // 10, difference))
    assert kin["p_permutation"] == pytest.approx(0.5, abs=0.05)  # two root cells: half of all swaps are as extreme
    assert kin["odds_ratio"] == apart["odds_ratio"]
    assert kin["note"].startswith("2 root cells have several pairs")


def test_sisters_that_all_but_one_pair_separates_have_no_odds_ratio():
    difference = np.ones(20)
    difference[0] = -1e-6
    found = feature_of(pairs_in(np.arange(20), difference))
    assert np.isnan([found["odds_ratio"], found["low"], found["high"], found["p_value"]]).all()
    assert found["note"].startswith("odds ratio not estimable: almost all pairs differ in the same")
    assert found["p_permutation"] < 0.01


def test_fields_of_unlike_units_are_not_mixed_but_what_has_no_unit_is():
    rng = np.random.default_rng(0)
    units = {"length": np.repeat(["um", "px"], 20)}
    measured = pairs_in(np.arange(20), rng.normal(size=20), **units)
    assert feature_of(measured, "speed")["note"] == "not estimable: fields differ in unit (px/h, um/h)"
    assert np.isnan(feature_of(measured, "speed")["p_permutation"])
    assert np.isfinite(feature_of(measured, "area")["odds_ratio"])
    assert feature_of(measured.assign(length="um"), "speed")["unit"] == "um/h"


def test_speed_and_growth_are_in_micrometres_and_hours_where_these_are_known():
    rows = family("a", "death", "end_of_movie")
    objects = imaged(rows, np.random.default_rng(0))
    cells = as_cells(rows)
    assert scale_of(cells, objects) == Scale(None, None)
    cells = cells.assign(start_hours=cells["start_frame"] / 4, end_hours=cells["end_frame"] / 4)
    scale = scale_of(cells, objects.assign(morphology_area_um2=objects["area_px"] * 0.09))
    assert (scale.um, scale.hours) == (pytest.approx(0.3), pytest.approx(0.25))
    plain, scaled = (measured_before_fate(pairs_of(rows), objects, empty(COMPARTMENTS), s)
                     for s in (Scale(), scale))  # fmt: skip
    assert (scaled["speed"] / plain["speed"]).tolist() == pytest.approx([0.3 * 4] * 2)
    assert (scaled["area_growth"] / plain["area_growth"]).tolist() == pytest.approx([4, 4])
    assert scaled["area"].tolist() == plain["area"].tolist()
    assert set(scaled["length"] + scaled["time"]) == {"umh"}
    assert set(plain["length"] + plain["time"]) == {"pxframe"}


def test_speed_and_growth_follow_the_hours_of_irregular_frames():
    rows = family("a", "death", "end_of_movie")
    objects = imaged(rows, np.random.default_rng(0))
    cells = as_cells(rows).assign(start_hours=lambda t: t["start_frame"] / 4, end_hours=lambda t: t["end_frame"] / 4)
    scale = scale_of(cells, objects)

    def measured(hours):
        return measured_before_fate(pairs_of(rows), objects.assign(hours=hours), empty(COMPARTMENTS), scale)

    even = measured_before_fate(pairs_of(rows), objects, empty(COMPARTMENTS), scale)
    for name in ("speed", "area_growth"):
        assert measured(objects["frame"] / 4)[name].tolist() == pytest.approx(even[name].tolist())
        # Twice as long between all frames: half the speed, whatever the hours of the tracks say.
        assert measured(objects["frame"] / 2)[name].tolist() == pytest.approx((even[name] / 2).tolist())
    middle = pairs_of(rows)[["first", "last"]].iloc[0].mean()
    paused = measured(objects["frame"] / 4 + 3 * (objects["frame"] > middle))
    assert (paused["speed"] < even["speed"]).all()


def run_step(folder, cells, objects):
    write_table(cells, folder / "cells.parquet", CELLS)
    fields = []
    if objects is not None:
        write_table(objects, folder / "objects.parquet", OBJECTS)
        fields = [FieldOfView(sample="s", fov="1")]
    outputs = {"which_dies": folder / "which.tsv", "report": folder / "report.json"}
    settings = Settings(lineage=Lineage(permutations=199, before_fate_frames=6), fields=fields)
    main(
        cells=folder / "cells.parquet", objects=[folder / "objects.parquet"] * len(fields), compartments=[],
        **outputs, settings=settings,
    )  # fmt: skip
    return read_table(outputs["which_dies"], WHICH_SISTER_DIES), json.loads(outputs["report"].read_text())


def test_frames_that_call_a_death_are_left_out_by_default():
    assert Lineage().before_fate_frames == JUDGED_FRAMES == 15
    assert not [line for line in call_lines(3, 12, Lineage().before_fate_frames) if "leaves out only" in line]


def test_the_overlap_of_compared_and_judged_frames_is_said():
    assert [len(call_lines(called, 12, margin)) for called, margin in ((3, 14), (3, 15), (0, 6))] == [2, 1, 0]
    assert (
        "draw on the last 15 frames of a cell, but lineage.before_fate_frames leaves out only 6"
        in call_lines(3, 12, 6)[1]
    )


@pytest.mark.parametrize(("confidence", "said"), [(np.nan, False), (1.0, False), (0.9, True)])
def test_the_step_says_where_deaths_were_called_from_what_it_compares(tmp_path, confidence, said):
    rows = families_with_one_death(12)
    cells = as_cells([row | {"end_confidence": confidence} for row in rows])
    lines = run_step(tmp_path, cells, imaged(rows, np.random.default_rng(0)))[1]["lines"]
    assert any(line.startswith("12 of 12 such deaths (100 %) were called from shape") for line in lines) == said
    assert lines[-1].startswith("The calls draw on the last 15 frames") == said


def test_the_step_with_movies_without_any_and_without_lineage(tmp_path):
    rows = families_with_one_death(15)
    table, report = run_step(tmp_path, as_cells(rows), imaged(rows, np.random.default_rng(0)))
    assert report["numbers"] == {"discordant_pairs": 15, "discordant_pairs_measured": 15}
    assert table.set_index("feature").loc["area", "pairs"] == 15
    for cells, known in ((as_cells(rows), 15), (empty(CELLS), 0)):
        table, report = run_step(tmp_path, cells, None)
        assert table["odds_ratio"].isna().all()
        assert report["lines"][0].startswith("Which sister dies: not estimable: 0 pairs")
        assert report["lines"][0].endswith(f"(the trees hold {known} such pairs).")
