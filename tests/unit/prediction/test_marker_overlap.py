"""Predictive genes and cluster markers: overlap against any genes, and against equally expressed ones."""

import numpy as np
import pandas as pd
import pytest

from cineseq.prediction.genes import DRAWS, matched_overlap, overlap_row


def gene_table(frequency: list[float], is_marker: list[bool], mean: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"frequency": frequency, "is_marker": pd.array(is_marker, "boolean"), "mean": mean})


def test_overlap_has_the_hypergeometric_tails():
    rows = gene_table([1.0, 1.0, 0, 0, 0, 0], [True, True, True, False, False, False], [1.0] * 6)
    row = overlap_row("f", rows, 0.6, seed=1)
    assert (row["selected"], row["markers"], row["shared"]) == (2, 3, 2)
    assert row["jaccard"] == pytest.approx(2 / 3)
    assert row["expected"] == pytest.approx(1.0)
    assert row["p_value"] == pytest.approx(3 / 15)
    assert row["p_fewer"] == pytest.approx(1.0)


def test_overlap_without_selected_genes_is_not_estimable():
    rows = gene_table([0.1], [True], [1.0])
    assert overlap_row("f", rows, 0.6, seed=1)["note"] == "not estimable: no gene was selected"


def test_overlap_that_expression_explains_is_no_news():
    """Markers and predictors are drawn at random from the best expressed fifth: only the plain null is surprised."""
    rng = np.random.default_rng(0)
    high = np.arange(1000) >= 800
    marker, chosen = (high & (rng.random(1000) < 0.5) for _ in range(2))
    rows = gene_table(list(chosen.astype(float)), list(marker), list(np.arange(1000.0)))
    row = overlap_row("f", rows, 0.6, seed=1)
    assert row["p_value"] < 1e-6
    assert row["p_matched"] > 0.05
    assert row["p_fewer_matched"] > 0.05
    assert row["expected_matched"] == pytest.approx(row["shared"], abs=8)


def test_overlap_beyond_expression_is_found():
    rng = np.random.default_rng(0)
    marker = rng.random(500) < 0.2
    chosen = marker & (rng.random(500) < 0.5)
    rows = gene_table(list(chosen.astype(float)), list(marker), list(rng.random(500)))
    assert overlap_row("f", rows, 0.6, seed=1)["p_matched"] == pytest.approx(1 / (DRAWS + 1))


def test_matched_draws_have_the_expected_mean():
    mean = np.repeat([0.0, 1.0], 50)
    marker, chosen = np.zeros(100, bool), np.zeros(100, bool)
    marker[50:75], chosen[40:70] = True, True
    drawn = matched_overlap(mean, marker, chosen, np.random.default_rng(0))
    assert drawn.mean() == pytest.approx(20.0, abs=0.01)  # whole tenths: every draw shares 20
