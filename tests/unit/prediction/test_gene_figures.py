"""Figures of selected genes: which genes are drawn, circles in proportion, and words where there is nothing."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cineseq.plotting import apart
from cineseq.prediction.gene_figures import (
    centre_distance,
    draw_overlap,
    draw_selected_by_cluster,
    draw_selection,
    lens_area,
    selected_genes,
)


def gene_table(**frequency: list[float]) -> pd.DataFrame:
    rows = [(function, f"g{k}", value) for function, values in frequency.items() for k, value in enumerate(values)]
    table = pd.DataFrame(rows, columns=["function", "gene", "frequency"])
    return table.assign(sign=1.0, is_marker=pd.NA, cluster_eta2=0.1)


def test_selected_genes_stand_by_the_function_that_selects_them_most():
    table = gene_table(lipid=[0.9, 0.2, 0.7, 0.6], uptake=[0.1, 0.8, 0.95, 0.0])
    assert selected_genes(table, 0.6) == ["g0", "g3", "g2", "g1"]
    assert selected_genes(table, 0.96) == []
    assert len(selected_genes(gene_table(lipid=[1.0] * 50), 0.6)) == 40


def test_circles_apart_within_and_in_between():
    assert centre_distance(np.pi, 4 * np.pi, 0) == pytest.approx(3)
    assert centre_distance(np.pi, 4 * np.pi, np.pi) == pytest.approx(1)
    # The lens of two unit circles whose centres are one radius apart: 2 pi / 3 - sqrt(3) / 2.
    assert lens_area(1, 1, 1) == pytest.approx(2 * np.pi / 3 - np.sqrt(3) / 2)
    assert centre_distance(np.pi, np.pi, 2 * np.pi / 3 - np.sqrt(3) / 2) == pytest.approx(1)


@given(st.integers(1, 500), st.integers(1, 5000), st.floats(0, 1))
def test_the_lens_has_the_shared_area(first, second, part):
    shared = part * min(first, second)
    distance = centre_distance(first, second, shared)
    assert lens_area(np.sqrt(first / np.pi), np.sqrt(second / np.pi), distance) == pytest.approx(shared, abs=1e-4)


def test_nothing_selected_is_said_in_words(tmp_path):
    draw_selected_by_cluster(gene_table(lipid=[0.1]), None, None, 0.6, tmp_path / "none.svg")
    draw_selected_by_cluster(gene_table(lipid=[0.9]), None, None, 0.6, tmp_path / "no_clusters.svg")
    row = {
        "function": "lipid",
        "selected": 0,
        "expected_matched": np.nan,
        "note": "not estimable: no gene was selected",
    }
    draw_overlap(pd.DataFrame([row]), tmp_path / "overlap.svg")
    assert all(
        (tmp_path / f"{name}.svg").read_text().startswith("<?xml") for name in ("none", "no_clusters", "overlap")
    )


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_labels_stand_apart_and_near_their_points(heights: list[float]) -> None:
    falling = np.sort(heights)[::-1]
    moved = apart(falling, 0.04)
    assert (np.diff(moved) <= -0.04 + 1e-9).all()
    assert (moved <= falling + 1e-9).all()
    assert moved[0] == falling[0]
    alone = np.array([0.9, 0.5, 0.1])
    assert apart(alone, 0.04).tolist() == pytest.approx(alone.tolist())


def test_the_most_selected_genes_are_labelled(tmp_path):
    table = gene_table(lipid=[0.9, 0.9, 0.2] + [0.5] * 12)
    table = table.assign(univariate_rho=np.linspace(0, 0.4, 15), is_marker=False)
    draw_selection(table, 0.6, tmp_path / "selection.svg")
    drawn = (tmp_path / "selection.svg").read_text()
    labelled = [f"g{k}" for k in range(15) if f"<!-- g{k} -->" in drawn]
    assert labelled == ["g0", "g1", *(f"g{k}" for k in range(7, 15))]
