"""Changes, and what re-runs after them; ``python -m tests.workflow.reruns`` prints the jobs of each."""

from pathlib import Path

import pytest
from tests.workflow.reruns import CHANGES, Study, build, rerun

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
NOTHING = [
    "nothing",
    "three unused lines in errors.py",
    "comments, docstrings, empty lines",
    "a comment in rules/",
    "a script touched",
]
FIELD_STEPS = {"prepare_movie", "segment", "track", "morphology", "embed", "draw_field", "export_tracks"}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Return a study whose products stand."""
    return build(tmp_path_factory.mktemp("reruns") / "built")


def jobs(study: Study, name: str) -> dict[str, int]:
    """Return the jobs that a change re-runs."""
    found = rerun(study, CHANGES[name])
    assert isinstance(found, dict), found
    return found


@pytest.mark.parametrize("name", [*NOTHING, "project and checkout moved"])
def test_what_changes_no_result_re_runs_nothing(study: Study, name: str) -> None:
    assert jobs(study, name) == {}


def test_a_new_version_re_runs_the_steps_that_record_it_at_most(study: Study) -> None:
    assert set(jobs(study, "a version bump")) <= {"generate", "write_provenance", "render_report"}


@pytest.mark.parametrize("name", ["a condition renamed", "a column of metadata added"])
def test_a_description_of_cells_re_runs_no_step_on_images(study: Study, name: str) -> None:
    found = jobs(study, name)
    assert not FIELD_STEPS & set(found)
    assert "summarise_tracks" in found


def test_a_sample_that_is_appended_to_a_shared_table_re_runs_no_field_of_another(study: Study) -> None:
    found = jobs(study, "a sample appended to the shared cages.csv")
    assert not (FIELD_STEPS | {"summarise_tracks"}) & set(found)
    assert "match_barcodes" in found


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("a cage of one sample in the shared cages.csv", "track"),
        ("a raw movie replaced by an older one", "prepare_movie"),
        ("tracks.parquet of one field lost", "track"),
    ],
)
def test_what_concerns_one_field_re_runs_that_field(study: Study, name: str, first: str) -> None:
    assert jobs(study, name)[first] == 1


@pytest.mark.parametrize(
    ("name", "first", "before"),
    [
        ("a function that morphology uses", "morphology", {"prepare_movie", "segment", "track"}),
        ("track.max_gap", "track", {"prepare_movie", "segment", "morphology"}),
        ("report.fields_shown", "render_report", {*FIELD_STEPS, "collect_cells", "pair", "predict"}),
    ],
)
def test_a_change_of_one_step_re_runs_it_and_what_follows(
    study: Study, name: str, first: str, before: set[str]
) -> None:
    found = jobs(study, name)
    assert first in found
    assert not before & set(found)


@pytest.mark.xfail(strict=True, reason="a raw movie that has gone leaves what was made of it, without a word")
def test_a_raw_movie_that_has_gone_is_named(study: Study) -> None:
    said = rerun(study, CHANGES["a raw movie archived"])
    assert isinstance(said, str)
    assert Path("raw/t.tif").as_posix() in said
