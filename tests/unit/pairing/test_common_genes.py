"""Genes that not all files of counts have: what is lost with them is said."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from cineseq.io.counts import Counts
from cineseq.pairing.common_genes import common_genes, lost_report


def counts(genes: dict[str, int]) -> Counts:
    """Return the counts of one cell."""
    matrix = sparse.csr_matrix(np.array([list(genes.values())], np.float32))
    return Counts(matrix, pd.Index(["c"]), pd.Index(list(genes)))


def test_nothing_is_said_where_all_files_have_the_same_genes() -> None:
    genes, lost = common_genes({Path("a.csv"): counts({"X": 1, "Y": 2}), Path("b.csv"): counts({"Y": 1, "X": 0})})
    assert genes.tolist() == ["X", "Y"]
    assert lost is None
    assert lost_report(lost) == {"lines": [], "numbers": {}, "notices": []}


def test_the_share_of_counts_that_is_lost_is_a_serious_notice() -> None:
    read = {Path("a.csv"): counts({"X": 6, "Y": 3, "Z": 1}), Path("b.csv"): counts({"X": 8, "W": 2})}
    genes, lost = common_genes(read)
    assert genes.tolist() == ["X"]
    report = lost_report(lost)
    assert report["lines"] == [
        "3 of 4 genes are not in every file of counts and are left out, with 40.0 % of the counts of a.csv and 20.0 % "
        "of the counts of b.csv (such as Y, W, Z). Name genes alike in all files, and keep genes without counts."
    ]
    assert report["notices"] == [{"level": "serious", "text": report["lines"][0]}]
    assert report["numbers"] == {"genes_left_out": 3, "largest_share_of_counts_left_out": 0.4}


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        (["ENSG1.2", "ENSG2.1", "ENSG3.1"], ["ENSG1.3", "ENSG2.7", "ENSG3.1"], "without the version after the dot"),
        (["Actb", "Gapdh", "X"], ["ACTB", "GAPDH", "X"], "in capitals"),
        (["A", "A-1", "B"], ["B", "C", "D"], None),
    ],
)
def test_the_advice_on_the_spelling_works(one: list[str], other: list[str], told: str | None) -> None:
    def read(change: str) -> dict[Path, Counts]:
        write = {"in capitals": str.upper, "without the version after the dot": lambda name: name.split(".")[0]}
        sides = [[write.get(change, str)(name) for name in names] for names in (one, other)]
        return {Path(f"{k}.csv"): counts(dict.fromkeys(names, 1)) for k, names in enumerate(sides)}

    lost = common_genes(read(""))[1]
    assert lost is not None
    assert (f"{told} more of them would agree" in lost.sentence) == (told is not None)
    if told:
        assert common_genes(read(told))[1] is None


GENES = st.dictionaries(st.sampled_from("ABCDEFG"), st.integers(0, 9), min_size=1).map(lambda genes: {"Z": 1} | genes)


@given(one=GENES, other=GENES)
def test_lost_and_kept_counts_add_up(one: dict[str, int], other: dict[str, int]) -> None:
    read = {Path("a"): counts(one), Path("b"): counts(other)}
    genes, lost = common_genes(read)
    assert set(genes) == set(one) & set(other)
    if lost is None:
        assert set(one) == set(other)
        return
    assert lost.lost == len(set(one) ^ set(other))
    for path, own in ((Path("a"), one), (Path("b"), other)):
        kept = sum(own[gene] for gene in genes)
        assert lost.shares[path] == pytest.approx(1 - kept / sum(own.values()))
