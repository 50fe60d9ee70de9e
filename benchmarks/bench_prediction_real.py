"""Score prediction of function on real paired cells in held-out groups, and compare with published values.

Run: ``make bench-prediction``, or
``OMP_NUM_THREADS=1 .venv/bin/python benchmarks/bench_prediction_real.py --data ../shared/data``
Patch-seq neurons: the models over five random assignments of mice to folds, because R² varies by some hundredths
between assignments. Induced stem cells: the angle of the cell cycle in a held-out individual.
"""

import argparse
import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from published_lasso import PUBLISHED, cross_validated_r2
from scores import Score, exactly
from sklearn.model_selection import GroupKFold

from cineseq.config.base import FieldOfView
from cineseq.config.schema import Config, load
from cineseq.expression.cluster import cluster_study
from cineseq.expression.normalise import expression_of
from cineseq.expression.quality_control import usable_cells
from cineseq.external.cells import cells_of_tables, counts_of_cells, paired_of, prefixes
from cineseq.io.paired import PairedData
from cineseq.prediction.crossval.elastic_net import PathGrid, least_squares
from cineseq.prediction.crossval.feature_blocks import Block, all_blocks
from cineseq.prediction.crossval.folds import CrossvalCells, FoldPlan, cells_of
from cineseq.prediction.crossval.out_of_fold import out_of_fold
from cineseq.prediction.model_comparison import compare_models, full_procedure, model_blocks, training_mean
from cineseq.prediction.performance import ModelComparison, performance_rows
from cineseq.prediction.predict import compared_rows
from cineseq.prediction.responses import Response, angular_error, measured_rows, responses_of
from cineseq.statistics.metrics import centred, r2

ROOT = Path(__file__).resolve().parents[1]
LEAST = {"max_aps": 0.75, "ap_width": 0.745, "ap_ratio": 0.78, "membrane_tau": 0.35, "input_resistance": 0.56}
"""Target for expression only: what a plain elastic net reaches over several assignments, minus its spread."""
SHOWN = ("class", "expression", "morphology", "both", "both_late")
MODALITIES = ("class", "expression", "morphology", "embedding")
DEALS = 5
LEAKED_GENES = 300
SHAPE_ALONE = ("size", "perimeter", "eccentricity")


def example(name: str, data: Path) -> tuple[PairedData, Config]:
    """Read the cells of one of the configurations in ``config/examples``."""
    config = load(yaml.safe_load((ROOT / f"config/examples/{name}.yaml").read_text()))
    row = pd.read_csv(ROOT / f"config/examples/{name}.tsv", sep="\t").iloc[0]
    fields = [FieldOfView(sample=row["sample"])]
    tables, counts = ([Path(p.format(data=data)) for p in row[column].split(";")] for column in ("cells", "counts"))
    cells = cells_of_tables(tables, fields * len(tables), config.external)
    orientation = config.pairing.counts_orientation
    found = counts_of_cells(counts, [row["sample"]], prefixes(fields), config.external, orientation)
    return paired_of(cells, found), config


def compared(
    data: PairedData, config: Config, blocks: dict[str, Block | None], response: Response
) -> tuple[dict[str, Block | None], CrossvalCells]:
    """Return the blocks and the grouping of the cells on which the models of a function are compared."""
    rows, _ = compared_rows(blocks, measured_rows(response), config.folds.min_cells)
    obs, column = data.obs.iloc[rows], config.prediction.class_column
    own = {name: None if block is None else block.rows(rows) for name, block in blocks.items()}
    return own, cells_of(obs, response.values[rows], config.folds, column)


def dealt(plan: FoldPlan, folds: int, seed: int) -> FoldPlan:
    """Return a plan with groups assigned to folds at random."""
    fold = np.empty(len(plan.units), dtype=int)
    split = GroupKFold(folds, shuffle=True, random_state=seed).split(plan.units, groups=plan.units)
    for number, (_, test) in enumerate(split):
        fold[test] = number
    return replace(plan, fold=fold)


def neurons(data: Path, threads: int) -> Iterable[Score]:
    """Score the models of five electrical features over several deals of mice, and within class, on usable cells."""
    paired, config = example("patchseq_m1", data)
    study = cluster_study(paired.obs.index, expression_of(paired), config.clusters, config.seed)
    paired = usable_cells(paired, study.table.set_index("track_id"))
    blocks = all_blocks(paired, None, config.prediction)
    procedure = full_procedure(config.prediction, config.folds)
    for response in responses_of(paired.function, list(LEAST)):
        own, cells = compared(paired, config, blocks, response)
        designs = {k: v for k, v in model_blocks(own, cells, np.random.default_rng(1)).items() if k in SHOWN}
        found = {name: [] for name in SHOWN}
        for deal in range(DEALS):
            plan = dealt(cells.plan, config.folds.outer, deal)
            predicted = out_of_fold(designs, cells.values, plan, procedure, threads)
            baseline = cells.values - training_mean(cells.values, plan)
            for name in SHOWN:
                residual = cells.values - predicted[name]
                inside = (centred(part, cells.classes).ravel() for part in (residual, baseline))
                found[name].append([r2(residual.ravel(), baseline.ravel()), r2(*inside)])
        feature = response.name.removeprefix("function_")
        lines = {name: np.mean(values, axis=0) for name, values in found.items()}
        for name, (overall, within) in lines.items():
            least = LEAST[feature] if name == "expression" else -np.inf
            yield Score(f"neurons, {feature}: R2 of {name}, mean of {DEALS} deals of mice", overall, least)
            if name != "class":
                yield Score(f"neurons, {feature}: R2 of {name} within class", within)
        yield Score(f"neurons, {feature}: spread of expression over deals", np.ptp([v[0] for v in found["expression"]]))
        yield from by_the_pipeline(response, own, cells, config, threads)


def by_the_pipeline(
    response: Response, blocks: dict[str, Block | None], cells: CrossvalCells, config: Config, threads: int
) -> Iterable[Score]:
    """Score the models on the pipeline's own folds: R2 with its interval over mice, and the null in class."""
    settings = config.prediction.model_copy(update={"permutations": config.prediction.class_permutations})
    shown = {name: blocks.get(name) for name in MODALITIES}
    fits = compare_models(shown, cells, settings=settings, folds=config.folds, seed=config.seed, threads=threads)
    of_one = np.full(len(cells.values), "", dtype=object)
    comparison = ModelComparison(response, cells, fits, of_one, np.arange(len(cells.values)))
    rows = performance_rows(comparison)
    rows = rows[rows["estimand"] == "pooled"].set_index("model")
    feature = response.name.removeprefix("function_")
    for name, row in rows.loc[list(SHOWN)].iterrows():
        yield Score(f"neurons, {feature}: R2 of {name} on the pipeline's folds", row["r2"])
        yield Score("    lower end of its 95 % interval from resampled mice", row["r2_low"])
        yield Score("    upper end", row["r2_high"])
        if name != "class":
            yield Score(
                f"    p of its R2 within class, {settings.class_permutations} permutations", row["p_within_class"]
            )


def leak(data: Path, threads: int) -> Iterable[Score]:
    """Score what fitting on the test cells, as was published on these cells, would have claimed."""
    paired, config = example("patchseq_m1", data)
    genes = all_blocks(paired, None, config.prediction)["expression"]
    top = np.argsort(-genes.values.var(axis=0))[:LEAKED_GENES]
    for response in responses_of(paired.function, ["rheobase", "input_resistance"]):
        rows = measured_rows(response)
        cells = cells_of(paired.obs.iloc[rows], response.values[rows], config.folds, config.prediction.class_column)
        block = Block(genes.values[rows][:, top], tuple(np.array(genes.names)[top]))
        procedure = full_procedure(config.prediction, config.folds)
        honest = out_of_fold({"technical": (block,)}, cells.values, cells.plan, procedure, threads)["technical"]
        leaky = least_squares(block.values, block.values, cells.values, [], PathGrid((0.5,), 3)).test
        baseline = cells.values - training_mean(cells.values, cells.plan)
        claimed, held_out = (float(r2(cells.values - p, baseline)[0]) for p in (leaky, honest))
        yield Score(f"neurons, {response.name.removeprefix('function_')}: R2 fitted on its test cells", claimed)
        yield Score("    the same least squares on held-out mice", held_out)
        yield Score("    what the leak added", claimed - held_out, 0.2)


def stem_cells(data: Path, threads: int) -> Iterable[Score]:
    """Score the error of the FUCCI angle in individuals that were left out whole, in turns."""
    paired, config = example("fucci_ipsc", data)
    blocks = all_blocks(paired, None, config.prediction)
    own, cells = compared(paired, config, blocks, responses_of(paired.function, ["theta"])[0])
    yield exactly("stem cells: individuals, each left out once", cells.plan.folds, cells.plan.groups)
    nuclear = own["morphology"]
    alone = [name.removeprefix("morphology_") in SHAPE_ALONE for name in nuclear.names]
    shape = Block(nuclear.values[:, alone], tuple(np.array(nuclear.names)[alone]))
    designs = {"expression": (own["expression"],), "morphology": (nuclear,), "shape": (shape,)}
    designs["both"] = (own["expression"], nuclear)
    predicted = out_of_fold(designs, cells.values, cells.plan, full_procedure(config.prediction, config.folds), threads)
    predicted["constant"] = training_mean(cells.values, cells.plan)
    most = {"expression": 0.130, "morphology": 0.185, "shape": 0.20, "both": 0.126}
    said = {"morphology": "nuclear shape and DAPI", "shape": "nuclear shape only", "constant": "the mean"}
    for name in (*most, "constant"):
        error = angular_error(predicted[name], cells.values)
        yield Score(
            f"stem cells: error of the angle from {said.get(name, name)}, turns", error, high=most.get(name, np.inf)
        )


def lasso(data: Path) -> Iterable[Score]:
    """Score a published cross-validation and compare with its published values."""
    for penalty, published in PUBLISHED.items():
        found = cross_validated_r2(data / "patchseq_m1", penalty)
        yield exactly(f"neurons: published lasso, penalty {penalty}", found, published, 1e-3)


def main() -> None:
    """Print every score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT / "../shared/data", help="folder of the real data")
    parser.add_argument("--threads", type=int, default=1)
    told = parser.parse_args()
    logging.disable(logging.WARNING)
    if not (told.data / "patchseq_m1").is_dir():
        print(f"not scored: there are no data in {told.data}")
        return
    parts = (lasso(told.data), stem_cells(told.data, told.threads), leak(told.data, told.threads))
    for part in (*parts, neurons(told.data, told.threads)):
        for score in part:
            print(score, flush=True)


if __name__ == "__main__":
    main()
