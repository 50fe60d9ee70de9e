"""Scores of the analyses against the simulated truth: function, pairs, genes, prediction, sisters, warnings."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from cineseq.simulate.latents import SHARED
from cineseq.tables.lineage import SISTER_DIED
from cineseq.text import count, significant

Row = dict[str, Any]


def row(
    area: str,
    measure: str,
    recovered: float | None,
    *,
    planted: float | None = None,
    low: float | None = None,
    high: float | None = None,
    note: str | None = None,
) -> Row:
    """Return one row of the contract TRUTH; values that are not finite become missing."""
    values = {"planted": planted, "recovered": recovered, "low": low, "high": high}
    finite = {name: float(v) if v is not None and math.isfinite(v) else math.nan for name, v in values.items()}
    return {"area": area, "measure": measure, **finite, "note": note}


def truth_lines(table: pd.DataFrame) -> list[str]:
    """Return one sentence per measure, with the recovered and the planted value."""
    lines = []
    for measure, recovered, planted, note in table[["measure", "recovered", "planted", "note"]].itertuples(index=False):
        text = significant(recovered)
        of = "" if pd.isna(planted) else f" (planted {significant(planted)})"
        lines.append(f"{measure.replace('_', ' ')}: {text}{of}" + (f"; {note}." if isinstance(note, str) else "."))
    return lines


def ratio(part: float, whole: float) -> float:
    """Return ``part / whole``, NaN if ``whole`` is 0."""
    return part / whole if whole else math.nan


def harmonic(precision: float, recall: float) -> float:
    """Return the F1 score, the harmonic mean of precision and recall."""
    return ratio(2 * precision * recall, precision + recall)


ORACLES = ("expression", "morphology", "both")


def score_function(cells: pd.DataFrame, true_track: pd.Series, signal: pd.Series) -> list[Row]:
    """Compare the function scores with the simulated signal of the matched cells.

    Parameters
    ----------
    cells
        Cells of the run (contract CELLS).
    true_track
        True track of each track of the run, by ``track_id``.
    signal
        Simulated function signal of the true cells in the last frame, by ``track_id``.

    Returns
    -------
    list of dict
        One Spearman correlation per function.
    """
    from scipy.stats import spearmanr  # noqa: PLC0415 - half a second, and scores of movies do without

    of_cell = cells["track_id"].map(true_track).map(signal).astype(float)
    rows = []
    for name in (c for c in cells.columns if c.startswith("function_")):
        both = of_cell.notna() & cells[name].notna()
        rho = spearmanr(of_cell[both], cells.loc[both, name].astype(float)).statistic if both.sum() > 2 else np.nan
        note = f"Spearman correlation with the simulated signal, {count(both.sum(), 'cell')}"
        rows.append(row("function", f"{name}_rho", float(rho), planted=1, note=note))
    return rows


def score_pairs(pairs: pd.DataFrame, true_track: pd.Series, true_cells: pd.DataFrame) -> list[Row]:
    """Score the pairs of cells and barcodes.

    Parameters
    ----------
    pairs
        Pairs of the run (contract PAIRS).
    true_track
        True track of each track of the run, by ``track_id``.
    true_cells
        True cells (contract SIMULATED_CELLS); a true pair is a sequenced singlet.

    Returns
    -------
    list of dict
        Precision: fraction of singlets whose barcode is that of the matched true cell. Recall: fraction of true pairs
        among them.
    """
    is_pair = (true_cells["pair_status"] == "singlet") & true_cells["sequenced"].astype(bool)
    true = true_cells.loc[is_pair, ["sample", "barcode_in_counts", "track_id"]].reset_index(drop=True)
    true.columns = ["sample", "barcode", "true_track_of_barcode"]
    singlets = pairs.loc[pairs["status"] == "singlet", ["sample", "barcode", "track_id"]]
    singlets = singlets.assign(true_track=singlets["track_id"].map(true_track))
    both = singlets.merge(true, on=["sample", "barcode"], how="left")
    right = int((both["true_track"] == both["true_track_of_barcode"]).fillna(value=False).sum())
    precision, recall = ratio(right, len(singlets)), ratio(right, len(true))
    of_run, of_truth = count(len(singlets), "pair"), count(len(true), "true pair")
    return [
        row("pairing", "pairing_precision", precision, planted=1, note=f"{count(right)} of {of_run} are right"),
        row("pairing", "pairing_recall", recall, planted=1, note=f"{count(right)} of {of_truth}"),
    ]


def auc_of(is_planted: np.ndarray, scores: np.ndarray) -> float:
    """Return the area under the ROC curve, NaN where all or none are planted."""
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415 - a third of a second, and scores of movies do without

    return float(roc_auc_score(is_planted, scores)) if 0 < is_planted.sum() < len(is_planted) else math.nan


def score_genes(genes: pd.DataFrame, planted: set[str]) -> list[Row]:
    """Score the recovery of the planted genes among all that entered the models.

    Parameters
    ----------
    genes
        Genes of one function (contract GENES).
    planted
        Names of the genes that follow function.

    Returns
    -------
    list of dict
        Area under the ROC curve (0.5 is chance) of selection frequency and of the absolute partial correlation, and
        the fraction of planted genes among as many top genes as were planted.
    """
    is_planted = genes["gene"].isin(planted).to_numpy()
    seen = int(is_planted.sum())
    rows = []
    for name, scores in (("frequency", genes["frequency"]), ("univariate_rho", genes["univariate_rho"].abs())):
        values = scores.fillna(0).to_numpy(float)
        auc = auc_of(is_planted, values)
        note = f"{seen} of {count(len(planted), 'planted gene')} among {count(len(genes), 'gene')}; 0.5 is chance"
        rows.append(row("prediction", f"gene_auc_{name}", auc, planted=1, note=note))
        top = np.argsort(-values, kind="stable")[:seen]
        fraction = ratio(int(is_planted[top].sum()), seen)
        chance = f"{significant(ratio(seen, len(genes)))} expected by chance"
        rows.append(row("prediction", f"gene_top_share_{name}", fraction, planted=1, note=chance))
    return rows


def score_shared(
    summary: pd.DataFrame, genes: pd.DataFrame, known: pd.DataFrame, oracles: dict[str, float]
) -> list[Row]:
    """Compare what each modality explains of the other within fields with the planted shared variance.

    Parameters
    ----------
    summary, genes
        Contracts VARIANCE_SUMMARY and GENE_VARIANCE.
    known
        Contract SIMULATED_GENES.
    oracles
        Fraction of variance that the latent variables explain, as ``<direction>_r2``.

    Returns
    -------
    list of dict
        Held-out R² within fields in both directions, and the area under the ROC curve by which R² ranks the genes that
        follow shape linearly above those that do not follow it; genes of the nonlinear part are neither.
    """
    within = summary[summary["estimand"] == "within"].set_index("direction")
    rows = []
    for direction in ("morphology_to_expression", "expression_to_morphology"):
        measure, planted = f"r2_{direction}", oracles.get(f"{direction}_r2")
        if direction not in within.index or pd.isna(within.loc[direction, "r2"]):
            rows.append(row("crossmodal", measure, None, planted=planted, note="not estimable"))
            continue
        r2, low, high = (_value(within.loc[direction, name]) for name in ("r2", "low", "high"))
        note = (
            "within fields; planted is the R² of an oracle of traits and genes; held-out R² is expected to be below it"
        )
        rows.append(row("crossmodal", measure, r2, planted=planted, low=low, high=high, note=note))
    by_gene = genes.merge(known[["gene", *SHARED]], on="gene")
    by_gene = by_gene[by_gene["shape_joint"] == 0]
    follows = by_gene[["shape_early", "shape_late", "shape_size"]].gt(0).any(axis=1).to_numpy()
    auc = auc_of(follows, by_gene["r2_within"].fillna(0).to_numpy(float))
    note = f"{count(follows.sum(), 'gene')} that follow shape among {count(len(follows))}; 0.5 is chance"
    return [*rows, row("crossmodal", "shared_gene_auc", auc, planted=1, note=note)]


def score_visible(targets: pd.DataFrame, visible: pd.DataFrame, known: pd.DataFrame, late_hours: float) -> list[Row]:
    """Compare how early genes are visible in shape with when the planted parts of shape are seen.

    Parameters
    ----------
    targets, visible
        Contracts SHARES_TARGETS and TIME_GENES.
    known
        Contract SIMULATED_GENES.
    late_hours
        Hours before sequencing from which the late part of shape fades in.

    Returns
    -------
    list of dict
        Median hours at which early and late genes are visible first, and the area under the ROC curve by which these
        tell early from late genes, and by which the nonlinear share tells the genes of the nonlinear part from those
        that do not follow shape.
    """
    by_gene = visible.merge(known[["gene", *SHARED]], on="gene", how="inner")
    hours = by_gene["earliest_hours"].astype(float).where(by_gene["visible"].astype(bool))
    rows = []
    for name, planted in (("early", None), ("late", late_hours)):
        own = by_gene[f"shape_{name}"] > 0
        seen = int(hours[own].notna().sum())
        note = f"median of {seen} of {count(own.sum(), 'gene')} that are visible"
        note += "; planted is when their part of shape begins to fade in" if planted else "; seen throughout life"
        value = float(hours[own].median()) if seen else None
        rows.append(row("generative", f"{name}_genes_visible_hours", value, planted=planted, note=note))
    either = (by_gene["shape_early"] > 0) | (by_gene["shape_late"] > 0)
    is_early = (by_gene.loc[either, "shape_early"] > 0).to_numpy()
    auc = auc_of(is_early, hours[either].fillna(-1).to_numpy(float))
    note = f"{count(is_early.sum(), 'early gene')} and {count((~is_early).sum(), 'late gene')}; 0.5 is chance"
    rows.append(row("generative", "early_gene_auc", auc, planted=1, note=note))
    of_genes = targets[targets["direction"] == "morphology_to_expression"]
    if "nonlinear" in of_genes:
        shared = of_genes.merge(known[["gene", *SHARED]], left_on="target", right_on="gene")
        shared = shared[(shared[["shape_early", "shape_late", "shape_size"]] == 0).all(axis=1)]
        joint = (shared["shape_joint"] > 0).to_numpy()
        auc = auc_of(joint, shared["nonlinear"].fillna(0).to_numpy(float))
        note = f"{count(joint.sum(), 'gene')} of the nonlinear part among {count(len(joint))}; 0.5 is chance"
        rows.append(row("generative", "nonlinear_gene_auc", auc, planted=1, note=note))
    return rows


def score_performance(performance: pd.DataFrame, oracles: dict[str, float]) -> list[Row]:
    """Compare held-out R² pooled over fields with the fraction of variance that an oracle explains; give its p-value.

    Parameters
    ----------
    performance
        Rows of one function (contract PERFORMANCE).
    oracles
        Fraction of variance that the planted latent variables explain, as ``<model>_r2``.
    """
    by_model = performance[performance["estimand"] == "pooled"].set_index("model")
    rows = []
    for model in ORACLES:
        if model not in by_model.index:
            rows.append(
                row("prediction", f"r2_{model}", None, planted=oracles.get(f"{model}_r2"), note="not estimable")
            )
            continue
        of_model = by_model.loc[model]
        r2, low, high, p = (_value(of_model[name]) for name in ("r2", "r2_low", "r2_high", "p_value"))
        own = [of_model["note"]] if isinstance(of_model["note"], str) else []
        note = "; ".join(["planted is the R² of an oracle; held-out R² is expected to be below it", *own])
        rows.append(
            row("prediction", f"r2_{model}", r2, planted=oracles.get(f"{model}_r2"), low=low, high=high, note=note)
        )
        rows.append(row("prediction", f"p_{model}", p))
    return rows


def score_sisters(states: pd.DataFrame, state: str | None, planted: float) -> list[Row]:
    """Compare the odds ratio of the matched state with the planted odds ratio.

    Parameters
    ----------
    states
        State by the fate of the sister (contract STATE_BY_SISTER).
    state
        The state that matches the planted one best; None if there is none.
    planted
        Planted odds ratio, 1 under a null.
    """
    of = states[(states["contrast"] == SISTER_DIED) & (states["state"] == state)]
    if state is None or of.empty or pd.isna(of["odds_ratio"].iloc[0]):
        note = of["note"].iloc[0] if len(of) and isinstance(of["note"].iloc[0], str) else "not estimable"
        return [row("lineage", "sister_odds_ratio", None, planted=planted, note=note)]
    of_state = of.iloc[0]
    values = {name: _value(of_state[name]) for name in ("odds_ratio", "low", "high", "p_value")}
    note = f"state {state}, {count(of_state['informative'], 'informative family', 'informative families')}"
    interval = {"low": values["low"], "high": values["high"]}
    return [
        row("lineage", "sister_odds_ratio", values["odds_ratio"], planted=planted, note=note, **interval),
        row("lineage", "sister_p_permutation", values["p_value"], note=note),
    ]


def best_state(cells: pd.DataFrame, planted: pd.Series) -> str | None:
    """Return the cluster whose cells agree best (F1) with the cells of the planted state, as the tables name it.

    Parameters
    ----------
    cells
        Clusters by cell: ``track_id`` and ``cluster``.
    planted
        Whether each track of the run is of the planted state, by ``track_id``; tracks without a true cell are absent.
    """
    both = cells.dropna(subset=["cluster"]).set_index("track_id").join(planted.rename("planted"), how="inner")
    if both.empty or not both["planted"].any():
        return None
    is_planted = both["planted"].astype(bool)
    scores = {
        name: 2 * (is_planted & (both["cluster"] == name)).sum() / ((both["cluster"] == name).sum() + is_planted.sum())
        for name in sorted(both["cluster"].unique())
    }
    return f"cluster={max(scores, key=scores.__getitem__)}"


def score_warnings(warnings: pd.DataFrame, early: set[str]) -> list[Row]:
    """Count the early caged samples that have the warning of selection, and name other samples that have it.

    Parameters
    ----------
    warnings
        Contract LINEAGE_WARNINGS.
    early
        Samples whose compartments closed before the cells divided.
    """
    fired = set(warnings.loc[warnings["severity"] == "serious", "sample"])
    hits = len(fired & early)
    others = sorted(fired - early - {"all"})
    note = "other samples with the warning: " + ", ".join(others) if others else None
    return [row("lineage", "selection_warning", hits, planted=len(early), note=note)]


def _value(value: object) -> float | None:
    return None if pd.isna(value) else float(value)  # type: ignore[arg-type]
