"""Generated counts have the mean and the variance of measured ones, once and not twice."""

from __future__ import annotations

import numpy as np
import pytest

from cineseq.generative.counts import fit_counts
from cineseq.generative.means import Learning, fit_mean

CELLS = 3000


def test_mean_and_variance_of_each_gene_are_those_of_the_cells() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(CELLS, 2))
    libraries = np.exp(8 + 0.3 * x[:, 1] + 0.2 * rng.normal(size=CELLS))
    rate = np.exp(np.array([0.0, 1.0, 2.0]) + 0.4 * x[:, :1]) * (libraries / np.median(libraries))[:, None]
    counts = rng.poisson(rate * rng.gamma(2, 1 / 2, size=rate.shape)).astype(float)
    log = np.log1p(counts * (np.median(libraries) / libraries)[:, None])
    learning = Learning(("kernel_ridge",))
    units = np.arange(CELLS) % 10
    means = fit_mean(x, log, units, 1, learning)
    library = fit_mean(x, np.log(libraries)[:, None], units, 1, learning)
    model = fit_counts(counts, means.held_out, library, libraries, float(np.median(libraries)))
    drawn = model.draw(means.predict(x), x, rng)
    assert drawn.mean(axis=0) == pytest.approx(counts.mean(axis=0), rel=0.05)
    assert drawn.var(axis=0) == pytest.approx(counts.var(axis=0), rel=0.2)


def test_poisson_counts_get_no_dispersion() -> None:
    rng = np.random.default_rng(1)
    counts = rng.poisson(5, size=(CELLS, 4)).astype(float)
    x, libraries = rng.normal(size=(CELLS, 2)), np.full(CELLS, 1000.0)
    library = fit_mean(x, np.log(libraries)[:, None], np.arange(CELLS) % 10, 1, Learning(("ridge",)))
    model = fit_counts(counts, np.full(counts.shape, np.log(6.0)), library, libraries, 1000.0)
    assert model.dispersion.max() < 0.02
    assert model.factor * 5.0**model.power == pytest.approx(5, rel=0.05)


def test_held_out_variance_is_right_where_genes_go_with_total_counts_beyond_the_predictors() -> None:
    rng, many = np.random.default_rng(2), 8000
    x = rng.normal(size=(2 * many, 2))
    depth = 0.15 * x[:, 1] + 0.4 * rng.normal(size=2 * many)
    rate = np.exp(3 + 0.2 * x[:, :1] + depth[:, None] * np.array([-0.5, 0.2, 1.0]))
    counts = rng.poisson(rate * rng.gamma(20, 1 / 20, size=rate.shape)).astype(float)
    libraries = np.exp(8 + depth)
    log = np.log1p(counts * (np.exp(8) / libraries)[:, None])
    own, held = np.arange(many), np.arange(many, 2 * many)
    means = fit_mean(x[own], log[own], own % 10, 1, Learning(("ridge",)))
    library = fit_mean(x[own], np.log(libraries[own])[:, None], own % 10, 1, Learning(("ridge",)))
    model = fit_counts(counts[own], means.held_out, library, libraries[own], float(np.exp(8)))
    first, second = model.moments(means.predict(x[held]), x[held]) / many
    assert first == pytest.approx(counts[held].mean(axis=0), rel=0.03)
    assert second - first**2 == pytest.approx(counts[held].var(axis=0), rel=0.1)
    drawn = np.vstack([model.draw(means.predict(x[held]), x[held], rng) for _ in range(10)])
    assert drawn.var(axis=0) == pytest.approx(second - first**2, rel=0.05)
