"""Simulated movies of how tracks end, and the training of the model of ends."""

import numpy as np
import pandas as pd
import pytest

from cineseq.tracking.end_model import CLASSES, read_model
from cineseq.training.end_movies import FRAMES, UNSEEN, drawn_movie, end_movie, followed
from cineseq.training.end_nuclei import FOLDS, HELD_OUT, Nuclei, cut_out, folds_by_movie, read_nuclei
from cineseq.training.end_training import MASKS, fit, isotonic_knots, scores, write_model


def painted(kind: str, seed: int) -> np.ndarray:
    """Return a nucleus of one kind as a picture of 64 x 64 px."""
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[:64, :64] - 31.5
    size = {"living": (13, 11), "rounding": (10, 10), "plate": (12, 4), "apart": (8, 4)}.get(kind, (4, 4))
    image = 85.0 * (1 + (kind != "living")) * ((yy / size[0]) ** 2 + (xx / size[1]) ** 2 <= 1)
    if kind == "dead":
        for y, x in rng.uniform(-10, 10, (4, 2)):
            image += 150 * (np.hypot(yy - y, xx - x) <= 3)
    return image.astype(np.float32)


@pytest.fixture(scope="module")
def nuclei():
    kinds = ["living", "rounding", "plate", "apart", "dead"]
    images = np.stack([painted(kind, i) for i in range(5) for kind in kinds])
    names = np.repeat([f"plate/{i}" for i in range(5)], 5)
    return Nuclei(images, np.tile(kinds, 5), np.count_nonzero(images, axis=(1, 2)), names)


def test_no_movie_is_in_two_folds_and_folds_are_of_similar_size():
    rng = np.random.default_rng(0)
    movies = np.repeat([f"m{i}" for i in range(40)], rng.integers(1, 30, 40))
    fold = folds_by_movie(movies)
    assert len(set(zip(movies, fold.tolist(), strict=True))) == 40
    assert np.ptp(np.bincount(fold, minlength=FOLDS)) <= 5


def test_only_the_nucleus_in_the_middle_is_cut_out_and_a_dead_one_keeps_its_pieces():
    yy, xx = np.mgrid[:64, :64]
    middle, beside, corner = (np.hypot(yy - y, xx - x) <= 6 for y, x in ((32, 32), (32, 48), (2, 2)))
    crop = 10 + 100.0 * (middle | beside | corner)
    whole, pieces = (cut_out(crop, in_pieces=choice) > 50 for choice in (False, True))
    assert whole[32, 32]
    assert not whole[32, 48]
    assert pieces[32, 32]
    assert pieces[32, 48]
    assert not pieces[2, 2]


def test_a_movie_of_ends_has_every_kind_of_end_and_is_drawn_again_from_its_seed(nuclei):
    movie = end_movie(nuclei, 3)
    assert np.array_equal(movie.image, end_movie(nuclei, 3).image)
    assert FRAMES - UNSEEN <= len(movie.image) <= FRAMES
    tracks, _, families = followed(movie)
    ends = tracks["true_end"].value_counts()
    assert set(ends.index) == set(CLASSES)
    assert ends.min() >= 3
    # a cell that divides and keeps its daughters did not end
    assert tracks.loc[tracks["number"].isin(families.parent.values()), "true_end"].isna().all()


def test_drawn_movies_lose_the_daughters_of_some_mothers():
    movie = drawn_movie(1)
    mothers = movie.cells.loc[movie.cells["what"] == "mitosis", ["number", "event"]].itertuples(index=False)
    for number, event in mothers:
        assert not (movie.labels[event + 1 :] == number).any()
    assert (movie.cells["what"] == "death").sum() >= 5


def separable(n=400, seed=0):
    """Return ends whose kind is written in one feature."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 4, n)
    table = pd.DataFrame(rng.normal(0, 1, (n, len(MASKS))), columns=list(MASKS))
    return table.assign(
        shrink=kind + rng.normal(0, 0.1, n), left=0.0, starts_now=0.0, small_count=3.0, body_count=3.0,
        fold=rng.integers(0, 4, n), true_end=np.array(CLASSES)[kind], drawn=False,
    )  # fmt: skip


def test_a_stored_model_gives_what_was_trained(tmp_path):
    table = separable()
    fitted = fit(table, MASKS, 0)
    found = scores(fitted.held_out)
    assert found["precision at 0.8"] > 0.95
    assert found["recall at 0.8"] > 0.95
    assert found["expected calibration error"] < 0.03
    write_model("small", fitted, fitted, tmp_path / "m.json")
    trees = read_model(tmp_path / "m.json").from_masks
    assert (np.array(CLASSES)[trees.raw(table).argmax(axis=1)] == table["true_end"]).mean() > 0.98


def test_without_a_body_the_training_gives_no_probability_of_death():
    held_out = fit(separable().assign(small_count=0.0), MASKS, 0).held_out
    assert held_out["p_death"].max() < 0.5


def test_isotonic_maps_rise_and_are_never_certain():
    rng = np.random.default_rng(0)
    p = rng.random(2000)
    at, value = isotonic_knots(p, rng.random(2000) < p**2, np.ones(2000))
    assert (np.diff(value) >= 0).all()
    assert value[-1] <= 0.99
    assert np.interp(0.5, at, value) == pytest.approx(0.25, abs=0.1)


@pytest.mark.data
def test_real_crops_give_every_stage_and_the_held_out_fold_has_them(data_folder):
    nuclei = read_nuclei(data_folder / "nuclei_classes_mitocheck")
    held = nuclei.of_movies(np.unique(nuclei.movie[folds_by_movie(nuclei.movie) == HELD_OUT]))
    for kind in ("living", "rounding", "plate", "apart", "dead"):
        assert len(held.rows(kind)) >= 10
        assert 3 * len(held.rows(kind)) <= 2 * len(nuclei.rows(kind))
