"""Segmentation: models are checked before they run, and the shipped one finds what was drawn."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import segment
import tifffile
import torch
from cellpose import core
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cineseq.config.imaging import Channels, Segment
from cineseq.config.simulate import Simulate
from cineseq.errors import UserError
from cineseq.io.stacks import Movie, MovieInfo, open_labels, write_movie
from cineseq.models import registry
from cineseq.segmentation import cellpose
from cineseq.segmentation.compact import CompactSegmenter
from cineseq.segmentation.movie import choose_channels, segment_movie, warn_of_scale
from cineseq.segmentation.scoring import count_movie
from cineseq.simulate.field import simulate_field
from cineseq.simulate.images import render_movie, truth_masks
from cineseq.training.nuclei_images import draw_image, draw_images


@pytest.fixture(scope="module")
def compact() -> cellpose.SegmentationModel:
    torch.set_num_threads(1)
    return cellpose.load_model(Segment())


@pytest.fixture
def checkpoint(tmp_path) -> dict:
    return CompactSegmenter().state_dict()


def saved(weights, path: Path) -> Path:
    torch.save(weights, path)
    return path


def test_model_file_knows_names_and_paths(monkeypatch, tmp_path):
    monkeypatch.setenv(registry.CELLPOSE_FOLDER, str(tmp_path))
    assert registry.model_file("cpsam_v2") == tmp_path / "cpsam_v2"
    monkeypatch.delenv(registry.CELLPOSE_FOLDER)
    assert registry.model_file("cpsam") == Path.home() / ".cellpose/models/cpsam"
    assert registry.model_file("some/model.pt") == Path("some/model.pt")
    assert registry.model_file("compact").is_file()


def test_training_a_large_model_asks_for_more_memory(tmp_path):
    (tmp_path / "mine.pt").write_bytes(bytes(9_000_000))
    asked = {name: registry.training_memory_mb(name) for name in ("compact", "compact_phase", "cpsam_v2", "no/such.pt")}
    assert asked == {"compact": 6000, "compact_phase": 6000, "cpsam_v2": 16_000, "no/such.pt": 16_000}
    assert registry.training_memory_mb(str(tmp_path / "mine.pt")) == 16_000


@pytest.mark.parametrize("name", registry.SHIPPED)
def test_shipped_models_are_those_on_their_cards(name):
    model = cellpose.load_model(Segment(model=name))
    assert model.sha256 in registry.model_file(name).with_suffix(".md").read_text()
    assert registry.model_file(name).stat().st_size < 8e6
    assert model.provenance["name"] == name
    assert "simulated" in model.provenance["note"]
    assert model.diameter_px is None


def test_a_model_of_one_scale_warns_without_a_diameter(caplog):
    model = cellpose.load_model(Segment(model="compact_phase"))
    warn_of_scale(model, Segment(model="compact_phase", diameter=40))
    assert not caplog.records
    warn_of_scale(model, Segment(model="compact_phase"))
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert "segment.diameter is not set: compact_phase was trained on cells of about 30 px" in caplog.text


def test_missing_models_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv(registry.CELLPOSE_FOLDER, str(tmp_path))
    with pytest.raises(UserError, match=r"there is no file '.*/cpsam_v2'; put it there .* or set segment.download"):
        cellpose.load_model(Segment(model="cpsam_v2"))
    with pytest.raises(UserError, match=r"there is no file 'no/such.pt'; give compact, compact_phase, cpsam_v2"):
        cellpose.load_model(Segment(model="no/such.pt"))


def test_wrong_hash_is_refused(checkpoint, tmp_path):
    path = saved(checkpoint, tmp_path / "a.pt")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert cellpose.load_model(Segment(model=str(path), sha256=digest)).sha256 == digest
    with pytest.raises(UserError, match=r"SHA-256 is .*, but segment\.sha256 is 0000"):
        cellpose.load_model(Segment(model=str(path), sha256="0" * 64))


def foreign(kind: str, weights: dict) -> dict:
    """Checkpoints that cellpose itself would load without a word, or nearly."""
    return {
        "only W2": {"W2": torch.zeros(1)},
        "one lacks": {k: v for k, v in weights.items() if k != "down.0.0.weight"},
        "one more": weights | {"extra": torch.zeros(1)},
        "other shape": weights | {"out.weight": torch.zeros(4, 12, 1, 1)},
        "no tensors": {"W2": 1},
    }[kind]


@pytest.mark.parametrize("kind", ["only W2", "one lacks", "one more", "other shape"])
def test_foreign_checkpoints_are_refused(checkpoint, tmp_path, kind):
    path = saved(foreign(kind, checkpoint), tmp_path / "a.pt")
    with pytest.raises(UserError, match=r"neither a compact nor a Cellpose-SAM checkpoint \(\d+ weights? of"):
        cellpose.load_model(Segment(model=str(path)))


def test_files_that_are_no_checkpoints_are_refused(checkpoint, tmp_path):
    (tmp_path / "a.pt").write_text("no model")
    saved(foreign("no tensors", checkpoint), tmp_path / "b.pt")
    for name in ("a.pt", "b.pt"):
        with pytest.raises(UserError, match="not a readable model checkpoint"):
            cellpose.load_model(Segment(model=str(tmp_path / name)))


def test_checkpoints_of_parallel_training_are_accepted(checkpoint, tmp_path):
    path = saved({f"module.{k}": v for k, v in checkpoint.items()}, tmp_path / "mine.pt")
    loaded = cellpose.load_model(Segment(model=str(path)))
    assert loaded.name == "mine.pt" or loaded.name == str(path)
    torch.testing.assert_close(loaded.cellpose.net.out.weight.cpu(), checkpoint["out.weight"])
    assert loaded.note == "User-supplied checkpoint; its terms are those of whoever trained it."


def test_compact_model_segments_unseen_scenes(compact):
    scenes = draw_images(987_654, 12, size=224)
    found = [cellpose.segment_frame(compact, s.image[None], Segment(), None) for s in scenes]
    assert count_movie([s.labels for s in scenes], found).average_precision > 0.8


def test_compact_model_segments_the_simulated_experiment(compact):
    settings = Simulate(founders=24)
    field = simulate_field(settings, 77, "s1", "f1").positions
    last = settings.frames - 1
    rows = field[field["frame"] == last].assign(frame=0)
    image = next(iter(render_movie(rows, 1, settings.size_px, np.random.default_rng(0))))
    truth = next(iter(truth_masks(rows, 1, settings.size_px))).astype(int)
    found = cellpose.segment_frame(compact, image[None], Segment(), settings.pixel_size_um)
    assert count_movie([truth], [found]).average_precision > 0.9


def test_intensity_scale_and_offset_do_not_matter(compact):
    image = draw_image(np.random.default_rng((3, 4)), 160).image
    low = image - image.min()
    sixteen_bit = np.round(20_000 * low / low.max() + 500).astype(np.uint16)
    a = cellpose.segment_frame(compact, low[None], Segment(), None)
    b = cellpose.segment_frame(compact, sixteen_bit[None], Segment(), None)
    assert count_movie([a], [b]).average_precision > 0.95


@pytest.mark.parametrize("aspect", [2.0, 0.5])
def test_cells_on_oblong_pixels_are_those_on_square_ones(compact, aspect):
    image = draw_image(np.random.default_rng((3, 4)), 160).image
    whole = cellpose.segment_frame(compact, image[None], Segment(), 0.5)
    every = (slice(None, None, 2), slice(None)) if aspect > 1 else (slice(None), slice(None, None, 2))
    binned = image[every]
    info = MovieInfo(1, *binned.shape, ("a",), 0.5 * 2**0.5, None, pixel_aspect=aspect)
    movie = Movie(Path("oblong"), info, lambda *_: binned)
    found = next(segment_movie(movie, ("a",), compact, Segment(), []))
    assert found.shape == binned.shape
    assert count_movie([whole[every]], [found]).average_precision > 0.85


def test_frames_without_cells_are_empty(compact):
    noise = np.random.default_rng(0).normal(100, 5, (1, 200, 220))
    assert not cellpose.segment_frame(compact, noise, Segment(), None).any()
    assert not cellpose.segment_frame(compact, np.full((1, 64, 64), 7), Segment(), None).any()


def test_sizes_are_in_micrometres_where_known(compact):
    scene = draw_images(987_654, 6, size=224)[5]
    everything = cellpose.segment_frame(compact, scene.image[None], Segment(min_area=0), 0.5)
    areas = np.bincount(everything.ravel())[1:]
    limit = float(np.median(areas))
    kept = cellpose.segment_frame(compact, scene.image[None], Segment(min_area=limit * 0.25), 0.5)
    assert kept.max() == (areas >= limit).sum()


def test_compact_model_leaves_the_scale_alone_in_its_range(compact, checkpoint, tmp_path):
    assert cellpose.rescaling_diameter(compact, 20) is None
    assert cellpose.rescaling_diameter(compact, 120) == 120
    assert cellpose.rescaling_diameter(compact, None) is None
    own = saved(checkpoint | {"diam_labels": torch.tensor([66.0])}, tmp_path / "own.pt")
    trained = cellpose.load_model(Segment(model=str(own)))
    assert cellpose.rescaling_diameter(trained, 20) == 20
    assert cellpose.rescaling_diameter(trained, None) == 66


def test_tiles_cover_small_frames_whole(compact):
    assert cellpose.tiling(compact, (320, 320), 1.0) == (336, 9)
    assert cellpose.tiling(compact, (495, 534), 1.0)[0] == 560
    side, batch = cellpose.tiling(compact, (1040, 1408), 1.0)
    assert side % 16 == 0
    assert side**2 * batch <= 1 << 20


@pytest.mark.parametrize("shape", [(320, 320), (304, 100), (255, 257), (495, 534), (700, 1100)])
def test_tiles_are_counted_as_cellpose_cuts_them(compact, monkeypatch, shape):
    passes = []
    forward = core._forward
    monkeypatch.setattr(core, "_forward", lambda net, x: passes.append(x.shape) or forward(net, x))
    side, batch = cellpose.tiling(compact, shape, 1.0)
    image = np.random.default_rng(0).normal(size=shape)
    compact.cellpose.eval(image, bsize=side, batch_size=batch, compute_masks=False)
    assert {p[2:] for p in passes} == {(side, side)}
    assert sum(p[0] for p in passes) == cellpose._tiles(shape, 1.0, side)


@given(st.lists(st.integers(0, 9), min_size=16, max_size=16), st.integers(0, 5), st.integers(3, 16))
def test_keep_sizes_numbers_from_one(values, least, most):
    labels = np.array(values).reshape(4, 4)
    kept = cellpose.keep_sizes(labels, least, most)
    assert set(np.unique(kept)) - {0} == set(range(1, kept.max() + 1))
    for label in set(values) - {0}:
        wanted = least <= values.count(label) <= most
        assert (kept[labels == label] > 0).all() == wanted


def test_precision_by_hand():
    truth = np.zeros((10, 10), int)
    truth[:4, :4], truth[6:, 6:] = 1, 2
    found = np.zeros((10, 10), int)
    found[:4, :3], found[0, 9] = 1, 2
    assert count_movie([truth], [found]).average_precision == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("channels", "wanted", "match"),
    [
        ({}, ["GFP"], r"no channel 'GFP' \(segment.channels\); the movie has DNA, lipid"),
        ({"function": ["lipid"]}, ["lipid"], "'lipid' measures function"),
        ({"function": ["DNA", "lipid"]}, None, "every channel measures function"),
        ({"death": "lipid"}, ["lipid"], "'lipid' is the stain of dead cells"),
        ({"function": ["DNA"], "death": "lipid"}, None, r"or is the stain of dead cells \(channels.death\), so none"),
        ({}, ["DNA", "lipid"], "the compact model segments on one channel"),
    ],
)
def test_wrong_channels_are_refused(compact, channels, wanted, match):
    settings = Segment(channels=wanted)
    with pytest.raises(UserError, match=match):
        choose_channels(Path("m.tif"), ("DNA", "lipid"), Channels(**channels), settings, compact)


def test_function_channels_are_left_out_unless_allowed(compact):
    present, path = ("lipid", "DNA"), Path("m.tif")
    closed = Channels(function=["lipid"])
    opened = Channels(function=["lipid"], allow_function_in=["segment"])
    assert choose_channels(path, present, closed, Segment(), compact) == ("DNA",)
    assert choose_channels(path, present, opened, Segment(channels=["lipid"]), compact) == ("lipid",)


def test_settings_refuse_limits_out_of_order():
    with pytest.raises(ValidationError, match="max_area: must be above min_area"):
        Segment(min_area=10, max_area=5)


def run_step(folder: Path, planes: np.ndarray, origins=(), **settings) -> tuple[np.ndarray, object, dict]:
    info = MovieInfo(len(planes), *planes.shape[1:], ("DNA",), 0.5, 10.0, origins)
    write_movie(planes, folder / "movie.ome.tif", info)
    labels, report = folder / "labels.ome.tif", folder / "report.json"
    chosen = segment.Settings.model_validate(settings)
    segment.main(movie=folder / "movie.ome.tif", labels=labels, report=report, settings=chosen)
    with open_labels(labels) as opened:
        return np.stack(list(opened)), opened.info, json.loads(report.read_text())


def test_step_writes_labels_and_report(tmp_path):
    scenes = draw_images(42, 2, size=160)
    labels, info, report = run_step(tmp_path, np.stack([s.image for s in scenes]), segment={"min_area": 0})
    assert (info.pixel_size_um, info.frame_interval_min) == (0.5, 10)
    assert labels.dtype == np.uint16
    assert report["numbers"]["objects"] == sum(int(frame.max()) for frame in labels)
    assert report["model"]["sha256"] == hashlib.sha256(registry.model_file("compact").read_bytes()).hexdigest()
    again, _, _ = run_step(tmp_path, np.stack([s.image for s in scenes]), segment={"min_area": 0})
    np.testing.assert_array_equal(again, labels)


def test_nothing_is_segmented_where_nothing_was_seen(tmp_path):
    image = draw_images(42, 1, size=160)[0].image
    whole, _, _ = run_step(tmp_path, image[None])
    assert whole[0, :, :60].any()
    shifted, info, _ = run_step(tmp_path, image[None], ((0, 60),))
    assert info.origins == ((0, 60),)
    assert not shifted[0, :, :60].any()
    assert shifted[0, :, 60:].any()


def test_a_field_without_cells_is_legal(tmp_path, caplog):
    planes = np.zeros((3, 64, 64), np.uint16)
    labels, _, report = run_step(tmp_path, planes)
    assert not labels.any()
    assert report["numbers"]["empty_frames"] == 3
    assert "no cell in 3 of 3 frames" in caplog.text


@pytest.mark.data
def test_real_frames_with_given_outlines(data_folder, compact):
    folder = data_folder / "ctc_sim01"
    frames = [0, 4, 9]
    images = [tifffile.imread(folder / f"01/t{t:03d}.tif") for t in frames]
    truths = [tifffile.imread(folder / f"01_GT/SEG/man_seg{t:03d}.tif").astype(int) for t in frames]
    found = [cellpose.segment_frame(compact, image[None], Segment(), None) for image in images]
    assert count_movie(truths, found).average_precision >= 0.9
