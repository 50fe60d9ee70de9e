"""A sheet that gives paired data of another program and nothing else, through Snakemake."""

import anndata
import numpy as np
import pandas as pd
import pytest
from tests.workflow.conftest import Project, write_sheet

pytestmark = [pytest.mark.workflow, pytest.mark.slow]


def test_paired_data_are_clustered(small: Project) -> None:
    random = np.random.default_rng(0)
    names = [f"c{i}" for i in range(60)]
    obs = pd.DataFrame({"area": random.uniform(50, 90, 60), "score": random.normal(size=60)}, index=names)
    counts = random.poisson(5, (60, 80)).astype(np.float32)
    var = pd.DataFrame(index=[f"g{i}" for i in range(80)])
    anndata.AnnData(counts, obs, var).write_h5ad(small.folder / "theirs.h5ad")
    write_sheet(small.folder, [{"sample": "study", "paired": "theirs.h5ad"}])
    external = {"function": {"score": "score"}, "morphology": ["area"]}
    quality = {"min_genes": 10, "min_counts": 50}
    small.configure(channels={"function": []}, function={"scores": []}, external=external, clusters=quality)
    small.snakemake("clusters")
    clustered = pd.read_parquet(small.folder / "results/small/clusters/cells.parquet")
    assert len(clustered) == 60
    assert clustered["passes_qc"].all()
    # What a run wrote is given to another as it is.
    write_sheet(small.folder, [{"sample": "study", "paired": "own.h5mu"}])
    (small.folder / "results/small/study/paired.h5mu").rename(small.folder / "own.h5mu")
    small.snakemake("clusters")
    again = pd.read_parquet(small.folder / "results/small/clusters/cells.parquet")
    pd.testing.assert_frame_equal(again, clustered)
