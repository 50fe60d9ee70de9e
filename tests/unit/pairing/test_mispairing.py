"""The fraction of wrong pairs, from deliberate mis-pairing."""

import numpy as np
import pytest

from cineseq.pairing.mispairing import wrong_pairs


def study(seed: int, wrong: int, signal: float, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Return imaging features and expression that follow four states; the first cells have another one's expression."""
    rng = np.random.default_rng(seed)
    state = rng.normal(size=(n, 4))
    features = np.sqrt(signal) * state @ np.kron(np.eye(4), np.ones(3)) + np.sqrt(1 - signal) * rng.normal(size=(n, 12))
    counts = rng.poisson(np.exp(0.3 * state @ rng.normal(size=(4, 200)) + rng.normal(1, 1, 200)))
    expression = np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1000)
    expression[:wrong] = np.roll(expression[:wrong], 1, axis=0)
    return features, expression


@pytest.mark.parametrize("wrong", [0, 40, 80])
def test_planted_fraction_is_estimated(wrong: int) -> None:
    found = wrong_pairs(*study(1, wrong, 0.8))
    assert found.reason == ""
    assert found.fraction == pytest.approx(wrong / 400, abs=0.03)
    # Deliberate mis-pairing is seen as such.
    np.testing.assert_allclose(found.estimates, 1 - (1 - wrong / 400) * (1 - found.doses), atol=0.05)


def test_weak_association_few_cells_and_nothing_at_all_are_not_estimable() -> None:
    weak = wrong_pairs(*study(2, 40, 0.1))
    assert np.isnan(weak.fraction)
    assert "too weak to tell wrong pairs in 400 cells" in weak.reason
    rng = np.random.default_rng(3)
    none = wrong_pairs(rng.normal(size=(400, 5)), rng.normal(size=(400, 50)))
    assert none.reason.startswith(("expression does not predict imaging features", "the association"))
    assert wrong_pairs(*study(2, 0, 0.8, n=60)).reason == "there are 60 pairs, and at least 100 are needed"
    constant = wrong_pairs(np.ones((200, 3)), rng.normal(size=(200, 50)))
    assert constant.reason == "imaging features or counts do not vary"


def test_features_with_missing_values_are_left_out_and_order_does_not_matter_much() -> None:
    features, expression = study(4, 40, 0.8)
    with_missing = np.column_stack([features, np.where(np.arange(400) < 3, np.nan, 1.0)])
    assert wrong_pairs(with_missing, expression).fraction == wrong_pairs(features, expression).fraction
    order = np.random.default_rng(5).permutation(400)
    assert wrong_pairs(features[order], expression[order]).fraction == pytest.approx(0.1, abs=0.03)
