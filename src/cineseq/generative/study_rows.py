"""Rows of the tables of a study, from its judged folds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cineseq.expression.normalise import Expression
from cineseq.generative.direction import JudgedFold
from cineseq.generative.judge import pearson_within
from cineseq.generative.sampler_choice import best_of, mean_scores
from cineseq.prediction.crossval.folds import FoldPlan
from cineseq.statistics.metrics import centred, r2, r2_interval

LEARNER_ROWS = ("direction", "learner", "targets", "r2", "r2_within_class")
SCORES = ("c2st", "energy_score", "coverage_80", "coverage_95")
SAMPLER_ROWS = ("direction", "sampler", "n", *SCORES, "inner_c2st", "inner_energy_score", "chosen", "note")
CHOSEN = "chosen"
"""Row of the sampler that the inner folds of each fold chose."""
NESTED = "the sampler that inner folds of the training cells chose, in held-out cells that had no part in the choice"
DIRECTION_ROWS = (
    "direction",
    "n",
    "groups",
    "grouped_by",
    "latents",
    "learner",
    "sampler",
    "r2",
    "r2_low",
    "r2_high",
    "r2_within_class",
    "r2_class",
    "note",
)
JUDGED_ROWS = ("direction", "measure", "source", "value", "note")
CONFUSION_ROWS = ("direction", "source", "true", "predicted", "cells")
GENE_ROWS = ("gene", "r2", "pearson_within_class", "variance_ratio")


def _total(parts: list[JudgedFold], name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return cells and, per cell, squared errors of a learner, of the training mean, and gain of it within class."""
    cells = np.concatenate([part.test for part in parts])
    rows: tuple[list[np.ndarray], ...] = ([], [], [])
    for part in parts:
        errors = part.real - part.by_learner[name], part.real - part.baseline
        rows[0].append(np.square(errors[0]).sum(axis=1))
        rows[1].append(np.square(errors[1]).sum(axis=1))
        rows[2].append(np.column_stack([np.square(centred(e, part.classes)).sum(axis=1) for e in errors]))
    residual, baseline, inside = (np.concatenate(kind) for kind in rows)
    return cells, residual, baseline, inside


def direction_row(name: str, parts: list[JudgedFold], plan: FoldPlan, sampler: str | None) -> dict[str, Any]:
    """Return the row of one direction; without a sampler where nothing was drawn."""
    cells, residual, baseline, inside = _total(parts, "chosen")
    low, high = r2_interval(baseline - residual, baseline, plan.units[cells])
    learners = pd.Series(np.concatenate([part.learner for part in parts])).value_counts()
    of_class = _total(parts, "class_mean")[1]
    return {
        "direction": name,
        "n": len(cells),
        "groups": plan.groups,
        "grouped_by": plan.grouped_by,
        "latents": int(np.median([part.real.shape[1] for part in parts])),
        "learner": str(learners.index[0]),
        "sampler": sampler,
        "r2": float(1 - residual.sum() / baseline.sum()),
        "r2_low": low,
        "r2_high": min(high, 1.0),
        "r2_within_class": float(1 - inside[:, 0].sum() / inside[:, 1].sum()),
        "r2_class": float(1 - of_class.sum() / baseline.sum()),
        "note": "none found" if not low > 0 else None,
    }


def learner_rows(parts: dict[str, list[JudgedFold]]) -> pd.DataFrame:
    """Return the held-out share of each learner, of the class mean, and of the chosen learners."""
    rows = []
    for direction, found in parts.items():
        learners = np.concatenate([part.learner for part in found])
        for name in found[0].by_learner:
            _, residual, baseline, inside = _total(found, name)
            of_all = {"r2": 1 - residual.sum() / baseline.sum()}
            of_all["r2_within_class"] = 1 - inside[:, 0].sum() / inside[:, 1].sum()
            rows.append({"direction": direction, "learner": name, "targets": int((learners == name).sum())} | of_all)
    return pd.DataFrame(rows, columns=list(LEARNER_ROWS))


def sampler_rows(parts: dict[str, list[JudgedFold]], *, enough: bool) -> list[dict[str, Any]]:
    """Return the scores of each sampler in held-out cells and in the inner folds, which choose.

    The row ``chosen`` has the scores of the sampler that the inner folds of each fold chose, whichever that was; it is
    what the procedure gives in cells that had no part in the choice.
    """
    rows: list[dict[str, Any]] = []
    for direction, found in parts.items():
        judged = [part for part in found if part.scores]
        sizes = [len(part.test) for part in judged]
        names = list(judged[0].scores)
        inner = {name: mean_scores([part.inner[name] for part in judged], sizes) for name in names}
        outer = {name: mean_scores([part.scores[name] for part in judged], sizes) for name in names}
        inner[CHOSEN] = mean_scores([part.inner[part.sampler] for part in judged], sizes)
        outer[CHOSEN] = mean_scores([part.scores[part.sampler] for part in judged], sizes)
        best = best_of({name: inner[name] for name in names})
        few = None if enough else "a baseline only: too few cells for a generator"
        rows += [
            {"direction": direction, "sampler": name, "n": int(sum(sizes)), "chosen": name == best}
            | outer[name]
            | {f"inner_{key}": inner[name][key] for key in SCORES[:2]}
            | {"note": NESTED if name == CHOSEN else few}
            for name in (*names, CHOSEN)
        ]
    return rows


def judged_rows(parts: dict[str, list[JudgedFold]], classes: np.ndarray) -> pd.DataFrame:
    """Return measures of cells by the chosen sampler beside those of baselines and of real cells."""
    rows = []
    note = None if len(np.unique(classes)) > 1 else "not estimable: all cells are of one class"
    for direction, found in parts.items():
        judged = [part for part in found if part.scores]
        sizes = [len(part.test) for part in judged]
        for key in judged[0].judged[judged[0].sampler]:
            measure, source = key
            values = np.array([part.judged[part.sampler].get(key, np.nan) for part in judged])
            known = np.isfinite(values)
            value = float(np.average(values[known], weights=np.array(sizes)[known])) if known.any() else np.nan
            of_class = measure in {"macro_f1", "purity"}
            rows.append(
                {
                    "direction": direction,
                    "measure": measure,
                    "source": source,
                    "value": value,
                    "note": note if of_class else None,
                }
            )
    return pd.DataFrame(rows, columns=list(JUDGED_ROWS))


def confusion_rows(parts: dict[str, list[JudgedFold]]) -> pd.DataFrame:
    """Return how many cells of each class were given each class."""
    frames = []
    for direction, found in parts.items():
        for part in found:
            for source, predicted in part.predicted.get(part.sampler, {}).items():
                frame = pd.DataFrame({"true": part.classes, "predicted": predicted})
                frames.append(frame.assign(direction=direction, source=source))
    if not frames:
        return pd.DataFrame(columns=list(CONFUSION_ROWS))
    whole = pd.concat(frames).groupby(list(CONFUSION_ROWS[:-1]), sort=True).size()
    return whole.rename("cells").reset_index()


def gene_rows(parts: list[JudgedFold], expression: Expression | None, classes: np.ndarray) -> pd.DataFrame:
    """Return what is explained of each gene that was kept in every fold."""
    of_genes = [part.genes for part in parts if part.genes is not None]
    if expression is None or not of_genes:
        return pd.DataFrame(columns=list(GENE_ROWS))
    kept = of_genes[0].columns
    for other in of_genes[1:]:
        kept = np.intersect1d(kept, other.columns)
    real = np.asarray(expression.log[:, kept].toarray(), dtype=np.float64)
    predicted, baseline = np.zeros_like(real), np.zeros_like(real)
    moments, rows = [], []
    for part, genes in zip(parts, of_genes, strict=True):
        at = np.searchsorted(genes.columns, kept)
        predicted[part.test], baseline[part.test] = genes.expected[:, at], genes.mean[at]
        if genes.moments is not None:
            moments.append(genes.moments[:, at])
            rows.append(part.test)
    ratio = np.full(len(kept), np.nan)
    if moments:
        measured = expression.counts[np.concatenate(rows)][:, kept].toarray().var(axis=0)
        first, second = np.sum(moments, axis=0) / sum(map(len, rows))
        ratio = np.where(measured > 0, (second - first**2) / np.where(measured > 0, measured, 1), np.nan)
    found = {
        "gene": expression.genes[kept].astype(str),
        "r2": np.asarray(r2(real - predicted, real - baseline)),
        "pearson_within_class": pearson_within(real, predicted, classes),
        "variance_ratio": ratio,
    }
    return pd.DataFrame(found, columns=list(GENE_ROWS)).sort_values("r2", ascending=False, ignore_index=True)


def latent_rows(parts: dict[str, list[JudgedFold]], names: np.ndarray, classes: np.ndarray) -> pd.DataFrame:
    """Return real and generated latents of the first judged fold of each direction."""
    frames = []
    for direction, found in parts.items():
        part = next(part for part in found if part.scores)
        for source, values in (("real", part.real), ("generated", part.samples[part.sampler])):
            frame = pd.DataFrame(values, columns=[f"latent_{k}" for k in range(values.shape[1])])
            frame.insert(0, "direction", direction)
            frame.insert(1, "track_id", names[part.test])
            frame.insert(2, "source", source)
            frame.insert(3, "class", classes[part.test])
            frames.append(frame)
    return (
        pd.concat(frames, ignore_index=True)
        if frames
        else pd.DataFrame(columns=["direction", "track_id", "source", "class"])
    )
