"""Intervals of R² of held-out cells."""

from __future__ import annotations

import numpy as np
import pytest

from cineseq.statistics.metrics import Retrained, r2_jackknife


def test_models_that_vary_widen_the_interval_of_r2():
    rng = np.random.default_rng(0)
    units = np.repeat(np.arange(12), 30)
    total = rng.chisquare(1, size=360)
    gain = 0.3 * total + 0.1 * rng.normal(size=360)
    same = Retrained(units, np.tile(gain, (12, 1)))
    varied = Retrained(units, gain + 0.02 * rng.normal(size=(12, 1)))
    fixed = r2_jackknife(gain, total, units, same)
    assert fixed.error == pytest.approx(r2_jackknife(gain, total, units).error / np.sqrt(1 + 3 / 12))
    assert r2_jackknife(gain, total, units, varied).error > 2 * fixed.error
    few = r2_jackknife(gain[:150], total[:150], units[:150], Retrained(units[:150], varied.gain[:5, :150]))
    assert np.isnan(few.error)
