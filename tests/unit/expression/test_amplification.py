"""Counts of reads are told from counts of molecules, and noise ceilings then come with a warning."""

import numpy as np
import pytest
from scipy import sparse

from cineseq.expression.amplification import count_where_rare, reads_warning


def molecules(cells: int = 200, genes: int = 400, seed: int = 0) -> sparse.csr_matrix:
    """Draw overdispersed counts of molecules, of genes from rare to abundant."""
    rng = np.random.default_rng(seed)
    means = np.exp(rng.normal(-1.5, 1.5, genes)) * rng.gamma(2, 0.5, (cells, 1))
    return sparse.csr_matrix(rng.poisson(means * rng.gamma(1, 1, (cells, genes))))


def reads(counts: sparse.csr_matrix, each: float, seed: int = 1) -> sparse.csr_matrix:
    """Draw reads of every molecule, as many on average as ``each`` of a geometric amplification."""
    amplified = counts.copy()
    rng = np.random.default_rng(seed)
    amplified.data = rng.negative_binomial(amplified.data, 1 / (1 + each)) + 1
    return amplified


@pytest.mark.parametrize("seed", range(3))
def test_molecules_are_not_taken_for_reads(seed):
    counts = molecules(seed=seed)
    assert count_where_rare(counts) < 2.5
    assert reads_warning(counts) == ""


@pytest.mark.parametrize("each", [10, 100])
def test_reads_are_warned_of(each):
    assert reads_warning(reads(molecules(), each)).startswith(
        "The counts look like reads, not molecules: genes detected"
    )


def test_a_rare_kind_of_cell_does_not_make_molecules_reads():
    counts = molecules().tolil()
    counts[:20, :20] = 500  # a tenth of the cells express a few genes strongly
    assert reads_warning(counts.tocsr()) == ""


def test_a_matrix_without_rare_genes_is_not_judged():
    assert np.isnan(count_where_rare(sparse.csr_matrix(np.full((50, 100), 40))))
    assert reads_warning(sparse.csr_matrix((0, 10))) == ""
