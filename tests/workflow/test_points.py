"""A sheet that gives points, with or without images, through Snakemake."""

import json

import numpy as np
import pandas as pd
import pytest
from tests.workflow.conftest import Project, undeclared, write_sheet

pytestmark = pytest.mark.workflow
FRAMES = 8
WITHOUT_MASKS = {"segment", "import_masks", "import_tracks", "import_point_tracks", "morphology", "embed", "draw_field"}


def write_points(project: Project, fov: str, **changed: object) -> pd.DataFrame:
    """Write cells that drift, one of which divides in frame 4, as ``<fov>.csv``."""
    places = {1: (15, 15), 2: (15, 45), 3: (45, 30)}
    rows = [(t, y + t / 2, x + t / 2) for t in range(FRAMES) for cell, (y, x) in places.items() if cell < 3 or t < 4]
    rows += [(t, 47 + t / 4, 32 + side * t) for t in range(4, FRAMES) for side in (-1, 1)]
    table = pd.DataFrame(rows, columns=["frame", "y_px", "x_px"]).sample(frac=1, random_state=1).assign(**changed)
    table.to_csv(project.folder / f"{fov}.csv", index=False)
    return table


@pytest.fixture
def points(small: Project) -> Project:
    """Return a study of two fields of points: one of positions alone, one with areas as well."""
    write_points(small, "a")
    write_points(small, "b", area_px=50.0)
    write_sheet(small.folder, [{"sample": "s", "fov": fov, "points": f"{fov}.csv"} for fov in ("a", "b")])
    small.configure(function={"scores": []}, channels={"function": []}, inputs={"frame_interval_min": 30})
    return small


def test_points_are_tracked_and_nothing_needs_masks(points: Project) -> None:
    planned = points.planned()
    assert planned >= {
        "track",
        "export_tracks",
        "summarise_tracks",
        "collect_cells",
        "compare_sisters",
        "render_report",
    }
    assert not planned & (WITHOUT_MASKS | {"prepare_movie", "collect_uncertain", "compare_fields"})


@pytest.mark.slow
def test_points_go_through_to_the_report(points: Project) -> None:
    points.snakemake()
    results = points.folder / "results/small"
    tracks = pd.read_parquet(results / "fov/s/a/tracks.parquet")
    assert tracks["end_kind"].value_counts().to_dict() == {"end_of_movie": 4, "division": 1}
    assert tracks["end_hours"].max() == (FRAMES - 1) / 2
    areas = {fov: pd.read_parquet(results / f"fov/s/{fov}/detections.parquet")["area_px"] for fov in ("a", "b")}
    assert areas["a"].isna().all()
    assert areas["b"].eq(50).all()
    cells = pd.read_parquet(results / "study/cells.parquet")
    assert cells["sister_id"].notna().sum() == 4
    assert not [name for name in cells if name.startswith(("morphology_", "embedding_", "function_"))]
    geff = json.loads((results / "fov/s/b/tracks.geff/.zattrs").read_text())
    assert "masks.ome.tif" not in json.dumps(geff), "areas alone are no masks"
    page = (results / "report/index.html").read_text()
    assert "Points tracked" in page
    assert "There are no masks: shape, embedding, function, borders and deaths are unknown." in page
    assert undeclared(results) == []


@pytest.mark.slow
def test_images_beside_points_state_frames_and_times(points: Project, small: Project) -> None:
    rows = [{"sample": "s", "fov": fov, "images": f"{fov}.ome.tif", "points": f"{fov}.csv"} for fov in ("a", "b")]
    write_sheet(small.folder, rows)
    small.configure()
    planned = small.planned()
    assert planned >= {"prepare_movie", "compare_fields", "track", "collect_cells", "render_report"}
    assert not planned & (WITHOUT_MASKS | {"score_function"})
    said = small.complaint("tracking")
    assert (
        "a.csv: the points go up to frame 7, and the movie up to frame 4 by the same counting, from 0 in steps" in said
    )
    for fov in ("a", "b"):
        table = pd.read_csv(small.folder / f"{fov}.csv")
        table[table["frame"] < 5].to_csv(small.folder / f"{fov}.csv", index=False)
    small.snakemake("tracking", "report")
    tracks = pd.read_parquet(small.folder / "results/small/fov/s/a/tracks.parquet")
    assert np.isclose(tracks["end_hours"].max(), 4 * 10 / 60)
    page = (small.folder / "results/small/report/index.html").read_text()
    assert "The images state frames, times and sizes only" in page
