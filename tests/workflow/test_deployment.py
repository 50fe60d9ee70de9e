"""The workflow away from its folder: as a module, from a central checkout, and beside a package of another version."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from tests.environments import ROOT, Environment, build_wheel
from tests.workflow.conftest import planned_rules

import cineseq

pytestmark = pytest.mark.workflow
BLOCK = re.compile(r"^```(?:sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = BLOCK.findall((ROOT / "docs/deployment.md").read_text(encoding="utf-8"))
MODULE = next(block for block in BLOCKS if "module cineseq:" in block)
CENTRAL = next(block for block in BLOCKS if "cd my_study" in block)
PROFILE = next(block for block in BLOCKS if "--workflow-profile" in block)
OTHERS = "/path/to/cineseq"
# What each step does is tested elsewhere, so that this asks for as little as the settings allow.
SETTINGS = {
    "run": "elsewhere",
    "samples": "my.tsv",
    "folds": {"groups": ["sample", "family"], "outer": 3, "inner": 2},
    "clusters": {"min_genes": 10, "min_counts": 50},
    "prediction": {"permutations": 0, "half_samples": 10, "alphas": 3, "sensitivity": []},
    "crossmodal": {"permutations": 0, "thinnings": 1},
}


def run(command: list[str], folder: Path, **variables: str) -> tuple[int, str]:
    """Run a command in a folder, without a path to this checkout; return its status and what it printed."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=Environment(folder).variables | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def snakemake(folder: Path, *arguments: str, python: str = sys.executable) -> str:
    """Run Snakemake in a folder, which must succeed, and return what it printed."""
    status, said = run([python, "-m", "snakemake", "--cores", "2", *arguments], folder)
    assert status == 0, said[-6000:]
    return said


def complaint(folder: Path, *arguments: str, python: str = sys.executable) -> str:
    """Plan in a folder, which must fail without a traceback; return what Snakemake said."""
    status, said = run([python, "-m", "snakemake", "--cores", "2", "-n", *arguments], folder)
    assert status == 1, said[-6000:]
    assert "Traceback (most recent call last)" not in said
    return said


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Return a folder with 90 measured cells of 30 families, their counts, and a sheet; nothing of cineseq."""
    folder = tmp_path / "my_study"
    (folder / "config").mkdir(parents=True)
    random = np.random.default_rng(0)
    family = np.repeat(np.arange(30), 3)
    high = random.random(90) < 0.5
    cells = pd.DataFrame({"id": [f"c{i}" for i in range(90)], "family": family})
    cells["sample"] = np.array(["a", "b", "c"])[family % 3]
    cells["function_uptake"] = high + random.normal(size=90)
    cells["morphology_area"] = high + random.normal(size=90)
    cells.to_csv(folder / "cells.csv", index=False)
    rates = np.where(high[:, None] & (np.arange(40) < 15), 12, 4)
    genes = [f"g{i}" for i in range(40)]
    pd.DataFrame(random.poisson(rates), index=cells["id"], columns=genes).to_csv(folder / "counts.csv")
    (folder / "my.tsv").write_text("sample\tcells\tcounts\nstudy\tcells.csv\tcounts.csv\n")
    return folder


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the Python of an environment with the locked libraries, in which cineseq is not installed."""
    environment = Environment.made(tmp_path_factory.mktemp("bare") / "env")
    python = str(environment.folder / "bin/python")
    assert run([python, "-c", "from cineseq import __version__"], environment.folder)[0] == 1
    return python


def configure(path: Path, **changes: str) -> None:
    """Write the configuration of the study."""
    path.write_text(yaml.safe_dump(SETTINGS | changes))


def use_as_module(folder: Path, text: str = MODULE) -> None:
    """Write the Snakefile that the documentation shows."""
    (folder / "Snakefile").write_text(text.replace(OTHERS, str(ROOT)))


def unexpected(said: str) -> list[str]:
    """Return the lines of a plan that come before Snakemake's own banner, and warnings anywhere."""
    lines = said.splitlines()
    expected = ("", "Assuming unrestricted shared filesystem usage.", "host: ")
    before = [line for line in lines[: lines.index("SNAKEMAKE")] if not line.startswith(expected[1:]) and line]
    return before + [line for line in lines if re.search(r"warning\b", line, re.IGNORECASE)]


def test_six_lines_elsewhere_run_the_analysis(study: Path, bare: str) -> None:
    assert len(list(filter(None, MODULE.splitlines()))) <= 6
    use_as_module(study)
    configure(study / "config/config.yaml")
    targets = ("cineseq_clusters", "cineseq_lineage")
    # The jobs find the package of the checkout, for none is installed.
    snakemake(study, *targets, python=bare)
    results = study / "results/elsewhere"
    assert len(pd.read_parquet(results / "clusters/cells.parquet")) == 90
    assert (results / "lineage/state_by_sister.tsv").is_file()
    # Neither the default profile nor handlers have come with the module.
    assert not (study / ".snakemake/started_on").exists()
    assert "Nothing to be done" in snakemake(study, *targets, "-n", python=bare)
    configure(study / "config/config.yaml", seed=2)
    assert "cineseq_cluster" in planned_rules(snakemake(study, *targets, "-n", "--quiet", "rules", python=bare))


@pytest.mark.slow
def test_six_lines_elsewhere_run_everything_to_the_report(study: Path, bare: str) -> None:
    use_as_module(study)
    configure(study / "config/config.yaml")
    snakemake(study, python=bare)
    results = study / "results/elsewhere"
    assert (results / "report/index.html").stat().st_size > 100_000
    performance = pd.read_csv(results / "prediction/performance.tsv", sep="\t")
    assert set(performance["function"]) == {"function_uptake"}
    assert "Nothing to be done" in snakemake(study, "-n", python=bare)


def test_a_module_plans_the_demo_as_the_checkout_does(tmp_path: Path) -> None:
    use_as_module(tmp_path, MODULE.replace(" as cineseq_*", ""))
    (tmp_path / "config").symlink_to(ROOT / "config")
    plan = snakemake(tmp_path, *PROFILE.replace(OTHERS, str(ROOT)).split()[3:], "-n", "--quiet", "rules")
    assert f"Using workflow specific profile {ROOT}/profiles/default" in plan
    assert unexpected(plan) == []
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    central = snakemake(elsewhere, "-s", str(ROOT / "Snakefile"), "-n", "--quiet", "rules")
    assert unexpected(central) == []
    assert planned_rules(plan) == planned_rules(central)
    assert {"simulate_study", "segment", "predict", "score_truth", "render_report", "all"} <= planned_rules(plan)


def test_the_central_checkout_runs_a_study_as_documented(study: Path) -> None:
    configure(study / "my.yaml")
    command = CENTRAL.splitlines()[1].replace(f"{OTHERS}/.venv/bin/snakemake", f"{sys.executable} -m snakemake")
    words = command.replace(OTHERS, str(ROOT)).split()
    status, said = run([*words[:3], "pairing", *words[3:]], study)
    assert status == 0, said[-6000:]
    assert [path.name for path in (study / "results").iterdir()] == ["elsewhere"]
    assert (study / "results/elsewhere/study/paired.h5ad").is_file()
    assert "Nothing to be done" in run([*words[:3], "pairing", *words[3:]], study)[1]


def test_the_configuration_of_the_working_folder_goes_before_the_demo(study: Path) -> None:
    configure(study / "config/config.yaml")
    planned = planned_rules(snakemake(study, "-s", str(ROOT / "Snakefile"), "-n", "--quiet", "rules"))
    assert "import_cells" in planned
    assert "simulate_study" not in planned


def test_a_sheet_that_is_named_is_sought_in_the_working_folder(study: Path) -> None:
    said = complaint(study, "-s", str(ROOT / "Snakefile"), "--config", "samples=there/is/none.tsv")
    assert "samples: there is no sheet 'there/is/none.tsv'" in said


def test_a_sheet_of_ones_own_is_never_the_demos(tmp_path: Path) -> None:
    said = complaint(tmp_path, "-s", str(ROOT / "Snakefile"), "--config", "samples=config/samples.tsv", "run=mine")
    assert "samples: there is no sheet 'config/samples.tsv'" in said


def test_a_configuration_without_a_sheet_takes_the_default_one(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.yaml").write_text("run: mine\n")
    said = complaint(tmp_path, "-s", str(ROOT / "Snakefile"))
    assert "samples: there is no sheet 'config/samples.tsv'" in said


def alone(folder: Path, version: str = cineseq.__version__) -> Path:
    """Copy the workflow without its package, and state a version; return the Snakefile."""
    folder.mkdir()
    for name in ("rules", "scripts", "envs", "config"):
        shutil.copytree(ROOT / name, folder / name)
    text = (ROOT / "Snakefile").read_text()
    changed = re.sub(r'^VERSION = ".*"$', f'VERSION = "{version}"', text, flags=re.MULTILINE)
    (folder / "Snakefile").write_text(changed)
    return folder / "Snakefile"


def test_the_snakefile_states_the_version_of_the_package() -> None:
    stated = re.findall(r'^VERSION = "(.+)"$', (ROOT / "Snakefile").read_text(), re.MULTILINE)
    assert stated == [cineseq.__version__]


def test_a_snakefile_without_its_package_needs_the_installed_one_of_its_version(tmp_path: Path) -> None:
    environment = Environment.made(tmp_path / "env")
    python = str(environment.folder / "bin/python")
    snakefile = alone(tmp_path / "fetched")
    said = complaint(tmp_path, "-s", str(snakefile), python=python)
    assert (
        f"The package cineseq is not installed in {environment.folder}, whose Python runs Snakemake: install version "
        f"{cineseq.__version__} there (docs/deployment.md says how)." in said
    )
    environment.install(str(build_wheel(ROOT, tmp_path / "dist")))
    assert "simulate_study" in planned_rules(
        snakemake(tmp_path, "-s", str(snakefile), "-n", "-q", "rules", python=python)
    )
    newer = alone(tmp_path / "newer", "99.0.0")
    said = complaint(tmp_path, "-s", str(newer), python=python)
    assert (
        f"The Snakefile is of cineseq 99.0.0, and the package in {environment.packages / 'cineseq'} is of version "
        f"{cineseq.__version__}: install the package of version 99.0.0, or use the Snakefile of version "
        f"{cineseq.__version__}." in said
    )


def test_a_checkout_goes_before_what_is_installed(tmp_path: Path) -> None:
    snakefile = alone(tmp_path / "checkout")
    (tmp_path / "checkout/src/cineseq").mkdir(parents=True)
    (tmp_path / "checkout/src/cineseq/__init__.py").write_text('__version__ = "99.0.0"\n')
    said = complaint(tmp_path, "-s", str(snakefile))
    assert f"the package in {tmp_path / 'checkout/src/cineseq'} is of version 99.0.0" in said


def test_the_catalogue_names_files_that_are_there() -> None:
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert set(usage) == {"mandatory-flags", "software-stack-deployment"}
    assert usage["software-stack-deployment"]["conda"] is True
    assert (ROOT / "config/README.md").is_file()
    readme = (ROOT / "README.md").read_text().lower()
    assert "snakemake" in readme
    assert "workflow" in readme
    assert list((ROOT / "rules").glob("*.smk"))
