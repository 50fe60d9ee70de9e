"""P-values of single genes where the cells of a founder are alike, and where genes go with size alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from cineseq.prediction.beyond_covariates import adjustment_of, conditional_correlations
from cineseq.prediction.crossval.feature_blocks import Block
from cineseq.prediction.crossval.folds import CrossvalCells, FoldPlan, grouped_folds
from cineseq.prediction.genes import Stability, gene_rows
from truth.claims import Claim
from truth.covariates import Design as CovariateDesign
from truth.covariates import simulate as simulate_covariates


@dataclass(frozen=True)
class Design:
    """Function and genes that have nothing to do with each other, or one effect.

    Attributes
    ----------
    founders, family, fields
        Number of founders, cells of each (or of the largest, if ``unequal``), and fields that they lie in.
    alike
        Fraction of the variance of function and of genes that the cells of a founder share.
    niche
        Fraction that two neighbouring founders share as well.
    effect
        Correlation of function with each gene within founders' noise.
    """

    founders: int = 20
    family: int = 4
    fields: int = 1
    alike: float = 0.5
    niche: float = 0.0
    unequal: bool = False
    effect: float = 0.0
    genes: int = 20


def simulate(design: Design, seed: int) -> tuple[Block, CrossvalCells]:
    """Draw genes, function and cells."""
    rng = np.random.default_rng(seed)
    sizes = np.full(design.founders, design.family)
    if design.unequal:
        sizes = rng.integers(1, design.family + 1, design.founders)
    founder = np.repeat(np.arange(design.founders), sizes)
    shared = rng.normal(size=(design.founders, design.genes + 1))[founder]
    near = rng.normal(size=(design.founders, design.genes + 1))[founder // 2]
    alone = rng.normal(size=(len(founder), design.genes + 1))
    rest = 1 - design.alike - design.niche
    values = np.sqrt(design.alike) * shared + np.sqrt(design.niche) * near + np.sqrt(rest) * alone
    function = values[:, 0] + design.effect * values[:, 1:].sum(axis=1)
    field = founder * design.fields // design.founders
    block = Block(values[:, 1:] + 5, tuple(f"g{i}" for i in range(design.genes)), "genes")
    plan = FoldPlan(founder, grouped_folds(founder, 5), ("family",), ())
    return block, CrossvalCells(function[:, None], plan, field, founder, np.full(len(founder), ""))


def share_of_small(seed: int, design: Design) -> float:
    """Return the share of genes with p <= .05 in one study."""
    block, cells = simulate(design, seed)
    return float((_p_values(block, cells, np.empty((len(cells.values), 0))) <= 0.05).mean())


def _p_values(block: Block, cells: CrossvalCells, covariates: np.ndarray) -> np.ndarray:
    """Return the p-values of the table of genes."""
    genes = len(block.names)
    nothing = Stability(np.zeros(genes), np.full(genes, np.nan), 0)
    rows = gene_rows(
        "f", block, cells.values[:, 0], nothing, covariates=covariates, cells=cells, module_correlation=0.5
    )
    return rows["p_value"].to_numpy()


def share_given_size(seed: int, design: CovariateDesign) -> float:
    """Return the share of genes with p <= .05 given the covariates, of those that go with size alone."""
    study = simulate_covariates(design, seed)
    block, adjustment = study.blocks["expression"], adjustment_of(study.blocks, study.cells, 3)
    if block is None or adjustment is None:
        msg = "the simulation has expression and covariates"
        raise TypeError(msg)
    p = conditional_correlations(block, study.cells.values[:, 0], adjustment)["p_value"].to_numpy()
    return float((p[: design.with_size] <= 0.05).mean())


SMALL = "share of genes with p <= .05"
NULL = {
    "20_founders_of_four": Design(),
    "20_founders_in_four_fields": Design(fields=4),
    "100_founders_of_four": Design(founders=100, fields=10),
    "40_founders_of_one_to_eight": Design(founders=40, family=8, unequal=True, fields=4),
    "80_cells_each_its_own": Design(founders=80, family=1, alike=0.0, fields=4),
}
GIVEN = {
    "linear": CovariateDesign(),
    "quadratic": CovariateDesign(quadratic=0.7),
    "families_of_four_and_field_shifts": CovariateDesign(quadratic=0.7, alike=0.5, shift=1.0),
}
CLAIMS: tuple[Claim, ...] = (
    *(
        Claim(f"genes.single.{n}", f"{d}", SMALL, partial(share_of_small, design=d), 2000, at_most=0.065)
        for n, d in NULL.items()
    ),
    Claim(
        "genes.single.neighbours_alike",
        f"{Design(niche=0.4)}",
        SMALL,
        partial(share_of_small, design=Design(niche=0.4)),
        500,
        harder=True,
    ),
    Claim(
        "genes.single.power_at_independence",
        f"{Design(founders=80, family=1, alike=0.0, fields=4, effect=0.4, genes=1)}",
        SMALL,
        partial(share_of_small, design=Design(founders=80, family=1, alike=0.0, fields=4, effect=0.4, genes=1)),
        1000,
        at_least=0.8,
    ),
    *(
        Claim(f"genes.given_size.{n}", f"{d}", SMALL, partial(share_given_size, design=d), 500, at_most=0.065)
        for n, d in GIVEN.items()
    ),
    Claim(
        "genes.given_size.size_of_reliability_08",
        f"{CovariateDesign(reliability=0.8)}",
        SMALL,
        partial(share_given_size, design=CovariateDesign(reliability=0.8)),
        200,
        harder=True,
    ),
)
