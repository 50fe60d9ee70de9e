"""Cellpose-SAM through the adapter: cellpose's own class and keys, on a SAM encoder of two narrow blocks."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from cellpose import vit
from segment_anything.modeling import ImageEncoderViT

from cineseq.config.imaging import Segment, Train
from cineseq.errors import UserError
from cineseq.segmentation import cellpose
from cineseq.segmentation.annotated import Frame
from cineseq.segmentation.finetuning import fine_tune
from cineseq.segmentation.training import save
from cineseq.training.nuclei_images import draw_images


def tiny_sam(checkpoint: None) -> SimpleNamespace:
    encoder = {"embed_dim": 16, "depth": 2, "num_heads": 2, "global_attn_indexes": (1,), "window_size": 14}
    return SimpleNamespace(image_encoder=ImageEncoderViT(use_rel_pos=True, **encoder))


@pytest.fixture
def weights(monkeypatch) -> dict:
    """Return the weights of a Cellpose-SAM whose encoder is small; the adapter builds the same."""
    monkeypatch.setitem(vit.sam_model_registry, "vit_l", tiny_sam)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return vit.CPSAM().state_dict()


def loaded(weights: dict, path) -> cellpose.SegmentationModel:
    torch.save(weights, path)
    return cellpose.load_model(Segment(model=str(path)))


def as_frame(scene) -> Frame:
    return Frame("i", "m", "g", scene)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_checkpoint_is_loaded_run_trained_and_loaded_again(weights, tmp_path, monkeypatch, dtype):
    monkeypatch.setattr(cellpose, "choose_dtype", lambda device: dtype)
    model = loaded(weights, tmp_path / "cpsam.pt")
    net = model.cellpose.net
    assert type(net) is vit.CPSAM
    assert {p.dtype for p in net.parameters()} == {dtype} == {net.dtype}
    assert not any(p.is_meta for p in net.parameters())
    torch.testing.assert_close(net.out.weight.detach().float(), weights["out.weight"].to(dtype).float())
    assert (model.is_compact, model.diameter_px) == (False, None)

    scene = draw_images(7, 1, size=300)[0]
    planes = np.stack([scene.image, scene.image[::-1]])
    found = cellpose.segment_frame(model, planes, Segment(min_area=0, flow_threshold=0), None)
    assert found.shape == scene.image.shape
    assert cellpose.tiling(model, scene.image.shape, 1.0) == (256, 4)

    trained = fine_tune(model, [as_frame(scene)], 20.0, Train(epochs=2, tiles=2, learning_rate=1e-3))
    assert trained.keys() == weights.keys()
    save(trained, tmp_path / "mine.pt")
    again = cellpose.load_model(Segment(model=str(tmp_path / "mine.pt")))
    assert again.provenance["note"].startswith("User-supplied checkpoint")
    assert again.provenance["note"].endswith("its weights were trained on data licensed CC-BY-NC.")
    assert not torch.equal(trained["encoder.blocks.0.mlp.lin1.weight"], weights["encoder.blocks.0.mlp.lin1.weight"])
    assert cellpose.segment_frame(again, planes, Segment(), None).shape == scene.image.shape


def test_training_on_a_device_of_bfloat16_rounds_nothing(weights, tmp_path, monkeypatch):
    monkeypatch.setattr(cellpose, "choose_dtype", lambda device: torch.bfloat16)
    model = loaded(weights, tmp_path / "cpsam.pt")
    frames = [as_frame(draw_images(7, 1, size=256)[0])]
    # The learning rate of cellpose's first epoch is 0, so that what comes out is what went in.
    same = fine_tune(model, frames, 20.0, Train(epochs=1, tiles=1))
    assert all(torch.equal(same[key], weights[key]) for key in weights.keys() - set(cellpose.DIAMETERS))
    trained = fine_tune(model, frames, 20.0, Train(epochs=2, tiles=1, learning_rate=1e-3))["out.weight"]
    assert trained.dtype == torch.float32
    assert not torch.equal(trained, trained.bfloat16().float())
    assert (model.cellpose.net.dtype, model.cellpose.net.training) == (torch.bfloat16, False)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_flows_are_those_of_cellpose_itself(weights, tmp_path, monkeypatch, dtype):
    # Named, for the adapter takes what the machine computes in natively.
    monkeypatch.setattr(cellpose, "choose_dtype", lambda device: dtype)
    model = loaded(weights, tmp_path / "cpsam.pt")
    reference = vit.CPSAM(dtype=dtype)
    reference.load_model(tmp_path / "cpsam.pt", device=torch.device("cpu"))
    tile = torch.rand(1, 3, 256, 256, dtype=dtype)
    with torch.no_grad():
        ours = model.cellpose.net(tile.to(model.cellpose.device))[0].cpu()
        torch.testing.assert_close(ours, reference.eval()(tile)[0])


def test_diameters_may_be_missing_or_of_any_shape(weights, tmp_path):
    bare = {key: value for key, value in weights.items() if key not in cellpose.DIAMETERS}
    net = loaded(bare, tmp_path / "first.pt").cellpose.net
    assert (net.diam_labels.tolist(), net.diam_mean.tolist()) == ([30], [30])
    net = loaded(bare | {"diam_labels": torch.tensor(17.0)}, tmp_path / "scalar.pt").cellpose.net
    assert (net.diam_labels.tolist(), net.diam_mean.tolist()) == ([17], [30])
    net = loaded(bare | {"diam_mean": torch.zeros(0)}, tmp_path / "none.pt").cellpose.net
    assert net.diam_mean.tolist() == [30]


def test_half_precision_is_read_as_single(weights, tmp_path):
    net = loaded({k: v.half() for k, v in weights.items()}, tmp_path / "half.pt").cellpose.net
    assert {p.dtype for p in net.parameters()} == {net.dtype}


@pytest.mark.parametrize("key", ["W2", "out.bias", "encoder.pos_embed", "encoder.blocks.1.attn.rel_pos_h"])
def test_a_missing_weight_is_refused(weights, tmp_path, key):
    said = rf"\(1 weight of sam_vitl missing, unknown or of another shape, such as '{key}'\)"
    with pytest.raises(UserError, match=said):
        loaded({k: v for k, v in weights.items() if k != key}, tmp_path / "a.pt")
