"""Scale fluorescence between samples, if the configuration asks for it."""

from __future__ import annotations

import pandas as pd

from cineseq.config.pairing import Cells
from cineseq.errors import UserError
from cineseq.features.label_statistics import STATISTICS
from cineseq.text import significant

REFERENCE = "mean"
"""The statistic whose median scales all intensities of a channel, so that their ratios are kept."""


def scaled(
    cells: pd.DataFrame, settings: Cells, not_levels: frozenset[str] = frozenset()
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Divide fluorescence by a median of its sample, or of the controls of its replicate (``cells.scaling``).

    All intensities of a channel are divided by the median of its mean intensity, and a function score by its own
    median. The median is that of the sample's cells (``per_sample``, which removes average differences between
    samples) or of the control cells of the sample's replicate (``controls``, which makes levels relative to theirs).
    Shape, texture and embeddings are not changed.

    Parameters
    ----------
    cells
        As :data:`cineseq.tables.imaging.CELLS`.
    settings
        The section ``cells`` of the configuration.
    not_levels
        Columns of function scores that are not in units of the signal, such as times and rates; they stay.

    Returns
    -------
    tuple of pandas.DataFrame
        The cells, and the factors: ``sample``, ``reference`` (the column whose median is used) and ``factor``.

    Raises
    ------
    UserError
        When a replicate has no control cell, or when a median is not above zero.
    """
    references = {} if settings.scaling == "none" else reference_columns(cells)
    references = {name: reference for name, reference in references.items() if name not in not_levels}
    if not references:
        return cells, pd.DataFrame({"sample": [], "reference": [], "factor": []})
    columns = sorted(set(references.values()))
    if settings.scaling == "controls":
        medians = _control_medians(cells, columns, settings.controls)
    else:
        medians = cells.groupby("sample")[columns].median()
    factors = medians.reset_index().melt("sample", var_name="reference", value_name="factor").dropna()
    factors = factors.sort_values(["sample", "reference"], ignore_index=True)
    wrong = factors[factors["factor"] <= 0]
    if len(wrong):
        row = wrong.iloc[0]
        msg = (
            f"cells.scaling: {settings.scaling} divides by the median, but the median of {row['reference']} for sample "
            f"'{row['sample']}' is {significant(row['factor'], 4)}; set cells.scaling to none."
        )
        raise UserError(msg)
    divided = {name: cells[name] / cells["sample"].map(medians[ref]).to_numpy() for name, ref in references.items()}
    return cells.assign(**divided), factors


def _control_medians(cells: pd.DataFrame, columns: list[str], controls: list[str]) -> pd.DataFrame:
    """Return the medians of the control cells of each sample's replicate, indexed by sample.

    All samples without a replicate form one replicate.
    """
    replicate = cells["replicate"].fillna("")
    medians = cells[cells["condition"].isin(controls).fillna(value=False)].groupby(replicate)[columns].median()
    replicate_of = replicate.groupby(cells["sample"]).first()
    of_samples = medians.reindex(replicate_of).set_index(replicate_of.index)
    lacking = of_samples.isna() & cells.groupby("sample")[columns].count().gt(0)
    if lacking.to_numpy().any():
        sample = lacking.index[lacking.any(axis=1)][0]
        column = columns[int(lacking.loc[sample].to_numpy().argmax())]
        msg = (
            f"cells.controls: no cell of condition {' or '.join(controls)} has {column} in replicate "
            f"'{replicate_of[sample]}', to which sample '{sample}' belongs (conditions are "
            f"{', '.join(sorted(cells['condition'].dropna().unique())) or 'none'}); name the conditions and "
            "replicates of the sheet so that every replicate has controls, or set cells.scaling to per_sample or none."
        )
        raise UserError(msg)
    return of_samples


def divisor(settings: Cells) -> str:
    """Return a phrase that names the divisor of fluorescence and what it implies; only for data that are scaled."""
    if settings.scaling == "controls":
        named = " or ".join(settings.controls)
        return f"the median of the control cells ({named}) of the same replicate, so levels are relative to theirs"
    return "its own sample's median, so samples cannot differ in its level"


def reference_columns(cells: pd.DataFrame) -> dict[str, str]:
    """Return all columns in grey levels, each with the column whose median scales it."""
    references = {c: c for c in cells.columns if c.startswith("function_")}
    ending = f"_{REFERENCE}"
    for channel in [c.removesuffix(ending) for c in cells if c.startswith("morphology_") and c.endswith(ending)]:
        levels = {f"{channel}_{statistic}" for statistic in STATISTICS}
        if levels <= set(cells.columns):  # else it is the mean of something other than grey levels
            spots = {f"{channel}_spot_intensity"} & set(cells.columns)
            references |= dict.fromkeys(sorted(levels | spots), f"{channel}{ending}")
    return references
