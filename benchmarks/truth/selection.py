"""Selection by compartment: sisters that share a cage are read only where one of them died.

A cage with two live cells gives one library, so that only cages with one live cell are read. Where sisters share a cage
a survivor is then read only if its sister died, and families that share a cage differ from others in more than deaths:
their state is rarer here. Death has nothing to do with the state.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
from scipy import sparse

from cineseq.config.lineage import Lineage
from cineseq.lineage.selection_bias import lineage_warnings
from cineseq.lineage.shared_cages import BEREAVED, SISTERS, STRANGERS, Libraries, genes_by_cage
from cineseq.lineage.sister_comparison import compare_survivors, sequenced_of_compartments
from cineseq.lineage.sister_status import sister_status
from cineseq.lineage.trees import LineageTrees
from cineseq.tables.lineage import SISTER_DIED
from truth.claims import CALLED, LEVEL, Claim, called

LAST = 99
BIRTHS = (12, 22, 32, 42, 52)
SETTINGS = Lineage(permutations=999)
NAMED, OPEN = "one_cell_compartments", "selection_not_excluded"


@dataclass(frozen=True)
class Planted:
    """One design.

    Attributes
    ----------
    families, fields
        Pairs of sisters, and fields of view that they fall into at random.
    died
        Chance of a daughter to die.
    share
        Share of pairs in one cage.
    rates
        Frequency of the state in pairs that share a cage, and in separated ones.
    odds_ratio
        Of the state where the sister died, planted in every family.
    captured
        Chance of a cage with one live cell to be read.
    unplaced
        Chance that the cage of a dead cell is not known.
    misplaced
        Chance that a separated pair is recorded in one cage by mistake.
    """

    families: int = 300
    died: float = 0.1
    share: float = 0.4
    fields: int = 4
    rates: tuple[float, float] = (0.3, 0.6)
    odds_ratio: float = 1.0
    captured: float = 1.0
    unplaced: float = 0.0
    misplaced: float = 0.0


@dataclass(frozen=True)
class Study:
    """Trees, the state of every survivor, the recorded cage of every cell, and the names of cells that were read."""

    families: LineageTrees
    states: pd.DataFrame
    cages: pd.DataFrame
    read: pd.Index


def draw(planted: Planted, rng: np.random.Generator) -> Study:
    """Draw one study."""
    number = planted.families
    together = rng.random(number) < planted.share
    dead = rng.random((number, 2)) < planted.died
    odds = np.where(together, *(rate / (1 - rate) for rate in planted.rates))[:, None]
    odds = odds * planted.odds_ratio ** dead[:, ::-1]
    state = (rng.random((number, 2)) < odds / (1 + odds)).astype(float)
    # Read are the survivors that are alone in their cage, shape (families, 2).
    alone = ~together[:, None] | dead[:, ::-1]
    read = ~dead & alone & (rng.random((number, 2)) < planted.captured)
    # Cages as recorded: that of the family, or one of its own; -1 where not known.
    recorded = together | (rng.random(number) < planted.misplaced)
    own = 2 * np.arange(number)[:, None] + np.array([0, 1])
    cage = np.where(recorded[:, None], own[:, :1], own)
    cage = np.where(dead & (rng.random((number, 2)) < planted.unplaced), -1, cage).ravel()
    families = _trees(dead, rng.integers(0, planted.fields, number), rng.choice(BIRTHS, number))
    names = families.cells["track_id"]
    cages = pd.DataFrame({"track_id": names, "sample": "s", "compartment_id": cage.astype(str).astype(object)})
    cages.loc[cage < 0, "compartment_id"] = None
    states = pd.DataFrame({"state": np.where(read, state, np.nan).ravel()}, index=names)
    return Study(families, states, cages, pd.Index(names[read.ravel()]))


def _trees(dead: np.ndarray, field: np.ndarray, birth: np.ndarray) -> LineageTrees:
    """Return trees of two daughters per family, the parents being left out."""
    number = len(dead)
    gone = dead.ravel()
    founder = np.repeat(np.arange(number), 2)
    cells = pd.DataFrame(
        {
            "track_id": np.char.add("c", np.arange(2 * number).astype(str)).astype(object),
            "sample": "s", "fov": field[founder].astype(str), "condition": "drug", "root_cell": founder, "parent": -1,
            "siblings": 2, "generation": 1, "birth": birth[founder].astype(float),
            "end": np.where(gone, birth[founder] + 5.0, LAST), "field_end": float(LAST), "start_frame": birth[founder],
            "end_frame": np.where(gone, birth[founder] + 5, LAST), "field_end_frame": LAST, "start_kind": "division",
            "end_kind": np.where(gone, "death", "end_of_movie"), "fate": np.where(gone, "death", "unknown"),
            "died": np.where(gone, 1.0, np.nan), "alive_at_end": (~gone).astype(float), "field": field[founder],
            "birth_y": np.nan, "birth_x": np.nan,
        }
    )  # fmt: skip
    return LineageTrees(cells, np.arange(2 * number).reshape(-1, 2), "frames", {})


def contrast(planted: Planted, seed: int) -> pd.Series:
    """Return the row of the primary contrast of one study."""
    study = draw(planted, np.random.default_rng([21, seed]))
    known = sequenced_of_compartments(study.families, study.cages, study.read)
    compared = compare_survivors(study.families, study.states, known, SETTINGS).compared
    return compared.set_index("contrast").loc[SISTER_DIED]


def contrast_called(planted: Planted, seed: int) -> float:
    """Return whether the primary contrast has p <= .05; NaN where it is not estimable."""
    return called(contrast(planted, seed)["p_value"])


def refused(planted: Planted, seed: int) -> float:
    """Return whether the primary contrast is not estimable."""
    return float(np.isnan(contrast(planted, seed)["p_value"]))


def warned(planted: Planted, names: tuple[str, ...], seed: int, *, mapped: bool) -> float:
    """Return whether one of the warnings is given; without a map the cages of cells are not known."""
    study = draw(planted, np.random.default_rng([22, seed]))
    status = sister_status(study.families, SETTINGS)
    status["sequenced"] = study.families.cells["track_id"].isin(study.read)
    pairs = study.cages.dropna(subset="compartment_id") if mapped else None
    found = lineage_warnings(study.families, status, pairs)
    return float(found["warning"].isin(names).any())


WARNED = "share of studies with the warning"
SAID = "share of studies with the warning, or that say that selection cannot be excluded"


def _described(planted: Planted) -> str:
    low, high = planted.rates
    extra = {
        f"odds ratio {planted.odds_ratio:g}": planted.odds_ratio != 1,
        f"{planted.captured:.0%} of single cells read": planted.captured < 1,
        f"cage of {planted.unplaced:.0%} of the dead not known": planted.unplaced > 0,
        f"{planted.misplaced:.0%} of separated pairs misplaced": planted.misplaced > 0,
    }
    texts = [
        f"{planted.families} families",
        f"{planted.died:.0%} of daughters died",
        f"{planted.share:.0%} of pairs share a cage",
        f"state {low:.0%} there and {high:.0%} elsewhere",
    ]
    return ", ".join([*texts, *(text for text, there in extra.items() if there)])


def _key(planted: Planted) -> str:
    return f"families{planted.families}_died{100 * planted.died:.0f}_share{100 * planted.share:.0f}"


def _contrasts() -> list[Claim]:
    claims = []
    for families, died in ((80, 0.3), (300, 0.1), (300, 0.3), (1000, 0.1), (1000, 0.3)):
        planted = Planted(families, died)
        name = f"selection.size.{_key(planted)}"
        claims.append(Claim(name, _described(planted), CALLED, partial(contrast_called, planted), 4000, at_most=0.065))
    lost = Planted(300, 0.3, unplaced=0.3, captured=0.7)
    name = f"selection.size_unplaced.{_key(lost)}"
    claims.append(Claim(name, _described(lost), CALLED, partial(contrast_called, lost), 2000, at_most=0.065))
    real = Planted(300, 0.3, odds_ratio=3.0)
    name = f"selection.power.{_key(real)}"
    claims.append(Claim(name, _described(real), CALLED, partial(contrast_called, real), 1000, at_least=0.8))
    whole = Planted(300, 0.3, share=1.0)
    name, measures = f"selection.refused.{_key(whole)}", "share of studies that are not estimable"
    claims.append(Claim(name, _described(whole), measures, partial(refused, whole), 200, at_least=1.0))
    wrong = replace(real, odds_ratio=1.0, misplaced=0.1, share=0.4)
    name = f"selection.size_misplaced.{_key(wrong)}"
    return [*claims, Claim(name, _described(wrong), CALLED, partial(contrast_called, wrong), 1000, harder=True)]


def _warnings() -> list[Claim]:
    claims = []
    for families in (80, 300):
        for died in (0.1, 0.3):
            for share in (0.0, 0.2, 0.4, 1.0):
                planted = Planted(families, died, share)
                name, study = f"selection.mapped.{_key(planted)}", partial(warned, planted, (NAMED,), mapped=True)
                bounds = {"at_least": 0.95} if share else {"at_most": 0.02}
                claims.append(Claim(name, f"mapped, {_described(planted)}", WARNED, study, 1000, **bounds))
    for families, share in ((300, 0.0), (300, 0.2), (1000, 0.0), (1000, 0.2), (1000, 0.4), (1000, 1.0)):
        planted = Planted(families, 0.1, share)
        study = partial(warned, planted, (NAMED,), mapped=False)
        bounds = {"at_most": 0.02} if not share else {"at_least": 0.95} if families >= 1000 else {}
        name, text = f"selection.unmapped.{_key(planted)}", f"not mapped, {_described(planted)}"
        claims.append(Claim(name, text, WARNED, study, 1000, harder=families < 1000 and share > 0, **bounds))
        if families < 1000:
            planted = replace(planted, captured=1.0 if share else 0.7)
            text = f"not mapped, {_described(planted)}"
            study = partial(warned, planted, (NAMED, OPEN), mapped=False)
            name = f"selection.unmapped_said.{_key(planted)}"
            claims.append(Claim(name, text, SAID, study, 1000, at_least=0.95))
    half = Planted(1000, 0.1, 0.2, captured=0.4)
    study = partial(warned, half, (NAMED,), mapped=False)
    name = f"selection.unmapped_captured.{_key(half)}"
    claims.append(Claim(name, f"not mapped, {_described(half)}", WARNED, study, 1000, harder=True))
    study = partial(warned, half, (NAMED, OPEN), mapped=False)
    name = f"selection.unmapped_captured_said.{_key(half)}"
    claims.append(Claim(name, f"not mapped, {_described(half)}", SAID, study, 1000, at_least=0.95))
    few = Planted(300, 0.1, 0.05)
    study = partial(warned, few, (NAMED,), mapped=True)
    name = f"selection.mapped.{_key(few)}"
    return [*claims, Claim(name, f"mapped, {_described(few)}", WARNED, study, 1000, harder=True)]


@dataclass(frozen=True)
class Caged:
    """Families that all share a compartment, two living strangers in others, and genes without any association.

    Attributes
    ----------
    families, strangers
        Pairs of sisters, and compartments of two living cells that are not sisters.
    died
        Chance of a daughter to die.
    alike
        Share of the variance of log expression that sisters share.
    mean
        Counts of a gene per cell.
    spread
        Standard deviation of log expression between cells.
    """

    families: int = 300
    strangers: int = 60
    died: float = 0.1
    alike: float = 0.3
    mean: float = 1.0
    spread: float = 1.0


def false_genes(planted: Caged, genes: int, seed: int) -> float:
    """Return the share of genes with p <= .05 where nothing is associated with a death."""
    rng = np.random.default_rng([23, seed])
    dead = rng.random((planted.families, 2)) < planted.died
    pairs = planted.families + planted.strangers
    field = rng.integers(0, 4, pairs)
    kin = np.r_[np.full(planted.families, planted.alike), np.zeros(planted.strangers)][:, None, None]
    own = rng.normal(size=(pairs, 2, genes))
    log = np.sqrt(kin) * rng.normal(size=(pairs, 1, genes)) + np.sqrt(1 - kin) * own
    log = planted.spread * log + rng.normal(0, 0.5, (4, genes))[field][:, None, :]
    # Libraries of cells differ in size; a library of a compartment is the sum of its living cells.
    size = rng.lognormal(0, 0.4, (pairs, 2, 1))
    alive = np.vstack([~dead, np.ones((planted.strangers, 2), bool)])
    counts = (rng.poisson(planted.mean * size * np.exp(log - planted.spread**2 / 2)) * alive[:, :, None]).sum(axis=1)
    living = alive.sum(axis=1)
    arm = np.where(np.arange(pairs) >= planted.families, STRANGERS, np.where(living == 2, SISTERS, BEREAVED))
    read = living > 0
    libraries = Libraries(sparse.csr_matrix(counts[read]), arm[read], field[read], np.flatnonzero(read))
    p = genes_by_cage(libraries, pd.Index([f"g{k}" for k in range(genes)]), seed)["p_value"].to_numpy(float)
    return float((p[np.isfinite(p)] <= LEVEL).mean()) if np.isfinite(p).any() else np.nan


def _cages() -> list[Claim]:
    claims = []
    designs = ((80, 0.3, 0.3, 1.0), (300, 0.1, 0.0, 1.0), (300, 0.1, 0.8, 5.0), (1000, 0.3, 0.3, 0.3))
    for families, died, alike, mean in designs:
        planted = Caged(families, died=died, alike=alike, mean=mean)
        text = (
            f"all of {families} families share a cage, {died:.0%} of daughters died, sisters share {alike:.0%} of the "
        )
        text += f"variance of log expression (1 sd), {mean:g} counts a gene and cell; 60 genes"
        name = f"selection.cages.families{families}_died{100 * died:.0f}_alike{100 * alike:.0f}_mean{10 * mean:.0f}"
        study = partial(false_genes, planted, 60)
        claims.append(Claim(name, text, GENES_CALLED, study, 400, at_most=0.065, new=True))
    planted = Caged(80, died=0.1, mean=0.1, spread=1.5)
    text = "80 families, 10 % of daughters died (15 survivors), 0.1 counts a gene and cell, log expression of 1.5 sd"
    study = partial(false_genes, planted, 60)
    return [*claims, Claim("selection.cages.rare_genes", text, GENES_CALLED, study, 400, harder=True)]


GENES_CALLED = "share of genes with p <= .05"
CLAIMS: tuple[Claim, ...] = (*_contrasts(), *_warnings(), *_cages())
