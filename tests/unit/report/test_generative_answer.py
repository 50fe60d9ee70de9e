"""The answer on generation says what the tables hold: shown, no more than covariates, none found, and not estimable."""

import numpy as np
import pandas as pd
import pytest
from tests.unit.report.test_answers import shares, table

from cineseq.report.evidence import Evidence
from cineseq.report.generative_answer import generative
from cineseq.tables.contract import empty
from cineseq.tables.crossmodal import DIRECTIONS
from cineseq.tables.generative import (
    GENERATED_DIRECTIONS,
    GENERATED_JUDGED,
    GENERATED_MATCHES,
    SHARES_SUMMARY,
    TIME_GENES,
)

FORTH, BACK = DIRECTIONS[:2]


def answer(**tables: pd.DataFrame):
    return generative(Evidence(tables=tables))


@pytest.mark.parametrize(
    ("share", "low", "q", "unique", "verdict"),
    [
        (0.2, 0.1, 0.01, "found", "shown"),
        (0.2, 0.1, 0.01, "none found", "no_more_than_covariates"),
        (0.2, 0.1, 0.2, "found", "unresolved"),
        (0.2, 0.01, 0.01, "found", "unresolved"),
        (-0.03, -0.1, 0.8, "none found", "unresolved"),
    ],
)
def test_the_verdict_follows_the_rule(share: float, low: float, q: float, unique: str, verdict: str) -> None:
    found = answer(shares=shares(share, low, q, unique))
    assert found.verdict == verdict
    assert [claim.name for claim in found.claims] == ["morphology to expression"]
    assert found.claims[0].by_chance == "2.0 %"
    assert ("was not found" in found.lead) == (verdict == "unresolved")
    assert ("none of it found beyond covariates" in found.lead) == (verdict == "no_more_than_covariates")


def test_without_covariates_a_share_is_shown_by_itself() -> None:
    alone = shares(0.2, 0.1, 0.01)
    found = answer(shares=alone[alone["part"] == "linear"])
    assert found.verdict == "shown"
    assert "beyond covariates" not in found.text


def test_what_is_shown_comes_first_and_directions_are_not_averaged() -> None:
    both = pd.concat([shares(0.4, -0.1, 0.3), shares(0.2, 0.1, 0.01, direction=BACK)], ignore_index=True)
    found = answer(shares=both)
    assert found.lead.startswith("Expression goes with 20 % [10 %, 30 %] of the variance of morphology within")
    assert found.numbers[f"share_{FORTH}"] == 0.4
    assert "not averaged" in found.text
    assert "90 %" not in found.text, "that between samples is no claim"


def test_generated_cells_and_genes_are_told_with_their_baselines() -> None:
    judged = table(
        GENERATED_JUDGED,
        direction=FORTH,
        measure="macro_f1",
        source=["generated", "class_mean", "shuffled", "real"],
        value=[0.6, 1.0, 0.3, 0.8],
    )
    matches = {"source": "mean", "n": 300, "fields": 12, "median_rank": [0.2, np.nan], "null_median": [0.5, np.nan]}
    matches |= {
        "p_value": [0.001, np.nan],
        "q_value": [0.002, np.nan],
        "note": [None, "not estimable: one cell a field"],
    }
    genes = table(TIME_GENES, gene=["a", "b", "c"], visible=[True, True, False], early=[True, False, False])
    found = answer(
        shares=shares(0.2, 0.1, 0.01),
        generated_judged=judged,
        generated_matches=table(GENERATED_MATCHES, direction=[FORTH, BACK], **matches),
        generated_directions=table(GENERATED_DIRECTIONS, direction=[FORTH], learner="ridge", sampler=["scaled_rows"]),
        visible_genes=genes.assign(earliest_hours=[6.0, 1.0, np.nan]),
    )
    assert "Samples are drawn as follows: morphology to expression by scaled rows." in found.text
    assert "macro F1 0.60 generated, 0.30 with shuffled pairing, 1.00 by the class mean and 0.80 of real" in found.text
    assert "median rank 0.20 among the held-out cells of its field" in found.text
    assert "(expression to morphology) is not estimable: one cell a field." in found.text
    assert "2 of 3 genes are visible in shape, 1 of them earlier than the last hours (up to 6 h)." in found.text


def test_no_share_is_not_estimable_and_no_table_is_not_run() -> None:
    assert answer().verdict == "not_run"
    nothing = answer(shares=empty(SHARES_SUMMARY))
    assert nothing.verdict == "not_estimable"
    assert nothing.text.startswith("Not estimable because too few cells have both modalities")
