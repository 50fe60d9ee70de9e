"""Movies, scores and peers of ``bench_tracking.py``."""
