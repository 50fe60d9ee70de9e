"""Whether generated counts have the variance of held-out cells, gene by gene."""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np
from truth.claims import Claim

from cineseq.generative.counts import fit_counts
from cineseq.generative.means import Learning, fit_mean

GENES = 100


@lru_cache(maxsize=4)
def ratios(cells: int, seed: int) -> np.ndarray:
    """Return the variance of generated over measured counts of held-out cells, shape (genes,).

    Genes follow two predictors and, more or less than in proportion, total counts that the predictors tell in part.
    """
    rng, typical = np.random.default_rng([seed, 3]), np.exp(8.0)
    x = rng.normal(size=(2 * cells, 2))
    depth = 0.15 * x[:, 1] + 0.4 * rng.normal(size=2 * cells)
    level = rng.uniform(0, 4, GENES) + x @ rng.normal(0, 0.2, (2, GENES))
    rate = np.exp(level + depth[:, None] * rng.uniform(-0.5, 1.0, GENES))
    counts = rng.poisson(rate * rng.gamma(7, 1 / 7, rate.shape)).astype(float)
    libraries, own = typical * np.exp(depth), np.arange(2 * cells) < cells
    log = np.log1p(counts * (typical / libraries)[:, None])
    units, ridge = np.arange(cells) % 10, Learning(("ridge",))
    mean = fit_mean(x[own], log[own], units, seed, ridge)
    library = fit_mean(x[own], np.log(libraries[own])[:, None], units, seed, ridge)
    model = fit_counts(counts[own], mean.held_out, library, libraries[own], float(typical))
    first, second = model.moments(mean.predict(x[~own]), x[~own]) / cells
    return (second - first**2) / counts[~own].var(axis=0)


def _median(seed: int, *, cells: int) -> float:
    return float(np.median(ratios(cells, seed)))


def _near(seed: int, *, cells: int) -> float:
    return float((np.abs(ratios(cells, seed) - 1) < 0.1).mean())


DESIGN = "100 genes that follow total counts to a power of -0.5 to 1 beside two predictors, {} + {} cells"
CLAIMS = [
    claim
    for cells in (1000, 4000)
    for claim in (
        Claim(
            f"variances.median_{cells}_cells",
            DESIGN.format(cells, cells),
            "median over genes of the variance of generated over measured counts of held-out cells",
            partial(_median, cells=cells),
            20,
            0.9,
            1.1,
            new=True,
        ),
        Claim(
            f"variances.near_{cells}_cells",
            DESIGN.format(cells, cells),
            "share of genes whose variance is within 10 % of that of held-out cells",
            partial(_near, cells=cells),
            20,
            new=True,
        ),
    )
]
