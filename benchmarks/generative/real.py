"""Real cells: patched neurons, and iPSCs whose cell cycle was seen; required is the variance of counts only."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from truth.claims import Claim

from cineseq.config.prediction import Folds
from cineseq.crossmodal.explained_values import noise_ceiling
from cineseq.expression.normalise import expression_of
from cineseq.generative.means import Learning, cross_fitted
from cineseq.generative.study import Generated, GenerateOptions, generate_study
from cineseq.io.paired import PairedData
from cineseq.prediction.crossval.folds import FoldPlan, grouped_folds
from cineseq.statistics.metrics import r2

REPOSITORY = Path(__file__).resolve().parents[2]
PLACES = tuple(folder / "shared/data" for folder in REPOSITORY.parents)
"""Where the real data may be; without them the numbers are not estimable."""


def _folder(name: str) -> Path | None:
    return next((place / name for place in PLACES if (place / name).is_dir()), None)


@lru_cache(maxsize=1)
def neurons() -> Generated | None:
    """Return what is generated of patched neurons; None without the data."""
    folder = _folder("patchseq_m1")
    if folder is None:
        return None
    counts = pd.read_csv(folder / "gene_counts.csv", index_col=0).T
    shape = pd.read_csv(folder / "ephys_values.csv", index_col=0)
    facts = pd.read_csv(folder / "m1_patchseq_meta_data.csv", sep="\t")
    return _of_neurons(counts, shape, facts)


def _of_neurons(counts: pd.DataFrame, shape: pd.DataFrame, facts: pd.DataFrame) -> Generated:
    def key(values: pd.Index) -> pd.Index:
        return pd.Index(values.astype(str).str.replace("_", "", regex=False))

    facts = facts.set_index(key(pd.Index(facts["Cell"])))
    tables = [table.set_axis(key(table.index)) for table in (counts, shape.select_dtypes("number"))]
    names = tables[0].index.intersection(tables[1].index).intersection(facts.index)
    names = pd.Index(names[~names.duplicated()], name="track_id")
    own = facts[~facts.index.duplicated()].loc[names]
    obs = pd.DataFrame(
        {"sample": own["Mouse"].astype(str), "fov": "1", "family": names, "condition": own["RNA family"].astype(str)}
    )
    obs = obs.assign(replicate="1").set_axis(names)
    blank = pd.DataFrame(index=names)
    data = PairedData(
        obs,
        sparse.csr_matrix(tables[0].loc[names].to_numpy(float)),
        pd.Index(tables[0].columns.astype(str)),
        tables[1].loc[names].add_prefix("morphology_"),
        blank,
        blank,
    )
    return generate_study(data, GenerateOptions(Folds(), threads=1, min_flow=None))


def _neuron(seed: int, *, of: Callable[[Generated], float]) -> float:
    del seed
    found = neurons()
    return float("nan") if found is None else of(found)


def _learner(found: Generated, direction: str, learner: str, column: str) -> float:
    rows = found.learners.set_index(["direction", "learner"])
    return float(rows.loc[(direction, learner), column])


def _judged(found: Generated, source: str) -> float:
    rows = found.judged.set_index(["direction", "measure", "source"])["value"]
    return float(rows["morphology_to_expression", "macro_f1", source])


def _variance(found: Generated, *, near: bool) -> float:
    ratio = found.genes["variance_ratio"].dropna().to_numpy(float)
    return float((np.abs(ratio - 1) < 0.1).mean() if near else np.median(ratio))


@lru_cache(maxsize=1)
def stem_cells() -> dict[str, float] | None:
    """Return the held-out share of CDK1 by the phase and by shape, and its noise ceiling; None without the data."""
    folder = _folder("fucci_ipsc")
    if folder is None:
        return None
    cells = pd.read_csv(folder / "cells.csv", index_col=0)
    counts = pd.read_csv(folder / "counts_888x101.csv", index_col=0)
    cdk1 = counts.columns.get_loc("CDK1")
    obs = pd.DataFrame({"sample": "1"}, index=counts.index)
    blank = pd.DataFrame(index=counts.index)
    data = PairedData(obs, sparse.csr_matrix(counts.to_numpy(float)), pd.Index(counts.columns), blank, blank, blank)
    expression = expression_of(data)
    y = np.asarray(expression.log[:, [cdk1]].toarray(), dtype=float)
    units = pd.factorize(cells["chip_id"])[0]
    plan = FoldPlan(units, grouped_folds(units, min(5, units.max() + 1)), ("individual",), ())
    theta = cells["theta"].to_numpy(float)
    phase = np.column_stack([f(k * theta) for k in (1, 2) for f in (np.sin, np.cos)])
    shape = cells[["size", "perimeter", "eccentricity"]].to_numpy(float)
    found = {}
    for name, x in (("phase", phase), ("shape", shape)):
        scaled = (x - x.mean(axis=0)) / np.where(x.std(axis=0) > 0, x.std(axis=0), 1)
        fitted = cross_fitted(scaled, y, plan, 1, Learning(("ridge", "kernel_ridge")))
        found[name] = float(r2(y - fitted.mean, y - fitted.baseline)[0])
    found["ceiling"] = float(noise_ceiling(expression.counts, np.array([cdk1]), 10, 1, "median")[0])
    return found


def _stem(seed: int, *, key: str) -> float:
    del seed
    found = stem_cells()
    return float("nan") if found is None else found.get(key, float("nan"))


def _claims() -> list[Claim]:
    claims = []
    neurons_design = "1,213 neurons of mice that are held out, 16 electrophysiological features, 1,000 genes"
    for direction in ("morphology_to_expression", "expression_to_morphology"):
        for learner in ("chosen", "ridge", "pls", "kernel_ridge", "network", "class_mean"):
            for column in ("r2", "r2_within_class"):
                of = partial(_learner, direction=direction, learner=learner, column=column)
                name = f"real.neurons.{direction}.{learner}.{column}"
                claims.append(Claim(name, neurons_design, "held-out share", partial(_neuron, of=of), 1, new=True))
    for source in ("generated", "class_mean", "shuffled", "real"):
        of = partial(_judged, source=source)
        name = f"real.neurons.macro_f1.{source}"
        claims.append(Claim(name, neurons_design, "macro F1 of families", partial(_neuron, of=of), 1, new=True))
    for name, near, low, high in (("median", False, 0.9, 1.1), ("near", True, -np.inf, np.inf)):
        what = "share of genes within 10 % of 1: " if near else "median over genes: "
        what += "variance of generated over measured counts"
        study = partial(_neuron, of=partial(_variance, near=near))
        claims.append(Claim(f"real.neurons.variance.{name}", neurons_design, what, study, 1, low, high, new=True))
    for key in ("phase", "shape", "ceiling"):
        design = "888 iPSCs, CDK1, held-out individuals"
        claims.append(Claim(f"real.ipsc.cdk1.{key}", design, "share", partial(_stem, key=key), 1, new=True))
    return claims


CLAIMS = _claims()
