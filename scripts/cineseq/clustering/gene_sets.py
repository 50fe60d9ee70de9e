"""Scores of sets of genes that the user names, made as the cell-cycle scores are."""

from __future__ import annotations

import logging
from difflib import get_close_matches

import numpy as np
import pandas as pd

from cineseq.clustering.counts import Expression
from cineseq.errors import UserError

logger = logging.getLogger(__name__)


def gene_set_scores(expression: Expression, gene_sets: dict[str, list[str]], seed: int) -> pd.DataFrame:
    """Score each set in each cell: its mean less that of control genes of like expression.

    Parameters
    ----------
    expression
        Cells that passed quality control.
    gene_sets
        Genes by name of the set.
    seed
        Of the choice of control genes.

    Returns
    -------
    pandas.DataFrame
        One column per set and one row per cell; NaN, with a line in the log, where there are no control genes.

    Raises
    ------
    UserError
        When a gene is not in the counts.

    References
    ----------
    Tirosh et al., Science 352 (2016) 189.
    """
    import anndata  # noqa: PLC0415 - slow, with scanpy
    import scanpy as sc  # noqa: PLC0415

    adata = anndata.AnnData(expression.log.copy())
    adata.var_names = expression.genes
    scores = {}
    for name, genes in gene_sets.items():
        _refuse_unknown(name, genes, expression.genes)
        scores[name] = np.full(adata.n_obs, np.nan)
        try:
            sc.tl.score_genes(adata, list(dict.fromkeys(genes)), score_name="score", random_state=seed)
        except (ValueError, RuntimeError) as error:  # as scanpy's version has it
            logger.warning("The gene set '%s' has no score: no control genes beside it (%s).", name, error)
            continue
        scores[name] = adata.obs["score"].to_numpy(float)
    return pd.DataFrame(scores)


def _refuse_unknown(name: str, genes: list[str], known: pd.Index) -> None:
    by_capitals = {gene.upper(): gene for gene in known}
    for gene in genes:
        if gene in known:
            continue
        near = get_close_matches(gene.upper(), by_capitals, n=1)
        hint = f"did you mean '{by_capitals[near[0]]}'?" if near else "write it as in the counts or take it out"
        msg = (
            f"lineage.gene_sets: gene '{gene}' of '{name}' is not among the {len(known):,} genes of the counts; {hint}"
        )
        raise UserError(msg)
