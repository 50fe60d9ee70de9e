"""Training on a user's frames: bad input is refused, whole groups are held out, and the card says what was done."""

import hashlib
import logging

import numpy as np
import pytest
import tifffile
import torch
import train_model
from hypothesis import given
from hypothesis import strategies as st

from cineseq.config.imaging import Segment, Train
from cineseq.errors import UserError
from cineseq.segmentation.annotated import AnnotatedImage, Frame, median_diameter, read_frames, split, zoomed
from cineseq.segmentation.cellpose import load_model
from cineseq.segmentation.compact import CompactSegmenter
from cineseq.segmentation.finetuning import held_out_note
from cineseq.segmentation.training import save
from cineseq.training.nuclei_images import draw_images


@pytest.fixture
def annotated(tmp_path):
    """Four annotated frames as files: images, masks."""
    images, masks = [], []
    for number, scene in enumerate(draw_images(31, 4, size=96)):
        images.append(tmp_path / f"{number}_img.tif")
        masks.append(tmp_path / f"{number}_mask.tif")
        tifffile.imwrite(images[-1], scene.image)
        tifffile.imwrite(masks[-1], scene.labels.astype(np.uint16))
    return images, masks


def square(side: int, group: str = "a") -> Frame:
    labels = np.zeros((20, 20), np.int32)
    labels[:side, :side] = 1
    return Frame("i", "m", group, AnnotatedImage(labels.astype(np.float32), labels))


def test_frames_are_read_with_labels_from_one(annotated, tmp_path):
    images, masks = annotated
    labels = np.zeros((96, 96), np.uint16)
    labels[:9, :9], labels[30:40, 30:40] = 7, 300
    tifffile.imwrite(masks[0], labels)
    frame = read_frames(images, masks, None)[0]
    assert set(np.unique(frame.annotated.labels)) == {0, 1, 2}
    assert (frame.annotated.labels == 2).sum() == 100
    assert frame.group == str(images[0])


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        (np.ones((96, 90), np.uint8), r"0_mask.tif: \(96, 90\) pixels, but its image .*0_img.tif has \(96, 96\)"),
        (np.zeros((96, 96), np.uint8), r"0_mask.tif: the mask holds no cell"),
        (np.ones((96, 96), np.float32), r"0_mask.tif: labels must be integers from 0 on, found float32"),
        (np.full((96, 96), -1, np.int16), r"labels must be integers from 0 on, found int16"),
        (np.ones((2, 96, 96), np.uint8), r"0_mask.tif: shape \(2, 96, 96\), but one plane"),
    ],
)
def test_wrong_masks_are_refused(annotated, labels, match):
    images, masks = annotated
    tifffile.imwrite(masks[0], labels)
    with pytest.raises(UserError, match=match):
        read_frames(images, masks, None)


def test_frames_without_partner_are_refused(annotated, tmp_path):
    images, masks = annotated
    with pytest.raises(UserError, match=r"4 images but 3 masks, so .*3_img.tif has no partner"):
        read_frames(images, masks[:3], None)
    with pytest.raises(UserError, match=r"train\.images: no image is listed"):
        read_frames([], [], None)
    with pytest.raises(UserError, match=r"train\.groups: 2 groups for 4 images"):
        read_frames(images, masks, ["a", "b"])
    (tmp_path / "0_img.tif").write_text("no image")
    with pytest.raises(UserError, match=r"0_img.tif: not a readable image"):
        read_frames(images, masks, None)


@given(st.lists(st.sampled_from("abcde"), min_size=1, max_size=12), st.floats(0, 0.99), st.integers(0, 99))
def test_groups_are_held_out_whole(groups, share, seed):
    frames = [square(5, group) for group in groups]
    learned, held = split(frames, share, seed)
    assert not {f.group for f in learned} & {f.group for f in held}
    assert len(learned) + len(held) == len(frames)
    assert learned
    assert bool(held) == (share > 0 and len(set(groups)) > 1)


def test_a_single_group_cannot_be_scored():
    frames = [square(5), square(6)]
    learned, held = split(frames, 0.25, 1)
    assert held_out_note(learned, held) == "not estimable: a single group, so that nothing could be held out"
    assert held_out_note([square(5), square(5, "b")], []) == "not estimable: train.held_out is 0"
    note = held_out_note(frames, [square(5, "b")])
    assert note == "1 cell in 1 held-out frame of 1 unseen group"


def test_diameters_and_zoom_by_hand():
    assert median_diameter([square(4), square(6), square(8)]) == pytest.approx(2 * 6 / np.sqrt(np.pi))
    scene = zoomed(square(8).annotated, 0.5)
    assert scene.image.shape == (10, 10)
    assert (scene.labels > 0).sum() == 16


def test_step_trains_and_tells(annotated, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    torch.manual_seed(0)
    start = tmp_path / "start.pt"
    save(CompactSegmenter().state_dict(), start)
    images, masks = annotated
    model, card = tmp_path / "new.pt", tmp_path / "new.md"
    wanted = Train(model=str(start), epochs=2, tiles=8, diameter=40.0, groups=["a", "a", "b", "b"])
    train_model.main(
        images=images, masks=masks, start=start, model=model, card=card, settings=train_model.Settings(train=wanted)
    )
    loaded = load_model(Segment(model=str(model)))
    assert loaded.diameter_px == 40
    text = card.read_text()
    assert loaded.sha256 in text
    assert hashlib.sha256(start.read_bytes()).hexdigest() in text
    assert text.count("| trained on |") == text.count("| held out |") == 2
    assert hashlib.sha256(masks[3].read_bytes()).hexdigest()[:16] in text
    assert "2 held-out frames of 1 unseen group" in text
    assert f"segment: {{model: {model}}}" in caplog.text


def test_one_frame_gives_no_score(annotated, tmp_path):
    start = tmp_path / "start.pt"
    save(CompactSegmenter().state_dict(), start)
    images, masks = annotated
    wanted = Train(model=str(start), epochs=1, tiles=8)
    train_model.main(
        images=images[:1],
        masks=masks[:1],
        start=start,
        model=tmp_path / "new.pt",
        card=tmp_path / "new.md",
        settings=train_model.Settings(train=wanted),
    )
    assert "AP@.5: not estimable; before training not estimable (not estimable: a single" in (
        (tmp_path / "new.md").read_text()
    )
