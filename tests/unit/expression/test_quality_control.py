"""Mitochondrial genes by any of their names, and what is said where there is none."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from cineseq.config.expression import Clusters
from cineseq.expression.cluster import cluster_study
from cineseq.expression.normalise import Expression
from cineseq.expression.quality_control import mitochondrial_genes

YES = ["MT-ND1", "mt-Nd1", "Mt-co1", "GRCh38_MT-ND1", "hg19_MT-CYB", "mm10___mt-Co2", "mt:ND5"]
YES += ["ENSG00000198888", "ENSG00000198888.2", "ENSMUSG00000064341.1", "GRCh38_ENSG00000198727"]
NO = ["MTOR", "MT1A", "MTND1P23", "GRCh38_MTOR", "ENSG00000000003", "SOMT-1", "MT-"]


def test_names_of_mitochondrial_genes() -> None:
    assert mitochondrial_genes(pd.Index(YES + NO)).tolist() == [True] * len(YES) + [False] * len(NO)


@pytest.mark.parametrize(("genes", "level"), [(40, "info"), (2_000, "serious")])
def test_a_filter_that_finds_no_gene_says_so(genes: int, level: str) -> None:
    matrix = sparse.csr_matrix(np.ones((3, genes), np.float32))
    names = [f"g{k}" for k in range(genes)]

    def notices(names: list[str]) -> list[dict[str, str]]:
        expression = Expression(matrix, matrix, pd.Index(names), "counts")
        return cluster_study(pd.Series(["a", "b", "c"]), expression, Clusters(), 0).notices

    [said] = notices(names)
    assert said["level"] == level
    assert "(such as 'g0'), so clusters.max_mitochondrial leaves out no cell" in said["text"]
    assert notices([*names[:-1], "GRCh38_MT-CO1"]) == []
