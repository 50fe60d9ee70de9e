"""A rule of one's own instead of one of cineseq: the example of the documentation, to the letter, on a small study."""

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from tests.workflow.conftest import ROOT, Project, planned_rules

from cineseq.report.steps import read_step_report
from cineseq.tables.contract import read_table
from cineseq.tables.imaging import DETECTIONS, EVENTS, TRACKS

pytestmark = pytest.mark.workflow
TEXT = (ROOT / "docs/replace-a-step.md").read_text(encoding="utf-8")
SNAKEFILE, SCRIPT = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def snakemake(folder: Path, *arguments: str) -> str:
    """Run the Snakefile of a folder, which must succeed, and return what it printed."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return done.stdout + done.stderr


@pytest.fixture
def replaced(small: Project) -> Path:
    """Return the folder of the small study with the Snakefile and the script of the documentation."""
    folder = small.folder
    (folder / "config").mkdir()
    (folder / "config/config.yaml").write_text(yaml.safe_dump(small.settings | {"run": "small"}))
    (folder / "Snakefile").write_text(SNAKEFILE.replace("/path/to/cineseq", str(ROOT)))
    (folder / "nearest.py").write_text(SCRIPT)
    return folder


def test_the_documented_rule_is_planned_in_place_of_the_tracker(replaced: Path) -> None:
    planned = snakemake(replaced, "lineage", "-n", "--quiet", "rules")
    assert {"track", "import_masks", "compare_sisters"} <= planned_rules(planned)
    shown = snakemake(replaced, "tracking", "-n", "--printshellcmds")
    assert shown.count("rule track:") == 2


@pytest.mark.slow
def test_the_documented_tracker_makes_the_cells_of_the_study(replaced: Path) -> None:
    cells = "results/small/study/cells.parquet"
    snakemake(replaced, cells)
    field = replaced / "results/small/fov/s/a"
    detections = read_table(field / "detections.parquet", DETECTIONS)
    tracks = read_table(field / "tracks.parquet", TRACKS)
    assert len(read_table(field / "events.parquet", EVENTS)) == 16
    # The discs keep their labels, so that a right track is one label.
    assert detections.groupby("track_id")["label"].agg(list).tolist() == [[n] * 5 for n in (1, 2, 3, 4)]
    assert tracks["end_kind"].tolist() == ["end_of_movie"] * 4
    assert pd.read_parquet(replaced / cells)["track_id"].tolist() == [f"s/{f}/{n}" for f in "ab" for n in (1, 2, 3, 4)]
    # The report does not take the example for the tracker of cineseq.
    said = read_step_report(replaced / "results/small/reports/track/s@a.json")
    assert (said.step, said.field) == ("import_tracks", "s / a")
    assert "The tracks are external." in said.lines
    assert "Nothing to be done" in snakemake(replaced, cells, "-n")
