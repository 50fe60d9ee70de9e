"""Time the rank-sum test of every gene in every group, compare with scanpy, and compare the p-values.

Run: ``OMP_NUM_THREADS=1 .venv/bin/python benchmarks/bench_markers.py``
Compares ``rank_sum`` with ``rank_genes_groups`` of scanpy with tie correction, each on one thread, on the same sparse
log-normalised simulated counts. Code that is compiled at first use is compiled beforehand, on a few cells.

Ours makes a continuity correction and scanpy does not, so p-values are compared twice: unchanged, for information; and
at equal statistic, after the same correction of the z scores of scanpy. scanpy stores z scores in single precision.
P-values below the smallest normal number are set to that number.
"""

import argparse
import time
from collections.abc import Callable

import anndata
import numpy as np
import pandas as pd
import scanpy as sc
from kinds_of_cell import simulate
from scipy import sparse
from scores import Score

from cineseq.expression.wilcoxon import from_scores, illico_available, rank_sum
from cineseq.io.counts import log_normalised

RATIO = 9
LARGEST_DIFFERENCE = 1e-3
KEY = ["group", "gene"]


def main() -> None:
    """Print the seconds of both, their ratio, and the largest difference of the p-values."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=20_000)
    parser.add_argument("--genes", type=int, default=10_000)
    parser.add_argument("--groups", type=int, default=10)
    told = parser.parse_args()
    if not illico_available():
        msg = "illico cannot be imported here, so that there is nothing to compare scanpy with."
        raise SystemExit(msg)
    counts, kind = simulate(told.cells, told.genes, told.groups)
    log, groups = log_normalised(counts), kind.astype(str)
    genes, names = pd.Index([f"g{k}" for k in range(told.genes)]), sorted(set(groups))
    size = f"{told.cells:,} cells x {told.genes:,} genes x {told.groups} groups"
    few = log[:100, :20], genes[:20], np.resize(["a", "b"], 100)
    rank_sum(*few, ["a", "b"]), ranked_by_scanpy(*few)
    ours, own_seconds = _timed(lambda: rank_sum(log, genes, groups, names))
    print(Score(f"{size}: seconds, ours", own_seconds), flush=True)
    theirs, seconds = _timed(lambda: ranked_by_scanpy(log, genes, groups))
    print(Score(f"{size}: seconds, scanpy", seconds))
    print(Score(f"{size}: times faster than scanpy", seconds / own_seconds, low=RATIO))
    found = sc.get.rank_genes_groups_df(theirs, None)
    found["group"], found["gene"] = found["group"].astype(str), found["names"].astype(str)
    as_is = largest_difference(ours, found.assign(p_value=found["pvals"]))
    print(Score(f"{size}: largest |delta log10 p|, unchanged", as_is))
    corrected = from_scores(found["group"], found["gene"], found["scores"].to_numpy(float), theirs)
    at_equal = largest_difference(ours, corrected)
    print(Score(f"{size}: largest |delta log10 p|, at equal statistic", at_equal, high=LARGEST_DIFFERENCE))


def ranked_by_scanpy(log: sparse.csr_matrix, genes: pd.Index, groups: np.ndarray) -> anndata.AnnData:
    """Return cells with the gene rankings of scanpy."""
    obs = pd.DataFrame({"group": pd.Categorical(groups)}, index=pd.Index(np.arange(len(groups)).astype(str)))
    adata = anndata.AnnData(log, obs=obs, var=pd.DataFrame(index=genes))
    sc.tl.rank_genes_groups(adata, "group", method="wilcoxon", tie_correct=True, use_raw=False)
    return adata


def largest_difference(ours: pd.DataFrame, theirs: pd.DataFrame) -> float:
    """Return the largest difference of log10 p over all genes and groups."""
    both = ours.merge(theirs[[*KEY, "p_value"]], on=KEY, suffixes=("_ours", "_theirs"), validate="one_to_one")
    if len(both) != len(ours):
        msg = f"{len(ours)} genes and groups were tested by us, only {len(both)} of them by scanpy."
        raise SystemExit(msg)
    smallest = np.finfo(float).tiny
    logs = np.log10(both[["p_value_ours", "p_value_theirs"]].clip(lower=smallest))
    return float((logs["p_value_ours"] - logs["p_value_theirs"]).abs().max())


def _timed(work: Callable) -> tuple:
    started = time.perf_counter()
    done = work()
    return done, time.perf_counter() - started


if __name__ == "__main__":
    main()
