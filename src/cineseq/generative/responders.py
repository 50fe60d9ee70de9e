"""What separates two classes of cells by replicates: shapes, genes, and which of these genes are visible in shape."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student

from cineseq.crossmodal.decompose import explained_genes
from cineseq.expression.normalise import expression_of
from cineseq.generative.share_tables import FOUND
from cineseq.generative.shares import SharesOptions
from cineseq.io.paired import PairedData
from cineseq.prediction.crossval.feature_blocks import class_labels, frame_block, gene_block
from cineseq.prediction.crossval.folds import NotEstimableError
from cineseq.prediction.crossval.labels import joint_labels
from cineseq.statistics import ALPHA, CONFIDENCE
from cineseq.statistics.permutation import benjamini_hochberg
from cineseq.tables.contract import FIELD
from cineseq.text import count, listed, number, percent

FEWEST_REPLICATES = 3
FIELDS_ARE_NOT_SAMPLES = (
    "replicates are fields: that the difference holds in other samples cannot be claimed, because what is common to "
    "the fields of a sample counts as a difference between classes"
)
MOST_NAMED, FEW_NAMED = 10, 3
NEEDED = f"at least {FEWEST_REPLICATES} replicates of each class, or of both together, are needed"


@dataclass(frozen=True)
class Responders:
    """What separates classes.

    Attributes
    ----------
    differences
        One row per pair of classes and shape or gene: ``class_a``, ``class_b``, ``kind`` (``shape`` or ``gene``),
        ``name``, ``difference`` (mean of b minus that of a, in standard deviations of the cells), ``low``, ``high``,
        ``replicates_a``, ``replicates_b``, ``replicate`` (``sample`` or ``field``), ``p_value``, ``q_value`` over all
        of a kind and pair, ``separates``, ``visible`` (a gene that is explained by shape within fields; missing where
        unknown) and ``note``.
    notes
        Sentences about the method, or the reason why nothing is estimable.
    """

    differences: pd.DataFrame
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Replicates:
    """Which replicate each cell is of, shape (cells,), and what replicates are."""

    labels: np.ndarray
    kind: str
    paired: bool


def separate(data: PairedData, column: str, options: SharesOptions, shares: pd.DataFrame | None = None) -> Responders:
    """Compare the classes of a column, such as responders and resistant cells, by means of replicates.

    Replicates are samples, or fields where each class has fewer than three samples. Where every replicate holds both
    classes, the difference within replicates is tested; else the means of replicates are, with unequal variances.

    Parameters
    ----------
    data
        The paired cells.
    column
        Column of the classes.
    options
        Settings, of which genes and their filter are used.
    shares
        The table ``targets`` of the decomposition of variance, which says which genes are visible in shape.

    Returns
    -------
    Responders
        Without rows where nothing is estimable; the notes say why.

    References
    ----------
    Welch, Biometrika 34 (1947) 28.
    """
    classes = class_labels(data.obs, column)
    known = classes != "unknown"
    names = [str(name) for name in np.unique(classes[known])]
    if len(names) < 2:
        return Responders(pd.DataFrame(), (f"Not estimable: '{column}' has {count(len(names), 'class', 'classes')}.",))
    tables: list[pd.DataFrame] = []
    notes: list[str] = []
    left_out: dict[str, str] = {}
    for first, second in combinations(names, 2):
        rows = np.flatnonzero(np.isin(classes, [first, second]))
        own = data.subset(rows)
        try:
            replicates = _replicates(own.obs, classes[rows], (first, second))
        except NotEstimableError as reason:
            left_out[f"{first} and {second}"] = str(reason)
            continue
        for kind, values, columns in _measured(own, options):
            found = _compare(values, classes[rows] == second, replicates)
            tables.append(found.assign(class_a=first, class_b=second, kind=kind, name=columns))
    notes += _not_compared(left_out, len(names))
    if not tables:
        return Responders(pd.DataFrame(), tuple(notes))
    table = pd.concat(tables, ignore_index=True)
    q = table.groupby(["class_a", "class_b", "kind"])["p_value"].transform(lambda p: benjamini_hochberg(p.to_numpy()))
    table = table.assign(q_value=q, separates=(q <= ALPHA).to_numpy(), visible=_visible(table, shares))
    if (table["replicate"] == "field").any():
        notes.append(f"Where {FIELDS_ARE_NOT_SAMPLES}.")
    return Responders(table, tuple(notes))


def _not_compared(left_out: dict[str, str], classes: int) -> list[str]:
    """Say in one sentence which pairs of classes are not estimable; ``left_out`` has the reason of each pair."""
    if not left_out:
        return []
    pairs, reasons = list(left_out), set(left_out.values())
    named = [*pairs[:FEW_NAMED], f"{count(len(pairs) - FEW_NAMED)} more"] if len(pairs) > FEW_NAMED else pairs
    whole = count(classes * (classes - 1) // 2, "pair")
    why = reasons.pop() if len(reasons) == 1 else f"a class has too few samples and fields; {NEEDED}"
    return [f"Not estimable: {count(len(pairs))} of {whole} of classes ({'; '.join(named)}): {why}."]


def _replicates(obs: pd.DataFrame, classes: np.ndarray, pair: tuple[str, str]) -> _Replicates:
    """Return samples as replicates, else fields.

    Raises
    ------
    NotEstimableError
        When a class has fewer than three of either.
    """
    held = {}
    for kind, columns in (("sample", FIELD[:1]), ("field", FIELD)):
        labels = joint_labels(obs, [name for name in columns if name in obs])
        sets = [set(labels[classes == name]) for name in pair]
        held[kind] = [len(own) for own in sets]
        both = sets[0] & sets[1]
        # Replicates that hold both classes are compared with themselves, if there are enough and no other ones.
        if len(both) >= FEWEST_REPLICATES:
            return _Replicates(np.where(np.isin(labels, list(both)), labels, -1), kind, paired=True)
        if not both and min(held[kind]) >= FEWEST_REPLICATES:
            return _Replicates(labels, kind, paired=False)
    few = min(held["field"])
    msg = (
        f"a class has {count(min(held['sample']), 'sample')} and {count(few, 'field')}, or shares some of them with "
        f"the other; {NEEDED}"
    )
    raise NotEstimableError(msg)


def _measured(data: PairedData, options: SharesOptions) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Return shapes and the most variable genes of the cells, shape (cells, columns), with their names."""
    found = []
    shapes = frame_block(pd.concat([data.morphology, data.features], axis=1))
    if shapes is not None:
        found.append(("shape", shapes.values, np.array(shapes.names, object)))
    genes = gene_block(expression_of(data))
    if genes is not None:
        chosen = explained_genes(genes, options.crossmodal)
        found.append(("gene", genes.values[:, chosen], np.array(genes.names, object)[chosen]))
    return found


def _compare(values: np.ndarray, second: np.ndarray, replicates: _Replicates) -> pd.DataFrame:
    """Return difference, interval and p-value of each column, in standard deviations of the cells."""
    deviation = np.nanstd(values, axis=0)
    scaled = (values - np.nanmean(values, axis=0)) / np.where(deviation > 0, deviation, np.nan)
    # Means of the replicates of each class, shape (replicates, columns).
    keys = pd.DataFrame({"replicate": replicates.labels, "second": second})
    means = pd.DataFrame(scaled).groupby([keys["replicate"], keys["second"]]).mean()
    means = means[means.index.get_level_values("replicate") >= 0]
    first_means, second_means = (means.xs(value, level="second") for value in (False, True))
    if replicates.paired:
        # One difference per replicate; its mean has one degree of freedom less than replicates.
        each = (second_means - first_means).to_numpy()
        size = np.isfinite(each).sum(axis=0)
        difference, variance = np.nanmean(each, axis=0), np.nanvar(each, axis=0, ddof=1) / size
        freedom = size - 1.0
    else:
        sizes = [np.isfinite(part).sum(axis=0).to_numpy(float) for part in (first_means, second_means)]
        parts = [
            part.var(axis=0, ddof=1).to_numpy() / size
            for part, size in zip((first_means, second_means), sizes, strict=True)
        ]
        difference, variance = (second_means.mean(axis=0) - first_means.mean(axis=0)).to_numpy(), parts[0] + parts[1]
        with np.errstate(invalid="ignore", divide="ignore"):
            freedom = np.square(variance) / sum(
                np.square(part) / (size - 1) for part, size in zip(parts, sizes, strict=True)
            )
    error = np.sqrt(np.where(variance > 0, variance, np.nan))
    half = student.ppf((1 + CONFIDENCE) / 2, freedom) * error
    return pd.DataFrame(
        {
            "difference": difference,
            "low": difference - half,
            "high": difference + half,
            "replicates_a": len(first_means),
            "replicates_b": len(second_means),
            "replicate": replicates.kind,
            "p_value": 2 * student.sf(np.abs(difference) / error, freedom),
            "note": "difference within replicates" if replicates.paired else None,
        }
    )


def _visible(table: pd.DataFrame, shares: pd.DataFrame | None) -> np.ndarray:
    """Return which genes are found in shape within fields; missing for shapes, and where it is not known."""
    found = pd.Series(pd.NA, index=table.index, dtype="boolean")
    if shares is None or shares.empty:
        return found.array
    own = shares[shares["direction"].str.endswith("_to_expression")]
    by_gene = (own["found"] == FOUND).groupby(own["target"]).any()
    genes = table["kind"] == "gene"
    found[genes] = table.loc[genes, "name"].map(by_gene).astype("boolean")
    return found.array


def report(found: Responders) -> dict[str, Any]:
    """Return the report of the comparison: sentences and numbers."""
    lines = list(found.notes)
    numbers: dict[str, Any] = {}
    if found.differences.empty:
        return {"lines": lines, "numbers": numbers}
    for (first, second), rows in found.differences.groupby(["class_a", "class_b"], sort=False):
        parts = []
        for kind, own in rows.groupby("kind", sort=False):
            apart = own[own["separates"]].sort_values("p_value")
            numbers[f"{first}.{second}.{kind}.separate"] = len(apart)
            named = [f"{row['name']} ({number(row['difference'], signed=True)} sd)" for _, row in apart.iterrows()]
            text = f"{count(len(apart))} of {count(len(own), str(kind))} separate them"
            parts.append(text + (f": {listed(named[:MOST_NAMED])}" if named else ""))
            if kind == "gene" and len(apart) and own["visible"].notna().any():
                seen = int(apart["visible"].fillna(value=False).sum())
                numbers[f"{first}.{second}.visible"] = seen
                parts.append(
                    f"{count(seen)} of these ({percent(seen / len(apart))}) are visible in shape within fields"
                )
        row = rows.iloc[0]
        by = f"{count(row['replicates_a'])} and {count(row['replicates_b'])} {row['replicate']}s"
        lines.append(f"{first} and {second}, by {by} (q ≤ {ALPHA}): {'; '.join(parts)}.")
    return {"lines": lines, "numbers": numbers}
