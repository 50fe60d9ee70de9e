"""The package as it is installed: a wheel that carries its models, and an editable install that copies nothing."""

import json
import shutil
import tomllib
import zipfile
from pathlib import Path

import pytest
from tests.environments import ROOT, Environment, build_wheel

import cineseq
from cineseq.files import sha256

ONE_FRAME = """
import json
import numpy as np
import cineseq
from cineseq.config.features import Embed
from cineseq.config.imaging import Segment
from cineseq.features.embedder import load_embedder
from cineseq.features.embedding import vectors_of
from cineseq.segmentation.cellpose import load_model, segment_frame

rows, columns = np.mgrid[:128, :128]
centres = [(32, 32), (32, 96), (96, 32), (96, 96)]
disc = np.max([np.exp(-(((rows - y) ** 2 + (columns - x) ** 2) / 100) ** 4) for y, x in centres], axis=0)
frame = (100 + 400 * disc).astype(np.float32)
segmenter, embedder = load_model(Segment()), load_embedder(Embed())
labels = segment_frame(segmenter, frame[None], Segment(), None)
crops = np.stack([frame[y - 16 : y + 16, x - 16 : x + 16] / 500 for y, x in centres])
vectors = vectors_of(embedder, crops, crops > 0.5)
print(json.dumps({
    "package": cineseq.__file__,
    "cells": sorted(int(labels[y, x]) for y, x in centres),
    "vectors": [list(vectors.shape), bool(np.isfinite(vectors).all()), float(np.abs(vectors).max()) > 0],
    "segmenter": segmenter.sha256,
    "embedder": embedder.sha256,
}))
"""
MODEL = """
from cineseq.files import sha256
from cineseq.models.registry import model_file
import cineseq
print(cineseq.__file__, model_file("compact"), sha256(model_file("compact")))
"""
GLOBAL_STATE = """
import gc, json, logging, os, signal, sys, warnings
def state():
    return [gc.get_threshold(), gc.isenabled(), [str(f) for f in warnings.filters], str(logging.root.handlers),
            logging.root.level, dict(os.environ), sys.path[:], str(signal.getsignal(signal.SIGINT)), os.getcwd()]
before = state()
import cineseq
print(json.dumps([name for name in ("torch", "cellpose", "matplotlib.pyplot", "snakemake") if name in sys.modules]))
print(json.dumps(before == state()))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel of this checkout."""
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Return an environment outside of the checkout that the wheel is installed in."""
    environment = Environment.made(tmp_path_factory.mktemp("installed") / "env")
    environment.install(str(wheel))
    return environment


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder like this checkout, as far as installing goes."""
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "resources", folder / "resources")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    return folder


def test_a_wheel_segments_and_embeds_outside_of_the_checkout(installed: Environment) -> None:
    found = json.loads(installed.python("-c", ONE_FRAME).splitlines()[-1])
    assert found == {
        "package": str(installed.packages / "cineseq/__init__.py"),
        "cells": [1, 2, 3, 4],
        "vectors": [[4, 128], True, True],
        "segmenter": sha256(ROOT / "resources/segmenter_compact.pt"),
        "embedder": sha256(ROOT / "resources/embedder_compact.safetensors"),
    }


def test_a_wheel_holds_one_package_with_its_models_and_templates(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.split("/")[0] for name in names} == {"cineseq", f"cineseq-{cineseq.__version__}.dist-info"}
    shipped = list((ROOT / "resources").iterdir())
    assert len(shipped) > 3
    assert {f"cineseq/resources/{path.name}" for path in shipped} <= names
    package = ROOT / "src/cineseq"
    sources = {path.relative_to(package) for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert Path("report/templates/page.html") in sources
    assert {f"cineseq/{path}" for path in sources} <= names


def test_no_module_of_ours_has_a_top_level_name_of_its_own() -> None:
    assert [path.name for path in (ROOT / "src").iterdir()] == ["cineseq"]


def test_an_editable_install_sees_a_model_that_was_retrained(
    checkout: Path, wheel: Path, tmp_path: Path, installed: Environment
) -> None:
    editable = Environment.made(tmp_path / "env")
    editable.install("--editable", str(checkout))
    stub = checkout / "resources/segmenter_compact.pt"
    stub.write_bytes(b"retrained")
    package, file, digest = editable.python("-c", MODEL).split()
    assert [package, file] == [str(checkout / "src/cineseq/__init__.py"), str(stub)]
    assert digest == sha256(stub)
    # A copy in the environment would go stale in silence.
    assert not list(editable.packages.rglob("*.pt"))
    package, file, digest = installed.python("-c", MODEL).split()
    assert file == str(installed.packages / "cineseq/resources/segmenter_compact.pt")
    assert digest == sha256(ROOT / "resources/segmenter_compact.pt") != sha256(stub)


def test_a_wheel_of_a_checkout_carries_what_was_retrained(checkout: Path, tmp_path: Path) -> None:
    (checkout / "resources/segmenter_compact.pt").write_bytes(b"retrained")
    built = zipfile.ZipFile(build_wheel(checkout, tmp_path))
    assert built.read("cineseq/resources/segmenter_compact.pt") == b"retrained"


def test_the_version_is_stated_once(wheel: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" not in project
    assert project["dynamic"] == ["version"]
    assert wheel.name == f"cineseq-{cineseq.__version__}-py3-none-any.whl"


def test_importing_changes_nothing_and_loads_no_torch(installed: Environment) -> None:
    assert installed.python("-c", GLOBAL_STATE).splitlines() == ["[]", "true"]


def test_jobs_of_the_workflow_look_for_garbage_less_often(installed: Environment) -> None:
    code = "import gc, cineseq; print(gc.get_threshold()[0])"
    assert installed.python("-c", code) == "700"
    assert installed.python("-c", code, CINESEQ_GC_THRESHOLD="10000") == "10000"
