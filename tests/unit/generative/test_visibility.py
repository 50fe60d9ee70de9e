"""The test of visibility holds its level under the null, finds what is planted, and says when it is seen first."""

import numpy as np
from generative.parts import SharedCells, draw, explained

from cineseq.generative.visibility import Pairings, score_test, shuffled_errors
from cineseq.statistics.metrics import centred
from cineseq.statistics.permutation import benjamini_hochberg


def p_values(planted: SharedCells, seed: int, *, early: bool = False):
    drawn = draw(planted, seed)
    cells = drawn.within()
    shapes, genes = (centred(part, np.asarray(cells.centre)) for part in (drawn.shapes, drawn.genes))
    noise = centred(np.random.default_rng([seed, 1]).normal(size=shapes.shape), np.asarray(cells.centre))
    designs = [shapes, noise] if early else [noise, noise + 0.1 * shapes[:, ::-1]]
    rng = np.random.default_rng(seed)
    weights = np.ones((planted.genes, 1))
    return score_test(designs, Pairings.of(genes, cells), weights, permutations=99, rng=rng)


def test_p_values_are_uniform_without_an_association():
    found = [p_values(SharedCells(cells=100, fields=10, genes=10), seed) for seed in range(30)]
    p = np.concatenate([one.any_design for one in found])
    assert 0.02 <= (p <= 0.05).mean() <= 0.09
    assert np.mean([one.totals <= 0.05 for one in found]) <= 0.15
    by_design = np.array([one.by_design for one in found])
    assert (by_design.min(axis=1) <= 0.05).mean() <= 0.09


def test_planted_genes_are_seen_in_the_design_that_has_them():
    found = p_values(SharedCells(unique=0.2, genes=4), seed=2, early=True)
    chosen, hours = found.earliest([8.0, 0.0])
    assert chosen.all()
    assert (hours == 8.0).all()
    assert (found.by_design[1] > 0.05).sum() >= 3
    assert found.totals[0, 0] == 0.01


def test_a_gene_that_does_not_vary_has_no_p_value():
    drawn = draw(SharedCells(cells=60, fields=6), seed=1)
    cells = drawn.within()
    genes = centred(drawn.genes, np.asarray(cells.centre))
    genes[:, 1] = 0
    test = score_test(
        [genes[:, :1]], Pairings.of(genes, cells), np.ones((4, 1)), permutations=19, rng=np.random.default_rng(1)
    )
    assert np.isnan(test.any_design).tolist() == [False, True, False, False]
    assert np.isnan(benjamini_hochberg(test.any_design)).tolist() == [False, True, False, False]


def test_models_of_shuffled_pairings_explain_nothing():
    fitted, values = explained(SharedCells(unique=0.3), seed=4)
    drawn = draw(SharedCells(unique=0.3), seed=4)
    errors, baseline = shuffled_errors(
        fitted.folds, Pairings.of(values, drawn.within()), drawn.within().plan, draws=5, rng=np.random.default_rng(0)
    )
    assert errors.shape == baseline.shape == (5, 4)
    assert (1 - errors / baseline).mean() < 0.01
