"""Genes of sisters: planted ones are found, others are not, and too few families give no number."""

import numpy as np
import pandas as pd
from compare_sister_genes import Settings, main
from scipy import sparse
from tests.unit.lineage.lineage_examples import experiment

from cineseq.config.lineage import Lineage
from cineseq.io.adata import write_paired
from cineseq.io.paired import PairedData
from cineseq.lineage.sister_genes import Design, genes_by_sister, heritable_genes
from cineseq.lineage.sister_score import Summaries
from cineseq.tables.contract import read_table, write_table
from cineseq.tables.expression import CLUSTERS
from cineseq.tables.imaging import CELLS
from cineseq.tables.lineage import GENES_BY_SISTER, HERITABLE_GENES

GENES = pd.Index([f"g{k}" for k in range(60)])


def alone(expression, exposed, stratum, root_cell=None):
    """Families of one survivor each."""
    root_cell = np.arange(len(expression)) if root_cell is None else root_cell
    within, survivors = np.zeros_like(expression), np.ones(len(expression), int)
    return Summaries(exposed, expression, within, survivors, stratum, root_cell)


def test_genes_that_sisters_share_beyond_their_stratum_are_heritable():
    rng = np.random.default_rng(0)
    stratum = np.repeat(np.arange(10), 12)
    field = rng.normal(0, 2, (10, 60))[stratum]
    one, other = (field + rng.normal(size=(120, 60)) for _ in range(2))
    inherited = rng.normal(size=(120, 5))
    one[:, :5], other[:, :5] = one[:, :5] + inherited, other[:, :5] + inherited
    one[:, 59] = other[:, 59] = 3.0
    found = HERITABLE_GENES.check(heritable_genes(one, other, stratum, Design(GENES, 999, 1)))
    assert list(found["gene"][found["q_value"] <= 0.05]) == list(GENES[:5])
    assert abs(found["icc"][:5].mean() - 0.5) < 0.15
    assert abs((found["icc"] - found["icc_null"])[5:59].mean()) < 0.05
    assert (found["p_value"][5:59] <= 0.05).mean() < 0.15
    assert found["note"][59] == "not estimable: the gene does not vary"


def test_a_field_that_drives_genes_and_death_is_not_the_sister():
    rng = np.random.default_rng(1)
    stratum = np.repeat(np.arange(10), 20)
    stress = rng.normal(0, 2, 10)[stratum]
    exposed = rng.random(200) < 1 / (1 + np.exp(-stress))
    expression = stress[:, None] + rng.normal(size=(200, 60))
    expression[:, :3] += 1.5 * exposed[:, None]
    found = GENES_BY_SISTER.check(genes_by_sister(alone(expression, exposed, stratum), Design(GENES, 1999, 1)))
    assert list(found["gene"][found["q_value"] <= 0.05]) == list(GENES[:3])
    assert abs(found["difference"][:3].mean() - 1.5) < 0.3
    assert (found["p_value"][3:] <= 0.05).mean() < 0.15
    assert ((found["low"] < found["difference"]) & (found["difference"] < found["high"])).all()
    assert ((found["low"] > 0)[:3]).all()


def test_too_few_families_are_not_estimable():
    few = heritable_genes(np.ones((3, 60)), np.ones((3, 60)), np.zeros(3, int), Design(GENES, 99, 1))
    none = genes_by_sister(alone(np.empty((0, 60)), np.empty(0, bool), np.empty(0, int)), Design(GENES, 99, 1))
    for table in (few, none):
        assert table["p_value"].isna().all()
        assert table["note"].str.startswith("not estimable").all()


def test_too_few_permutations_for_one_gene_to_pass_are_said():
    rng = np.random.default_rng(0)
    families = alone(rng.normal(size=(60, 60)), np.arange(60) % 2 == 0, np.zeros(60, int))
    found = genes_by_sister(families, Design(GENES, 199, 1))
    assert found["note"][0] == "199 permutations for 60 genes: 6 or more can pass together, fewer cannot"


def test_pairs_that_repeat_their_root_cell_do_not_multiply_false_genes():
    rng = np.random.default_rng(0)
    root_cell = np.repeat(np.arange(120), 4)
    exposed = (rng.random(120) < 0.4)[root_cell]
    expression = rng.normal(size=(120, 200))[root_cell]
    expression[:, 0] += 2 * exposed
    design = Design(pd.Index([f"g{k}" for k in range(200)]), 7999, 1)
    stratum = root_cell // 40
    found = GENES_BY_SISTER.check(genes_by_sister(alone(expression, exposed, stratum, root_cell), design))
    unrelated = genes_by_sister(alone(expression, exposed, stratum), design)
    assert list(found["gene"][found["q_value"] <= 0.05]) == ["g0"]
    assert 0.02 < (found["p_value"][1:] <= 0.05).mean() < 0.09
    assert (unrelated["p_value"][1:] <= 0.05).mean() > 0.2
    assert found["note"].str.endswith("p allows for 120 root cells with several pairs of sisters").all()
    np.testing.assert_allclose(found["difference"], unrelated["difference"])
    same = genes_by_sister(alone(expression, np.arange(480) % 2 == 0, root_cell, root_cell), design)
    assert same["p_value"].isna().all()
    assert set(same["note"]) == {"not estimable: the gene does not vary within strata"}


def test_genes_of_unlike_sisters_are_not_called_because_few_stand_alone():
    """20 of 400 families have one survivor, whose expression varies more than the mean of two."""
    rng = np.random.default_rng(0)
    cells = rng.gamma(0.3, size=(400, 2, 2000))
    exposed = np.arange(400) % 20 == 0
    mean, within = cells.mean(axis=1), cells.var(axis=1)
    mean[exposed], within[exposed] = cells[exposed, 0], 0
    families = Summaries(exposed, mean, within, np.where(exposed, 1, 2), np.arange(400) // 100, np.arange(400))
    p = genes_by_sister(families, Design(pd.Index(range(2000)).astype(str), 999, 1))["p_value"]
    assert 0.03 <= (p <= 0.05).mean() <= 0.07
    assert (p <= 0.002).mean() <= 0.005


def test_the_step_finds_a_gene_that_goes_with_the_sister(tmp_path):
    cells = experiment(0, founders=250)
    rng = np.random.default_rng(0)
    alive = cells[cells["alive_at_end"].fillna(value=False).astype(bool)]
    counts = rng.poisson(5, (len(alive), 60))
    sister_died = alive.groupby("parent_id")["track_id"].transform("size").to_numpy() == 1
    counts[:, 7] += rng.poisson(6 * sister_died)
    obs = alive.set_index(alive["track_id"].astype(object))[["sample", "fov", "condition", "replicate"]]
    obs = obs.assign(family=alive["founder_id"].to_numpy())
    blocks = (pd.DataFrame(index=obs.index) for _ in range(3))
    write_paired(PairedData(obs, sparse.csr_matrix(counts, dtype=float), GENES, *blocks), tmp_path / "paired.h5ad")
    write_table(cells, tmp_path / "cells.parquet", CELLS)
    tables = {"cells": tmp_path / "cells.parquet", "paired": tmp_path / "paired.h5ad"}
    files = {
        "heritable": tmp_path / "heritable.tsv",
        "by_sister": tmp_path / "by_sister.tsv",
        "by_cage": tmp_path / "by_cage.tsv",
    }
    settings = Settings(lineage=Lineage(permutations=4999))
    main(**tables, **files, report=tmp_path / "report.json", settings=settings)
    by_sister = read_table(files["by_sister"], GENES_BY_SISTER)
    called = by_sister[by_sister["q_value"] <= 0.05].sort_values("p_value")["gene"]
    assert called.iloc[0] == "g7"
    assert len(called) <= 2, "one of twenty such experiments has a false one"
    assert len(read_table(files["heritable"], HERITABLE_GENES)) == 60
    passed = np.zeros(len(alive), bool)
    passed[:4] = True
    write_table(quality(obs.index, passed), tmp_path / "clusters.parquet", CLUSTERS)
    main(**tables, clusters=tmp_path / "clusters.parquet", **files, report=tmp_path / "report.json", settings=settings)
    assert not (read_table(files["by_sister"], GENES_BY_SISTER)["q_value"] <= 0.05).any()


def quality(cells: pd.Index, passed: np.ndarray) -> pd.DataFrame:
    table = pd.DataFrame({"track_id": cells.astype(str), "cluster": None, "phase": None, "qc_reason": None})
    numbers = ["umap_1", "umap_2", "s_score", "g2m_score", "mitochondrial_fraction"]
    return table.assign(
        **dict.fromkeys(numbers, np.nan), total_counts=1.0, genes_detected=1, multiplet=False, passes_qc=passed
    )
