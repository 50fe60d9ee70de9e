"""Conditional flow matching of standardised residuals."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.special import expit

from cineseq.generative.network import batches, seeded

HIDDEN = 128
DEPTH = 3
FREQUENCIES = 8
RATE = 2e-3
DECAY = 1e-3
AVERAGING = 0.995
"""Decay of the exponential moving average of the weights, per step."""
DROPPED = 0.1
"""Share of cells of a batch whose condition is replaced by the mean condition."""
STEPS = 3000
PATIENCE = 8
EVERY = 100
SOLVER_STEPS = 8
CHUNK = 8192


@dataclass(frozen=True)
class Flow:
    """A velocity field that carries normal noise to residuals, given a condition.

    Attributes
    ----------
    arrays
        Weights (outputs, inputs) and intercepts of the layers, in order.
    width
        Number of residuals of a cell.
    facts
        Number of the last columns of the condition that code facts of cells; 0 is an unknown fact.
    """

    arrays: tuple[np.ndarray, ...]
    width: int
    facts: int = 0

    def sample(self, condition: np.ndarray, rng: np.random.Generator, guidance: float = 1.0) -> np.ndarray:
        """Return one draw for each row of the condition, shape (cells, conditions) to (cells, residuals).

        With a guidance above 1, draws are pushed from those of unknown facts further than the facts say.
        """
        state = rng.normal(size=(len(condition), self.width)).astype(np.float32)
        condition = condition.astype(np.float32)
        for start in range(0, len(state), CHUNK):
            rows = slice(start, start + CHUNK)
            state[rows] = self._carried(state[rows], condition[rows], guidance)
        return state.astype(np.float64)

    def _carried(self, state: np.ndarray, condition: np.ndarray, guidance: float) -> np.ndarray:
        # Heun's method from time 0 to 1.
        step = 1 / SOLVER_STEPS
        for number in range(SOLVER_STEPS):
            first = self._guided(state, number * step, condition, guidance)
            second = self._guided(state + step * first, (number + 1) * step, condition, guidance)
            state = state + step * (first + second) / 2
        return state

    def _guided(self, state: np.ndarray, time: float, condition: np.ndarray, guidance: float) -> np.ndarray:
        velocity = self._velocity(state, time, condition)
        if guidance == 1 or not self.facts:
            return velocity
        unknown = condition.copy()
        unknown[:, -self.facts :] = 0
        without = self._velocity(state, time, unknown)
        return without + np.float32(guidance) * (velocity - without)

    def _velocity(self, state: np.ndarray, time: float, condition: np.ndarray) -> np.ndarray:
        times = np.tile(_waves(np.array([[time]], np.float32)), (len(state), 1))
        hidden = np.column_stack([state, times, condition]).astype(np.float32)
        for number in range(0, len(self.arrays) - 2, 2):
            new = hidden @ self.arrays[number].T + self.arrays[number + 1]
            hidden = new * expit(new)
        return hidden @ self.arrays[-2].T + self.arrays[-1]


def fit_flow(condition: np.ndarray, residuals: np.ndarray, units: np.ndarray, seed: int, facts: int = 0) -> Flow:
    """Learn the distribution of residuals given a condition.

    Weights are an exponential moving average, of the step at which the error in every fifth group, which is not trained
    on, is least.

    Parameters
    ----------
    condition
        Shape (cells, conditions), scaled to about 1.
    residuals
        Shape (cells, residuals), scaled to variance 1.
    units
        Group of each cell, shape (cells,).
    seed
        Seed of weights, batches and noise.
    facts
        Number of the last columns of the condition that code facts of cells. In a tenth of the cells of a batch these
        are unknown (classifier-free); without facts, the whole condition is.

    References
    ----------
    Lipman et al., ICLR (2023) (flow matching); Ho and Salimans (2022), arXiv 2207.12598 (dropped conditions).
    """
    import torch  # noqa: PLC0415 - seconds, and most of the package does without
    from torch import nn  # noqa: PLC0415

    held = np.unique(units, return_inverse=True)[1] % 5 == 0
    width = residuals.shape[1]
    with seeded(seed) as device:
        sizes = [width + 2 * FREQUENCIES + condition.shape[1], *[HIDDEN] * DEPTH]
        layers = [part for a, b in pairwise(sizes) for part in (nn.Linear(a, b), nn.SiLU())]
        net = nn.Sequential(*layers, nn.Linear(HIDDEN, width)).to(device)
        slow = [p.detach().clone() for p in net.parameters()]
        optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
        given, wanted = (torch.tensor(part, dtype=torch.float32, device=device) for part in (condition, residuals))
        own, other = (torch.as_tensor(np.flatnonzero(part), device=device) for part in (~held, held))

        def error(rows: torch.Tensor, noise: torch.Tensor, time: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
            state = (1 - time) * noise + time * wanted[rows]
            angles = 2 * np.pi * time * torch.arange(1, FREQUENCIES + 1, device=device) / 4
            inputs = torch.cat([state, angles.sin(), angles.cos(), given[rows] * kept], 1)
            return (net(inputs) - (wanted[rows] - noise)).square().mean()

        # Held-out groups keep their noise and times, so that errors of different steps compare.
        fixed = other.repeat(max(1, 2000 // max(len(other), 1)))
        fixed_noise = torch.randn(len(fixed), width, device=device)
        fixed_time = torch.rand(len(fixed), 1, device=device)
        best, best_weights, since = np.inf, [p.cpu().numpy().copy() for p in slow], 0
        for step, batch in enumerate(batches(len(own), STEPS), start=1):
            rows = own[torch.as_tensor(batch, device=device)]
            noise, time = torch.randn(len(rows), width, device=device), torch.rand(len(rows), 1, device=device)
            kept = (torch.rand(len(rows), 1, device=device) >= DROPPED).float()
            if facts:
                kept = torch.cat(
                    [torch.ones(len(rows), condition.shape[1] - facts, device=device), kept.expand(-1, facts)], 1
                )
            loss = error(rows, noise, time, kept)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            with torch.no_grad():
                decay = min(AVERAGING, step / (step + 10))
                for mean, p in zip(slow, net.parameters(), strict=True):
                    mean.mul_(decay).add_(p, alpha=1 - decay)
            if step % EVERY:
                continue
            with torch.no_grad():
                fast = [p.detach().clone() for p in net.parameters()]
                _set(net, slow)
                now = float(error(fixed, fixed_noise, fixed_time, torch.ones(len(fixed), 1, device=device)))
                _set(net, fast)
            since += 1
            if now < best - 1e-5:
                best, best_weights, since = now, [p.cpu().numpy().copy() for p in slow], 0
            if since >= PATIENCE:
                break
    return Flow(tuple(best_weights), width, facts)


def _waves(time: np.ndarray) -> np.ndarray:
    angles = 2 * np.pi * time * np.arange(1, FREQUENCIES + 1, dtype=np.float32) / 4
    return np.column_stack([np.sin(angles), np.cos(angles)]).astype(np.float32)


def _set(net: object, weights: list) -> None:
    for p, value in zip(net.parameters(), weights, strict=True):  # type: ignore[attr-defined]
        p.data.copy_(value)
