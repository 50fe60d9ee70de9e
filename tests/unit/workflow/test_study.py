"""What a run can make from what its sheet gives."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.expected import TARGETS
from tests.unit.io.readers.ome_examples import movie_of, write_set

from cineseq.errors import UserError
from cineseq.workflow.study import Study, open_study
from cineseq.workflow.targets import all_files, files_of_report, files_of_target, step_reports, targets

IMAGES = [
    {"sample": "a.1", "fov": "f1", "condition": "low", "images": "a1.tif"},
    {"sample": "a.1", "fov": "f2", "condition": "low", "images": "a2.tif"},
    {"sample": "b", "fov": "f1", "condition": "high", "images": "b1.tif"},
]
PAIRED = [{**row, "barcodes": "codes.csv", "counts": f"{row['sample']}.h5ad"} for row in IMAGES]
MASKS = [{**row, "images": "", "masks": f"{row['sample']}_{row['fov']}.tif"} for row in IMAGES]
GIVEN_TRACKS = [{**row, "tracks": "t.csv"} for row in MASKS]
TRACKS_ALONE = [{**row, "masks": ""} for row in GIVEN_TRACKS]
POINTS = [{**row, "images": "", "points": "p.csv"} for row in IMAGES]
POINTS_AND_IMAGES = [{**row, "points": "p.csv"} for row in IMAGES]
CELLS = [{"sample": "a", "cells": "one.csv;two.csv", "counts": "c.csv"}]
ONLY_CELLS = [{"sample": "a", "cells": "one.csv"}]
LINEAGE = [{"sample": "a", "lineage": "l.csv"}]
GIVEN_PAIRED = [{"sample": "a", "paired": "p.h5mu"}]
SIMULATED = [{**row, "images": "results/run/experiment/movies/" + row["images"]} for row in PAIRED]
SIMULATED_MOVIES = [{**row, "barcodes": "", "counts": ""} for row in SIMULATED]
SCORED = {"channels": {"function": ["lipid"]}, "function": {"scores": [{"name": "lipid", "channel": "lipid"}]}}


def study(folder: Path, rows: list[dict[str, str]], **config: Any) -> Study:
    """Return the study of a sheet with these rows."""
    lines = ["\t".join(rows[0]), *("\t".join(row.values()) for row in rows)]
    (folder / "samples.tsv").write_text("\n".join(lines) + "\n")
    return open_study({"samples": str(folder / "samples.tsv"), "run": "run", "data": str(folder)} | config, [])


def test_the_frame_step_of_the_configuration_is_that_of_rows_without_one(tmp_path: Path) -> None:
    rows = [{**row, "frame_step": step} for row, step in zip(IMAGES, ("", "2", ""), strict=True)]
    found = study(tmp_path, rows, inputs={"frame_step": 5})
    assert [entry.identity.frame_step for entry in found.entries] == [5, 2, 5]


@pytest.mark.parametrize(
    ("rows", "start", "impossible"),
    [
        (IMAGES, "images", {"pairing", "clusters", "de", "prediction", "crossmodal", "generative", "truth"}),
        (MASKS, "images", {"pairing", "clusters", "de", "prediction", "crossmodal", "generative", "truth"}),
        (TRACKS_ALONE, "images", {"pairing", "clusters", "de", "prediction", "crossmodal", "generative", "truth"}),
        (POINTS, "images", {"pairing", "clusters", "de", "prediction", "crossmodal", "generative", "truth"}),
        (PAIRED, "images", {"truth"}),
        (SIMULATED, "images", set()),
        (SIMULATED_MOVIES, "images", {"pairing", "clusters", "de", "prediction", "crossmodal", "generative", "truth"}),
        (CELLS, "cells", {"features", "tracking", "truth"}),
        (ONLY_CELLS, "cells", TARGETS - {"pairing", "prediction", "lineage", "report"}),
        (GIVEN_PAIRED, "paired", {"features", "tracking", "lineage", "truth"}),
        (LINEAGE, "lineage", TARGETS - {"lineage", "report"}),
    ],
)
def test_targets_follow_the_data(rows: list[dict], start: str, impossible: set[str], tmp_path: Path) -> None:
    found = study(tmp_path, rows)
    assert found.start == start
    assert {name for name, target in targets(found).items() if not target.possible} == impossible
    assert set(targets(found)) == TARGETS
    for name in TARGETS:
        files = targets(found)[name].files
        assert len(set(files)) == len(files)
        assert set(files) <= set(all_files(found)) or name in impossible
        if name in impossible:
            with pytest.raises(UserError, match=f"target '{name}': the sheet .* gives no .*; add it or name another"):
                files_of_target(found, name)
        else:
            assert files_of_target(found, name) == list(files)
            assert files


def test_tracks_alone_are_tracked_without_what_needs_masks(tmp_path: Path) -> None:
    found = files_of_target(study(tmp_path, TRACKS_ALONE[2:]), "tracking")
    assert found == [f"<results>/fov/b/f1/{name}" for name in ("tracks.parquet", "detections.parquet", "tracks.geff")]
    on_masks = files_of_target(study(tmp_path, GIVEN_TRACKS[2:]), "tracking")
    named = {"masks.ome.tif", "ctc", "overview.png", "tracks.geff"}
    assert {path.split("/")[-1] for path in on_masks} >= named


def test_points_are_tracked_without_what_needs_masks(tmp_path: Path) -> None:
    made = ["tracks.parquet", "detections.parquet", "events.parquet", "tracks.geff"]
    for rows in (POINTS[2:], POINTS_AND_IMAGES[2:]):
        found = study(tmp_path, rows, **SCORED)
        assert files_of_target(found, "tracking") == [f"<results>/fov/b/f1/{name}" for name in made]
        assert not any((found.has_masks, found.has_movies, found.measures_function, found.embeds))


def test_tracking_measures_nothing_that_tracks_do_not_need(tmp_path: Path) -> None:
    """Shape takes longer than the tracks of a long movie."""
    for rows in (IMAGES, MASKS, GIVEN_TRACKS):
        found = study(tmp_path, rows, **SCORED)
        measured = {"morphology.parquet", "embeddings.parquet", "scores.parquet", "objects.parquet"}
        assert not measured & {path.split("/")[-1] for path in files_of_target(found, "tracking")}
        assert "<results>/fov/b/f1/morphology.parquet" in files_of_target(found, "features")


def test_files_of_fields_and_of_the_study(tmp_path: Path) -> None:
    found = study(tmp_path, PAIRED)
    assert files_of_target(found, "features") == [
        "<results>/fov/a.1/f1/morphology.parquet",
        "<results>/fov/a.1/f2/morphology.parquet",
        "<results>/fov/b/f1/morphology.parquet",
        "<results>/fov/a.1/f1/objects.parquet",
        "<results>/fov/a.1/f2/objects.parquet",
        "<results>/fov/b/f1/objects.parquet",
        "<results>/fov/a.1/f1/cells.parquet",
        "<results>/fov/a.1/f2/cells.parquet",
        "<results>/fov/b/f1/cells.parquet",
        "<results>/study/fields.tsv",
        "<results>/study/cells.parquet",
    ]
    paired = ["<results>/study/paired.h5ad", "<results>/study/paired.h5mu"]
    assert files_of_target(found, "pairing") == ["<results>/study/pairs.parquet", *paired]
    assert files_of_target(study(tmp_path, GIVEN_PAIRED), "pairing") == paired


@pytest.mark.parametrize(
    ("rows", "folders"),
    [
        (MASKS, {"study", "lineage"}),
        (PAIRED, {"study", "clusters", "de", "prediction", "lineage", "crossmodal", "generative"}),
        (ONLY_CELLS, {"study", "prediction", "lineage"}),
        (GIVEN_PAIRED, {"clusters", "de", "prediction", "crossmodal", "generative"}),
        (LINEAGE, {"study", "lineage"}),
    ],
)
def test_the_report_reads_what_the_steps_of_a_study_make(rows: list[dict], folders: set[str], tmp_path: Path) -> None:
    found = study(tmp_path, rows)
    read = files_of_report(found)
    assert {path.split("/")[1] for path in read} == folders
    assert ("<results>/lineage/heritable_genes.tsv" in read) == ("lineage" in folders and "clusters" in folders)
    assert set(read) - {"<results>/study/cells.parquet"} <= set(all_files(found))


SISTERS = "compare_sisters compare_sisters_before_death"


@pytest.mark.parametrize(
    ("rows", "config", "steps"),
    [
        (
            IMAGES[2:],
            {"embed": {"model": None}},
            f"prepare_movie segment track morphology | list_fields collect_cells describe_fates {SISTERS}",
        ),
        (
            PAIRED[2:],
            SCORED,
            "prepare_movie segment track morphology embed score_function | list_fields collect_cells match_barcodes "
            f"pair cluster differential_expression explain_modalities generate predict describe_fates {SISTERS} "
            "compare_sister_genes",
        ),
        (
            GIVEN_TRACKS[2:],
            SCORED,
            f"import_masks import_tracks morphology | list_fields collect_cells describe_fates {SISTERS}",
        ),
        (
            CELLS,
            {},
            "| import_cells cluster differential_expression explain_modalities generate predict describe_fates "
            f"{SISTERS} compare_sister_genes",
        ),
        (
            TRACKS_ALONE[2:],
            {},
            f"import_point_tracks | list_fields collect_cells describe_fates {SISTERS}",
        ),
        (POINTS[2:], {}, f"track | list_fields collect_cells describe_fates {SISTERS}"),
        (POINTS_AND_IMAGES[2:], SCORED, f"prepare_movie track | list_fields collect_cells describe_fates {SISTERS}"),
        (GIVEN_PAIRED, {}, "| import_paired cluster differential_expression explain_modalities generate predict"),
        (LINEAGE, {}, f"| import_lineage describe_fates {SISTERS}"),
    ],
)
def test_a_report_of_every_step_that_runs(rows: list[dict], config: dict, steps: str, tmp_path: Path) -> None:
    per_field, once = (part.split() for part in steps.split("|"))
    expected = [f"<results>/reports/{name}/b@f1.json" for name in per_field]
    expected += [f"<results>/reports/{name}.json" for name in once]
    assert step_reports(study(tmp_path, rows, **config)) == expected


def test_samples_fields_and_files(tmp_path: Path) -> None:
    found = study(tmp_path, PAIRED)
    assert found.samples == ["a.1", "b"]
    assert found.entry("a.1", "f2").images == "a2.tif"
    assert found.files("a.1", "f2", "images") == ["a2.tif"]
    assert found.files("a.1", "f2", "masks") == []
    assert found.sample_files("counts") == ["a.1.h5ad", "b.h5ad"]
    assert found.sample_files("barcodes") == ["codes.csv", "codes.csv"]
    assert found.count_samples == ["a.1", "b"]
    given = study(tmp_path, CELLS)
    assert [row["sample"] for row in given.rows_of("cells")] == ["a", "a"]


def test_a_rule_is_open_to_samples_that_start_its_way(tmp_path: Path) -> None:
    found = study(tmp_path, MASKS)
    assert found.only_if(masks=True) == r"[^/]+"
    assert found.only_if(masks=False) == r"(?!)"
    assert found.only_if(tracks=False, masks=True) == r"[^/]+"
    assert found.only_if(tracks=True, masks=True) == r"(?!)"


def test_every_row_of_a_given_table_counts(tmp_path: Path) -> None:
    rows = [{"sample": "a", "fov": "1", "lineage": "a.csv"}, {"sample": "a", "fov": "2", "lineage": "b.csv"}]
    with pytest.raises(UserError, match=r"lineage of sample 'a' differs from row 2"):
        study(tmp_path, rows)


def test_what_the_configuration_turns_on(tmp_path: Path) -> None:
    assert not study(tmp_path, IMAGES).measures_function
    assert study(tmp_path, IMAGES, **SCORED).measures_function
    assert not study(tmp_path, MASKS, **SCORED).measures_function
    assert study(tmp_path, IMAGES).embeds
    assert not study(tmp_path, MASKS).embeds
    assert not study(tmp_path, IMAGES, embed={"model": None}).embeds
    assert [Path(p).name for p in study(tmp_path, IMAGES).segmenter] == ["segmenter_compact.pt"]
    assert study(tmp_path, IMAGES, segment={"model": str(tmp_path / "none.pt")}).segmenter == []
    assert [Path(p).name for p in study(tmp_path, IMAGES).embedder] == ["embedder_compact.safetensors"]
    assert study(tmp_path, IMAGES, embed={"model": "vit_small_patch14_dinov2.lvd142m"}).embedder == []
    assert study(tmp_path, IMAGES, embed={"model": None}).embedder == []


def test_a_large_model_takes_a_gpu_and_a_compact_one_does_not(tmp_path: Path) -> None:
    small = study(tmp_path, IMAGES, segment={"model": "compact_phase"})
    assert [small.gpus(section) for section in ("segment", "embed")] == [0, 0]
    models = {"segment": {"model": "cpsam_v2"}, "embed": {"model": "vit_small_patch14_dinov2.lvd142m"}}
    large = study(tmp_path, IMAGES, **models, train={"model": "cpsam_v2"})
    assert [large.gpus(section) for section in ("segment", "embed", "train")] == [1, 1, 1]
    (tmp_path / "mine.pt").write_bytes(b"trained from the compact one")
    assert study(tmp_path, IMAGES, segment={"model": str(tmp_path / "mine.pt")}).gpus("segment") == 0


def test_a_file_that_is_not_there_is_named_with_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = study(tmp_path, PAIRED)
    for name in ("a.1.h5ad", "codes.csv"):
        Path(name).touch()
    assert found.present_files("barcodes") == ["codes.csv"]
    with pytest.raises(UserError, match=r"^sample b, counts: there is no file 'b\.h5ad' in .*; check the path in"):
        found.present_files("counts")
    movies = [{**row, "images": f"{row['fov']}_*.tif"} for row in IMAGES]
    Path("f1_1.tif").touch()
    with pytest.raises(UserError, match=r"^sample a\.1, field f2, images: no file matches 'f2_\*\.tif'"):
        _ = study(tmp_path, movies).inputs


def test_neighbours_that_are_read_are_inputs(tmp_path: Path) -> None:
    files = write_set(tmp_path, [movie_of(0, 3, 2), movie_of(1, 2, 2)], lambda p, t, _c: f"s{p}_T{t}.ome.tif")
    rows = [{"sample": "a", "fov": "1", "images": str(files[0])}, {"sample": "a", "fov": "2", "images": str(files[-1])}]
    found = study(tmp_path, rows)
    assert found.files("a", "1", "images") == [str(file) for file in files[:3]]
    assert found.files("a", "2", "images") == [str(files[4]), str(files[3])]
    assert sorted(found.inputs) == sorted(map(str, files))
    whole = study(tmp_path, [{"sample": "a", "images": str(tmp_path / "m.tif"), "cell_masks": str(files[0])}])
    assert whole.files("a", "1", "cell_masks") == [str(file) for file in files[:3]]
    told = study(tmp_path, [rows[0] | {"series": "pos1"}])
    assert told.files("a", "1", "images") == [str(files[0]), *map(str, files[3:])]
    assert told.field_settings()(SimpleNamespace(sample="a", fov="1"))["field"]["series"] == "pos1"


def test_settings_are_plain_and_name_the_field(tmp_path: Path) -> None:
    found = study(tmp_path, IMAGES, inputs={"pixel_size_um": 0.5})
    told = found.field_settings("inputs")(SimpleNamespace(sample="b", fov="f1"))
    assert set(told) == {"inputs", "field"}
    facts = {"sample": "b", "fov": "f1", "frame_step": 1, "series": ""}
    assert told["field"] == facts
    described = found.field_settings(metadata=True)(SimpleNamespace(sample="b", fov="f1"))["field"]
    assert described == facts | {"condition": "high", "replicate": "", "metadata": []}
    assert told["inputs"]["pixel_size_um"] == 0.5
    assert found.settings("seed") == {"seed": 1}
    assert list(found.settings("track", "inputs")) == ["track", "inputs"]
    assert found.everything["run"] == "run"


def test_a_run_is_named_by_its_configuration_or_its_file(tmp_path: Path) -> None:
    (tmp_path / "samples.tsv").write_text("sample\timages\na\t{run}.tif\n")
    raw = {"samples": str(tmp_path / "samples.tsv")}
    assert open_study(raw, [Path("config/config.yaml"), Path("mine/hela.yaml")]).run == "hela"
    assert open_study({**raw, "run": "named"}, [Path("hela.yaml")]).entries[0].images == "named.tif"


def test_settings_of_a_module_that_come_from_no_file_name_the_run() -> None:
    with pytest.raises(UserError, match=r"^run: there is no configuration file to name the run after; set run"):
        open_study({}, [])


def test_a_mistake_in_the_configuration_names_its_file() -> None:
    with pytest.raises(UserError, match=r"^Invalid configuration in mine/hela\.yaml or --config:\n  sead: unknown key"):
        open_study({"sead": 1}, [Path("mine/hela.yaml")])


def test_data_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "samples.tsv").write_text("sample\timages\na\t{data}/a.tif\n")
    raw = {"samples": str(tmp_path / "samples.tsv"), "run": "r"}
    with pytest.raises(
        UserError, match=r"data: the folder '/nowhere/data' that .*samples\.tsv refers to is not there;"
    ):
        open_study({**raw, "data": "/nowhere/data"}, [])
    assert open_study({**raw, "data": str(tmp_path)}, []).entries[0].images == f"{tmp_path}/a.tif"
    (tmp_path / "samples.tsv").write_text("sample\timages\na\tmine/a.tif\n")
    assert open_study({**raw, "data": "/nowhere/data"}, []).entries[0].images == "mine/a.tif"


def test_a_sample_starts_in_one_way(tmp_path: Path) -> None:
    rows = [{**IMAGES[0], "masks": "m.tif"}, {**IMAGES[1], "masks": ""}]
    with pytest.raises(UserError, match=r"sample 'a\.1' gives no masks, which other rows do; put rows"):
        study(tmp_path, rows)
    with pytest.raises(UserError, match=r"row 3: sample 'a\.1' gives no points, which other rows do; put rows"):
        study(tmp_path, [POINTS_AND_IMAGES[0], {**POINTS_AND_IMAGES[1], "points": ""}])


def test_a_pattern_without_files_names_the_field(tmp_path: Path) -> None:
    found = study(tmp_path, [{"sample": "a", "fov": "f1", "images": f"{tmp_path}/*.tif"}])
    with pytest.raises(UserError, match=r"sample a, field f1, images: no file matches"):
        found.files("a", "f1", "images")


def test_the_recordings_of_several_fields_are_compared(tmp_path: Path) -> None:
    for rows in (IMAGES, MASKS, GIVEN_TRACKS):
        found = study(tmp_path, rows)
        assert "<results>/reports/compare_fields.json" in files_of_target(found, "tracking")
        assert "<results>/reports/compare_fields.json" in step_reports(found)
    for rows in (IMAGES[2:], TRACKS_ALONE, CELLS):
        assert "<results>/reports/compare_fields.json" not in step_reports(study(tmp_path, rows))


def test_a_section_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("track: {max_gap: 1}\nseed: 2\ntrack: {division_cost: 2}\n")
    with pytest.raises(UserError, match=r"my\.yaml, line 3: the key 'track' is there twice \(first in line 1\)"):
        open_study({"track": {"division_cost": 2}, "seed": 2}, [tmp_path / "my.yaml"])
