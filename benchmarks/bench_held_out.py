"""Score divisions on each real movie with costs that were chosen on the other movies.

Run: ``OMP_NUM_THREADS=1 .venv/bin/python benchmarks/bench_held_out.py``
The defaults were chosen on all of these movies, so their scores are optimistic. Here all weights start equal. Each
weight in turn, together with the highest cost, is set to the value of a small grid with the best mean division F1 on
the other movies. The tracker then runs on the held-out movie. Only these parameters are chosen again. The constants of
linking and of gaps (search range, no-link costs), of merges, of doubtful divisions and of the confidence of divisions
were set on all of these movies and are kept.
"""

import argparse
import logging
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
from bench_tracking import EPITHELIUM, HELA, ROOT, SIM01, Case, track
from scores import Score

from cineseq.config.tracking import Track
from cineseq.evaluation.tracking import score_ctc
from cineseq.io.stacks import open_labels
from cineseq.tracking import divisions, linking
from cineseq.tracking.linking_problem import fragments, linking_problem
from cineseq.tracking.objects import measure

SETS = (SIM01, EPITHELIUM, HELA)
ASKED = {EPITHELIUM.name: 0.84}
GRID = (0.0, 0.3, 0.5, 1.0, 2.0)
THRESHOLDS = (0.8, 1.2, 1.6, 2.0, 2.5, 3.0, 4.0)
ROUNDS = 2
WIDE = Track(division_cost=max(THRESHOLDS))


@dataclass(frozen=True)
class Known:
    """A movie's division hypotheses, which of them are true, and how many divisions there are.

    Attributes
    ----------
    found
        From :func:`cineseq.tracking.divisions.hypotheses`, with a column ``true``.
    divisions
        True divisions, also those that no hypothesis names.
    """

    found: pd.DataFrame
    divisions: int

    def f1(self, weights: dict[str, float], threshold: float) -> float:
        """Return the F1 of the divisions that these costs choose; both daughters in the right frame."""
        cost = sum(weight * self.found[name].to_numpy(float) for name, weight in weights.items())
        chosen = divisions.choose(self.found.assign(cost=cost), threshold)
        return 2 * float(chosen["true"].sum()) / (len(chosen) + self.divisions)


def known(case: Case, data: Path, work: Path) -> Known:
    """List the hypotheses of a movie whose masks are labelled by true track."""
    folder, _ = track(case, data, work)
    with open_labels(folder / "masks.ome.tif") as labels:
        objects = measure(labels)
    whole = ~fragments(objects.table, WIDE.fragment_fraction)
    problem = linking_problem(objects, whole, np.full(len(objects.table), -1), WIDE)
    tracklet = linking.close_gaps(problem, linking.link(problem), WIDE.max_gap)
    found = divisions.hypotheses(problem, tracklet)
    truth = true_divisions(data / case.tracks)
    frame, label = (problem.table[name].to_numpy() for name in ("frame", "label"))
    rows = [found[name].to_numpy(np.int64) for name in ("mother", "first", "second")]
    keys = np.c_[frame[rows[0]], label[rows[0]], np.sort(label[np.c_[rows[1], rows[2]]], axis=1)]
    return Known(found.assign(true=[tuple(key) in truth for key in keys.tolist()]), len(truth))


def true_divisions(path: Path) -> set[tuple[int, int, int, int]]:
    """Return the divisions of a CTC table: the last frame of the parent, the parent and the daughters."""
    table = pd.DataFrame(np.loadtxt(path, int, ndmin=2), columns=["L", "B", "E", "P"])
    born = (
        table[table["P"] > 0]
        .sort_values("L")
        .groupby("P")
        .agg(one=("L", "first"), other=("L", "last"), n=("L", "size"))
    )
    last = table.set_index("L")["E"].reindex(born.index)
    pairs = born.assign(last=last)[born["n"] == 2].reset_index()
    return set(map(tuple, pairs[["last", "P", "one", "other"]].to_numpy(int).tolist()))


def fit(others: list[Known]) -> tuple[dict[str, float], float]:
    """Choose the weights and the highest cost on some movies, one weight after the other."""
    weights = dict.fromkeys(divisions.WEIGHTS, 1.0)
    best, threshold = max((_mean_f1(others, weights, t), t) for t in THRESHOLDS)
    for _ in range(ROUNDS):
        before = best
        for name in weights:
            for value in GRID:
                tried = weights | {name: value}
                score, cost = max((_mean_f1(others, tried, t), t) for t in THRESHOLDS)
                if score > best:
                    best, threshold, weights = score, cost, tried
        if best == before:
            break
    return weights, threshold


def _mean_f1(movies: list[Known], weights: dict[str, float], threshold: float) -> float:
    return float(np.mean([movie.f1(weights, threshold) for movie in movies]))


def held_out(data: Path, work: Path) -> Iterator[Score]:
    """Hold out each movie in turn."""
    every = {case.name: known(case, data, work / f"known {i}") for i, case in enumerate(SETS)}
    for i, case in enumerate(SETS):
        weights, threshold = fit([movie for name, movie in every.items() if name != case.name])
        with patch.dict(divisions.WEIGHTS, weights):
            folder, _ = track(case, data, work / str(i), Track(division_cost=threshold))
        scores = score_ctc(folder / "ctc", (data / case.tracks).parent)
        name = f"{case.name}, costs chosen on the other movies"
        yield Score(f"{name}: division F1", scores["division_F1"], low=ASKED.get(case.name, -np.inf))
        yield Score(f"{name}: LNK", scores["LNK"])
        yield Score(f"{name}: highest cost", threshold)


def main() -> None:
    """Print every score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT / "../shared/data")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        for score in held_out(options.data, Path(folder)):
            print(score, flush=True)


if __name__ == "__main__":
    main()
