"""Tests between groups of samples on counts summed by sample: the samples, not the cells, are the replicates."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from scipy import sparse


def pseudobulk_test(
    counts: sparse.csr_matrix, genes: pd.Index, groups: np.ndarray, samples: np.ndarray, tested: list[str]
) -> pd.DataFrame:
    """Test each gene in each group against all others by a negative binomial model of summed counts.

    Parameters
    ----------
    counts
        Whole counts, shape (cells, genes).
    genes
        Unique gene names, shape (genes,).
    groups, samples
        Of each cell, shape (cells,); cells of one sample and group are summed.
    tested
        Groups to test.

    Returns
    -------
    pandas.DataFrame
        ``group``, ``gene``, ``log2_fold_change`` and ``p_value`` (Wald test), missing where a gene has no counts or one
        sample alone makes the difference (Cook's distance).

    References
    ----------
    Squair et al., Nat. Commun. 12 (2021) 5692; Love, Huber and Anders, Genome Biol. 15 (2014) 550; computed by
    PyDESeq2.
    """
    profile, names = pd.factorize(pd.MultiIndex.from_arrays([groups, samples]))
    member = sparse.csr_matrix((np.ones(len(profile)), (profile, np.arange(len(profile)))))
    labels = [f"profile {number}" for number in range(len(names))]
    sums = pd.DataFrame((member @ counts).toarray().astype(int), index=labels, columns=genes.astype(str))
    of_profile = names.get_level_values(0).to_numpy()
    return pd.concat([_one_against_rest(sums, of_profile == group, group) for group in tested], ignore_index=True)


def _one_against_rest(sums: pd.DataFrame, inside: np.ndarray, group: str) -> pd.DataFrame:
    from pydeseq2.dds import DeseqDataSet  # noqa: PLC0415 - seconds
    from pydeseq2.default_inference import DefaultInference  # noqa: PLC0415
    from pydeseq2.ds import DeseqStats  # noqa: PLC0415

    arms = pd.DataFrame({"arm": np.where(inside, "inside", "outside")}, index=sums.index)
    inference = DefaultInference(n_cpus=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fits that fall back to a simpler trend of dispersion
        # Of sparse counts few genes are seen in every sample, which the default size factors ask for.
        model = DeseqDataSet(
            counts=sums,
            metadata=arms,
            design="~arm",
            size_factors_fit_type="poscounts",
            inference=inference,
            quiet=True,
        )
        model.deseq2()
        found = DeseqStats(
            model, contrast=["arm", "inside", "outside"], inference=inference, independent_filter=False, quiet=True
        )
        found.summary()
    columns = {"log2_fold_change": "log2FoldChange", "p_value": "pvalue"}
    table = pd.DataFrame({name: found.results_df[column].to_numpy() for name, column in columns.items()})
    return table.assign(group=group, gene=sums.columns)[["group", "gene", *columns]]
