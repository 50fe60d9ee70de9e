"""Simulated cells, the DINO objective, and the script that trains the compact embedder."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from scipy import ndimage
from train_embedder import Settings, main

from cineseq.config.features import Embed
from cineseq.features.embedder import compact_network, load_embedder
from cineseq.features.embedding import vectors_of
from cineseq.models.registry import COMPACT_FILE
from cineseq.training.crop_images import CANVAS_PX, central, simulate_cells
from cineseq.training.dino import Recipe, dino_loss, train, views
from cineseq.training.embedder_card import pixel_components, probe

TINY = {"img_size": 32, "patch_size": 8, "embed_dim": 16, "depth": 1, "num_heads": 2}
QUICK = Recipe(steps=4, batch=8, global_px=32, local_px=16, prototypes=32)


@pytest.fixture(scope="module")
def cells():
    return simulate_cells(300, np.random.default_rng(11))


def test_simulated_cells_are_reproducible_and_single(cells):
    again = simulate_cells(300, np.random.default_rng(11))
    assert np.array_equal(cells.images, again.images)
    assert cells.images.shape == (300, CANVAS_PX, CANVAS_PX)
    assert 0 <= cells.images.min() <= cells.images.max() <= 1
    assert [ndimage.label(m)[1] for m in cells.masks[:50]] == [1] * 50
    assert set(cells.attributes["kind"]) == {0, 1, 2}


def test_planted_attributes_show_in_the_images(cells):
    traits = cells.attributes
    np.testing.assert_allclose(np.exp(traits["log_area"]), cells.masks.sum((1, 2)))
    nuclear = traits["kind"] == 0
    inside = np.array([image[mask].mean() for image, mask in zip(cells.images, cells.masks, strict=True)])
    assert np.corrcoef(inside[nuclear], traits["brightness"][nuclear])[0, 1] > 0.8
    spread = np.array([image[mask].std() for image, mask in zip(cells.images, cells.masks, strict=True)])
    assert np.corrcoef(spread[nuclear], traits["texture_strength"][nuclear])[0, 1] > 0.2


def test_far_from_the_cell_there_is_only_background(cells):
    far = ~ndimage.binary_dilation(cells.masks, np.ones((1, 3, 3)), iterations=5)
    for image, outside in zip(cells.images[:40], far[:40], strict=True):
        assert np.ptp(image[outside]) == 0


def test_views_turn_and_shift_but_never_zoom(cells):
    torch.manual_seed(0)
    masks = torch.from_numpy(cells.masks.astype(np.float32))
    small = cells.attributes["log_area"].to_numpy() < np.log(700)
    cut = views(masks[small] * 0.5 + 0.25, 64)
    area = (cut > 0.5).float().sum((1, 2, 3)).numpy()
    ratio = area / cells.masks[small].sum((1, 2))
    assert np.median(ratio) == pytest.approx(1, abs=0.03)
    assert not torch.equal(cut, views(masks[small] * 0.5 + 0.25, 64))


def test_the_loss_is_least_when_student_and_teacher_agree():
    recipe, center = Recipe(), torch.zeros(4)
    sharp = torch.tensor([[4.0, 0, 0, 0], [0, 4.0, 0, 0]]) / 4
    agree = dino_loss([sharp, sharp], [sharp, sharp], center, recipe)
    differ = dino_loss([sharp.flip(0), sharp.flip(0)], [sharp, sharp], center, recipe)
    assert agree < 0.01
    assert differ > 5


def test_a_view_is_not_compared_with_itself():
    one, other = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    crossed = dino_loss([one, other], [other, one], torch.zeros(2), Recipe())
    assert crossed < 0.01


def test_training_is_reproducible_and_changes_the_weights(cells):
    images = torch.from_numpy(cells.images)
    made = []
    for _ in range(2):
        torch.manual_seed(5)
        network = compact_network(TINY)
        before = network.blocks[0].mlp.fc1.weight.detach().clone()
        losses = train(network, images, QUICK, seed=3)
        assert not torch.equal(before, network.blocks[0].mlp.fc1.weight)
        made.append((losses, network.norm.weight.detach().clone()))
    assert made[0][0] == made[1][0]
    assert torch.equal(made[0][1], made[1][1])
    assert np.isfinite(made[0][0]).all()


def test_a_probe_reads_what_is_there_and_nothing_from_noise():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(400, 10))
    attributes = pd.DataFrame({"there": features[:, 0] + 0.1 * rng.normal(size=400), "noise": rng.normal(size=400)})
    found = probe(features, attributes, seed=0)
    assert found["there"] > 0.95
    assert found["noise"] < 0.05


def test_the_embedded_weights_read_more_than_random_ones_and_pixels():
    held_out = simulate_cells(400, np.random.default_rng(1234))
    images, masks = central(held_out.images, 64), central(held_out.masks, 64)
    attributes = held_out.attributes[["log_area", "texture_strength", "brightness"]]
    chosen = {"trained": Embed(), "untrained": Embed(model="untrained:compact", allow_untrained=True)}
    scores = {
        name: probe(vectors_of(load_embedder(settings), images, masks, orientations=1), attributes, 0)
        for name, settings in chosen.items()
    }
    pixels = probe(pixel_components(images, 128, 0), attributes, 0)
    assert (scores["trained"] > scores["untrained"] + 0.02).all()
    assert (scores["trained"] > pixels + 0.05).all()


def test_the_script_writes_weights_that_load_and_a_card(tmp_path):
    weights, card = tmp_path / "own.safetensors", tmp_path / "own.md"
    main(model=weights, card=card, settings=Settings(cells=64, held_out=200, steps=2))
    loaded = load_embedder(Embed(model=str(weights)))
    assert loaded.sha256 in card.read_text()
    assert "untrained" in card.read_text()
    with safe_open(weights, framework="pt") as stream, safe_open(COMPACT_FILE, framework="pt") as embedded:
        assert sorted(stream.keys()) == sorted(embedded.keys())
        assert json.loads(stream.metadata()["architecture"]) == json.loads(embedded.metadata()["architecture"])
