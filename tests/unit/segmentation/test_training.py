"""Simulated training images are what they say, and training learns from them."""

import numpy as np
import torch
from skimage.measure import label as connected_components

from cineseq.segmentation.compact import STRIDE, CompactSegmenter
from cineseq.segmentation.training import Schedule, save, train
from cineseq.training.nuclei_images import CROWDED, SMALLEST_OBJECT_PX, WIDE, draw_images
from cineseq.training.phase_images import draw_phase_images


def test_scenes_follow_their_seed_whatever_their_number():
    few, many = draw_images(5, 2, size=96), draw_images(5, 4, size=96)
    for a, b in zip(few, many, strict=False):
        np.testing.assert_array_equal(a.image, b.image)
        np.testing.assert_array_equal(a.labels, b.labels)
    assert (draw_images(6, 1, size=96)[0].image != few[0].image).any()


def test_scenes_are_finite_and_labels_are_whole_objects():
    scenes = draw_images(1, 30, size=128)
    for scene in scenes:
        assert np.isfinite(scene.image).all()
        assert scene.image.dtype == np.float32
        areas = np.bincount(scene.labels.ravel())[1:]
        assert (areas >= SMALLEST_OBJECT_PX).all()
        assert connected_components(scene.labels, background=0, connectivity=1).max() == scene.labels.max()


def test_scenes_span_sizes_and_densities():
    scenes = [s for s in draw_images(2, 60, size=128) if s.labels.any()]
    diameters = np.array([2 * np.sqrt(np.median(np.bincount(s.labels.ravel())[1:]) / np.pi) for s in scenes])
    covered = np.array([(s.labels > 0).mean() for s in scenes])
    assert diameters.min() < 12
    assert diameters.max() > 45
    assert covered.min() < 0.05
    assert covered.max() > 0.4


def test_cells_are_brighter_than_their_surroundings():
    brighter = [s.image[s.labels > 0].mean() > s.image[s.labels == 0].mean() for s in draw_images(3, 40, size=128)]
    assert np.mean(brighter) > 0.7


def test_network_returns_what_cellpose_expects():
    net = CompactSegmenter().eval()
    with torch.no_grad():
        flows, style = net(torch.rand(2, 3, 4 * STRIDE, 5 * STRIDE))
        single, _ = net(torch.rand(1, 1, STRIDE, STRIDE))
    assert flows.shape == (2, 3, 4 * STRIDE, 5 * STRIDE)
    assert style.shape == (2, 256)
    assert single.shape == (1, 3, STRIDE, STRIDE)
    assert sum(p.numel() for p in net.parameters()) < 2e6


def test_training_lowers_the_loss_and_is_seeded(tmp_path, caplog):
    caplog.set_level("INFO")
    torch.set_num_threads(1)
    scenes = draw_images(4, 8, size=96)
    weights = train(scenes, Schedule(epochs=2, tiles=8), seed=1)
    again = train(scenes, Schedule(epochs=2, tiles=8), seed=1)
    assert weights.keys() == CompactSegmenter().state_dict().keys()
    torch.testing.assert_close(weights["out.weight"], again["out.weight"])
    for name, state in (("a.pt", weights), ("b.pt", again)):
        save(state, tmp_path / name)
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()
    assert "Trained 2 epochs; the loss was" in caplog.text


def test_crowded_scenes_overlap_more():
    wide, crowded = (draw_images(8, 16, size=96, domain=domain) for domain in (WIDE, CROWDED))
    assert all(np.isfinite(s.image).all() and s.labels.max() >= 0 for s in crowded)
    assert touching(crowded) > 1.5 * touching(wide)


def touching(scenes) -> float:
    """Share of cell pixels beside another cell."""
    pairs = [(s.labels[:, 1:], s.labels[:, :-1]) for s in scenes]
    borders = sum(np.count_nonzero((a != b) & (a > 0) & (b > 0)) for a, b in pairs)
    return borders / sum(np.count_nonzero(s.labels) for s in scenes)


def test_phase_scenes_are_finite_and_not_told_by_brightness():
    scenes = draw_phase_images(5, 10, size=96)
    assert all(np.isfinite(s.image).all() for s in scenes)
    np.testing.assert_array_equal(scenes[3].image, draw_phase_images(5, 4, size=96)[3].image)
    for scene in scenes:
        assert connected_components(scene.labels, background=0, connectivity=1).max() == scene.labels.max()
    seen = [s for s in scenes if s.labels.any()]
    brighter = [s.image[s.labels > 0].mean() > s.image[s.labels == 0].mean() for s in seen]
    assert 0 < np.mean(brighter) < 1
