"""Generate each modality of the paired cells from the other, and say what is explained and how early.

In: the paired cells and, where they were made, the clusters (cell-cycle scores) and the objects of every field (shape
in every frame, noise ceilings of features) and, with images, crops of their cells at the end; files of the user that
the settings name.
Out: conditional means, samplers and how generated held-out cells were judged; shares of variance of both directions; a
curve by hours before sequencing, and which genes are visible how early; what separates classes; figures; the model of
each direction with its card; the report.
"""

import logging
from pathlib import Path

from threadpoolctl import threadpool_limits

from cineseq.config.base import Section
from cineseq.config.expression import Normalisation
from cineseq.config.generative import Generative
from cineseq.config.prediction import Crossmodal, Folds, Prediction
from cineseq.expression.quality_control import usable_cells
from cineseq.features.stored_crops import read_crops
from cineseq.files import write_json
from cineseq.generative.counterfactuals import beside_observed
from cineseq.generative.figures import draw_counterfactuals, draw_ranked, draw_shares, draw_time_curve
from cineseq.generative.latents import read_latents
from cineseq.generative.means import Learning
from cineseq.generative.model import DIRECTIONS
from cineseq.generative.responders import separate
from cineseq.generative.shares import SharesOptions, decompose_shares
from cineseq.generative.study import GenerateOptions, generate_study
from cineseq.generative.study_outputs import (
    complete,
    draw_generated,
    report_of,
    write_complete,
    write_models,
    write_pictures,
)
from cineseq.generative.timecurve import time_curve
from cineseq.generative.timed import read_timed
from cineseq.io.adata import read_paired
from cineseq.prediction.reliability import read_adjacent_frames
from cineseq.tables import generative as contracts
from cineseq.tables.contract import read_table
from cineseq.tables.expression import CLUSTERS
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step."""

    generative: Generative = Generative()
    folds: Folds = Folds()
    crossmodal: Crossmodal = Crossmodal()
    prediction: Prediction = Prediction()
    seed: int = 1
    normalisation: Normalisation = "median"


def main(
    *,
    paired: Path,
    clusters: Path | None = None,
    objects: list[Path] = [],  # noqa: B006 - never changed; the step adapter wants plain lists
    supplied: list[Path] = [],  # noqa: ARG001, B006 - named by the settings; an input, so that a change is seen
    crops: list[Path] = [],  # noqa: B006
    generated_directions: Path,
    generated_learners: Path,
    generated_samplers: Path,
    generated_judged: Path,
    generated_confusion: Path,
    generated_genes: Path,
    generated_neighbours: Path,
    generated_matches: Path,
    reconstruction: Path | None = None,
    generated_latents: Path,
    shares: Path,
    share_targets: Path,
    share_calibration: Path,
    time: Path,
    visible_genes: Path,
    class_differences: Path,
    counterfactuals: Path,
    shares_figure: Path,
    ranked_figure: Path,
    time_figure: Path,
    coverage_figure: Path,
    confusion_figure: Path,
    map_figure: Path,
    counterfactual_figure: Path,
    gallery_figure: Path | None = None,
    decoded_figure: Path | None = None,
    axis_figure: Path | None = None,
    generative_models: Path,
    report: Path,
    settings: Settings,
    threads: int = 1,
) -> None:
    """Generate, explain, and write tables, figures, models and report."""
    wanted = settings.generative
    classes = wanted.class_column or settings.crossmodal.class_column
    cells = None if clusters is None else read_table(clusters, CLUSTERS).set_index("track_id")
    data = usable_cells(read_paired(paired, settings.normalisation), cells)
    latents = read_latents(wanted.representation, wanted.obsm, data.obs)
    learning = Learning(tuple(wanted.learners))
    generation = GenerateOptions(
        settings.folds,
        settings.seed,
        threads,
        learning=learning,
        components=wanted.components,
        class_column=classes,
        conditions=tuple(wanted.conditions),
        min_pairs=wanted.min_pairs,
        min_flow=wanted.min_flow if wanted.flow else None,
        latents=latents,
        latents_name="" if latents is None else wanted.obsm or wanted.representation,
        crops=read_crops(crops, data.obs.index) if crops else None,
        decoder=decoded_figure is not None,
        axis_gene=wanted.axis_gene,
    )
    explanation = SharesOptions(
        settings.crossmodal.model_copy(update={"class_column": classes}),
        settings.prediction,
        settings.folds,
        settings.seed,
        threads,
        permutations=wanted.permutations,
        null_draws=wanted.null_draws,
        learning=learning,
        gene_sets=wanted.gene_sets,
    )
    with threadpool_limits(1):
        # Both directions, sampled and judged; then what is explained, and how early.
        made = generate_study(data, generation)
        frames = read_adjacent_frames(objects, data.obs, list(data.morphology.columns)) if objects else None
        explained = decompose_shares(data, explanation, cells, frames)
        timed = read_timed(objects, data)
        curve = time_curve(data, timed, explanation, wanted.windows)
        apart = separate(data, classes, explanation, explained.targets)

    changed = beside_observed(made.counterfactuals, apart.differences)
    tables = {
        generated_directions: (made.directions, contracts.GENERATED_DIRECTIONS),
        generated_learners: (made.learners, contracts.GENERATED_LEARNERS),
        generated_samplers: (made.samplers, contracts.GENERATED_SAMPLERS),
        generated_judged: (made.judged, contracts.GENERATED_JUDGED),
        generated_confusion: (made.confusion, contracts.GENERATED_CONFUSION),
        generated_genes: (made.genes, contracts.GENERATED_GENES),
        generated_neighbours: (made.neighbours, contracts.GENERATED_NEIGHBOURS),
        generated_matches: (made.matches, contracts.GENERATED_MATCHES),
        generated_latents: (made.latents, contracts.GENERATED_LATENTS),
        shares: (explained.summary, contracts.SHARES_SUMMARY),
        share_targets: (explained.targets, contracts.SHARES_TARGETS),
        share_calibration: (explained.calibration, contracts.SHARES_CALIBRATION),
        time: (curve.curve, contracts.TIME_CURVE),
        visible_genes: (curve.visible, contracts.TIME_GENES),
        class_differences: (apart.differences, contracts.CLASS_DIFFERENCES),
        counterfactuals: (changed, contracts.COUNTERFACTUALS),
    }
    for path, (table, contract) in tables.items():
        write_complete(table, path, contract)
    draw_shares(complete(explained.summary, contracts.SHARES_SUMMARY), shares_figure)
    draw_ranked(complete(explained.targets, contracts.SHARES_TARGETS), DIRECTIONS[0], ranked_figure)
    draw_time_curve(
        complete(curve.curve, contracts.TIME_CURVE), complete(curve.visible, contracts.TIME_GENES), time_figure
    )
    draw_generated(made, settings.seed, coverage=coverage_figure, confusion=confusion_figure, together=map_figure)
    draw_counterfactuals(complete(changed, contracts.COUNTERFACTUALS), counterfactual_figure)
    write_pictures(
        made,
        generation.crops,
        wanted.gallery_cells,
        gallery=gallery_figure,
        decoded=decoded_figure,
        axis=axis_figure,
        reconstruction=reconstruction,
    )
    write_models(made.models, generative_models)
    write_json(report_of(made, explained, curve, apart, changed, with_images=bool(crops)), report)
    logger.info("Wrote %d models.", len(made.models))


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
