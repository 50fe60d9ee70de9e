"""The rule by which a verdict follows from the numbers."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cineseq.statistics.verdicts import VERDICTS, is_above, judge, overall

NUMBERS = st.floats(-2, 2) | st.just(math.nan)


@given(low=NUMBERS, null=NUMBERS, q=st.floats(0, 1) | st.just(math.nan))
def test_an_effect_is_shown_by_interval_and_q_value_together(low: float, null: float, q: float):
    assert is_above(low, null, q) == (low > null and q <= 0.05)


@pytest.mark.parametrize(
    ("is_estimated", "is_shown", "adds", "is_absent", "verdict"),
    [
        (False, False, None, False, "not_estimable"),
        (True, True, None, False, "shown"),
        (True, True, True, False, "shown"),
        (True, True, False, False, "no_more_than_covariates"),
        (True, False, False, False, "unresolved"),
        (True, False, None, True, "shown_absent"),
        (True, True, None, True, "shown"),
        (True, False, True, False, "unresolved"),
    ],
)
def test_verdicts_of_one_claim(is_estimated, is_shown, adds, is_absent, verdict):
    assert judge(is_estimated=is_estimated, is_shown=is_shown, adds=adds, is_absent=is_absent) == verdict


@given(st.lists(st.sampled_from(list(VERDICTS))))
def test_an_answer_has_the_strongest_verdict_of_its_claims(verdicts):
    ranks = {verdict: rank for rank, verdict in enumerate(VERDICTS)}
    assert overall(verdicts) == min(verdicts, key=ranks.__getitem__, default="not_estimable")


def test_one_claim_that_is_shown_is_enough():
    assert overall(["unresolved", "shown", "no_more_than_covariates"]) == "shown"
    assert overall(["unresolved", "no_more_than_covariates"]) == "no_more_than_covariates"
