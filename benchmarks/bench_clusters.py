"""Measure the memory and time of the clustering step on many cells, from the input file to the tables.

Run: ``OMP_NUM_THREADS=1 .venv/bin/python benchmarks/bench_clusters.py --cells 100000 --genes 20000``
Simulated counts of eight types of cells (2,000 counts per cell) and one function are written as ``paired.h5ad``. They
include the genes of the cell cycle, and 1 % of the cells have so few counts that they fail quality control.
``scripts/cluster.py`` then runs on them in a separate process, whose peak memory is measured from reading the file to
the last figure. Settings are the defaults, including the subsets that are clustered again to measure stability.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from kinds_of_cell import simulate
from scores import Score, run_apart
from sklearn.metrics import adjusted_rand_score

from cineseq.config.expression import Clusters
from cineseq.expression.cell_cycle import G2M_GENES, S_GENES
from cineseq.io.adata import write_paired
from cineseq.io.paired import PairedData
from cineseq.tables.contract import read_table
from cineseq.tables.expression import CLUSTERS

KINDS, SAMPLES = 8, 4
MOST_GB = 10
STEP = Path(__file__).resolve().parents[1] / "scripts" / "cluster.py"
OUTPUTS = {
    "clusters": "cells.parquet",
    "function_by_cluster": "function_by_cluster.tsv",
    "function_by_component": "function_by_component.tsv",
    "umap": "umap.svg",
    "quality": "quality.svg",
    "report": "cluster.json",
}


def write_cells(cells: int, genes: int, path: Path) -> pd.Series:
    """Write the paired data of simulated cells; return the kind of each by its ``track_id``."""
    counts, kind = simulate(cells, genes, KINDS)
    poor = counts.indptr[cells // 100]
    counts.data[:poor] *= np.arange(poor) % 20 == 0
    counts.eliminate_zeros()
    rng = np.random.default_rng(1)
    index = pd.Index([f"s{k % SAMPLES}/1/{k:06d}" for k in range(cells)], name="track_id")
    sample = pd.Series([f"s{k % SAMPLES}" for k in range(cells)], index=index)
    obs = pd.DataFrame({"sample": sample, "fov": "1", "family": index, "condition": "c", "replicate": "1"}, index=index)
    function = pd.DataFrame({"function_x": kind + rng.normal(0, KINDS, cells)}, index=index)
    nothing = pd.DataFrame(index=index)
    cycle = (*S_GENES, *G2M_GENES)
    names = pd.Index([*cycle, *(f"g{k}" for k in range(genes - len(cycle)))])
    write_paired(PairedData(obs, counts, names, nothing, nothing, function), path)
    return pd.Series(kind, index=index)


def arguments(folder: Path, resamples: int) -> list[str]:
    """Return the arguments of the step: its files and its settings."""
    files = {"paired": "paired.h5ad"} | OUTPUTS
    named = [text for name, file in files.items() for text in (f"--{name.replace('_', '-')}", str(folder / file))]
    return [*named, "--settings", json.dumps({"clusters": {"resamples": resamples}})]


def main() -> None:
    """Print seconds, memory and the agreement of clusters with the types of cells."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--genes", type=int, default=20_000)
    default = Clusters().resamples
    parser.add_argument("--resamples", type=int, default=default, help="subsets clustered again, which takes time")
    options = parser.parse_args()
    size = f"{options.cells:,} cells x {options.genes:,} genes"
    with tempfile.TemporaryDirectory(prefix="cineseq-") as name:
        folder = Path(name)
        kind = write_cells(options.cells, options.genes, folder / "paired.h5ad")
        print(Score(f"{size}: paired.h5ad, GB", (folder / "paired.h5ad").stat().st_size / 1e9), flush=True)
        found = run_apart(STEP, arguments(folder, options.resamples))
        table = read_table(folder / "cells.parquet", CLUSTERS)
    print(Score(f"{size}: seconds, {options.resamples} subsets clustered again", found["seconds"]))
    kept = table[table["passes_qc"].to_numpy(bool)]
    agreement = adjusted_rand_score(kind[kept["track_id"]], kept["cluster"])
    print(Score(f"{size}: adjusted Rand index of the kinds planted", agreement, low=0.9))
    print(Score(f"{size}: most memory of the step, GB", found["peak_gb"], high=MOST_GB))


if __name__ == "__main__":
    main()
