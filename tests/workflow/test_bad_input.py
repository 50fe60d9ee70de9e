"""Mistakes that stop a run, through Snakemake: one clear sentence, no traceback, nothing half-written."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from tests.workflow.conftest import Project, write_sheet

pytestmark = pytest.mark.workflow


def complaint(project: Project, *arguments: str) -> str:
    """Run Snakemake, which must fail, and return what it said."""
    said = project.snakemake(*arguments, check=False)
    assert "Traceback (most recent call last)" not in said
    assert "Complete log" not in said or "error" in said.lower()
    return said


def test_unknown_key(small: Project) -> None:
    small.configure(track={"max_gpa": 1})
    said = complaint(small, "-n", "tracking")
    assert "study.yaml or --config:" in said
    assert "track.max_gpa: unknown key, did you mean 'max_gap'?" in said


def test_value_out_of_range(small: Project) -> None:
    small.configure(track={"max_gap": -1})
    said = complaint(small, "-n", "tracking")
    assert "track.max_gap: Input should be greater than or equal to 0 (got -1)" in said


def test_field_listed_twice(small: Project) -> None:
    write_sheet(small.folder, [{"sample": "s", "fov": "a", "masks": "a_masks.tif"}] * 2)
    assert "samples.tsv, row 3: sample 's' with field 'a' is listed twice" in complaint(small, "-n", "tracking")


def test_pattern_without_files(small: Project) -> None:
    write_sheet(small.folder, [{"sample": "s", "fov": "a", "masks": "none/*.tif"}])
    assert "no file matches 'none/*.tif'" in complaint(small, "-n", "tracking")


def test_file_is_absent(small: Project) -> None:
    (small.folder / "a.ome.tif").unlink()
    said = complaint(small, "-n", "tracking")
    assert "sample s, field a, images: there is no file 'a.ome.tif'; check the path in the sample sheet." in said


def test_data_folder_is_absent(small: Project) -> None:
    write_sheet(small.folder, [{"sample": "s", "fov": "a", "masks": "{data}/a.tif"}])
    small.configure(data="nowhere")
    said = complaint(small, "-n", "tracking")
    assert "the folder 'nowhere'" in said
    assert "--config data=FOLDER" in said


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:1500]), "not a whole TIFF file"),
        (lambda path: tifffile.imwrite(path, np.zeros((5, 2, 32, 32), np.uint16)), "64"),
    ],
    ids=["truncated", "another size than the masks"],
)
def test_movie_that_does_not_fit(small: Project, spoil, sentence: str) -> None:
    spoil(small.folder / "a.ome.tif")
    small.configure(channels={"names": ["nuclear", "reporter"]})
    wanted = "results/small/fov/s/a/masks.ome.tif"
    said = complaint(small, wanted)
    assert "a.ome.tif" in said
    assert sentence in said
    assert not (small.folder / wanted).exists()
    assert not half_written(small)


def half_written(project: Project) -> list[Path]:
    """Return what a step left under a temporary name."""
    return [path for path in (project.folder / "results").rglob(".*-*-*-*") if path.exists()]


def spoil_black(path: Path) -> None:
    planes = tifffile.imread(path)
    planes[:, 0] = 100
    tifffile.imwrite(path, planes, metadata={"axes": "TCYX", "Channel": {"Name": ["nuclear", "reporter"]}}, ome=True)


def spoil_single(path: Path) -> None:
    planes = tifffile.imread(path)[:1]
    tifffile.imwrite(path, planes, metadata={"axes": "TCYX", "Channel": {"Name": ["nuclear", "reporter"]}}, ome=True)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (spoil_black, "a.ome.tif: channel nuclear is all of one grey level (black) in every one of its 5 frames; mend"),
        (spoil_single, "a.ome.tif: one frame was found, in which no cell can be followed; give the whole movie, or"),
    ],
    ids=["black", "single frame"],
)
def test_a_movie_that_says_nothing(small: Project, spoil, sentence: str) -> None:
    spoil(small.folder / "a.ome.tif")
    said = complaint(small, "tracking")
    assert f"prepare_movie, sample s, field a: {sentence}" in said
    assert not (small.folder / "results/small/fov/s/a/movie.ome.tif").exists()
    assert not half_written(small)
