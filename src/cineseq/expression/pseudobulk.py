"""Pseudobulk tests on counts summed by sample: the samples, not the cells, are the replicates."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from scipy import sparse


def pseudobulk_test(
    counts: sparse.csr_matrix, genes: pd.Index, groups: np.ndarray, samples: np.ndarray, tested: list[str]
) -> pd.DataFrame:
    """Test each gene in each group against all other groups with a negative binomial model of summed counts.

    Parameters
    ----------
    counts
        Whole counts, shape (cells, genes).
    genes
        Unique gene names, shape (genes,).
    groups, samples
        Group and sample of each cell, shape (cells,); the cells of one sample and group are summed.
    tested
        Groups to test.

    Returns
    -------
    pandas.DataFrame
        ``group``, ``gene``, ``log2_fold_change`` and ``p_value`` (Wald test), missing if a gene has no counts or is an
        outlier in one sample (Cook's distance).

    References
    ----------
    Squair et al., Nat. Commun. 12 (2021) 5692; Love, Huber and Anders, Genome Biol. 15 (2014) 550; computed by
    PyDESeq2.
    """
    sums, (of_profile, _) = _profiles(counts, genes, groups, samples)
    return pd.concat(
        [_wald(sums, pd.DataFrame({"arm": _arms(of_profile == group)}, index=sums.index), group) for group in tested],
        ignore_index=True,
    )


def within_samples_test(
    counts: sparse.csr_matrix, genes: pd.Index, inside: np.ndarray, samples: np.ndarray, group: str
) -> pd.DataFrame:
    """Test each gene in the cells of a group against the other cells of the same samples.

    Parameters
    ----------
    counts
        Whole counts, shape (cells, genes).
    genes
        Unique gene names, shape (genes,).
    inside
        Which cells belong to the group, shape (cells,).
    samples
        Sample of each cell, shape (cells,). Every sample has cells inside and outside the group, which are summed
        separately. The sample is a term of the model.
    group
        Name of the group.

    Returns
    -------
    pandas.DataFrame
        As :func:`pseudobulk_test`.
    """
    sums, (arm, sample) = _profiles(counts, genes, _arms(inside), samples)
    names = [f"s{code}" for code in pd.factorize(sample)[0]]
    return _wald(sums, pd.DataFrame({"sample": names, "arm": arm}, index=sums.index), group)


def _arms(inside: np.ndarray) -> np.ndarray:
    return np.where(inside, "inside", "outside")


def _profiles(
    counts: sparse.csr_matrix, genes: pd.Index, groups: np.ndarray, samples: np.ndarray
) -> tuple[pd.DataFrame, tuple[np.ndarray, np.ndarray]]:
    """Sum the cells of each group and sample; return the sums, (profiles, genes), and the group and sample of each."""
    profile, names = pd.factorize(pd.MultiIndex.from_arrays([groups, samples]))
    member = sparse.csr_matrix((np.ones(len(profile)), (profile, np.arange(len(profile)))))
    labels = [f"profile {number}" for number in range(len(names))]
    sums = pd.DataFrame((member @ counts).toarray().astype(int), index=labels, columns=genes.astype(str))
    return sums, tuple(names.get_level_values(level).to_numpy() for level in (0, 1))


def _wald(sums: pd.DataFrame, design: pd.DataFrame, group: str) -> pd.DataFrame:
    """Test arm ``inside`` against ``outside`` (Wald test); every other column of ``design`` is a further term."""
    from pydeseq2.dds import DeseqDataSet  # noqa: PLC0415 - seconds
    from pydeseq2.default_inference import DefaultInference  # noqa: PLC0415
    from pydeseq2.ds import DeseqStats  # noqa: PLC0415

    inference = DefaultInference(n_cpus=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about fits that fall back to a simpler dispersion trend
        # The default size factors need genes detected in every sample, of which sparse counts have few.
        model = DeseqDataSet(
            counts=sums,
            metadata=design,
            design="~" + " + ".join(design.columns),
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
