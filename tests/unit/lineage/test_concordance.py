"""Shared fates of relatives: literal tables, planted correlations, and shared stress that must not fool them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from tests.unit.lineage.lineage_examples import as_cells, cell, family

from cineseq.lineage import concordance
from cineseq.lineage.concordance import concordance_table, sisters_by_sample, times_table
from cineseq.lineage.fate_correlation import fate_odds_lines, fate_odds_table
from cineseq.lineage.pair_statistics import pair_correlation, pair_odds_ratio
from cineseq.lineage.relatives import relatives_of
from cineseq.lineage.report import concordance_lines
from cineseq.lineage.trees import families_of
from cineseq.tables.lineage import FATE_ODDS


def test_phi_is_kappa_and_its_interval_brackets_it():
    x, y = np.repeat([1.0, 1, 0, 0], [30, 5, 5, 60]), np.repeat([1.0, 0, 1, 0], [30, 5, 5, 60])
    found = pair_correlation(x, y, np.arange(100))
    expected = 0.35**2 + 0.65**2
    assert found.value == pytest.approx((0.9 - expected) / (1 - expected))
    assert found.low < found.value < found.high <= 1


def test_interval_widens_when_pairs_come_from_few_families():
    rng = np.random.default_rng(0)
    shared = np.repeat(rng.normal(size=20), 10)
    x, y = shared + rng.normal(size=200), shared + rng.normal(size=200)
    apart, together = (pair_correlation(x, y, f) for f in (np.arange(200), np.repeat(np.arange(20), 10)))
    assert apart.value == together.value
    assert together.high - together.low > 1.3 * (apart.high - apart.low)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_correlation_is_symmetric_and_within_bounds(pairs):
    x, y = np.array(pairs, dtype=float).T
    one, other = (pair_correlation(a, b, np.arange(len(x))) for a, b in ((x, y), (y, x)))
    assert np.isnan(one.value) == np.isnan(other.value)
    if np.isfinite(one.value):
        assert one.value == pytest.approx(other.value)
        assert -1 - 1e-9 <= one.value <= 1 + 1e-9
    else:
        assert "not estimable" in one.note


def pairs_of(both, neither, one):
    return np.repeat([1.0, 0, 1], [both, neither, one]), np.repeat([1.0, 0, 0], [both, neither, one])


def test_odds_ratio_of_a_literal_table_with_woolfs_interval():
    """30 + 60 pairs alike and 10 apart: (30 x 60) / 5^2 = 72; 1/30 + 1/60 + 4/10 is the variance of its logarithm."""
    found = pair_odds_ratio(*pairs_of(30, 60, 10), np.arange(100))
    half = stats.t.ppf(0.975, 99) * np.sqrt(100 / 99 * (1 / 30 + 1 / 60 + 4 / 10))
    assert (found.value, found.note) == (72, "")
    assert (found.low, found.high) == pytest.approx((72 * np.exp(-half), 72 * np.exp(half)))
    x, y = pairs_of(30, 60, 10)
    assert pair_odds_ratio(y, x, np.arange(100)) == found


@pytest.mark.parametrize(
    ("pairs", "absent"),
    [
        ((10, 20, 0), "with one death"),
        ((0, 20, 4), "with two deaths"),
        ((0, 153, 1), "with two deaths"),
        ((0, 0, 8), "with two deaths and without a death"),
    ],
)
def test_an_odds_ratio_with_an_empty_cell_is_not_estimable_and_says_which(pairs, absent):
    found = pair_odds_ratio(*pairs_of(*pairs), np.arange(sum(pairs)))
    assert np.isnan([found.value, found.low, found.high]).all()
    assert found.note == f"not estimable: of {sum(pairs)} pairs there are none {absent}"


def test_an_odds_ratio_of_a_handful_of_pairs_of_a_kind_is_said_to_be_rough():
    found = pair_odds_ratio(*pairs_of(1, 150, 3), np.arange(154))
    assert np.isfinite([found.value, found.low, found.high]).all()
    assert found.note == "rough interval: 1 pair with two deaths; 3 pairs with one death"


def test_odds_ratio_is_wide_where_pairs_are_of_few_families_and_absent_where_nothing_differs():
    x, y = pairs_of(30, 60, 10)
    apart = pair_odds_ratio(x, y, np.arange(100))
    assert pair_odds_ratio(x, y, np.arange(100) // 5).low < apart.low
    assert pair_odds_ratio(x, y, np.arange(100) // 50).note == "no interval: the pairs come from 2 families"
    assert "do not differ" in pair_odds_ratio(*pairs_of(0, 9, 0), np.arange(9)).note
    assert "4 pairs" in pair_odds_ratio(*pairs_of(1, 2, 1), np.arange(4)).note


def test_the_interval_of_the_odds_ratio_covers_what_was_planted_in_related_pairs():
    """Families of four pairs share a risk; the marginal odds ratio is known, and 95 % of intervals should hold it."""
    rng = np.random.default_rng(0)
    truth = 4 * (0.5 * (0.2**2 + 0.6**2)) * (0.5 * (0.8**2 + 0.4**2)) / (0.5 * 2 * (0.2 * 0.8 + 0.6 * 0.4)) ** 2
    held = []
    for _ in range(300):
        risk = np.repeat(rng.choice([0.2, 0.6], 80), 4)
        found = pair_odds_ratio(*(rng.random((2, 320)) < risk).astype(float), np.repeat(np.arange(80), 4))
        held.append(found.low <= truth <= found.high)
    assert 0.91 <= np.mean(held) <= 0.985


def test_the_table_of_odds_has_the_literal_values_and_kappa_is_phi():
    ends = [("death", "death")] * 6 + [("division", "division")] * 8 + [("death", "division")] * 4
    rows = [row for k, two in enumerate(ends) for row in family(f"f{k}", *two)]
    families = families_of(as_cells(rows))
    relatives = relatives_of(families, 5)
    table = FATE_ODDS.check(fate_odds_table(families, relatives))
    sisters = table.set_index("relation").loc["sisters"]
    assert (sisters["pairs"], sisters["odds_ratio"]) == (18, 6 * 8 / 2**2)
    death = 16 / 36
    assert sisters["kappa"] == pytest.approx((14 / 18 - death**2 - (1 - death) ** 2) / (2 * death * (1 - death)))
    phi = concordance_table(families, relatives, 5, 99, 1).set_index("relation").loc["sisters", "phi"]
    assert sisters["kappa"] == pytest.approx(phi)
    assert "odds of a death are 12 [" in fate_odds_lines(table)[0]


def test_intervals_of_neighbours_say_that_they_know_one_root_cell_of_a_pair():
    ends = [("death", "death"), ("division", "division"), ("death", "division")] * 8
    families = families_of(as_cells([row for k, two in enumerate(ends) for row in family(f"f{k}", *two)]))
    relatives = relatives_of(families, 5)
    for table, low in (
        (fate_odds_table(families, relatives), "low"),
        (concordance_table(families, relatives, 5, 99, 1), "phi_low"),
    ):
        by = table.set_index("relation")
        assert by.loc[["sisters", "neighbours"], low].notna().all()
        assert by.loc["neighbours", "note"].endswith("the interval clusters pairs by one of their two root cells")
        assert "clusters" not in by.loc["sisters", "note"]


def concordance_of(rows, permutations=999):
    families = families_of(as_cells(rows))
    return concordance_table(families, relatives_of(families, 5), 2, permutations, 1).set_index("relation")


def test_concordant_sisters_are_found_and_unknown_fates_do_not_count():
    rows = []
    for k in range(40):
        end = "death" if k % 2 else "division"
        rows += family(f"f{k}", end, end, birth=10 + k // 4)
    for k in range(30):
        rows += family(f"u{k}", "death", ("lost", "end_of_movie")[k % 2])
    sisters = concordance_of(rows).loc["sisters"]
    assert (sisters["pairs"], sisters["concordance"], sisters["expected_independent"]) == (40, 1.0, 0.5)
    assert sisters["p_value"] == pytest.approx(0.001)
    assert sisters["phi_high"] == 1.0
    assert 0.7 < sisters["phi_low"] < 1


def test_all_fates_unknown_is_not_estimable():
    rows = [row for k in range(20) for row in family(f"f{k}", "lost", "end_of_movie")]
    families = families_of(as_cells(rows))
    table = concordance_table(families, relatives_of(families, 5), 5, 99, 1)
    assert table["concordance"].isna().all()
    assert table["note"].str.startswith("not estimable").all()
    assert "not estimable" in concordance_lines(table)[0]


def test_concordance_by_shared_stress_alone_is_not_called_relatedness():
    """Field and time make independent sisters look alike; the permutation within strata must not be fooled."""
    rng = np.random.default_rng(3)
    rejected, naive = 0, 0
    for _ in range(60):
        field = rng.integers(0, 6, 120)
        dead = rng.random((120, 2)) < 1 / (1 + np.exp(-3 * rng.normal(size=6)[field]))[:, None]
        rows = []
        for k in range(120):
            rows += family(f"f{k}", *np.where(dead[k], "death", "division"), fov=str(field[k]))
        table = concordance_of(rows, 199).loc["sisters"]
        rejected += table["p_value"] <= 0.05
        naive += table["phi_low"] > 0
    assert rejected <= 8
    assert naive >= 30


def cousins(root_cells, seed=0):
    """Root cells whose four grandchildren die or divide, in two pairs of sisters born at the same time."""
    rng = np.random.default_rng(seed)
    rows = []
    for k in range(root_cells):
        name, birth = f"f{k}", 20 + k % 3
        rows.append(cell(name, name, 0, 9, "division", fov=str(k % 2)))
        for a in "ab":
            rows.append(cell(name + a, name, 10, birth - 1, "division", name, fov=str(k % 2)))
            for b in "cd":
                end = ("death", "division", "lost")[rng.choice(3, p=[0.45, 0.45, 0.1])]
                rows.append(cell(name + a + b, name, birth, 60, end, name + a, fov=str(k % 2)))
    return families_of(as_cells(rows))


def test_null_of_cousins_is_that_of_moving_whole_pairs_of_sisters_one_by_one():
    """Against the plain way: deal the pairs of sisters anew within strata and like known fates, and count."""
    families = cousins(40)
    cells, pairs = families.cells, relatives_of(families, 5)["cousins"]
    died = cells["died"].to_numpy()
    pairs = pairs[np.isfinite(died[pairs]).all(axis=1)]
    used = families.sisters[np.isin(families.sisters, pairs).any(axis=1)]
    known = np.isfinite(died[used])
    names = [tuple(k) for k in zip(cells["field"][used[:, 0]], cells["birth"][used[:, 0]], *known.T, strict=True)]
    group = pd.factorize(pd.Series(names))[0]
    rng = np.random.default_rng(1)
    plain = []
    for _ in range(4000):
        moved = died.copy()
        for one in np.unique(group):
            rows = np.flatnonzero(group == one)
            moved[used[rows]] = died[used[rng.permutation(rows)]]
        plain.append((moved[pairs[:, 0]] == moved[pairs[:, 1]]).mean())
    found = concordance._null_of_blocks(cells, families.sisters, pairs, (50, 4000), rng)
    assert found.mean() == pytest.approx(np.mean(plain), abs=0.003)
    assert np.quantile(found, [0.025, 0.25, 0.75, 0.975]) == pytest.approx(
        np.quantile(plain, [0.025, 0.25, 0.75, 0.975]), abs=0.015
    )


def test_fewer_permutations_than_asked_are_said(monkeypatch):
    families = cousins(12)
    relatives = {"cousins": relatives_of(families, 5)["cousins"]}
    full = concordance_table(families, relatives, 2, 1999, 1).iloc[0]
    assert "permutations" not in full["note"]
    monkeypatch.setattr(concordance, "MANY_PAIRS", 10)
    fewer = concordance_table(families, relatives, 2, 1999, 1).iloc[0]
    assert fewer["note"].endswith("499 permutations only, because there are many pairs")
    assert fewer["p_value"] == pytest.approx(full["p_value"], abs=0.1)


def test_times_of_sisters_correlate_as_planted():
    rng = np.random.default_rng(0)
    rows = []
    for k in range(300):
        rows += family(f"f{k}", "division", "division")
        lived = (30 + 5 * rng.normal() + 5 * rng.normal(size=2)).round().astype(int)
        rows[-2]["end_frame"], rows[-1]["end_frame"] = 10 + lived
    families = families_of(as_cells(rows))
    times = times_table(families, relatives_of(families, 5)).set_index(["relation", "quantity"])
    sisters = times.loc["sisters", "division_time"]
    assert sisters["pairs"] == 300
    assert sisters["low"] < 0.5 < sisters["high"]
    assert abs(times.loc["neighbours", "division_time"]["r"]) < 0.2
    assert "not estimable" in times.loc["sisters", "death_time"]["note"]


@pytest.mark.data
def test_au565_reproduces_the_measured_concordance(data_folder):
    table = pd.read_csv(data_folder / "au565_lineages" / "lineages.csv")
    name = table["file"] + "/" + table["lineage"].astype(str)
    censored = table["fate"] == "censored"
    rows = pd.DataFrame(
        {
            "track_id": name + "/" + table["cell"].astype(str),
            "sample": table["file"],
            "condition": table["condition"],
            "parent_id": (name + "/" + table["parent"].astype(str)).where(table["parent"] > 0),
            "founder_id": name,
            "generation": table["generation"],
            "start_frame": table["birth"].astype(int),
            "end_frame": table["end"].astype(int),
            "start_hours": table["birth"] / 2,
            "end_hours": table["end"] / 2,
            "start_kind": np.where(table["parent"] > 0, "division", "first_frame"),
            "end_kind": table["fate"].replace("censored", "end_of_movie"),
            "fate": table["fate"].replace("censored", "unknown"),
            "fate_known": ~censored,
            "alive_at_end": censored,
        }
    )
    families = families_of(as_cells(rows))
    fates = families.cells["fate"].value_counts()
    assert (fates["division"], fates["death"], fates["unknown"]) == (1477, 387, 1989)
    assert not any(families.problems.values())
    relatives = relatives_of(families, 5)
    shared = concordance_table(families, relatives, 5, 999, 1).set_index(["condition", "relation"])
    ten = shared.loc["GEMCITABINE 10 uMolars", "sisters"]
    assert ten["pairs"] == 96
    assert ten["concordance"] == pytest.approx(0.958, abs=5e-4)
    assert ten["expected_independent"] == pytest.approx(0.514, abs=5e-4)
    assert ten["p_value"] == pytest.approx(0.001)
    times = times_table(families, relatives).set_index(["condition", "relation", "quantity"])
    control = times.loc["Gemcitabine control", "sisters", "division_time"]
    assert control["low"] > 0


def test_sisters_by_sample_are_pairs_of_known_fates_in_samples_with_both_fates():
    fates = {
        "s1": [("death", "death")] * 2 + [("division", "division")] * 2 + [("death", "division")],
        "s2": [("death", "death")] * 6,
        "s3": [("death", "division")] * 4,
    }
    rows = [
        ("drug", sample, f"{sample}_{k}", fate)
        for sample, pairs in fates.items()
        for k, pair in enumerate(pairs)
        for fate in pair
    ]
    rows += [("drug", "s1", "s1_x", "death"), ("drug", "s1", "s1_x", "unknown"), ("drug", "s1", None, "death")]
    cells = pd.DataFrame(rows, columns=["condition", "sample", "parent_id", "fate"])
    (found,) = sisters_by_sample(cells).to_dict("records")
    low, high = found.pop("phi_low"), found.pop("phi_high")
    assert found.pop("phi") == pytest.approx(0.6)
    assert -1 < low < 0.6 < high < 1
    assert found == {"condition": "drug", "sample": "s1", "pairs": 5, "concordance": 0.8, "expected_independent": 0.5}
