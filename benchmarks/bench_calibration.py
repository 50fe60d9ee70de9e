"""Fit the calibration of link probabilities, and print its error on movies that it was not fitted to.

Run: ``make bench-calibration`` (ten minutes). The movies are those of ``bench_tracking.py`` without the harder ones.
One line per set of movies: links that are chosen, the number that is wrong and the number that is expected to be wrong,
and the expected calibration error (Naeini et al. 2015) in the worst movie of the set, with the constants of
``cineseq.tracking.decision``, with those that are fitted to all sets, and with those fitted to all sets but this one.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from tracking.movies import MOVIES, Movie, Truth
from tracking.scoring import edges

from cineseq.config.tracking import Track
from cineseq.io.stacks import MovieInfo, open_labels, write_labels
from cineseq.tracking.decision import DOUBT, FALL, FALLS_FROM, RAISE, SLOPE, calibrated
from cineseq.tracking.objects import measure
from cineseq.tracking.tracker import link_objects

DATA = Path(__file__).resolve().parents[1] / "../shared/data"
BINS = 10
USUAL, WEIGHT = np.array([0.5, 0.0, 0.5]), 0.1
"""Constants to which the penalty pulls, and its weight."""
SURE = 1e-9
"""Smallest probability that a link is given in the likelihood, and that it is not."""


@dataclass(frozen=True)
class Links:
    """Chosen links of one movie.

    Attributes
    ----------
    probability
        Probability from belief propagation, shape (links,).
    right
        Whether the truth has the link and the cell did not divide, shape (links,).
    """

    probability: np.ndarray
    right: np.ndarray

    @property
    def doubt(self) -> float:
        """Mean of one minus the probability."""
        return float(1 - self.probability.mean())

    def error(self, confidence: np.ndarray) -> float:
        """Return the expected calibration error of a confidence."""
        bins = np.minimum((BINS * confidence).astype(int), BINS - 1)
        apart = np.bincount(bins, confidence, BINS) - np.bincount(bins, self.right, BINS)
        return float(np.abs(apart).sum() / len(confidence))


def links_of(truth: Truth) -> Links:
    """Track a movie with the default settings and return its chosen links."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "masks.ome.tif"
        info = MovieInfo(len(truth.planes), *truth.planes[0].shape, (), None, None)
        write_labels(iter(truth.planes), path, info)
        with open_labels(path) as labels:
            objects = measure(labels)
            linked = link_objects(objects, np.full(len(objects.table), -1), Track())
    table, decision = objects.table, linked.decision
    seen = table[["frame", "label"]].assign(track=table["label"])
    true = edges(seen, truth.tracks[truth.tracks["parent"] > 0])
    dividing = {key for key, count in Counter(edge[:2] for edge in true).items() if count > 1}
    places = table.loc[linked.whole, ["frame", "label"]].to_numpy(int)
    chosen = np.c_[places[decision.links[:, 0]], places[decision.links[:, 1]]].tolist()
    right = [tuple(link) in true and tuple(link[:2]) not in dividing for link in chosen]
    taken = decision.packing.taken[: decision.candidates.links]
    return Links(decision.probability[: decision.candidates.links][taken], np.array(right, bool))


def curve(constants: np.ndarray, links: Links) -> np.ndarray:
    """Return calibrated probabilities of links with these constants: slope, raise and fall."""
    slope, up, fall = constants
    return calibrated(links.probability, links.doubt, slope=slope, up=up, fall=fall)


def fit(sets: list[list[Links]]) -> np.ndarray:
    """Fit slope, raise and fall by penalised maximum likelihood.

    Sets count alike, and so do the movies of a set; a movie counts as much as it has wrong links, at least 1 %. The
    penalty keeps what the movies say nothing of near :data:`USUAL`.
    """

    def loss(constants: np.ndarray) -> float:
        penalty = WEIGHT * float(np.square(constants - USUAL).sum())
        return penalty + float(np.mean([np.mean([_misfit(constants, links) for links in one]) for one in sets]))

    found = minimize(loss, USUAL, method="Nelder-Mead", options={"maxiter": 4000})
    return np.asarray(found.x)


def _misfit(constants: np.ndarray, links: Links) -> float:
    likely = np.clip(curve(constants, links), SURE, 1 - SURE)
    wrong = max(1 - float(links.right.mean()), 0.01)
    return -float(np.where(links.right, np.log(likely), np.log1p(-likely)).mean()) / wrong


def set_of(movie: Movie) -> str:
    """Return the set of a movie: movies of one set are of the same cells or the same simulator."""
    return movie.name.split()[0]


def main() -> None:
    """Print the constants and the errors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--only", default="", help="use the movies whose name contains one of these, parted by commas")
    chosen = parser.parse_args()
    logging.basicConfig(level="ERROR")
    asked = chosen.only.split(",")
    sets: dict[str, list[Links]] = {}
    for movie in (m for m in MOVIES if not m.harder and any(part.strip() in m.name for part in asked)):
        sets.setdefault(set_of(movie), []).append(links_of(movie.make(chosen.data)))
    everything = fit(list(sets.values()))
    print(f"in the code: slope {SLOPE}, raise {RAISE}, fall {FALL} from log doubt {FALLS_FROM} on ({DOUBT} is added)")
    print("fitted to all: slope {:.3f}, raise {:.3f}, fall {:.3f}".format(*everything))
    present = np.array([SLOPE, RAISE, FALL])
    for name, movies in sets.items():
        rest = [more for other, more in sets.items() if other != name]
        ways = {"as in the code": present, "fitted": everything} | ({"left out": fit(rest)} if rest else {})
        errors = (
            f"{way} {max(links.error(curve(constants, links)) for links in movies):.3f}"
            for way, constants in ways.items()
        )
        wrong = sum(int((~links.right).sum()) for links in movies)
        expected = sum(float((1 - curve(present, links)).sum()) for links in movies)
        count = sum(len(links.right) for links in movies)
        print(
            f"{name}: {len(movies)} movies, {count} links, {wrong} wrong, {expected:.0f} expected; "
            f"largest error {', '.join(errors)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
