"""Evidence for candidate events: log likelihood ratios whose parameters the movie teaches.

The log odds of a link are those of "this object became that one" against "one ended and the other began here": the
density of the step, of the change of size and shape and of the overlap of masks under the link, over the density of
beginnings at that place (their rate times the local density of objects) and of the sizes and shapes of all objects; and
the rate of going on over the rate of ending. Those of a division compare likewise. The idea is that of Jaqaman et al.
(2008, Nature Methods 5, 695) and Magnusson et al. (2015, IEEE Trans. Med. Imaging 34, 911), with costs that are log
likelihoods and parameters that come from the movie.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from cineseq.config.tracking import Track
from cineseq.tracking.candidates import Candidates
from cineseq.tracking.densities import (
    PRIOR,
    TAILS,
    TAILS_OF_STEPS,
    Change,
    Overlap,
    Rate,
    Step,
    log_kernel_density,
    log_student,
)
from cineseq.tracking.linking_problem import BIRTH_SHARE, CUT, LinkingProblem
from cineseq.tracking.marginals import probabilities

UNLIKE = 0.1
"""Share of links over which size and shape change beyond what is usual (a cell rounds up, a mask is wrong): size and
shape can then speak against a link no more than so."""
UNLIKE_BIRTH = 0.1
"""The same of divisions, before the movie is seen."""
WEIGHT_OF_OVERLAP = 0.15
"""Weight of overlaps. Most of what an overlap says is said by the step already; this much is not."""
MISSED = (0.01, 0.01, 100)
"""Rate of missed detections: as for :data:`DIVISION`."""
STILL_MISSED = 0.3
"""Probability that a cell that is missed in one frame is missed in the next one, too."""
PRIOR_OF_UNLIKE = 20
"""Divisions that the share of unusual ones counts for before the movie is seen."""
PRIOR_OF_BIRTH = 10.0
"""Divisions that the distance of daughters, and the place of their middle, count for before the movie is seen."""
SPREAD_APART = 0.3
"""Standard deviation of the log distance between daughters before the movie is seen."""
STEP, MIDDLE = 0.15, 0.2
"""Scale of steps, in distances between neighbours, and of the middle between daughters, in object sizes, before the
movie is seen."""
PLACES = ("inside", "edge", "cut")
"""Names of the places of objects, by their code: ``INSIDE``, ``EDGE`` and ``CUT``."""
DIVISION = (0.02, 0.01, 50)
"""Rate of divisions: where learning starts, the rate that is expected, and the observations that this counts for."""
ENDS = {"inside": (0.02, 0.01, 50), "edge": (0.05, 0.03, 50), "cut": (0.15, 0.15, 30)}
"""Rates of ends, by place, likewise."""
BEGINNINGS = {"inside": (0.002, 0.002, 50), "edge": (0.05, 0.02, 50), "cut": (0.15, 0.15, 30)}
"""Rates of beginnings; inside the field they are rare, as cells come from cells."""


@dataclass(frozen=True)
class Learnt:
    """What the movie teaches; see :class:`EventEvidence` for the use of each.

    Attributes
    ----------
    step, middle
        Steps after the common motion; places of the middle between daughters.
    apart
        Mean and standard deviation of the log distance between daughters in px.
    area, elongation
        Changes of log area and elongation over one frame.
    asymmetry, sum, sum_usual, union
        Of a division: difference of the log areas of the daughters; log area of both over that of the parent in its
        last frame, and over its usual area (the one that varies less is used: cells may round up); elongation of both
        together over that of the parent.
    overlap, birth_overlap
        Overlap of the moved mask with the next one, and with both daughters.
    unlike_birth
        Share of divisions with unusual sizes or shapes.
    division, missed
        Rates per object and frame.
    end, begin
        Rates of ends and beginnings per object and frame, by place.
    """

    step: Step
    middle: Step
    apart: tuple[float, float]
    division: Rate
    missed: Rate
    end: dict[str, Rate]
    begin: dict[str, Rate]
    unlike_birth: float = UNLIKE_BIRTH
    area: Change = field(default_factory=lambda: Change.expected(0.0, 0.15))
    elongation: Change = field(default_factory=lambda: Change.expected(0.0, 0.15))
    asymmetry: Change = field(default_factory=lambda: Change.expected(0.0, 0.2))
    sum: Change = field(default_factory=lambda: Change.expected(0.05, 0.2))
    sum_usual: Change = field(default_factory=lambda: Change.expected(0.05, 0.2))
    union: Change = field(default_factory=lambda: Change.expected(0.0, 0.3))
    overlap: Overlap = field(default_factory=Overlap.unknown)
    birth_overlap: Overlap = field(default_factory=Overlap.unknown)


def expected(problem: LinkingProblem, settings: Track) -> Learnt:
    """Return what is expected before the movie is seen."""
    least = problem.least_variance
    step = max((STEP * problem.spacing) ** 2, least)
    if settings.step_noise_px is not None:
        step = settings.step_noise_px**2
    middle = max((MIDDLE * problem.size) ** 2, least)
    stated = {"inside": settings.end_rate}, {"inside": settings.appearance_rate}
    end, begin = (
        {place: Rate.expected(*rates[place], known.get(place)) for place in PLACES}
        for rates, known in zip((ENDS, BEGINNINGS), stated, strict=True)
    )
    return Learnt(
        step=Step(step, TAILS, (step, PRIOR), least),
        middle=Step(middle, TAILS, (middle, PRIOR_OF_BIRTH), least),
        apart=(float(np.log(BIRTH_SHARE * problem.birth_length)), SPREAD_APART),
        division=Rate.expected(*DIVISION, settings.division_rate),
        missed=Rate.expected(*MISSED, settings.missed_rate),
        end=end,
        begin=begin,
    )


class EventEvidence:
    """Measurements of all candidates, from which their log odds follow.

    Parameters
    ----------
    problem
        The linking problem.
    candidates
        The candidate events.
    settings
        The section ``track``.
    cues
        Signs of mitosis in the parent of each division, shape (divisions,); 0 where there is none.
    usual_area
        Log of the median area over the last frames of each object, shape (objects,).
    """

    def __init__(
        self,
        problem: LinkingProblem,
        candidates: Candidates,
        settings: Track,
        cues: np.ndarray,
        usual_area: np.ndarray,
    ) -> None:
        self.problem, self.candidates, self.settings, self.cues = problem, candidates, settings, cues
        c, area, shape = candidates, problem.log_area, problem.elongation
        # Objects that are all of one size, or all round, are placeholders, as of points.
        self.sizes_are_known, self.shapes_are_known = bool(np.ptp(area) > 0), bool(shape.any())
        # Links, shape (links,): squared step, changes of size and shape, overlap, and whether the border cuts either.
        self.step = _squared(problem.residual(c.source, c.target))
        self.grown = area[c.target] - area[c.source]
        self.stretched = shape[c.target] - shape[c.source]
        shared = problem.shared(c.source, c.target)
        self.overlap = _over_union(shared, np.exp(area[c.source]) + np.exp(area[c.target]))
        cut = problem.place == CUT
        self.link_cut = cut[c.source] | cut[c.target]
        # Divisions, shape (divisions,).
        m, a, b = c.parent, c.first, c.second
        both = np.logaddexp(area[a], area[b])
        self.middle = _squared((problem.points[a] + problem.points[b]) / 2 - problem.expected[m])
        self.log_apart = np.log(np.maximum(np.hypot(*(problem.points[a] - problem.points[b]).T), 1e-3))
        self.asymmetry = area[a] - area[b]
        self.sum = both - area[m]
        self.sum_usual = both - usual_area[m]
        self.joint = _union_elongation(problem, a, b)
        self.union = self.joint - shape[m]
        shared = problem.shared(m, a) + problem.shared(m, b)
        self.birth_overlap = _over_union(shared, np.exp(area[m]) + np.exp(both))
        self.birth_cut = cut[m] | cut[a] | cut[b]

    def log_odds(self, learnt: Learnt) -> np.ndarray:
        """Return the log odds of all candidates, links and gaps first, shape (events,)."""
        c, weight = self.candidates, WEIGHT_OF_OVERLAP * self.settings.overlap_weight
        place = self.problem.place
        end = by_place(learnt.end, place)
        begin = np.log(by_place(learnt.begin, place) * self.problem.density)
        link = np.log((1 - end - learnt.division.value).clip(1e-6) / end)[c.source] - begin[c.target]
        link += learnt.step.log_density(self.step, c.steps)
        link += _mixed(self._alike(learnt), UNLIKE)
        unseen = c.steps - 1
        link += np.where(unseen > 0, np.log(learnt.missed.value) + (unseen - 1) * np.log(STILL_MISSED), 0.0)
        link += np.where(c.steps == 1, weight * learnt.overlap.log_ratio(self.overlap), 0.0)
        birth = np.log(2 * learnt.division.value / end[c.parent]) - begin[c.first] - begin[c.second]
        birth += learnt.middle.log_density(self.middle) + self._log_density_apart(learnt)
        birth += _mixed(self._alike_birth(learnt), learnt.unlike_birth)
        birth += weight * learnt.birth_overlap.log_ratio(self.birth_overlap) + self.cues
        return np.r_[link, birth]

    def rule_out(self, births: np.ndarray) -> None:
        """Give divisions, by their numbers, the probability 0."""
        self.cues[births] = -np.inf

    def probabilities(self, learnt: Learnt, messages: int) -> np.ndarray:
        """Return the probability of all candidates by so many rounds of messages, shape (events,)."""
        c = self.candidates
        return probabilities(self.log_odds(learnt), c.uses, 2 * c.objects, messages)

    def _log_density_apart(self, learnt: Learnt) -> np.ndarray:
        """Return the log density (per px2) of the vector between daughters: log-normal length, any direction."""
        mean, spread = learnt.apart
        normal = -0.5 * ((self.log_apart - mean) / spread) ** 2 - np.log(spread * np.sqrt(2 * np.pi))
        return normal - 2 * self.log_apart - np.log(2 * np.pi)

    def _alike(self, learnt: Learnt) -> np.ndarray:
        """Return the log likelihood ratio of size and shape of links; 0 where the border cuts an object."""
        target, shape = self.candidates.target, self.problem.elongation
        ratio = np.zeros(len(target))
        if self.sizes_are_known:
            ratio += learnt.area.log_density(self.grown) - self._size_among_all(learnt)[target]
        if self.shapes_are_known:
            ratio += learnt.elongation.log_density(self.stretched).sum(axis=1)
            ratio -= self._shape_among_all(shape, learnt.elongation)[target]
        return np.where(self.link_cut, 0.0, ratio.clip(-50, 50))

    def _alike_birth(self, learnt: Learnt) -> np.ndarray:
        """Return that of divisions; where the border cuts an object it can only speak against one."""
        c = self.candidates
        ratio = np.zeros(len(c.parent))
        if self.sizes_are_known:
            among_all = self._size_among_all(learnt)
            ratio += learnt.asymmetry.log_density(self.asymmetry)
            if learnt.sum_usual.scale < learnt.sum.scale:
                ratio += learnt.sum_usual.log_density(self.sum_usual)
            else:
                ratio += learnt.sum.log_density(self.sum)
            ratio -= among_all[c.first] + among_all[c.second]
        if self.shapes_are_known:
            ratio += learnt.union.log_density(self.union).sum(axis=1)
            ratio -= self._shape_among_all(self.joint, learnt.union)
        return np.where(self.birth_cut, np.minimum(ratio, 0.0), ratio).clip(-50, 50)

    def _size_among_all(self, learnt: Learnt) -> np.ndarray:
        """Return the log density of the log area of each object among all objects, shape (objects,)."""
        return log_kernel_density(self.problem.log_area, learnt.area.scale)

    def _shape_among_all(self, shape: np.ndarray, change: Change) -> np.ndarray:
        """Return the log density of elongations, shape (rows, 2), among all objects that change so, shape (rows,)."""
        scale = float(np.hypot(_spread(self.problem.elongation.ravel()), change.scale))
        return log_student(shape, scale).sum(axis=1)

    def learn(self, learnt: Learnt, probability: np.ndarray, *, all_listed: bool) -> Learnt:
        """Return what events with these probabilities teach, shape (events,).

        Overlaps are learnt only while all candidates are listed, the unlikely ones, too.
        """
        c = self.candidates
        link, birth = probability[: c.links], probability[c.links :]
        near = np.where(c.steps == 1, link, 0.0)  # gaps teach only how many there are
        # Events whose sizes and shapes are as usual, and not cut by the border, teach what is usual.
        usual = near * ~self.link_cut * _share_as_usual(self._alike(learnt), UNLIKE)
        as_usual = _share_as_usual(self._alike_birth(learnt), learnt.unlike_birth)
        usual_birth = birth * ~self.birth_cut * as_usual
        # Overlaps are compared with those of candidates that are not out of the question. Before the movie is seen,
        # daughters overlap with their parent as a cell does with itself.
        likely, born = (link > 0) & (c.steps == 1), birth > 0
        overlap, birth_overlap = learnt.overlap, learnt.birth_overlap
        if all_listed:
            overlap = overlap.fitted(self.overlap[likely], link[likely])
            birth_overlap = birth_overlap.fitted(self.birth_overlap[born], birth[born], overlap)
        step, linked = learnt.step, c.steps == 1
        if self.settings.step_noise_px is None:
            step = step.fitted(self.step[linked], link[linked], TAILS_OF_STEPS)
        # The two components of a shape are two observations, shape (2 * events,).
        usual_twice, births_twice = np.repeat(usual, 2), np.repeat(usual_birth, 2)
        return replace(
            self._learn_rates(learnt, link, birth),
            step=step,
            middle=learnt.middle.fitted(self.middle, birth),
            apart=self._learn_apart(birth),
            area=learnt.area.fitted(self.grown, usual),
            elongation=learnt.elongation.fitted(self.stretched.ravel(), usual_twice),
            asymmetry=learnt.asymmetry.fitted(
                np.r_[self.asymmetry, -self.asymmetry], np.r_[usual_birth, usual_birth] / 2
            ),
            sum=learnt.sum.fitted(self.sum, usual_birth),
            sum_usual=learnt.sum_usual.fitted(self.sum_usual, usual_birth),
            union=learnt.union.fitted(self.union.ravel(), births_twice),
            overlap=overlap,
            birth_overlap=birth_overlap,
            unlike_birth=float(
                (birth @ (1 - as_usual) + PRIOR_OF_UNLIKE * UNLIKE_BIRTH) / (birth.sum() + PRIOR_OF_UNLIKE)
            ),
        )

    def _learn_rates(self, learnt: Learnt, link: np.ndarray, birth: np.ndarray) -> Learnt:
        """Return the rates: what the events leave unexplained has ended or begun."""
        c, frame, place = self.candidates, self.problem.frame, self.problem.place
        ended, begun = unexplained(c, link, birth)
        early, late = frame < self.problem.frames - 1, frame > 0
        end, begin = dict(learnt.end), dict(learnt.begin)
        for code, name in enumerate(PLACES):
            here = place == code
            end[name] = end[name].fitted(ended[here & early].sum(), int((here & early).sum()))
            begin[name] = begin[name].fitted(begun[here & late].sum(), int((here & late).sum()))
        chances = int(early.sum())
        return replace(
            learnt,
            end=end,
            begin=begin,
            division=learnt.division.fitted(float(birth.sum()), chances),
            missed=learnt.missed.fitted(float(link[c.steps > 1].sum()), chances),
        )

    def _learn_apart(self, birth: np.ndarray) -> tuple[float, float]:
        """Return mean and standard deviation of the log distance between daughters."""
        prior = np.log(BIRTH_SHARE * self.problem.birth_length)
        total = birth.sum() + PRIOR_OF_BIRTH
        mean = (birth @ self.log_apart + PRIOR_OF_BIRTH * prior) / total
        square = (birth @ (self.log_apart - mean) ** 2 + PRIOR_OF_BIRTH * SPREAD_APART**2) / total
        return float(mean), float(np.sqrt(square))


def unexplained(candidates: Candidates, link: np.ndarray, birth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities that each object ends, and begins, without an event, shape (objects,) each."""
    c, n = candidates, candidates.objects
    on = np.bincount(c.source, link, n) + np.bincount(c.parent, birth, n)
    off = np.bincount(c.target, link, n) + np.bincount(c.first, birth, n) + np.bincount(c.second, birth, n)
    return np.clip(1 - on, 0, 1), np.clip(1 - off, 0, 1)


def _mixed(log_ratio: np.ndarray, unlike: float) -> np.ndarray:
    """Return log likelihood ratios of size and shape where a share ``unlike`` of events is unusual and says nothing."""
    return np.log(unlike + (1 - unlike) * np.exp(log_ratio))


def _share_as_usual(log_ratio: np.ndarray, unlike: float) -> np.ndarray:
    """Return the probability that each event is none of the unusual ones, given that it happened."""
    ratio = (1 - unlike) * np.exp(log_ratio)
    return ratio / (unlike + ratio)


def by_place(rates: dict[str, Rate], place: np.ndarray) -> np.ndarray:
    """Return the rate of each object, shape (objects,)."""
    return np.array([rates[name].value for name in PLACES])[place]


def _spread(values: np.ndarray) -> float:
    """Return a robust standard deviation."""
    return max(1.4826 * float(np.median(np.abs(values - np.median(values)))), 0.02)


def _squared(vectors: np.ndarray) -> np.ndarray:
    return (vectors**2).sum(axis=1)


def _over_union(shared: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """Return intersection over union, from shared pixels and summed areas."""
    return shared / np.maximum(areas - shared, 1.0)


def _union_elongation(problem: LinkingProblem, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the elongation of two objects taken together, shape (pairs, 2), from their second moments."""
    area = np.exp(problem.log_area)
    share = (area[a] / (area[a] + area[b]))[:, None]
    apart = problem.points[a] - problem.points[b]
    moments = share * _moments(problem, a) + (1 - share) * _moments(problem, b)
    moments += share * (1 - share) * np.c_[apart[:, 0] ** 2, apart[:, 0] * apart[:, 1], apart[:, 1] ** 2]
    yy, yx, xx = moments.T
    middle, half = (yy + xx) / 2, np.hypot((yy - xx) / 2, yx)
    log_ratio = 0.5 * np.log((middle + half) / np.maximum(middle - half, 1e-3))
    twice = np.arctan2(2 * yx, yy - xx)
    return np.c_[log_ratio * np.cos(twice), log_ratio * np.sin(twice)]


def _moments(problem: LinkingProblem, rows: np.ndarray) -> np.ndarray:
    """Return the second central moments (yy, yx, xx) in px2 of the ellipse of each object, shape (rows, 3)."""
    e0, e45 = problem.elongation[rows].T
    ratio = np.hypot(e0, e45)
    angle = np.arctan2(e45, e0) / 2
    mean = np.exp(problem.log_area[rows]) / (4 * np.pi)
    longer, shorter = mean * np.exp(ratio), mean * np.exp(-ratio)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.c_[longer * cos**2 + shorter * sin**2, (longer - shorter) * cos * sin, longer * sin**2 + shorter * cos**2]
