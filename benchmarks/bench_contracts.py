"""Time the check of a large table against its contract.

Run: ``.venv/bin/python benchmarks/bench_contracts.py``
The table is :data:`cineseq.tables.imaging.OBJECTS`, with as many morphology columns as asked for; once with the types
that pandas gives (``built``) and once with the declared types, as it comes from a Parquet file (``read``). The bound is
what pandera takes for the same columns, ranges and key on a slow machine; it took .3 to .6 seconds where this took .3.
"""

import argparse
import time

import numpy as np
import pandas as pd
from scores import Score

from cineseq.tables.imaging import OBJECTS

MOST_SECONDS = 1.6


def main() -> None:
    """Print the seconds of both checks, the best of three each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--columns", type=int, default=69)
    told = parser.parse_args()
    built = objects(told.rows, told.columns)
    size = f"{told.rows:,} rows x {told.columns} columns"
    for name, frame in {"built": built, "read": OBJECTS.check(built)}.items():
        seconds = min(_seconds(frame) for _ in range(3))
        print(Score(f"{size}: seconds, {name}", seconds, high=MOST_SECONDS), flush=True)


def objects(rows: int, columns: int, seed: int = 1) -> pd.DataFrame:
    """Return a table of objects in which one morphology value in a thousand is missing."""
    rng = np.random.default_rng(seed)
    number = np.arange(rows)
    frame = pd.DataFrame(
        {
            "sample": np.array(["s1", "s2"], dtype=object)[number % 2],
            "fov": np.array([f"f{i}" for i in range(10)], dtype=object)[number // 2 % 10],
            "frame": number // 1000,
            "label": number % 1000 + 1,
            "track_id": [f"s1/f1/{i % 5000}" for i in range(rows)],
            "y_px": rng.uniform(0, 2000, rows),
            "x_px": rng.uniform(0, 2000, rows),
            "area_px": rng.uniform(20, 900, rows),
            "touches_border": rng.random(rows) < 0.05,
        }
    )
    values = rng.normal(size=(rows, columns - len(frame.columns)))
    values[rng.random(values.shape) < 0.001] = np.nan
    names = [f"morphology_m{i}" for i in range(values.shape[1])]
    return pd.concat([frame, pd.DataFrame(values, columns=names)], axis=1)


def _seconds(frame: pd.DataFrame) -> float:
    start = time.perf_counter()
    OBJECTS.check(frame)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
