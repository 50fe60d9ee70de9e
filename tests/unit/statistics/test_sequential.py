"""Sequential permutation p-values: validity for every design, what each hypothesis draws, the floor that is said."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cineseq.statistics.permutation import p_value
from cineseq.statistics.sequential import (
    EXCEEDANCES,
    SequentialDesign,
    floor_notes,
    sequential_test,
)


def ask(exceeds, design):
    """Test hypotheses whose permuted statistics exceed the observed one (0) as given, shape (permutations, k)."""
    null = np.where(np.asarray(exceeds), 1.0, -1.0)
    done = [design.first]

    def more(count, still):
        start = done[0]
        done[0] += count
        return null[start : start + count, still]

    return sequential_test(np.zeros(null.shape[1]), null[: design.first], more, design)


def pattern(most, *positions):
    exceeds = np.zeros((most, 1), bool)
    exceeds[list(positions)] = True
    return exceeds


def exact_null(design):
    """Return every end of a design, its p-value and its probability under the null, from the urn of Polya."""
    at, few = design.settled
    state, ends = {0: 1.0}, []
    for drawn in range(1, design.last + 1):
        moved = Counter()
        for had, mass in state.items():
            up = (had + 1) / (drawn + 1)
            moved[had + 1] += mass * up
            moved[had] += mass * (1 - up)
        state = {}
        for had, mass in moved.items():
            settled = drawn == at and had <= few
            if drawn >= design.first and (had >= EXCEEDANCES or settled or drawn == design.last):
                ends.append((had, drawn, design.p_value(had, drawn), mass))
            else:
                state[had] = mass
    assert not state
    return pd.DataFrame(ends, columns=["exceedances", "drawn", "p", "probability"])


def excess(p, probability):
    """Return by how much the probability of p <= a exceeds a, at the worst a."""
    below = probability.groupby(p).sum().cumsum()
    return (below - below.index).max()


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 120), st.integers(0, 500), st.integers(1, 60))
def test_a_p_value_is_at_most_a_with_probability_at_most_a(first, most, family):
    ends = exact_null(SequentialDesign(first, most, family))
    assert ends["probability"].sum() == pytest.approx(1)
    # It is not conservative either: each p-value is the probability of an end that is as extreme.
    assert abs(excess(ends["p"].round(12), ends["probability"])) < 1e-9


def test_without_allowing_for_early_ends_p_values_would_be_too_small():
    ends = exact_null(SequentialDesign(39, 999, 1))
    plain = (ends["exceedances"] + 1) / (ends["drawn"] + 1)
    assert excess(plain, ends["probability"]) > 0.004


@pytest.mark.parametrize(
    ("design", "settled", "last"),
    [
        (SequentialDesign(19, 999, 1), (19, 0), 19),
        (SequentialDesign(19, 999, 2), (79, 0), 999),
        (SequentialDesign(99, 999, 1), (99, 1), 999),
        (SequentialDesign(39, 999, 20), (799, 0), 999),
        (SequentialDesign(999, 9999, 1), (999, 9), 9999),
        (SequentialDesign(99, 50, 20), (799, 0), 99),
        (SequentialDesign(0, 999, 20), (799, 0), 0),
    ],
)
def test_where_a_hypothesis_can_be_settled_and_where_it_ends(design, settled, last):
    assert (design.settled, design.last) == (settled, last)


def test_batches_double_and_stop_where_a_hypothesis_can_be_settled():
    assert SequentialDesign(39, 999, 20).looks() == [39, 79, 159, 319, 639, 799, 999]
    assert SequentialDesign(99, 999, 1).looks() == [99, 199, 399, 799, 999]
    assert SequentialDesign(19, 999, 1).looks() == [19]


def test_one_function_that_is_clearly_significant_has_the_first_permutations_only():
    found = ask(pattern(19), SequentialDesign(19, 999, 1))
    assert (found.p_value[0], found.permutations[0]) == (0.05, 19)


def test_one_of_twenty_goes_on_until_it_is_significant_whatever_the_others_are():
    found = ask(pattern(999), SequentialDesign(39, 999, 20))
    assert (found.p_value[0], found.permutations[0]) == (1 / 800, 799)


def test_what_ends_in_the_first_batch_has_the_p_value_of_a_fixed_number_of_permutations():
    exceeds = pattern(999, *range(20, 32))
    found = ask(exceeds, SequentialDesign(39, 999, 20))
    assert (found.p_value[0], found.permutations[0]) == (13 / 40, 39)
    assert found.p_value[0] == p_value(0.0, np.where(exceeds[:39, 0], 1.0, -1.0))


def test_the_tenth_exceedance_ends_a_later_batch_where_it_falls():
    found = ask(pattern(999, *range(5), *range(100, 110)), SequentialDesign(39, 999, 20))
    assert (found.p_value[0], found.permutations[0]) == (10 / 105, 105)


def test_at_the_maximum_the_p_value_is_of_all_permutations():
    found = ask(pattern(999, 500, 600), SequentialDesign(39, 999, 20))
    # Settled hypotheses would have had none among 799; hardly any of them has more than two among 999.
    assert found.permutations[0] == 999
    assert 3 / 1000 <= found.p_value[0] < 3 / 1000 + 0.0001


def test_draws_of_a_hypothesis_do_not_depend_on_the_others():
    exceeds = np.random.default_rng(0).random((999, 6)) < [0.5, 0.3, 0.1, 0.05, 0.01, 0.0]
    design = SequentialDesign(39, 999, 20)
    together = ask(exceeds, design)
    alone = [ask(exceeds[:, [k]], design) for k in range(6)]
    assert together.p_value.tolist() == [found.p_value[0] for found in alone]
    assert together.permutations.tolist() == [found.permutations[0] for found in alone]
    assert together.permutations[0] == 39
    assert together.permutations[5] == 799


def test_statistics_that_are_not_finite_give_no_p_value_and_draws_that_are_not_finite_count_as_exceedances():
    null = np.array([[np.nan, -1.0, np.nan]] + [[-1.0, -1.0, np.nan]] * 18)

    def more(count, still):
        raise AssertionError

    found = sequential_test(np.array([0.0, np.nan, 0.0]), null, more, SequentialDesign(19, 999, 1))
    assert found.p_value[0] == 2 / 20
    assert np.isnan(found.p_value[1:]).all()


def test_without_permutations_there_is_no_p_value():
    found = ask(np.zeros((0, 2), bool), SequentialDesign(0, 999, 2))
    assert np.isnan(found.p_value).all()
    assert found.permutations.tolist() == [0, 0]


def test_the_floor_is_said_where_no_permutation_was_enough():
    rows = pd.DataFrame(
        {
            "p_value": [0.025, 0.025, 0.05, np.nan],
            "q_value": [0.15, 0.025, 0.15, np.nan],
            "permutations": [39, 39, 39, 0],
            "note": ["from 8 groups", None, None, "not estimable"],
        }
    )
    notes = floor_notes(rows, "functions")
    assert notes[0] == (
        "from 8 groups; floor of 39 permutations: none reached the observed value, and more of them or fewer functions "
        "are needed for q to be at most 0.05"
    )
    assert notes[1] is None
    assert notes[2] is None
    assert notes[3] == "not estimable"
