"""The step that compares sisters: its tables, figures and warnings of how survivors were selected."""

import json

import numpy as np
import pandas as pd
import pytest
from benchmarks.lineage_experiments import caged
from compare_sisters import Settings, main
from scipy import sparse
from tests.unit.lineage.lineage_examples import LAST, analyse, as_cells, cell, experiment, family

from cineseq.config.lineage import Lineage
from cineseq.errors import UserError
from cineseq.io.adata import write_paired
from cineseq.io.paired import PairedData
from cineseq.lineage.figures import draw_forest
from cineseq.lineage.selection_bias import lineage_warnings
from cineseq.lineage.tree_figures import colour_by_fate, draw_trees
from cineseq.lineage.trees import families_of
from cineseq.tables.contract import read_table, write_table
from cineseq.tables.imaging import CELLS
from cineseq.tables.lineage import (
    LINEAGE_POWER,
    LINEAGE_SENSITIVITY,
    LINEAGE_WARNINGS,
    STATE_BY_SAMPLE,
    STATE_BY_SISTER,
)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("with_pairs", [True, False])
def test_the_one_cell_compartment_trap_is_named_when_it_is_there_and_only_then(seed, with_pairs):
    root_cells = 80 if with_pairs else 300
    for choice in ("shared", "apart", "uneven"):
        together = choice == "shared"
        families, status, pairs = caged(seed, choice=choice, founders=root_cells)
        warned = lineage_warnings(families, status, pairs if with_pairs else None)
        LINEAGE_WARNINGS.check(warned)
        named = warned[warned["warning"] == "one_cell_compartments"]
        assert len(named) == int(together)
        if together:
            assert named["severity"].iloc[0] == "serious"
            assert named["share"].iloc[0] == 1.0
            as_if = named["message"].iloc[0].startswith("Survivors were sequenced as if sisters shared compartments")
            assert as_if == (not with_pairs)


def test_a_pooled_test_would_take_uneven_capture_for_the_trap():
    """The variant is a fair one: over all fields, dead sisters are far more frequent among the sequenced."""
    families, status, _ = caged(0, choice="uneven", founders=300)
    known = status[status["status"].isin(["died", "survived"]) & (families.cells["alive_at_end"] == 1)]
    lost = (known["status"] == "died").groupby(known["sequenced"]).mean()
    assert lost[True] > lost[False] + 0.15


def test_losses_and_unknown_sisters_are_listed():
    rows = [row for k in range(10) for row in family(f"f{k}", "end_of_movie", "lost", state_x="ab"[k % 2])]
    families, status, _ = analyse(as_cells(rows))
    warned = lineage_warnings(families, status, None).set_index("warning")
    assert warned.loc["tracks_lost", "cells"] == 10
    assert warned.loc["sister_unknown", "share"] == 1.0
    assert warned.loc["ambient_not_measured", "severity"] == "info"


OUTPUTS = {
    "states": STATE_BY_SISTER,
    "states_by_sample": STATE_BY_SAMPLE,
    "power": LINEAGE_POWER,
    "warnings": LINEAGE_WARNINGS,
    "sensitivity": LINEAGE_SENSITIVITY,
}


def run_step(folder, cells, paired=None, **lineage):
    write_table(cells, folder / "cells.parquet", CELLS)
    files = {name: folder / f"{name}.tsv" for name in OUTPUTS}
    figures = {name: folder / f"{name}.svg" for name in ("trees", "trees_by_state", "forest")}
    settings = Settings(lineage=Lineage(permutations=199, **lineage))
    report = folder / "report.json"
    main(
        cells=folder / "cells.parquet",
        paired=paired,
        compartments=[],
        **files,
        **figures,
        report=report,
        settings=settings,
    )
    return {name: read_table(path, OUTPUTS[name]) for name, path in files.items()}


def test_the_step_writes_every_table_and_twice_the_same(tmp_path):
    cells = experiment(0, founders=120)
    first, second = (run_step(tmp_path / name, cells) for name in ("one", "two"))
    for name, table in first.items():
        assert len(table)
        assert (tmp_path / "one" / f"{name}.tsv").read_bytes() == (tmp_path / "two" / f"{name}.tsv").read_bytes()
        pd.testing.assert_frame_equal(table, second[name])
    for name in ("trees", "trees_by_state", "forest"):
        assert (tmp_path / "one" / f"{name}.svg").read_bytes() == (tmp_path / "two" / f"{name}.svg").read_bytes()
    assert json.loads((tmp_path / "one" / "report.json").read_text())["numbers"]["families"] == 120


def test_the_step_survives_a_table_without_lineage(tmp_path):
    table = pd.DataFrame({"track_id": ["a"], "sample": "s", "fov": "1"})
    for column in CELLS.columns:
        if not (column.is_family or column.optional or column.name in table):
            table[column.name] = None
    found = run_step(tmp_path, CELLS.check(table))
    assert all(found[name].empty for name in ("states", "power", "sensitivity"))


def test_figures_say_when_there_is_nothing_to_draw(tmp_path):
    families = families_of(as_cells([cell("a", "a", 0, LAST, "end_of_movie")]))
    draw_trees(families, colour_by_fate(families), 40, tmp_path / "trees.svg")
    draw_forest(pd.DataFrame(), tmp_path / "forest.svg")
    assert (tmp_path / "trees.svg").stat().st_size > 0
    assert (tmp_path / "forest.svg").stat().st_size > 0


def test_gene_sets_are_tested_in_the_sequenced_cells_and_need_counts(tmp_path):
    cells = experiment(0, founders=60)
    alive = cells[cells["alive_at_end"].astype("boolean").fillna(value=False)]
    index = pd.Index(alive["track_id"].astype(object), name="track_id")
    obs = pd.DataFrame(dict.fromkeys(("sample", "fov", "family", "condition", "replicate"), "s"), index)
    counts = sparse.csr_matrix(np.random.default_rng(0).poisson(2.0, (len(obs), 120)).astype(float))
    genes, nothing = pd.Index([f"g{k}" for k in range(120)]), pd.DataFrame(index=index)
    write_paired(PairedData(obs, counts, genes, nothing, nothing, nothing), tmp_path / "p.h5ad")
    found = run_step(tmp_path, cells, paired=tmp_path / "p.h5ad", gene_sets={"stress": ["g1", "g2"]}, states=["stress"])
    assert set(found["states"]["state"]) == {"stress_high"}
    with pytest.raises(UserError, match=r"lineage\.gene_sets: the study has no counts to score"):
        run_step(tmp_path, cells, gene_sets={"stress": ["g1"]})
