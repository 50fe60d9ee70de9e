"""Genes that predict a function: stability selection, modules, and overlap with cluster markers."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import joblib
import numpy as np
import pandas as pd
from scipy import stats
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from cineseq.config.prediction import Prediction
from cineseq.expression.function_variance import eta_squared
from cineseq.prediction.crossval.elastic_net import PathGrid
from cineseq.prediction.crossval.elastic_net_path import Problem, Sets
from cineseq.prediction.crossval.feature_blocks import Block
from cineseq.prediction.crossval.folds import CrossvalCells
from cineseq.prediction.crossval.out_of_fold import workers
from cineseq.prediction.crossval.transform import standardised
from cineseq.statistics.correlation import partial_spearman
from cineseq.statistics.metrics import centred
from cineseq.statistics.permutation import benjamini_hochberg, p_value

logger = logging.getLogger(__name__)
RATIO = 0.5
GRID = PathGrid((RATIO,), alphas=20, smallest=0.1)


@dataclass(frozen=True)
class Stability:
    """Result of stability selection.

    Attributes
    ----------
    frequency
        Fraction of half-samples that select the gene, shape (genes,).
    sign
        Mean sign of the coefficient over the half-samples that select the gene, shape (genes,); NaN where none does.
    per_half
        Number of genes selected in each half-sample.
    """

    frequency: np.ndarray
    sign: np.ndarray
    per_half: int


def genes_per_half(genes: int, threshold: float, pfer_bound: float) -> int:
    """Return the number of genes that each half-sample may select under a bound on false selections.

    With q genes per half-sample, the expected number of falsely selected genes (per-family error rate, PFER) is at
    most q^2 / ((2 threshold - 1) genes).

    References
    ----------
    Meinshausen and Buhlmann, J. R. Stat. Soc. B 72 (2010) 417, theorem 1.
    """
    return max(1, int(np.sqrt(pfer_bound * (2 * threshold - 1) * genes)))


def complementary_halves(units: np.ndarray, pairs: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Return the cells of random halves of the groups, each half followed by its complement.

    References
    ----------
    Shah and Samworth, J. R. Stat. Soc. B 75 (2013) 55.
    """
    groups = np.unique(units)
    halves = []
    for _ in range(pairs):
        first = rng.permutation(groups)[: len(groups) // 2]
        inside = np.isin(units, first)
        halves += [np.flatnonzero(inside), np.flatnonzero(~inside)]
    return halves


def stability(
    block: Block,
    response: np.ndarray,
    units: np.ndarray,
    strata: np.ndarray,
    *,
    settings: Prediction,
    seed: int,
    threads: int,
) -> Stability:
    """Select genes by stability selection with elastic nets on half-samples of the groups.

    In each half-sample the genes that enter the path first are selected. Genes and function are centred within strata,
    so that differences between samples or fields do not select genes.

    Parameters
    ----------
    block
        Normalised expression, shape (cells, genes).
    response
        The function, shape (cells,).
    units, strata
        Groups that stay together in a half, and strata of the null, each shape (cells,).
    settings
        The section ``prediction`` of the configuration.
    seed, threads
        Seed of the halves; number of worker processes.

    References
    ----------
    Meinshausen and Buhlmann, J. R. Stat. Soc. B 72 (2010) 417; Shah and Samworth, J. R. Stat. Soc. B 75 (2013) 55
    (complementary pairs).
    """
    # Detected genes, centred within strata, shape (cells, usable genes).
    usable = (block.values != 0).mean(axis=0) >= settings.min_detected
    centred_block = Block(centred(block.values[:, usable], strata), tuple(np.array(block.names, object)[usable]))
    own = centred(response[:, None], strata)[:, 0]
    # Genes per half-sample from the bound on the PFER, then complementary pairs of halves (Shah and Samworth).
    most = genes_per_half(int(usable.sum()), settings.selected_frequency, settings.false_genes)
    halves = complementary_halves(units, settings.half_samples // 2, np.random.default_rng(seed))
    # Signs of the selected genes, shape (half-samples, usable genes); 0 where not selected.
    signs = np.array(
        workers(threads)(joblib.delayed(_first_selected)(centred_block, own, half, most) for half in halves)
    )
    # Selection frequency and mean sign, shape (genes,).
    frequency, sign = np.zeros(len(usable)), np.full(len(usable), np.nan)
    frequency[usable] = (signs != 0).mean(axis=0)
    chosen = np.flatnonzero(usable)[(signs != 0).any(axis=0)]
    sign[chosen] = signs.sum(axis=0)[(signs != 0).any(axis=0)] / np.abs(signs).sum(axis=0)[(signs != 0).any(axis=0)]
    return Stability(frequency, sign, most)


def modules(values: np.ndarray, correlation: float) -> np.ndarray:
    """Return the module of each gene, by average linkage on 1 - |r|, as a number from 1, shape (genes,).

    Parameters
    ----------
    values
        Shape (cells, genes).
    correlation
        Least mean absolute correlation at which two modules are joined.
    """
    if values.shape[1] < 2:
        return np.ones(values.shape[1], dtype=int)
    with np.errstate(invalid="ignore", divide="ignore"):
        distance = 1 - np.abs(np.nan_to_num(np.corrcoef(values.T)))
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform((distance + distance.T) / 2, checks=False), "average")
    return fcluster(tree, 1 - correlation, "distance")


def associations(
    name: str,
    block: Block,
    response: np.ndarray,
    cells: CrossvalCells,
    *,
    covariates: np.ndarray,
    settings: Prediction,
    seed: int,
    threads: int,
) -> pd.DataFrame:
    """Select columns of a block by stability selection; one row per column, see :func:`gene_rows`.

    Parameters
    ----------
    name, block, response
        Name of the function, the block, and the function of the same cells, shape (cells,).
    cells
        Groups and strata of the cells.
    covariates
        Technical covariates and cell-cycle scores, shape (cells, covariates), without missing values.
    settings, seed, threads
        Section ``prediction``, seed of the half-samples, and number of worker processes.
    """
    chosen = stability(block, response, cells.plan.units, cells.strata, settings=settings, seed=seed, threads=threads)
    correlation = settings.module_correlation
    return gene_rows(name, block, response, chosen, covariates=covariates, cells=cells, module_correlation=correlation)


def gene_rows(
    function: str,
    block: Block,
    response: np.ndarray,
    selection: Stability,
    *,
    covariates: np.ndarray,
    cells: CrossvalCells,
    module_correlation: float,
) -> pd.DataFrame:
    """Return one row per gene of a function: stability, module and partial correlation.

    P-values allow for alike cells of a family, and for the position in the field where it is known.

    Parameters
    ----------
    function
        Name of the function.
    block, response
        Normalised expression and the function of the same cells.
    selection
        Result of :func:`stability`.
    covariates
        Technical covariates and cell-cycle scores, shape (cells, covariates), without missing values. Their ranks and
        indicators of the strata are regressed out of gene and function.
    cells
        Strata and families of the cells.
    module_correlation
        See :func:`modules`.
    """
    # Partial rank correlation given covariates and strata, shape (genes,).
    indicators = np.eye(cells.strata.max() + 1)[cells.strata]
    design = np.column_stack([stats.rankdata(covariates, axis=0), indicators])
    rho, p = partial_spearman(block.values, response, design, cells.families, cells.place)
    rows = pd.DataFrame(
        {"function": function, "gene": block.names, "frequency": selection.frequency, "sign": selection.sign}
    )
    # Modules of the genes that any half-sample selected.
    chosen = np.flatnonzero(selection.frequency > 0)
    module = np.full(len(rows), None, dtype=object)
    numbers = modules(centred(block.values[:, chosen], cells.strata), module_correlation)
    module[chosen] = [f"m{number}" for number in numbers]
    return rows.assign(module=module, univariate_rho=rho, p_value=p, q_value=benjamini_hochberg(p))


def with_clusters(rows: pd.DataFrame, markers: pd.DataFrame | None, eta2: pd.Series | None) -> pd.DataFrame:
    """Add to gene rows whether each gene is a cluster marker, and its fraction of variance between clusters."""
    cluster = None if markers is None else markers[markers["comparison"] == "cluster"]
    is_marker = pd.Series(pd.NA, index=rows.index, dtype="boolean")
    if cluster is not None and len(cluster):
        by_gene = cluster.groupby("gene")["is_marker"].any()
        is_marker = rows["gene"].map(by_gene).astype("boolean")
    between = np.nan if eta2 is None else rows["gene"].map(eta2)
    return rows.assign(is_marker=is_marker, cluster_eta2=between)


def cluster_eta2(block: Block | None, clusters: pd.Series | None) -> pd.Series | None:
    """Return the fraction of each gene's variance that lies between clusters; None without clusters.

    Parameters
    ----------
    block
        Normalised expression.
    clusters
        Cluster of each cell of the block; missing for cells without one.
    """
    if block is None or clusters is None or clusters.dropna().nunique() < 2:
        return None
    known = clusters.notna().to_numpy()
    return pd.Series(eta_squared(block.values[known].T, pd.factorize(clusters[known])[0]), index=list(block.names))


def _first_selected(block: Block, response: np.ndarray, half: np.ndarray, most: int) -> np.ndarray:
    """Return the signs of the genes that enter the path of one half-sample first, 0 for others, shape (genes,)."""
    scaled = standardised(block, half, 0.0, None)
    signs = np.zeros(len(block.names))
    own = response[half] - response[half].mean()
    if not scaled.values.shape[1] or not own.any():
        return signs
    # Elastic-net path from the smallest penalty that selects no gene, on standardised genes (half, genes).
    train = np.asfortranarray(scaled.values[half])
    problem = Problem(Sets(train, [np.empty(0, dtype=int)]), [0], own, GRID.tolerance)
    largest = np.abs(problem.products).max() / len(own) / RATIO
    alphas = np.geomspace(largest, largest * GRID.smallest, GRID.alphas)
    # Step of the path at which each gene enters, and its coefficient there, shape (genes,).
    entered = np.full(train.shape[1], GRID.alphas)
    coefficient = np.zeros(train.shape[1])
    for piece in problem.walk(RATIO, alphas):
        nonzero = piece.coefficients[0] != 0
        new = nonzero.any(axis=1) & (entered[piece.chosen] == GRID.alphas)
        columns, first = piece.chosen[new], nonzero[new].argmax(axis=1)
        entered[columns] = piece.at.start + first
        coefficient[columns] = piece.coefficients[0][new, first]
        if (entered < GRID.alphas).sum() >= most:
            break
    # The first genes to enter; those of one step in the order of their coefficients.
    order = np.lexsort((-np.abs(coefficient), entered))[:most]
    order = order[entered[order] < GRID.alphas]
    positions = {name: number for number, name in enumerate(block.names)}
    signs[[positions[scaled.names[i]] for i in order]] = np.sign(coefficient[order])
    return signs


LEVELS = 10
DRAWS = 9999


def overlap_row(function: str, rows: pd.DataFrame, selected_frequency: float, seed: int) -> dict[str, object]:
    """Test whether selected genes and cluster markers overlap more or less than expected by chance.

    Parameters
    ----------
    function
        Name of the function.
    rows
        Its gene rows with ``is_marker`` and ``mean``; the universe is the genes tested in both analyses.
    selected_frequency
        Frequency from which a gene counts as selected.
    seed
        Seed of :func:`matched_overlap`.

    Returns
    -------
    dict
        One row of the table ``marker_overlap``, with two null distributions. One exchanges any two genes
        (hypergeometric); the other only genes of similar mean expression, because both analyses detect highly expressed
        genes more easily.
    """
    both = rows[rows["is_marker"].notna()]
    if not len(both):
        return {
            "function": function,
            "selected": int((rows["frequency"] >= selected_frequency).sum()),
            "note": "not estimable: no table of cluster markers",
        }
    marker = both["is_marker"].to_numpy(bool)
    chosen = (both["frequency"] >= selected_frequency).to_numpy()
    shared, markers, selected = int((marker & chosen).sum()), int(marker.sum()), int(chosen.sum())
    row = {"function": function, "selected": selected, "markers": markers, "shared": shared}
    if not selected or not markers:
        return row | {
            "note": f"not estimable: {'no gene was selected' if not selected else 'there is no cluster marker'}"
        }
    chance = stats.hypergeom(len(both), markers, selected)
    matched = matched_overlap(both["mean"].to_numpy(float), marker, chosen, np.random.default_rng(seed))
    return row | {
        "jaccard": shared / (markers + selected - shared),
        "expected": chance.mean(),
        "p_value": min(1.0, chance.sf(shared - 1)),
        "p_fewer": min(1.0, chance.cdf(shared)),
        "expected_matched": matched.mean(),
        "p_matched": p_value(shared, matched),
        "p_fewer_matched": p_value(-shared, -matched),
        "note": None,
    }


def matched_overlap(mean: np.ndarray, marker: np.ndarray, chosen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw the overlap when the chosen genes are exchanged with genes of similar mean expression.

    Parameters
    ----------
    mean
        Mean expression of each gene, shape (genes,); genes of the same decile are exchangeable.
    marker, chosen
        Whether each gene is in either list, shape (genes,).
    rng
        Random number generator.

    Returns
    -------
    numpy.ndarray
        Number of shared genes in each draw, shape (draws,): a sum of hypergeometric draws, one per decile.
    """
    level = (stats.rankdata(mean, "ordinal") - 1).astype(int) * LEVELS // len(mean)
    genes, markers, taken = (np.bincount(level, weight, LEVELS).astype(int) for weight in (None, marker, chosen))
    return rng.hypergeometric(markers, genes - markers, taken, size=(DRAWS, LEVELS)).sum(axis=1)
