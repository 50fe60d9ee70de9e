"""A small simulated experiment from raw movies to the truth table, through Snakemake."""

import json
from pathlib import Path

import pandas as pd
import pytest
from tests.workflow.conftest import Project, undeclared, write_sheet

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
HERE = "results/{run}/experiment"


@pytest.fixture
def experiment(tmp_path: Path) -> Project:
    """Return a study of two simulated samples with two small fields each."""
    rows = [
        {
            "sample": sample,
            "fov": fov,
            "condition": condition,
            "replicate": "1",
            "images": f"{HERE}/movies/{sample}_{fov}.ome.tif",
            "compartments": f"{HERE}/compartments.csv",
            "barcodes": f"{HERE}/barcodes.csv",
            "counts": f"{HERE}/counts_{sample}.h5ad",
        }
        for sample, condition in (("s1", "control"), ("s2", "treated"))
        for fov in ("f1", "f2")
    ]
    write_sheet(tmp_path, rows)
    project = Project(
        tmp_path,
        {
            "run": "small",
            "samples": "samples.tsv",
            "channels": {"function": ["lipid"]},
            "function": {"scores": [{"name": "lipid", "channel": "lipid"}], "background": "percentile"},
            "simulate": {"samples": 2, "fields": 2, "frames": 24, "size_px": 256, "founders": 20},
            "prediction": {"permutations": 19, "half_samples": 20},
        },
    )
    project.configure()
    return project


def test_from_raw_movies_to_answers(experiment: Project) -> None:
    experiment.snakemake()
    results = experiment.folder / "results/small"
    truth = pd.read_csv(results / "truth/truth.tsv", sep="\t").set_index("measure")["recovered"]
    assert truth["average_precision_50"] > 0.9
    assert truth["LNK"] > 0.95
    assert truth["division_F1"] > 0.85
    assert truth["death_precision"] > 0.9
    assert truth["pairing_precision"] > 0.97
    answers = json.loads((results / "report/answers.json").read_text())["answers"]
    questions = ["function_genes", "clusters", "modalities", "sisters", "crossmodal", "generative"]
    assert [a["id"] for a in answers] == questions
    page = (results / "report/index.html").read_text()
    assert "data:image/png;base64" in page
    assert len(page) < 20e6
    assert undeclared(results) == []
    (results / "lineage/more.tsv").touch()
    assert undeclared(results) == ["lineage/more.tsv"]
    assert "Nothing to be done" in experiment.snakemake()
