"""Sums of two survivors: like is compared with like, and what cannot be summed is not."""

import json

import numpy as np
import pandas as pd
from scipy import sparse
from tests.unit.kinship_examples import as_cells, family

from cineseq import contracts, family_results
from cineseq.config.lineage import Lineage
from cineseq.kinship.families import families_of
from cineseq.kinship.status import sister_status
from cineseq.kinship.sums import sums_of_two
from cineseq.pairing.joining import StudyCounts
from cineseq.tables import empty, read_table, write_table
from compare_sister_sums import Settings, main


def study(died, lived, seed=0, genes=40):
    """Bereaved survivors alone in a compartment, and pairs of living sisters in one; ``g0`` marks the bereaved."""
    rng = np.random.default_rng(seed)
    rows = [row for k in range(died) for row in family(f"d{k}", "end_of_movie", "death")]
    rows += [row for k in range(lived) for row in family(f"v{k}", "end_of_movie", "end_of_movie")]
    one = [(f"d{k}.0", f"d{k}", "singlet", 1) for k in range(died)]
    both = [(f"v{k}.{n}", f"v{k}", "multi_cell", 2) for k in range(lived) for n in (0, 1)]
    pairs = pd.DataFrame(one + both, columns=["track_id", "compartment_id", "status", "occupancy"])
    pairs = pairs.assign(sample="s", fov="1", barcode=pairs["compartment_id"], barcodes=1)
    pairs = pairs.reindex(columns=empty(contracts.PAIRS).columns)
    mean = np.repeat([3.0, 6.0], [died, lived])[:, None] * np.ones(genes)
    mean[:died, 0] += 4
    counts = sparse.csr_matrix(rng.poisson(mean).astype(float))
    names = [f"d{k}" for k in range(died)] + [f"v{k}" for k in range(lived)]
    index = pd.MultiIndex.from_product([["s"], names], names=["sample", "barcode"])
    return (
        as_cells(rows),
        contracts.PAIRS.check(pairs),
        StudyCounts(counts, index, pd.Index([f"g{k}" for k in range(genes)])),
    )


def summed(cells, pairs, counts):
    families = families_of(cells)
    return sums_of_two(families, sister_status(families, Lineage()), pairs, counts, bins=1, seed=1)


def test_bereaved_survivors_are_added_by_two_and_living_sisters_stay_as_they_are():
    cells, pairs, counts = study(5, 3)
    found = summed(cells, pairs, counts)
    assert found.exposed.tolist() == [True, True, False, False, False]
    assert (found.counts[2:] != counts.matrix[5:]).nnz == 0
    totals = counts.totals.to_numpy()[:5]
    assert found.counts[:2].sum() in {totals.sum() - one for one in totals}
    assert found.stratum.tolist() == [0] * 5


def test_partners_come_from_the_same_field_and_birth_time():
    cells, pairs, counts = study(4, 0)
    fov = cells["founder_id"].map({"d0": "1", "d1": "2", "d2": "1", "d3": "2"})
    found = summed(cells.assign(fov=fov), pairs, counts)
    same = [counts.matrix[a] + counts.matrix[b] for a, b in ((0, 2), (1, 3))]
    assert np.array_equal(found.counts.toarray(), sparse.vstack(same).toarray())
    apart = cells["founder_id"].map({"d0": "1", "d1": "2", "d2": "3", "d3": "4"})
    assert not len(summed(cells.assign(fov=apart), pairs, counts).exposed)


def test_cells_that_are_no_sisters_or_more_than_two_are_no_sum():
    cells, pairs, counts = study(2, 2)
    swapped = pairs["track_id"].replace({"v0.1": "v1.1", "v1.1": "v0.1"})
    assert summed(cells, pairs.assign(track_id=swapped), counts).exposed.tolist() == [True]
    crowded = pairs.assign(occupancy=pairs["occupancy"].where(pairs["compartment_id"] != "v0", 3))
    assert summed(cells, crowded, counts).exposed.tolist() == [True, False]
    unread = StudyCounts(counts.matrix[:3], counts.index[:3], counts.genes)
    assert summed(cells, pairs, unread).exposed.tolist() == [True, False]


def run_step(folder, cells, pairs, counts):
    import anndata  # noqa: PLC0415 - 4 s

    write_table(cells, folder / "cells.parquet", contracts.CELLS)
    write_table(pairs, folder / "pairs.parquet", contracts.PAIRS)
    obs = pd.DataFrame(index=counts.index.get_level_values("barcode"))
    anndata.AnnData(counts.matrix, obs=obs, var=pd.DataFrame(index=counts.genes)).write_h5ad(folder / "counts.h5ad")
    files = {"sums": folder / "sums.tsv", "report": folder / "report.json"}
    settings = Settings(lineage=Lineage(permutations=1999), samples=["s"])
    main(
        cells=folder / "cells.parquet",
        pairs=folder / "pairs.parquet",
        counts=[folder / "counts.h5ad"],
        **files,
        settings=settings,
    )
    return read_table(files["sums"], family_results.GENES_BY_SISTER_SUMS), json.loads(files["report"].read_text())


def test_the_step_finds_the_gene_of_the_bereaved_and_not_the_number_of_cells(tmp_path):
    table, report = run_step(tmp_path, *study(80, 40))
    called = table[table["q_value"] <= 0.05].sort_values("p_value")["gene"]
    assert called.iloc[0] == "g0"
    assert len(called) <= 2
    assert report["numbers"] == {"sums_sister_died": 40, "sums_both_alive": 40}


def test_the_step_without_sums_says_so(tmp_path):
    table, report = run_step(tmp_path, *study(1, 0))
    assert table.empty
    assert "not estimable" in report["lines"][0]
