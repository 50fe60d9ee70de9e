"""Genes with correlated expression in sisters, and genes associated with the fate of the sister."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cineseq.lineage.sister_test import NO_SCORE, root_cell_scores, several_families
from cineseq.statistics import ALPHA
from cineseq.statistics.permutation import benjamini_hochberg, coarse
from cineseq.tables.lineage import GENES_BY_SISTER, HERITABLE_GENES
from cineseq.text import number

FEWEST_PAIRS = 10
FEWEST_FAMILIES = 5
VALUES_DRAWN = 2_000_000_000
"""Number of products over all permutations; bounds the number of permutations with very many genes."""
FEWEST_PERMUTATIONS = 199
CHUNK = 256
DETECTED = 0.1
"""Genes detected in a smaller fraction of the survivors are not tested."""


@dataclass(frozen=True)
class Design:
    """Design of a test of genes: names, strata and permutations.

    Attributes
    ----------
    genes
        Names, one per column of expression.
    stratum
        Stratum of field and birth time of each pair or family, from 0, shape (pairs,) or (families,).
    permutations, seed
        Number and seed of the permutations; the number is reduced with very many genes.
    """

    genes: pd.Index
    stratum: np.ndarray
    permutations: int
    seed: int


def heritable_genes(one: np.ndarray, other: np.ndarray, design: Design) -> pd.DataFrame:
    """Correlate the expression of each gene between sisters that were both sequenced.

    Values are centred within strata of field and birth time. The null distribution exchanges partners within strata,
    so that differences between strata do not count as heritability.

    Parameters
    ----------
    one, other
        Log-normalised expression of both sisters, shape (pairs, genes).
    design
        Genes, strata of the pairs, permutations.

    Returns
    -------
    pandas.DataFrame
        The table :data:`cineseq.tables.lineage.HERITABLE_GENES`.

    References
    ----------
    Fisher, Statistical Methods for Research Workers (1925), chapter 7 (intraclass correlation).
    """
    stratum = design.stratum
    table = pd.DataFrame({"gene": design.genes, "pairs": len(one)})
    # Keep pairs of strata with at least two pairs; partners cannot be exchanged in others.
    movable = np.bincount(stratum, minlength=1)[stratum] > 1 if len(one) else np.zeros(0, dtype=bool)
    one, other, stratum = one[movable], other[movable], stratum[movable]
    if len(one) < FEWEST_PAIRS:
        note = f"not estimable: {len(one)} pairs of sequenced sisters share a stratum with another pair, "
        return _not_estimable(table, HERITABLE_GENES.columns, f"{note}{FEWEST_PAIRS} are needed")
    # Intraclass correlation within strata: cross product over variance, shape (genes,).
    mean = _stratum_means((one + other) / 2, stratum)
    a, b = one - mean, other - mean
    variance = ((a**2 + b**2) / 2).sum(axis=0)
    varies = variance > 1e-12
    scale = np.where(varies, variance, 1.0)
    observed = (a * b).sum(axis=0) / scale
    # Null: permute the second sisters within strata; count draws at least as high, shape (genes,).
    rng = np.random.default_rng(design.seed)
    count = _affordable(design.permutations, a.size)
    as_high, total = np.zeros(a.shape[1]), np.zeros(a.shape[1])
    home = np.argsort(stratum, kind="stable")
    for _ in range(count):
        partner = np.empty(len(home), dtype=int)
        partner[home] = np.argsort(stratum + rng.random(len(stratum)))
        null = (a * b[partner]).sum(axis=0) / scale
        as_high += null >= observed - 1e-12
        total += null
    p = np.where(varies, (as_high + 1) / (count + 1), np.nan)
    table["icc"] = np.where(varies, observed, np.nan)
    table["icc_null"] = np.where(varies, total / count, np.nan)
    table["p_value"], table["q_value"] = p, benjamini_hochberg(p)
    return table.assign(note=np.where(varies, coarse(count, p, "genes"), "not estimable: the gene does not vary"))


def genes_by_sister(expression: np.ndarray, exposed: np.ndarray, root_cell: np.ndarray, design: Design) -> pd.DataFrame:
    """Compare the expression of each gene between survivors whose sister died and whose sister lived.

    The fate of the sister is permuted among families within strata of field and birth time. Where a root cell has
    several families, which are alike, the signs of the scores of root cells are flipped instead
    (:func:`cineseq.lineage.sister_test.root_cell_scores`), as for states.

    Parameters
    ----------
    expression
        Mean log-normalised expression of a family's survivors, shape (families, genes).
    exposed
        Whether the sister died, shape (families,).
    root_cell
        Root cell of each family, shape (families,).
    design
        Genes, strata of the families, permutations.

    Returns
    -------
    pandas.DataFrame
        The table :data:`cineseq.tables.lineage.GENES_BY_SISTER`.
    """
    stratum = design.stratum
    # Keep families of strata with both arms, and sort them by stratum.
    size, dead = np.bincount(stratum, minlength=1), np.bincount(stratum, exposed, minlength=1)
    informs = ((dead > 0) & (dead < size))[stratum] if len(stratum) else np.zeros(0, dtype=bool)
    expression, exposed, root_cell = expression[informs], exposed[informs], root_cell[informs]
    stratum = np.unique(stratum[informs], return_inverse=True)[1]
    table = pd.DataFrame({"gene": design.genes, "died": int(exposed.sum()), "survived": int((~exposed).sum())})
    if min(exposed.sum(), (~exposed).sum()) < FEWEST_FAMILIES:
        note = f"not estimable: {exposed.sum()} and {(~exposed).sum()} families in strata with both arms"
        return _not_estimable(table, GENES_BY_SISTER.columns, f"{note}, {FEWEST_FAMILIES} of each are needed")
    order = np.argsort(stratum, kind="stable")
    exposed, stratum, root_cell = exposed[order], stratum[order], root_cell[order]
    centred = expression[order] - _stratum_means(expression[order], stratum)
    size, dead = np.bincount(stratum), np.bincount(stratum, exposed)
    # Test: flip the signs of root cells, shape (root cells, genes), or permute the arms within strata.
    count, rng = _affordable(design.permutations, centred.size), np.random.default_rng(design.seed)
    repeated = several_families(root_cell)
    if repeated:
        observed, scores = root_cell_scores(exposed, centred, stratum, root_cell)
        tested = np.abs(scores).max(axis=0) > 1e-9
        as_extreme = _flipped(observed, scores, count, rng)
    else:
        tested = np.abs(centred).max(axis=0) > 1e-9
        as_extreme = _permuted(exposed, centred, stratum, count, rng)
    p = np.where(tested, (as_extreme + 1) / (count + 1), np.nan)
    # Difference of means within strata, weighted by the harmonic number of pairs of each stratum.
    table["difference"] = exposed @ centred / (dead * (size - dead) / size).sum()
    table["p_value"], table["q_value"] = p, benjamini_hochberg(p)
    by_root_cell = f"p by root cell: {repeated} have several pairs of sisters" if repeated else ""
    note = "; ".join(filter(None, (coarse(count, p, "genes"), by_root_cell)))
    varies = np.abs(centred).max(axis=0) > 1e-9
    untested = np.where(varies, f"not estimable: {NO_SCORE}", "not estimable: the gene does not vary within strata")
    return table.assign(note=np.where(tested, note, untested))


def _permuted(
    exposed: np.ndarray, centred: np.ndarray, stratum: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Return how many permutations of the arms within strata are as extreme, shape (genes,); strata are sorted."""
    as_extreme, observed = np.zeros(centred.shape[1]), np.abs(exposed @ centred)
    for start in range(0, count, CHUNK):
        keys = stratum + rng.random((min(CHUNK, count - start), len(stratum)))
        null = exposed[np.argsort(keys, axis=1)].astype(float) @ centred
        as_extreme += (np.abs(null) >= observed - 1e-9).sum(axis=0)
    return as_extreme


def _flipped(observed: np.ndarray, scores: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return how many draws of the signs of root cells are as extreme, shape (genes,)."""
    as_extreme = np.zeros(scores.shape[1])
    for start in range(0, count, CHUNK):
        signs = rng.choice((-1.0, 1.0), (min(CHUNK, count - start), len(scores)))
        as_extreme += (np.abs(signs @ scores) >= np.abs(observed) - 1e-9).sum(axis=0)
    return as_extreme


def _stratum_means(values: np.ndarray, stratum: np.ndarray) -> np.ndarray:
    return pd.DataFrame(values).groupby(stratum).transform("mean").to_numpy()


def _affordable(permutations: int, values: int) -> int:
    return int(min(permutations, max(FEWEST_PERMUTATIONS, VALUES_DRAWN // max(1, values))))


def _not_estimable(table: pd.DataFrame, columns: tuple, note: str) -> pd.DataFrame:
    absent = {c.name: np.nan for c in columns if c.name not in table and c.name != "note"}
    return table.assign(**absent, note=note)


def heritable_line(table: pd.DataFrame) -> str:
    """Report how many genes are more alike in sisters than expected by chance."""
    return _line(table, "icc", "are more alike in sisters than in cells of the same field and birth time")


def difference_line(table: pd.DataFrame, between: str) -> str:
    """Report how many genes differ ``between`` the survivors of both arms."""
    return _line(table, "difference", f"differ between {between}")


def _line(table: pd.DataFrame, estimate: str, statement: str) -> str:
    if not len(table) or table["p_value"].isna().all():
        reason = table["note"].iloc[0] if len(table) else "not estimable: no gene was measured in such cells"
        return f"Whether genes {statement}: {reason}."
    called = table[table["q_value"] <= ALPHA].sort_values("p_value", kind="stable")
    names = ", ".join(f"{row.gene} ({number(getattr(row, estimate))})" for row in called.head(5).itertuples())
    tested = int(table["p_value"].notna().sum())
    few = next((f" ({note})" for note in table["note"] if note.startswith(tuple("123456789"))), "")
    return f"{len(called)} of {tested} genes {statement} (q ≤ {ALPHA}){': ' + names if names else ''}{few}."
