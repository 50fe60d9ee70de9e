"""Score the lineage analysis: on real families, on simulated experiments with known answers, and for speed.

Run: ``make bench-lineage``, or
``OMP_NUM_THREADS=1 .venv/bin/python benchmarks/bench_lineage.py --data ../shared/data``
Prints one line per score: value, target, and whether it is met.
"""

import argparse
import logging
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import compare_sisters
import describe_fates
import import_lineage
import numpy as np
import pandas as pd
import yaml
from lineage_experiments import ANY_FRAME, Deep, Experiment, analyse, caged, simulate, simulate_deep
from scipy.stats import fisher_exact
from scores import Score, exactly, own_peak_gb

from cineseq.config.base import FieldOfView
from cineseq.config.external import External
from cineseq.config.lineage import Lineage
from cineseq.external.lineages import read_all_families
from cineseq.lineage.concordance import concordance_table, times_table
from cineseq.lineage.pair_statistics import pair_correlation
from cineseq.lineage.relatives import relatives_of
from cineseq.lineage.selection_bias import lineage_warnings
from cineseq.lineage.sister_score import Summaries
from cineseq.lineage.sister_status import sister_status
from cineseq.lineage.sister_test import associate
from cineseq.lineage.state_by_sister import compare_states
from cineseq.lineage.states import states_of, survivors
from cineseq.lineage.trees import LineageTrees, families_of
from cineseq.tables.imaging import CELLS
from cineseq.workflow.products import products_of

ROOT = Path(__file__).resolve().parents[1]
TESTED = "sister_died_vs_survived"
TEN = "GEMCITABINE 10 uMolars"


def real(data: Path) -> list[Score]:
    """Compare the AU565 families with values that other code computed from the same tables."""
    folder = data / "au565_lineages"
    source = External(**yaml.safe_load((ROOT / "config/examples/au565_lineages.yaml").read_text())["external"])
    cells = read_all_families([folder / "lineages.csv"], [FieldOfView(sample="au565")], source)
    families = families_of(cells)
    fates = families.cells["fate"].value_counts()
    relatives = relatives_of(families, 5)
    shared = concordance_table(families, relatives, 5, 9999, 1).set_index(["condition", "relation"])
    times = times_table(families, relatives).set_index(["condition", "relation", "quantity"])
    wanted = {"division": 1477, "death": 387, "unknown": 1989}
    scores = [exactly(f"au565: {fate}", fates[fate], count) for fate, count in wanted.items()]
    ten = shared.loc[TEN, "sisters"]
    scores += [
        exactly(f"au565, {TEN}: pairs with both fates", ten["pairs"], 96),
        exactly(f"au565, {TEN}: concordance", ten["concordance"], 0.958, 5e-4),
        exactly(f"au565, {TEN}: concordance if independent", ten["expected_independent"], 0.514, 5e-4),
    ]
    for condition in sorted(families.cells["condition"].unique()):
        row, time_row = shared.loc[condition, "sisters"], times.loc[condition, "sisters", "division_time"]
        scores += [
            Score(f"au565, {condition}: {name}", row[name])
            for name in ("pairs", "concordance", "expected_independent", "phi", "phi_low", "phi_high")
        ]
        scores += [
            Score(f"au565, {condition}: concordance, {end} end of 95 % interval, families resampled", value)
            for end, value in zip(("lower", "upper"), _concordance_interval(families, condition), strict=True)
        ]
        scores += [
            Score(f"au565, {condition}: division times, r {name}", time_row[name]) for name in ("r", "low", "high")
        ]
    return scores + _second_table(folder / "cells.csv")


def _concordance_interval(families: LineageTrees, condition: str) -> np.ndarray:
    """Return the 95 % interval of the concordance of sisters over families drawn with replacement, shape (2,)."""
    cells, sisters = families.cells, families.sisters
    fates = cells["died"].to_numpy()[sisters]
    here = np.isfinite(fates).all(axis=1) & (cells["condition"].to_numpy()[sisters[:, 0]] == condition)
    family = np.unique(cells["root_cell"].to_numpy()[sisters[here, 0]], return_inverse=True)[1]
    pairs, same = np.bincount(family), np.bincount(family, fates[here, 0] == fates[here, 1])
    drawn = np.random.default_rng(0).multinomial(len(pairs), np.full(len(pairs), 1 / len(pairs)), 2000)
    return np.quantile(drawn @ same / (drawn @ pairs), [0.025, 0.975])


def _second_table(path: Path) -> list[Score]:
    cells = pd.read_csv(path).set_index("cell")
    sister = cells["sister"].dropna()
    sisters = pd.DataFrame({"one": sister.index, "other": sister.to_numpy()})
    mother = cells["parent"].dropna()
    aunt = cells["sister"].reindex(mother).to_numpy()
    niece = pd.DataFrame({"one": mother.index, "aunt": aunt}).dropna()
    daughters = pd.DataFrame({"other": mother.index, "aunt": mother.to_numpy()})
    cousins = niece.merge(daughters, on="aunt")
    found = {}
    for name, pairs in (("sisters", sisters), ("cousins", cousins)):
        once = pairs[(pairs["one"] < pairs["other"]) & pairs["other"].isin(cells.index)]
        died = [cells.loc[once[side], "died"].to_numpy(float) for side in ("one", "other")]
        file = cells.loc[once["one"], "file"].to_numpy()
        mean = pd.Series((died[0] + died[1]) / 2).groupby(file).transform("mean").to_numpy()
        found[name] = pair_correlation(died[0] - mean, died[1] - mean, np.arange(len(once))).value
    return [
        exactly("au565, second table: death of sisters, r within file", found["sisters"], 0.63, 0.02),
        exactly("au565, second table: death of cousins, r within file", found["cousins"], 0.0, 0.1),
    ]


def _pooled(cells: pd.DataFrame, status: pd.DataFrame) -> float:
    used = status["sequenced"] & status["status"].isin(["died", "survived"])
    table = pd.crosstab(status["status"][used], cells["state_x"][used])
    return fisher_exact(table).pvalue if table.shape == (2, 2) else 1.0


def _repeat(experiments: int, make: Callable[[int], pd.DataFrame]) -> pd.DataFrame:
    """Return the tested row of every experiment; ``make`` returns the cells of one, by its seed."""
    settings = Lineage(permutations=999, states=["state_x"])
    found = []
    for seed in range(experiments):
        cells = make(seed)
        _, status, compared = analyse(cells, settings)
        row = compared[compared["contrast"] == TESTED].iloc[0]
        found.append({**row, "pooled": _pooled(cells, status)})
    return pd.DataFrame(found)


def type_one(experiments: int) -> list[Score]:
    """Score the tests where stress of field and time determines state and death, and the sister has no effect."""
    table = _repeat(experiments, lambda seed: simulate(Experiment(), seed))
    excludes = ((table["low"] > 1) | (table["high"] < 1)).mean()
    return [
        Score("null: Mantel-Haenszel score within strata rejects", (table["p_value"] <= 0.05).mean(), 0.02, 0.07),
        Score("null: stratified (Mantel-Haenszel) interval excludes 1", excludes, 0.02, 0.07),
        Score("null: GEE rejects", (table["p_gee"] <= 0.05).mean()),
        Score("null: pooled Fisher test rejects", (table["pooled"] <= 0.05).mean()),
        *_rejections(
            "null, births at any time", experiments, lambda seed: simulate(Experiment(births=ANY_FRAME), seed)
        ),
        *_unlike(experiments),
        *_rejections("null, three divisions", experiments, lambda seed: simulate_deep(Deep(), seed)),
        *_rejections(
            "null, three divisions, strong inheritance",
            experiments,
            lambda seed: simulate_deep(Deep(inherited=3.0), seed),
        ),
    ]


def _unlike(experiments: int) -> list[Score]:
    """Score families in which few daughters die, or most, and sisters are unlike, alike, or nearly the same."""
    scores = []
    for risk, deaths in ((-4.0, "few"), (-2.5, "some"), (1.0, "most")):
        for alike in (0.0, 0.3, 0.8):
            planted = Experiment(alike=alike, risk=risk)
            name = f"null, {deaths} deaths, sisters alike {alike:g}"
            scores += _rejections(name, experiments, lambda seed, planted=planted: simulate(planted, seed))
    return scores


def _rejections(name: str, experiments: int, make: Callable[[int], pd.DataFrame]) -> list[Score]:
    table = _repeat(experiments, make)
    most = 0.07 + 2 * np.sqrt(0.07 * 0.93 / experiments)
    excludes = ((table["low"] > 1) | (table["high"] < 1)).mean()
    return [
        Score(f"{name}: Mantel-Haenszel score within strata rejects", (table["p_value"] <= 0.05).mean(), 0, most),
        Score(f"{name}: stratified interval excludes 1", excludes),
        Score(f"{name}: GEE rejects", (table["p_gee"] <= 0.05).mean()),
    ]


def coverage(experiments: int) -> list[Score]:
    """Score the interval of the odds ratio where 3 was planted within strata."""
    table = _repeat(experiments, lambda seed: simulate(Experiment(odds_ratio=3.0), seed))
    covers = ((table["low"] <= 3) & (table["high"] >= 3)).mean()
    return [
        Score("planted odds ratio 3: intervals that cover it", covers, 0.92, 0.98),
        Score("planted odds ratio 3: median estimate", table["odds_ratio"].median(), 2.8, 3.25),
        Score("planted odds ratio 3: Mantel-Haenszel score detects", (table["p_value"] <= 0.05).mean()),
    ]


def trap(experiments: int) -> list[Score]:
    """Score the warning about compartments whose only live cell implies a dead sister."""
    kinds = {
        "where it is": ("shared", 80, True, 1),
        "where it is, cages unmeasured, 500 families": ("shared", 500, False, 1),
        "where it is, cages unmeasured, 80 families": ("shared", 80, False, None),
        "where it is not": ("apart", 80, True, 0),
        "where it is not, cages unmeasured, 500 families": ("apart", 500, False, 0),
        "where capture differs by field, cages unmeasured": ("uneven", 500, False, 0),
    }
    scores = []
    for where, (choice, founders, measured, wanted) in kinds.items():
        named = 0
        for seed in range(experiments):
            families, status, pairs = caged(seed, choice=choice, founders=founders)
            warned = lineage_warnings(families, status, pairs if measured else None)
            named += int("one_cell_compartments" in set(warned["warning"]))
        name, fraction = f"one-cell compartments: warned {where}", named / experiments
        scores.append(Score(name, fraction) if wanted is None else exactly(name, fraction, wanted))
    return scores


def speed(cells: int) -> list[Score]:
    """Time families of three divisions from the files to the tables, and the comparison of 100,000 pairs."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "lineages.csv"
        planted = Deep(founders=cells // 15, fields=200)
        _as_table(simulate_deep(planted, 0)).to_csv(source, index=False)
        tested = _seconds(lambda: _build_and_test(source))
        parts = _timed_steps(Path(folder), source)
    rng = np.random.default_rng(0)
    pairs = 100_000
    survivors = rng.integers(1, 3, pairs)
    arrays = (
        rng.integers(0, survivors + 1) / survivors,
        survivors,
        rng.integers(0, 1000, pairs),
        np.arange(pairs) // 4,
    )
    compared, _ = _seconds(lambda: associate(Summaries.of_state(rng.random(pairs) < 0.3, *arrays), 5))
    blocks, _ = _seconds(_permuted_cousins(pairs))
    return [
        Score(f"{cells:,} cells built, validated and tested, seconds of processor", tested[1], 0, 60),
        Score(f"{cells:,} cells built, validated and tested, s", tested[0]),
        *(Score(f"{cells:,} cells, {name}, s", wall) for name, (wall, _) in parts.items()),
        Score(f"{cells:,} cells, every table and figure, s", sum(wall for wall, _ in parts.values()), 0, 60),
        Score("the same, seconds of processor", sum(used for _, used in parts.values()), 0, 60),
        Score("100,000 pairs of 25,000 root cells compared, s", compared, 0, 20),
        Score("100,000 pairs of cousins, 10,000 permutations of pairs of sisters, s", blocks, 0, 20),
        Score("most memory, GB", own_peak_gb(), 0, 4),
    ]


def _as_table(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of a table of families that a user would bring."""
    table = cells[["sample", "fov", "condition", "state_x", "fate"]].assign(id=cells["track_id"])
    return table.assign(parent=cells["parent_id"], birth=cells["start_frame"], end=cells["end_frame"])


def _build_and_test(source: Path) -> None:
    """Read and validate families, and test the concordance of fates and a state by the fate of the sister."""
    settings = Lineage(permutations=9999, states=["state_x"])
    table = CELLS.check(read_all_families([source], [FieldOfView()], External()))
    families = families_of(table)
    concordance_table(families, relatives_of(families, settings.birth_time_bins), 5, settings.permutations, 1)
    measured = states_of(table, None, settings.states, None)
    status = sister_status(families, settings)
    status["sequenced"] = survivors(families, measured, None)
    compare_states(families, status, measured, settings, 1)


def _timed_steps(folder: Path, source: Path) -> dict[str, tuple[float, float]]:
    """Run the steps from the table of families to every table and figure; return their seconds."""
    cells, report = folder / "cells.parquet", folder / "report.json"
    settings = Lineage(permutations=9999, states=["state_x"])
    written = {
        step: {product.name: folder / Path(product.path).name for product in products_of(step)}
        for step in ("describe_fates", "compare_sisters")
    }
    return {
        "read and validated": _seconds(
            lambda: import_lineage.main(
                external=[source],
                cells=cells,
                csv=folder / "cells.csv",
                report=report,
                settings=import_lineage.Settings(),
            )
        ),
        "fates described": _seconds(
            lambda: describe_fates.main(
                cells=cells,
                **written["describe_fates"],
                report=report,
                settings=describe_fates.Settings(lineage=settings),
            )
        ),
        "sisters compared": _seconds(
            lambda: compare_sisters.main(
                cells=cells,
                compartments=[],
                **written["compare_sisters"],
                report=report,
                settings=compare_sisters.Settings(lineage=settings),
            )
        ),
    }


def _permuted_cousins(pairs: int) -> Callable[[], object]:
    """Return the test of cousins, on founders of two divisions, of which each has four pairs of cousins."""
    families = families_of(simulate_deep(Deep(founders=pairs // 4, fields=200, divisions=2), 0))
    cells = families.cells
    died = cells["alive_at_end"].map({0.0: 1.0, 1.0: 0.0}).where(cells["fate"] != "division")
    families = replace(families, cells=cells.assign(died=died))
    cousins = {"cousins": relatives_of(families, 5)["cousins"]}
    return lambda: concordance_table(families, cousins, 5, 10_000, 1)


def _seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Return seconds on the wall, and of this process's processor: on a busy machine the first says little."""
    started, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - started, time.process_time() - processor


def main() -> None:
    """Print every score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT / "../shared/data", help="folder of the real data")
    parser.add_argument("--experiments", type=int, default=500, help="simulated experiments of each kind")
    parser.add_argument("--cells", type=int, default=1_000_000, help="cells of the families that are timed")
    parser.add_argument("--only", choices=("speed", "real", "type_one", "coverage", "trap"), help="one part of it")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    parts: dict[str, Callable[[], list[Score]]] = {"speed": lambda: speed(options.cells)}
    if (options.data / "au565_lineages").is_dir():
        parts["real"] = lambda: real(options.data)
    else:
        print(f"au565: not scored, there are no data at {options.data}")
    for kind in (type_one, coverage, trap):
        parts[kind.__name__] = lambda kind=kind: kind(options.experiments)
    for name, part in parts.items():
        if options.only in {None, name}:
            for score in part():
                print(score, flush=True)


if __name__ == "__main__":
    main()
