"""The locks hold versions and hashes, no addresses, and the conda file follows them."""

import re
import tomllib
from pathlib import Path

import pytest
from write_conda import conda_text, pins

ROOT = Path(__file__).resolve().parents[3]
LOCK = (ROOT / "envs/requirements.lock").read_text()
LOCKS = [LOCK, *((ROOT / f"envs/{name}.lock").read_text() for name in ("lint", "docs"))]
PIN = re.compile(r"([a-z0-9-]+)==([0-9][^ ]*)(?: ; ([^\\]+?))? \\")


def blocks(lock: str) -> list[str]:
    """Return each requirement with the lines that belong to it."""
    return re.split(r"\n(?=\S)", lock.strip())


@pytest.mark.parametrize("lock", LOCKS, ids=["requirements", "lint", "docs"])
def test_a_lock_names_no_place(lock: str) -> None:
    for word in ("://", "index-url", "find-links", "file:", "--trusted-host", "@ "):
        assert word not in lock


@pytest.mark.parametrize("lock", LOCKS, ids=["requirements", "lint", "docs"])
def test_every_pin_has_its_hashes(lock: str) -> None:
    assert len(blocks(lock)) > 3
    for block in blocks(lock):
        first, *rest = block.splitlines()
        assert PIN.fullmatch(first), first
        assert re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", rest[0]), first


def test_torch_is_pinned_and_every_direct_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    locked = {PIN.match(block)[1]: PIN.match(block)[2] for block in blocks(LOCK)}
    assert {re.match(r"[A-Za-z0-9-]+", name)[0].lower() for name in wanted} <= set(locked)
    assert locked["torch"] == "2.13.0"


def test_the_conda_file_follows_the_lock() -> None:
    said = (ROOT / "envs/cineseq.yaml").read_text()
    assert said == conda_text(LOCK), "envs/cineseq.yaml is out of step; run `python tools/write_conda.py`"
    assert "torch==2.13.0" in said


def test_the_conda_file_takes_what_python_3_11_gets() -> None:
    lock = (
        "a==1 ; python_full_version < '3.12' and sys_platform == 'linux' \\\n    --hash=sha256:00\n    # via x\n"
        "a==2 ; python_full_version >= '3.12' \\\n    --hash=sha256:00\n"
        "b-c==3.0 \\\n    --hash=sha256:00\n"
    )
    assert pins(lock) == ["a==1", "b-c==3.0"]
    names = [pin.split("==")[0] for pin in pins(LOCK)]
    assert len(set(names)) == len(names)
