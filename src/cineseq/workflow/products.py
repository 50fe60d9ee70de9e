"""Which products each target stands for, given what the sheet provides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cineseq.errors import UserError
from cineseq.workflow.study import Study

TRACKING = ("tracks.parquet", "detections.parquet", "tracks.geff")
ON_MASKS = (
    "masks.ome.tif",
    "events.parquet",
    "morphology.parquet",
    "ctc",
    "overview.png",
    "quality.json",
    "curation.tsv",
    "curation.html",
    "strips",
)
CLUSTERS = ("cells.parquet", "function_by_cluster.tsv", "function_by_component.tsv", "umap.svg", "quality.svg")
DE = ("markers.tsv", "markers.svg")
PREDICTION = (
    "performance.tsv",
    "performance_by_sample.tsv",
    "contrasts.tsv",
    "genes.tsv",
    "marker_overlap.tsv",
    "sensitivity.tsv",
    "predictions.parquet",
    "ladder.svg",
    "scatter.svg",
    "selection.svg",
    "selected_genes.svg",
    "marker_overlap.svg",
)
LINEAGE = (
    "concordance.tsv",
    "fate_odds.tsv",
    "times.tsv",
    "state_by_sister.tsv",
    "power.tsv",
    "warnings.tsv",
    "sensitivity.tsv",
    "which_sister_dies.tsv",
    "trees.svg",
    "trees_by_state.svg",
    "forest.svg",
    "incidence.tsv",
    "survival.tsv",
    "fading.tsv",
    "fate_pairs.tsv",
    "incidence.svg",
    "survival.svg",
    "fate_pairs.svg",
)
SISTER_GENES = ("heritable_genes.tsv", "genes_by_sister.tsv")
CROSSMODAL = ("genes.tsv", "features.tsv", "summary.tsv", "variance.svg")


@dataclass(frozen=True)
class Target:
    """One target: whether the data allow it, what is missing where they do not, and its files."""

    possible: bool
    needs: str
    files: tuple[str, ...]


def _in(folder: str, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"<results>/{folder}/{name}" for name in names)


def _of_fields(study: Study, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"<results>/fov/{e.sample}/{e.fov}/{name}" for name in names for e in study.entries)


def _tracking_files(study: Study) -> tuple[str, ...]:
    if not study.has_masks:
        return _of_fields(study, TRACKING)
    return _of_fields(study, (*ON_MASKS, *TRACKING)) + _in("study", ("curation.tsv",))


def targets(study: Study) -> dict[str, Target]:
    """Return every target of a study by its name."""
    images = study.start == "images"
    has_cells = images or study.start in ("lineage", "cells")
    lineage = LINEAGE + (SISTER_GENES if study.has_counts else ())
    measured = ("objects.parquet", "cells.parquet")
    pairs = ("pairs.parquet", "paired.h5mu") if study.pairs else ("paired.h5mu",)
    return {
        "features": Target(
            images, "images, masks or tracks", _of_fields(study, measured) + _in("study", ("cells.parquet",))
        ),
        "tracking": Target(images, "images, masks or tracks", _tracking_files(study)),
        "pairing": Target(study.has_paired, "barcodes and counts, cells or paired", _in("study", pairs)),
        "clusters": Target(study.has_counts, "counts", _in("clusters", CLUSTERS)),
        "de": Target(study.has_counts, "counts", _in("de", DE)),
        "prediction": Target(study.has_paired, "barcodes and counts, cells or paired", _in("prediction", PREDICTION)),
        "lineage": Target(has_cells, "images, masks, tracks or lineage", _in("lineage", lineage)),
        "crossmodal": Target(study.has_counts, "counts", _in("crossmodal", CROSSMODAL)),
        "report": Target(bool(study.entries), "rows", _in("report", ("index.html", "answers.json", "dictionary.tsv"))),
        "truth": Target(
            study.is_simulated and study.pairs,
            "simulated movies with their barcodes and counts",
            _in("truth", ("truth.tsv",)),
        ),
    }


def files_of_target(study: Study, name: str) -> list[str]:
    """Return the files of one target.

    Raises
    ------
    UserError
        When the data do not allow the target; the message says what the sheet lacks.
    """
    target = targets(study)[name]
    if not target.possible:
        msg = (
            f"target '{name}': the sheet {study.config.samples} gives no {target.needs}; add it or name another target."
        )
        raise UserError(msg)
    return list(target.files)


def all_files(study: Study) -> list[str]:
    """Return the files of every target that the data allow."""
    return [path for target in targets(study).values() if target.possible for path in target.files]


def files_if_possible(study: Study, name: str) -> dict[str, list[str]]:
    """Return the files of a target by their name; empty lists where the data do not allow it."""
    target = targets(study)[name]
    return {path.split("/")[-1]: [path] if target.possible else [] for path in target.files}


def step_reports(study: Study) -> list[str]:
    """Return the report of every step that runs in this study."""
    per_field: list[str] = []
    if study.start == "images":
        per_field += ["prepare_movie"] if study.has("images") else []
        per_field += _tracking_steps(study)
        per_field += ["embed"] if study.embeds else []
        per_field += ["score_function"] if study.measures_function else []
    fields = [f"<results>/reports/{step}/{e.sample}@{e.fov}.json" for step in per_field for e in study.entries]
    return fields + [f"<results>/reports/{step}.json" for step in _study_steps(study)]


def _tracking_steps(study: Study) -> list[str]:
    if not study.has_masks:
        return ["import_places"]
    masks = "import_masks" if study.has("masks") else "segment"
    return [masks, "import_tracks" if study.has("tracks") else "track", "morphology"]


def _study_steps(study: Study) -> list[str]:
    start = {"images": ["collect_cells"], "cells": ["import_cells"], "paired": ["import_paired"]}
    steps = list(start.get(study.start, ["import_lineage"]))
    steps += ["match_barcodes", "pair"] if study.pairs else []
    steps += ["cluster", "differential_expression", "explain_modalities"] if study.has_counts else []
    steps += ["predict"] if study.has_paired else []
    if study.start in ("images", "lineage", "cells"):
        steps += ["describe_fates", "compare_sisters", "compare_sisters_before_death"]
        steps += ["compare_sister_genes"] if study.has_counts else []
    return steps
