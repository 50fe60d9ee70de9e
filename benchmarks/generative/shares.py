"""Whether planted shares are found, and nothing where nothing is planted."""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np
from truth.claims import Claim

from cineseq.generative.means import LEARNERS, Learning, cross_fitted
from cineseq.prediction.crossval.folds import FoldPlan
from cineseq.statistics.metrics import centred, r2, r2_interval
from generative.designs import SHARES, planted

CHEAP = ("ridge", "kernel_ridge")
LARGE = 16_000


def plan_of(fields: np.ndarray) -> FoldPlan:
    """Return five folds of whole fields."""
    return FoldPlan(fields, fields % 5, ("field",), ())


@lru_cache(maxsize=8)
def deviations(cells: int, shift: float, seed: int) -> dict[tuple[float, bool, str], float]:
    """Return found minus planted share within fields, by share, whether linear, and learner (``best``)."""
    drawn = planted(cells, seed, shift=shift)
    x, y = centred(drawn.morphology, drawn.fields), centred(drawn.targets, drawn.fields)
    found = cross_fitted(x, y, plan_of(drawn.fields), seed)
    deviation = {}
    for name, guess in (found.by_learner | {"best": found.mean}).items():
        shares = r2(y - guess, y - found.baseline)
        for share in SHARES:
            for linear in (True, False):
                own = (drawn.share == share) & (drawn.linear == linear)
                deviation[share, linear, name] = float(np.mean(shares[own]) - share)
    return deviation


def _deviation(seed: int, *, cells: int, shift: float, share: float, linear: bool) -> float:
    return deviations(cells, shift, seed)[share, linear, "best"]


def _beyond_ridge(seed: int, *, cells: int, shift: float) -> float:
    found = deviations(cells, shift, seed)
    return found[0.8, False, "best"] - found[0.8, False, "ridge"]


def _found_where_nothing_is(seed: int, *, cells: int, learners: tuple[str, ...]) -> float:
    """Return 1 where the interval of all targets without a share together lies above 0."""
    drawn = planted(cells, seed)
    y = drawn.targets[:, drawn.share == 0]
    plan = plan_of(drawn.fields)
    found = cross_fitted(drawn.morphology, y, plan, seed, Learning(learners))
    residual, total = (np.square(y - part).sum(axis=1) for part in (found.mean, found.baseline))
    return float(r2_interval(total - residual, total, plan.units)[0] > 0)


def _confounded(seed: int) -> float:
    """Return the share within classes of cells whose classes differ, and that have nothing else in common."""
    rng = np.random.default_rng([seed, 2])
    classes, fields = rng.integers(3, size=4000), np.arange(4000) % 20
    x, y = (2 * rng.normal(size=(3, width))[classes] + rng.normal(size=(4000, width)) for width in (50, 40))
    found = cross_fitted(x, y, plan_of(fields), seed, Learning(CHEAP))
    errors = (centred(y - part, classes) for part in (found.mean, found.baseline))
    return float(r2(*(error.ravel() for error in errors)))


def _claims() -> list[Claim]:
    claims = []
    for cells, studies in ((1000, 5), (4000, 5), (LARGE, 3)):
        for shift in (0.0, 1.0):
            for share in SHARES:
                for linear in (True, False):
                    # Below 4,000 cells nothing is required; nonlinear shares are found by more cells.
                    bound = np.inf if cells < 4000 else 0.03 if linear else 0.1 if cells < LARGE else 0.05
                    kind = "linear" if linear else "nonlinear"
                    claims.append(
                        Claim(
                            f"shares.{kind}_{share:g}_{cells}_cells_shift_{shift:g}",
                            f"{cells} cells of 20 fields, shifts of {shift:g} sd, planted share {share:g}, {kind}",
                            "found minus planted share within fields, best learner",
                            partial(_deviation, cells=cells, shift=shift, share=share, linear=linear),
                            studies,
                            at_least=-bound,
                            at_most=bound,
                            new=True,
                        )
                    )
            claims.append(
                Claim(
                    f"shares.beyond_ridge_{cells}_cells_shift_{shift:g}",
                    f"{cells} cells, shifts of {shift:g} sd, planted share .8, nonlinear",
                    "share of the best learner minus that of ridge",
                    partial(_beyond_ridge, cells=cells, shift=shift),
                    studies,
                    at_least=0.15 if cells >= 4000 else -np.inf,
                    new=True,
                )
            )
    null = "8 targets without a share, 20 fields"
    called = "share of studies whose lower end is above 0"
    for name, cells, learners, studies in (
        ("1000_cells", 1000, CHEAP, 500),
        ("4000_cells", 4000, LEARNERS, 5),
    ):
        study = partial(_found_where_nothing_is, cells=cells, learners=learners)
        claims.append(Claim(f"shares.null_{name}", null, called, study, studies, at_most=0.05, new=True))
    design = "3 classes that differ by 2 sd in all columns, nothing else shared, 4,000 cells"
    claims.append(Claim("shares.confounded", design, "share within classes", _confounded, 5, at_most=0.01, new=True))
    return claims


CLAIMS = _claims()
