"""A sheet with a column of features: the user's own measurements become a block of the cells and of the paired data."""

import pandas as pd
import pytest
from tests.workflow.conftest import Project, write_sheet

pytestmark = pytest.mark.workflow


@pytest.fixture
def measured(small: Project) -> Project:
    """Return the small study with features by frame and label for each field, and one table of cells for both."""
    rows = []
    for fov in ("a", "b"):
        objects = [(frame, label, 10.0 * frame + label) for frame in range(5) for label in (1, 2, 3, 4)]
        pd.DataFrame(objects, columns=["frame", "label", "gabor"]).to_csv(small.folder / f"{fov}_own.csv", index=False)
        images = {"images": f"{fov}.ome.tif", "masks": f"{fov}_masks.tif"}
        rows.append({"sample": "s", "fov": fov, "condition": "c", **images, "features": f"{fov}_own.csv;cells.tsv"})
    cells = pd.DataFrame({"track_id": ["s/a/1", "s/b/2"], "speed": [0.5, 0.7]})
    cells.to_csv(small.folder / "cells.tsv", sep="\t", index=False)
    write_sheet(small.folder, rows)
    return small


def test_features_are_planned_with_the_cells(measured: Project) -> None:
    assert "summarise_tracks" in measured.planned("features")


def test_tracking_alone_describes_no_cell(measured: Project) -> None:
    planned = measured.planned("tracking")
    assert planned >= {"prepare_movie", "import_masks", "track", "export_tracks", "draw_field"}
    assert not planned & {"morphology", "embed", "score_function", "summarise_tracks", "collect_cells"}


@pytest.mark.slow
def test_features_reach_the_cells_of_the_study(measured: Project) -> None:
    measured.snakemake("results/small/study/cells.parquet")
    cells = pd.read_parquet(measured.folder / "results/small/study/cells.parquet").set_index("track_id")
    assert [c for c in cells if c.startswith("features_")] == ["features_gabor", "features_speed"]
    assert cells["feature_frame"].unique().tolist() == [4]
    assert cells.groupby("fov")["features_gabor"].apply(sorted).tolist() == [[41, 42, 43, 44]] * 2
    assert cells["features_speed"].dropna().to_dict() == {"s/a/1": 0.5, "s/b/2": 0.7}
    table = measured.folder / "a_own.csv"
    table.write_text(table.read_text() + "4,9,1\n")
    assert "a_own.csv, row 22: field 'a' of sample 's' has no object 9 of frame 4" in measured.complaint("features")
