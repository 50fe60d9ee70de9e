"""Measure what the measurements are worth: ``python benchmarks/bench_measurements.py [NAME ...]``.

Each module of ``benchmarks/measurements`` plants the truth in time courses, movies or fields (function scores, ends of
tracks, pairs of images and barcodes), and asks the package's own functions. One line is printed per claim: what is
required, the number before the method was mended (read from ``measurements/before``), the number now, and their
standard errors. Lines of a harder design, at which the method breaks, are marked. Measured numbers are kept in
``results/bench_measurements/``, one file per claim, so that a run that was stopped goes on; ``--fresh`` measures again.
"""

from __future__ import annotations

from claim_runner import Benchmark, main

if __name__ == "__main__":
    main(Benchmark.of("measurements"), __doc__)
