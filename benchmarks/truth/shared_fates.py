"""Sisters with cycles of similar length: the concordance of fates responds to it, the hazard of death does not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from cineseq.lineage.concordance import concordance_table
from cineseq.lineage.shared_hazard import residuals, shared_hazard
from cineseq.lineage.trees import LineageTrees
from truth.claims import CALLED, Claim, called

MOVIE = 72.0


@dataclass(frozen=True)
class Planted:
    """One design.

    Attributes
    ----------
    families, fields
        Pairs of sisters, and fields of view that they fall into at random.
    hazard
        Hazard of death per hour.
    alike
        Correlation of the log lengths of the sisters' cycles.
    frailty
        Standard deviation of the log hazard of death between families.
    stress
        The same between fields.
    """

    families: int = 300
    fields: int = 6
    hazard: float = 0.02
    alike: float = 0.8
    frailty: float = 0.0
    stress: float = 0.0


def draw(planted: Planted, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw ages at the end of the track and fates (1 death, 0 division, NaN unknown), (families, 2), and fields."""
    rng = np.random.default_rng([31, seed])
    number = planted.families
    field = rng.integers(0, planted.fields, number)
    shared, own = rng.normal(size=(number, 1)), rng.normal(size=(number, 2))
    cycle = 24 * np.exp(0.5 * (np.sqrt(planted.alike) * shared + np.sqrt(1 - planted.alike) * own))
    risk = rng.normal(0, planted.frailty, number) + rng.normal(0, planted.stress, planted.fields)[field]
    death = rng.exponential(size=(number, 2)) / (planted.hazard * np.exp(risk))[:, None]
    age = np.minimum(np.minimum(cycle, death), MOVIE)
    fate = np.select([age == death, age == cycle], [1.0, 0.0], np.nan)
    return age, fate, field


def by_hazard(planted: Planted, seed: int) -> float:
    """Return whether the hazard of death is called shared."""
    age, fate, field = draw(planted, seed)
    residual = residuals(age.ravel(), (fate == 1).ravel().astype(float)).reshape(-1, 2)
    return called(shared_hazard(residual, field, np.arange(len(field))).p_value)


def by_concordance(planted: Planted, seed: int) -> float:
    """Return whether the concordance of fates is called larger than by chance."""
    age, fate, field = draw(planted, seed)
    number = len(field)
    cells = pd.DataFrame(
        {"condition": "drug", "field": np.repeat(field, 2), "birth": 0.0, "end": age.ravel(), "died": fate.ravel(),
         "root_cell": np.repeat(np.arange(number), 2)}
    )  # fmt: skip
    sisters = np.arange(2 * number).reshape(-1, 2)
    families = LineageTrees(cells, sisters, "h", {})
    return called(concordance_table(families, {"sisters": sisters}, 1, 499, seed)["p_value"].iloc[0])


def _claims() -> list[Claim]:
    claims = []
    for families, hazard, stress in ((100, 0.02, 0.0), (300, 0.005, 0.0), (300, 0.02, 0.0), (300, 0.02, 0.7)):
        planted = Planted(families, hazard=hazard, stress=stress)
        text = f"{families} families, death at {hazard:g} per h whatever the sister, log lengths of cycles correlate .8"
        text += f", stress of the field {stress:g} sd"
        key = f"families{families}_hazard{1000 * hazard:.0f}_stress{10 * stress:.0f}"
        study = partial(by_hazard, planted)
        claims.append(Claim(f"shared_fates.hazard.{key}", text, CALLED, study, 2000, at_most=0.07, new=True))
        study = partial(by_concordance, planted)
        name = f"shared_fates.concordance.{key}"
        claims.append(Claim(name, text, f"{CALLED}, by concordance", study, 1000, harder=True))
    shared = Planted(frailty=1.0)
    text = "300 families whose log hazard of death differs by 1 sd, .02 per h, log lengths of cycles correlate .8"
    study = partial(by_hazard, shared)
    return [*claims, Claim("shared_fates.power", text, CALLED, study, 1000, at_least=0.8, new=True)]


CLAIMS: tuple[Claim, ...] = tuple(_claims())
