"""Cell-cycle scores from the standard human gene lists; in capitals, mouse genes match them too."""

from __future__ import annotations

import logging
from difflib import get_close_matches

import numpy as np
import pandas as pd

from cineseq.errors import UserError
from cineseq.expression.normalise import Expression
from cineseq.text import count

_S = (
    "MCM5 PCNA TYMS FEN1 MCM2 MCM4 RRM1 UNG GINS2 MCM6 CDCA7 DTL PRIM1 UHRF1 MLF1IP CENPU HELLS RFC2 RPA2 NASP "
    "RAD51AP1 GMNN WDR76 SLBP CCNE2 UBR7 POLD3 MSH2 ATAD2 RAD51 RRM2 CDC45 CDC6 EXO1 TIPIN DSCC1 BLM CASP8AP2 USP1 "
    "CLSPN POLA1 CHAF1B BRIP1 E2F8"
)

_G2M = (
    "HMGB2 CDK1 NUSAP1 UBE2C BIRC5 TPX2 TOP2A NDC80 CKS2 NUF2 CKS1B MKI67 TMPO CENPF TACC3 FAM64A PIMREG SMC4 CCNB2 "
    "CKAP2L CKAP2 AURKB BUB1 KIF11 ANP32E TUBB4B GTSE1 KIF20B HJURP CDCA3 HN1 JPT1 CDC20 TTK CDC25C KIF2C RANGAP1 "
    "NCAPD2 DLGAP5 CDCA2 CDCA8 ECT2 KIF23 HMMR AURKA PSRC1 ANLN LBR CKAP5 CENPE CTCF NEK2 G2E3 GAS2L3 CBX5 CENPA"
)

S_GENES = tuple(_S.split())
G2M_GENES = tuple(_G2M.split())
FEWEST_GENES = 5


def cycle_scores(expression: Expression, seed: int) -> tuple[pd.DataFrame, str]:
    """Score the S and G2/M phases of each cell and assign its phase.

    Parameters
    ----------
    expression
        Cells that passed quality control.
    seed
        Seed for the choice of control genes.

    Returns
    -------
    scores : pandas.DataFrame
        ``s_score``, ``g2m_score`` and ``phase``, one row per cell; missing where they cannot be estimated.
    note : str
        Why they are missing, or how many genes they are based on.

    References
    ----------
    Tirosh et al., Science 352 (2016) 189; genes as in its supplement with their current symbols.
    """
    import anndata  # noqa: PLC0415 - slow, with scanpy
    import scanpy as sc  # noqa: PLC0415

    cells = expression.log.shape[0]
    upper = expression.genes.str.upper()
    s_genes, g2m_genes = (list(expression.genes[upper.isin(names)]) for names in (S_GENES, G2M_GENES))
    found = f"{len(s_genes)} S and {len(g2m_genes)} G2/M genes"
    if min(len(s_genes), len(g2m_genes)) < FEWEST_GENES:
        return _missing(cells), f"Cell-cycle scores are not estimable: only {found} of the standard list were measured."
    adata = anndata.AnnData(expression.log)
    adata.var_names = expression.genes
    try:
        sc.tl.score_genes_cell_cycle(adata, s_genes=s_genes, g2m_genes=g2m_genes, random_state=seed)
    except (ValueError, RuntimeError) as error:  # which one depends on scanpy's version
        return _missing(cells), f"Cell-cycle scores are not estimable: no control genes beside the {found} ({error})."
    scores = pd.DataFrame(
        {
            "s_score": adata.obs["S_score"].to_numpy(float),
            "g2m_score": adata.obs["G2M_score"].to_numpy(float),
            "phase": adata.obs["phase"].astype("string").to_numpy(),
        }
    )
    return scores, f"Cell-cycle scores are based on {found}."


def _missing(cells: int) -> pd.DataFrame:
    nothing = np.full(cells, np.nan)
    return pd.DataFrame({"s_score": nothing, "g2m_score": nothing, "phase": pd.array([pd.NA] * cells, dtype="string")})


logger = logging.getLogger(__name__)


def gene_set_scores(expression: Expression, gene_sets: dict[str, list[str]], seed: int) -> pd.DataFrame:
    """Score each gene set in each cell: its mean minus that of control genes with similar expression.

    Parameters
    ----------
    expression
        Cells that passed quality control.
    gene_sets
        Genes of each set, by its name.
    seed
        Seed for the choice of control genes.

    Returns
    -------
    pandas.DataFrame
        One column per set and one row per cell; NaN, with a warning in the log, without control genes.

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
        _check_known(name, genes, expression.genes)
        scores[name] = np.full(adata.n_obs, np.nan)
        try:
            sc.tl.score_genes(adata, list(dict.fromkeys(genes)), score_name="score", random_state=seed)
        except (ValueError, RuntimeError) as error:  # which one depends on scanpy's version
            logger.warning("The gene set '%s' has no score: no control genes beside it (%s).", name, error)
            continue
        scores[name] = adata.obs["score"].to_numpy(float)
    return pd.DataFrame(scores)


def _check_known(name: str, genes: list[str], known: pd.Index) -> None:
    by_capitals = {gene.upper(): gene for gene in known}
    for gene in genes:
        if gene in known:
            continue
        near = get_close_matches(gene.upper(), by_capitals, n=1)
        hint = f"did you mean '{by_capitals[near[0]]}'?" if near else "write it as in the counts or take it out"
        among = f"is not among the {count(len(known), 'gene')} of the counts"
        msg = f"lineage.gene_sets: gene '{gene}' of '{name}' {among}; {hint}"
        raise UserError(msg)
