"""Simulate transcriptomes: states, the cell cycle, a gene module associated with function, and counts."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cineseq.config.simulate import Simulate
from cineseq.simulate.latents import SHARED, spread
from cineseq.statistics.pedigree import sister_pairs, sisters
from cineseq.statistics.streams import stream
from cineseq.tables.contract import FIELD

DISPERSION = 0.15
"""Overdispersion of the counts: variance = mean + DISPERSION * mean^2."""
AMBIENT_FRACTION = 0.05
"""Ambient counts per barcode, as a fraction of a median library."""
STRESS_AFTER_SURVIVAL, STRESS_WITHOUT_SISTER = 0.20, 0.28
"""Frequency of the stress state among cells whose sister survived, and among cells without a sister."""
FAMILY_KEEPS_STATE = 0.9
"""Probability that a cell has the state of its root cell, A or B."""


def sister_status(cells: pd.DataFrame) -> pd.Series:
    """Return the fate of each cell's sister, ``died``, ``survived`` or ``none``, indexed by ``number``.

    Parameters
    ----------
    cells
        Cells of one field with ``number``, ``parent`` and ``end_kind``.
    """
    sister = sisters(sister_pairs(cells["parent"].where(cells["parent"] > 0, -1).to_numpy()), len(cells))
    died = cells["end_kind"].to_numpy()[sister] == "death"
    status = np.select([sister < 0, died], ["none", "died"], "survived")
    return pd.Series(status, pd.Index(cells["number"], name="number"))


def draw_states(cells: pd.DataFrame, settings: Simulate, seed: int, sample: str, fov: str) -> pd.DataFrame:
    """Draw the transcriptional state of the endpoint cells of one field.

    The stress state depends on the fate of the sister. It is spread evenly over birth times, so that the simulated
    odds ratio also holds within each field and birth time. States A and B are heritable and have no other meaning.

    Parameters
    ----------
    cells
        Endpoint cells of one field with ``root_cell``, ``start`` and ``sister_status``.
    settings, seed, sample, fov
        Settings and seed of the experiment, and names of the field.

    Returns
    -------
    pandas.DataFrame
        Columns ``stress`` (true or false) and ``state`` (``A``, ``B`` or ``stress``), indexed as ``cells``.
    """
    rng = stream(seed, "state", sample, fov)
    odds = settings.sister_odds_ratio * STRESS_AFTER_SURVIVAL / (1 - STRESS_AFTER_SURVIVAL)
    frequency = {"died": odds / (1 + odds), "survived": STRESS_AFTER_SURVIVAL, "none": STRESS_WITHOUT_SISTER}
    ordered = cells.sort_values(["sister_status", "start", "number"])
    expected = ordered["sister_status"].map(frequency).to_numpy()
    planted = settings.plants("sister")
    drawn = spread(expected, rng) if planted else rng.random(len(expected)) < expected.mean()
    stress = pd.Series(drawn, index=ordered.index).reindex(cells.index)
    of_root_cell = rng.random(int(cells["root_cell"].max()) + 1) < 0.5
    is_a = of_root_cell[cells["root_cell"]] == (rng.random(len(cells)) < FAMILY_KEEPS_STATE)
    return pd.DataFrame({"stress": stress, "state": np.where(stress, "stress", np.where(is_a, "A", "B"))})


def expected_profiles(cells: pd.DataFrame, genes: pd.DataFrame, settings: Simulate, seed: int) -> np.ndarray:
    """Return the expected fraction of each gene in each cell's counts, shape (cells, genes); rows sum to one.

    Parameters
    ----------
    cells
        Endpoint cells with ``sample``, ``fov``, ``module``, ``state``, ``stress``, ``phase`` and the columns of
        :data:`cineseq.simulate.latents.SHARED`.
    genes
        See :func:`cineseq.simulate.genes.gene_table`.
    settings, seed
        Settings and seed of the experiment.
    """
    # What each group of genes follows, shape (cells,) each.
    phase = cells["phase"].to_numpy()
    states = float(settings.plants("clusters"))
    signals = {
        "module": cells["module"].to_numpy(),
        "state_a": states * (cells["state"] == "A"),
        "state_b": states * (cells["state"] == "B"),
        "stress": cells["stress"].astype(float),
        "s_phase": np.exp(-(((phase - 0.60) / 0.13) ** 2)),
        "g2m_phase": 1 / (1 + np.exp(-(phase - 0.80) / 0.04)),
        **{name: cells[name].to_numpy() for name in SHARED},
    }
    # Log expression as the sum of loadings times signals, shape (cells, genes); then fractions of the cell's counts.
    level = genes["base"].to_numpy() + field_shifts(cells, genes, settings, seed)
    for name, signal in signals.items():
        level = level + np.outer(signal, genes[name])
    profile = np.exp(level)
    return profile / profile.sum(1, keepdims=True)


def field_shifts(cells: pd.DataFrame, genes: pd.DataFrame, settings: Simulate, seed: int) -> np.ndarray:
    """Return the effect of the field of view on the log expression of each gene and cell, shape (cells, genes)."""
    shifts = np.zeros((len(cells), len(genes)))
    if settings.plants("confounder"):
        for (sample, fov), rows in cells.groupby(FIELD, sort=False).indices.items():
            shifts[rows] = stream(seed, "gene shift", sample, fov).standard_normal(len(genes))
    return shifts * genes["confounder"].to_numpy()


def library_sizes(cells: pd.DataFrame, settings: Simulate) -> np.ndarray:
    """Return the expected total counts of each cell, lognormal and larger for larger cells, shape (cells,)."""
    log_size = 0.17 * cells["size"] + 0.36 * (cells["phase"] - 0.5)
    return settings.library_size * np.exp(log_size + 0.28 * cells["library"]).to_numpy()


def draw_counts(expected: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw negative binomial counts with the given means, as int32 of the same shape."""
    return rng.poisson(expected * rng.gamma(1 / DISPERSION, DISPERSION, expected.shape)).astype(np.int32)
