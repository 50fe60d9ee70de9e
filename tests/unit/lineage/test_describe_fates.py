"""Fates over time and over the tree: literal cases, planted truth, and what cannot be estimated."""

import json

import numpy as np
import pandas as pd
import pytest
from describe_fates import Settings, main
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.lineage.lineage_examples import as_cells, cell, family

from cineseq.config.lineage import Lineage
from cineseq.lineage.fate_correlation import decay_table, fate_pairs_table, related_over
from cineseq.lineage.figures import draw_fate_pairs
from cineseq.lineage.relatives import relatives_of
from cineseq.lineage.report import left_out_lines
from cineseq.lineage.time_to_event import incidence_lines, incidence_table, survival_lines, survival_table
from cineseq.lineage.trees import families_of
from cineseq.tables.contract import empty, read_table, write_table
from cineseq.tables.imaging import CELLS
from cineseq.tables.lineage import (
    CONCORDANCE,
    CORRELATION_DECAY,
    FATE_EVENTS,
    FATE_INCIDENCE,
    FATE_ODDS,
    FATE_PAIRS,
    FATE_SURVIVAL,
    TIMES,
)


def born(name, lived, end_kind):
    """A cell born in the movie whose parent was not followed."""
    return cell(name, name, 0, lived, end_kind, start_kind="division")


def curve(cells, event):
    table = incidence_table(families_of(as_cells(cells)), seed=1)
    FATE_INCIDENCE.check(table)
    return table[table["event"] == event].set_index("time")


LITERAL = [
    born(f"c{k}", k + 1, end)
    for k, end in enumerate(
        ["lost", "death", "end_of_movie", "division", "death", "end_of_movie", "division", "lost", "death", "division"]
    )
]


def test_cumulative_incidence_of_a_literal_table():
    """Ages 1 to 10: death at 2 (of 9 at risk after a loss at 1), division at 4 of 7, and so on, by hand."""
    rows = LITERAL
    left_before = {2: 9 / 10, 5: 9 / 10 * 8 / 9 * 6 / 7}
    first, second = left_before[2] / 9, left_before[5] / 6
    left_at_nine = left_before[5] * 5 / 6 * 3 / 4 * 2 / 3
    deaths = curve(rows, "death")["incidence"]
    at = [deaths[deaths.index <= time].iloc[-1] for time in (2.01, 5.01, 10)]
    assert at == pytest.approx([first, first + second, first + second + left_at_nine / 2])
    assert sum(curve(rows, e)["incidence"].iloc[-1] for e in FATE_EVENTS) == pytest.approx(1)


def left(cells, event):
    table = FATE_SURVIVAL.check(survival_table(families_of(as_cells(cells)), seed=1))
    return table[table["event"] == event].set_index("time")


def at_ages(curve, ages):
    return [curve[curve.index <= age + 0.01].iloc[-1] for age in ages]


def test_survival_and_time_to_division_of_a_literal_table():
    """Deaths at 2 (9 at risk), 5 (6) and 9 (2); divisions at 4 (7), 7 (4) and 10 (1); every other end censors."""
    ages = [1, 2, 4, 5, 7, 9, 10]
    alive = np.cumprod([1, 8 / 9, 1, 5 / 6, 1, 1 / 2, 1])
    undivided = np.cumprod([1, 1, 6 / 7, 1, 3 / 4, 1, 0])
    assert at_ages(left(LITERAL, "survival")["share"], ages) == pytest.approx(alive)
    assert at_ages(left(LITERAL, "undivided")["share"], ages) == pytest.approx(undivided)


def test_ties_are_at_risk_together():
    rows = [born(f"c{k}", 5, "death" if k < 4 else "division") for k in range(10)] + [born("z", 10, "end_of_movie")]
    assert left(rows, "survival")["share"].iloc[-1] == pytest.approx(7 / 11)
    assert left(rows, "undivided")["share"].iloc[-1] == pytest.approx(5 / 11)


ENDS = ("death", "division", "lost", "end_of_movie")


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 20), st.sampled_from(ENDS)), min_size=10, max_size=30))
def test_curves_of_survival_fall_from_one_and_stay_shares(ends):
    rows = [born(f"c{k}", age, end) for k, (age, end) in enumerate(ends)]
    for event, never in (("survival", "death"), ("undivided", "division")):
        curve = left(rows, event)
        heights = curve[["share", "low", "high"]].to_numpy(float)
        assert (heights[0] == 1).all()
        assert (np.diff(heights, axis=0) <= 1e-12).all()
        assert ((heights >= 0) & (heights <= 1)).all()
        if not any(end == never for _, end in ends):
            assert (heights == 1).all()


def test_survival_censors_losses_where_incidence_lets_them_compete():
    rng = np.random.default_rng(0)
    lost = rng.random(400) < 0.5
    rows = [born(f"c{k}", 5 if gone else 20, "lost" if gone else "death") for k, gone in enumerate(lost)]
    assert left(rows, "survival")["share"].iloc[-1] == 0
    assert curve(rows, "death")["incidence"].iloc[-1] == pytest.approx(1 - lost.mean())


def test_few_cells_have_no_curve_of_survival():
    table = FATE_SURVIVAL.check(survival_table(families_of(as_cells(LITERAL[:4])), 1))
    assert table["share"].isna().all()
    assert table["note"].str.startswith("not estimable: 4 cells").all()
    assert survival_lines(table) == []


def test_losses_compete_and_do_not_inflate_deaths():
    """Half of the cells are lost early: one minus Kaplan-Meier would call nearly all dead, and death is 1/2."""
    rng = np.random.default_rng(0)
    lost = rng.random(400) < 0.5
    rows = [born(f"c{k}", 5 if gone else 20, "lost" if gone else "death") for k, gone in enumerate(lost)]
    last = curve(rows, "death").iloc[-1]
    assert last["incidence"] == pytest.approx(1 - lost.mean())
    assert last["low"] < 0.5 < last["high"]
    assert last["high"] - last["low"] == pytest.approx(4 * 0.5 / 20, rel=0.2)


def test_intervals_know_that_relatives_share_fates():
    rows = [family(f"f{k}", *(("death", "death"), ("end_of_movie", "end_of_movie"))[k % 2]) for k in range(60)]
    alike = curve([row for one in rows for row in one], "death").iloc[-1]
    apart = curve([row for k in range(60) for row in family(f"f{k}", "death", "end_of_movie")], "death").iloc[-1]
    assert alike["high"] - alike["low"] > 0.15 > apart["high"] - apart["low"]


def test_cells_not_born_in_sight_have_no_age():
    rows = [cell(f"c{k}", f"c{k}", 0, 50, "death") for k in range(30)]
    assert incidence_table(families_of(as_cells(rows)), 1).empty
    few = curve([born("a", 5, "death")], "none")
    assert few["incidence"].isna().all()
    assert few["note"].str.startswith("not estimable: 1 cell born").all()


def tree(name, generations, value):
    """A full binary tree whose cells live as long as ``value`` of them, a function of the path of 0 and 1, says."""
    rows, todo = [], [((), 0)]
    while todo:
        path, start = todo.pop()
        label = name + "".join(map(str, path))
        end = start + value(path)
        last = len(path) == generations
        parent = name + "".join(map(str, path[:-1])) if path else None
        rows.append(cell(label, name, start, end - 1, "death" if last else "division", parent))
        todo += [] if last else [((*path, k), end) for k in (0, 1)]
    return rows


def test_relatives_are_found_by_the_generations_to_their_ancestor():
    families = families_of(as_cells(tree("f", 3, lambda _: 10)))
    assert [len(related_over(families, k)) for k in (1, 2, 3, 4)] == [7, 4 + 8, 16, 0]
    names = families.cells["track_id"].to_numpy()[related_over(families, 3)]
    assert all({a[1], b[1]} == {"0", "1"} and len(a) == len(b) == 4 for a, b in names)


def test_likeness_that_halves_with_each_generation_is_seen_to_fade():
    rng = np.random.default_rng(0)
    rows = []
    for k in range(150):
        inherited = {(): rng.normal()}
        for depth in (1, 2, 3):
            for number in range(2**depth):
                path = tuple(int(bit) for bit in f"{number:0{depth}b}")
                inherited[path] = inherited[path[:-1]] * 0.7 + rng.normal() * np.sqrt(1 - 0.49)
        rows += tree(f"f{k}_", 3, lambda path, of=inherited: int(60 + 12 * of[path]))
    families = families_of(as_cells(rows))
    table = decay_table(families, relatives_of(families, 5)["neighbours"])
    CORRELATION_DECAY.check(table)
    deaths = table[table["quantity"] == "death_time"].set_index("generations")
    for generations, expected in ((1, 0.49), (2, 0.24), (3, 0.118)):
        assert deaths.loc[generations, "low"] < expected < deaths.loc[generations, "high"]
    assert deaths.loc[1, "low"] > deaths.loc[3, "r"]


def test_ends_of_sisters_are_counted_once_each():
    rows = [
        *family("a", "death", "death"), *family("b", "division", "death"), *family("c", "death", "division"),
        *family("d", "lost", "end_of_movie"),
    ]  # fmt: skip
    table = fate_pairs_table(families_of(as_cells(rows))).set_index(["fate", "sister_fate"])
    assert table.loc[("died", "died"), "pairs"] == 1
    assert table.loc[("divided", "died"), "pairs"] == 2
    assert table.loc[("alive at the end", "unknown"), "pairs"] == 1
    assert table["pairs"].sum() == 4
    assert table["expected"].sum() == pytest.approx(4)
    assert table.loc[("divided", "died"), "expected"] == pytest.approx(4 * 2 * (2 / 8) * (4 / 8))


def test_pairs_with_a_sister_alive_at_the_end_are_said_to_be_left_out():
    rows = [
        *family("a", "death", "death"), *family("b", "death", "end_of_movie"), *family("c", "end_of_movie", "death"),
        *family("d", "division", "end_of_movie"), *family("e", "lost", "death"),
    ]  # fmt: skip
    [line] = left_out_lines(fate_pairs_table(families_of(as_cells(rows))))
    assert "of 5 pairs of sisters 4 are left out, because a fate is not known" in line
    assert "(one alive at the end and one dead 2, one alive and one divided 1, both alive 0, an end unknown 1)" in line
    assert left_out_lines(fate_pairs_table(families_of(as_cells(rows[:3])))) == []


def test_families_that_are_all_alike_give_no_interval_of_no_width():
    rows = [born(f"c{k}", 10, "end_of_movie") for k in range(40)]
    [line] = incidence_lines(incidence_table(families_of(as_cells(rows)), 1))
    assert "0.0 % (no interval: all families are alike) had died" in line


def run_step(folder, cells):
    folder.mkdir()
    write_table(cells, folder / "cells.parquet", CELLS)
    tables = {
        "incidence": FATE_INCIDENCE,
        "concordance": CONCORDANCE,
        "fate_odds": FATE_ODDS,
        "times": TIMES,
        "survival": FATE_SURVIVAL,
        "fading": CORRELATION_DECAY,
        "fate_pairs": FATE_PAIRS,
    }
    files = {name: folder / f"{name}.tsv" for name in tables}
    figures = {name: folder / f"{name}.svg" for name in ("incidence_figure", "survival_figure", "fate_pairs_figure")}
    told = Settings(lineage=Lineage(permutations=199))
    main(cells=folder / "cells.parquet", **files, **figures, report=folder / "report.json", settings=told)
    assert all(path.stat().st_size for path in figures.values())
    return {name: read_table(path, tables[name]) for name, path in files.items()}


def test_the_step_says_what_became_of_cells(tmp_path):
    rows = [row for k in range(30) for row in family(f"f{k}", *(("death", "division"), ("death", "lost"))[k % 2])]
    found = run_step(tmp_path / "run", as_cells(rows))
    assert all(len(table) for table in found.values())
    lines = json.loads((tmp_path / "run/report.json").read_text())["lines"]
    assert lines[0].startswith("drug: 30 frames after birth, 25 % [")
    again = run_step(tmp_path / "again", as_cells(rows))
    pd.testing.assert_frame_equal(found["incidence"], again["incidence"])


@pytest.mark.parametrize(("conditions", "said"), [(16, False), (19, True)])
def test_figures_say_how_many_conditions_they_leave_out(tmp_path, conditions, said):
    rows = [r for k in range(conditions) for r in family(f"f{k}", "death", "division", condition=f"dose {k:02d}")]
    draw_fate_pairs(fate_pairs_table(families_of(as_cells(rows))), tmp_path / "pairs.svg")
    text = (tmp_path / "pairs.svg").read_text()  # words are drawn as paths, each below a comment that spells them
    assert ("3 of 19 conditions are left out; the table has them" in text) == said


def test_the_step_without_any_lineage(tmp_path):
    found = run_step(tmp_path / "run", empty(CELLS))
    assert all(table.empty for table in found.values())
