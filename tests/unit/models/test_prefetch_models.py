"""Models are fetched before jobs run, and what was fetched is recorded."""

import hashlib
import json

import prefetch_models
import pytest

from cineseq.config.features import Embed
from cineseq.config.imaging import Segment, Train
from cineseq.errors import UserError
from cineseq.models.registry import CELLPOSE_FOLDER, model_file
from cineseq.segmentation import cellpose


def fetch(tmp_path, segment=None, embed=None) -> dict:
    settings = prefetch_models.Settings(segment=segment or Segment(), embed=embed or Embed())
    prefetch_models.main(record=tmp_path / "models.json", settings=settings)
    return json.loads((tmp_path / "models.json").read_text())


def test_shipped_models_are_recorded(tmp_path):
    found = fetch(tmp_path)
    assert set(found) == {"segment", "embed"}
    assert found["segment"]["sha256"] == hashlib.sha256(model_file("compact").read_bytes()).hexdigest()
    assert found["segment"]["bytes"] < 8e6
    assert set(fetch(tmp_path, embed=Embed(model=None))) == {"segment"}


def test_the_model_that_training_starts_from_is_fetched_too(tmp_path):
    settings = prefetch_models.Settings(train=Train(images=["a.tif"], masks=["b.tif"], model="compact_phase"))
    prefetch_models.main(record=tmp_path / "models.json", settings=settings)
    found = json.loads((tmp_path / "models.json").read_text())
    assert found["train"]["sha256"] == hashlib.sha256(model_file("compact_phase").read_bytes()).hexdigest()


def test_asking_is_allowing(tmp_path, monkeypatch):
    monkeypatch.setenv(CELLPOSE_FOLDER, str(tmp_path))
    asked = []

    def unreachable(name):
        asked.append(name)
        raise ConnectionError

    monkeypatch.setattr(cellpose.cellpose_models, "cache_model_path", unreachable)
    with pytest.raises(UserError, match=r"cpsam_v2'; a download needs segment\.sha256"):
        fetch(tmp_path, segment=Segment(model="cpsam_v2"))
    assert not asked
    with pytest.raises(UserError, match=r"cpsam_v2'; cellpose could not download it \(ConnectionError\)"):
        fetch(tmp_path, segment=Segment(model="cpsam_v2", sha256="0" * 64))
    assert asked == ["cpsam_v2"]
    assert not (tmp_path / "models.json").exists()


def test_what_was_downloaded_is_checked(tmp_path, monkeypatch):
    monkeypatch.setenv(CELLPOSE_FOLDER, str(tmp_path))
    monkeypatch.setattr(cellpose.cellpose_models, "cache_model_path", lambda name: (tmp_path / name).write_bytes(b"x"))
    with pytest.raises(UserError, match=r"SHA-256 is .*, but segment\.sha256 is 0000"):
        fetch(tmp_path, segment=Segment(model="cpsam_v2", sha256="0" * 64))
    digest = hashlib.sha256(b"x").hexdigest()
    assert fetch(tmp_path, segment=Segment(model="cpsam_v2", sha256=digest))["segment"]["sha256"] == digest


def test_missing_files_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"segment\.model: there is no file 'no\.pt'"):
        fetch(tmp_path, segment=Segment(model="no.pt"))
    with pytest.raises(UserError, match=r"embed.model: there is no file no.safetensors"):
        fetch(tmp_path, embed=Embed(model="no.safetensors"))
    with pytest.raises(UserError, match=r"segment\.sha256 is 0000"):
        fetch(tmp_path, segment=Segment(sha256="0" * 64))
