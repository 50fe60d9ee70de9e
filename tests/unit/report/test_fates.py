"""A run of lineages alone leads with the fates of its cells and sisters, condition by condition."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.unit.report.report_examples import checked, render

from cineseq.report.fates import CONDITIONS_NAMED, controls_last, shared_fates
from cineseq.report.found import NONE
from cineseq.tables.lineage import CONCORDANCE, FATE_INCIDENCE, STATE_BY_SISTER

DRUGS = ("drug 1 uM", "drug 5 uM", "drug 10 uM", "drug 20 uM", "drug 30 uM")
NOTE = "no p-value: within strata of field and birth time the fates leave nothing to permute"


def concordance(folder: Path, conditions: tuple[str, ...], p: list[float | None]) -> Path:
    """Write one row of sisters per condition; the control has most pairs."""
    return checked(
        CONCORDANCE,
        folder / "lineage/concordance.tsv",
        condition=conditions,
        relation="sisters",
        pairs=[224 if "control" in name else 54 + number for number, name in enumerate(conditions)],
        concordance=0.9,
        expected_independent=0.6,
        p_value=p,
        note=["" if value is not None else NOTE for value in p],
    )


def incidence(folder: Path, conditions: tuple[str, ...]) -> Path:
    rows = [
        (name, event, time, value, value - 0.1, value + 0.1)
        for name in conditions
        for time, at_risk in ((0.0, 100), (40.0, 50), (60.0, 1))
        for event, value in (("division", 0.2 + time / 200), ("death", 0.3), ("loss", 0.0), ("none", 0.1))
    ]
    table = pd.DataFrame(rows, columns=["condition", "event", "time", "incidence", "low", "high"])
    at_risk = table["time"].map({0.0: 100, 40.0: 50, 60.0: 1})
    return checked(FATE_INCIDENCE, folder / "lineage/incidence.tsv", **table, unit="h", at_risk=at_risk)


def no_states(folder: Path) -> Path:
    return checked(STATE_BY_SISTER, folder / "lineage/state_by_sister.tsv")


def test_every_condition_is_in_the_answer_drugs_before_the_control(tmp_path: Path):
    conditions = ("control", *DRUGS)
    p = [0.0001, 0.0001, 0.2, 0.0001, 0.0001, None]
    results = [concordance(tmp_path, conditions, p), incidence(tmp_path, conditions), no_states(tmp_path)]
    page, written = render(tmp_path, results=results)
    answer = next(a for a in written["answers"] if a["id"] == "sisters")
    assert answer["verdict"] == "shown"
    assert answer["answer"].startswith(
        "Sisters shared their fate more often than by chance in 4 of 5 conditions that could be tested (within field "
        "and birth time, q ≤ 0.05; same fate in 90 % of 450 pairs, 60 % expected if fates were independent); not shown "
        "in drug 5 uM, not testable in drug 30 uM. In drug 1 uM, by 40 h after birth 40 % [30 %, 50 %] of the cells "
        "born in the movie had divided and 30 % [20 %, 40 %] had died; sisters had the same fate in 90 % of 55 pairs "
        "(60 % expected if fates were independent, p < 0.001). In drug 5 uM, "
    )
    assert f"p not estimable: {NOTE.removeprefix('no p-value: ')}" in answer["answer"]
    places = [answer["answer"].index(f"In {name}, ") for name in (*DRUGS, "control")]
    assert places == sorted(places)
    assert (
        "Whether a state of survivors is associated with the death of the sister is not estimable" in answer["answer"]
    )
    assert "alike in the timing of their divisions alone" in answer["answer"]
    shown = page[page.index('id="answers"') : page.index('id="images"')]
    assert shown.index("What happened to the sisters?") < shown.index("What is associated with function?")
    assert shown.index("Sisters shared their fate") < shown.index("Not run: ")


@pytest.mark.parametrize(
    ("p", "verdict", "lead"),
    [
        ([0.3, 0.4], "unresolved", "Sisters were not shown to share their fate more often than by chance in any of 2"),
        (
            [None, None],
            "unresolved",
            "Sisters had the same fate in 90 % of pairs; whether that is more than by chance could not",
        ),
        ([0.03, 0.9], "unresolved", "Sisters were not shown to share their fate more often than by chance in any of 2"),
    ],
)
def test_nothing_is_said_to_be_shared_without_a_p_value_that_holds_over_conditions(tmp_path, p, verdict, lead):
    _, written = render(tmp_path, results=[concordance(tmp_path, DRUGS[:2], p), no_states(tmp_path)])
    answer = next(a for a in written["answers"] if a["id"] == "sisters")
    assert (answer["verdict"], answer["answer"].startswith(lead)) == (verdict, True)


def test_one_condition_needs_no_name(tmp_path: Path):
    results = [concordance(tmp_path, ("all",), [0.001]), incidence(tmp_path, ("all",))]
    _, written = render(tmp_path, results=results)
    answer = next(a for a in written["answers"] if a["id"] == "sisters")["answer"]
    assert "By 40 h after birth 40 %" in answer
    assert "In all" not in answer


def test_more_conditions_than_fit_are_counted(tmp_path: Path):
    conditions = tuple(f"dose {i}" for i in range(CONDITIONS_NAMED + 3))
    _, written = render(tmp_path, results=[concordance(tmp_path, conditions, [0.001] * len(conditions))])
    assert "The tables have 3 more conditions." in written["answers"][3]["answer"]


def test_controls_come_last_and_doses_in_their_order():
    assert controls_last({"t10", "t2", "DMSO", "untreated t0", "mocking"}) == [
        "mocking",
        "t2",
        "t10",
        "DMSO",
        "untreated t0",
    ]


def test_the_lead_has_effects_pairs_left_out_and_shared_hazards():
    conditions = ("drug 1 uM", "drug 5 uM", "control")
    shared = pd.DataFrame(
        {"condition": conditions, "relation": "sisters", "pairs": [96, 86, 54], "concordance": [0.96, 0.98, 0.9],
         "expected_independent": [0.51, 0.87, 0.79], "phi": [0.9, 0.8, np.nan], "phi_low": [0.8, 0.5, np.nan],
         "phi_high": [0.97, 0.95, np.nan], "p_value": [0.0001, 0.04, np.nan], "p_hazard": [0.001, 0.02, 0.4],
         "hazard_correlation": [0.71, 0.62, 0.1], "note": ["", "", NOTE]}
    )  # fmt: skip
    pairs = pd.DataFrame({"condition": conditions, "pairs": [400, 200, 100]})
    found = shared_fates(shared, None, pairs)
    assert found.lead == (
        "Sisters shared their fate more often than by chance in 2 of 2 conditions that could be tested (within field "
        "and birth time, q ≤ 0.05; same fate in 96 to 98 % of 182 pairs, 51 to 87 % expected if fates were "
        "independent); not testable in control. 464 of 700 pairs of sisters (66 %) are left out, because a fate is not "
        "known; all pairs may differ from these. The hazard of death itself, which cycles of similar length do not "
        "affect, is shared by sisters in 2 of 3 conditions (correlation of residuals 0.10 to 0.71; within field and "
        "birth time, q ≤ 0.05)."
    )
    assert (
        "(51 % expected if fates were independent, p < 0.001; correlation of their hazards of death 0.71, p = 0.001)"
        in (found.sentences[0])
    )
    assert [(c.name, c.verdict, c.effect, c.by_chance) for c in found.claims] == [
        (
            "sisters share their fate, drug 1 uM",
            "shown",
            "same fate in 96 % of 96 pairs; phi 0.90 [0.80, 0.97]",
            "51 %",
        ),
        (
            "sisters share their fate, drug 5 uM",
            "shown",
            "same fate in 98 % of 86 pairs; phi 0.80 [0.50, 0.95]",
            "87 %",
        ),
        ("sisters share their fate, control", "unresolved", "same fate in 90 % of 54 pairs", "79 %"),
    ]


def test_the_only_condition_that_could_be_tested_is_named_once(tmp_path: Path):
    _, written = render(tmp_path, results=[concordance(tmp_path, ("treated", "other"), [0.33, None])])
    assert written["answers"][3]["answer"].startswith(
        "Sisters were not shown to share their fate more often than by chance in treated, the only condition that "
        "could be tested (within field and birth time, q ≤ 0.05; same fate in 90 % of 54 pairs, 60 % expected if fates "
        "were independent); not testable in other."
    )


@pytest.mark.parametrize(("samples", "is_said"), [(4, True), (2, False)])
def test_what_one_more_sample_would_show_stands_beside_the_shared_fates(samples: int, is_said: bool):
    rng = np.random.default_rng(3)
    rows = []
    for sample in range(samples):
        first = rng.random(60) < 0.5
        second = np.where(rng.random(60) < 0.7, first, rng.random(60) < 0.5)
        for pair, died in enumerate(zip(first, second, strict=True)):
            rows += [("drug", f"s{sample}", f"{sample}/{pair}", "death" if d else "division") for d in died]
    cells = pd.DataFrame(rows, columns=["condition", "sample", "parent_id", "fate"])
    shared = pd.DataFrame(
        {"condition": ["drug"], "relation": "sisters", "pairs": [60 * samples], "concordance": [0.85],
         "expected_independent": [0.5], "phi": [0.7], "phi_low": [0.6], "phi_high": [0.8], "p_value": [0.0001],
         "note": [""]}
    )  # fmt: skip
    (claim,) = shared_fates(shared, None, cells=cells).claims
    assert claim.samples == f"{samples} of {samples}"
    if not is_said:
        assert claim.one_more == NONE
        return
    low, high = (float(end) for end in claim.one_more.removeprefix("phi [").removesuffix("]").split(", "))
    assert 0 < low < 0.7 < high < 1
