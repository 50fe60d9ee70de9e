"""Simulated families whose field and birth time determine both death and state, for lineage scores and tests."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cineseq.config.lineage import Lineage
from cineseq.lineage.sister_status import sister_status
from cineseq.lineage.state_by_sister import compare_states
from cineseq.lineage.states import states_of, survivors
from cineseq.lineage.trees import LineageTrees, families_of
from cineseq.tables.imaging import CELLS

LAST = 99
BIRTHS = (12, 22, 32, 42, 52)
"""Frames of birth, one per stratum of birth time, so that the odds ratio within strata is the planted one."""
ANY_FRAME = tuple(range(BIRTHS[0], BIRTHS[-1] + 1))
"""Frames of birth of movies whose cells divide at any time: stress then differs within a stratum as well."""
APART = 8
"""Frames between the divisions of a family."""


@dataclass(frozen=True)
class Experiment:
    """What is planted.

    Attributes
    ----------
    founders, fields
        Families, of one division each, and fields of view that they are spread over.
    odds_ratio
        Of the state, within field and birth time, where the sister died against where she lived.
    alike
        Chance that a sister copies the other's state instead of drawing her own.
    risk
        Log odds of death of a daughter without stress; with the default about four in ten die.
    births
        Frames in which a family may be born. The default leaves no stress within a stratum of birth time.
    """

    founders: int = 500
    fields: int = 20
    odds_ratio: float = 1.0
    alike: float = 0.3
    risk: float = -0.7
    births: tuple[int, ...] = BIRTHS


@dataclass(frozen=True)
class Deep:
    """Families of several divisions whose risk and state go with the founder, and the state with no sister's death.

    Attributes
    ----------
    founders, fields
        Families and fields of view that they are spread over.
    divisions
        Generations of divisions; the daughters of the last one die or live, in ``2 ** (divisions - 1)`` pairs.
    inherited
        Standard deviation of the log odds of death, and of the state, between founders; the two are independent.
    """

    founders: int = 150
    fields: int = 12
    divisions: int = 3
    inherited: float = 1.5


def simulate(planted: Experiment, seed: int) -> pd.DataFrame:
    """Return a cells table with one division per family; survivors have ``state_x`` on or off.

    Stress of field and birth time raises both the risk of death and the rate of the state. Families differ in risk, so
    that sisters share fates.
    """
    rng = np.random.default_rng(seed)
    founders = planted.founders
    field, when = rng.integers(0, planted.fields, founders), rng.integers(0, len(planted.births), founders)
    birth = np.array(planted.births)[when]
    stress = _stress(planted.fields, field, birth, rng)
    risk = _logistic(planted.risk + stress + rng.normal(0, 1, founders))
    dead = rng.random((founders, 2)) < risk[:, None]
    rate = _logistic(-1 + stress[:, None] + np.log(planted.odds_ratio) * dead[:, ::-1])
    state = rng.random((founders, 2)) < rate
    copies = (rng.random(founders) < planted.alike) & ~dead.any(axis=1)
    state[copies, 1] = state[copies, 0]
    pairs = _daughters(_names(field), birth, dead, state)
    return _completed([_mothers(field, birth), pairs])


def simulate_deep(planted: Deep, seed: int) -> pd.DataFrame:
    """Return a cells table of full trees; survivors have ``state_x`` on or off, whatever their sisters did."""
    rng = np.random.default_rng(seed)
    field = rng.integers(0, planted.fields, planted.founders)
    birth = np.array(BIRTHS)[rng.integers(0, len(BIRTHS), planted.founders)]
    stress = _stress(planted.fields, field, birth, rng)
    risk, rate = (_logistic(c + stress + rng.normal(0, planted.inherited, len(field))) for c in (-0.7, -1))
    tables = [_mothers(field, birth)]
    for generation in range(1, planted.divisions):
        tables.append(_dividing(tables[-1], generation))
    mothers = tables[-1]
    shape = (2 ** (planted.divisions - 1), planted.founders, 2)
    dead, state = (rng.random(shape) < p[None, :, None] for p in (risk, rate))
    last = _daughters(mothers, mothers["end_frame"].to_numpy() + 1, dead.reshape(-1, 2), state.reshape(-1, 2))
    return _completed([*tables, last.assign(generation=planted.divisions)])


def _stress(fields: int, field: np.ndarray, birth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    middle, apart = BIRTHS[2], BIRTHS[1] - BIRTHS[0]
    return rng.normal(0, 1, fields)[field] + (birth - middle) / apart * 0.5


def _logistic(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _names(field: np.ndarray) -> pd.DataFrame:
    fov = field.astype(str)
    founder = np.char.add(np.char.add(fov, "/"), np.arange(len(field)).astype(str)).astype(object)
    return pd.DataFrame({"fov": fov, "founder_id": founder, "track_id": founder})


def _mothers(field: np.ndarray, birth: np.ndarray) -> pd.DataFrame:
    return _names(field).assign(
        parent_id=None, generation=0, start_frame=0, end_frame=birth - 1, start_kind="first_frame",
        end_kind="division", fate="division", fate_known=True, alive_at_end=False, state_x=None,
    )  # fmt: skip


def _dividing(mothers: pd.DataFrame, generation: int) -> pd.DataFrame:
    """Return both daughters of every mother, all of which divide: first all first daughters, then all others."""
    start = mothers["end_frame"].to_numpy() + 1
    both = [
        mothers.assign(track_id=mothers["track_id"] + f".{k}", parent_id=mothers["track_id"], start_frame=start)
        for k in (0, 1)
    ]
    ends = np.tile(start + APART - 1, 2)
    return pd.concat(both, ignore_index=True).assign(generation=generation, end_frame=ends, start_kind="division")


def _daughters(mothers: pd.DataFrame, birth: np.ndarray, dead: np.ndarray, state: np.ndarray) -> pd.DataFrame:
    tables = []
    for k in (0, 1):
        gone = dead[:, k]
        daughters = {
            "track_id": mothers["track_id"] + f".{k}", "parent_id": mothers["track_id"], "generation": 1,
            "start_frame": birth, "end_frame": np.where(gone, birth + 5, LAST), "start_kind": "division",
            "end_kind": np.where(gone, "death", "end_of_movie"), "fate": np.where(gone, "death", "unknown"),
            "fate_known": gone, "alive_at_end": ~gone,
            "state_x": np.where(gone, None, np.where(state[:, k], "on", "off")),
        }  # fmt: skip
        tables.append(mothers[["fov", "founder_id"]].assign(**daughters))
    return pd.concat(tables, ignore_index=True)


def _completed(tables: list[pd.DataFrame]) -> pd.DataFrame:
    table = pd.concat(tables, ignore_index=True).assign(sample="s", condition="drug", replicate="1")
    for column in CELLS.columns:
        if not (column.is_family or column.optional or column.name in table):
            table[column.name] = None
    return CELLS.check(table)


def analyse(cells: pd.DataFrame, settings: Lineage) -> tuple[LineageTrees, pd.DataFrame, pd.DataFrame]:
    """Compare the states of survivors as the step does: trees, status of sisters, and the comparison."""
    families = families_of(cells)
    states = states_of(cells, None, settings.states)
    status = sister_status(families, settings)
    status["sequenced"] = survivors(families, states, None)
    return families, status, compare_states(families, status, states, settings)


def caged(seed: int, *, choice: str, founders: int = 80) -> tuple[LineageTrees, pd.DataFrame, pd.DataFrame]:
    """Sequence some of the survivors; ``choice`` says which.

    ``shared``: those alone in a compartment that sisters share, which selects for dead sisters. ``apart``: those of
    compartments of their own. ``uneven``: the same, captured the better the more cells of the field died.
    Returns trees, status of sisters, and pairs.
    """
    cells = simulate(Experiment(founders=founders), seed)
    born = cells[cells["parent_id"].notna()]
    cage = born["parent_id"] if choice == "shared" else born["track_id"]
    alive = born["alive_at_end"].astype(bool)
    deaths = (~alive).groupby(born["fov"]).transform("mean")
    rate = (deaths > deaths.median()) * 0.8 + 0.1 if choice == "uneven" else 0.7
    captured = np.random.default_rng(seed).random(len(born)) < rate
    chosen = born.loc[alive & (alive.groupby(cage).transform("sum") == 1) & captured, "track_id"]
    families = families_of(cells)
    status = sister_status(families, Lineage())
    status["sequenced"] = families.cells["track_id"].isin(chosen)
    return families, status, pd.DataFrame({"track_id": born["track_id"], "compartment_id": cage})
