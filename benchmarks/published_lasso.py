"""A published cross-validation of the group lasso on patch-seq neurons, whose values ours must reproduce."""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import MultiTaskLasso

PUBLISHED = {0.1: 0.45275, 0.2: 0.41088, 0.3: 0.37761, 0.5: 0.31542}
"""Cross-validated R2 by penalty: Bernaerts et al., the file of the model sRRR_vs_Bottleneck of berenslab/sBNN."""
FOLDS = 10


def cross_validated_r2(folder: Path, penalty: float) -> float:
    """Return the mean R2 over folds of a multi-task lasso of 16 electrical features on 1,000 genes.

    Cells are standardised together and dealt to folds without regard to mice, as was published: this is a test of the
    machinery, not a result.
    """
    response = pd.read_csv(folder / "ephys_values.csv", index_col=0).to_numpy()
    counts = pd.read_csv(folder / "gene_counts.csv", index_col="gene").to_numpy(float).T
    totals = counts.sum(axis=1, keepdims=True)
    x = np.log2(counts / totals * np.median(totals) + 1)
    x, y = ((v - v.mean(axis=0)) / v.std(axis=0) for v in (x, response))
    order = np.random.RandomState(42).permutation(len(x))
    x, y = x[order].astype("float32").astype(float), y[order].astype("float32").astype(float)
    size, scores = len(x) // FOLDS, []
    for k in range(FOLDS):
        test = np.arange(k * size, (k + 1) * size)
        train = np.setdiff1d(np.arange(len(x)), test)
        mean_x, mean_y = x[train].mean(axis=0), y[train].mean(axis=0)
        model = MultiTaskLasso(alpha=penalty, fit_intercept=False, max_iter=2000, tol=1e-4)
        model.fit(x[train] - mean_x, y[train] - mean_y)
        error = y[test] - mean_y - model.predict(x[test] - mean_x)
        scores.append(1 - np.square(error).sum() / np.square(y[test] - mean_y).sum())
    return float(np.mean(scores))
