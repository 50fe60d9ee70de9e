"""The registry of products: every table, figure and other file that a run makes, with the step that writes it.

Targets, the outputs of rules, what the report reads and shows, and the data dictionary are derived from
:data:`PRODUCTS`. To add a table: declare its contract in ``cineseq.tables`` (a new module also goes into
``cineseq.report.dictionary.MODULES``), add one :class:`Product` here, and let the script of its step write it, to the
path that comes to ``main`` in a parameter of the product's name. One folder for all outputs would save that parameter,
but then the head of a script would no longer show what the step writes.

Planning a run imports this module, so it imports no library: contracts are named, not imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cineseq.errors import UserError

Level = Literal["field", "sample", "study"]
FOLDERS: dict[Level, str] = {"field": "fov/{sample}/{fov}/", "sample": "sample/{sample}/", "study": ""}
"""Folder of the products of each level, within the results folder."""


@dataclass(frozen=True)
class Product:
    """A file, or folder, that a step writes.

    Attributes
    ----------
    path
        Path within the folder of its ``level``: that of the field, of the sample, or the results folder.
    level
        Whether there is one for each field of view, one for each sample, or one for the study.
    contract
        The contract of a table as ``module.NAME`` in ``cineseq.tables``; None if it is not a table.
    step
        The rule that makes it. If the rule depends on how a study starts, all these rules, separated by ``|``.
    section
        Section of the report that reads it; empty if none does. Tables and figures of a section are shown in the order
        of the registry.
    title
        Title in the report: the heading of a table, the alternative text of a figure. A table without a title is read
        but not shown.
    order
        Columns by which the report sorts the rows of a table, the first one first; from high to low after a ``-``.
    name
        Name in the rule and in ``main`` of the script, unique in its level; by default the file name up to the dot.
    caption
        Sentences below a figure.
    target
        The target that includes it; by default its folder, for example ``lineage`` for ``lineage/fading.tsv``.
    needs
        Property of :class:`~cineseq.workflow.study.Study` that must be true for the step to make it.
    is_folder
        Whether it is a folder.
    """

    path: str
    level: Level
    contract: str | None
    step: str
    section: str = ""
    title: str = ""
    order: tuple[str, ...] = ()
    name: str = ""
    caption: str = ""
    target: str = ""
    needs: str = ""
    is_folder: bool = False

    def __post_init__(self) -> None:
        """Fill in the name and the target that follow from the path."""
        folder, _, file = self.path.rpartition("/")
        object.__setattr__(self, "name", self.name or file.split(".")[0])
        object.__setattr__(self, "target", self.target or folder)

    @property
    def file(self) -> str:
        """Path as in rules, with the wildcards of its level."""
        return f"<results>/{FOLDERS[self.level]}{self.path}"

    @property
    def steps(self) -> list[str]:
        """The rules that make it."""
        return self.step.split("|")


# One product a line or two, as in a table.
# fmt: off
PRODUCTS: tuple[Product, ...] = (
    # Fields of view: tracking.
    Product("masks.ome.tif", "field", None, "segment|import_masks", name="labels", target="tracking"),
    Product("tracks.parquet", "field", "imaging.TRACKS", "track|import_tracks|import_point_tracks", target="tracking"),
    Product("detections.parquet", "field", "imaging.DETECTIONS", "track|import_tracks|import_point_tracks",
            target="tracking"),
    Product("events.parquet", "field", "imaging.EVENTS", "track|import_tracks", target="tracking"),
    # Tracks that come without masks cannot be written as masks.
    Product("ctc", "field", None, "export_tracks", target="tracking", needs="has_masks", is_folder=True),
    Product("tracks.geff", "field", None, "export_tracks", name="geff", target="tracking", is_folder=True),
    Product("overview.png", "field", None, "draw_field", name="picture", target="tracking"),
    Product("channels.png", "field", None, "draw_field", name="channels", target="tracking", needs="has_movies"),
    Product("crops.npz", "field", None, "draw_field", target="tracking", needs="has_movies"),
    Product("quality.json", "field", None, "draw_field", target="tracking"),
    Product("curation.tsv", "field", "imaging.CURATION", "draw_field", name="uncertain", target="tracking"),
    Product("strips", "field", None, "draw_field", target="tracking", is_folder=True),
    Product("curation.html", "field", None, "draw_field", name="page", target="tracking"),
    Product("cell_strips", "field", None, "draw_field", target="tracking", is_folder=True),
    # Fields of view: features.
    Product("morphology.parquet", "field", "imaging.MORPHOLOGY", "morphology", target="features"),
    Product("embeddings.parquet", "field", "imaging.EMBEDDINGS", "embed"),
    Product("timecourse.parquet", "field", "imaging.TIMECOURSE", "score_function"),
    Product("scores.parquet", "field", "imaging.SCORES", "score_function"),
    Product("regions.png", "field", None, "score_function"),
    Product("objects.parquet", "field", "imaging.OBJECTS", "summarise_tracks", target="features"),
    Product("cells.parquet", "field", "imaging.CELLS", "summarise_tracks", target="features"),
    # The study.
    Product("study/curation.tsv", "study", "imaging.CURATION", "collect_uncertain", name="uncertain",
            target="tracking"),
    Product("study/fields.tsv", "study", "imaging.FIELDS", "list_fields", target="features"),
    Product("study/cells.parquet", "study", "imaging.CELLS", "collect_cells|import_cells|import_lineage", "pairing",
            target="features"),
    Product("study/cells.csv", "study", None, "collect_cells|import_cells|import_lineage|import_paired", name="csv"),
    Product("study/pairs.parquet", "study", "imaging.PAIRS", "match_barcodes", "pairing", target="pairing"),
    Product("study/paired.h5ad", "study", None, "pair|import_cells|import_paired", target="pairing"),
    Product("study/paired.h5mu", "study", None, "pair|import_cells|import_paired", name="mudata", target="pairing"),
    # Clusters.
    Product("clusters/cells.parquet", "study", "expression.CLUSTERS", "cluster", "clusters", name="clusters"),
    Product("clusters/function_by_cluster.tsv", "study", "expression.FUNCTION_BY_CLUSTER", "cluster", "clusters",
            "Variance of function between clusters"),
    Product("clusters/by_sample.tsv", "study", "expression.FUNCTION_BY_SAMPLE", "cluster", "clusters",
            "Variance of function between clusters in each sample, and for one more sample", name="function_by_sample"),
    Product("clusters/function_by_component.tsv", "study", "expression.FUNCTION_BY_COMPONENT", "cluster", "clusters",
            "Function along the principal components of expression", ("function", "p_value", "-r2")),
    Product("clusters/quality.svg", "study", None, "cluster", "pairing",
            "Distributions of counts, detected genes and mitochondrial fraction per cell with the quality limits",
            caption="Quality of the counts. Cells outside the limits are not clustered."),
    Product("clusters/umap.svg", "study", None, "cluster", "clusters",
            "UMAP of cells by expression, coloured by cluster and by function",
            caption="Cells arranged by similarity of expression (UMAP). Distances between distant groups are not "
                    "meaningful."),
    # Differential expression.
    Product("de/markers.tsv", "study", "expression.MARKERS", "differential_expression", "clusters", "Marker genes",
            ("comparison", "group", "q_value", "-auc")),
    Product("de/markers.svg", "study", None, "differential_expression", "clusters",
            "Expression of the strongest marker genes in each cluster", name="markers_figure",
            caption="Genes that separate each cluster from the other cells."),
    # Prediction of function.
    Product("prediction/performance.tsv", "study", "prediction.PERFORMANCE", "predict", "prediction",
            "Held-out performance of each model"),
    Product("prediction/contrasts.tsv", "study", "prediction.MODEL_CONTRASTS", "predict", "prediction",
            "Differences between models"),
    Product("prediction/beyond_covariates.tsv", "study", "prediction.BEYOND_COVARIATES", "predict", "prediction",
            "What expression and shape add to size, cell cycle and technical covariates"),
    Product("prediction/unused_groups.tsv", "study", "prediction.UNUSED_GROUPS", "predict", "prediction",
            "Groups that are in neither folds nor strata"),
    Product("prediction/covariates.tsv", "study", "prediction.COVARIATES", "predict", "prediction",
            "Covariates and their reliability"),
    Product("prediction/sensitivity.tsv", "study", "prediction.SENSITIVITY", "predict", "prediction",
            "Sensitivity to alternative choices of the analysis", name="model_sensitivity"),
    Product("prediction/performance_by_sample.tsv", "study", "prediction.SAMPLE_PERFORMANCE", "predict", "prediction",
            "Held-out R² sample by sample", name="samples"),
    Product("prediction/by_sample.tsv", "study", "prediction.BY_SAMPLE", "predict", "prediction",
            "R² within fields in each sample, and the prediction interval of one more sample"),
    Product("prediction/genes.tsv", "study", "prediction.GENES", "predict", "prediction",
            "Genes by selection frequency", ("function", "-frequency", "-univariate_rho")),
    Product("prediction/marker_overlap.tsv", "study", "prediction.MARKER_OVERLAP", "predict", "prediction",
            "Predictive genes that are cluster markers", name="overlap"),
    Product("prediction/predictions.parquet", "study", "prediction.PREDICTIONS", "predict"),
    Product("prediction/ladder.svg", "study", None, "predict", "prediction",
            "Held-out R² of each model, with intervals and null",
            caption="Function in held-out groups as predicted by covariates, by expression, by morphology and by "
                    "both, with 95 % intervals. The permutation null is that of the quick procedure, whose R² is the "
                    "tick beside it. All models but the non-linear one add up effects, so that R² is a lower bound of "
                    "what any model could explain."),
    Product("prediction/scatter.svg", "study", None, "predict", "prediction",
            "Measured against predicted function, cell by cell",
            caption="Each cell was predicted by a model trained without its group. Colours are the outer folds."),
    Product("prediction/selection.svg", "study", None, "predict", "prediction",
            "Selection frequency of the most stable genes",
            caption="Frequency at which each gene is selected when half of the groups are left out."),
    Product("prediction/selected_genes.svg", "study", None, "predict", "prediction",
            "Expression of the selected genes in each cluster, and the functions that they predict",
            caption="Expression of the predictive genes by cluster. A gene with equal expression in all clusters "
                    "can be associated with function without marking a cluster."),
    Product("prediction/marker_overlap.svg", "study", None, "predict", "prediction",
            "Two circles for each function: genes that predict it and genes that mark clusters, with their overlap",
            name="overlap_figure",
            caption="Overlap of the genes that predict function and the genes that mark clusters."),
    # Relatives.
    Product("lineage/state_by_sister.tsv", "study", "lineage.STATE_BY_SISTER", "compare_sisters", "sisters",
            "States by the fate of the sister", ("-contrast", "p_value"), name="states"),
    Product("lineage/by_sample.tsv", "study", "lineage.STATE_BY_SAMPLE", "compare_sisters", "sisters",
            "States by the fate of the sister in each sample, and for one more sample", name="states_by_sample"),
    Product("lineage/power.tsv", "study", "lineage.LINEAGE_POWER", "compare_sisters", "sisters",
            "Smallest detectable effects"),
    Product("lineage/sensitivity.tsv", "study", "lineage.LINEAGE_SENSITIVITY", "compare_sisters", "sisters",
            "Sensitivity of the odds ratios to errors"),
    Product("lineage/concordance.tsv", "study", "lineage.CONCORDANCE", "describe_fates", "sisters",
            "Concordance of the fates of relatives"),
    Product("lineage/fate_odds.tsv", "study", "lineage.FATE_ODDS", "describe_fates", "sisters",
            "Odds of a death where the relative died"),
    Product("lineage/times.tsv", "study", "lineage.TIMES", "describe_fates", "sisters", "Times of relatives"),
    Product("lineage/fading.tsv", "study", "lineage.CORRELATION_DECAY", "describe_fates", "sisters",
            "Decay of correlation with genealogical distance"),
    Product("lineage/which_sister_dies.tsv", "study", "lineage.WHICH_SISTER_DIES", "compare_sisters_before_death",
            "sisters", "Which sister dies, by imaging features before the fate of either", ("p_permutation", "feature"),
            name="which_dies"),
    Product("lineage/heritable_genes.tsv", "study", "lineage.HERITABLE_GENES", "compare_sister_genes", "sisters",
            "Genes by their correlation between sisters", ("p_value", "-icc"), name="heritable"),
    Product("lineage/genes_by_sister.tsv", "study", "lineage.GENES_BY_SISTER", "compare_sister_genes", "sisters",
            "Genes by the fate of the sister", ("p_value", "gene"), name="by_sister"),
    Product("lineage/genes_by_cage.tsv", "study", "lineage.GENES_BY_CAGE", "compare_sister_genes", "sisters",
            "Genes of survivors alone in a shared compartment and of two living sisters in one", ("p_value", "gene"),
            name="by_cage"),
    Product("lineage/warnings.tsv", "study", "lineage.LINEAGE_WARNINGS", "compare_sisters", "sisters",
            "Possible biases of the comparison"),
    Product("lineage/incidence.tsv", "study", "lineage.FATE_INCIDENCE", "describe_fates", "sisters"),
    Product("lineage/survival.tsv", "study", "lineage.FATE_SURVIVAL", "describe_fates"),
    Product("lineage/fate_pairs.tsv", "study", "lineage.FATE_PAIRS", "describe_fates", "sisters"),
    Product("lineage/forest.svg", "study", None, "compare_sisters", "sisters",
            "Odds ratios of states by the fate of the sister, with intervals",
            caption="Odds of each state in survivors whose sister died, relative to those whose sister survived; 1 "
                    "is no difference."),
    Product("lineage/trees.svg", "study", None, "compare_sisters", "sisters",
            "Lineage trees of families with divisions, deaths and unknown ends",
            caption="Families over time. A cross is an observed death; a grey end is unknown and is not a death."),
    Product("lineage/trees_by_state.svg", "study", None, "compare_sisters", "sisters",
            "Lineage trees of families with measured survivors, coloured by state",
            caption="The state with the strongest association with the fate of the sister. Cells that were "
                    "not measured are grey."),
    Product("lineage/incidence.svg", "study", None, "describe_fates", "sisters",
            "Cumulative incidence of division, death and loss after birth, one panel per condition",
            name="incidence_figure",
            caption="Fates of cells born within the movie, as competing risks; a lost cell is neither divided nor "
                    "dead."),
    Product("lineage/survival.svg", "study", None, "describe_fates", "sisters",
            "Fraction of cells alive and fraction undivided after birth, one panel per condition",
            name="survival_figure",
            caption="Kaplan-Meier estimates for death alone and for division alone, of cells born within the movie. "
                    "Other ends are censored, which assumes that these cells do not differ from the others."),
    Product("lineage/fate_pairs.svg", "study", None, "describe_fates", "sisters",
            "Counts of sister pairs by the ends of both, one panel per condition", name="fate_pairs_figure",
            caption="Pairs of sisters by their fates; in brackets, the number expected if sisters were "
                    "independent. Orange pairs are more frequent than expected, purple ones less."),
    # Both modalities.
    Product("crossmodal/summary.tsv", "study", "crossmodal.VARIANCE_SUMMARY", "explain_modalities", "crossmodal",
            "Total explained variance", name="crossmodal_summary"),
    Product("crossmodal/by_sample.tsv", "study", "crossmodal.VARIANCE_BY_SAMPLE", "explain_modalities", "crossmodal",
            "Explained variance in each sample, and for one more sample", name="crossmodal_by_sample"),
    Product("crossmodal/genes.tsv", "study", "crossmodal.GENE_VARIANCE", "explain_modalities", "crossmodal",
            "Genes by the variance that morphology explains", ("-r2_within",), name="crossmodal_genes"),
    Product("crossmodal/features.tsv", "study", "crossmodal.FEATURE_VARIANCE", "explain_modalities", "crossmodal",
            "Features by the variance that expression explains", ("-r2_within",), name="crossmodal_features"),
    Product("crossmodal/variance.svg", "study", None, "explain_modalities", "crossmodal",
            "Variance explained per gene and per feature, with null and ceiling",
            caption="Variance of each gene and each feature that a linear model of the other modality explains in "
                    "held-out groups: a lower bound of what any model could explain."),
    # Each modality generated from the other.
    Product("generative/directions.tsv", "study", "generative.GENERATED_DIRECTIONS", "generate", "generative",
            "Conditional means of held-out cells, and how samples are drawn", name="generated_directions"),
    Product("generative/samplers.tsv", "study", "generative.GENERATED_SAMPLERS", "generate", "generative",
            "Samplers: flow matching where it was tried, and the baselines", name="generated_samplers"),
    Product("generative/judged.tsv", "study", "generative.GENERATED_JUDGED", "generate", "generative",
            "Generated held-out cells beside class means, shuffled pairing and real cells", ("measure", "direction"),
            name="generated_judged"),
    Product("generative/shares.tsv", "study", "generative.SHARES_SUMMARY", "generate", "generative",
            "Shares of variance", ("-level",), name="shares"),
    Product("generative/targets.tsv", "study", "generative.SHARES_TARGETS", "generate", "generative",
            "Genes and features by the share that the other modality explains", ("-linear",), name="share_targets"),
    Product("generative/time.tsv", "study", "generative.TIME_CURVE", "generate", "generative",
            "Shares by hours before sequencing", ("direction", "hours_before"), name="time"),
    Product("generative/visible_genes.tsv", "study", "generative.TIME_GENES", "generate", "generative",
            "Genes by how early they are visible in shape", ("-earliest_hours",)),
    Product("generative/learners.tsv", "study", "generative.GENERATED_LEARNERS", "generate", name="generated_learners"),
    Product("generative/confusion.tsv", "study", "generative.GENERATED_CONFUSION", "generate",
            name="generated_confusion"),
    Product("generative/genes.tsv", "study", "generative.GENERATED_GENES", "generate", name="generated_genes"),
    Product("generative/neighbours.tsv", "study", "generative.GENERATED_NEIGHBOURS", "generate",
            name="generated_neighbours"),
    Product("generative/matches.tsv", "study", "generative.GENERATED_MATCHES", "generate", "generative",
            "Whether what is generated for a cell is that cell's: pair-match ranks within fields",
            name="generated_matches"),
    Product("generative/reconstruction.tsv", "study", "generative.RECONSTRUCTION", "generate", "generative",
            "Error of decoded crops of held-out cells, beside the mean crop and the nearest crop", needs="decodes"),
    Product("generative/latents.parquet", "study", "generative.GENERATED_LATENTS", "generate",
            name="generated_latents"),
    Product("generative/calibration.tsv", "study", "generative.SHARES_CALIBRATION", "generate",
            name="share_calibration"),
    Product("generative/models", "study", None, "generate", name="generative_models", is_folder=True),
    Product("generative/differences.tsv", "study", "generative.CLASS_DIFFERENCES", "generate", "generative",
            "Shapes and genes that separate classes, by replicates", ("p_value",), name="class_differences"),
    Product("generative/counterfactuals.tsv", "study", "generative.COUNTERFACTUALS", "generate",
            name="counterfactuals"),
    Product("generative/counterfactuals.svg", "study", None, "generate", "generative",
            "Change of the same cells generated under another class, beside observed differences",
            name="counterfactual_figure",
            caption="The model's, not measured: held-out cells with the same values of the other modality under "
                    "another class. Filled: separate the classes by replicates; the others may be chance that was "
                    "learned. The dashed line is where the change is the whole observed difference."),
    Product("generative/shares.svg", "study", None, "generate", "generative",
            "Parts of the variance of each modality", name="shares_figure",
            caption="Shares of the variance within fields in held-out groups, with 95 % intervals; filled where found. "
                    "Diamonds are shares of the means of samples, descriptive where samples are few. Parts overlap "
                    "and do not add up, and the directions are different quantities."),
    Product("generative/genes.svg", "study", None, "generate", "generative",
            "Genes by the share that shape explains, with noise ceiling and shuffled pairing", name="ranked_figure",
            caption="Share of each gene's variance within fields that a linear model of shape explains in held-out "
                    "groups."),
    Product("generative/time.svg", "study", None, "generate", "generative",
            "Share of variance by hours before sequencing, and how early genes are visible", name="time_figure",
            caption="Shape in windows before the endpoint against expression at it, in held-out groups. Fewer cells "
                    "are seen in early windows: the dotted line is of the same cells in the last window."),
    Product("generative/coverage.svg", "study", None, "generate", "generative",
            "Fraction of held-out values in the intervals of each sampler", name="coverage_figure",
            caption="Held-out cells. The lines are what the intervals should hold."),
    Product("generative/confusion.svg", "study", None, "generate", "generative",
            "Classes that a classifier of real cells names for generated expression", name="confusion_figure",
            caption="Held-out cells, beside class means, shuffled pairing and real cells. A class mean holds the class "
                    "itself, so that it is named rightly even where nothing is visible in shape."),
    Product("generative/map.svg", "study", None, "generate", "generative",
            "Generated and real expression on one UMAP", name="map_figure",
            caption="Held-out cells of one fold. Distances on a UMAP are not to be read as numbers."),
    Product("generative/gallery.png", "study", None, "generate", "generative",
            "Held-out cells beside the real cells that show what was generated from their expression",
            name="gallery_figure", needs="shows_generated",
            caption="Real held-out cells, at even steps of rank from the best match to the worst. The nearest is never "
                    "the cell itself; the rank says how many cells of its field are nearer to its predicted mean than "
                    "it is: 0 none, 0.5 as by chance."),
    Product("generative/decoded.png", "study", None, "generate", "generative",
            "Decoded crops of held-out cells beside their own, the nearest and the mean crop", name="decoded_figure",
            needs="decodes",
            caption="The cells of the gallery. Second and third columns are the decoder's pictures, not cells; it "
                    "learned in the training cells. Cells are turned so that their long axis is horizontal."),
    Product("generative/gene_axis.png", "study", None, "generate", "generative",
            "Decoded crops along the quantiles of one gene", name="axis_figure", needs="decodes",
            caption="Pictures of the model and the decoder, not of cells: the gene is set to its quantiles, other "
                    "genes follow it as in training cells. They say what goes together, not what the gene does."),
    # The record, the report and the truth of simulated data.
    Product("provenance.json", "study", None, "write_provenance"),
    Product("report/index.html", "study", None, "render_report", name="html"),
    Product("report/answers.json", "study", None, "render_report"),
    Product("report/dictionary.tsv", "study", None, "render_report"),
    Product("report/explorer.html", "study", None, "write_explorer"),
    Product("report/explorer", "study", None, "write_explorer", name="explorer_data", is_folder=True),
    Product("truth/movies.parquet", "study", "simulation.TRUTH", "score_tracks"),
    Product("truth/identities.parquet", "study", "simulation.TRUE_TRACKS", "score_tracks"),
    Product("truth/truth.tsv", "study", "simulation.TRUTH", "score_truth", name="scores"),
    # Models.
    Product("models.json", "study", None, "prefetch_models", name="record"),
    Product("model/segmenter.pt", "study", None, "train_model", name="model"),
    Product("model/segmenter.md", "study", None, "train_model", name="card"),
)
# fmt: on

BESIDE = (
    "fov/{sample}/{fov}/movie.ome.tif",
    "fov/{sample}/{fov}/saturated.npz",
    "reports/",
    "set_aside/",
    "logs/",
    "benchmarks/",
    "experiment/",
)
"""What is in the folder of results beside the products: movies, which are removed unless the configuration keeps them,
reports of steps, records of steps that failed, and the simulated experiment, which replaces the files of a user."""


def products_of(step: str) -> list[Product]:
    """Return the products of one step."""
    return [product for product in PRODUCTS if step in product.steps]


def read_by_report() -> list[Product]:
    """Return the tables and figures of the study that the report reads, in the order of the page."""
    return [product for product in PRODUCTS if product.section and product.level == "study"]


def product_at(path: Path) -> Product:
    """Return the product of the study that a file belongs to, by the end of its path.

    Raises
    ------
    UserError
        When the report does not read this file.
    """
    for product in read_by_report():
        if path.as_posix().endswith(f"/{product.path}"):
            return product
    known = ", ".join(product.path for product in read_by_report())
    msg = f"{path}: not a result that the report reads; give files whose paths end in one of {known}."
    raise UserError(msg)
