"""Workers of the fits: as many processes as threads were given, each with one BLAS thread."""

import joblib
import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from cineseq.prediction.crossval.out_of_fold import workers


def _blas_threads() -> list[int]:
    """Return the threads of every BLAS library of this process, loaded by numpy."""
    np.ones((2, 2)) @ np.ones((2, 2))
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_a_worker_has_one_blas_thread_whatever_the_rule_was_given(monkeypatch):
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "2")  # as Snakemake sets them for a rule of two threads
    with threadpool_limits(1):
        found = workers(2)(joblib.delayed(_blas_threads)() for _ in range(4))
    assert all(threads and set(threads) == {1} for threads in found)
