"""Samples around a conditional mean: three baselines from held-out residuals, and a flow."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cineseq.generative.flow import Flow, fit_flow
from cineseq.generative.means import Learning, MeanModel, fit_mean
from cineseq.statistics.streams import child_seed

BASELINES = ("gaussian", "rows", "scaled_rows")
"""Normal residuals of the same covariance; residuals of other cells, whole rows; the same by the predicted spread."""
FLOW = "flow"
SMALLEST = 1e-12
SPREAD = Learning(("kernel_ridge",))
LARGEST_SPREAD = 5.0
"""Largest factor by which a predicted spread is above or below the average."""


@dataclass(frozen=True)
class Sampler:
    """Draws residuals of cells.

    Attributes
    ----------
    name
        One of :data:`BASELINES`, or ``flow``.
    rows
        Residuals of held-out cells, divided by their predicted spread where ``spread`` is one, shape (cells, targets).
    root
        Of the covariance of the residuals, shape (targets, targets); without rows unless Gaussian.
    deviation
        Standard deviation of the rows, shape (targets,).
    spread
        Mean logarithm of the squared residuals; None: the same in every cell.
    factor
        What the predicted spread is divided by, so that rows keep their variance.
    flow
        The flow of rows divided by ``deviation``; None for baselines.
    facts
        Factors of the last columns of the predictors, which code facts of cells, in the condition of the flow.
    """

    name: str
    rows: np.ndarray
    root: np.ndarray
    deviation: np.ndarray
    spread: MeanModel | None
    factor: float
    flow: Flow | None
    facts: np.ndarray

    def draw(
        self, mean: np.ndarray, x: np.ndarray, samples: int, rng: np.random.Generator, guidance: float = 1.0
    ) -> np.ndarray:
        """Return samples of cells.

        Parameters
        ----------
        mean, x
            Conditional mean and predictors of the cells, shapes (cells, targets) and (cells, predictors).
        samples
            Number of samples.
        rng
            Draws residuals.
        guidance
            Weight of the facts in the flow, see :meth:`cineseq.generative.flow.Flow.sample`.

        Returns
        -------
        numpy.ndarray
            Shape (samples, cells, targets).
        """
        found = np.empty((samples, *mean.shape))
        spread = self.spread_of(x)[:, None]
        for number in range(samples):
            if self.flow is not None:
                condition = _condition(mean, x, self.deviation, self.facts)
                drawn = self.flow.sample(condition, rng, guidance) * self.deviation
            elif self.root.size:
                drawn = rng.normal(size=mean.shape) @ self.root
            else:
                drawn = self.rows[rng.integers(len(self.rows), size=len(mean))]
            found[number] = mean + spread * drawn
        return found

    def spread_of(self, x: np.ndarray) -> np.ndarray:
        """Return the predicted spread of cells relative to the average, shape (cells,)."""
        if self.spread is None:
            return np.ones(len(x))
        return _spread(self.spread, x) / self.factor

    def slim(self) -> Sampler:
        """Return the sampler without what its draws do not need."""
        return replace(self, rows=self.rows[:0]) if self.root.size or self.flow is not None else self


@dataclass(frozen=True)
class Residuals:
    """Residuals of cells that the mean was not learned in.

    Attributes
    ----------
    x, mean, values
        Predictors, conditional mean by inner folds, and residuals, shape (cells, ...) each.
    units
        Group of each cell, shape (cells,).
    facts
        Number of the last columns of ``x`` that code facts of cells.
    """

    x: np.ndarray
    mean: np.ndarray
    values: np.ndarray
    units: np.ndarray
    facts: int = 0

    def of(self, cells: np.ndarray) -> Residuals:
        """Return those of some cells."""
        return replace(self, x=self.x[cells], mean=self.mean[cells], values=self.values[cells], units=self.units[cells])


def fit_sampler(name: str, residuals: Residuals, seed: int) -> Sampler:
    """Learn one sampler from held-out residuals."""
    rows = residuals.values - residuals.values.mean(axis=0)
    spread, factor = None, 1.0
    if name in {"scaled_rows", FLOW}:
        spread, factor, rows = _with_spread(residuals, rows, seed)
    deviation = np.sqrt(np.maximum(rows.var(axis=0), SMALLEST))
    root, flow = np.empty((0, 0)), None
    deviations = residuals.x[:, residuals.x.shape[1] - residuals.facts :].std(axis=0)
    facts = np.where(deviations > SMALLEST, 1 / np.maximum(deviations, SMALLEST), 0.0)
    if name == "gaussian":
        values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(rows.T)))
        root = np.sqrt(np.maximum(values, 0))[:, None] * vectors.T
    if name == FLOW:
        condition = _condition(residuals.mean, residuals.x, deviation, facts)
        flow = fit_flow(condition, rows / deviation, residuals.units, child_seed(seed, FLOW), len(facts))
    return Sampler(name, rows, root, deviation, spread, factor, flow, facts)


def choose(scores: dict[str, tuple[float, float]]) -> str:
    """Return which sampler carries the samples.

    Parameters
    ----------
    scores
        Area under the curve of the classifier that tells samples from cells, and energy score, of each sampler; less is
        better. The flow is chosen only where both are below those of every baseline, else the baseline that is the
        hardest to tell from cells; where too few cells leave the area unknown, that of the least energy score.
    """
    baselines = {name: score for name, score in scores.items() if name != FLOW}
    best = min(baselines, key=lambda name: (round(np.fmax(baselines[name][0], 0.5), 3), baselines[name][1]))
    if FLOW not in scores:
        return best
    better = all(scores[FLOW][k] < score[k] for score in baselines.values() for k in (0, 1))
    return FLOW if better else best


def _with_spread(residuals: Residuals, rows: np.ndarray, seed: int) -> tuple[MeanModel | None, float, np.ndarray]:
    """Return the model of the spread, its average, and rows divided by the spread that inner folds predict."""
    deviation = np.sqrt(np.maximum(rows.var(axis=0), SMALLEST))
    size = np.log(np.maximum(np.square(rows / deviation).mean(axis=1), SMALLEST))[:, None]
    model = fit_mean(residuals.x, size, residuals.units, child_seed(seed, "spread"), SPREAD)
    if model.learner[0] == "mean":
        return None, 1.0, rows
    predicted = _bounded(model.held_out[:, 0], model)
    # Dividing by the spread leaves the variance that all rows have together.
    scaled = rows / predicted[:, None]
    factor = float(np.sqrt(np.square(scaled / deviation).mean()))
    return model, 1 / factor, scaled / factor


def _spread(model: MeanModel, x: np.ndarray) -> np.ndarray:
    return _bounded(model.predict(x)[:, 0], model)


def _bounded(logarithm: np.ndarray, model: MeanModel) -> np.ndarray:
    return np.exp(np.clip((logarithm - model.baseline[0]) / 2, -np.log(LARGEST_SPREAD), np.log(LARGEST_SPREAD)))


def _condition(mean: np.ndarray, x: np.ndarray, deviation: np.ndarray, facts: np.ndarray) -> np.ndarray:
    return np.column_stack([mean / deviation, x[:, x.shape[1] - len(facts) :] * facts])
