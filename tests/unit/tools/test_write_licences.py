"""Every direct dependency and every model is listed with its terms."""

import re
import sys
import tomllib
from email.message import Message
from pathlib import Path

import pytest
from write_licences import PURPOSES, READ, direct_dependencies, licence, licences_text

from cineseq.models.registry import CELLPOSE_NAMES

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/licences.md").read_text(encoding="utf-8")
AGAIN = "docs/licences.md is out of step; run `python tools/write_licences.py`"


def test_every_direct_dependency_is_listed_with_licence_and_purpose() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = [re.split(r"[<>=!~\[; ]", text)[0] for text in wanted]
    rows = dict(re.findall(r"^\| ([a-z0-9-]+) \| (.+?) \| .+? \|$", PAGE.split("## Models")[0], re.MULTILINE))
    assert direct_dependencies() == names
    assert list(rows)[1:] == names, AGAIN
    assert sorted(PURPOSES) == sorted(names)
    assert set(READ) <= set(names)
    assert rows["numpy"].startswith("BSD-3-Clause")
    assert rows["igraph"] == "GPL-2.0-or-later"


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the lock gives other versions to other Pythons")
def test_the_page_is_in_step() -> None:
    assert licences_text() == PAGE, AGAIN


@pytest.mark.parametrize("field", ["", "Permission is hereby granted, free of charge, to any person obtaining a copy"])
def test_a_licence_without_a_name_has_to_be_read(field: str) -> None:
    facts = Message()
    facts["License"] = field
    with pytest.raises(ValueError, match="new: its metadata do not name its licence; read the licence file"):
        licence("new", facts)
    facts["License-Expression"] = "MIT"
    assert licence("new", facts) == "MIT"


def test_models_are_listed() -> None:
    models = PAGE.split("## Models")[1]
    for name in (*CELLPOSE_NAMES, "segmenter_compact.pt", "embedder_compact.safetensors", "dinov2"):
        assert name in models
    assert "CC-BY-NC" in models
    assert models.count("trained on simulated images only") == 3
    for path in (ROOT / "resources").glob("*compact*"):
        assert path.stem in PAGE
