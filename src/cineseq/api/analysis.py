"""The analyses of paired cells: cluster, predict, explain.

Nothing is read or written, and no argument is changed. Settings are keywords named as in the sections of the
configuration, with the same defaults.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from cineseq.api.keywords import check_names, check_whole_number, section_of
from cineseq.config.base import LARGEST_SEED
from cineseq.config.expression import Clusters, Normalisation
from cineseq.config.prediction import Crossmodal, Folds, Prediction
from cineseq.crossmodal.decompose import decompose
from cineseq.crossmodal.explain import ExplainOptions
from cineseq.errors import UserError
from cineseq.expression.cluster import cluster_study
from cineseq.expression.normalise import expression_of
from cineseq.expression.quality_control import multiplets, usable_cells
from cineseq.io.adata import as_finite, paired_of
from cineseq.io.counts import log_normalised
from cineseq.io.paired import PairedData, in_order, storable
from cineseq.io.which_matrix import LAYER
from cineseq.prediction.crossval.feature_blocks import CYCLE
from cineseq.prediction.features import associated_features
from cineseq.prediction.predict import predict_functions
from cineseq.prediction.task import PredictionTask
from cineseq.tables.contract import as_written
from cineseq.tables.crossmodal import FEATURE_VARIANCE, GENE_VARIANCE, VARIANCE_BY_SAMPLE, VARIANCE_SUMMARY
from cineseq.tables.prediction import (
    BEYOND_COVARIATES,
    BY_SAMPLE,
    GENES,
    PERFORMANCE,
    PREDICTIVE_FEATURES,
    UNUSED_GROUPS,
)
from cineseq.text import COSINE, FUNCTION, SINE

if TYPE_CHECKING:
    from anndata import AnnData


@dataclass(frozen=True)
class Associations:
    """Genes and features associated with a function, and how well it is predicted in held-out groups.

    Attributes
    ----------
    performance
        One row per function and model, as :data:`cineseq.tables.prediction.PERFORMANCE`.
    genes
        One row per function and gene, as :data:`cineseq.tables.prediction.GENES`.
    features
        One row per function and feature, as :data:`cineseq.tables.prediction.PREDICTIVE_FEATURES`.
    by_sample
        R² in each sample and for one more, as :data:`cineseq.tables.prediction.BY_SAMPLE`.
    beyond_covariates
        What is added to the covariates, as :data:`cineseq.tables.prediction.BEYOND_COVARIATES`.
    unused_groups
        Groups that are in neither folds nor strata, as :data:`cineseq.tables.prediction.UNUSED_GROUPS`.
    notes
        Sentences on how cells were grouped.
    """

    performance: pd.DataFrame
    genes: pd.DataFrame
    features: pd.DataFrame
    by_sample: pd.DataFrame
    beyond_covariates: pd.DataFrame
    unused_groups: pd.DataFrame
    notes: tuple[str, ...]


@dataclass(frozen=True)
class ExplainedVariance:
    """Variance of each modality that the other explains in held-out groups.

    Attributes
    ----------
    summary, genes, features
        As :data:`cineseq.tables.crossmodal.VARIANCE_SUMMARY`, :data:`cineseq.tables.crossmodal.GENE_VARIANCE` and
        :data:`cineseq.tables.crossmodal.FEATURE_VARIANCE`.
    by_sample
        As :data:`cineseq.tables.crossmodal.VARIANCE_BY_SAMPLE`.
    notes
        Sentences on the method, or the reason why it is not estimable.
    """

    summary: pd.DataFrame
    genes: pd.DataFrame
    features: pd.DataFrame
    by_sample: pd.DataFrame
    notes: tuple[str, ...]


def cluster(adata: AnnData, *, seed: int = 1, **settings: Any) -> AnnData:
    """Cluster cells by expression: quality control, cell cycle, principal components, Leiden clusters and UMAP.

    Parameters
    ----------
    adata
        Shape (cells, genes) with counts as ``layers["counts"]`` or ``X``; in memory or backed.
    seed
        Seed of every random step.
    **settings
        Settings of the section ``clusters`` of the configuration.

    Returns
    -------
    anndata.AnnData
        A copy with ``obs`` ``cluster`` and the quality and cell-cycle columns of
        :data:`cineseq.tables.expression.CLUSTERS`; ``obsm["X_pca"]`` of shape (cells, components) and ``["X_umap"]``
        of shape (cells, 2). Cells that failed quality control, and all cells where clusters are not estimable, have no
        cluster and NaN; ``uns["cluster"]["lines"]`` gives the reason. Without a layer ``counts``, ``X`` becomes the
        normalised logarithm.

    Raises
    ------
    UserError
        When a cell is listed twice, or the values are not counts.

    References
    ----------
    Traag, Waltman and van Eck, Sci. Rep. 9 (2019) 5233 (Leiden); McInnes, Healy and Melville, arXiv:1802.03426 (UMAP).

    Examples
    --------
    >>> import anndata, numpy as np
    >>> import cineseq as cs
    >>> rng = np.random.default_rng(1)
    >>> level = np.where(np.arange(60)[:, None] < 30, 2.0, 8.0) * np.ones((60, 70))
    >>> level[:, 35:] = 10 - level[:, 35:]
    >>> clustered = cs.cluster(anndata.AnnData(rng.poisson(level).astype(float)), resamples=0, variable_genes=60)
    >>> clustered.obs["cluster"].value_counts().tolist()
    [30, 30]
    >>> clustered.obsm["X_umap"].shape
    (60, 2)
    """
    check_names("cluster", settings, Clusters)
    check_whole_number("seed", seed, 0, LARGEST_SEED)
    chosen = section_of("cluster", Clusters, settings)
    data = paired_of(adata, "cluster", chosen.normalisation)
    ordered = in_order(data)
    found = cluster_study(ordered.obs.index, expression_of(ordered), chosen, seed, multiplets(ordered.obs))
    table = found.table.set_index("track_id").loc[data.obs.index].reset_index()
    copied = adata.to_memory() if adata.isbacked else adata.copy()
    if LAYER not in copied.layers and data.counts is not None and data.counts.shape == copied.shape:
        copied.layers[LAYER] = data.counts
        copied.X = log_normalised(data.counts.astype(np.float64), chosen.normalisation)
    positions = table.filter(regex=r"^(pc|umap)_\d+$")
    for name in table.columns.difference([*positions, "track_id"], sort=False):
        copied.obs[name] = storable(table[name].set_axis(copied.obs_names))
    copied.obsm["X_pca"] = positions.filter(like="pc_").to_numpy(np.float64)
    copied.obsm["X_umap"] = positions[["umap_1", "umap_2"]].to_numpy(np.float64)
    numbers = {name: np.nan if number is None else number for name, number in found.numbers.items()}
    copied.uns["cluster"] = {"lines": np.array(found.lines, dtype=str), "numbers": numbers}
    return copied


def predict(
    adata: AnnData,
    function: str | Sequence[str] | None,
    groups: Sequence[str] = ("sample", "fov"),
    *,
    markers: pd.DataFrame | None = None,
    seed: int = 1,
    normalisation: Normalisation = "median",
    threads: int = 1,
    **settings: Any,
) -> Associations:
    """Predict a function from expression, morphology and embedding in groups of cells that were held out.

    Cells that failed quality control according to ``obs["passes_qc"]`` are left out; clusters and cell-cycle scores
    are used if ``obs`` has them, as ``cs.cluster`` writes them. Predictors are associated with function, not its cause.

    Parameters
    ----------
    adata
        Shape (cells, genes); see ``cs.pair`` for its parts. Cells of one family (``obs["family"]`` or ``founder_id``)
        are always kept together.
    function
        Names of one or several columns of ``obs``, with or without the prefix ``function_``; the name of an angle is
        without ``_cos`` and ``_sin``. None predicts every ``function_*``. Cells with missing values are left out.
    groups
        Columns of ``obs`` that group cells, the strongest first.
    markers
        As :data:`cineseq.tables.expression.MARKERS`, to state which genes are cluster markers; None if not tested.
    seed
        Seed of folds, permutations and half-samples.
    normalisation
        Normalisation of the counts: ``median``, ``cp10k`` or ``sqrt``.
    threads
        Number of worker processes; the results do not depend on it.
    **settings
        Settings of the sections ``prediction`` and ``folds`` of the configuration.

    Returns
    -------
    Associations
        ``performance`` (R² in held-out groups, unitless, with a row for each ``estimand``: ``within`` fields is the
        primary one, and ``permutations`` are as many as its p-value took, at most ``most_permutations``), ``genes`` and
        ``features``. If a function is not estimable, its rows of ``performance`` have no numbers and ``note`` gives the
        reason. A function that differs by a group in ``unused_groups`` may be predicted through that group alone.

    Raises
    ------
    UserError
        When the function or a group is not a column, values are not counts or not finite, or a cell is listed twice.

    References
    ----------
    Zou and Hastie, J. R. Stat. Soc. B 67 (2005) 301 (elastic net); Meinshausen and Buhlmann, J. R. Stat. Soc. B 72
    (2010) 417 (stability selection).

    Examples
    --------
    >>> import anndata, numpy as np, pandas as pd
    >>> import cineseq as cs
    >>> rng = np.random.default_rng(1)
    >>> state = rng.normal(size=60)
    >>> counts = rng.poisson(np.exp(2 + 0.5 * state[:, None] * (np.arange(12) < 2))).astype(float)
    >>> obs = pd.DataFrame({"sample": np.repeat(list("abcdef"), 10), "function_uptake": state})
    >>> obs.index = [f"cell{k}" for k in range(60)]
    >>> quick = {"permutations": 19, "half_samples": 20, "sensitivity": [], "l1_ratios": [0.5]}
    >>> found = cs.predict(anndata.AnnData(counts, obs=obs), "uptake", **quick)
    >>> bool(found.performance.set_index(["estimand", "model"])["r2"]["within", "expression"] > 0.5)
    True
    >>> sorted(found.genes.sort_values("frequency").tail(2)["gene"])
    ['0', '1']
    """
    check_names("predict", settings, Prediction, Folds)
    check_whole_number("seed", seed, 0, LARGEST_SEED)
    check_whole_number("threads", threads, 1)
    if "functions" in settings:
        msg = "predict: there is no setting 'functions'; name the functions in the argument function."
        raise UserError(msg)
    data, names = _with_functions(paired_of(adata, "predict", normalisation), adata.obs, function)
    data = in_order(data)
    groups = [groups] if isinstance(groups, str) else groups
    chosen = section_of("predict", Prediction, settings, functions=names)
    folds = section_of("predict", Folds, settings, groups=list(groups))
    cells = _quality_and_clusters(data)
    task = PredictionTask(usable_cells(data, cells), cells, markers, folds, chosen, seed)
    with threadpool_limits(1):
        found = predict_functions(task, threads)
        features = associated_features(task, threads)
    return Associations(
        as_written(found.tables["performance"], PERFORMANCE),
        as_written(found.tables["genes"], GENES),
        as_written(features, PREDICTIVE_FEATURES),
        as_written(found.tables["by_sample"], BY_SAMPLE),
        as_written(found.tables["beyond_covariates"], BEYOND_COVARIATES),
        as_written(found.tables["unused_groups"], UNUSED_GROUPS),
        found.notes,
    )


def explain(
    adata: AnnData, *, seed: int = 1, normalisation: Normalisation = "median", threads: int = 1, **settings: Any
) -> ExplainedVariance:
    """Measure how much of the variance of expression shape explains, and the reverse, in held-out groups.

    Parameters
    ----------
    adata
        Shape (cells, genes) with ``obsm["X_morphology"]`` or ``["X_embedding"]``; see ``cs.pair`` for its parts. Cells
        that failed quality control according to ``obs["passes_qc"]`` are left out.
    seed
        Seed of permutations and of halvings of the counts.
    normalisation
        Normalisation of the counts: ``median``, ``cp10k`` or ``sqrt``.
    threads
        Number of worker processes; the results do not depend on it.
    **settings
        Settings of the sections ``crossmodal`` and ``folds`` of the configuration, such as ``groups``.

    Returns
    -------
    ExplainedVariance
        R² (unitless) per direction, gene and feature, with the null of shuffled pairing. ``summary`` has a row for each
        ``estimand`` of a direction; ``within`` fields is the primary one. If it is not estimable, the tables of genes
        and features are empty and ``note`` in ``summary`` gives the reason.

    Raises
    ------
    UserError
        When a group is not a column, values are not counts or not finite, or a cell is listed twice.

    References
    ----------
    Hoerl and Kennard, Technometrics 12 (1970) 55 (ridge regression).

    Examples
    --------
    >>> import anndata, numpy as np, pandas as pd
    >>> import cineseq as cs
    >>> rng = np.random.default_rng(1)
    >>> state = rng.normal(size=60)
    >>> counts = rng.poisson(np.exp(2 + 0.5 * state[:, None] * (np.arange(12) < 6))).astype(float)
    >>> obs = pd.DataFrame({"sample": np.repeat(list("abcdef"), 10)}, index=[f"cell{k}" for k in range(60)])
    >>> shape = pd.DataFrame({"morphology_area_um2": state, "morphology_other": rng.normal(size=60)}, index=obs.index)
    >>> adata = anndata.AnnData(counts, obs=obs, obsm={"X_morphology": shape})
    >>> found = cs.explain(adata, permutations=19, thinnings=1)
    >>> found.features.sort_values("r2")["feature"].tolist()
    ['morphology_other', 'morphology_area_um2']
    """
    check_names("explain", settings, Crossmodal, Folds)
    check_whole_number("seed", seed, 0, LARGEST_SEED)
    check_whole_number("threads", threads, 1)
    chosen, folds = section_of("explain", Crossmodal, settings), section_of("explain", Folds, settings)
    options = ExplainOptions(chosen, folds, seed, threads)
    data = in_order(paired_of(adata, "explain", normalisation))
    with threadpool_limits(1):
        found = decompose(usable_cells(data, _quality_and_clusters(data)), options)
    return ExplainedVariance(
        as_written(found.summary, VARIANCE_SUMMARY),
        as_written(found.genes, GENE_VARIANCE),
        as_written(found.features, FEATURE_VARIANCE),
        as_written(found.by_sample, VARIANCE_BY_SAMPLE),
        found.notes,
    )


def _with_functions(
    data: PairedData, obs: pd.DataFrame, wanted: str | Sequence[str] | None
) -> tuple[PairedData, list[str]]:
    """Return the data with every wanted column of ``obs`` in the function block, and the names of these functions."""
    names = [] if wanted is None else [wanted] if isinstance(wanted, str) else list(wanted)
    if wanted is not None and not names:
        msg = "predict: the argument function names none; name a column of adata.obs, or give None to predict all."
        raise UserError(msg)
    function = data.function
    for name in names:
        whole = FUNCTION + name.removeprefix(FUNCTION)
        if whole in function or {whole + COSINE, whole + SINE} <= set(function):
            continue
        if name not in obs:
            known = [c.removeprefix(FUNCTION) for c in function]
            near = get_close_matches(name, [*known, *map(str, obs.columns)], n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"its functions are {', '.join(known)}."
            if not known and not near:
                hint = "nor any other; add a column of numbers."
            msg = f"predict: adata.obs has no function '{name}', {hint}"
            raise UserError(msg)
        column = as_finite(obs[name], "predict").set_axis(data.obs.index)
        function = function.assign(**{whole: column})
    return replace(data, function=function), names


def _quality_and_clusters(data: PairedData) -> pd.DataFrame | None:
    """Return quality, cluster and cell-cycle scores by cell from ``obs``; None if it has neither of the first two."""
    obs = data.obs
    if not {"passes_qc", "cluster"} & set(obs):
        return None
    blank = {"passes_qc": True, "cluster": pd.NA} | dict.fromkeys(CYCLE, np.nan)
    known = pd.DataFrame({name: obs.get(name, pd.Series(value, obs.index)) for name, value in blank.items()})
    return known.astype({"passes_qc": "boolean", "cluster": "string"} | dict.fromkeys(CYCLE, "float64"))
