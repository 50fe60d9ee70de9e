"""Crops of held-out cells decoded from their own morphology and from what expression predicts, and along one gene."""

from __future__ import annotations

from dataclasses import dataclass

import joblib
import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

from cineseq.features.stored_crops import StoredCrops
from cineseq.generative.decoder import aligned, fit_decoder, squared_errors
from cineseq.generative.direction import Direction, JudgedFold, learn
from cineseq.prediction.crossval.out_of_fold import workers
from cineseq.statistics.metrics import r2_interval
from cineseq.statistics.streams import child_seed, stream
from cineseq.text import count, interval, percent

SOURCES = ("mean_crop", "nearest_crop", "decoder", "decoder_of_expression")
ERROR_ROWS = ("source", "n", "squared_error", "share", "low", "high", "note")
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Quantiles of a gene in the training cells at which it is shown."""
MOST_DECODED = 1000
"""More test cells of a fold than this are not decoded, which bounds the memory."""
FEWEST_CROPS = 50
NO_CROPS = f"not estimable: fewer than {FEWEST_CROPS} training cells of a fold have a crop"


@dataclass(frozen=True)
class DecodedFold:
    """Test cells of one fold that have a crop.

    Attributes
    ----------
    cells, names
        Their positions and names, shape (cells,) each.
    real
        Their own crops, turned, shape (cells, channels, side, side).
    shown
        What stands for them by its source, see :data:`SOURCES`, same shape each.
    axis
        Crops along the gene, shape (levels, channels, side, side); None in all folds but one, and without genes.
    gene
        Its name.
    """

    cells: np.ndarray
    names: np.ndarray
    real: np.ndarray
    shown: dict[str, np.ndarray]
    axis: np.ndarray | None
    gene: str


@dataclass(frozen=True)
class Decoded:
    """Decoded crops of a study.

    Attributes
    ----------
    errors
        One row per source: ``source``, ``n``, ``squared_error`` of a pixel (grey levels 0 to 1), ``share`` of the
        squared error of the mean crop that is gone, with its interval ``low`` and ``high``, ``note``.
    folds
        The judged folds, of which pictures are shown.
    notes
        Sentences for the report.
    """

    errors: pd.DataFrame
    folds: tuple[DecodedFold, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Pixels:
    """Turned crops, shape (crops, channels, side, side), the name of each cell, and its crop, -1 without one."""

    crops: np.ndarray
    names: np.ndarray
    at: np.ndarray

    @classmethod
    def of(cls, stored: StoredCrops, names: np.ndarray) -> Pixels:
        """Return the crops of the cells of these names."""
        at = pd.Index(stored.track_id).get_indexer(pd.Index(names))
        return cls(aligned(stored.images, stored.masks), names, at)

    def known(self, cells: np.ndarray) -> np.ndarray:
        """Return which of the cells at some positions have a crop."""
        return self.at[cells] >= 0

    def __getitem__(self, cells: np.ndarray) -> np.ndarray:
        """Return the crops of the cells at some positions."""
        return self.crops[self.at[cells]]


def decode_study(
    direction: Direction,
    parts: list[JudgedFold],
    pixels: Pixels,
    *,
    gene: str | None,
    seed: int,
    threads: int = 1,
) -> Decoded:
    """Learn to decode crops in the training cells of each judged fold, and decode its test cells.

    Parameters
    ----------
    direction
        From expression to morphology.
    parts
        Its folds; those that were judged are decoded.
    pixels
        Crops of the cells.
    gene
        Gene along which crops are shown; None: the one whose axis moves the predicted morphology of training cells
        most.
    seed
        Seed of the study, by which the folds were learned.
    threads
        Number of worker processes.
    """
    folds = [number for number, part in enumerate(parts) if part.samples]
    if any(pixels.known(direction.plan.splits()[fold][0]).sum() < FEWEST_CROPS for fold in folds):
        return Decoded(pd.DataFrame(columns=list(ERROR_ROWS)), (), (f"{NO_CROPS[:1].upper()}{NO_CROPS[1:]}.",))
    calls = (
        joblib.delayed(_decoded_fold)(
            direction, parts[fold], fold, pixels, along=fold == folds[0], gene=gene, seed=seed
        )
        for fold in folds
    )
    done = tuple(workers(threads)(calls))
    errors = _errors(done, direction.plan.units)
    return Decoded(errors, done, _notes(errors, done, gene))


def _decoded_fold(
    direction: Direction,
    part: JudgedFold,
    fold: int,
    pixels: Pixels,
    *,
    along: bool,
    gene: str | None,
    seed: int,
) -> DecodedFold:
    train = direction.plan.splits()[fold][0]
    seed = child_seed(seed, direction.name, str(fold))
    # The representation of the judged fold is learned again, as it was: from all of its training cells.
    target = direction.target.learned(train, direction.learning)
    own = train[pixels.known(train)]
    latents, crops = target.transform(direction.target.rows(own)), pixels[own]
    inner = direction.learning.inner
    decoder = fit_decoder(latents, crops, direction.plan.units[own], inner, child_seed(seed, "decoder"))
    rows = np.flatnonzero(pixels.known(part.test))
    if len(rows) > MOST_DECODED:
        rows = np.sort(stream(seed, "decoded").choice(rows, MOST_DECODED, replace=False))
    cells, real = part.test[rows], part.real[rows]
    shown = (
        np.broadcast_to(decoder.mean, (len(rows), *decoder.mean.shape)),
        crops[cdist(real, latents).argmin(axis=1)],
        decoder.decode(real),
        decoder.decode(part.by_learner["chosen"][rows]),
    )
    axis, name = None, ""
    if along and direction.source.genes:
        name, along_it = along_gene(direction, train, gene, seed)
        axis = None if along_it is None else decoder.decode(along_it)
    return DecodedFold(cells, pixels.names[cells], pixels[cells], dict(zip(SOURCES, shown, strict=True)), axis, name)


def along_gene(direction: Direction, train: np.ndarray, gene: str | None, seed: int) -> tuple[str, np.ndarray | None]:
    """Return the morphology that is predicted along the axis of one gene, shape (levels, latents), with its name.

    The gene is at quantiles of the training cells (:data:`LEVELS`). Every other gene is at what a straight line of it
    on this gene gives in the training cells: expression moves along, as it does in cells.

    Parameters
    ----------
    direction
        From expression to morphology.
    train
        Positions of training cells.
    gene
        Its name; None: the gene whose ends differ most in predicted morphology.
    seed
        Seed of the fold.

    Returns
    -------
    tuple
        The name, and None where the gene was not kept, or has the same value at both ends, in the training cells.
    """
    own = learn(direction, train, seed)
    names = np.array(direction.source.names[0], object)[own.source.parts[0].columns]
    ends = np.quantile(own.x, [LEVELS[0], LEVELS[-1]], axis=0)
    slopes = own.x.T @ own.x / np.square(own.x).sum(axis=0)[:, None]  # row: this gene; column: slope of the other on it
    # Columns after the genes are facts of cells.
    apart = (ends[1] > ends[0])[: len(names)]
    if gene is None:
        low, high = (own.mean.predict((end[:, None] * slopes)[: len(names)]) for end in ends)
        moved = np.where(apart, np.linalg.norm(high - low, axis=1), -1.0)
        chosen = int(moved.argmax())
    else:
        found = np.flatnonzero(names == gene)
        chosen = int(found[0]) if len(found) else -1
    name = str(names[chosen]) if chosen >= 0 else str(gene)
    if chosen < 0 or not apart[chosen]:
        return name, None
    levels = np.quantile(own.x[:, chosen], LEVELS)
    return name, own.mean.predict(levels[:, None] * slopes[chosen])


def _errors(folds: tuple[DecodedFold, ...], units: np.ndarray) -> pd.DataFrame:
    """Return the reconstruction error of each source, and how much less it is than that of the mean crop."""
    cells = np.concatenate([fold.cells for fold in folds])
    by_source = {
        source: np.concatenate([squared_errors(fold.real, fold.shown[source]) for fold in folds]) for source in SOURCES
    }
    whole = by_source[SOURCES[0]]
    rows = []
    for source, errors in by_source.items():
        low, high = (np.nan, np.nan) if source == SOURCES[0] else r2_interval(whole - errors, whole, units[cells])
        share = float(1 - errors.sum() / whole.sum()) if whole.sum() > 0 else np.nan
        row = {"source": source, "n": len(cells), "squared_error": float(errors.mean()), "share": share, "low": low}
        rows.append(row | {"high": min(high, 1.0), "note": "the baseline" if source == SOURCES[0] else None})
    return pd.DataFrame(rows, columns=list(ERROR_ROWS))


def _notes(errors: pd.DataFrame, folds: tuple[DecodedFold, ...], gene: str | None) -> tuple[str, ...]:
    said = {
        row["source"]: f"{percent(row['share'])} {interval(row['low'], row['high'], percent)}"
        for row in errors.to_dict("records")
    }
    cells = count(errors["n"].iloc[0], "held-out cell")
    notes = [
        f"Decoded pictures are the decoder's, not cells: of the squared error of the mean crop of {cells}, the decoder "
        f"removes {said['decoder']} from a cell's own morphology and "
        f"{said['decoder_of_expression']} from what its expression predicts; the crop of the nearest "
        f"training cell removes {said['nearest_crop']}. It learned in the training cells of each fold."
    ]
    of_gene = next((fold for fold in folds if fold.gene), None)
    if of_gene is None:
        notes.append("No picture along a gene: expression is not represented by genes.")
    elif of_gene.axis is None:
        notes.append(
            f"No picture along {of_gene.gene}: in the training cells it was not kept, or is the same at its 5 and 95 % "
            "quantiles."
        )
    elif gene is None:
        notes.append(
            f"{of_gene.gene} is shown along its quantiles because its axis moves predicted morphology most in training "
            "cells; that is no test of it."
        )
    return tuple(notes)
