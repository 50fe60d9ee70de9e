"""Measure what generated cells and explained shares are worth: ``python benchmarks/bench_generative.py [NAME ...]``.

Each module of ``benchmarks/generative`` plants the truth in cells, or reads real cells, and asks the package's own
functions. One line is printed per claim: what is required, the number, and its standard error; a line without a
requirement is a number to compare with. Measured numbers are kept in ``results/bench_generative/``, one file per claim,
so that a run that was stopped goes on; ``--fresh`` measures again. Claims of the same design share their studies within
a process, so ``--jobs 1`` is the fastest. ``generative/measured.csv`` has what ``variances --jobs 1 --csv`` printed.
"""

from __future__ import annotations

from claim_runner import Benchmark, main

if __name__ == "__main__":
    main(Benchmark.of("generative"), __doc__)
