"""Genes with correlated expression in sisters, and genes associated with the fate of the sister."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from cineseq.lineage.sister_score import Summaries, score, weights
from cineseq.lineage.sister_test import several_families
from cineseq.statistics import ALPHA, CONFIDENCE
from cineseq.statistics.permutation import TIE, benjamini_hochberg, coarse
from cineseq.tables.lineage import GENES_BY_SISTER, HERITABLE_GENES
from cineseq.text import count, number

FEWEST_PAIRS = 10
FEWEST_FAMILIES = 5
VALUES_DRAWN = 2_000_000_000
"""Number of products over all permutations; bounds the number of permutations with very many genes."""
FEWEST_PERMUTATIONS = 199
CHUNK = 256
GENES_AT_ONCE = 1000
"""Number of genes tested at once, which bounds the memory."""
DETECTED = 0.1
"""Genes detected in a smaller fraction of the survivors are not tested."""


@dataclass(frozen=True)
class Design:
    """Design of a test of genes: names and permutations.

    Attributes
    ----------
    genes
        Names, one per column of expression.
    permutations, seed
        Number and seed of the permutations; the number is reduced with very many genes.
    """

    genes: pd.Index
    permutations: int
    seed: int


def heritable_genes(one: np.ndarray, other: np.ndarray, stratum: np.ndarray, design: Design) -> pd.DataFrame:
    """Correlate the expression of each gene between sisters that were both sequenced.

    Values are centred within strata of field and birth time. The null distribution exchanges partners within strata,
    so that differences between strata do not count as heritability.

    Parameters
    ----------
    one, other
        Log-normalised expression of both sisters, shape (pairs, genes).
    stratum
        Stratum of field and birth time of each pair, from 0, shape (pairs,).
    design
        Genes and permutations.

    Returns
    -------
    pandas.DataFrame
        The table :data:`cineseq.tables.lineage.HERITABLE_GENES`.

    References
    ----------
    Fisher, Statistical Methods for Research Workers (1925), chapter 7 (intraclass correlation).
    """
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
    draws = _affordable(design.permutations, a.size)
    as_high, total = np.zeros(a.shape[1]), np.zeros(a.shape[1])
    home = np.argsort(stratum, kind="stable")
    for _ in range(draws):
        partner = np.empty(len(home), dtype=int)
        partner[home] = np.argsort(stratum + rng.random(len(stratum)))
        null = (a * b[partner]).sum(axis=0) / scale
        as_high += null >= observed - TIE
        total += null
    p = np.where(varies, (as_high + 1) / (draws + 1), np.nan)
    table["icc"] = np.where(varies, observed, np.nan)
    table["icc_null"] = np.where(varies, total / draws, np.nan)
    table["p_value"], table["q_value"] = p, benjamini_hochberg(p)
    return table.assign(note=np.where(varies, coarse(draws, p, "genes"), "not estimable: the gene does not vary"))


def genes_by_sister(every: Summaries, design: Design) -> pd.DataFrame:
    """Compare the expression of each gene between survivors whose sister died and whose sister lived.

    The difference, its interval and its p-value are those of the score of
    :func:`cineseq.lineage.sister_score.score`, within strata of field and birth time. The p-value is the larger of two:
    that of the normal approximation, and that of permutations, which give the score the tail that a few cells of high
    expression cause.

    Parameters
    ----------
    every
        Log-normalised expression of families, one column per gene.
    design
        Genes and permutations.

    Returns
    -------
    pandas.DataFrame
        The table :data:`cineseq.tables.lineage.GENES_BY_SISTER`.
    """
    informs = every.informative if len(every.exposed) else np.zeros(0, dtype=bool)
    died, survived = int(every.exposed[informs].sum()), int((~every.exposed[informs]).sum())
    table = pd.DataFrame({"gene": design.genes, "died": died, "survived": survived})
    if min(died, survived) < FEWEST_FAMILIES:
        note = f"not estimable: {died} and {survived} families in strata with both arms"
        return _not_estimable(table, GENES_BY_SISTER.columns, f"{note}, {FEWEST_FAMILIES} of each are needed")
    # Score test of every gene within strata, some genes at a time, with as many permutations as are affordable.
    draws = _affordable(design.permutations, informs.sum() * every.mean.shape[1])
    starts = range(0, every.mean.shape[1], GENES_AT_ONCE)
    parts = [_tested(every.columns(slice(k, k + GENES_AT_ONCE)), informs, draws, design.seed) for k in starts]
    table = table.assign(**pd.concat(parts, ignore_index=True))
    p = table["p_value"].to_numpy()
    table["q_value"] = benjamini_hochberg(p)
    repeated = several_families(every.root_cell[informs])
    by_root_cell = f"p allows for {count(repeated, 'root cell')} with several pairs of sisters" if repeated else ""
    note = "; ".join(filter(None, (coarse(draws, p, "genes"), by_root_cell)))
    return table.assign(note=np.where(np.isfinite(p), note, "not estimable: the gene does not vary within strata"))


def _tested(every: Summaries, informs: np.ndarray, draws: int, seed: int) -> pd.DataFrame:
    """Return ``difference``, its 95 % interval ``low`` to ``high``, and ``p_value``, one row per gene."""
    families = every.only(informs)
    found = score(families, weights(every)[informs])
    difference = found.score / found.information
    reach = norm.ppf((1 + CONFIDENCE) / 2) * np.sqrt(found.variance.clip(min=0)) / found.information
    permuted = (_as_extreme(families, found.z, draws, np.random.default_rng(seed)) + 1) / (draws + 1)
    p = np.where(np.isfinite(found.z), np.maximum(found.p_value, permuted), np.nan)
    ends = {"low": difference - reach, "high": difference + reach}
    return pd.DataFrame({"difference": difference, **ends, "p_value": p})


def _as_extreme(families: Summaries, z: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Return how many permuted scores, in their standard deviations, are as extreme as ``z``, shape (genes,).

    A family stands for one of its survivors, drawn anew for every chunk of permutations, because those whose sister
    died stand alone.
    """
    # Families in the order of their strata, so that a permutation within strata is a sort of random keys.
    order = np.argsort(families.stratum, kind="stable")
    exposed, stratum = families.exposed[order], families.stratum[order]
    mean, apart = families.mean[order], np.sqrt(families.within[order])
    size, dead = np.bincount(stratum), np.bincount(stratum, exposed)
    share = (dead * (size - dead) / (size * np.maximum(size - 1, 1)))[stratum]
    as_extreme, extreme = np.zeros(len(z)), np.abs(z) - 1e-9
    # A chunk of permutations: one survivor per family, centred by stratum, then scores of permuted arms.
    for start in range(0, draws, CHUNK):
        survivor = mean + apart * rng.choice((-1.0, 1.0), (len(mean), 1))
        centred = survivor - _stratum_means(survivor, stratum)
        sd = np.sqrt(share @ centred**2)
        keys = stratum + rng.random((min(CHUNK, draws - start), len(stratum)))
        null = exposed[np.argsort(keys, axis=1)].astype(float) @ centred
        as_extreme += (np.abs(null) >= extreme * sd).sum(axis=0)
    return as_extreme


def _stratum_means(values: np.ndarray, stratum: np.ndarray) -> np.ndarray:
    return pd.DataFrame(values).groupby(stratum).transform("mean").to_numpy()


def _affordable(permutations: int, values: int) -> int:
    return int(min(permutations, max(FEWEST_PERMUTATIONS, VALUES_DRAWN // max(1, values))))


def _not_estimable(table: pd.DataFrame, columns: tuple, note: str) -> pd.DataFrame:
    absent = {c.name: np.nan for c in columns if c.name not in table and c.name != "note"}
    return table.assign(**absent, note=note)


IN_BRACKETS = {"icc": "intraclass correlation", "difference": "difference in mean log expression"}


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
    names += f" (in brackets: {IN_BRACKETS[estimate]})" if names else ""
    tested = int(table["p_value"].notna().sum())
    few = next((f" ({note})" for note in table["note"] if note.startswith(tuple("123456789"))), "")
    return f"{len(called)} of {tested} genes {statement} (q ≤ {ALPHA}){': ' + names if names else ''}{few}."
