"""Sister test: how often it rejects without an association, and finds one, where survivors stand alone or in pairs.

A family has two daughters. Where one of them died, a single survivor is measured; where none did, up to two are. States
and expression are drawn by cell, so that families with one and with two survivors differ in their variance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import numpy as np
import pandas as pd
import statsmodels.api as sm

from cineseq.lineage.sister_genes import Design as GeneDesign
from cineseq.lineage.sister_genes import genes_by_sister
from cineseq.lineage.sister_score import Summaries
from cineseq.lineage.sister_test import associate, gee_p, stratified_tables
from truth.claims import CALLED, LEVEL, Claim, called

FEWEST = 5
"""Fewest informative families in either arm, as in the settings of the step."""
PERMUTATIONS = 999


@dataclass(frozen=True)
class Planted:
    """One design of families.

    Attributes
    ----------
    families, strata
        Pairs of sisters, and strata that their founders fall into at random.
    died
        Chance of a daughter to die.
    alike
        Correlation of the states of two surviving sisters.
    rate
        Frequency of the state.
    odds_ratio
        Of the state where the sister died against where she lived.
    pairs
        Pairs of each founder.
    inherited
        Standard deviation between founders of the log odds of death, and of the state; the two are independent.
    stress
        Standard deviation between strata of a stress that adds to the log odds of death and of the state.
    gradient
        The same between families within a stratum; the test cannot know of it.
    """

    families: int = 300
    strata: int = 20
    died: float = 0.1
    alike: float = 0.0
    rate: float = 0.3
    odds_ratio: float = 1.0
    pairs: int = 1
    inherited: float = 0.0
    stress: float = 0.0
    gradient: float = 0.0

    def smaller_arm(self) -> float:
        """Return the expected number of informative families of the smaller arm, without stress or inheritance."""
        kept = self.families * (1 - self.died**2)
        exposed = 2 * self.died * (1 - self.died) / (1 - self.died**2)
        arms = [kept * share * (1 - (1 - (1 - share) / self.strata) ** (kept - 1)) for share in (exposed, 1 - exposed)]
        return min(arms)


@dataclass(frozen=True)
class Drawn:
    """Families with a survivor.

    Attributes
    ----------
    exposed
        Whether one of the sisters died, shape (families,).
    values
        State or expression of both daughters, NaN where dead, shape (families, 2, columns).
    stratum, founder
        Shape (families,).
    """

    exposed: np.ndarray
    values: np.ndarray
    stratum: np.ndarray
    founder: np.ndarray


def fates(planted: Planted, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draw dead daughters (families, 2), log odds of the state, stratum and founder, each (families,)."""
    founders = planted.families // planted.pairs
    founder = np.repeat(np.arange(founders), planted.pairs)
    stratum = rng.integers(0, planted.strata, founders)[founder]
    stress = rng.normal(0, planted.stress, planted.strata)[stratum]
    stress = stress + rng.normal(0, planted.gradient, len(founder))
    risk, state = (
        logit(chance) + stress + rng.normal(0, planted.inherited, founders)[founder]
        for chance in (planted.died, planted.rate)
    )
    return rng.random((len(founder), 2)) < logistic(risk)[:, None], state, stratum, founder


def draw_states(planted: Planted, rng: np.random.Generator) -> Drawn:
    """Draw a state of every survivor."""
    dead, log_odds, stratum, founder = fates(planted, rng)
    raised = np.log(planted.odds_ratio) * dead[:, ::-1]
    state = (rng.random(dead.shape) < logistic(log_odds[:, None] + raised)).astype(float)
    copies = (rng.random(len(dead)) < planted.alike) & ~dead.any(axis=1)
    state[copies, 1] = state[copies, 0]
    return surviving(dead, state[:, :, None], stratum, founder)


def draw_genes(planted: Planted, genes: int, rng: np.random.Generator) -> Drawn:
    """Draw log-normalised counts of genes of every survivor; ``alike`` is the share of log expression that is shared.

    A founder's families share half of what is shared where ``inherited`` is not 0. Half of the genes have 0.3 counts
    per cell, the other half 3.
    """
    dead, _, stratum, founder = fates(planted, rng)
    families = len(dead)
    by_founder = planted.alike / 2 if planted.inherited else 0.0
    parts = {"founder": by_founder, "family": planted.alike - by_founder, "cell": 1 - planted.alike}
    shapes = {"founder": (founder.max() + 1, 1, genes), "family": (families, 1, genes), "cell": (families, 2, genes)}
    noise = {name: np.sqrt(part) * rng.normal(size=shapes[name]) for name, part in parts.items()}
    log_mean = np.log(np.where(np.arange(genes) % 2, 3.0, 0.3)) + noise["founder"][founder] + noise["family"]
    counts = rng.poisson(np.exp(log_mean + noise["cell"] - 0.5))
    return surviving(dead, np.log1p(counts), stratum, founder)


def surviving(dead: np.ndarray, values: np.ndarray, stratum: np.ndarray, founder: np.ndarray) -> Drawn:
    """Return the families with a survivor, values of the dead being unknown."""
    kept = ~dead.all(axis=1)
    values = np.where(dead[:, :, None], np.nan, values)[kept]
    return Drawn(dead.any(axis=1)[kept], values, stratum[kept], founder[kept])


def logit(chance: float) -> float:
    """Return the log odds of a chance."""
    return float(np.log(chance / (1 - chance)))


def logistic(x: np.ndarray) -> np.ndarray:
    """Return the chance of log odds."""
    return 1 / (1 + np.exp(-x))


def summaries_of(drawn: Drawn) -> Summaries:
    """Return the summaries of families that the package tests."""
    mean = np.nanmean(drawn.values, axis=1)
    within = np.nanmean((drawn.values - mean[:, None]) ** 2, axis=1)
    survivors = np.isfinite(drawn.values[:, :, 0]).sum(axis=1)
    stratum = np.unique(drawn.stratum, return_inverse=True)[1]
    return Summaries(drawn.exposed, mean, within, survivors, stratum, drawn.founder)


def size_of_states(planted: Planted, seed: int) -> float:
    """Return whether the state is called."""
    drawn = draw_states(planted, np.random.default_rng([11, seed]))
    return called(associate(summaries_of(drawn), FEWEST).p_value)


def interval_misses(planted: Planted, seed: int) -> float:
    """Return whether the interval leaves out the planted odds ratio."""
    drawn = draw_states(planted, np.random.default_rng([12, seed]))
    found = associate(summaries_of(drawn), FEWEST)
    return float(not found.low <= planted.odds_ratio <= found.high) if np.isfinite(found.low) else np.nan


def power_over(other: Callable[[Drawn], float], planted: Planted, seed: int) -> float:
    """Return whether the state is called minus whether the other test calls it."""
    drawn = draw_states(planted, np.random.default_rng([13, seed]))
    return called(associate(summaries_of(drawn), FEWEST).p_value) - called(other(drawn))


def size_over(other: Callable[[Drawn], float], planted: Planted, seed: int) -> float:
    """Return whether the other test calls the state."""
    return called(other(draw_states(planted, np.random.default_rng([14, seed]))))


def cells_of(drawn: Drawn) -> pd.DataFrame:
    """Return one row per survivor, as :func:`cineseq.lineage.sister_test.gee_p` takes them."""
    alive = np.isfinite(drawn.values[:, :, 0])
    family, side = np.nonzero(alive)
    columns = {"state": drawn.values[family, side, 0], "exposed": drawn.exposed[family]}
    return pd.DataFrame(columns | {"field": drawn.stratum[family], "birth": 0.0, "root_cell": drawn.founder[family]})


def plain_mantel_haenszel(drawn: Drawn) -> float:
    """Return the p-value of the Mantel-Haenszel test of cells as if they were independent."""
    cells = cells_of(drawn)
    stratum = np.unique(cells["field"], return_inverse=True)[1]
    tables = stratified_tables(
        *(cells[name].to_numpy(float) for name in ("exposed", "state")), stratum, np.ones(len(cells))
    )
    arms, states = tables.sum(axis=1), tables.sum(axis=0)
    full = tables[..., (arms > 0).all(axis=0) & (states > 0).all(axis=0)]
    return float(sm.stats.StratifiedTable(full).test_null_odds().pvalue) if full.shape[2] else np.nan


def gee(drawn: Drawn) -> float:
    """Return the p-value of the GEE."""
    return gee_p(cells_of(drawn))[0]


def size_of_genes(planted: Planted, genes: int, level: float, seed: int) -> float:
    """Return the share of genes with a p-value of at most the level."""
    rng = np.random.default_rng([15, seed])
    drawn = draw_genes(planted, genes, rng)
    names = pd.Index([f"g{gene}" for gene in range(genes)])
    table = genes_by_sister(summaries_of(drawn), GeneDesign(names, PERMUTATIONS, seed))
    p = table["p_value"].to_numpy(float)
    return float(np.mean(p[np.isfinite(p)] <= level)) if np.isfinite(p).any() else np.nan


def size_of_compartments(compartments: int, alike: float, rate: float, with_sisters: float, seed: int) -> float:
    """Return whether two-cell compartments with sisters differ from those with strangers, who are not alike."""
    rng = np.random.default_rng([16, seed])
    sisters = rng.random(compartments) < with_sisters
    state = (rng.random((compartments, 2)) < rate).astype(float)
    copies = sisters & (rng.random(compartments) < alike)
    state[copies, 1] = state[copies, 0]
    stratum = np.unique(rng.integers(0, 10, compartments), return_inverse=True)[1]
    number = np.full(compartments, 2)
    every = Summaries.of_state(sisters, state.mean(axis=1), number, stratum, np.arange(compartments))
    return called(associate(every, FEWEST, kind=sisters).p_value)


MISSED = "share of 95 % intervals without the planted odds ratio"
MOST, LEAST, COUNTED = 0.07, 0.035, 30


def _described(planted: Planted) -> str:
    extra = {
        f"founders of {planted.pairs} pairs, {planted.inherited:g} sd": planted.pairs > 1,
        f"stress of the field {planted.stress:g} sd": planted.stress > 0,
        f"stress within strata {planted.gradient:g} sd": planted.gradient > 0,
        f"odds ratio {planted.odds_ratio:g}": planted.odds_ratio != 1,
    }
    texts = [
        f"{planted.families} families in {planted.strata} strata",
        f"{planted.died:.0%} of daughters died",
        f"sisters' states correlate {planted.alike:g}",
        f"state rate {planted.rate:g}",
        *(text for text, there in extra.items() if there),
    ]
    return ", ".join(texts)


def _key(planted: Planted) -> str:
    numbers = {
        "strata": planted.strata,
        "families": planted.families,
        "died": round(100 * planted.died),
        "alike": round(100 * planted.alike),
        "rate": round(100 * planted.rate),
    }
    return "_".join(f"{name}{number}" for name, number in numbers.items())


def _sizes() -> list[Claim]:
    grid = product((20, 100), (100, 300, 1000), (0.05, 0.1, 0.3, 0.7), (0.0, 0.3, 0.8), (0.1, 0.3, 0.5))
    claims = []
    for strata, families, died, alike, rate in grid:
        planted = Planted(families, strata, died, alike, rate)
        least = LEAST if planted.smaller_arm() >= COUNTED else -np.inf
        study = partial(size_of_states, planted)
        name = f"sister_test.size.{_key(planted)}"
        claims.append(Claim(name, _described(planted), CALLED, study, 4000, at_least=least, at_most=MOST))
    return claims


def _confounded() -> list[Claim]:
    claims = []
    for families, died, rate in product((100, 300, 1000), (0.05, 0.3, 0.7), (0.1, 0.3)):
        kin = Planted(families, 20, died, 0.3, rate, pairs=4, inherited=1.5)
        field = Planted(families, 20, died, 0.3, rate, stress=1.0)
        both = replace(kin, stress=1.0)
        for kind, planted in (("founders", kin), ("stress", field), ("founders_stress", both)):
            name, study = f"sister_test.{kind}.{_key(planted)}", partial(size_of_states, planted)
            claims.append(Claim(name, _described(planted), CALLED, study, 4000, at_most=MOST))
    return claims


def _intervals() -> list[Claim]:
    claims = []
    for families, died, alike, odds in product((300, 1000), (0.05, 0.3), (0.0, 0.8), (1.0, 3.0)):
        planted = Planted(families, 20, died, alike, 0.3, odds_ratio=odds)
        kin = replace(planted, pairs=4, inherited=1.5)
        for kind, design in (("interval", planted), ("interval_founders", kin))[: 2 if odds == 1 else 1]:
            name = f"sister_test.{kind}.{_key(design)}_odds{odds:g}"
            study = partial(interval_misses, design)
            claims.append(Claim(name, _described(design), MISSED, study, 2000, at_most=MOST))
    return claims


def _power() -> list[Claim]:
    claims = []
    for families, died, rate in product((100, 300), (0.1, 0.3, 0.7), (0.1, 0.3)):
        planted = Planted(families, 20, died, 0.0, rate, odds_ratio=3.0)
        name, study = f"sister_test.power.{_key(planted)}", partial(power_over, plain_mantel_haenszel, planted)
        measures = "power minus that of Mantel-Haenszel on cells"
        claims.append(Claim(name, _described(planted), measures, study, 1000, at_least=-LEVEL))
    for died, alike in product((0.1, 0.3), (0.0, 0.3, 0.8)):
        planted = Planted(300, 20, died, alike, 0.3, odds_ratio=3.0)
        name, study = f"sister_test.power_gee.{_key(planted)}", partial(power_over, gee, planted)
        claims.append(Claim(name, _described(planted), "power minus that of the GEE", study, 400, at_least=-LEVEL))
        null = replace(planted, odds_ratio=1.0)
        name, study = f"sister_test.size_gee.{_key(null)}", partial(size_over, gee, null)
        claims.append(Claim(name, _described(null), "share of studies in which the GEE has p <= .05", study, 400))
    return claims


def _genes() -> list[Claim]:
    claims = []
    for families, died, alike in product((100, 300, 1000), (0.05, 0.3), (0.0, 0.5)):
        planted = Planted(families, 20, died, alike)
        kin = replace(planted, pairs=4, inherited=1.5)
        for kind, design in (("genes", planted), ("genes_founders", kin)):
            name, study = f"sister_test.{kind}.{_key(design)}", partial(size_of_genes, design, 40, LEVEL)
            text = f"{_described(design)}; 40 genes"
            claims.append(Claim(name, text, "share of genes with p <= .05", study, 400, at_most=MOST))
    planted = Planted(300, 20, 0.05)
    study = partial(size_of_genes, planted, 200, 0.002)
    name, text = f"sister_test.genes_tail.{_key(planted)}", f"{_described(planted)}; 200 genes"
    return [*claims, Claim(name, text, "share of genes with p <= .002", study, 400, at_most=0.004)]


def _compartments() -> list[Claim]:
    claims = []
    for number, alike, rate, share in product((60, 300), (0.0, 0.8), (0.1, 0.5), (0.1, 0.9)):
        name = f"sister_test.compartments.{number}_alike{alike * 100:.0f}_rate{rate * 100:.0f}_sisters{share * 100:.0f}"
        text = f"{number} compartments of two cells in 10 strata, {share:.0%} of them with sisters whose states "
        text += f"correlate {alike:g}, state rate {rate:g}"
        study = partial(size_of_compartments, number, alike, rate, share)
        claims.append(Claim(name, text, CALLED, study, 4000, at_most=MOST))
    return claims


def _harder() -> list[Claim]:
    within = Planted(1000, 20, 0.3, 0.3, 0.3, gradient=0.7)
    few = Planted(48, 4, 0.3, 0.3, 0.3, pairs=12, inherited=2.5)
    return [
        Claim(f"sister_test.{name}", _described(planted), CALLED, partial(size_of_states, planted), 4000, harder=True)
        for name, planted in (("stress_within_strata", within), ("four_founders", few))
    ]


CLAIMS: tuple[Claim, ...] = (
    *_sizes(),
    *_confounded(),
    *_intervals(),
    *_power(),
    *_genes(),
    *_compartments(),
    *_harder(),
)
