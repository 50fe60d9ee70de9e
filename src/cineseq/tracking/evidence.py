"""EventEvidence for candidate events: log likelihood ratios whose parameters the movie teaches.

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
from cineseq.tracking.densities import LEAST_VARIANCE, TAILS_OF_STEPS, Change, Overlap, Rate, Step, log_student
from cineseq.tracking.linking_problem import BIRTH_SHARE, CUT, EDGE, INSIDE, LinkingProblem

UNLIKE = 0.1
"""Share of links over which size and shape change beyond what is usual (a cell rounds up, a mask is wrong): size and
shape can then speak against a link no more than so."""
UNLIKE_BIRTH = 0.1
"""The same of divisions, before the movie is seen."""
WEIGHT_OF_OVERLAP = 0.15
"""Weight of overlaps. Most of what an overlap says is said by the step already; this much is not."""
MISSED = (0.01, 100.0)
"""Rate of missed detections before the movie is seen, and the observations that it counts for."""
STILL_MISSED = 0.3
"""Probability that a cell that is missed in one frame is missed in the next one, too."""
PLACES = ("inside", "edge", "cut")


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


PRIOR_OF_MIDDLE, PRIOR_OF_APART = 10.0, 0.3


def expected(problem: LinkingProblem, settings: Track) -> Learnt:
    """Return what is expected before the movie is seen."""
    step = max((0.15 * problem.spacing) ** 2, LEAST_VARIANCE)
    if settings.step_noise_px is not None:
        step = settings.step_noise_px**2
    middle = max((0.2 * problem.size) ** 2, LEAST_VARIANCE)
    end, begin = settings.end_rate, settings.appearance_rate
    return Learnt(
        step=Step(step, 4.0, (step, 10.0)),
        middle=Step(middle, 4.0, (middle, PRIOR_OF_MIDDLE)),
        apart=(float(np.log(BIRTH_SHARE * problem.birth_length)), PRIOR_OF_APART),
        division=Rate.expected(0.02, 0.01, 50, settings.division_rate),
        missed=Rate.expected(*MISSED[:1], *MISSED, settings.missed_rate),
        end=dict(
            zip(
                PLACES,
                (Rate.expected(0.02, 0.01, 50, end), Rate.expected(0.05, 0.03, 50), Rate.expected(0.15, 0.15, 30)),
                strict=True,
            )
        ),
        begin=dict(
            zip(
                PLACES,
                (Rate.expected(0.002, 0.002, 50, begin), Rate.expected(0.05, 0.02, 50), Rate.expected(0.15, 0.15, 30)),
                strict=True,
            )
        ),
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
        # Links, shape (links,): squared step, changes of size and shape, overlap, and whether the border cuts either.
        self.step = _squared(problem.points[c.target] - problem.points[c.source] - self._shift(c.source, c.steps))
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

    def _shift(self, source: np.ndarray, steps: np.ndarray) -> np.ndarray:
        return self.problem.motion.shift[source] * steps[:, None]

    def log_odds(self, learnt: Learnt) -> np.ndarray:
        """Return the log odds of all candidates, links and gaps first, shape (events,)."""
        c, weight = self.candidates, WEIGHT_OF_OVERLAP * self.settings.overlap_weight
        place = self.problem.place
        end = _by_place(learnt.end, place)
        begin = np.log(_by_place(learnt.begin, place) * self.problem.density)
        link = np.log((1 - end - learnt.division.value).clip(1e-6) / end)[c.source] - begin[c.target]
        link += learnt.step.log_density(self.step, c.steps)
        link += np.log(UNLIKE + (1 - UNLIKE) * np.exp(self._alike(learnt)))
        unseen = c.steps - 1
        link += np.where(unseen > 0, np.log(learnt.missed.value) + (unseen - 1) * np.log(STILL_MISSED), 0.0)
        link += np.where(c.steps == 1, weight * learnt.overlap.log_ratio(self.overlap), 0.0)
        birth = np.log(2 * learnt.division.value / end[c.parent]) - begin[c.first] - begin[c.second]
        birth += learnt.middle.log_density(self.middle) + self._log_density_apart(learnt)
        birth += np.log(learnt.unlike_birth + (1 - learnt.unlike_birth) * np.exp(self._alike_birth(learnt)))
        birth += weight * learnt.birth_overlap.log_ratio(self.birth_overlap) + self.cues
        return np.r_[link, birth]

    def _log_density_apart(self, learnt: Learnt) -> np.ndarray:
        """Return the log density (per px2) of the vector between daughters: log-normal length, any direction."""
        mean, spread = learnt.apart
        normal = -0.5 * ((self.log_apart - mean) / spread) ** 2 - np.log(spread * np.sqrt(2 * np.pi))
        return normal - 2 * self.log_apart - np.log(2 * np.pi)

    def _alike(self, learnt: Learnt) -> np.ndarray:
        """Return the log likelihood ratio of size and shape of links; 0 where the border cuts an object."""
        target = self.candidates.target
        usual_area, usual_shape = self._usual(learnt)
        ratio = learnt.area.log_density(self.grown) - usual_area[target]
        ratio += (
            learnt.elongation.log_density(self.stretched).sum(axis=1) - usual_shape(self.problem.elongation)[target]
        )
        return np.where(self.link_cut, 0.0, ratio.clip(-50, 50))

    def _alike_birth(self, learnt: Learnt) -> np.ndarray:
        """Return that of divisions; where the border cuts an object it can only speak against one."""
        c = self.candidates
        usual_area, _ = self._usual(learnt)
        ratio = learnt.asymmetry.log_density(self.asymmetry)
        if learnt.sum_usual.scale < learnt.sum.scale:
            ratio += learnt.sum_usual.log_density(self.sum_usual)
        else:
            ratio += learnt.sum.log_density(self.sum)
        ratio -= usual_area[c.first] + usual_area[c.second]
        ratio += learnt.union.log_density(self.union).sum(axis=1)
        ratio -= log_student(self.joint, float(np.hypot(self._spread_of_shape, learnt.union.scale))).sum(axis=1)
        return np.where(self.birth_cut, np.minimum(ratio, 0.0), ratio).clip(-50, 50)

    def _usual(self, learnt: Learnt):
        """Return the log density of each object's size among all objects, and the function of shapes that does it."""
        area = self.problem.log_area
        size = log_student(area - np.median(area), float(np.hypot(_spread(area), learnt.area.scale)))
        scale = float(np.hypot(self._spread_of_shape, learnt.elongation.scale))
        return size, lambda shape: log_student(shape, scale).sum(axis=1)

    @property
    def _spread_of_shape(self) -> float:
        return _spread(self.problem.elongation.ravel())

    def learn(self, learnt: Learnt, probability: np.ndarray, *, all_listed: bool) -> Learnt:
        """Return what events with these probabilities teach, shape (events,).

        Overlaps are learnt only while all candidates are listed, the unlikely ones, too.
        """
        c = self.candidates
        link, birth = probability[: c.links], probability[c.links :]
        near = np.where(c.steps == 1, link, 0.0)  # gaps teach only how many there are
        alike = np.exp(self._alike(learnt))
        usual = near * ~self.link_cut * (1 - UNLIKE) * alike / (UNLIKE + (1 - UNLIKE) * alike)
        alike = learnt.unlike_birth, np.exp(self._alike_birth(learnt))
        share = (1 - alike[0]) * alike[1] / (alike[0] + (1 - alike[0]) * alike[1])
        known = birth * ~self.birth_cut * share
        # Overlaps are compared with those of candidates that are not out of the question. Before the movie is seen,
        # daughters overlap with their parent as a cell does with itself.
        likely, born = (link > 0) & (c.steps == 1), birth > 0
        overlap, birth_overlap = learnt.overlap, learnt.birth_overlap
        if all_listed:
            overlap = overlap.fitted(self.overlap[likely], link[likely])
            birth_overlap = birth_overlap.fitted(self.birth_overlap[born], birth[born], overlap)
        # The two components of a shape are two observations, shape (2 * events,).
        twice = np.repeat(usual, 2), np.repeat(known, 2)
        return replace(
            self._learn_rates(learnt, link, birth),
            step=learnt.step
            if self.settings.step_noise_px is not None
            else learnt.step.fitted(self.step[c.steps == 1], link[c.steps == 1], TAILS_OF_STEPS),
            middle=learnt.middle.fitted(self.middle, birth),
            apart=self._learn_apart(birth),
            area=learnt.area.fitted(self.grown, usual),
            elongation=learnt.elongation.fitted(self.stretched.ravel(), twice[0]),
            asymmetry=learnt.asymmetry.fitted(np.r_[self.asymmetry, -self.asymmetry], np.r_[known, known] / 2),
            sum=learnt.sum.fitted(self.sum, known),
            sum_usual=learnt.sum_usual.fitted(self.sum_usual, known),
            union=learnt.union.fitted(self.union.ravel(), twice[1]),
            overlap=overlap,
            birth_overlap=birth_overlap,
            unlike_birth=float(((birth * (1 - share)).sum() + 20 * UNLIKE_BIRTH) / (birth.sum() + 20)),
        )

    def _learn_rates(self, learnt: Learnt, link: np.ndarray, birth: np.ndarray) -> Learnt:
        """Return the rates: what the events leave unexplained has ended or begun."""
        c, frame, place = self.candidates, self.problem.frame, self.problem.place
        ended, begun = unexplained(c, link, birth)
        early, late = frame < self.problem.frames - 1, frame > 0
        end, begin = dict(learnt.end), dict(learnt.begin)
        for code, name in ((INSIDE, "inside"), (EDGE, "edge"), (CUT, "cut")):
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
        prior = np.log(BIRTH_SHARE * self.problem.birth_length)
        total = birth.sum() + PRIOR_OF_MIDDLE
        mean = (birth @ self.log_apart + PRIOR_OF_MIDDLE * prior) / total
        square = (birth @ (self.log_apart - mean) ** 2 + PRIOR_OF_MIDDLE * PRIOR_OF_APART**2) / total
        return float(mean), float(np.sqrt(square))


def unexplained(candidates: Candidates, link: np.ndarray, birth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities that each object ends, and begins, without an event, shape (objects,) each."""
    c, n = candidates, candidates.objects
    on = np.bincount(c.source, link, n) + np.bincount(c.parent, birth, n)
    off = np.bincount(c.target, link, n) + np.bincount(c.first, birth, n) + np.bincount(c.second, birth, n)
    return np.clip(1 - on, 0, 1), np.clip(1 - off, 0, 1)


def _by_place(rates: dict[str, Rate], place: np.ndarray) -> np.ndarray:
    return np.array([rates[name].value for name in PLACES])[place]


def _spread(values: np.ndarray) -> float:
    """Return a robust standard deviation."""
    return max(1.4826 * float(np.median(np.abs(values - np.median(values)))), 0.02)


def _squared(vectors: np.ndarray) -> np.ndarray:
    return (vectors**2).sum(axis=1)


def _over_union(shared: np.ndarray, areas: np.ndarray) -> np.ndarray:
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
