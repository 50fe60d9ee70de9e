"""The analyses on arrays and tables: pair, cluster, predict, compare sisters, explain.

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

from cineseq.api.keywords import check_names, check_tables, check_whole_number, section_of
from cineseq.api.tracked_cells import Tracked, cells_with_features, study_counts, with_field
from cineseq.config.base import LARGEST_SEED, FieldOfView
from cineseq.config.expression import Clusters, Normalisation
from cineseq.config.features import Features
from cineseq.config.lineage import Lineage
from cineseq.config.pairing import Pairing
from cineseq.config.prediction import Crossmodal, Folds, Prediction
from cineseq.crossmodal.decompose import decompose
from cineseq.crossmodal.explain import ExplainOptions
from cineseq.errors import UserError
from cineseq.expression.cluster import cluster_study
from cineseq.expression.normalise import expression_of
from cineseq.expression.quality_control import multiplets, usable_cells
from cineseq.io.adata import adata_of, as_finite, check_normalisation, paired_of
from cineseq.io.arrays import positive
from cineseq.io.counts import LAYER, log_normalised
from cineseq.io.maps import check_fields, check_samples, checked_barcodes, checked_compartments
from cineseq.io.paired import PairedData, in_order, storable
from cineseq.lineage.complete_cells import LINEAGE, completed_cells
from cineseq.lineage.concordance import concordance_table, times_table
from cineseq.lineage.relatives import relatives_of
from cineseq.lineage.sister_comparison import Sequenced, compare_survivors, sequenced_of_compartments
from cineseq.lineage.state_by_sister import power_table, state_table
from cineseq.lineage.states import states_of
from cineseq.lineage.trees import families_of
from cineseq.pairing.barcodes import named_as_sequenced
from cineseq.pairing.join import pair_cells
from cineseq.pairing.match import match
from cineseq.pairing.positions import with_micrometres
from cineseq.pairing.report import paired_report, pairs_report
from cineseq.prediction.crossval.feature_blocks import CYCLE
from cineseq.prediction.features import associated_features
from cineseq.prediction.predict import PredictionTask, predict_functions
from cineseq.tables.contract import FIELD, Table
from cineseq.tables.crossmodal import FEATURE_VARIANCE, GENE_VARIANCE, VARIANCE_BY_SAMPLE, VARIANCE_SUMMARY
from cineseq.tables.imaging import PAIRS
from cineseq.tables.lineage import (
    CONCORDANCE,
    LINEAGE_POWER,
    LINEAGE_SENSITIVITY,
    LINEAGE_WARNINGS,
    STATE_BY_SISTER,
    TIMES,
)
from cineseq.tables.prediction import GENES, PERFORMANCE, PREDICTIVE_FEATURES
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
    notes
        Sentences on how cells were grouped.
    """

    performance: pd.DataFrame
    genes: pd.DataFrame
    features: pd.DataFrame
    notes: tuple[str, ...]


@dataclass(frozen=True)
class SisterTables:
    """Similarity of relatives, and states of survivors by the fate of their sister.

    Attributes
    ----------
    concordance, times
        As :data:`cineseq.tables.lineage.CONCORDANCE` and :data:`cineseq.tables.lineage.TIMES`.
    state_by_sister, power, sensitivity, warnings
        As :data:`cineseq.tables.lineage.STATE_BY_SISTER`, :data:`cineseq.tables.lineage.LINEAGE_POWER`,
        :data:`cineseq.tables.lineage.LINEAGE_SENSITIVITY` and :data:`cineseq.tables.lineage.LINEAGE_WARNINGS`.
    """

    concordance: pd.DataFrame
    times: pd.DataFrame
    state_by_sister: pd.DataFrame
    power: pd.DataFrame
    sensitivity: pd.DataFrame
    warnings: pd.DataFrame


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


def pair(
    tracks: pd.DataFrame | Tracked,
    compartments: pd.DataFrame | None,
    barcodes: pd.DataFrame,
    counts: AnnData | pd.DataFrame,
    features: Sequence[pd.DataFrame] | pd.DataFrame = (),
    *,
    detections: pd.DataFrame | None = None,
    pixel_size_um: float | None = None,
    normalisation: Normalisation = "median",
    **settings: Any,
) -> AnnData:
    """Pair live cells with sequenced barcodes through compartments, and join them with their counts.

    A pair is one live cell and one barcode that are alone in their compartment. Cells in doubtful pairs are left out;
    ``uns["pairs"]`` gives the reason.

    Parameters
    ----------
    tracks
        One row per cell: a table of tracks or cells (``track_id``, ``alive_at_end`` or ``end_kind``, and
        ``end_y_px, end_x_px`` or ``y_px, x_px`` in pixels; columns ``function_*``, ``morphology_*`` and
        ``embedding_*`` are taken), or the result of ``cs.track``. Without ``sample`` and ``fov`` all cells belong to
        one field.
    compartments
        ``compartment_id, y_px, x_px, radius_px`` in pixels, ``sample, fov``; None if every cell is its own compartment.
    barcodes
        ``barcode`` with ``compartment_id`` or with its position ``fov, y_px, x_px`` in pixels; ``sample``.
    counts
        Shape (barcodes, genes), with barcodes as names; with several samples, ``sample`` in a column or in ``obs``.
    features
        Tables by ``frame`` and ``label``, as ``cs.measure`` and ``cs.embed`` return them, or by ``track_id``. The last
        live frame of each cell is used.
    detections
        ``track_id, frame, label``, if ``tracks`` do not state the label of each track.
    pixel_size_um
        Micrometres per pixel, for the distance to the centre of the compartment; None if unknown.
    normalisation
        Normalisation of ``X``: ``median``, ``cp10k`` or ``sqrt``.
    **settings
        Settings of the sections ``pairing`` and ``features`` of the configuration.

    Returns
    -------
    anndata.AnnData
        Shape (paired cells, genes), sorted by cell: ``layers["counts"]``, their normalised logarithm ``X``, ``obs``
        with ``track_id, sample, fov, condition, function_*`` and columns on the pair and on the sister,
        ``obsm["X_morphology"]`` and ``["X_embedding"]``, ``uns["pairs"]`` with the status of every cell and barcode.

    Raises
    ------
    UserError
        When a table lacks a column, samples, fields or barcodes have different names in different tables, no cell is
        alone with one barcode, or values are not counts.

    Examples
    --------
    >>> import cineseq as cs
    >>> import pandas as pd
    >>> place = {"y_px": [10.0, 50.0], "x_px": [10.0, 50.0]}
    >>> tracks = pd.DataFrame({"track_id": ["a", "b"], "end_kind": "end_of_movie", **place})
    >>> cages = pd.DataFrame({"compartment_id": ["c1", "c2"], "radius_px": 8.0, **place})
    >>> barcodes = pd.DataFrame({"barcode": ["AAAA", "CCCC"], "compartment_id": ["c2", "c1"]})
    >>> counts = pd.DataFrame([[3, 0], [1, 2]], index=["AAAA", "CCCC"], columns=["g1", "g2"])
    >>> cs.pair(tracks, cages, barcodes, counts).obs["barcode"].to_dict()
    {'a': 'CCCC', 'b': 'AAAA'}
    """
    check_names("pair", settings, Pairing, Features)
    check_normalisation(normalisation, "pair")
    pixel_size_um = positive("pixel_size_um", pixel_size_um)
    check_tables(barcodes=barcodes, **({} if compartments is None else {"compartments": compartments}))
    pairing, framing = section_of("pair", Pairing, settings), section_of("pair", Features, settings)
    tables = [features] if isinstance(features, pd.DataFrame) else list(features)
    # Cells, and maps of compartments and barcodes.
    cells = cells_with_features(tracks, tables, detections, framing)
    located = None if compartments is None else with_field(compartments.reset_index(drop=True), cells, "compartments")
    cages = checked_compartments({} if located is None else {"compartments": located})
    placed = "y_px" in barcodes and len(cells[FIELD].drop_duplicates()) == 1
    known = checked_barcodes(
        {"barcodes": with_field(barcodes.reset_index(drop=True), cells, "barcodes", FIELD if placed else ["sample"])}
    )
    check_samples(cells, cages, known)
    fields = cells[FIELD].drop_duplicates().itertuples(index=False)
    check_fields([FieldOfView.model_construct(sample=sample, fov=fov) for sample, fov in fields], cages, known)
    # Barcodes as named in the counts, and the cells that share their compartments.
    sequenced = study_counts(counts, cells)
    of_sample = sequenced.index.to_frame(index=False).groupby("sample", sort=False)["barcode"]
    names = {sample: pd.Index(mine) for sample, mine in of_sample}
    found = named_as_sequenced(known, names, pairing.barcode_errors, "barcodes", dict.fromkeys(names, "counts"))
    matched = match(cells, cages, found, pairing)
    sizes = cells[FIELD].drop_duplicates().assign(pixel_size_um=np.nan if pixel_size_um is None else pixel_size_um)
    pairs = PAIRS.check(with_micrometres(matched.pairs, sizes))
    data = pair_cells(cells, pairs, sequenced)
    adata = adata_of(replace(data, normalisation=normalisation))
    lines = pairs_report(matched, known=len(known), sequenced=len(found), imaged=len(cells))["lines"]
    adata.uns["pairs"] = pd.DataFrame({name: storable(pairs[name]) for name in pairs}).set_axis(pairs.index.astype(str))
    adata.uns["pair"] = {"lines": np.array(lines + paired_report(data, pairs, sequenced)["lines"], dtype=str)}
    return adata


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
        primary one), ``genes`` and ``features``. If a function is not estimable,
        its rows of ``performance`` have no numbers and ``note`` gives the reason.

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
        as_table(found.tables["performance"], PERFORMANCE),
        as_table(found.tables["genes"], GENES),
        as_table(features, PREDICTIVE_FEATURES),
        found.notes,
    )


def compare_sisters(
    cells: pd.DataFrame, seed: int = 1, *, sequenced: Sequence[str] | None = None, **settings: Any
) -> SisterTables:
    """Measure how similar relatives are, and test whether a state is more frequent in survivors whose sister died.

    The fate of a cell that was lost or left the field is unknown: it counts neither as dead nor as alive. Survivors are
    compared within strata of field and birth time, with families as units.

    Parameters
    ----------
    cells
        One row per cell: ``track_id, sample, fov, parent_id`` (missing where unknown), ``start_frame, end_frame``,
        ``end_kind`` (``division, death, left_fov, lost, end_of_movie``) and states ``state_*`` (numbers become their
        upper half within the sample). ``condition``, ``start_hours, end_hours`` (h) and positions at birth
        ``start_y_px, start_x_px`` (px) are used if present; founder, generation, sister, fate and survival are derived
        if missing. With ``compartment_id`` (also of dead cells), the association with a dead cage-mate is separated
        from that with a dead sister.
    seed
        Seed of permutations and intervals.
    sequenced
        Names of the sequenced cells; None for all cells that are alive at the end and have a state.
    **settings
        Settings of the section ``lineage`` of the configuration.

    Returns
    -------
    SisterTables
        ``concordance`` of fates and ``times`` of sisters, cousins and neighbours; ``state_by_sister`` with odds ratios,
        ``power`` with the smallest detectable odds ratio, ``sensitivity`` to errors, and ``warnings``. A row that
        is not estimable has no numbers and ``note`` gives the reason; if no state varies in both groups, the tables on
        states have no rows.

    Raises
    ------
    UserError
        When a column is missing, a cell is listed twice or descends from itself, or a value breaks its contract.

    References
    ----------
    Mantel and Haenszel, J. Natl. Cancer Inst. 22 (1959) 719.

    Examples
    --------
    >>> import cineseq as cs
    >>> import pandas as pd
    >>> rows = []
    >>> for k in range(40):
    ...     ends = ("end_of_movie", "death" if k % 2 else "end_of_movie")
    ...     rows.append((f"m{k}", None, 0, 9, "division", None))
    ...     for name, end in zip("ab", ends):
    ...         rows.append((f"m{k}{name}", f"m{k}", 10, 30, end, float(k % 4 == 1 or k % 8 == 2)))
    >>> columns = ["track_id", "parent_id", "start_frame", "end_frame", "end_kind", "state_stress"]
    >>> cells = pd.DataFrame(rows, columns=columns).assign(sample="s", fov="1")
    >>> found = cs.compare_sisters(cells, permutations=99)
    >>> found.state_by_sister.set_index("contrast")["odds_ratio"].round(2).to_dict()["sister_died_vs_survived"]
    3.0
    """
    check_names("compare_sisters", settings, Lineage)
    check_whole_number("seed", seed, 0, LARGEST_SEED)
    check_tables(cells=cells)
    chosen = section_of("compare_sisters", Lineage, settings)
    if chosen.gene_sets:
        msg = "compare_sisters: gene_sets needs counts; supply scores of the sets as columns state_* instead."
        raise UserError(msg)
    completed = completed_cells(cells, LINEAGE)
    # Sorted as the files of the workflow are, so that results do not depend on the order of rows.
    table = completed.sort_values("track_id", kind="stable", ignore_index=True)
    families = families_of(table)
    # Fates and times of relatives.
    relatives = relatives_of(families, chosen.birth_time_bins)
    shared = concordance_table(families, relatives, chosen.birth_time_bins, chosen.permutations, seed)
    # States of survivors by the fate of the sister.
    states = states_of(table, None, chosen.states)
    known = Sequenced(None if sequenced is None else _known_cells(sequenced, table))
    if "compartment_id" in cells:
        members = completed[["track_id", "sample"]].assign(compartment_id=cells["compartment_id"].to_numpy(object))
        known = sequenced_of_compartments(families, members, known.cells)
    found = compare_survivors(families, states, known, chosen)
    return SisterTables(
        as_table(shared, CONCORDANCE),
        as_table(times_table(families, relatives), TIMES),
        as_table(state_table(found.compared), STATE_BY_SISTER),
        as_table(power_table(found.compared), LINEAGE_POWER),
        as_table(found.sensitivity, LINEAGE_SENSITIVITY),
        as_table(found.warnings, LINEAGE_WARNINGS),
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
        as_table(found.summary, VARIANCE_SUMMARY),
        as_table(found.genes, GENE_VARIANCE),
        as_table(found.features, FEATURE_VARIANCE),
        as_table(found.by_sample, VARIANCE_BY_SAMPLE),
        found.notes,
    )


def _known_cells(names: Sequence[str], cells: pd.DataFrame) -> pd.Index:
    wanted = pd.Index([names] if isinstance(names, str) else names)
    strange = wanted.difference(pd.Index(cells["track_id"]))
    if len(strange):
        msg = f"sequenced: '{strange[0]}' is not among the track_id of cells; use the names of that table."
        raise UserError(msg)
    return wanted


def as_table(frame: pd.DataFrame, contract: Table) -> pd.DataFrame:
    """Return a table with the columns and types of its contract, sorted by its key like the files of the workflow."""
    checked = contract.check(frame, contract.name)
    return checked.sort_values(list(contract.key), kind="stable", ignore_index=True) if contract.key else checked


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
