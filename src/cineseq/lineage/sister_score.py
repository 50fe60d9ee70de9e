"""Compare one arm with the other within strata, where a family has one or two survivors.

A family of one survivor has a more variable mean than a family of two, so means cannot be exchanged. The score weights
a family by its effective number of independent survivors, and its variance allows for sisters and for families of one
root cell that are alike. For a state (0 or 1) of unrelated families it is the Mantel-Haenszel test.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse, stats

ALIKE_AT_MOST = 0.999
"""Largest correlation of families of one root cell; at 1 a stratum of one root cell would have no variance."""
ROUNDS = 20
"""Rounds of the estimate of that correlation and of the variances, which depend on each other."""
SHRINKAGE = 1.0
"""Shrinkage of the correlation of sisters. Chosen by simulation of the designs of ``benchmarks/truth/sister_test.py``
from other seeds: less costs power where few pairs survive, more rejects too often where their states are alike."""
SMALLEST = 1e-12
"""Relative variance below which a score does not vary."""


@dataclass(frozen=True)
class Summaries:
    """Values of families, averaged over their survivors.

    Attributes
    ----------
    exposed
        Whether the family is in the first arm, shape (families,).
    mean
        Mean of its survivors, shape (families, columns).
    within
        Mean squared deviation of its survivors from their mean, shape (families, columns); 0 for a single survivor.
    survivors
        Number of survivors averaged, 1 or 2, shape (families,).
    stratum
        Stratum, from 0, shape (families,).
    root_cell
        Root cell, shape (families,).
    """

    exposed: np.ndarray
    mean: np.ndarray
    within: np.ndarray
    survivors: np.ndarray
    stratum: np.ndarray
    root_cell: np.ndarray

    @classmethod
    def of_state(
        cls,
        exposed: np.ndarray,
        state: np.ndarray,
        survivors: np.ndarray,
        stratum: np.ndarray,
        root_cell: np.ndarray,
    ) -> Summaries:
        """Return the summaries of a single state; ``state`` is the fraction of survivors that have it, (families,)."""
        mean = np.asarray(state, float)[:, None]
        return cls(np.asarray(exposed, bool), mean, mean * (1 - mean), survivors, stratum, root_cell)

    @property
    def informative(self) -> np.ndarray:
        """Whether the stratum of a family holds both arms, shape (families,)."""
        size, exposed = np.bincount(self.stratum), np.bincount(self.stratum, self.exposed)
        return ((exposed > 0) & (exposed < size))[self.stratum]

    def only(self, rows: np.ndarray) -> Summaries:
        """Return the families that a boolean mask selects."""
        stratum = np.unique(self.stratum[rows], return_inverse=True)[1]
        parts = self.mean[rows], self.within[rows], self.survivors[rows]
        return Summaries(self.exposed[rows], *parts, stratum, self.root_cell[rows])

    def columns(self, which: slice) -> Summaries:
        """Return the same families with some of the columns."""
        return replace(self, mean=self.mean[:, which], within=self.within[:, which])


@dataclass(frozen=True)
class SisterScore:
    """Score of every column, all of shape (columns,).

    Attributes
    ----------
    score
        Sum over exposed families of weight * (mean - weighted mean of the stratum).
    variance
        Its variance where the arms do not differ.
    unrelated
        The same if families of one root cell were independent.
    information
        Sum over strata of A (N - A) / N with the weights A of exposed and N of all families: score / information is
        the weighted difference of means within strata.
    kin
        Estimated correlation of families of one root cell; 0 where every root cell has one family.
    """

    score: np.ndarray
    variance: np.ndarray
    unrelated: np.ndarray
    information: np.ndarray
    kin: np.ndarray

    @property
    def z(self) -> np.ndarray:
        """Score in standard deviations, shape (columns,); NaN where it does not vary."""
        varies = self.variance > SMALLEST * np.maximum(self.information, SMALLEST)
        return np.where(varies, self.score / np.sqrt(np.where(varies, self.variance, 1.0)), np.nan)

    @property
    def p_value(self) -> np.ndarray:
        """Two-sided p-value of the normal approximation, shape (columns,)."""
        return 2 * stats.norm.sf(np.abs(self.z))

    @property
    def design_effect(self) -> np.ndarray:
        """Factor by which families of one root cell increase the variance, shape (columns,)."""
        known = self.unrelated > 0
        return np.where(known, self.variance / np.where(known, self.unrelated, 1.0), 1.0)


def sister_correlation(families: Summaries, pair: np.ndarray, shrinkage: float = SHRINKAGE) -> np.ndarray:
    """Return the correlation of the values of doubly surviving sisters about the means of their strata, (columns,).

    Means of strata are of all survivors, so that a stratum with a single pair counts, and pairs may differ from them by
    the same amount everywhere. The correlation is corrected for the negative bias of centring and limited to 0 to 1.
    With few pairs it is uncertain, so it is shrunk towards 0, the more the fewer pairs carry it. It is 1 where it is
    not estimable.

    Parameters
    ----------
    families
        All families.
    pair
        Families with two survivors whose correlation is asked for, shape (families,).
    shrinkage
        How strongly; 0 for not at all.
    """
    sums, survivors = _sums_by(families.stratum), families.survivors[:, None].astype(float)
    number = sums @ survivors
    usable = pair & ((sums @ np.ones_like(survivors))[families.stratum, 0] > 1)
    pairs = int(usable.sum())
    if not pairs:
        return np.ones(families.mean.shape[1])
    # Cross product and mean square of both members of a pair about the mean, shape (pairs, columns).
    deviation = (families.mean - ((sums @ (survivors * families.mean)) / number)[families.stratum])[usable]
    squared, within = (deviation - deviation.mean(axis=0)) ** 2, families.within[usable]
    cross, square = squared - within, squared + within
    # Where sisters are unlike, the means of N survivors and of all pairs lower the expected cross product.
    lowered = square * (1 / (number[families.stratum][usable] - 1) + 1 / (2 * pairs))
    variance, fourth = square.sum(axis=0), (square**2).sum(axis=0)
    known = variance > 0
    ratio = np.clip((cross + lowered).sum(axis=0) / np.where(known, variance, 1.0), 0, 1)
    # Pairs that carry the estimate: all where values are even, few where most pairs lack a rare state.
    carrying = variance**2 / np.where(known, fourth, 1.0)
    shrunk = carrying**2 / np.where(known, carrying**2 + shrinkage * pairs, 1.0)
    return np.where(known, ratio * shrunk, 1.0)


def weights(families: Summaries, kind: np.ndarray | None = None) -> np.ndarray:
    """Return the effective number of independent survivors m / (1 + (m - 1) r), shape (families, columns).

    Parameters
    ----------
    families
        All families, also those of strata with one arm.
    kind
        Kind of each family, shape (families,); the correlation r is estimated in each kind, and not shrunk, since the
        arms may differ in it. One kind by default.

    References
    ----------
    Kish, Survey Sampling (1965), section 5.4 (design effect).
    """
    weight = np.ones_like(families.mean)
    kind, shrinkage = (np.zeros(len(weight)), SHRINKAGE) if kind is None else (kind, 0.0)
    for value in np.unique(kind):
        pair = (kind == value) & (families.survivors == 2)
        weight[pair] = 2 / (1 + sister_correlation(families, pair, shrinkage))
    return weight


def score(families: Summaries, weight: np.ndarray) -> SisterScore:
    """Compare the arms within strata.

    The variance of a survivor's value is estimated in each stratum, and the correlation of families of one root cell
    over all of them, under the hypothesis that the arms do not differ.

    Parameters
    ----------
    families
        Families of strata with both arms.
    weight
        As :func:`weights`, shape (families, columns).

    References
    ----------
    Mantel and Haenszel, J. Natl. Cancer Inst. 22 (1959) 719; Rotnitzky and Jewell, Biometrika 77 (1990) 485 (score
    tests of correlated responses with a working covariance).
    """
    exposed, stratum = families.exposed[:, None].astype(float), families.stratum
    # Weights of all and of exposed families of each stratum, shape (strata, columns), and deviations from its mean.
    sums = _sums_by(stratum)
    total, arm = sums @ weight, sums @ (weight * exposed)
    deviation = families.mean - ((sums @ (weight * families.mean)) / total)[stratum]
    square = sums @ (weight * (deviation**2 + families.within))
    leverage = arm * (total - arm) / total
    observed = (exposed * weight * deviation).sum(axis=0)
    # Unrelated families: the mean square of a stratum has N - 1 degrees of freedom.
    alone = len(np.unique(families.root_cell)) == len(families.root_cell)
    if alone:
        variance = (leverage * _mean_square(square, total, np.zeros_like(total), 0.0)).sum(axis=0)
        return SisterScore(observed, variance, variance, leverage.sum(axis=0), np.zeros(len(variance)))
    kin, spread = _kin(families, weight, deviation, square)
    # Covariance of families of one root cell, from the parts of the score that multiply their values.
    part = np.sqrt(spread)[stratum] * weight * (exposed - (arm / total)[stratum])
    by_root_cell = _sums_by(np.unique(families.root_cell, return_inverse=True)[1]) @ part
    unrelated = (leverage * spread).sum(axis=0)
    variance = unrelated + kin * ((by_root_cell**2).sum(axis=0) - (part**2).sum(axis=0))
    return SisterScore(observed, variance, unrelated, leverage.sum(axis=0), kin)


def _kin(
    families: Summaries, weight: np.ndarray, deviation: np.ndarray, square: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the correlation of families of one root cell, (columns,), and variances of a survivor, (strata, columns).

    Products of deviations of families of one root cell are compared with their expectation. For a correlation c and
    variance 1, deviations from the stratum's weighted mean have, summed over the pairs of families of the same root
    cell and stratum, the expected product c p - q, where p and q follow from the weights alone.
    """
    code, root_cell = np.unique(
        np.column_stack([np.unique(families.root_cell, return_inverse=True)[1], families.stratum]), axis=0,
        return_inverse=True,
    )  # fmt: skip
    group, by_root_cell = _sums_by(root_cell.ravel()), _sums_by(code[:, 0])
    by_stratum = _sums_by(code[:, 1])
    # Sums of powers of the weights in each root cell and stratum, shape (groups, columns).
    own, second, third = (group @ weight**power for power in (1, 2, 3))
    total = by_stratum @ own
    shared = by_stratum @ (own**2 - second)
    p = shared - 2 * (by_stratum @ (own**3 - 2 * own * second + third)) / total + shared**2 / total**2
    q = shared / total
    # Products of deviations within a stratum, and between the strata of a root cell.
    product = group @ (weight * deviation)
    within = (product**2 - group @ (weight * deviation) ** 2).sum(axis=0)
    between = ((by_root_cell @ product) ** 2).sum(axis=0) - (product**2).sum(axis=0)
    kin = np.zeros(weight.shape[1])
    for _ in range(ROUNDS):
        spread = _mean_square(square, total, shared, kin)
        reach = np.sqrt(spread)[code[:, 1]] * own * (1 - own / total[code[:, 1]])
        apart = ((by_root_cell @ reach) ** 2).sum(axis=0) - (reach**2).sum(axis=0)
        expected = (spread * p).sum(axis=0) + apart
        found = within + between + (spread * q).sum(axis=0)
        kin = np.where(expected > 0, np.clip(found / np.where(expected > 0, expected, 1.0), 0, ALIKE_AT_MOST), 0.0)
    return kin, _mean_square(square, total, shared, kin)


def _mean_square(square: np.ndarray, total: np.ndarray, shared: np.ndarray, kin: np.ndarray | float) -> np.ndarray:
    """Return the variance of a survivor's value in each stratum, shape (strata, columns).

    ``square`` has N - 1 - kin * shared / N degrees of freedom, where N is the total weight of the stratum and
    ``shared`` the sum of products of the weights of families of one root cell.
    """
    freedom = total - 1 - kin * shared / total
    return np.divide(square, freedom, out=np.zeros_like(square), where=freedom > SMALLEST)


def _sums_by(code: np.ndarray) -> sparse.csr_array:
    """Return the matrix that sums rows by their code from 0, shape (codes, rows)."""
    rows = len(code)
    return sparse.csr_array((np.ones(rows), (code, np.arange(rows))), (int(code.max(initial=-1)) + 1, rows))
