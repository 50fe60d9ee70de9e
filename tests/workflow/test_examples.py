"""Every example plans what its README line promises; without the data it says so in one sentence."""

import re
from pathlib import Path

import pytest
from tests.workflow.conftest import ROOT, planned_rules, run_snakemake

pytestmark = pytest.mark.workflow
EXAMPLES = sorted((ROOT / "config/examples").glob("*.yaml"))
ON_MASKS = {"track", "export_tracks", "draw_field", "collect_uncertain", "tracking"}
EXTERNAL_CELLS = {"import_cells", "cluster", "differential_expression", "predict", "prediction"}
EXPECTED = {
    "au565_lineages": {
        *("import_lineage", "describe_fates", "compare_sisters", "compare_sisters_before_death", "lineage"),
    },
    "ctc_sim01": {"prepare_movie", "import_masks"} | ON_MASKS,
    "ctc_sim01_raw": {"prepare_movie", "segment"} | ON_MASKS,
    "epithelium": {"import_masks"} | ON_MASKS,
    "fucci_ipsc": EXTERNAL_CELLS,
    "hcc_three_channel": {"prepare_movie", "segment"} | ON_MASKS,
    "hela": {"import_masks"} | ON_MASKS,
    "mcf10a_tracks": {
        *(
            "import_point_tracks",
            "export_tracks",
            "summarise_tracks",
            "list_fields",
            "collect_cells",
            "describe_fates",
            "compare_sisters",
        ),
        *("compare_sisters_before_death", "lineage", "tracking"),
    },
    "patchseq_m1": EXTERNAL_CELLS,
    "t98g_phase": {"prepare_movie", "import_masks"} | ON_MASKS,
}


def command_of(example: Path) -> list[str]:
    """Return the words after ``snakemake`` on the command line that an example's header shows."""
    found = re.search(r"^# snakemake (.+)$", example.read_text(), re.MULTILINE)
    assert found, f"{example.name} shows no command"
    return found[1].split()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Return a folder without results that holds the examples."""
    (tmp_path / "config").symlink_to(ROOT / "config")
    return tmp_path


@pytest.mark.data
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_plans_its_steps(example: Path, elsewhere: Path, data_folder: Path) -> None:
    arguments = ["-n", "--quiet", "rules", "--config", f"data={data_folder}"]
    done = run_snakemake(elsewhere, *command_of(example), *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert planned_rules(done.stdout + done.stderr) == EXPECTED[example.stem]


def test_readme_shows_the_commands_of_the_examples() -> None:
    readme = (ROOT / "README.md").read_text()
    shown = re.findall(r"^    \.venv/bin/snakemake (.*--configfile config/examples/.*)$", readme, re.MULTILINE)
    lines = [line.split("#")[0].split() for line in shown]
    commands = {path.stem: command_of(path) for path in EXAMPLES}
    assert len(lines) > 5
    assert [words for words in lines if not set(words) <= set(commands[Path(words[-1]).stem])] == []


def test_without_the_data_one_sentence_names_the_key(elsewhere: Path) -> None:
    example = ROOT / "config/examples/hela.yaml"
    done = run_snakemake(elsewhere, *command_of(example), "--config", "data=/nowhere")
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert (
        "data: the folder '/nowhere' that config/examples/hela.tsv refers to is not there; give it with --config "
        "data=FOLDER." in said
    )
    assert "Traceback" not in said
    assert not (elsewhere / "results").exists()
