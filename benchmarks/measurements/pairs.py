"""Whether barcodes that are located by position are paired with their own cells, and whether the posterior says so."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
import pandas as pd
from truth.claims import Claim

from cineseq.config.pairing import Pairing
from cineseq.pairing.match import Matched, match
from cineseq.pairing.mispairing import wrong_pairs
from cineseq.pairing.readings import Maps, check_maps

FIELDS = 300
CALIBRATED = 0.02
"""Largest difference between the mean posterior and the fraction of pairs that are right."""
SAMPLE, FIELD = "s", "1"
SHIFTS = 1
"""Second part of the seed of shifts, so that fields with and without one are alike otherwise."""
AMBIENT = math.log(100)
CELL = math.log(4000)
MICROMETRES = 0.325
NEXT = np.array([[0.0, 1.0], [0.0, -1.0], [1.0, 0.0], [-1.0, 0.0]])


@dataclass(frozen=True)
class Design:
    """An array of compartments with cells and barcodes; lengths are in pitches unless they end in ``_px``.

    Attributes
    ----------
    side
        Compartments along each axis.
    pitch_px, radius
        Distance between neighbouring compartments, and their radius.
    jitter
        Standard deviation of barcodes around the centre of their compartment, per axis.
    irregular
        Standard deviation of the centres of compartments around a lattice, per axis.
    missing, stray
        Probability that a compartment's own barcode is absent; barcodes without a compartment, uniform over the image,
        as a fraction of the compartments.
    margin
        Empty rim of the image around the array; 0.5 means that the array goes on outside the image.
    shifted
        Probability that the map of barcodes is off by one pitch or more.
    furthest
        Largest such shift along an axis.
    empty, double
        Probability that a compartment holds no cell, or two.
    spread
        Standard deviation of the logarithm of counts of a cell.
    turn
        Rotation of the map of barcodes, in degrees.
    carried
        Probability that a barcode lies in a compartment next to its own.
    """

    side: int = 12
    pitch_px: float = 60.0
    radius: float = 0.4
    jitter: float = 0.1
    irregular: float = 0.0
    missing: float = 0.05
    stray: float = 0.1
    margin: float = 1.5
    shifted: float = 0.0
    furthest: int = 1
    empty: float = 0.15
    double: float = 0.15
    spread: float = 0.6
    turn: float = 0.0
    carried: float = 0.0

    @property
    def size(self) -> float:
        """Height and width of the image, in pitches."""
        return self.side - 1 + 2 * self.margin


@dataclass(frozen=True)
class Simulated:
    """One field: tables as the pipeline reads them, and the true compartment of each barcode (-1 for strays)."""

    cells: pd.DataFrame
    compartments: pd.DataFrame
    barcodes: pd.DataFrame
    origin: np.ndarray
    size_px: float


def simulated(design: Design, seed: int) -> Simulated:
    """Draw a field. Without a margin, the array goes on outside the image, and so do its barcodes."""
    rng = np.random.default_rng(seed)
    # The array, three compartments beyond the image where it has no edge there; positions in pitches.
    beyond = 0 if design.margin > 0.5 else design.furthest + 2
    axis = np.arange(-beyond, design.side + beyond) + design.margin
    lattice = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    centres = lattice + rng.normal(0, design.irregular, lattice.shape)
    seen = ((centres >= 0) & (centres <= design.size)).all(axis=1)
    occupancy = rng.choice(3, len(centres), p=[design.empty, 1 - design.empty - design.double, design.double])
    # Barcodes: one of each compartment unless it is missing, and strays; the map is shifted, and the image cuts it.
    own = np.flatnonzero(rng.random(len(centres)) >= design.missing)
    strays = rng.uniform(0, design.size, (round(design.stray * design.side**2), 2))
    shift = _shift(design, np.random.default_rng([seed, SHIFTS]))
    points = centres[own] + rng.normal(0, design.jitter, (len(own), 2)) + shift
    points += (rng.random(len(own)) < design.carried)[:, None] * NEXT[rng.integers(4, size=len(own))]
    points = np.concatenate([_turned(points, design), strays])
    points += rng.uniform(-0.1, 0.1, 2)
    origin = np.concatenate([own, np.full(len(strays), -1)])
    counts = np.concatenate(
        [_counts(occupancy[own], design, rng), _counts(rng.choice(occupancy, len(strays)), design, rng)]
    )
    inside = ((points >= 0) & (points <= design.size)).all(axis=1)
    points, origin, counts = points[inside], origin[inside], counts[inside]
    shuffled = rng.permutation(len(points))
    names = np.array([f"c{i}" for i in range(len(centres))])
    return Simulated(
        _cells(centres[seen], occupancy[seen], design, rng),
        pd.DataFrame(
            {
                "sample": SAMPLE,
                "fov": FIELD,
                "compartment_id": names[seen],
                "y_px": centres[seen, 0] * design.pitch_px,
                "x_px": centres[seen, 1] * design.pitch_px,
                "radius_px": design.radius * design.pitch_px,
            }
        ),
        pd.DataFrame(
            {
                "sample": SAMPLE,
                "barcode": [f"B{i:05d}" for i in range(len(points))],
                "compartment_id": pd.Series(pd.NA, range(len(points)), dtype="string"),
                "y_px": points[shuffled, 0] * design.pitch_px,
                "x_px": points[shuffled, 1] * design.pitch_px,
                "fov": FIELD,
                "counts": counts[shuffled],
            }
        ),
        origin[shuffled],
        design.size * design.pitch_px,
    )


def _shift(design: Design, rng: np.random.Generator) -> np.ndarray:
    if rng.random() >= design.shifted:
        return np.zeros(2)
    steps = range(-design.furthest, design.furthest + 1)
    possible = np.array([step for step in itertools.product(steps, steps) if any(step)], float)
    return possible[rng.integers(len(possible))]


def _turned(points: np.ndarray, design: Design) -> np.ndarray:
    angle, middle = math.radians(design.turn), design.size / 2
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return (points - middle) @ turn.T + middle


def _counts(occupancy: np.ndarray, design: Design, rng: np.random.Generator) -> np.ndarray:
    """Return total counts: a cell has about 4,000, a compartment without one about 100."""
    cells = np.exp(rng.normal(CELL, design.spread, (len(occupancy), 2))) * (occupancy[:, None] > [0, 1])
    return np.round(cells.sum(axis=1) + np.exp(rng.normal(AMBIENT, 0.5, len(occupancy))))


def _cells(centres: np.ndarray, occupancy: np.ndarray, design: Design, rng: np.random.Generator) -> pd.DataFrame:
    places = np.repeat(centres, occupancy, axis=0)
    places = (places + rng.uniform(-0.4, 0.4, places.shape) * design.radius) * design.pitch_px
    return pd.DataFrame(
        {
            "track_id": [f"t{i}" for i in range(len(places))],
            "sample": SAMPLE,
            "fov": FIELD,
            "alive_at_end": True,
            "end_kind": "end_of_movie",
            "start_kind": "first_frame",
            "start_frame": 0,
            "end_frame": 9,
            "y_px": places[:, 0],
            "x_px": places[:, 1],
        }
    )


def matched(field: Simulated) -> Matched:
    """Pair the cells of a field as the pipeline does."""
    return match(field.cells, field.compartments, field.barcodes, Pairing(), _sizes(field))


def _sizes(field: Simulated) -> pd.DataFrame:
    return pd.DataFrame({"sample": [SAMPLE], "fov": [FIELD], "height_px": field.size_px, "width_px": field.size_px})


def right(field: Simulated, singlets: pd.DataFrame) -> np.ndarray:
    """Return whether the barcode of each singlet comes from its compartment."""
    true = pd.Series(field.origin, index=field.barcodes["barcode"])
    return ("c" + true[singlets["barcode"]].astype(str)).to_numpy() == singlets["compartment_id"].to_numpy(str)


def _singlets(field: Simulated) -> pd.DataFrame:
    pairs = matched(field).pairs
    return pairs[pairs["status"] == "singlet"]


def calibration(design: Design, seed: int) -> float:
    """Return the mean posterior of the field's pairs less the fraction that is right; NaN without pairs."""
    shifted = _shift(design, np.random.default_rng([seed, SHIFTS])).any()
    return _calibration(replace(design, shifted=float(shifted)), seed)


@cache
def _calibration(design: Design, seed: int) -> float:
    """Measure a field once for all shares of shifted fields in which it occurs."""
    field = simulated(design, seed)
    singlets = _singlets(field)
    return float(singlets["posterior"].mean() - right(field, singlets).mean()) if len(singlets) else math.nan


def wrong(design: Design, seed: int) -> float:
    """Return the fraction of pairs that are wrong; NaN without pairs."""
    field = simulated(design, seed)
    singlets = _singlets(field)
    return float(1 - right(field, singlets).mean()) if len(singlets) else math.nan


def found(design: Design, seed: int) -> float:
    """Return how many of the field's pairs that could be made are made and right."""
    field = simulated(design, seed)
    singlets = _singlets(field)
    names = field.compartments["compartment_id"]
    own = names.isin([f"c{i}" for i in field.origin if i >= 0])
    radius, occupied = design.radius * design.pitch_px, []
    for _, row in field.compartments[own].iterrows():
        near = np.hypot(field.cells["y_px"] - row["y_px"], field.cells["x_px"] - row["x_px"]) <= radius
        occupied.append(near.sum() == 1)
    return float(right(field, singlets).sum() / max(sum(occupied), 1))


def ambiguous(design: Design, seed: int) -> float:
    """Return 1 where the field has no pair, else 0."""
    return float(_singlets(simulated(design, seed)).empty)


def _scaled(table: pd.DataFrame, factor: float) -> pd.DataFrame:
    lengths = [column for column in ("y_px", "x_px", "radius_px") if column in table]
    return table.assign(**{column: table[column] * factor for column in lengths})


def _misread(table: pd.DataFrame, how: str, size_px: float) -> pd.DataFrame:
    """Return a map as it is written by mistake."""
    if how == "swapped":
        return table.assign(y_px=table["x_px"], x_px=table["y_px"])
    if how == "mirrored":
        return table.assign(y_px=size_px - table["y_px"])
    return _scaled(table, MICROMETRES) if how == "micrometres" else table


def _named(field: Simulated) -> Simulated:
    """Return the field with barcodes that name their compartments; stray ones are left out."""
    kept = field.origin >= 0
    names = pd.Series([f"c{origin}" for origin in field.origin[kept]], dtype="string")
    barcodes = field.barcodes[kept].reset_index(drop=True).assign(compartment_id=names, y_px=math.nan, x_px=math.nan)
    return replace(field, barcodes=barcodes, origin=field.origin[kept])


READ = {"swapped": "axes swapped", "mirrored": "rows mirrored", "micrometres": "micrometres"}


def reading(table: str, how: str, seed: int) -> float:
    """Return 1 where the reading of a misread map is named, else 0; of a right map, 1 where it is doubted."""
    field = simulated(Design(irregular=0.05), seed)
    field = _named(field) if table == "compartments" else field
    maps = {"compartments": field.compartments, "barcodes": field.barcodes}
    maps[table] = _misread(maps[table], how, field.size_px)
    checked = Maps(field.cells, maps["compartments"], maps["barcodes"], Pairing(), _sizes(field))
    alignments = match(checked.cells, checked.compartments, checked.barcodes, Pairing(), checked.sizes).alignments
    doubts = check_maps(checked, alignments)
    return float(any(doubt.table == table and READ.get(how, "") in doubt.reading for doubt in doubts))


def dose(signal: float, tails: float, seed: int) -> float:
    """Return how far the estimated fraction of wrong pairs is off; 0, 5, 10 or 20 % of 400 pairs are wrong."""
    rng, n, states, genes, features = np.random.default_rng(seed), 400, 4, 300, 12
    state = rng.normal(size=(n, states))
    onto = np.linalg.qr(rng.normal(size=(features, states)))[0].T * math.sqrt(features / states)
    heavy = tails < math.inf
    noise = rng.standard_t(tails, (n, features)) * math.sqrt(1 - 2 / tails) if heavy else rng.normal(size=(n, features))
    imaging = math.sqrt(signal) * state @ onto + math.sqrt(1 - signal) * noise
    rate = np.exp(0.5 * state @ rng.normal(size=(states, genes)) / math.sqrt(states) + rng.normal(1, 1, genes))
    counts = rng.poisson(rate)
    total = counts.sum(axis=1, keepdims=True)
    expression = np.log1p(counts / total * np.median(total))
    rows = rng.permutation(n)[: (0, 20, 40, 80)[seed % 4]]
    mixed = expression.copy()
    mixed[rows] = expression[np.roll(rows, 1)]
    return abs(wrong_pairs(imaging, mixed).fraction - len(rows) / n)


GRID = [
    (
        f"jitter_{jitter}_missing_{missing}_stray_{stray}_pitch_{pitch}_shifted_{shifted}",
        Design(jitter=jitter, missing=missing, stray=stray, pitch_px=pitch, shifted=shifted),
    )
    for jitter, missing, stray, pitch, shifted in itertools.product(
        (0.0, 0.1, 0.2), (0.05, 0.2), (0.0, 0.1, 0.2), (40.0, 80.0), (0.0, 0.1, 0.5)
    )
]
WHOLE_PITCH = Design(shifted=1.0)
WITHIN_THE_ARRAY = Design(shifted=0.5, margin=0.5)
FULL = Design(margin=0.5, stray=0.0, empty=0.0, double=0.0, shifted=0.5)
IRREGULAR = Design(margin=0.5, irregular=0.15, shifted=0.5)
TURNED = Design(turn=1.0, shifted=0.5)
CALIBRATION = "mean posterior less fraction right"

CLAIMS: tuple[Claim, ...] = (
    *(
        Claim(
            f"pairs.calibration.{name}",
            f"12 x 12 compartments, {name.replace('_', ' ')}",
            CALIBRATION,
            partial(calibration, design),
            FIELDS,
            at_least=-CALIBRATED,
            at_most=CALIBRATED,
        )
        for name, design in GRID
    ),
    *(
        claim
        for name, what, design in (
            ("whole_pitch", "map off by one pitch, edges of the array seen", WHOLE_PITCH),
            ("three_pitches", "map off by up to three pitches", replace(WHOLE_PITCH, furthest=3, margin=3.5)),
            ("within_the_array", "no edge seen, cells and counts alone tell the shift", WITHIN_THE_ARRAY),
            ("irregular", "no edge seen, irregular array", IRREGULAR),
            ("turned", "map turned by one degree, half of the fields shifted", TURNED),
        )
        for claim in (
            Claim(
                f"pairs.{name}.wrong",
                what,
                "fraction of pairs that are wrong",
                partial(wrong, design),
                300,
                at_most=0.03,
            ),
            Claim(
                f"pairs.{name}.found", what, "fraction of true pairs found", partial(found, design), 300, at_least=0.8
            ),
        )
    ),
    Claim(
        "pairs.full_array.ambiguous",
        "every compartment holds one cell and no edge is seen, half of the fields shifted",
        "share of fields without a pair",
        partial(ambiguous, FULL),
        300,
        at_least=0.95,
    ),
    *(
        Claim(
            f"pairs.reading.{table}_{how}",
            f"the map of {table} is {how}",
            "share of maps that are doubted" if how == "right" else "share of maps whose right reading is named",
            partial(reading, table, how),
            100,
            at_least=-math.inf if how == "right" else 0.95,
            at_most=0.02 if how == "right" else math.inf,
            new=True,
        )
        for table in ("compartments", "barcodes")
        for how in ("swapped", "mirrored", "micrometres", "right")
    ),
    *(
        Claim(
            f"pairs.dose.{name}",
            f"400 pairs of which 0 to 20 % are wrong, {what}",
            "distance of the estimated from the true fraction",
            partial(dose, signal, tails),
            200,
            at_most=0.03,
            harder=harder,
            new=True,
        )
        for name, what, signal, tails, harder in (
            ("strong", "images follow expression with R2 .9", 0.9, math.inf, False),
            ("moderate", "images follow expression with R2 .5", 0.5, math.inf, False),
            ("weak", "images follow expression with R2 .1", 0.1, math.inf, True),
            ("heavy_tails", "R2 .5, scatter with a t distribution of 3 degrees", 0.5, 3.0, True),
        )
    ),
    Claim(
        "pairs.carried_over.calibration",
        "a tenth of the barcodes lie in the compartment next to their own",
        CALIBRATION,
        partial(calibration, Design(carried=0.1)),
        300,
        harder=True,
    ),
    Claim(
        "pairs.counts_say_little.found",
        "no edge seen, counts of a cell vary with a standard deviation of 3 natural logs",
        "fraction of true pairs found",
        partial(found, replace(WITHIN_THE_ARRAY, spread=3.0, empty=0.02)),
        300,
        harder=True,
    ),
)
