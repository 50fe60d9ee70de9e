"""Crops, the one way in for models, and embeddings of fields."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from embed import Settings, main
from pydantic import ValidationError
from safetensors.torch import save_file
from tests.unit.features.feature_fields import Field, disc

from cineseq.config.features import Embed
from cineseq.errors import UserError
from cineseq.features.crops import FrameMasks, crop_side
from cineseq.features.embedder import COMPACT_ARCHITECTURE, compact_network, load_embedder, save_compact
from cineseq.features.embedding import cell_vectors, vectors_of
from cineseq.io.stacks import open_labels
from cineseq.models.registry import COMPACT_FILE, embedder_file
from cineseq.tables.contract import read_table
from cineseq.tables.imaging import EMBEDDINGS

TINY = {"img_size": 32, "patch_size": 8, "embed_dim": 32, "depth": 1, "num_heads": 2}
SMALL = "vit_tiny_patch16_224"


def run(folder, paths: dict, channels: dict | None = None, features: dict | None = None, **embed: object):
    made, report = folder / "embeddings.parquet", folder / "embeddings.json"
    sections = {"channels": channels or {}, "features": features or {}, "embed": embed}
    settings = Settings.model_validate({"field": {"sample": "s", "fov": "1"}, **sections})
    main(**paths, embeddings=made, report=report, settings=settings)
    return read_table(made, EMBEDDINGS), json.loads(report.read_text())


@pytest.fixture(scope="module")
def compact():
    return load_embedder(Embed())


@pytest.fixture
def tiny(tmp_path):
    torch.manual_seed(1)
    save_compact(compact_network(TINY), TINY, "A test.", tmp_path / "tiny.safetensors")
    return tmp_path / "tiny.safetensors"


def test_the_rules_learn_the_file_without_torch():
    code = "import sys; from cineseq.models.registry import embedder_file; print('torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"


def test_names_lead_to_files():
    assert embedder_file("compact") == COMPACT_FILE
    assert COMPACT_FILE.is_file()
    assert str(embedder_file("weights/mine.pth")) == "weights/mine.pth"
    assert embedder_file("vit_small_patch14_dinov2.lvd142m") is None
    assert embedder_file("untrained:compact") is None


def test_the_card_belongs_to_the_weights():
    card = COMPACT_FILE.with_suffix(".md").read_text()
    assert hashlib.sha256(COMPACT_FILE.read_bytes()).hexdigest() in card
    assert "not DINOv2" in card
    assert COMPACT_FILE.stat().st_size < 4e6


def test_crops_are_centred_and_masked_with_local_background():
    labels = np.zeros((64, 64), np.int64)
    labels[disc(labels.shape, 30, 30, 6)] = 1
    labels[disc(labels.shape, 30, 45, 6)] = 2
    plane = np.full((64, 64), 100.0)
    plane[labels == 1], plane[labels == 2], plane[5:9, :] = 300, 900, 700
    wanted = pd.DataFrame({"label": [1, 2], "y_px": [30.0, 30.0], "x_px": [30.0, 45.0]})
    masked = FrameMasks.of(labels, 33, Embed()).cut(wanted, plane, 0, 1000)
    assert masked.images.shape == masked.masks.shape == (2, 33, 33)
    for crop, mask, grey in zip(masked.images, masked.masks, (0.3, 0.9), strict=True):
        assert np.argwhere(mask).mean(0).tolist() == [16, 16]
        assert crop[mask] == pytest.approx(grey)
        assert crop[~mask] == pytest.approx(0.1)
    wide = FrameMasks.of(labels, 61, Embed(surroundings="context")).cut(wanted, plane, 0, 1000)
    assert wide.images[0].max() == pytest.approx(0.7)  # the bright line stays, the bright neighbour does not


def test_crops_at_the_border_are_filled_with_background():
    labels = np.zeros((40, 40), np.int64)
    labels[:6, :6] = 7
    plane = np.where(labels == 7, 400.0, 100.0)
    wanted = pd.DataFrame({"label": [7], "y_px": [2.5], "x_px": [2.5]})
    crops = FrameMasks.of(labels, 32, Embed()).cut(wanted, plane, 0, 400)
    assert crops.masks.sum() == 36
    assert set(np.unique(crops.images)) == {np.float32(0.25), np.float32(1)}


def test_the_side_is_as_configured_or_estimated(tmp_path):
    paths = Field(tmp_path).write()  # cells 19 px wide: 1.25 x 19 = 24 px, 0.5 um a pixel
    with open_labels(paths["labels"]) as stack:
        assert crop_side(stack, Embed(crop_px=50)) == 50
        assert crop_side(stack, Embed(crop_um=20)) == 40
        assert crop_side(stack, Embed()) == 24
    paths = Field(tmp_path, pixel_size_um=None).write()
    with open_labels(paths["labels"]) as stack, pytest.raises(UserError, match=r"embed.crop_um: the pixel size is unk"):
        crop_side(stack, Embed(crop_um=20))


def test_vectors_are_deterministic_and_do_not_depend_on_batches_or_quarter_turns(compact):
    rng = np.random.default_rng(0)
    images, masks = rng.uniform(size=(5, 48, 48)), np.broadcast_to(disc((48, 48), 23.5, 23.5, 15), (5, 48, 48))
    made = vectors_of(compact, images, masks, orientations=4)
    assert made.shape == (5, 2 * COMPACT_ARCHITECTURE["embed_dim"])
    assert np.array_equal(made, vectors_of(compact, images, masks, orientations=4))
    np.testing.assert_allclose(made, vectors_of(compact, images, masks, orientations=4, batch_size=2), atol=2e-4)
    turned = np.rot90(images, axes=(1, 2))
    np.testing.assert_allclose(made, vectors_of(compact, turned, masks, orientations=4), atol=1e-3)
    assert np.abs(made - vectors_of(compact, images[:, ::-1], masks, orientations=4)).max() > 1e-2
    mirrored = vectors_of(compact, images[:, ::-1], masks, orientations=8)
    np.testing.assert_allclose(vectors_of(compact, images, masks, orientations=8), mirrored, atol=1e-3)


def test_pooling_weighs_patches_by_the_mask():
    class Network(torch.nn.Module):
        num_prefix_tokens = 1
        patch_embed = type("P", (), {"patch_size": (2, 2)})

        def forward_features(self, images):
            return torch.tensor([[[9.0], [1.0], [2.0], [3.0], [4.0]]])

    mask = torch.zeros(1, 4, 4)
    mask[0, :2, :2], mask[0, 2:, 2] = 1, 1
    found = cell_vectors(Network(), torch.zeros(1, 3, 4, 4), mask)
    assert found.tolist() == [[9.0, pytest.approx((1 * 1 + 0.5 * 4) / 1.5)]]


def test_a_local_file_in_our_format_states_its_own_architecture(tiny):
    loaded = load_embedder(Embed(model=str(tiny)))
    assert (loaded.columns, loaded.image_px, loaded.name) == (64, 32, "tiny.safetensors")
    assert loaded.sha256 == hashlib.sha256(tiny.read_bytes()).hexdigest()


def test_a_wrong_hash_is_refused(tiny):
    with pytest.raises(UserError, match=r"its SHA-256 is [0-9a-f]{64}, but embed.sha256 is 0000"):
        load_embedder(Embed(model=str(tiny), sha256="0" * 64))
    digest = hashlib.sha256(tiny.read_bytes()).hexdigest()
    assert load_embedder(Embed(model=str(tiny), sha256=digest)).sha256 == digest


@pytest.mark.parametrize("change", ["missing", "foreign", "shape"])
def test_weights_that_do_not_fit_are_refused(tmp_path, change):
    network = compact_network(TINY)
    if change == "missing":
        del network.blocks[0].norm1
    elif change == "foreign":
        network.extra = torch.nn.Linear(2, 2)
    else:
        network.norm = torch.nn.LayerNorm(16)
    save_compact(network, TINY, "", tmp_path / "odd.safetensors")
    with pytest.raises(UserError, match=r"odd.safetensors: \d+ weights do not fit the architecture, the first '"):
        load_embedder(Embed(model=str(tmp_path / "odd.safetensors")))


@pytest.mark.parametrize("name", ["text.pth", "text.safetensors"])
def test_a_file_that_is_no_weights_is_refused(tmp_path, name):
    (tmp_path / name).write_text("not weights")
    with pytest.raises(UserError, match=f"{name}: not weights that fit"):
        load_embedder(Embed(model=str(tmp_path / name), architecture=SMALL))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"there is no file .*none.pth"):
        load_embedder(Embed(model=str(tmp_path / "none.pth")))


def test_a_pickle_that_runs_code_is_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    torch.save({"a": Trap()}, tmp_path / "trap.pth")
    with pytest.raises(UserError, match="not weights that fit"):
        load_embedder(Embed(model=str(tmp_path / "trap.pth"), architecture=SMALL))
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_timm_checkpoint_is_loaded_whole_and_resized(tmp_path, suffix):
    torch.manual_seed(2)
    state = timm.create_model(SMALL, pretrained=False).state_dict()
    path = tmp_path / f"w.{suffix}"
    torch.save(state, path) if suffix == "pth" else save_file(state, path)
    loaded = load_embedder(Embed(model=str(path), architecture=SMALL, image_px=64))
    assert torch.equal(loaded.network.blocks[3].mlp.fc1.weight.cpu(), state["blocks.3.mlp.fc1.weight"])
    assert (loaded.columns, loaded.name) == (384, f"{SMALL} (w.{suffix})")
    crops = np.random.default_rng(0).uniform(size=(2, 40, 40))
    assert vectors_of(loaded, crops, np.ones_like(crops)).shape == (2, 384)
    del state["blocks.3.mlp.fc1.weight"]
    torch.save(state, tmp_path / "part.pth")
    with pytest.raises(UserError, match=r"part.pth: not weights that fit embed.architecture \(.*blocks.3.mlp.fc1"):
        load_embedder(Embed(model=str(tmp_path / "part.pth"), architecture=SMALL, image_px=64))


def test_a_foreign_file_needs_its_architecture(tmp_path):
    save_file({"a": torch.zeros(2)}, tmp_path / "a.safetensors")
    with pytest.raises(UserError, match=r"does not state its architecture; name it in embed.architecture"):
        load_embedder(Embed(model=str(tmp_path / "a.safetensors")))


def test_unknown_and_unreachable_models_are_one_sentence(monkeypatch, tmp_path):
    with pytest.raises(UserError, match="'vit_smal' is neither 'compact', a file of weights, nor a model"):
        load_embedder(Embed(model="vit_smal"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    name, pins = "vit_small_patch14_dinov2.lvd142m", {"revision": "0" * 40, "sha256": "0" * 64}
    with pytest.raises(UserError, match=rf"'{name}' are not in the cache and the model hub cannot be reached"):
        load_embedder(Embed(model=name, **pins))


@pytest.mark.parametrize("pins", [{}, {"revision": "0" * 40}, {"sha256": "0" * 64}])
def test_a_download_without_revision_and_hash_is_refused(monkeypatch, tmp_path, pins):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match=r"a download needs embed\.revision \(the commit .* and embed\.sha256"):
        load_embedder(Embed(model="vit_small_patch14_dinov2.lvd142m", **pins))


def test_random_weights_need_permission():
    with pytest.raises(ValidationError, match="set allow_untrained to true"):
        Embed(model="untrained:compact")
    sneaked = Embed().model_copy(update={"model": "untrained:compact"})
    with pytest.raises(UserError, match=r"set embed.allow_untrained to true"):
        load_embedder(sneaked)


def test_random_weights_say_so_in_every_output(tmp_path):
    paths = Field(tmp_path).write()
    table, report = run(tmp_path, paths, model="untrained:compact", allow_untrained=True)
    assert all(c.startswith("embedding_untrained_") for c in table.columns[4:])
    assert report["model"]["name"] == "untrained:compact"
    assert any("random" in line for line in report["lines"])


def test_step_embeds_the_feature_frames_with_the_compact_model(tmp_path):
    paths = Field(tmp_path, end_kinds=("end_of_movie", "death", "division")).write()
    table, report = run(tmp_path, paths, channels={"function": ["lipid"]})
    assert list(zip(table["frame"], table["label"], strict=True)) == [(0, 2), (2, 1), (2, 3)]
    assert table.columns[4] == "embedding_nuclear_0000"
    assert len(table.columns) == 4 + 128
    assert report["model"]["name"] == "compact"
    assert report["model"]["sha256"] in COMPACT_FILE.with_suffix(".md").read_text()
    assert report["numbers"]["crop_px"] == 24
    again, _ = run(tmp_path, paths, channels={"function": ["lipid"]})
    pd.testing.assert_frame_equal(table, again)


def test_frames_can_be_all_or_every_nth(tmp_path):
    paths = Field(tmp_path, frames=5).write()
    assert len(run(tmp_path, paths, frames="all", channels={}, orientations=1)[0]) == 15
    every, _ = run(tmp_path, paths, frames="every", every_n=2, orientations=1)
    assert sorted(set(every["frame"])) == [0, 2, 4]


def test_changing_the_function_channel_changes_no_embedding(tmp_path):
    tables = []
    for i, level in enumerate((0.0, 900.0)):
        folder = tmp_path / str(i)
        folder.mkdir()
        paths = Field(folder, values={"lipid": np.full((3, 3), level)}).write()
        tables.append(run(folder, paths, channels={"function": ["lipid"]})[0])
    pd.testing.assert_frame_equal(*tables)


@pytest.mark.parametrize(("frames", "centres"), [(1, ()), (3, ()), (1, ((30, 30),))])
def test_empty_fields_and_single_frames_are_legal(tmp_path, frames, centres):
    paths = Field(tmp_path, frames=frames, centres=centres).write()
    table, report = run(tmp_path, paths)
    assert len(table) == len(centres) == report["numbers"]["objects"]


def test_settings_refuse_two_sides_and_odd_percentiles():
    with pytest.raises(ValidationError, match="crop_px: set crop_um or crop_px, not both"):
        Embed(crop_um=5, crop_px=20)
    with pytest.raises(ValidationError, match="clip_percentiles: must be two increasing"):
        Embed(clip_percentiles=(99, 1))


def test_sides_that_are_no_multiple_of_the_patch_are_refused():
    with pytest.raises(UserError, match=r"embed.image_px: 60 is not a multiple of the 8 px patches"):
        load_embedder(Embed(image_px=60))
