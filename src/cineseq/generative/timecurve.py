"""How early before sequencing the shape of a cell tells of its transcriptome, and which genes are visible early."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from cineseq.crossmodal.decompose import explained_genes, what_lacks
from cineseq.expression.normalise import expression_of
from cineseq.generative.held_out import error_sums, summed_squares
from cineseq.generative.share_tables import FOUND, verdict
from cineseq.generative.shares import SharesOptions, principal_scores
from cineseq.generative.visibility import Pairings, score_test, shuffled_errors
from cineseq.io.paired import PairedData
from cineseq.prediction.crossval.feature_blocks import Block, frame_block, gene_block
from cineseq.prediction.crossval.folds import CrossvalCells, NotEstimableError, cells_of
from cineseq.prediction.crossval.ridge import Chosen, RidgeFold, ridge_folds
from cineseq.prediction.crossval.transform import design
from cineseq.statistics import ALPHA
from cineseq.statistics.jackknife import JackknifeT
from cineseq.statistics.metrics import centred, sums_jackknife
from cineseq.statistics.permutation import benjamini_hochberg
from cineseq.statistics.streams import stream
from cineseq.text import clean, count, interval, known, listed, number, percent

logger = logging.getLogger(__name__)
KEYS = ("track_id", "hours_before")
FORWARD, BACKWARD = "morphology_to_expression", "expression_to_morphology"
SEEN_BY = 0.5
"""The windows reach back to where this fraction of the cells is seen."""
MOST_NAMED = 10


@dataclass(frozen=True)
class TimeCurve:
    """Explained shares by hours before the endpoint.

    Attributes
    ----------
    curve
        One row per direction and window: ``direction``, ``hours_before`` (middle), ``hours_from`` and ``hours_to``
        (its end that is nearer to the endpoint, and the other), ``n`` cells seen, ``share`` within fields with
        ``low`` and ``high``, ``share_null`` and ``null_high`` with shuffled pairing, ``p_value``, ``q_value`` over
        windows, ``last_share`` of the same cells by their shape in the last window, ``found``, ``note``.
    genes
        One row per gene and window: ``gene``, ``hours_before``, ``share``, ``p_adjusted`` over windows.
    visible
        One row per gene: ``gene``, ``visible`` in any window (at a false discovery rate of 5 %), ``earliest_hours`` of
        the windows in which it is, ``early`` (before the last window), ``p_value``, ``q_value``.
    notes
        Sentences about the method, or the reason why nothing is estimable.
    """

    curve: pd.DataFrame
    genes: pd.DataFrame
    visible: pd.DataFrame
    notes: tuple[str, ...]


@dataclass(frozen=True)
class HoursBefore:
    """Shapes of the cells in some hours before the endpoint.

    Attributes
    ----------
    start, end
        Hours before the endpoint, ``start`` nearer to it.
    shapes
        Mean of each feature over the frames of the window, one row per cell; NaN for a cell that was not seen.
    """

    start: float
    end: float
    shapes: pd.DataFrame

    @property
    def middle(self) -> float:
        """Middle of the window, hours before the endpoint."""
        return (self.start + self.end) / 2

    @property
    def seen(self) -> np.ndarray:
        """Whether each cell was seen, shape (cells,)."""
        return self.shapes.notna().any(axis=1).to_numpy(bool)


@dataclass(frozen=True)
class _Seen:
    """One window among the cells that were seen in it, both sides centred within fields."""

    cells: CrossvalCells
    rows: np.ndarray
    block: Block
    values: np.ndarray


def windows_of(timed: pd.DataFrame, cells: pd.Index, number_of: int) -> list[HoursBefore]:
    """Divide the hours before the endpoint into windows of equal length, the last before the endpoint first.

    Parameters
    ----------
    timed
        One row per paired cell and frame: ``track_id``, ``hours_before`` the endpoint, and features.
    cells
        Names of the paired cells.
    number_of
        Number of windows; they reach back to where half of the cells are seen.
    """
    timed = timed[timed["track_id"].isin(cells) & (timed["hours_before"] >= 0)]
    if timed.empty:
        return []
    longest = timed.groupby("track_id")["hours_before"].max().reindex(cells).fillna(0.0)
    reach = float(longest.quantile(1 - SEEN_BY, interpolation="lower"))
    edges = np.unique(np.linspace(0, reach, number_of + 1))
    edges = edges if len(edges) > 1 else np.array([0.0, 0.0])
    hours = timed["hours_before"].to_numpy(float)
    features = [name for name in timed.columns if name not in KEYS]
    found = []
    for start, end in pairwise(edges):
        inside = (hours >= start) & ((hours < end) | ((end == edges[-1]) & (hours == end)))
        shapes = timed.loc[inside].groupby("track_id")[features].mean().reindex(cells)
        found.append(HoursBefore(float(start), float(end), shapes))
    return [window for window in found if window.seen.any()]


def time_curve(data: PairedData, timed: pd.DataFrame, options: SharesOptions, windows: int = 6) -> TimeCurve:
    """Explain expression at the endpoint by shape in each window before it, in held-out groups within fields.

    Parameters
    ----------
    data
        The paired cells.
    timed
        Shape of the same cells in every frame: ``track_id``, ``hours_before`` the endpoint, and one column per
        feature. A cell is seen from its birth on; with rows of its ancestors under its own name, from theirs on.
    options
        Settings, as of the decomposition of variance.
    windows
        Number of windows.

    Returns
    -------
    TimeCurve
        Without rows where nothing is estimable; the notes say why.
    """
    expression = expression_of(data)
    genes = gene_block(expression)
    parts = windows_of(timed, data.obs.index, windows)
    try:
        if expression is None or genes is None:
            raise NotEstimableError(what_lacks(len(data.obs), expression))
        if not parts:
            msg = "no paired cell has a shape before the endpoint"
            raise NotEstimableError(msg)
        chosen = explained_genes(genes, options.crossmodal)
        cells = cells_of(data.obs, np.zeros((len(data.obs), 1)), options.folds, options.crossmodal.class_column)
        within = cells.within_fields()
    except NotEstimableError as reason:
        logger.warning("Not estimable: %s.", reason)
        return TimeCurve(pd.DataFrame(), pd.DataFrame(), pd.DataFrame(), (f"Not estimable: {reason}.",))
    targets = genes.values[:, chosen]
    names = np.array(genes.names, object)[chosen]
    curve, shares, designs, estimable = [], [], [], []
    for window in parts:
        row = {"hours_before": window.middle, "hours_from": window.start, "hours_to": window.end}
        try:
            seen = _seen(window, data.obs, targets, options)
        except NotEstimableError as reason:
            blank = {"n": int(window.seen.sum()), "found": "not estimable", "note": f"not estimable: {reason}"}
            curve += [{"direction": name} | row | blank for name in (FORWARD, BACKWARD)]
            continue
        forward, of_genes, last = _forward(seen, parts[0], options)
        curve.append({"direction": FORWARD} | row | forward | {"last_share": last})
        curve.append({"direction": BACKWARD} | row | _backward(seen, genes, options))
        shares.append(pd.DataFrame({"gene": names, "hours_before": window.middle, "share": of_genes}))
        designs.append(_scores(seen, len(data.obs), options))
        estimable.append(window)
    if not estimable:
        return TimeCurve(pd.DataFrame(curve), pd.DataFrame(), pd.DataFrame(), cells.plan.notes)
    # One test of all windows together, over the same shuffled pairings.
    pairings = Pairings.of(centred(targets, np.asarray(within.centre)), within)
    rng = stream(options.seed, "time curve")
    weights = np.ones((len(names), 1))
    test = score_test(designs, pairings, weights, permutations=options.permutations, rng=rng)
    chosen_genes, hours = test.earliest([window.middle for window in estimable])
    by_gene = pd.concat(shares, ignore_index=True).assign(p_adjusted=test.by_design.ravel())
    visible = pd.DataFrame(
        {
            "gene": names,
            "visible": chosen_genes & np.isfinite(hours),
            "earliest_hours": hours,
            "early": np.nan_to_num(hours) > estimable[0].middle,
            "p_value": test.any_design,
            "q_value": benjamini_hochberg(test.any_design),
        }
    )
    by_window = {window.middle: value for window, value in zip(estimable, test.totals[:, 0], strict=True)}
    return TimeCurve(_with_p(pd.DataFrame(curve), by_window), by_gene, visible, (*cells.plan.notes, *_of_cells(parts)))


def _seen(window: HoursBefore, obs: pd.DataFrame, targets: np.ndarray, options: SharesOptions) -> _Seen:
    """Return the cells that were seen in a window, with folds of their own.

    Raises
    ------
    NotEstimableError
        When they are too few, or none of their features varies.
    """
    rows = np.flatnonzero(window.seen)
    own = obs.iloc[rows]
    cells = cells_of(own, np.zeros((len(own), 1)), options.folds, options.crossmodal.class_column).within_fields()
    block = frame_block(window.shapes.iloc[rows])
    if block is None:
        msg = "no feature varies in this window"
        raise NotEstimableError(msg)
    centre = np.asarray(cells.centre)
    return _Seen(cells, rows, replace(block, centre=centre), centred(targets[rows], centre))


def _folds(block: Block, seen: _Seen, options: SharesOptions, max_genes: int | None = None) -> list[RidgeFold]:
    plan, fitting = seen.cells.plan, options.fitting
    designs = [design([block], train, fitting.min_detected, max_genes) for train, _ in plan.splits()]
    return ridge_folds(designs, plan, fitting.tuning)


def _explained(
    folds: list[RidgeFold], values: np.ndarray, seen: _Seen, weights: np.ndarray
) -> tuple[JackknifeT, np.ndarray]:
    """Return the share in total with its interval, and the share of each target, shape (targets,)."""
    plan = seen.cells.plan
    total = summed_squares(values, plan)
    gain = total - error_sums([Chosen.of((fold,), values) for fold in folds], values, plan)
    size = total.groups.sum(axis=0)
    each = np.divide(gain.groups.sum(axis=0), size, out=np.full(len(size), np.nan), where=size > 0)
    return sums_jackknife(gain @ weights, total @ weights), each


def _forward(seen: _Seen, last: HoursBefore, options: SharesOptions) -> tuple[dict[str, Any], np.ndarray, float]:
    """Explain genes by shape; return the row, the share of each gene, and that of all by shape in the last window."""
    weights = np.ones((seen.values.shape[1], 1))
    folds = _folds(seen.block, seen, options)
    found, each = _explained(folds, seen.values, seen, weights)
    rng = stream(options.seed, "time curve", str(len(seen.rows)))
    pairings = Pairings.of(seen.values, seen.cells)
    errors, baseline = shuffled_errors(folds, pairings, seen.cells.plan, draws=options.null_draws, rng=rng)
    null = 1 - errors.sum(axis=1) / baseline.sum(axis=1)
    drawn = {"share_null": null.mean(), "null_high": np.quantile(null, 0.95)} if len(null) else {}
    block = frame_block(last.shapes.iloc[seen.rows])
    same = np.nan
    if block is not None:
        at_last = _folds(replace(block, centre=seen.cells.centre), seen, options)
        same = float(_explained(at_last, seen.values, seen, weights)[0].estimate[0])
    return _row(found, len(seen.rows)) | drawn, each, same


def _backward(seen: _Seen, genes: Block, options: SharesOptions) -> dict[str, Any]:
    """Explain the features of a window, all alike, by the most variable genes at the endpoint."""
    predictors = replace(genes.rows(seen.rows), centre=seen.cells.centre)
    values = centred(seen.block.values, np.asarray(seen.cells.centre))
    size = np.nansum(np.square(values), axis=0)
    weights = np.divide(1, size, out=np.zeros_like(size), where=size > 0)[:, None]
    folds = _folds(predictors, seen, options, options.crossmodal.genes)
    return _row(_explained(folds, values, seen, weights)[0], len(seen.rows))


def _row(found: JackknifeT, cells: int) -> dict[str, Any]:
    (low,), (high,) = found.interval()
    share = float(found.estimate[0])
    return {"n": cells, "share": share, "low": low, "high": min(high, 1.0), "found": verdict(share, low), "note": None}


def _scores(seen: _Seen, cells: int, options: SharesOptions) -> np.ndarray:
    """Return principal components of the shapes of a window for all cells, 0 for those that were not seen."""
    everyone = design([seen.block], np.arange(len(seen.rows)), 0.0, None)
    scores = principal_scores(everyone, options.crossmodal.components)
    whole = np.zeros((cells, scores.shape[1]))
    whole[seen.rows] = scores
    return whole


def _with_p(curve: pd.DataFrame, p: Mapping[float, float]) -> pd.DataFrame:
    """Add p-values of windows, and q-values over them; the test is of the association, in either direction."""
    forward = curve["direction"] == FORWARD
    values = np.where(forward, curve["hours_before"].map(p).to_numpy(float), np.nan)
    return curve.assign(p_value=values, q_value=benjamini_hochberg(values))


def _of_cells(windows: list[HoursBefore]) -> tuple[str, ...]:
    """Say how many cells are seen in the first and the last window, where these differ."""
    first, last = int(windows[-1].seen.sum()), int(windows[0].seen.sum())
    if first == last:
        return ()
    return (
        f"{count(first, 'cell')} are seen in the earliest window and {count(last)} in the last one: compare a window "
        "with the last one among the same cells (last_share).",
    )


def report(found: TimeCurve) -> dict[str, Any]:
    """Return the report of the curve: sentences and numbers."""
    lines = list(found.notes)
    numbers: dict[str, Any] = {}
    if found.visible.empty:
        return {"lines": lines, "numbers": numbers}
    rows = found.curve[found.curve["direction"] == FORWARD].sort_values("hours_before")
    seen = rows[(rows["found"] == FOUND) & (rows["q_value"] <= ALPHA)]
    last = rows.iloc[0]
    if len(seen):
        far = seen.iloc[-1]
        further = (
            "it is the earliest window"
            if far["hours_before"] == rows["hours_before"].max()
            else "no window further back shows any"
        )
        lines.append(
            f"Shape {number(far['hours_before'], 1)} h before sequencing explains {percent(far['share'])} "
            f"{interval(far['low'], far['high'], percent)} of the variance of expression within fields, shape "
            f"{number(last['hours_before'], 1)} h before it {_said(last)}; {further}."
        )
    else:
        lines.append("In no window before sequencing a share of expression was found in shape.")
    early = found.visible[found.visible["early"]]
    seen_genes = found.visible[found.visible["visible"]]
    visible, first = len(seen_genes), seen_genes["earliest_hours"].max()
    from_first = seen_genes[seen_genes["earliest_hours"] == first].sort_values("p_value")
    line = f"{count(visible)} of {count(len(found.visible), 'gene')} are visible in shape in some window (q ≤ {ALPHA})"
    if visible:
        named = listed(from_first["gene"].head(MOST_NAMED).astype(str))
        line += f", {count(len(from_first))} of them from {number(first, 1)} h before sequencing on: {named}"
    lines.append(f"{line}. What is visible may be so through size or cell cycle.")
    numbers |= {"visible": visible, "early": len(early), "tested": len(found.visible)}
    numbers |= {f"share.{number(row['hours_before'], 1)}_h": clean(row["share"]) for row in rows.to_dict("records")}
    return {"lines": lines, "numbers": numbers}


def _said(row: pd.Series) -> str:
    return percent(row["share"]) if known(row["share"]) and row["found"] == FOUND else "none that was found"
