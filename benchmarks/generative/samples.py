"""Whether samples can be told from held-out cells, and whether intervals cover what they should."""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np
from truth.claims import Claim

from cineseq.generative.judge import SAMPLES, c2st, coverage, energy_score
from cineseq.generative.means import fit_mean
from cineseq.generative.samplers import BASELINES, FLOW, Residuals, choose, fit_sampler
from generative.designs import planted

HELD_OUT = 2000


@lru_cache(maxsize=4)
def scores(cells: int, uneven: bool, seed: int) -> dict[str, dict[str, float]]:  # noqa: FBT001 - a key
    """Return scores of every sampler by 2,000 held-out cells, and those of the chosen one."""
    drawn = planted(cells + HELD_OUT, seed, uneven=uneven)
    x, y = drawn.morphology, drawn.targets
    mean = fit_mean(x[:cells], y[:cells], drawn.fields[:cells], seed)
    residuals = Residuals(x[:cells], mean.held_out, y[:cells] - mean.held_out, drawn.fields[:cells])
    guess, real = mean.predict(x[cells:]), y[cells:]
    found = {}
    for name in (*BASELINES, FLOW):
        samples = fit_sampler(name, residuals, seed).draw(guess, x[cells:], SAMPLES, np.random.default_rng(seed))
        found[name] = {
            "c2st": c2st(x[cells:], real, samples[0], np.arange(HELD_OUT), seed),
            "energy": energy_score(real, samples),
            "80": coverage(real, samples, 0.8),
            "95": coverage(real, samples, 0.95),
        }
    best = choose({name: (own["c2st"], own["energy"]) for name, own in found.items()})
    return found | {"chosen": found[best]}


def _score(seed: int, *, cells: int, uneven: bool, sampler: str, key: str) -> float:
    return scores(cells, uneven, seed)[sampler][key]


def _claims() -> list[Claim]:
    claims = []
    for cells, uneven, most in ((4000, False, 0.59), (16_000, True, 0.65)):
        noise = "noise depends on the condition" if uneven else "independent noise"
        design = f"{cells} cells, {noise}, 2,000 held-out cells"
        for sampler in ("chosen", *BASELINES, FLOW):
            study = partial(_score, cells=cells, uneven=uneven, sampler=sampler, key="c2st")
            bound = most if sampler == "chosen" else np.inf
            claims.append(
                Claim(
                    f"samples.c2st_{sampler}_{cells}_cells",
                    design,
                    "area under the curve",
                    study,
                    5,
                    at_most=bound,
                    new=True,
                )
            )
        for level in ("80", "95"):
            study = partial(_score, cells=cells, uneven=uneven, sampler="chosen", key=level)
            low, high = int(level) / 100 - 0.03, int(level) / 100 + 0.03
            measures = f"coverage of {level} % intervals of the chosen sampler"
            claims.append(
                Claim(f"samples.coverage_{level}_{cells}_cells", design, measures, study, 5, low, high, new=True)
            )
    return claims


CLAIMS = _claims()
