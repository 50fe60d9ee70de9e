"""Whether relatives share their fates and times more than strata of field and birth time make them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import gammaln

from cineseq.kinship.correlation import FEWEST_PAIRS, pair_correlation
from cineseq.kinship.families import Families, strata
from cineseq.statistics.permutation import p_value

SHUFFLED_AT_MOST = 50_000_000
"""Values shuffled per relation; with very many cells this bounds the number of permutations."""
FEW_DISCORDANT = 5


def concordance_table(
    families: Families, relatives: dict[str, np.ndarray], bins: int, permutations: int, seed: int
) -> pd.DataFrame:
    """Compare the fates of relatives, condition by condition (pooled doses would make relatives look alike).

    Only pairs with both fates known (division or death) count; a cell lost, gone or alive at the end has none. The
    p-value is of at least the observed concordance when fates are dealt out anew within strata of sample, field and
    birth time: between single cells for sisters, between whole pairs of sisters for cousins and neighbours, because
    sisters are alike.

    Returns
    -------
    pandas.DataFrame
        The table :data:`cineseq.results.CONCORDANCE`.
    """
    rng = np.random.default_rng(seed)
    cells = families.cells
    died, condition, founder = (cells[c].to_numpy() for c in ("died", "condition", "founder"))
    rows = []
    for name in sorted(cells["condition"].unique()):
        blocks = families.sisters[condition[families.sisters[:, 0]] == name]
        for relation, all_pairs in relatives.items():
            pairs = all_pairs[(condition[all_pairs] == name).all(axis=1)]
            known = pairs[np.isfinite(died[pairs]).all(axis=1)]
            null = np.empty(0)
            if len(known) >= FEWEST_PAIRS and relation == "sisters":
                null = _null_of_sisters(cells, known, bins, permutations, rng)
            elif len(known) >= FEWEST_PAIRS:
                null = _null_of_blocks(cells, blocks, known, (bins, permutations), rng)
            rows.append((name, relation, *_row(died[known], founder[known[:, 0]], null)))
    names = ["condition", "relation", "pairs", "concordance", "expected_independent", "phi", "phi_low", "phi_high"]
    return pd.DataFrame(rows, columns=[*names, "p_value", "note"])


def _row(fates: np.ndarray, family: np.ndarray, null: np.ndarray) -> tuple:
    if len(fates) < FEWEST_PAIRS:
        note = f"not estimable: {len(fates)} pairs with both fates known, {FEWEST_PAIRS} are needed"
        return (len(fates), *(np.nan,) * 6, note)
    same = fates[:, 0] == fates[:, 1]
    death = fates.mean()
    phi = pair_correlation(fates[:, 0], fates[:, 1], family)
    note = phi.note
    if not note and (~same).sum() < FEW_DISCORDANT:
        note = f"{(~same).sum()} discordant pairs: check each of them by eye, the interval is rough"
    concordance = float(same.mean())
    p = np.nan
    if len(null) and np.ptp(null) > 0:
        p = p_value(concordance - 1e-12, null)
    elif np.isfinite(phi.value):
        reason = "no p-value: within strata of field and birth time the fates leave nothing to permute"
        note = "; ".join(filter(None, (note, reason)))
    return (len(fates), concordance, death**2 + (1 - death) ** 2, phi.value, phi.low, phi.high, p, note)


def _null_of_sisters(
    cells: pd.DataFrame, pairs: np.ndarray, bins: int, permutations: int, rng: np.random.Generator
) -> np.ndarray:
    """Return the concordance of sisters under permutation of fates between the cells of a stratum.

    Drawn from its exact distribution: of m pairs with k deaths dealt out at random, the number with two deaths is j
    with weight C(m, j) C(m - j, k - 2j) 2^(k - 2j).
    """
    first = pairs[:, 0]
    code = strata(cells["field"].to_numpy()[first], cells["birth"].to_numpy()[first], bins)
    count = np.bincount(code)
    deaths = np.bincount(code, cells["died"].to_numpy()[pairs].sum(axis=1)).astype(int)
    concordant = np.zeros(permutations)
    layouts, repeats = np.unique(np.column_stack([count, deaths]), axis=0, return_counts=True)
    for (m, k), number in zip(layouts, repeats, strict=True):
        both = np.arange(max(0, k - m), k // 2 + 1)
        log_weight = (k - 2 * both) * np.log(2) - gammaln(both + 1) - gammaln(k - 2 * both + 1)
        log_weight -= gammaln(m - k + both + 1)
        weight = np.exp(log_weight - log_weight.max())
        drawn = rng.choice(both, size=(number, permutations), p=weight / weight.sum())
        concordant += (m - (k - 2 * drawn)).sum(axis=0)
    return concordant / len(pairs)


def _null_of_blocks(
    cells: pd.DataFrame, blocks: np.ndarray, pairs: np.ndarray, design: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """Return the concordance of ``pairs`` when whole pairs of sisters change places within strata.

    Only blocks that the pairs use change places, and only with blocks whose known fates are the same ones, so that the
    set of pairs with known fates stays as it is.
    """
    bins, permutations = design
    place = np.full(len(cells), -1)
    place[blocks.ravel()] = np.arange(blocks.size)
    pairs = place[pairs]
    pairs = pairs[(pairs >= 0).all(axis=1)]
    used, within = np.unique(pairs // 2, return_inverse=True)
    pairs = within.reshape(-1, 2) * 2 + pairs % 2
    blocks = blocks[used]
    fates = cells["died"].to_numpy()[blocks]
    first = blocks[:, 0]
    code = strata(cells["field"].to_numpy()[first], cells["birth"].to_numpy()[first], bins)
    code = code * 4 + np.isfinite(fates) @ np.array([1, 2])
    home = np.argsort(code, kind="stable")
    fates, ordered = fates[home] == 1, code[home].astype(float)
    place = np.empty(len(home), dtype=int)
    place[home] = np.arange(len(home))
    left, right = (place[pairs[:, k] // 2] * 2 + pairs[:, k] % 2 for k in (0, 1))
    null = np.empty(int(min(permutations, max(199, SHUFFLED_AT_MOST // max(1, blocks.size)))))
    for number in range(len(null)):
        # Sorting stratum plus a fraction shuffles within strata, several times faster than sorting by two keys.
        moved = fates[np.argsort(ordered + rng.random(len(ordered)))].ravel()
        null[number] = (moved[left] == moved[right]).mean()
    return null


def times_table(families: Families, relatives: dict[str, np.ndarray]) -> pd.DataFrame:
    """Correlate the times from birth to division, and from birth to death, between relatives.

    Returns
    -------
    pandas.DataFrame
        The table :data:`cineseq.results.TIMES`.
    """
    cells = families.cells
    lived = (cells["end"] - cells["birth"]).to_numpy()
    condition, founder = cells["condition"].to_numpy(), cells["founder"].to_numpy()
    rows = []
    for name in sorted(cells["condition"].unique()):
        for relation, all_pairs in relatives.items():
            pairs = all_pairs[(condition[all_pairs] == name).all(axis=1)]
            for quantity, fate in (("division_time", 0.0), ("death_time", 1.0)):
                both = pairs[(cells["died"].to_numpy()[pairs] == fate).all(axis=1)]
                r = pair_correlation(lived[both[:, 0]], lived[both[:, 1]], founder[both[:, 0]])
                rows.append((name, relation, quantity, len(both), r.value, r.low, r.high, r.note))
    names = ["condition", "relation", "quantity", "pairs", "r", "low", "high", "note"]
    return pd.DataFrame(rows, columns=names)
