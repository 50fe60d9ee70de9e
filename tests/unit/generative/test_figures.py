"""Every figure is drawn from the tables of the step, whole and the same each time, and from tables without rows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.unit.prediction.prediction_examples import Planted, simulate

from cineseq.config.prediction import Crossmodal, Folds
from cineseq.generative.figures import (
    draw_confusion,
    draw_coverage,
    draw_map,
    draw_ranked,
    draw_shares,
    draw_time_curve,
)
from cineseq.generative.shares import Shares, SharesOptions, decompose_shares
from cineseq.generative.timecurve import time_curve

QUICK = SharesOptions(
    Crossmodal(genes=20, components=6, penalties=3, thinnings=1), folds=Folds(inner=2), permutations=49, learning=None
)


@pytest.fixture(scope="module")
def shares() -> Shares:
    data = simulate(Planted(shared=0.9, genes=20, features=4, cells_per_field=16), 0)
    return decompose_shares(data, replace(QUICK, null_draws=2))


def is_drawn(path: Path) -> bool:
    return path.stat().st_size > 3000


def test_shares_and_ranks_are_drawn_the_same_each_time(shares, tmp_path):
    for name in ("a.svg", "b.svg"):
        draw_shares(shares.summary, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    draw_ranked(shares.targets, "morphology_to_expression", tmp_path / "ranked.svg")
    assert is_drawn(tmp_path / "ranked.svg")


def test_the_time_curve_is_drawn(tmp_path):
    data = simulate(Planted(shared=0.9, genes=20, features=4, cells_per_field=16), 0)
    frames = [
        data.morphology.reset_index(drop=True).assign(track_id=data.obs.index, hours_before=float(hour))
        for hour in range(4)
    ]
    found = time_curve(data, pd.concat(frames), replace(QUICK, null_draws=2), windows=2)
    draw_time_curve(found.curve, found.visible, tmp_path / "time.svg")
    assert is_drawn(tmp_path / "time.svg")


def test_judgements_are_drawn(tmp_path):
    rows = [(s, t, p, 3 + (t == p)) for s in ("real", "generated") for t in "ab" for p in "ab"]
    draw_confusion(pd.DataFrame(rows, columns=["source", "true", "predicted", "cells"]), tmp_path / "confusion.svg")
    samplers = pd.DataFrame(
        {
            "direction": "morphology_to_expression",
            "sampler": ["gaussian", "residual_rows"],
            "coverage_80": [0.8, 0.7],
            "coverage_95": [0.94, 0.9],
            "chosen": [True, False],
        }
    )
    draw_coverage(samplers, tmp_path / "coverage.svg")
    for name in ("confusion.svg", "coverage.svg"):
        assert is_drawn(tmp_path / name)


def test_real_and_generated_cells_are_on_one_map(tmp_path):
    positions = np.random.default_rng(0).normal(size=(60, 2))
    source, classes = np.repeat(["real", "generated"], 30), np.tile(["a", "b"], 30)
    draw_map(positions, source, classes, tmp_path / "map.svg")
    assert is_drawn(tmp_path / "map.svg")
