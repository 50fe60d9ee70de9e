"""Write and read files of the simulated experiment: barcodes, count matrices and positions."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from scipy import sparse

from cineseq.config.base import FieldOfView
from cineseq.errors import UserError
from cineseq.files import replacing
from cineseq.simulate.experiment import Experiment
from cineseq.tables.contract import read_table
from cineseq.tables.simulation import SIMULATED_POSITIONS
from cineseq.text import count


def barcode_table(experiment: Experiment) -> pd.DataFrame:
    """Return the rows of the barcodes table of all samples."""
    return pd.concat([library.barcodes for library in experiment.libraries.values()], ignore_index=True)


def write_counts(experiment: Experiment, paths: list[Path]) -> None:
    """Write one AnnData file of integer counts per sample, in the order of the samples.

    Raises
    ------
    UserError
        When the numbers of paths and samples differ.
    """
    import anndata  # noqa: PLC0415 - seconds

    if len(paths) != len(experiment.libraries):
        msg = (
            f"simulate.samples: the experiment has {count(len(experiment.libraries), 'sample')}, but the sample sheet "
            f"names {count(len(paths), 'count file')}; make simulate.samples and the sample sheet agree."
        )
        raise UserError(msg)
    for library, path in zip(experiment.libraries.values(), paths, strict=True):
        data = anndata.AnnData(
            sparse.csr_matrix(library.counts),
            obs=pd.DataFrame(index=pd.Index(library.names, dtype=object)),
            var=pd.DataFrame(index=pd.Index(experiment.genes["gene"], dtype=object, name=None)),
        )
        with replacing(path) as temporary:
            data.write_h5ad(temporary)


def read_positions(path: Path, field: FieldOfView) -> pd.DataFrame:
    """Read the rows of one field of view from the positions table, as plain numbers.

    Raises
    ------
    UserError
        When the table has no such field.
    """
    table = read_table(path, SIMULATED_POSITIONS)
    rows = table[(table["sample"] == field.sample) & (table["fov"] == field.fov)]
    if rows.empty:
        msg = (
            f"{path}: no field '{field.fov}' of sample '{field.sample}' in the simulated experiment; make "
            "simulate.samples and simulate.fields agree with the sample sheet."
        )
        raise UserError(msg)
    return rows.astype({"frame": int, "number": int, "pattern": int, "tracked": bool, "kind": object})
