"""Apparent divisions that are none, by what newborn cells look like in this movie.

A dying cell or a poor mask falls into pieces. These are smaller than newborn cells, and often gone in the next frame.
In the first frame two cells can share a mask, of which later frames know from before. These are larger than newborn
cells when they part.
"""

from __future__ import annotations

import numpy as np

from cineseq.tracking.candidates import Candidates
from cineseq.tracking.densities import Change, log_kernel_density, log_student
from cineseq.tracking.evidence import Learnt, by_place
from cineseq.tracking.linking_problem import CUT, LinkingProblem

PIECES, GONE = 0.003, 0.5
"""Share of daughters that are pieces, before they are seen, and share of pieces that are gone in the next frame."""
SHARED = 0.003
"""Share of masks of the first frame that are of two cells and part in the next one."""
NEWBORN = (-0.4, 0.25)
"""Log area of newborn cells less the median of all cells, and its scale, before the movie is seen."""
SMALLER = (-1.3, 0.5)
"""Log area of pieces less that of newborn cells, and its scale."""
FITS = 3
"""Steps of the fit of the area of newborn cells."""


def probability_of_division(
    problem: LinkingProblem, candidates: Candidates, taken: np.ndarray, learnt: Learnt
) -> np.ndarray:
    """Return the probability that each chosen division is that of one cell into two.

    By Bayes' rule: a piece of a mask is smaller than a newborn cell, and it is often gone in the next frame, a cell as
    rarely as cells end there or are missed. In the first frame the
    alternative to a division is a shared mask, of cells with the areas of all cells.

    Parameters
    ----------
    problem
        The linking problem.
    candidates
        The candidate events.
    taken
        Which of them are chosen, shape (events,).
    learnt
        What the movie taught.

    Returns
    -------
    numpy.ndarray
        Shape (chosen divisions,).
    """
    c, births = candidates, taken[candidates.links :]
    seen_again = np.zeros(c.objects, bool)
    seen_again[c.source[taken[: c.links]]] = True
    seen_again[c.parent[births]] = True
    first, second = c.first[births], c.second[births]
    born = np.r_[first, second]
    # The size of newborn cells here.
    size = problem.log_area
    usual = Change.expected(float(np.median(size)) + NEWBORN[0], NEWBORN[1])
    for _ in range(FITS):
        usual = usual.fitted(size[born], np.ones(len(born)))
    # How much more likely a piece looks like a daughter than a cell does, by its size and by what follows; and the odds
    # that one daughter is a piece, or that both are, shape (divisions,).
    gone = ~seen_again & (problem.frame < problem.frames - 1) & (problem.place != CUT)
    lost = (by_place(learnt.end, problem.place) + learnt.missed.value).clip(max=0.5)
    ratio = log_student(size[born] - usual.centre - SMALLER[0], SMALLER[1]) - usual.log_density(size[born])
    ratio += np.where(gone, np.log(GONE / lost), np.log((1 - GONE) / (1 - lost)))[born]
    one, other = np.exp(ratio.clip(-20, 20)).reshape(2, -1)
    pieces = PIECES * (one + other + one * other)
    # The odds of a shared mask in the first frame, shape (divisions,).
    larger = log_kernel_density(size, learnt.area.scale)[born] - usual.log_density(size[born])
    shared = SHARED / learnt.division.value * np.exp(larger.reshape(2, -1).sum(axis=0))
    first_frame = problem.frame[c.parent[births]] == 0
    return 1 / (1 + pieces + np.where(first_frame, shared, 0.0))
