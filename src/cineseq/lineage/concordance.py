"""Concordance of fates and correlation of times between relatives, beyond strata of field and birth time."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pandas as pd
from scipy.special import gammaln

from cineseq.lineage.pair_statistics import FEWEST_PAIRS, pair_correlation
from cineseq.lineage.relatives import interval_note, matching_note
from cineseq.lineage.shared_hazard import hazards_by_condition
from cineseq.lineage.trees import LineageTrees, strata
from cineseq.statistics.permutation import TIE, p_value
from cineseq.text import count

MANY_PAIRS = 100_000
PERMUTATIONS_OF_MANY = 499
"""Most permutations with more than :data:`MANY_PAIRS` pairs, to bound the run time; the smallest p is then 0.002."""
AT_ONCE = 2**25
"""Values held in memory while permuting."""
FEW_DISCORDANT = 5


def concordance_table(
    families: LineageTrees, relatives: dict[str, np.ndarray], bins: int, permutations: int, seed: int
) -> pd.DataFrame:
    """Compare the fates of relatives in each condition, because pooled doses would make relatives appear alike.

    Only pairs with both fates known (division or death) count. The fate of a cell that was lost, left the field or is
    alive at the end is unknown. The p-value is one-sided: the probability of at least the observed concordance when
    fates are permuted within strata of sample, field and birth time. Single cells are permuted for sisters. Whole
    pairs of sisters are permuted for cousins and neighbours, because sisters are alike. Sisters with cycles of similar
    length have the same fate more often, whatever their deaths; ``p_hazard`` is not affected by it
    (:func:`~cineseq.lineage.shared_hazard.shared_hazard`).

    Returns
    -------
    pandas.DataFrame
        The table :data:`cineseq.tables.lineage.CONCORDANCE`.
    """
    rng = np.random.default_rng(seed)
    cells = families.cells
    died, condition, root_cell = (cells[c].to_numpy() for c in ("died", "condition", "root_cell"))
    rows = []
    for name in sorted(cells["condition"].unique()):
        blocks = families.sisters[condition[families.sisters[:, 0]] == name]
        for relation, all_pairs in relatives.items():
            pairs = all_pairs[(condition[all_pairs] == name).all(axis=1)]
            known = pairs[np.isfinite(died[pairs]).all(axis=1)]
            # Concordance under permuted fates, shape (permutations,); empty with too few pairs.
            null = np.empty(0)
            if len(known) >= FEWEST_PAIRS and relation == "sisters":
                null = _null_of_sisters(cells, known, bins, permutations, rng)
            elif len(known) >= FEWEST_PAIRS:
                null = _null_of_blocks(cells, blocks, known, (bins, permutations), rng)
            row = _row(died[known], root_cell[known[:, 0]], null)
            few = 0 < len(null) < permutations
            fewer = f"{count(len(null), 'permutation')} only, because there are many pairs" if few else ""
            matched = matching_note(families, relation, known)
            note = _joined(row[-1], fewer, matched, interval_note(relation, row[4]))
            rows.append((name, relation, *row[:-1], note))
    names = ["condition", "relation", "pairs", "concordance", "expected_independent", "phi", "phi_low", "phi_high"]
    table = pd.DataFrame(rows, columns=[*names, "p_value", "note"])
    # Correlation of the hazards of sisters, which the length of the cycle does not mimic.
    hazards = hazards_by_condition(families, bins)
    of_sisters = [hazards[row.condition] if row.relation == "sisters" else None for row in table.itertuples()]
    table["hazard_correlation"] = [np.nan if found is None else found.correlation for found in of_sisters]
    table["p_hazard"] = [np.nan if found is None else found.p_value for found in of_sisters]
    return table[[*names, "p_value", "hazard_correlation", "p_hazard", "note"]]


def sisters_by_sample(cells: pd.DataFrame) -> pd.DataFrame:
    """Return how often sisters have the same fate in each sample, and how often they would if fates were independent.

    Parameters
    ----------
    cells
        Columns ``sample``, ``condition``, ``parent_id`` and ``fate`` of :data:`cineseq.tables.imaging.CELLS`, and
        ``founder_id`` if known: pairs of one lineage are not independent.

    Returns
    -------
    pandas.DataFrame
        ``condition``, ``sample``, ``pairs``, ``concordance``, ``expected_independent``, ``phi``, ``phi_low`` and
        ``phi_high``; samples with enough pairs of known fates, of which some died and some divided.
    """
    known = cells[cells["fate"].isin(["division", "death"])].dropna(subset="parent_id")
    lineage = "founder_id" if "founder_id" in known else "parent_id"
    daughters = known.assign(died=(known["fate"] == "death").astype(float), lineage=known[lineage]).groupby(
        ["condition", "sample", "parent_id"], dropna=False
    )
    pairs = daughters.agg(size=("died", "size"), sum=("died", "sum"), lineage=("lineage", "first"))
    pairs = pairs[pairs["size"] == 2].assign(same=lambda rows: rows["sum"] != 1)
    samples = pairs.groupby(["condition", "sample"], dropna=False)
    each = samples.agg(pairs=("same", "size"), concordance=("same", "mean"), death=("sum", "mean"))
    # The order of two sisters does not matter: one died where any did, both where two did.
    each[["phi", "phi_low", "phi_high"]] = [
        astuple(
            pair_correlation(
                (rows["sum"] > 0).to_numpy(float), (rows["sum"] > 1).to_numpy(float), rows["lineage"].to_numpy(str)
            )
        )[:3]
        for _, rows in samples
    ] or np.empty((0, 3))
    death = each["death"] / 2
    each["expected_independent"] = death**2 + (1 - death) ** 2
    kept = (each["pairs"] >= FEWEST_PAIRS) & death.between(0, 1, inclusive="neither")
    return each[kept].drop(columns="death").reset_index()


def _row(fates: np.ndarray, family: np.ndarray, null: np.ndarray) -> tuple:
    if len(fates) < FEWEST_PAIRS:
        note = f"not estimable: {count(len(fates), 'pair')} with both fates known, {FEWEST_PAIRS} are needed"
        return (len(fates), *(np.nan,) * 6, note)
    same = fates[:, 0] == fates[:, 1]
    death = fates.mean()
    phi = pair_correlation(fates[:, 0], fates[:, 1], family)
    note = phi.note
    if not note and (~same).sum() < FEW_DISCORDANT:
        note = f"{count((~same).sum(), 'discordant pair')}: check each by eye, the interval is rough"
    concordance = float(same.mean())
    p: np.ndarray | float = np.nan
    if len(null) and np.ptp(null) > 0:
        p = p_value(concordance - TIE, null)
    elif np.isfinite(phi.value):
        reason = "no p-value: no exchange of fates within strata of field and birth time changes the concordance"
        note = _joined(note, reason)
    return (len(fates), concordance, death**2 + (1 - death) ** 2, phi.value, phi.low, phi.high, p, note)


def _joined(*notes: str) -> str:
    return "; ".join(filter(None, notes))


def _null_of_sisters(
    cells: pd.DataFrame, pairs: np.ndarray, bins: int, permutations: int, rng: np.random.Generator
) -> np.ndarray:
    """Return the concordance of sisters under permutation of fates between the cells of a stratum.

    Draws come from the exact permutation distribution. When k deaths fall at random on the 2m cells of m pairs, j
    pairs have two deaths with weight C(m, j) C(m - j, k - 2j) 2^(k - 2j).

    Returns
    -------
    numpy.ndarray
        Shape (permutations,).
    """
    # Pairs m and deaths k of each stratum, shape (strata,).
    first = pairs[:, 0]
    code = strata(cells["field"].to_numpy()[first], cells["birth"].to_numpy()[first], bins)
    in_stratum = np.bincount(code)
    deaths = np.bincount(code, cells["died"].to_numpy()[pairs].sum(axis=1)).astype(int)
    concordant = np.zeros(permutations)
    # Strata with the same m and k have the same distribution, so each distinct layout is computed once.
    layouts, repeats = np.unique(np.column_stack([in_stratum, deaths]), axis=0, return_counts=True)
    for (m, k), number in zip(layouts, repeats, strict=True):
        both = np.arange(max(0, k - m), k // 2 + 1)
        log_weight = (k - 2 * both) * np.log(2) - gammaln(both + 1) - gammaln(k - 2 * both + 1)
        log_weight -= gammaln(m - k + both + 1)
        weight = np.exp(log_weight - log_weight.max())
        # m - (k - 2j) pairs are concordant; drawn has shape (strata of this layout, permutations).
        drawn = rng.choice(both, size=(number, permutations), p=weight / weight.sum())
        concordant += (m - (k - 2 * drawn)).sum(axis=0)
    return concordant / len(pairs)


def _null_of_blocks(
    cells: pd.DataFrame, blocks: np.ndarray, pairs: np.ndarray, design: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """Return the concordance of ``pairs`` under permutation of whole pairs of sisters (blocks) within strata.

    Only blocks that occur in the pairs are permuted, and only among blocks in which the same members have a known
    fate. The set of pairs with known fates therefore does not change.

    Returns
    -------
    numpy.ndarray
        Shape (permutations,).
    """
    bins, permutations = design
    # Position of each cell as 2 * block + member, shape (cells,); -1 outside of blocks.
    place = np.full(len(cells), -1)
    place[blocks.ravel()] = np.arange(blocks.size)
    pairs = place[pairs]
    pairs = pairs[(pairs >= 0).all(axis=1)]
    # Blocks in use, and for every two blocks that are compared which of their members make pairs.
    used, within = np.unique(pairs // 2, return_inverse=True)
    one, other, scored = _scores(within.reshape(-1, 2), pairs % 2)
    # Stratum: field, birth time and pattern of known fates. Code: bit 0 and 1 for the death of each member.
    fates = cells["died"].to_numpy()[blocks[used]]
    first = blocks[used, 0]
    stratum = strata(cells["field"].to_numpy()[first], cells["birth"].to_numpy()[first], bins)
    stratum = stratum * 4 + np.isfinite(fates) @ np.array([1, 2])
    code = ((fates == 1) @ np.array([1, 2])).astype(np.uint8)
    number = min(permutations, PERMUTATIONS_OF_MANY) if len(pairs) > MANY_PAIRS else permutations
    step = int(np.clip(AT_ONCE // max(1, len(one), len(used)), 1, number))
    # Permute the codes within strata, shape (blocks, step), and count concordant pairs by table look-up.
    null = []
    for start in range(0, number, step):
        moved = _shuffled(code, stratum, min(step, number - start), rng)
        same = AGREE[scored[:, None] | moved[one] << 2 | moved[other]]
        null.append(same.sum(axis=0, dtype=np.uint32) / len(pairs))
    return np.concatenate(null)


def _agreements() -> np.ndarray:
    """Return the number of concordant pairs between two blocks, shape (256,).

    The index has eight bits. The upper four mark the pairs that are counted (first or second member of one block with
    first or second member of the other). The lower four are the deaths of the members, two bits per block.
    """
    number = np.arange(256)
    died = number[:, None] >> np.array([2, 3, 0, 1]) & 1
    same = died[:, [0, 0, 1, 1]] == died[:, [2, 3, 2, 3]]
    return (same & (number[:, None] >> np.arange(4, 8) & 1 > 0)).sum(axis=1).astype(np.uint8)


AGREE = _agreements()


def _scores(blocks: np.ndarray, side: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return both blocks of every two that are compared, and the upper four bits of the index of :data:`AGREE`.

    ``blocks`` and ``side`` are, for both cells of each pair, the block and the member of the block (0 or 1); shape
    (pairs, 2).
    """
    bit = 1 << (4 + 2 * side[:, 0] + side[:, 1])
    between, which = np.unique(blocks, axis=0, return_inverse=True)
    scored = np.bincount(which.ravel(), bit, minlength=len(between)).astype(np.uint8)
    return between[:, 0], between[:, 1], scored


def _shuffled(code: np.ndarray, stratum: np.ndarray, times: int, rng: np.random.Generator) -> np.ndarray:
    """Return ``times`` permutations within strata of codes from 0 to 3, shape (blocks, times).

    Each code becomes the last two bits of a random number, and the numbers are sorted. This is several times faster
    than permuting row by row.
    """
    moved = np.repeat(code[:, None], times, axis=1)
    order = np.argsort(stratum, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(stratum[order])) + 1):
        if np.ptp(code[rows]):
            drawn = rng.integers(0, 2**32, (times, len(rows)), dtype=np.uint32) & ~np.uint32(3) | code[rows]
            moved[rows] = (np.sort(drawn, axis=1) & 3).T
    return moved


def times_table(families: LineageTrees, relatives: dict[str, np.ndarray]) -> pd.DataFrame:
    """Correlate the times from birth to division and from birth to death between relatives.

    Returns
    -------
    pandas.DataFrame
        The table :data:`cineseq.tables.lineage.TIMES`.
    """
    cells = families.cells
    lived = (cells["end"] - cells["birth"]).to_numpy()
    condition, root_cell = cells["condition"].to_numpy(), cells["root_cell"].to_numpy()
    rows = []
    for name in sorted(cells["condition"].unique()):
        for relation, all_pairs in relatives.items():
            pairs = all_pairs[(condition[all_pairs] == name).all(axis=1)]
            for quantity, fate in (("division_time", 0.0), ("death_time", 1.0)):
                both = pairs[(cells["died"].to_numpy()[pairs] == fate).all(axis=1)]
                r = pair_correlation(lived[both[:, 0]], lived[both[:, 1]], root_cell[both[:, 0]])
                note = _joined(r.note, matching_note(families, relation, both))
                rows.append((name, relation, quantity, len(both), r.value, r.low, r.high, note))
    names = ["condition", "relation", "quantity", "pairs", "r", "low", "high", "note"]
    return pd.DataFrame(rows, columns=names)
