"""Which real cells show what was generated for a cell, and whether that picture is the cell's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist
from scipy.stats import rankdata

from cineseq.generative.direction import JudgedFold
from cineseq.prediction.crossval.labels import family_labels, joint_labels
from cineseq.statistics.permutation import benjamini_hochberg, exchangeable_blocks, p_value, permuted_within
from cineseq.statistics.streams import stream
from cineseq.tables.contract import FIELD

NEIGHBOUR_ROWS = (
    "track_id",
    "neighbour",
    "distance",
    "neighbour_of_mean",
    "distance_of_mean",
    "random_in_field",
    "pair_match_rank",
)
MATCH_ROWS = (
    "direction",
    "source",
    "n",
    "fields",
    "median_rank",
    "null_median",
    "null_low",
    "p_value",
    "q_value",
    "note",
)
FEWEST_IN_FIELD = 5
"""Fewest held-out cells of a field among which a cell is ranked."""
MOST_IN_FIELD = 1000
"""More cells of a field than this are not ranked, which bounds the memory."""
PERMUTATIONS = 999
NO_FIELD = f"not estimable: no field has {FEWEST_IN_FIELD} held-out cells among which to rank one"
CHUNK = 500


@dataclass(frozen=True)
class Places:
    """Labels of the cells, shape (cells,) each.

    Attributes
    ----------
    names
        ``track_id``.
    fields, classes, families
        Field of view (of a sample), class, and family.
    """

    names: np.ndarray
    fields: np.ndarray
    classes: np.ndarray
    families: np.ndarray

    @classmethod
    def of(cls, obs: pd.DataFrame, classes: np.ndarray) -> Places:
        """Return the labels of the cells of a study."""
        fields = joint_labels(obs, [name for name in FIELD if name in obs])
        return cls(obs.index.to_numpy(str), fields, classes.astype(str), family_labels(obs))


@dataclass(frozen=True)
class _Ranked:
    """Held-out cells of one field: their positions among the test cells, their ranks, and those of shuffled pairs.

    ``ranks`` has the shape (cells,), ``shuffled`` (permutations, cells).
    """

    rows: np.ndarray
    ranks: np.ndarray
    shuffled: np.ndarray


def pair_ranks(real: np.ndarray, generated: np.ndarray) -> np.ndarray:
    """Return the rank of every real cell by its distance to what was generated for every cell, shape (cells, cells).

    Rows are generated cells, columns real ones, and ranks 0 (the nearest of all) to 1; ties have the middle of theirs.
    The diagonal holds the pair-match ranks: .5 on average where what is generated is of no cell in particular.
    """
    return (rankdata(cdist(generated, real), axis=1) - 1) / max(len(real) - 1, 1)


def _ranked(real: np.ndarray, generated: np.ndarray, rows: np.ndarray, places: Places, seed: int) -> Iterator[_Ranked]:
    """Rank cells within each field; shuffled pairs are exchanged within field and class, families together.

    ``rows`` are the positions of the cells in ``places``, shape (cells,).
    """
    for field in np.unique(places.fields[rows]):
        rng = stream(seed, "pair match", str(field))
        own = np.flatnonzero(places.fields[rows] == field)
        if len(own) < FEWEST_IN_FIELD:
            continue
        if len(own) > MOST_IN_FIELD:
            own = np.sort(rng.choice(own, MOST_IN_FIELD, replace=False))
        ranks = pair_ranks(real[own], generated[own])
        blocks = exchangeable_blocks(places.classes[rows[own]], places.families[rows[own]])
        partner = permuted_within(np.arange(len(own)), blocks, PERMUTATIONS, rng)
        yield _Ranked(own, np.diag(ranks), ranks[np.arange(len(own)), partner])


def match_rows(
    direction: str, parts: list[JudgedFold], sampler: str | None, places: Places, seed: int
) -> list[dict[str, object]]:
    """Return the median pair-match rank within fields of the mean and of one sample, with its null and p-value.

    Parameters
    ----------
    direction
        Its name.
    parts
        Its folds; those with samples are ranked.
    sampler
        The sampler that was chosen; None without one.
    places
        Labels of all cells.
    seed
        Of the shuffled pairs.
    """
    if sampler is None:
        return []
    rows: list[dict[str, object]] = []
    for source in ("mean", "generated"):
        found = [
            ranked
            for part in parts
            if sampler in part.samples
            for ranked in _ranked(part.real, _generated(part, sampler, source), part.test, places, seed)
        ]
        row: dict[str, object] = {"direction": direction, "source": source, "n": 0, "fields": 0, "note": NO_FIELD}
        if found:
            ranks, null = np.concatenate([f.ranks for f in found]), np.hstack([f.shuffled for f in found])
            observed, medians = float(np.median(ranks)), np.median(null, axis=1)
            row |= {
                "n": len(ranks),
                "fields": len(found),
                "median_rank": observed,
                "null_median": float(np.median(medians)),
                "null_low": float(np.quantile(medians, 0.05)),
                "p_value": p_value(-observed, -medians),
                "note": None,
            }
        rows.append(row)
    return rows


def match_table(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Return the rows of all directions as a table, with q-values over them."""
    table = pd.DataFrame(rows, columns=list(MATCH_ROWS))
    return table.assign(q_value=benjamini_hochberg(table["p_value"].to_numpy(float))) if len(table) else table


def neighbour_rows(parts: list[JudgedFold], sampler: str | None, places: Places, seed: int) -> pd.DataFrame:
    """Return the real cells by which what was generated for each held-out cell is shown.

    The nearest is sought among the other held-out cells of the fold, never the cell itself: a cell that was its own
    picture would look like a success without a test of it. Whether it is nearer than others says its rank.
    """
    frames = []
    for part in parts:
        if sampler is None or sampler not in part.samples:
            continue
        near = {
            source: _nearest_other(_generated(part, sampler, source), part.real) for source in ("generated", "mean")
        }
        ranks = np.full(len(part.test), np.nan)
        for field in _ranked(part.real, _generated(part, sampler, "mean"), part.test, places, seed):
            ranks[field.rows] = field.ranks
        names = places.names[part.test]
        beside = _others(places.fields[part.test], stream(seed, "beside"))
        values = (
            names,
            names[near["generated"][0]],
            near["generated"][1],
            names[near["mean"][0]],
            near["mean"][1],
            np.where(beside >= 0, names[beside], None),
            ranks,
        )
        frames.append(pd.DataFrame(dict(zip(NEIGHBOUR_ROWS, values, strict=True))))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(NEIGHBOUR_ROWS))


def _generated(part: JudgedFold, sampler: str, source: str) -> np.ndarray:
    """Return what stands for each test cell: its conditional mean, or one sample."""
    return part.by_learner["chosen"] if source == "mean" else part.samples[sampler]


def _nearest_other(generated: np.ndarray, real: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return position and distance of the real cell, other than the own one, that is nearest to each generated one."""
    where, how_far = np.empty(len(real), dtype=int), np.empty(len(real))
    for start in range(0, len(real), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(real)))
        away = cdist(generated[rows], real)
        away[np.arange(len(rows)), rows] = np.inf
        where[rows], how_far[rows] = away.argmin(axis=1), away.min(axis=1)
    return where, how_far


def _others(fields: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a random other cell of the field of each cell, shape (cells,); -1 where it is alone."""
    found = np.full(len(fields), -1)
    for field in np.unique(fields):
        own = np.flatnonzero(fields == field)
        if len(own) > 1:
            shift = rng.integers(1, len(own), len(own))
            found[own] = own[(np.arange(len(own)) + shift) % len(own)]
    return found
