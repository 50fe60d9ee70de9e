"""Seconds and memory of both directions, means, judgement and models, in a process of their own."""

from __future__ import annotations

import subprocess
import sys
from functools import lru_cache, partial

from truth.claims import Claim

PROGRAM = """
import resource, sys, time
import numpy as np, pandas as pd
from joblib.externals.loky import get_reusable_executor
from generative.designs import planted
from cineseq.config.prediction import Folds
from cineseq.generative.samplers import Sampler
from cineseq.generative.study import GenerateOptions, generate_study
from cineseq.io.paired import PairedData
cells, threads = int(sys.argv[1]), int(sys.argv[2])
drawn = planted(cells, 0)
names = pd.Index([f"c{k}" for k in range(cells)], name="track_id")
obs = pd.DataFrame({"sample": [f"s{k}" for k in drawn.fields], "fov": "f", "family": names, "condition": "a",
                    "replicate": "1"}, index=names)
shape = pd.DataFrame(drawn.morphology, names, [f"morphology_{k}" for k in range(drawn.morphology.shape[1])])
latents = pd.DataFrame(np.column_stack([drawn.targets, drawn.targets[:, :10] ** 2]), names)
blank = pd.DataFrame(index=names)
start = time.perf_counter()
options = GenerateOptions(Folds(), threads=threads, latents=latents, latents_name="X_planted")
found = generate_study(PairedData(obs, None, pd.Index([]), shape, blank, blank), options)
for name, source in (("morphology_to_expression", shape), ("expression_to_morphology", latents)):
    own = found.models[name].directions[name]
    x = own.source.standardised([source.to_numpy(float)])
    mean, rng = own.mean.predict(x), np.random.default_rng(0)
    for _ in range(100):
        own.sampler.draw(mean, x, 1, rng)
seconds = time.perf_counter() - start
get_reusable_executor().shutdown(wait=True)
own, worker = (resource.getrusage(who).ru_maxrss / 1e6 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print(seconds, own + threads * worker)
"""
THREADS = 2


@lru_cache(maxsize=4)
def measured(cells: int) -> tuple[float, float]:
    """Return seconds, and gigabytes of the main process and all workers at their peaks, of a study of so many cells."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(cells), str(THREADS)], check=True, capture_output=True, text=True
    )
    seconds, peak = map(float, done.stdout.split()[-2:])
    return seconds, peak


def _seconds(seed: int, *, cells: int) -> float:
    del seed
    return measured(cells)[0]


def _memory(seed: int, *, cells: int) -> float:
    """Return the memory of the main process and its workers at most, in gigabytes."""
    del seed
    return measured(cells)[1]


def _growth(seed: int) -> float:
    del seed
    return measured(10_000)[0] / measured(2500)[0]


DESIGN = "50 + 50 latents, both directions, judged in held-out groups, 100 samples a cell, 2 processes"
CLAIMS = [
    Claim("speed.seconds_10000_cells", DESIGN, "seconds", partial(_seconds, cells=10_000), 1, at_most=300, new=True),
    Claim("speed.memory_10000_cells", DESIGN, "GB at most", partial(_memory, cells=10_000), 1, at_most=3, new=True),
    Claim("speed.growth_2500_to_10000_cells", DESIGN, "times as long", _growth, 1, at_most=5, new=True),
]
