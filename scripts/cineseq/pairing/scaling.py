"""Making fluorescence comparable between samples, by an explicit choice."""

from __future__ import annotations

import pandas as pd

from cineseq.config.pairing import Cells
from cineseq.errors import UserError
from cineseq.features.intensity import STATISTICS

REFERENCE = "mean"
"""The statistic whose median scales all others of its channel, so that their ratios stay."""


def scaled(cells: pd.DataFrame, settings: Cells) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Divide fluorescence by its sample's own median where ``cells.scaling`` is ``per_sample``.

    All intensities of a channel are divided by the median, over the sample's cells, of its mean intensity; a function
    score is divided by its own median. Shape, texture and embeddings stay. What samples differ in on average is lost.

    Parameters
    ----------
    cells
        As :data:`cineseq.contracts.CELLS`.
    settings
        The section ``cells`` of the configuration.

    Returns
    -------
    tuple of pandas.DataFrame
        The cells, and the factors: ``sample``, ``reference`` (the column whose median it is) and ``factor``.

    Raises
    ------
    UserError
        When a median is not above zero, so that nothing can be divided by it.
    """
    references = reference_columns(cells) if settings.scaling == "per_sample" else {}
    if not references:
        return cells, pd.DataFrame({"sample": [], "reference": [], "factor": []})
    medians = cells.groupby("sample")[sorted(set(references.values()))].median()
    factors = medians.reset_index().melt("sample", var_name="reference", value_name="factor").dropna()
    factors = factors.sort_values(["sample", "reference"], ignore_index=True)
    wrong = factors[factors["factor"] <= 0]
    if len(wrong):
        row = wrong.iloc[0]
        msg = (
            f"cells.scaling: per_sample divides by the median, but the median of {row['reference']} in sample "
            f"'{row['sample']}' is {row['factor']:.4g}; set cells.scaling to none."
        )
        raise UserError(msg)
    divided = {name: cells[name] / cells["sample"].map(medians[ref]).to_numpy() for name, ref in references.items()}
    return cells.assign(**divided), factors


def reference_columns(cells: pd.DataFrame) -> dict[str, str]:
    """Return every column in grey levels and the column whose median scales it."""
    references = {c: c for c in cells.columns if c.startswith("function_")}
    ending = f"_{REFERENCE}"
    for channel in [c.removesuffix(ending) for c in cells if c.startswith("morphology_") and c.endswith(ending)]:
        levels = {f"{channel}_{statistic}" for statistic in STATISTICS}
        if levels <= set(cells.columns):  # else a mean of something else than grey levels
            references |= dict.fromkeys(sorted(levels), f"{channel}{ending}")
    return references
