"""A sheet that gives tracks and nothing else, through Snakemake."""

import pandas as pd
import pytest
from tests.workflow.conftest import Project, give_pairing, undeclared

pytestmark = pytest.mark.workflow


def test_no_step_that_needs_masks_is_planned(alone: Project) -> None:
    planned = alone.planned("tracking", "lineage")
    assert planned >= {"import_point_tracks", "export_tracks", "summarise_tracks", "collect_cells", "compare_sisters"}
    assert not planned & {"import_masks", "segment", "track", "import_tracks", "morphology"}
    assert not planned & {"draw_field", "collect_uncertain"}
    assert "a/ctc" not in alone.snakemake("tracking", "-n"), "tracks without masks are not written as masks"


@pytest.mark.slow
def test_tracks_alone_are_paired_with_counts(alone: Project) -> None:
    give_pairing(alone, ["AAAA", "CCCC"], ["AAAA", "CCCC"])
    alone.snakemake("results/small/study/paired.h5ad")
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
    assert undeclared(alone.folder / "results/small") == []
