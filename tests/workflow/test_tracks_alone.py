"""A sheet that gives tracks and nothing else, through Snakemake."""

import pandas as pd
import pytest
from tests.workflow.conftest import Project, write_sheet

pytestmark = pytest.mark.workflow


@pytest.fixture
def alone(small: Project) -> Project:
    """Return a study of one field whose only input is a table of tracks: a mother and two daughters."""
    rows = [(t, 1, 5.0, 5.0, "") for t in range(3)] + [(t, n, 5.0, 4.0 * n, 1) for t in (3, 4) for n in (2, 3)]
    pd.DataFrame(rows, columns=["frame", "track", "y", "x", "parent"]).to_csv(small.folder / "t.csv", index=False)
    write_sheet(small.folder, [{"sample": "s", "fov": "a", "tracks": "t.csv"}])
    small.configure(function={"scores": []}, channels={"function": []})
    return small


def test_no_step_that_needs_masks_is_planned(alone: Project) -> None:
    planned = alone.planned("tracking", "lineage")
    assert planned >= {"import_places", "export_tracks", "summarise_tracks", "collect_cells", "compare_sisters"}
    assert not planned & {"import_masks", "segment", "track", "import_tracks", "morphology"}
    assert not planned & {"draw_field", "collect_uncertain"}
    assert "a/ctc" not in alone.snakemake("tracking", "-n"), "tracks without masks are not written as masks"


@pytest.mark.slow
def test_tracks_alone_are_paired_with_counts(alone: Project) -> None:
    where = [("s", "a", "left", 4.0, 8.0, 2.0), ("s", "a", "right", 4.0, 12.0, 2.0)]
    columns = ["sample", "fov", "compartment_id", "y_px", "x_px", "radius_px"]
    pd.DataFrame(where, columns=columns).to_csv(alone.folder / "w.csv", index=False)
    codes = {"barcode": ["AAAA", "CCCC"], "compartment_id": ["left", "right"]}
    pd.DataFrame({"sample": "s", **codes}).to_csv(alone.folder / "b.csv", index=False)
    counts = pd.DataFrame({"ACTB": [3, 5], "GAPDH": [1, 2]}, index=pd.Index(codes["barcode"], name="cell_id"))
    counts.to_csv(alone.folder / "c.csv")
    given = {"tracks": "t.csv", "compartments": "w.csv", "barcodes": "b.csv", "counts": "c.csv"}
    write_sheet(alone.folder, [{"sample": "s", "fov": "a", **given}])
    alone.snakemake("results/small/study/paired.h5mu")
    pairs = pd.read_parquet(alone.folder / "results/small/study/pairs.parquet")
    assert pairs["status"].tolist() == ["singlet", "singlet"]
    assert pairs["distance_um"].isna().all()
    log = (alone.folder / "results/small/logs/match_barcodes.log").read_text()
    assert "distance_um is missing in 1 of 1 fields of view (s/a)" in log


@pytest.mark.slow
def test_tracks_alone_become_families_and_exports(alone: Project) -> None:
    alone.snakemake("results/small/study/cells.parquet", "results/small/fov/s/a/tracks.geff")
    cells = pd.read_parquet(alone.folder / "results/small/study/cells.parquet")
    assert cells["sister_id"].fillna("").tolist() == ["", "s/a/3", "s/a/2"]
    assert (alone.folder / "results/small/fov/s/a/tracks.geff/nodes").is_dir()
