"""From objects of a field to its cells, and from fields to the study, file to file."""

import json
import subprocess
import sys
from pathlib import Path

import collect_cells
import numpy as np
import pandas as pd
import pytest
import summarise_tracks
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.pairing.pairing_examples import make_cells

from cineseq.config.base import FieldOfView
from cineseq.config.features import Features, Function
from cineseq.config.pairing import Cells
from cineseq.config.schema import load
from cineseq.errors import UserError
from cineseq.features.cells import fields_alike
from cineseq.features.label_statistics import STATISTICS
from cineseq.features.scaling import scaled
from cineseq.tables.contract import empty, read_table, write_table
from cineseq.tables.imaging import CELLS, DETECTIONS, EMBEDDINGS, MORPHOLOGY, OBJECTS, SCORES, TRACKS

NOT_SCALED = Cells()


def write_field(folder: Path) -> dict[str, Path]:
    """Write a field in which track 1 lasts three frames and track 2, which died, four."""
    objects = pd.DataFrame({"frame": [0, 1, 2, 0, 1, 2, 3], "label": [1, 1, 1, 2, 2, 2, 2], "sample": "s", "fov": "1"})
    detections = objects.assign(
        track_id=[f"s/1/{n}" for n in objects["label"]],
        y_px=objects["frame"] * 10.0 + objects["label"],
        x_px=objects["label"] * 100.0,
        area_px=objects["frame"] + 1.0,
        touches_border=False,
    )
    tracks = make_cells(2, end_frame=[2, 3], end_kind=["lost", "death"], alive_at_end=[pd.NA, False])
    tracks = tracks.drop(columns=["y_px", "x_px", "feature_frame", "condition", "replicate"]).assign(
        number=[1, 2], frames=[3, 4], start_y_px=0.0, start_x_px=0.0, end_y_px=0.0, end_x_px=0.0
    )
    tables = {
        "detections": (detections, DETECTIONS),
        "tracks": (tracks[[c for c in empty(TRACKS) if c in tracks]], TRACKS),
        "morphology": (objects.assign(morphology_area_px2=objects["frame"] + 1.0).iloc[:-1], MORPHOLOGY),
        "embeddings": (objects.assign(embedding_n_0=objects["frame"] * 2.0), EMBEDDINGS),
        "scores": (tracks[["sample", "fov", "track_id"]].assign(function_gfp=[7.0, np.nan]), SCORES),
    }
    for name, (frame, table) in tables.items():
        write_table(frame, folder / f"{name}.parquet", table)
    return {name: folder / f"{name}.parquet" for name in tables}


def summarise(folder: Path, window: Features, **changed: object) -> pd.DataFrame:
    inputs = write_field(folder) | changed
    settings = summarise_tracks.Settings(field=FieldOfView(sample="s", condition="drug"), features=window)
    outputs = {"objects": folder / "objects.parquet", "cells": folder / "cells.parquet"}
    summarise_tracks.main(**inputs, **outputs, settings=settings)
    return read_table(folder / "cells.parquet", CELLS)


def test_cells_have_the_features_of_their_last_live_frame(tmp_path: Path) -> None:
    cells = summarise(tmp_path, Features(death_margin_frames=2))
    assert cells["track_id"].tolist() == ["s/1/1", "s/1/2"]
    assert cells["feature_frame"].tolist() == [2, 1]
    assert cells["y_px"].tolist() == [21, 12]
    assert cells["morphology_area_px2"].tolist() == [3, 2]
    assert cells["embedding_n_0"].tolist() == [4, 2]
    assert cells["function_gfp"].fillna(-1).tolist() == [7, -1]
    assert cells["condition"].tolist() == ["drug", "drug"]
    assert cells["replicate"].isna().all()
    objects = read_table(tmp_path / "objects.parquet", OBJECTS)
    assert len(objects) == 7
    assert objects["morphology_area_px2"].isna().sum() == 1


def test_a_window_is_averaged(tmp_path: Path) -> None:
    cells = summarise(tmp_path, Features(window_frames=2, death_margin_frames=2))
    assert cells["feature_frame"].tolist() == [2, 1]
    assert cells["morphology_area_px2"].tolist() == [2.5, 1.5]
    assert cells["embedding_n_0"].tolist() == [3, 1]


def test_without_embeddings_and_scores(tmp_path: Path) -> None:
    cells = summarise(tmp_path, Features(), embeddings=None, scores=None)
    assert not [c for c in cells if c.startswith(("embedding_", "function_"))]


def test_a_track_without_a_feature_frame_stays_with_missing_values(tmp_path: Path) -> None:
    cells = summarise(tmp_path, Features(frames="before_function", function_onset_frame=3, death_margin_frames=5))
    assert cells["feature_frame"].fillna(-1).tolist() == [2, -1]
    assert cells["morphology_area_px2"].fillna(-1).tolist() == [3, -1]


def gather(
    tmp_path: Path, fields: list[pd.DataFrame], scaling: Cells = NOT_SCALED
) -> tuple[pd.DataFrame, dict[str, object]]:
    paths = [tmp_path / f"{i}.parquet" for i in range(len(fields))]
    for path, frame in zip(paths, fields, strict=True):
        write_table(frame, path, CELLS)
    out = {
        name: tmp_path / f"out.{suffix}" for name, suffix in (("cells", "parquet"), ("csv", "csv"), ("report", "json"))
    }
    collect_cells.main(fields=paths, **out, settings=collect_cells.Settings(cells=scaling))
    assert len(pd.read_csv(out["csv"])) == len(read_table(out["cells"], CELLS))
    return read_table(out["cells"], CELLS), json.loads(out["report"].read_text())


def test_fields_with_different_columns_are_joined(tmp_path: Path) -> None:
    other = make_cells(1, track_id=["a/1/1"], sample="a", morphology_b=2.0)
    cells, report = gather(tmp_path, [make_cells(2, morphology_a=1.0), other, make_cells(0)])
    assert cells["track_id"].tolist() == ["a/1/1", "s/1/1", "s/1/2"]
    assert cells["morphology_a"].fillna(0).tolist() == [0, 1, 1]
    assert (report["numbers"]["cells_a"], report["numbers"]["cells_s"], report["numbers"]["cells"]) == (1, 2, 3)
    assert "not scaled between samples" in report["lines"][1]


def test_no_cell_in_any_field_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none of the 2 fields of view has a tracked cell"):
        gather(tmp_path, [make_cells(0), make_cells(0)])


def test_a_function_without_any_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"function_gfp has no value in any of the 2 cells \(sample s\)"):
        gather(tmp_path, [make_cells(2, function_gfp=np.nan, function_red=1.0)])
    other = make_cells(1, track_id=["a/1/1"], sample="a", function_red=1.0)
    with pytest.raises(UserError, match=r"function_gfp has no value in any of the 3 cells \(samples a, s\)"):
        gather(tmp_path, [make_cells(2, function_gfp=np.nan, function_red=1.0), other])


def test_a_sample_without_a_function_value_is_named(tmp_path: Path) -> None:
    other = make_cells(1, track_id=["a/1/1"], sample="a", function_gfp=np.nan, function_red=1.0)
    cells, report = gather(tmp_path, [make_cells(2, function_gfp=[np.nan, 2.0], function_red=1.0), other])
    assert len(cells) == 3
    assert [line for line in report["lines"] if "no value" in line] == [
        "function_gfp has no value in any cell (sample a)."
    ]


def fluorescent(sample: str, gain: float) -> pd.DataFrame:
    levels = {f"morphology_red_{s}": gain * np.array([1.0, 2.0, 3.0]) * (i + 1) for i, s in enumerate(STATISTICS)}
    ids = [f"{sample}/1/{i}" for i in range(3)]
    levels |= {"morphology_area_px2": np.array([5.0, 6.0, 7.0]), "morphology_red_contrast": np.array([1.0, 2.0, 3.0])}
    return make_cells(3, track_id=ids, sample=sample, function_gfp=gain * np.array([2.0, 4.0, 6.0]), **levels)


def test_scaling_takes_out_a_gain_and_nothing_else(tmp_path: Path) -> None:
    cells, report = gather(tmp_path, [fluorescent("a", 1.0), fluorescent("b", 10.0)], Cells(scaling="per_sample"))
    a, b = (cells[cells["sample"] == s].drop(columns=["sample", "track_id", "founder_id"]) for s in "ab")
    measured = [c for c in cells if c.startswith(("morphology_", "function_"))]
    np.testing.assert_allclose(a[measured].to_numpy(float), b[measured].to_numpy(float))
    assert a["function_gfp"].tolist() == [0.5, 1, 1.5]
    assert a["morphology_red_std"].tolist() == [1, 2, 3]
    assert a["morphology_area_px2"].tolist() == [5, 6, 7]
    assert a["morphology_red_contrast"].tolist() == [1, 2, 3]
    assert report["numbers"]["factor_b_function_gfp"] == 40
    assert "divided by its own sample's median" in report["lines"][1]


def test_no_scaling_changes_nothing() -> None:
    cells = fluorescent("a", 3.0)
    same, factors = scaled(cells, Cells())
    pd.testing.assert_frame_equal(same, cells)
    assert factors.empty


def test_times_and_rates_are_not_scaled() -> None:
    cells = fluorescent("a", 3.0)
    comparable, factors = scaled(cells, Cells(scaling="per_sample"), frozenset({"function_gfp"}))
    assert comparable["function_gfp"].tolist() == cells["function_gfp"].tolist()
    assert "function_gfp" not in set(factors["reference"])
    asked = [{"name": n, "channel": "gfp", "summary": n} for n in ("rate", "plateau", "onset", "endpoint")]
    assert Function(scores=asked).not_levels == {"function_rate", "function_onset"}


def of_batch(sample: str, gain: float, condition: str, replicate: object = pd.NA) -> pd.DataFrame:
    return fluorescent(sample, gain).assign(condition=condition, replicate=replicate)


CONTROLS = Cells(scaling="controls", controls=["mock"])


def test_scaling_by_controls_keeps_what_a_treatment_does(tmp_path: Path) -> None:
    # The lamp of replicate 2 is ten times as bright; the drug triples the level in both.
    fields = [of_batch("a", 1, "mock", "1"), of_batch("b", 3, "drug", "1")]
    fields += [of_batch("c", 10, "mock", "2"), of_batch("d", 30, "drug", "2")]
    cells, report = gather(tmp_path, fields, CONTROLS)
    level = cells.groupby("sample")[["function_gfp", "morphology_red_mean", "morphology_area_px2"]].median()
    np.testing.assert_allclose(level["function_gfp"], [1, 3, 1, 3])
    np.testing.assert_allclose(level["morphology_red_mean"], [1, 3, 1, 3])
    assert level["morphology_area_px2"].tolist() == [6, 6, 6, 6]
    assert report["numbers"]["factor_d_function_gfp"] == report["numbers"]["factor_c_function_gfp"] == 40
    assert "the control cells (mock) of the same replicate, so levels are relative to theirs" in report["lines"][1]


def test_samples_without_a_replicate_share_their_controls() -> None:
    cells = pd.concat([of_batch("a", 2, "mock"), of_batch("b", 6, "drug")], ignore_index=True)
    comparable, _ = scaled(cells, CONTROLS)
    assert comparable.groupby("sample")["function_gfp"].median().tolist() == [1, 3]


def test_a_replicate_without_controls_is_refused() -> None:
    cells = pd.concat([of_batch("a", 1, "mock", "1"), of_batch("b", 3, "drug", "2")], ignore_index=True)
    said = r"no cell of condition mock has function_gfp in replicate '2', to which sample 'b' belongs"
    with pytest.raises(UserError, match=rf"cells\.controls: {said} \(conditions are drug, mock\)"):
        scaled(cells, CONTROLS)
    with pytest.raises(UserError, match=r"no cell of condition mokc has"):
        scaled(cells, Cells(scaling="controls", controls=["mokc"]))


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"scaling": "controls"}, "cells.controls: name the conditions of the sheet that are controls"),
        ({"controls": ["mock"]}, "cells.controls: used only where cells.scaling is controls, and it is none"),
    ],
)
def test_controls_and_scaling_go_together(cells: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said.replace(".", r"\.")):
        load({"cells": cells})


def test_scaling_by_a_median_of_zero_is_refused() -> None:
    with pytest.raises(UserError, match=r"median of function_gfp for sample 's' is 0; set cells\.scaling to none"):
        scaled(make_cells(3, function_gfp=[0.0, 0.0, 5.0]), Cells(scaling="per_sample"))


def test_a_field_without_cells_makes_an_empty_table(tmp_path: Path) -> None:
    paths = {}
    tables = {t.name: t for t in (DETECTIONS, TRACKS, MORPHOLOGY, EMBEDDINGS, SCORES)}
    for name, table in tables.items():
        paths[name] = tmp_path / f"{name}.parquet"
        write_table(empty(table), paths[name], table)
    out = {"objects": tmp_path / "objects.parquet", "cells": tmp_path / "cells.parquet"}
    summarise_tracks.main(**paths, **out, settings=summarise_tracks.Settings())
    assert len(read_table(out["objects"], OBJECTS)) == len(read_table(out["cells"], CELLS)) == 0
    together, _ = gather(tmp_path, [read_table(out["cells"], CELLS), make_cells(1)])
    assert len(together) == 1


def test_the_users_features_are_averaged_as_morphology_is(tmp_path: Path) -> None:
    (tmp_path / "o.csv").write_text("frame,label,x\n1,1,10\n2,1,20\n0,2,1\n1,2,3\n")
    (tmp_path / "c.csv").write_text("track_id,y\ns/1/2,9\n")
    own = [tmp_path / "o.csv", tmp_path / "c.csv"]
    cells = summarise(tmp_path, Features(window_frames=2, death_margin_frames=2), features=own)
    assert cells["features_x"].tolist() == [15, 2]
    assert cells["features_y"].fillna(-1).tolist() == [-1, 9]
    objects = read_table(tmp_path / "objects.parquet", OBJECTS)
    assert objects.sort_values(["label", "frame"])["features_x"].fillna(-1).tolist() == [-1, 10, 20, 1, 3, -1, -1]
    _, report = gather(tmp_path, [cells])
    assert "2 of 2 cells have external features (2 columns)." in report["lines"]


def test_cells_have_the_metadata_of_their_row_of_the_sheet(tmp_path: Path) -> None:
    field = FieldOfView(sample="s", condition="drug", metadata=(("donor", "d1"), ("dose", "10")))
    summarise_tracks.main(
        **write_field(tmp_path),
        objects=tmp_path / "objects.parquet",
        cells=tmp_path / "cells.parquet",
        settings=summarise_tracks.Settings(field=field, features=Features()),
    )
    cells = read_table(tmp_path / "cells.parquet", CELLS)
    assert cells[["condition", "group_donor", "group_dose"]].to_numpy().tolist() == [["drug", "d1", "10"]] * 2


@given(seed=st.integers(0, 2**32 - 1), sizes=st.lists(st.integers(6, 12), min_size=2, max_size=4), shared=st.data())
@settings(max_examples=20, deadline=None)
def test_fields_with_the_same_cells_are_named_and_others_are_not(
    seed: int, sizes: list[int], shared: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    tables = [
        make_cells(n, fov=str(k), y_px=rng.uniform(0, 500, n), x_px=rng.uniform(0, 500, n)).assign(
            track_id=[f"s/{k}/{i}" for i in range(n)], founder_id=[f"s/{k}/{i}" for i in range(n)]
        )
        for k, n in enumerate(sizes)
    ]
    assert fields_alike(pd.concat(tables)) == []
    copied = shared.draw(st.integers(0, len(sizes) - 1))
    kept = shared.draw(st.integers(3, sizes[copied]))
    copy = tables[copied].sample(frac=1, random_state=seed % 1000).head(kept)
    copy = copy.assign(sample="t", track_id="t" + copy["track_id"], founder_id="t" + copy["founder_id"])
    assert fields_alike(pd.concat([*tables, copy])) == [(f"s/{copied}", f"t/{copied}", kept)]


def test_a_copied_field_is_a_serious_notice_of_the_report(tmp_path: Path) -> None:
    places = {"y_px": np.arange(4) * 10.5, "x_px": 3.25}
    one, other = make_cells(4, **places), make_cells(4, fov="2", **places)
    other = other.assign(track_id="o" + other["track_id"], founder_id="o" + other["founder_id"])
    paths = [tmp_path / "1.parquet", tmp_path / "2.parquet"]
    for table, path in zip((one, other), paths, strict=True):
        write_table(table, path, CELLS)
    made = {"cells": tmp_path / "cells.parquet", "csv": tmp_path / "cells.csv", "report": tmp_path / "report.json"}
    words = ["--fields", *map(str, paths), *(word for name, path in made.items() for word in (f"--{name}", str(path)))]
    subprocess.run([sys.executable, collect_cells.__file__, *words], check=True, capture_output=True)
    [notice] = json.loads(made["report"].read_text())["notices"]
    assert notice["level"] == "serious"
    assert "Fields s/1 and s/2 have 4 cells in the same frames and places" in notice["text"]
