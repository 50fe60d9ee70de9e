"""Decoys: apparent divisions of the reversed movie, which tell how many divisions of the movie may be false.

Cells divide but do not fuse. The reversed movie therefore has no divisions, and whatever looks like one there is a
merge of masks or a cell that leaves beside another. Touching cells come together as often as they separate, so the
number of these decoys estimates the number of false divisions, as in the target-decoy search of proteomics (Elias and
Gygi 2007, Nature Methods 4, 207).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cineseq.tracking.candidates import list_candidates
from cineseq.tracking.evidence import EventEvidence, Learnt
from cineseq.tracking.linking_problem import LinkingProblem

LEAST = 0.5
"""Least probability of a decoy."""
LEAST_GAIN = 0.5
"""Fraction of the smaller cell's area that a shared mask must gain."""


class ReversedProblem(LinkingProblem):
    """The linking problem of the reversed movie."""

    def passable(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Return whether a cell can move from ``after`` to ``before`` in the time of the movie, shape (pairs,)."""
        return super().passable(after, before)


def share_of_false(
    evidence: EventEvidence, chosen: np.ndarray, links: np.ndarray, learnt: Learnt, messages: int
) -> tuple[np.ndarray, int]:
    """Estimate the share of false divisions among those at least as likely as each.

    Both directions of time are scored alike: with the same rate of beginnings and ends, the geometric mean of both.

    Parameters
    ----------
    evidence
        The evidence of the movie.
    chosen
        Which candidate divisions were chosen, shape (divisions,).
    links
        Chosen links: rows of the first and second object, shape (links, 2).
    learnt
        What the movie taught.
    messages
        Rounds of messages.

    Returns
    -------
    tuple
        The share for each chosen division, shape (chosen,), and the number of decoys.
    """
    means = {
        place: replace(rate, value=float(np.sqrt(rate.value * learnt.begin[place].value)))
        for place, rate in learnt.end.items()
    }
    alike = replace(learnt, end=means, begin=means)
    targets = evidence.probabilities(alike, messages)[evidence.candidates.links :][chosen]
    back = reversed_problem(evidence.problem, links)
    candidates = list_candidates(back)
    none = np.zeros(len(candidates.parent))
    turned = EventEvidence(back, candidates, evidence.settings, none, back.log_area)
    alike = replace(alike, area=replace(alike.area, centre=-alike.area.centre))
    # The likeliest decoy of each object, of those whose mask gains the area of a cell.
    likely = turned.probabilities(alike, messages)[candidates.links :]
    best = np.zeros(candidates.objects)
    np.maximum.at(best, candidates.parent, np.where(_gained(turned), likely, 0.0))
    decoys = best[best > LEAST]
    return false_share(targets, decoys), len(decoys)


def _gained(evidence: EventEvidence) -> np.ndarray:
    """Return whether the one mask of each apparent division has gained the area of the other cell, (divisions,).

    Where a cell leaves beside another, the mask of that one hardly grows.
    """
    c, area = evidence.candidates, np.exp(evidence.problem.log_area)
    return gains(area[c.parent], area[c.first], area[c.second])


def gains(shared: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return whether shared masks gained at least half of the smaller of two cells, from areas, shape (pairs,) each."""
    return (shared - np.maximum(one, other)) / np.minimum(one, other) > LEAST_GAIN


def reversed_problem(problem: LinkingProblem, links: np.ndarray) -> ReversedProblem:
    """Return the linking problem of the reversed movie; its rows are sorted by frame of the reversed movie."""
    n = len(problem.table)
    order = np.lexsort((np.arange(n), -problem.frame))
    row = np.argsort(order)
    table = problem.table.iloc[order].reset_index(drop=True)
    table["frame"] = problem.frames - 1 - table["frame"]
    # Overlaps of moved masks, with source and target exchanged.
    source, target = np.divmod(problem.overlaps[0], n)
    codes = row[target] * n + row[source]
    sorted_codes = np.argsort(codes)
    return ReversedProblem(
        table,
        problem.extent,
        replace(problem.motion, shift=_shift_back(problem, links)[order]),
        problem.compartment[order],
        (codes[sorted_codes], problem.overlaps[1][sorted_codes]),
        problem.limit,
        problem.without_overlaps,
    )


def _shift_back(problem: LinkingProblem, links: np.ndarray) -> np.ndarray:
    """Return the expected displacement of each object to the frame before, shape (objects, 2).

    It is minus the shift of the object that it is linked to, or minus the median shift of that frame.
    """
    back = np.zeros_like(problem.points)
    shift = problem.motion.shift
    for before, after in zip(problem.rows[:-1], problem.rows[1:], strict=True):
        if before.start < before.stop:
            back[after] = -np.median(shift[before], axis=0)
    near = problem.frame[links[:, 1]] == problem.frame[links[:, 0]] + 1
    back[links[near, 1]] = -shift[links[near, 0]]
    return back


def false_share(probability: np.ndarray, decoys: np.ndarray) -> np.ndarray:
    """Return the estimated share of false divisions among those that are at least as likely.

    The number of decoys from a probability on, divided by the number of divisions from it on plus one, so that a
    single division is never all false; the smallest estimate over all lower probabilities (a q-value), at most 1.

    Parameters
    ----------
    probability
        Probabilities of the divisions, shape (divisions,).
    decoys
        Probabilities of the decoys, shape (decoys,).

    Returns
    -------
    numpy.ndarray
        Shape (divisions,).
    """
    order = np.argsort(-probability, kind="stable")
    likelier = len(decoys) - np.searchsorted(np.sort(decoys), probability[order], side="left")
    share = likelier / (np.arange(len(probability)) + 2)
    smallest = np.empty(len(probability))
    smallest[order] = np.minimum.accumulate(share[::-1])[::-1]
    return np.minimum(smallest, 1.0)
