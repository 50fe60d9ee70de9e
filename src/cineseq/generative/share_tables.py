"""Rows of the tables of shares, and what the report says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cineseq.generative.held_out import HeldOut
from cineseq.generative.visibility import ScoreTest
from cineseq.statistics import ALPHA
from cineseq.statistics.metrics import GroupedSums, sums_jackknife
from cineseq.statistics.permutation import benjamini_hochberg
from cineseq.text import clean, count, interval, known, p_value, percent

TOTAL = "all"
"""Name of the total over genes or features."""
CEILING_WORTH_DIVIDING = 0.2
"""A share is divided by its noise ceiling only where this is larger."""
FOUND, NONE_FOUND, NOT_ESTIMABLE = "found", "none found", "not estimable"
INTERVALS = ("linear", "unique", "common")
"""Parts with an interval for every gene and feature."""
COMPARED = {
    "unique_covariates": "by how much covariates and the other modality together predict better than it does alone: "
    "above 0 also where its penalised model only estimates with more error"
}
"""Parts that are no claim, with what they are."""
OF_COVARIATES = ("size", "cycle", "technical", "covariates", "joint")
"""Parts that do not rest on the other modality alone, for which chance is 0."""
NOT_OF_ITSELF = "is a covariate itself, so that nothing is explained beyond covariates"


@dataclass(frozen=True)
class Shuffled:
    """The other modality with shuffled pairing.

    Attributes
    ----------
    test
        P-values.
    errors, baseline
        Squared errors of linear models and of the mean, shape (draws, targets) each.
    """

    test: ScoreTest
    errors: np.ndarray
    baseline: np.ndarray

    def shares(self, weights: np.ndarray) -> np.ndarray:
        """Return the shares of weighted sums over targets, shape (draws, totals)."""
        return 1 - _ratio(self.errors @ weights, self.baseline @ weights)


@dataclass(frozen=True)
class Ceilings:
    """Fractions of variance that are not noise of measurement, of targets and of totals; NaN where unknown."""

    targets: np.ndarray
    totals: np.ndarray

    @classmethod
    def of(cls, targets: np.ndarray, total: GroupedSums, weights: np.ndarray) -> Ceilings:
        """Return ceilings; that of a total is of those of its targets whose own is known.

        ``weights`` has the shape (targets, totals).
        """
        size, finite = total.groups.sum(axis=0)[:, None] * weights, np.isfinite(targets)
        known_part = size[finite].sum(axis=0)
        totals = _ratio(np.clip(targets[finite], 0, 1) @ size[finite], known_part)
        return cls(targets, np.where(known_part > size.sum(axis=0) / 2, totals, np.nan))


def in_total(
    fitted: HeldOut, weights: np.ndarray, names: list[str], ceilings: Ceilings, shuffled: Shuffled
) -> pd.DataFrame:
    """Return one row per total and part: ``level``, ``target``, ``targets``, ``part``, ``share`` and more.

    Parameters
    ----------
    fitted
        Errors of held-out cells.
    weights, names
        Weights of targets in totals, shape (targets, totals), and the names of the totals.
    ceilings, shuffled
        Noise ceilings, and the other modality with shuffled pairing.
    """
    total = fitted.total @ weights
    draws = shuffled.shares(weights)
    # What shuffled pairing gives, as where pairs are exchanged within classes that share both modalities.
    chance = np.maximum(draws.mean(axis=0), 0.0) if len(draws) else np.zeros(weights.shape[1])
    lowest = sums_jackknife(fitted.parts()["linear"] @ weights, total).interval()[0]
    beyond_chance = lowest > chance
    rows = []
    for part, gain in fitted.parts().items():
        found = sums_jackknife(gain @ weights, total)
        low, high = found.interval()
        null = draws if part == "linear" else None
        if part in OF_COVARIATES:
            least = np.zeros(len(names))
        elif part == "linear":
            least = chance
        else:  # where linear models are not beyond chance, neither is another model of the same, or a part of it
            least = np.where(beyond_chance, chance if part == "best" else 0.0, np.inf)
        for number, name in enumerate(names):
            share, ceiling = found.estimate[number], ceilings.totals[number]
            row: dict[str, Any] = {
                "level": "total" if name == TOTAL else "gene_set",
                "target": name,
                "targets": int((weights[:, number] > 0).sum()),
                "part": part,
                "share": share,
                "low": low[number],
                "high": min(high[number], 1.0) if np.isfinite(high[number]) else np.nan,
                "ceiling": ceiling,
                "share_of_ceiling": share / ceiling if ceiling > CEILING_WORTH_DIVIDING else np.nan,
                "found": verdict(share, low[number], least=least[number]) if part not in COMPARED else None,
                "note": COMPARED.get(part),
            }
            if null is not None and len(null):
                row |= {"share_null": null[:, number].mean(), "null_high": np.quantile(null[:, number], 0.95)}
            if part == "linear":
                row["p_value"] = shuffled.test.totals[0, number]
            rows.append(row)
    columns = {"share_null": np.nan, "null_high": np.nan, "p_value": np.nan}
    table = pd.DataFrame(rows)
    return table.assign(**{name: value for name, value in columns.items() if name not in table})


def by_target(
    fitted: HeldOut, names: tuple[str, ...], own: np.ndarray, ceilings: Ceilings, shuffled: Shuffled
) -> pd.DataFrame:
    """Return one row per gene or feature, with a column per part, intervals of some, null, test and ceiling.

    Parameters
    ----------
    fitted
        Errors of held-out cells.
    names, own
        Names of the targets, and which are covariates themselves, shape (targets,).
    ceilings, shuffled
        As in :func:`in_total`.
    """
    columns: dict[str, Any] = {"target": np.array(names, object)}
    for part, gain in fitted.parts().items():
        found = sums_jackknife(gain, fitted.total)
        beyond = part not in {"linear", "best", "nonlinear"}
        columns[part] = np.where(own & beyond, np.nan, found.estimate)
        if part in INTERVALS:
            for end, ends in zip(("low", "high"), found.interval(), strict=True):
                columns[f"{part}_{end}"] = np.where(own & beyond, np.nan, ends)
    draws = shuffled.shares(np.eye(len(names)))
    nothing = np.full(len(names), np.nan)
    columns["share_null"] = draws.mean(axis=0) if len(draws) else nothing
    columns["null_high"] = np.quantile(draws, 0.95, axis=0) if len(draws) else nothing
    columns["p_value"] = shuffled.test.any_design
    columns["q_value"] = benjamini_hochberg(shuffled.test.any_design)
    columns["ceiling"] = ceilings.targets
    usable = ceilings.targets > CEILING_WORTH_DIVIDING
    columns["share_of_ceiling"] = np.where(usable, _ratio(columns["linear"], ceilings.targets), np.nan)
    chance = np.maximum(np.nan_to_num(columns["share_null"]), 0.0)
    columns["found"] = [
        verdict(share, low, q, least=least)
        for share, low, q, least in zip(
            columns["linear"], columns["linear_low"], columns["q_value"], chance, strict=True
        )
    ]
    columns["note"] = [NOT_OF_ITSELF if itself else None for itself in own]
    return pd.DataFrame(columns)


def verdict(share: float, low: float, q: float = 0.0, *, least: float = 0.0) -> str:
    """Say whether a share was found: its interval is above ``least`` and its false discovery rate at most 5 %.

    ``least`` is the mean share with shuffled pairing where there is one, else 0.

    A share whose interval reaches 0 is not negative: none was found. A held-out share is below 0 where nothing is
    explained, because models are estimated with error.
    """
    if not (known(share) and known(low)):
        return NOT_ESTIMABLE
    return FOUND if low > least and known(q) and q <= ALPHA else NONE_FOUND


def sentences(summary: pd.DataFrame, targets: pd.DataFrame, calibration: pd.DataFrame) -> dict[str, Any]:
    """Return what the report says: ``lines`` with a sentence per direction, and ``numbers`` by their keys."""
    lines: list[str] = []
    numbers: dict[str, Any] = {}
    for direction, rows in summary.groupby("direction", sort=False):
        main = rows[(rows["estimand"] == "within") & (rows["target"] == TOTAL)].set_index("part")
        numbers |= {
            f"{direction}.{part}.{key}": clean(row[key])
            for part, row in main.iterrows()
            for key in ("share", "low", "high")
        }
        own = targets[targets["direction"] == direction]
        passing = int((own["found"] == FOUND).sum())
        numbers[f"{direction}.found"], numbers[f"{direction}.tested"] = passing, len(own)
        linear = main.loc["linear"]
        explained = [f"{_WORDS['linear']} {_said(linear)}, {p_value(linear['p_value'])}"]
        if known(linear["share_null"]):
            explained[0] += f", {percent(linear['share_null'])} with shuffled pairing"
        within = rows[(rows["estimand"] == "within_class") & (rows["target"] == TOTAL) & (rows["part"] == "linear")]
        explained += [f"the same within classes {_said(row)}" for row in within.to_dict("records")]
        explained += [
            f"{_WORDS[part]} {_said(main.loc[part])}" for part in _WORDS if part in main.index and part != "linear"
        ]
        what = "genes" if str(direction).endswith("_to_expression") else "features"
        lines.append(
            f"{str(direction).replace('_', ' ')}, share of the variance within fields in held-out groups: "
            f"{'; '.join(explained)}. Found for {count(passing)} of {count(len(own))} {what} (q ≤ {ALPHA})."
        )
    for row in calibration.to_dict("records"):
        lines.append(f"{str(row['direction']).replace('_', ' ')}, {row['model']} model: {row['note']}.")
        numbers[f"{row['direction']}.variance_gap"] = clean(row["gap"])
    return {"lines": lines, "numbers": numbers}


_WORDS = {
    "linear": "the other modality (linear)",
    "best": "the best model of it",
    "size": "size alone",
    "cycle": "cell cycle alone",
    "technical": "technical covariates alone",
    "unique": "beyond all these covariates",
    "common": "shared with them",
}


def _said(row: Mapping[str, Any] | pd.Series) -> str:
    """Return a share with its interval, or that none was found."""
    if row["found"] == NONE_FOUND and row["low"] > 0:
        return f"none found beyond chance (R² {percent(row['share'])} {interval(row['low'], row['high'], percent)})"
    if row["found"] == NONE_FOUND:
        return f"none found (interval up to {percent(max(float(row['high']), 0.0))})"
    return f"{percent(row['share'])} {interval(row['low'], row['high'], percent)}"


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(np.shape(below), np.nan), where=below > 0)
