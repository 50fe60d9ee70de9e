"""One decision over links, divisions, gaps, beginnings and ends of a field, with costs that the movie teaches.

Rounds of expectation maximisation: the evidence gives every candidate event its log odds, belief propagation gives the
probability of every event under the rule that an object is continued once and explained once, and the events, weighted
with their probability, teach the parameters of the evidence. At the end one integer programme over the whole movie,
split into connected components, chooses the events.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.spatial import KDTree

from cineseq.config.tracking import Track
from cineseq.tracking.candidates import Candidates, list_candidates, list_gaps
from cineseq.tracking.decoys import share_of_false
from cineseq.tracking.evidence import EventEvidence, Learnt, expected, unexplained
from cineseq.tracking.lineage import tracklets_of
from cineseq.tracking.linking_problem import LinkingProblem
from cineseq.tracking.mitosis import mitosis_cues
from cineseq.tracking.newborn import probability_of_division
from cineseq.tracking.packing import Packing, best_packing

ROUNDS = 4
"""Rounds of learning."""
MESSAGES, LAST_MESSAGES = 20, 60
"""Rounds of messages in each round of learning, and for the probabilities that are kept."""
PRUNED = 1
"""Round, from 0, after which candidates that cannot happen are dropped; the flow was learnt once before it."""
NEVER = 1e-6
"""Probability up to which a candidate is dropped then."""
FLOW_NEIGHBOURS = 20
"""Neighbours from whose links the local flow is taken after a round."""
FLOW_SURE = 0.5
"""Least probability of these links."""
HISTORY = 6
"""Frames over which the usual area of an object is taken."""
OPEN = 0.1
"""Least probability of an end, and of a beginning, between which a gap may be closed."""
REACH = 0.999
"""Share of the steps within the search range of gaps."""
FARTHEST_GAP = 2.0
"""Upper bound of this range, in distances between neighbours: farther on, any cell may be another one."""
LEAST_LINK = 0.3
"""Least probability of a link."""
REAL = 0.5
"""Least probability that a division is one cell that becomes two."""
MOST_CHOICES = 4
"""Most times that events are chosen: again without divisions of which a daughter is a piece of a mask."""
SLOPE, RAISE, FALL, FALLS_FROM = 0.411, 0.590, 0.481, -4.5
"""Calibration of log odds: they are shrunk by the first and raised by the second; the third is taken off for each unit
of the log of the mean doubt above the fourth. ``make bench-calibration`` fits them."""
DOUBT = 1e-4
"""Smallest mean doubt of a movie that is told from none."""


@dataclass(frozen=True)
class Decision:
    """The events of a field.

    Attributes
    ----------
    problem
        The linking problem, with the common motion as it was learnt.
    candidates
        All candidates that were considered to the end.
    probability
        Probability of each given the evidence, links and gaps first, shape (events,); see :attr:`confidence`.
    packing
        Which of them were chosen, and how.
    learnt
        What the movie taught.
    false_share
        Estimated share of false divisions among those at least as likely as each chosen one, shape (divisions,).
    decoys
        Number of apparent divisions of the reversed movie.
    """

    problem: LinkingProblem
    candidates: Candidates
    probability: np.ndarray
    packing: Packing
    learnt: Learnt
    false_share: np.ndarray
    decoys: int = 0

    @cached_property
    def links(self) -> np.ndarray:
        """Chosen links and gaps: rows of the first and second object, shape (links, 2)."""
        c, taken = self.candidates, self.packing.taken[: self.candidates.links]
        return np.c_[c.source[taken], c.target[taken]]

    @cached_property
    def divisions(self) -> np.ndarray:
        """Chosen divisions: rows of parent and daughters, shape (divisions, 3)."""
        c, taken = self.candidates, self.packing.taken[self.candidates.links :]
        return np.c_[c.parent[taken], c.first[taken], c.second[taken]]

    @cached_property
    def confidence(self) -> np.ndarray:
        """Calibrated probability of each candidate, shape (events,)."""
        links = slice(0, self.candidates.links)
        sure = self.probability[links][self.packing.taken[links]]
        return calibrated(self.probability, float(1 - sure.mean()) if len(sure) else 0.0)

    @cached_property
    def division_confidence(self) -> np.ndarray:
        """Calibrated probability of each chosen division, lowered by the share of decoys, shape (divisions,)."""
        births = slice(self.candidates.links, None)
        taken = self.packing.taken[births]
        return self.confidence[births][taken] * (1 - self.false_share)


def decide(problem: LinkingProblem, settings: Track) -> Decision:
    """Learn from the movie and choose the events of a field.

    Parameters
    ----------
    problem
        The linking problem; at least one object.
    settings
        The section ``track``.
    """
    candidates = list_candidates(problem)
    learnt = expected(problem, settings)
    usual = problem.log_area
    for turn in range(ROUNDS):
        evidence = _evidence(problem, candidates, settings, usual)
        probability = evidence.probabilities(learnt, MESSAGES)
        learnt = evidence.learn(learnt, probability, all_listed=turn <= PRUNED)
        if turn == ROUNDS - 1:
            break
        usual = usual_area(problem, candidates, probability)
        if problem.motion.kind != "none":
            problem = problem.moved(local_flow(problem, candidates, probability, settings.motion))
        # Drop what cannot happen; look for gaps where tracks end and begin.
        if turn == PRUNED:
            possible = (probability > NEVER) | candidates.within_births(probability > NEVER)
            candidates, probability = candidates.kept(possible), probability[possible]
        if turn == PRUNED and settings.max_gap > 0:
            candidates = _with_gaps(problem, candidates, probability, learnt, settings.max_gap)
    # Nothing but the parameters has changed since the last evidence.
    for _ in range(MOST_CHOICES):
        probability = evidence.probabilities(learnt, LAST_MESSAGES)
        packing = best_packing(_value(candidates, probability, settings), candidates.uses)
        births = packing.taken[candidates.links :]
        real = probability_of_division(problem, candidates, packing.taken, learnt)
        false = np.flatnonzero(births)[real < REAL]
        if len(false) == 0:
            break
        evidence.rule_out(false)
    chosen = Decision(problem, candidates, probability, packing, learnt, np.empty(0))
    if not len(chosen.divisions):
        return chosen
    share, decoys = share_of_false(evidence, births, chosen.links, learnt, MESSAGES)
    return replace(chosen, false_share=share, decoys=decoys)


def _evidence(problem: LinkingProblem, candidates: Candidates, settings: Track, usual: np.ndarray) -> EventEvidence:
    """Return the evidence of all candidates; ``usual`` is the log of the usual area, shape (objects,)."""
    cues = np.zeros(len(candidates.parent))
    if settings.mitosis_cues:
        cues = mitosis_cues(problem, candidates)
    return EventEvidence(problem, candidates, settings, cues, usual)


def _with_gaps(
    problem: LinkingProblem, candidates: Candidates, probability: np.ndarray, learnt: Learnt, longest: int
) -> Candidates:
    """Return the candidates with the gaps between objects that may end and begin a track where they are."""
    c = candidates
    ended, begun = unexplained(c, probability[: c.links], probability[c.links :])
    open_ends, open_begins = ended > OPEN, begun > OPEN
    reach = problem.limit or max(learnt.step.quantile(REACH), problem.size)
    return c.with_gaps(*list_gaps(problem, open_ends, open_begins, min(reach, FARTHEST_GAP * problem.spacing), longest))


def local_flow(problem: LinkingProblem, candidates: Candidates, probability: np.ndarray, wanted: str) -> np.ndarray:
    """Return the common motion as the likely links show it, shape (objects, 2).

    The median displacement of the twenty nearest other objects with a likely link; of all in a frame with eleven to
    twenty of them, or if ``wanted`` is ``drift``. In a frame with fewer the motion stays as it was.
    """
    c, points = candidates, problem.points
    sure = (probability[: c.links] > FLOW_SURE) & (c.steps == 1)
    source, moved = c.source[sure], (points[c.target] - points[c.source])[sure]
    order = np.argsort(source, kind="stable")
    source, moved = source[order], moved[order]
    shift = problem.motion.shift.copy()
    for rows in problem.rows:
        here = slice(*np.searchsorted(source, [rows.start, rows.stop]))
        known = points[source[here]]
        if len(known) > FLOW_NEIGHBOURS and wanted != "drift":
            distance, near = KDTree(known).query(points[rows], k=FLOW_NEIGHBOURS + 1)
            own = distance[:, :1] == 0  # an object with a link is its own nearest neighbour: leave it out
            shift[rows] = np.median(moved[here][np.where(own, near[:, 1:], near[:, :-1])], axis=1)
        elif len(known) > FLOW_NEIGHBOURS // 2:
            shift[rows] = np.median(moved[here], axis=0)
    return shift


def usual_area(problem: LinkingProblem, candidates: Candidates, probability: np.ndarray) -> np.ndarray:
    """Return the log of the median area over the last six frames of each object, along likely links, (objects,)."""
    c = candidates
    link = probability[: c.links]
    likely = (link > FLOW_SURE) & (c.steps == 1)
    before = np.full(c.objects, -1)
    before[c.target[likely]] = c.source[likely]
    area, at = problem.log_area, np.arange(c.objects)
    seen = []
    for _ in range(HISTORY):
        seen.append(np.where(at >= 0, area[at], np.nan))
        at = np.where(at >= 0, before[at], -1)
    return np.nanmedian(seen, axis=0)


def _value(candidates: Candidates, probability: np.ndarray, settings: Track) -> np.ndarray:
    """Return the value of taking each event: its expected number of right links over those asked for.

    The set of the largest total value has the most right links in expectation, at the price of :data:`LEAST_LINK` of a
    right link for each that is taken (minimum Bayes risk). A division has two links; its price is the setting.
    """
    links = candidates.links
    value = np.empty(len(probability))
    value[:links] = probability[:links] - LEAST_LINK
    value[links:] = 2 * (probability[links:] - settings.division_probability)
    return value


def calibrated(
    probability: np.ndarray, doubt: float, *, slope: float = SLOPE, up: float = RAISE, fall: float = FALL
) -> np.ndarray:
    """Return probabilities that are about as often right as they say.

    Belief propagation knows only what the evidence models, so it is too sure, the more so where the movie is hard. The
    log odds are shrunk, and lowered where the mean doubt is large. The curve is fitted to links in movies of
    ``benchmarks/bench_tracking.py`` by ``benchmarks/bench_calibration.py``, which also prints the error in sets of
    movies that are left out of the fit.

    Parameters
    ----------
    probability
        From belief propagation, any shape.
    doubt
        Mean of one minus the probability of the chosen links.
    slope, up, fall
        Constants of the calibration; see :data:`SLOPE`.
    """
    inside = np.clip(probability, 1e-25, 1 - 1e-16)  # of which log odds are finite
    log_odds = np.log(inside) - np.log1p(-inside)
    shrunk = slope * log_odds + up - fall * max(0.0, np.log(doubt + DOUBT) - FALLS_FROM)
    return np.where(probability > 0, 1 / (1 + np.exp(-shrunk)), 0.0)


def tracklets(decision: Decision) -> np.ndarray:
    """Return the tracklet of each object, from 0 in the order of their first objects, shape (objects,)."""
    before = np.full(decision.candidates.objects, -1)
    before[decision.links[:, 1]] = decision.links[:, 0]
    return tracklets_of(before)
