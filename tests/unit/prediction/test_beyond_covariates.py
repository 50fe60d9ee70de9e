"""What is beyond covariates is found, and what size makes is not."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cineseq.prediction.beyond_covariates import Added, Adjustment, conditional_correlations, increments
from cineseq.prediction.crossval.feature_blocks import Block
from cineseq.prediction.crossval.folds import CrossvalCells, FoldPlan, grouped_folds
from cineseq.prediction.reliability import NO_FRAMES, read_adjacent_frames, reliability_rows
from cineseq.statistics.sequential import SequentialDesign

NONE, FIXED = (SequentialDesign(number, 0) for number in (0, 19))


def study(seed: int, *, beyond: float = 0.0, shift: float = 0.0) -> tuple[Adjustment, Block]:
    """Return twelve fields of 20 cells: a square of size makes function and the first ten of thirty genes."""
    rng = np.random.default_rng(seed)
    field = np.repeat(np.arange(12), 20)
    moved = shift * rng.normal(size=(12, 32))[field]
    size, state = rng.normal(size=(2, 240))
    size = size + moved[:, 0]
    curved = size + 0.7 * np.square(size)
    genes = rng.normal(size=(240, 30)) + moved[:, 1:31]
    genes[:, :10] += 0.7 * curved[:, None]
    genes[:, 10:20] += 0.7 * state[:, None]
    function = curved + np.sqrt(beyond) * state + rng.normal(size=240) + moved[:, 31]
    plan = FoldPlan(field, grouped_folds(field, 4), ("fov",), ())
    cells = CrossvalCells(function[:, None], plan, field, np.arange(240) // 2, np.full(240, ""))
    covariates = Block(np.column_stack([size, rng.normal(size=(240, 2))]), ("size", "t1", "t2"))
    return Adjustment(covariates, cells, 3), Block(genes, tuple(f"g{k}" for k in range(30)))


def test_size_alone_adds_nothing_and_a_state_does():
    """Permuting the genes instead would reject in most of such studies."""
    p, gains = [], []
    for seed in range(40):
        adjustment, genes = study(seed)
        found = increments(adjustment, {"expression": Added((genes,))}, permutations=FIXED, seed=seed)
        p.append(found["expression"].p_value)
        gains.append(found["expression"].r2_joint - found["expression"].r2_covariates)
    assert np.mean(np.array(p) <= 0.05) <= 0.15
    assert abs(np.mean(gains)) < 0.02
    adjustment, genes = study(50, beyond=1.0)
    found = increments(adjustment, {"expression": Added((genes,))}, permutations=FIXED, seed=1)["expression"]
    assert found.p_value == 0.05
    assert found.r2_joint - found.r2_covariates > 0.03
    assert found.gain.sum() / found.total.sum() == pytest.approx(found.r2_joint - found.r2_covariates)


def test_shifts_of_fields_change_nothing():
    """Function, genes and covariates are centred by field; size itself must stay as it is, for its curve is of it."""
    adjustment, genes = study(3, beyond=1.0)
    plain = increments(adjustment, {"expression": Added((genes,))}, permutations=NONE, seed=1)["expression"]
    rng = np.random.default_rng(0)
    moved = Block(genes.values + 5 * rng.normal(size=(12, 30))[adjustment.fields], genes.names)
    values = adjustment.cells.values + 9 * rng.normal(size=(12, 1))[adjustment.fields]
    cells = CrossvalCells(
        values, adjustment.cells.plan, adjustment.fields, adjustment.cells.families, adjustment.cells.classes
    )
    shifted = Adjustment(adjustment.covariates, cells, 3)
    found = increments(shifted, {"expression": Added((moved,))}, permutations=NONE, seed=1)["expression"]
    assert found.r2_covariates == pytest.approx(plain.r2_covariates)
    assert found.r2_joint == pytest.approx(plain.r2_joint, abs=1e-4)


def test_among_many_functions_permutations_go_on_until_what_a_state_adds_is_significant_whatever_the_others_are():
    adjustment, genes = study(50, beyond=1.0)
    silent = Block(np.random.default_rng(1).normal(size=(240, 5)), tuple("abcde"))
    added = {"silent": Added((silent,)), "expression": Added((genes,))}
    both = increments(adjustment, added, permutations=SequentialDesign(19, 199, 5), seed=1)
    assert (both["expression"].p_value, both["expression"].permutations) == (1 / 200, 199)
    assert both["silent"].p_value > 0.05
    alone = increments(adjustment, {"silent": added["silent"]}, permutations=SequentialDesign(19, 199, 5), seed=1)
    assert alone["silent"].p_value == both["silent"].p_value
    assert len(both["expression"].partial_null) == 19


def test_a_covariate_that_is_added_again_adds_nothing():
    adjustment, _ = study(4, beyond=1.0)
    again = {"morphology": Added((adjustment.covariates,)), "constant": Added((Block(np.ones((240, 1)), ("c",)),))}
    found = increments(adjustment, again, permutations=FIXED, seed=1)
    assert set(found) == {"morphology"}
    assert abs(found["morphology"].r2_joint - found["morphology"].r2_covariates) < 0.01


def test_genes_of_size_alone_are_not_found_given_size():
    """Given size as a straight line, every one of the first ten has p below .001."""
    small = []
    for seed in range(20):
        adjustment, genes = study(seed, beyond=1.0, shift=1.0)
        p = conditional_correlations(genes, adjustment.cells.values[:, 0], adjustment)["p_value"].to_numpy()
        small.append([np.mean(p[part] <= 0.05) for part in (slice(0, 10), slice(10, 20), slice(20, 30))])
    of_size, of_state, of_nothing = np.mean(small, axis=0)
    assert of_size <= 0.12
    assert of_nothing <= 0.12
    assert of_state > 0.9


def test_cells_without_size_are_left_out_of_what_is_given_size():
    adjustment, genes = study(5)
    values = adjustment.covariates.values.copy()
    values[::3, 0] = np.nan
    values[:200, 2] = np.nan
    lacking = replace(adjustment, covariates=replace(adjustment.covariates, values=values))
    response = adjustment.cells.values[:, 0]
    kept = np.flatnonzero(np.arange(240) % 3 > 0)
    cells = replace(adjustment.cells, families=adjustment.cells.families[kept], fields=adjustment.fields[kept])
    own = Adjustment(lacking.covariates.rows(kept), cells, 3)
    found = conditional_correlations(genes, response, lacking)
    pd.testing.assert_frame_equal(found, conditional_correlations(genes.rows(kept), response[kept], own))


def objects(error: float, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the cells of two fields, and their objects in frames 3 to 5, which are measured with an error."""
    rng = np.random.default_rng(seed)
    cells = pd.DataFrame(
        {"sample": "s", "fov": np.repeat(["1", "2"], 400), "feature_frame": 5}, index=[f"c{k}" for k in range(800)]
    )
    frames = pd.DataFrame({"track_id": np.repeat(cells.index, 3), "frame": np.tile([3, 4, 5], 800)})
    area = np.repeat(rng.normal(size=800) + 20 * (cells["fov"] == "2"), 3).to_numpy()
    return cells, frames.assign(morphology_area=area + error * rng.normal(size=2400))


def test_reliability_is_that_of_the_planted_error_within_fields(tmp_path):
    cells, frames = objects(error=0.5)
    frames.to_parquet(tmp_path / "objects.parquet")
    read = read_adjacent_frames([tmp_path / "objects.parquet"], cells, ["morphology_area", "morphology_volume"])
    assert sorted(read["frame"].unique()) == [4, 5]
    blocks = {"size": Block(np.ones((800, 1)), ("morphology_area",)), "cycle": Block(np.ones((800, 1)), ("s_score",))}
    rows = reliability_rows(blocks, cells, read).set_index("covariate")
    assert rows.loc["morphology_area", "reliability"] == pytest.approx(1 / 1.25, abs=0.03)
    assert rows.loc["morphology_area", "cells"] == 800
    assert rows.loc["s_score", "note"] == NO_FRAMES
    averaged = reliability_rows(blocks, cells, read, window_frames=2).set_index("covariate")
    assert averaged.loc["morphology_area", "reliability"] == pytest.approx(1 / 1.125, abs=0.03)
    few = reliability_rows(blocks, cells, read[read["track_id"].isin(cells.index[:5])]).set_index("covariate")
    assert few.loc["morphology_area", "note"].startswith("not estimable: 5 of at least 20 cells")
