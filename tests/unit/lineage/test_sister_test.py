"""The second opinion allows for any smooth effect of birth time, not for a straight or a bent line only."""

import numpy as np
import pandas as pd

from cineseq.lineage.sister_test import gee_p


def null_experiment(seed):
    """State and sister's death both follow a wave of birth time, and each other not at all."""
    rng = np.random.default_rng(seed)
    birth = rng.uniform(0, 1, 1000)
    rate = 1 / (1 + np.exp(-2 * np.sin(4.5 * np.pi * birth / 1.5)))
    return pd.DataFrame(
        {
            "state": (rng.random(1000) < rate).astype(float),
            "exposed": rng.random(1000) < rate,
            "field": rng.integers(0, 4, 1000),
            "birth": birth,
            "root_cell": np.arange(1000),
        }
    )


def test_a_wave_of_birth_time_is_not_taken_for_the_sister():
    p = np.array([gee_p(null_experiment(seed))[0] for seed in range(40)])
    assert np.isfinite(p).all()
    assert (p <= 0.05).sum() <= 7


def test_one_birth_time_needs_no_spline():
    cells = null_experiment(0).assign(birth=3.0)
    assert np.isfinite(gee_p(cells)[0])
