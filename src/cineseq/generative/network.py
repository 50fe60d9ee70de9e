"""A small network as a learner of a conditional mean: one per inner fold, and their average."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from cineseq.prediction.crossval.elastic_net import Split

if TYPE_CHECKING:
    import torch

HIDDEN = 256
DROPOUT = 0.1
RATE = 4e-3
DECAY = 0.1
BATCH = 256
EPOCHS = 30
STEPS = (100, 2500)
"""Fewest and most steps of optimisation, whatever the number of cells."""
CHUNK = 4096


@dataclass(frozen=True)
class NetworkMean:
    """The average of networks with two hidden layers.

    Attributes
    ----------
    layers
        Weights (outputs, inputs) and intercepts (outputs,) of the three layers of each network.
    centre, scale
        Of the targets: their mean, shape (targets,), and one factor.
    """

    layers: tuple[tuple[np.ndarray, ...], ...]
    centre: np.ndarray
    scale: float

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return the values of cells, shape (cells, targets)."""
        found = np.zeros((len(x), len(self.centre)))
        for start in range(0, len(x), CHUNK):
            rows = slice(start, start + CHUNK)
            for arrays in self.layers:
                found[rows] += _forward(arrays, x[rows].astype(np.float32)) / len(self.layers)
        return self.centre + self.scale * found


def network(x: np.ndarray, y: np.ndarray, inner: list[Split], seed: int) -> tuple[NetworkMean, np.ndarray]:
    """Fit a network in each inner fold, stopped where the error of its validation cells is least.

    Parameters
    ----------
    x, y
        Shapes (cells, predictors) and (cells, targets).
    inner
        Positions of inner training and validation cells.
    seed
        Seed of initial weights, batches and dropout.

    Returns
    -------
    tuple
        The average of the networks, and the predictions of the training cells by the networks that did not see them,
        shape (cells, targets).
    """
    centre, scale = y.mean(axis=0), float(np.sqrt(y.var(axis=0).mean())) or 1.0
    own_x, own_y = x.astype(np.float32), ((y - centre) / scale).astype(np.float32)
    held_out, layers = np.tile(centre, (len(y), 1)), []
    for number, (train, held) in enumerate(inner):
        arrays = _trained(own_x, own_y, train, held, seed + number)
        held_out[held] = centre + scale * _forward(arrays, own_x[held])
        layers.append(arrays)
    return NetworkMean(tuple(layers), centre, scale), held_out


@contextmanager
def seeded(seed: int) -> Iterator[torch.device]:
    """Seed torch with one thread, and leave its state as it was; gives the device to train on."""
    import torch  # noqa: PLC0415 - seconds, and most of the package does without

    threads = torch.get_num_threads()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with torch.random.fork_rng():
        torch.manual_seed(seed % 2**63)
        torch.set_num_threads(1)
        try:
            yield device
        finally:
            torch.set_num_threads(threads)


def steps_of(cells: int) -> int:
    """Return the number of steps of optimisation for as many training cells."""
    return int(np.clip(EPOCHS * cells / BATCH, *STEPS))


def batches(cells: int, steps: int) -> Iterator[np.ndarray]:
    """Yield the cells of every step: all cells in random order, again and again; uses the seed of torch."""
    import torch  # noqa: PLC0415

    size, order = min(BATCH, cells), np.empty(0, dtype=int)
    for _ in range(steps):
        if len(order) < size:
            order = torch.randperm(cells).numpy()
        batch, order = order[:size], order[size:]
        yield batch


def _trained(x: np.ndarray, y: np.ndarray, train: np.ndarray, held: np.ndarray, seed: int) -> tuple[np.ndarray, ...]:
    import torch  # noqa: PLC0415
    from torch import nn  # noqa: PLC0415

    with seeded(seed) as device:
        net = nn.Sequential(
            nn.Linear(x.shape[1], HIDDEN),
            nn.SiLU(),
            nn.Dropout(DROPOUT),
            nn.Linear(HIDDEN, HIDDEN),
            nn.SiLU(),
            nn.Dropout(DROPOUT),
            nn.Linear(HIDDEN, y.shape[1]),
        ).to(device)
        steps = steps_of(len(train))
        optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps, pct_start=0.2)
        own, wanted, own_held, wanted_held = (
            torch.from_numpy(part).to(device) for part in (x[train], y[train], x[held], y[held])
        )
        # The mean is the fit to beat: weights of the steps before any training predict about 0.
        best, kept = np.inf, [p.detach().cpu().numpy().copy() for p in net.parameters()]
        for step, rows in enumerate(batches(len(train), steps), start=1):
            loss = (net(own[rows]) - wanted[rows]).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            if step % max(1, steps // EPOCHS) == 0 or step == steps:
                net.eval()
                with torch.no_grad():
                    error = float((net(own_held) - wanted_held).square().mean())
                net.train()
                if error < best:
                    best, kept = error, [p.detach().cpu().numpy().copy() for p in net.parameters()]
    return tuple(kept)


def _forward(arrays: tuple[np.ndarray, ...], x: np.ndarray) -> np.ndarray:
    for number in range(0, len(arrays) - 2, 2):
        x = _silu(x @ arrays[number].T + arrays[number + 1])
    return x @ arrays[-2].T + arrays[-1]


def _silu(x: np.ndarray) -> np.ndarray:
    return x * expit(x)
