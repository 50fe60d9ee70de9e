"""Mistakes that stop a run, through Snakemake: one clear sentence, no traceback, nothing half-written."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from tests.workflow.conftest import Project, give_pairing, write_sheet

pytestmark = pytest.mark.workflow


def test_unknown_key(small: Project) -> None:
    small.configure(track={"max_gpa": 1})
    said = small.complaint("-n", "tracking")
    assert "study.yaml or --config:" in said
    assert "track.max_gpa: unknown key, did you mean 'max_gap'?" in said


def test_value_out_of_range(small: Project) -> None:
    small.configure(track={"max_gap": -1})
    said = small.complaint("-n", "tracking")
    assert "track.max_gap: Input should be greater than or equal to 0 (got -1)" in said


def test_field_listed_twice(small: Project) -> None:
    write_sheet(small.folder, [{"sample": "s", "fov": "a", "masks": "a_masks.tif"}] * 2)
    assert "samples.tsv, row 3: sample 's' with field 'a' is listed twice" in small.complaint("-n", "tracking")


def test_pattern_without_files(small: Project) -> None:
    write_sheet(small.folder, [{"sample": "s", "fov": "a", "masks": "none/*.tif"}])
    assert "no file matches 'none/*.tif'" in small.complaint("-n", "tracking")


def test_file_is_absent(small: Project) -> None:
    (small.folder / "a.ome.tif").unlink()
    said = small.complaint("-n", "tracking")
    assert "sample s, field a, images: there is no file 'a.ome.tif' in " in said
    assert "; check the path in the sample sheet." in said


def test_data_folder_is_absent(small: Project) -> None:
    write_sheet(small.folder, [{"sample": "s", "fov": "a", "masks": "{data}/a.tif"}])
    small.configure(data="nowhere")
    said = small.complaint("-n", "tracking")
    assert "the folder 'nowhere'" in said
    assert "--config data=FOLDER" in said


def write_raw(path: Path, planes: np.ndarray) -> None:
    metadata = {"axes": "TCYX", "Channel": {"Name": ["nuclear", "reporter"]}}
    tifffile.imwrite(path, planes, metadata=metadata, ome=True)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1500])


def shrink(path: Path) -> None:
    write_raw(path, tifffile.imread(path)[..., :32])


def blacken(path: Path) -> None:
    planes = tifffile.imread(path)
    planes[:, 0] = 100
    write_raw(path, planes)


def blacken_one_frame(path: Path) -> None:
    planes = tifffile.imread(path)
    planes[3, 0] = 0
    write_raw(path, planes)


def keep_one_frame(path: Path) -> None:
    write_raw(path, tifffile.imread(path)[:1])


def shrink_one_frame(path: Path) -> None:
    planes = tifffile.imread(path)[:, 0]
    with tifffile.TiffWriter(path, ome=False) as file:
        for number, plane in enumerate(planes):
            file.write(plane[:32] if number == 3 else plane)


def rename_channel(path: Path) -> None:
    metadata = {"axes": "TCYX", "Channel": {"Name": ["nuclear", "lipid"]}}
    tifffile.imwrite(path, tifffile.imread(path), metadata=metadata, ome=True)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (truncate, "a.ome.tif: not a whole TIFF file"),
        (shrink_one_frame, "a.ome.tif: page 3 has the shape (32, 64), page 0 (64, 64); all"),
        (rename_channel, "a.ome.tif: no channel 'reporter'"),
        (blacken, "a.ome.tif: channel nuclear has a single grey level (black) in each of the 5 frames"),
        (blacken_one_frame, "a.ome.tif: channel nuclear has a single grey level (black) in 1 of the 5 frames used,"),
        (keep_one_frame, "a.ome.tif: one frame was found, in which no cell can be tracked; use the whole movie, or"),
    ],
)
def test_a_movie_that_is_refused(small: Project, spoil: Callable[[Path], None], sentence: str) -> None:
    spoil(small.folder / "a.ome.tif")
    small.configure(run={"may_fail": 0})
    said = small.complaint("results/small/fov/s/a/movie.ome.tif")
    assert f"prepare_movie, sample s, field a: {sentence}" in said
    assert sentence in said.split("Exiting because")[1], "what went wrong is not said last"
    assert said.count(sentence) == 1
    assert not (small.folder / "results/small/fov/s/a/movie.ome.tif").exists()


def test_masks_of_another_size_than_the_movie(small: Project) -> None:
    shrink(small.folder / "a.ome.tif")
    small.configure(run={"may_fail": 0})
    said = small.complaint("results/small/fov/s/a/masks.ome.tif")
    assert "import_masks, sample s, field a: a_masks.tif: " in said
    assert "64 x 32" in said
    assert not (small.folder / "results/small/fov/s/a/masks.ome.tif").exists()


def test_a_field_without_cells(small: Project) -> None:
    tifffile.imwrite(small.folder / "a_masks.tif", np.zeros((5, 64, 64), np.uint16), metadata={"axes": "TYX"})
    small.configure(run={"may_fail": 0})
    said = small.complaint("results/small/fov/s/a/tracks.parquet")
    assert "track, sample s, field a: results/small/fov/s/a/masks.ome.tif: there is no cell in any frame; check" in said
    assert not (small.folder / "results/small/fov/s/a/tracks.parquet").exists()
    small.configure(track={"allow_empty": True}, run={"may_fail": 0})
    small.snakemake("results/small/fov/s/a/tracks.parquet")
    assert pd.read_parquet(small.folder / "results/small/fov/s/a/tracks.parquet").empty


@pytest.mark.parametrize(
    ("barcodes", "sequenced", "sentence"),
    [
        (["AAAA", "AAAA"], ["AAAA", "CCCC"], "b.csv, row 3: barcode 'AAAA' of sample 's' is listed twice (first in b"),
        (["AAAA", "CCCC"], ["TTTT", "GGGG"], "c.csv and the rows of sample 's' in b.csv: no barcode is in both; the"),
    ],
    ids=["twice", "no overlap"],
)
def test_barcodes_that_are_refused(alone: Project, barcodes: list[str], sequenced: list[str], sentence: str) -> None:
    give_pairing(alone, barcodes, sequenced)
    said = alone.complaint("results/small/study/pairs.parquet")
    assert sentence in said
    assert not (alone.folder / "results/small/study/pairs.parquet").exists()


def test_a_compartment_that_is_listed_twice(alone: Project) -> None:
    give_pairing(alone, ["AAAA", "CCCC"], ["AAAA", "CCCC"])
    places = alone.folder / "w.csv"
    places.write_text(places.read_text() + "\n" + places.read_text().splitlines()[1] + "\n")
    said = alone.complaint("results/small/fov/s/a/tracks.parquet")
    assert "w.csv, row 5: compartment 'left' of sample 's' is listed twice (first in w.csv, row 2); each" in said


def give_cells(project: Project, scores: list[float]) -> None:
    """Let a study start from a table of cells with a function, and their counts."""
    names = pd.Index([f"c{i}" for i in range(len(scores))], name="id")
    pd.DataFrame({"area": 50.0, "score": scores}, index=names).to_csv(project.folder / "cells.csv")
    counts = np.random.default_rng(0).poisson(5, (len(scores), 30))
    genes = [f"g{i}" for i in range(30)]
    pd.DataFrame(counts, names, genes).to_csv(project.folder / "counts.csv")
    write_sheet(project.folder, [{"sample": "s", "cells": "cells.csv", "counts": "counts.csv"}])
    external = {"function": {"score": "score"}, "morphology": ["area"]}
    project.configure(channels={"function": []}, function={"scores": []}, external=external)


def test_a_function_without_any_value(small: Project) -> None:
    give_cells(small, [float("nan")] * 4)
    said = small.complaint("results/small/study/paired.h5ad")
    assert "cells.csv: function_score" in said
    assert "has no value in any of the 4 cells; leave it out or correct it." in said
    assert not (small.folder / "results/small/study/paired.h5ad").exists()


@pytest.mark.slow
def test_one_sample_of_fewer_cells_than_folds(small: Project) -> None:
    give_cells(small, [1.0, 2.0, 3.0])
    said = small.snakemake()
    answers = json.loads((small.folder / "results/small/report/answers.json").read_text())["answers"]
    assert "Report: results/small/report/index.html" in said
    assert len(answers) == 6
    for answer in answers:
        assert answer["verdict"] == "not_estimable"
        assert "Not estimable because" in answer["answer"]
