"""Apparent divisions that are none, by what newborn cells look like in this movie.

A dying cell or a poor mask falls into pieces. A piece is gone in the next frame, and it is smaller than newborn cells.
In the first frame two cells can share a mask, of which later frames know from before. These are larger than newborn
cells when they part.
"""

from __future__ import annotations

import numpy as np

from cineseq.tracking.candidates import Candidates
from cineseq.tracking.densities import Change, log_kernel_density, log_student
from cineseq.tracking.evidence import Learnt, by_place
from cineseq.tracking.linking_problem import CUT, LinkingProblem

PIECES = 0.003
"""Share of newborn cells that are pieces, before they are seen."""
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

    By Bayes' rule: a piece of a mask is gone in the next frame, a cell as rarely as tracks end where it is. A daughter
    that is seen again, is cut by the border of the image, or is in the last frame, is no piece. In the first frame the
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
    # The odds of a piece, shape (2 * divisions,).
    smaller = log_student(size[born] - usual.centre - SMALLER[0], SMALLER[1]) - usual.log_density(size[born])
    odds = PIECES * np.exp(smaller) / by_place(learnt.end, problem.place[born])
    gone = ~seen_again & (problem.frame < problem.frames - 1) & (problem.place != CUT)
    cell = np.where(gone[born], 1 / (1 + odds), 1.0).reshape(2, -1)
    # The odds of a shared mask in the first frame, shape (divisions,).
    larger = log_kernel_density(size, learnt.area.scale)[born] - usual.log_density(size[born])
    shared = SHARED / learnt.division.value * np.exp(larger.reshape(2, -1).sum(axis=0))
    first_frame = problem.frame[c.parent[births]] == 0
    return cell[0] * cell[1] * np.where(first_frame, 1 / (1 + shared), 1.0)
