"""Survivors of shared compartments against the mean cell of two living sisters."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats
from tests.unit.lineage.test_separated_pairs import study

from cineseq.config.lineage import Lineage
from cineseq.lineage.separated_pairs import together
from cineseq.lineage.shared_cages import (
    BEREAVED,
    SISTERS,
    STRANGERS,
    Libraries,
    cage_libraries,
    cage_line,
    genes_by_cage,
    per_cell,
    welch,
)
from cineseq.lineage.sister_status import sister_status

GENES = pd.Index([f"g{k}" for k in range(200)])


def libraries(bereaved=60, sisters=80, strangers=40, *, raised=0.0, spread=1.0, seed=0):
    """Libraries of one and of two cells, log expression of which has the same distribution in every cell."""
    rng = np.random.default_rng(seed)
    arm = np.repeat([BEREAVED, SISTERS, STRANGERS], [bereaved, sisters, strangers])
    cells = np.where(arm == BEREAVED, 1, 2)
    log = rng.normal(0, spread, (len(arm), 2, len(GENES)))
    log[arm == BEREAVED, :, 0] += raised
    counts = rng.poisson(2 * np.exp(log - spread**2 / 2)) * (np.arange(2) < cells[:, None])[:, :, None]
    stratum = rng.integers(0, 3, len(arm))
    return Libraries(sparse.csr_matrix(counts.sum(axis=1).astype(float)), arm, stratum, np.arange(len(arm)))


def test_one_stratum_is_the_test_of_welch():
    rng = np.random.default_rng(0)
    values, exposed = np.r_[rng.normal(0, 3, (12, 2)), rng.normal(1, 1, (40, 2))], np.arange(52) < 12
    found = welch(values, exposed, np.zeros(52, int))
    expected = stats.ttest_ind(values[:12], values[12:], equal_var=False)
    np.testing.assert_allclose(found.p_value, expected.pvalue)
    np.testing.assert_allclose(found.difference, values[:12].mean(axis=0) - values[12:].mean(axis=0))
    assert (found.first, found.second) == (12, 40)


def test_strata_remove_what_their_cells_have_in_common():
    rng = np.random.default_rng(0)
    stratum = np.repeat([0, 1], 100)
    exposed = rng.random(200) < np.where(stratum, 0.7, 0.2)
    values = rng.normal(size=(200, 300)) + 3 * stratum[:, None]
    assert 0.02 < (welch(values, exposed, stratum).p_value <= 0.05).mean() < 0.09
    assert (welch(values, exposed, np.zeros(200, int)).p_value <= 0.05).mean() > 0.9


def test_half_of_the_counts_of_two_cells_stand_for_one():
    counts = sparse.csr_matrix(np.array([[100.0, 300.0], [4000.0, 12000.0]]))
    values = per_cell(counts, np.array([False, True]), np.random.default_rng(0))
    assert counts.toarray().tolist() == [[100.0, 300.0], [4000.0, 12000.0]]
    assert values.sum(axis=1) == pytest.approx([values.sum(axis=1)[0]] * 2)
    assert values[1] / values[1].sum() == pytest.approx([0.25, 0.75], abs=0.01)
    assert values[1].sum() == pytest.approx((400 + 8000) / 2, rel=0.03)


def test_a_library_of_two_cells_is_not_taken_for_a_difference():
    table = genes_by_cage(libraries(), GENES, 1)
    assert 0.02 < (table["p_value"] <= 0.05).mean() < 0.09
    assert 0.02 < (table["control_p"] <= 0.05).mean() < 0.09
    # Logarithms of the sums would differ in most genes, because a mean of two cells is less spread.
    both = libraries(bereaved=200, sisters=300, spread=1.5)
    log = np.log1p(per_cell(both.counts, both.arm != BEREAVED, np.random.default_rng(1)))
    kept = both.arm != STRANGERS
    assert (welch(log[kept], (both.arm == BEREAVED)[kept], both.stratum[kept]).p_value <= 0.05).mean() > 0.15


def test_a_gene_of_survivors_is_found_and_the_control_is_not():
    table = genes_by_cage(libraries(raised=1.5), GENES, 1)
    assert table["gene"][table["q_value"] <= 0.05].tolist() == ["g0"]
    assert table.loc[0, "difference"] > 3
    assert table.loc[0, "control_p"] > 0.05
    assert "1 of 200 genes differ between survivors alone in the compartment of a dead sister" in cage_line(table)
    assert "0 of them also in the control" in cage_line(table)


def test_too_few_libraries_are_not_estimable():
    table = genes_by_cage(libraries(bereaved=4), GENES, 1)
    assert table["p_value"].isna().all()
    assert table["note"].str.startswith("not estimable: ").all()
    assert "not estimable" in cage_line(table)


def test_libraries_are_those_of_shared_compartments_with_one_barcode():
    families, placed, read = study(apart=(3, 3), shared=(4, 5))
    status = sister_status(families, Lineage()).assign(sequenced=families.cells["track_id"].isin(read))
    shared = together(families, status, placed)
    alive = placed[(families.cells["alive_at_end"] == 1).to_numpy() & placed["compartment_id"].notna()]
    size = alive.groupby("compartment_id")["track_id"].transform("size")
    pairs = alive.assign(barcode="b" + alive["compartment_id"].astype(str), barcodes=1, occupancy=size)
    found = cage_libraries(families, status, shared, pairs, bins=1)
    assert found["arm"].value_counts().to_dict() == {SISTERS: 5, BEREAVED: 4}
    assert found["barcode"].tolist() == [f"bst{k}" for k in range(9)]
    two = pairs.assign(barcodes=np.where(pairs["compartment_id"] == "st8", 2, 1))
    assert len(cage_libraries(families, status, shared, two, bins=1)) == 8
