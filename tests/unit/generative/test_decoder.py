"""A decoder beats the mean crop where morphology shows what is in it, and turning takes no cell apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cineseq.generative.decoder import SIDE, aligned, fit_decoder, squared_errors


def ellipse(angle: float, long: float = 10, short: float = 5, side: int = 32) -> np.ndarray:
    """Return the mask of an ellipse whose long axis has an angle with the rows."""
    rows, columns = np.mgrid[:side, :side] - (side - 1) / 2
    along = rows * np.cos(angle) + columns * np.sin(angle)
    across = columns * np.cos(angle) - rows * np.sin(angle)
    return (along / long) ** 2 + (across / short) ** 2 <= 1


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 3.1))
def test_a_turned_cell_looks_the_same_however_it_lay(angle: float) -> None:
    masks = np.stack([ellipse(0.0), ellipse(angle)])
    images = (255 * masks[:, None]).astype(np.uint8)
    first, second = aligned(images, masks)
    assert np.square(first - second).mean() < 0.02
    columns, rows = ((second[0] > 0.5).any(axis=axis).sum() for axis in (0, 1))
    assert columns > rows + 5, "the long axis is horizontal"


def test_a_larger_crop_is_scaled_and_a_cell_without_mask_is_left_as_it_is() -> None:
    masks = np.stack([ellipse(0.0, 20, 10, side=64), np.zeros((64, 64), bool)])
    images = np.stack([255 * masks[0], np.full((64, 64), 51)])[:, None].astype(np.uint8)
    found = aligned(images, masks)
    assert found.shape == (2, 1, SIDE, SIDE)
    assert (found[0, 0] > 0.5).sum() == pytest.approx(masks[0].sum() / 4, rel=0.1)
    np.testing.assert_allclose(found[1], 0.2, rtol=1e-6)


@pytest.fixture(scope="module")
def cells() -> tuple[np.ndarray, np.ndarray]:
    """Latents of 240 cells, and crops whose size follows the first and brightness the second."""
    latents = np.random.default_rng(0).normal(size=(240, 4))
    masks = np.stack([ellipse(0.0, 9 + 2 * np.tanh(z), 5 + np.tanh(z)) for z in latents[:, 0]])
    images = (masks * (150 + 60 * np.tanh(latents[:, 1]))[:, None, None])[:, None].astype(np.uint8)
    return latents, aligned(images, masks)


def test_a_decoder_shows_held_out_cells_better_than_the_mean_crop(cells: tuple[np.ndarray, np.ndarray]) -> None:
    latents, crops = cells
    train, test = np.arange(160), np.arange(160, 240)
    decoder = fit_decoder(latents[train], crops[train], train % 8, 3, 1)
    shown = decoder.decode(latents[test])
    assert shown.shape == crops[test].shape
    assert shown.min() >= 0
    assert shown.max() <= 1
    error = squared_errors(crops[test], shown).mean()
    assert error < 0.4 * squared_errors(crops[test], np.tile(decoder.mean, (80, 1, 1, 1))).mean()
    again = fit_decoder(latents[train], crops[train], train % 8, 3, 1)
    np.testing.assert_array_equal(again.decode(latents[test]), shown)


def test_latents_of_other_cells_decode_to_about_the_mean_crop(cells: tuple[np.ndarray, np.ndarray]) -> None:
    latents, crops = cells
    order = np.random.default_rng(1).permutation(240)
    train, test = np.arange(160), np.arange(160, 240)
    decoder = fit_decoder(latents[order][train], crops[train], train % 8, 3, 1)
    error = squared_errors(crops[test], decoder.decode(latents[order][test])).mean()
    assert error < 1.1 * squared_errors(crops[test], np.tile(decoder.mean, (80, 1, 1, 1))).mean()
