"""The targets that train and fetch models plan their one step and nothing of the study."""

import re


def test_training_plans_one_step_that_fits_its_model(small) -> None:
    for name in ("1_img.tif", "1_mask.tif"):
        (small.folder / name).touch()
    annotated = {"images": ["*_img.tif"], "masks": ["*_mask.tif"]}
    small.configure(train=annotated)
    assert small.planned("train") == {"train", "train_model"}
    for model, memory in (("compact", 6000), ("cpsam_v2", 16_000)):
        small.configure(train=annotated | {"model": model})
        assert re.findall(r"mem_mb=(\d+)", small.snakemake("train", "-n")) == [str(memory)]


def test_training_without_frames_says_so(small) -> None:
    said = small.complaint("train", "-n")
    assert "train.images" in said


def test_prefetching_plans_one_step(small) -> None:
    assert small.planned("prefetch") == {"prefetch", "prefetch_models"}
