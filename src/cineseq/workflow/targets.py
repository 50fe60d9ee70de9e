"""The steps that a study runs, the products that they make, and the products of each target."""

from __future__ import annotations

from dataclasses import dataclass

from cineseq.errors import UserError
from cineseq.workflow import products
from cineseq.workflow.products import Product
from cineseq.workflow.study import Study

WITHOUT_REPORT = (
    "export_tracks",
    "draw_field",
    "summarise_tracks",
    "collect_uncertain",
    "write_provenance",
    "write_explorer",
    "render_report",
    "score_tracks",
    "score_truth",
)
"""Steps without a report; for the score against the truth, the page makes one from its own tables."""


@dataclass(frozen=True)
class Target:
    """One target: whether the data allow it, what is missing where they do not, and its files."""

    possible: bool
    needs: str
    files: tuple[str, ...]


def targets(study: Study) -> dict[str, Target]:
    """Return every target of a study by its name."""
    images = study.start == "images"
    has_cells = images or study.start in ("lineage", "cells")
    allowed = {
        "features": (images, "images, masks, points or tracks"),
        "tracking": (images, "images, masks, points or tracks"),
        "pairing": (study.has_paired, "barcodes and counts, cells or paired"),
        "clusters": (study.has_counts, "counts"),
        "de": (study.has_counts, "counts"),
        "prediction": (study.has_paired, "barcodes and counts, cells or paired"),
        "lineage": (has_cells, "images, masks, points, tracks or lineage"),
        "crossmodal": (study.has_counts, "counts"),
        "generative": (
            study.generates,
            "counts, or the configuration does not enable it (set generative.enabled to true)"
            if study.has_counts
            else "counts",
        ),
        "report": (bool(study.entries), "rows"),
        "truth": (study.is_simulated and study.pairs, "simulated movies with their barcodes and counts"),
    }
    made = products_of_study(study)
    # The other targets include it as an input of the table of cells.
    compared = ("<results>/reports/compare_fields.json",) if study.compares_fields else ()
    files = {name: tuple(f for p in made if p.target == name for f in files_of(p, study)) for name in allowed}
    return {
        name: Target(possible, needs, files[name] + (compared if name == "tracking" else ()))
        for name, (possible, needs) in allowed.items()
    }


def products_of_study(study: Study) -> list[Product]:
    """Return the products that the steps of a study make."""
    run = {step for steps in steps_of(study) for step in steps}
    return [p for p in products.PRODUCTS if run.intersection(p.steps) and is_made(p, study)]


def is_made(product: Product, study: Study) -> bool:
    """Whether the data of a study allow its steps to make a product."""
    return not product.needs or getattr(study, product.needs)


def files_of(product: Product, study: Study) -> list[str]:
    """Return the files of one product: one for each field of view or sample, in the order of the sheet, or one."""
    if product.level == "study":
        return [product.file]
    filled = (product.file.format(sample=entry.sample, fov=entry.fov) for entry in study.entries)
    return list(dict.fromkeys(filled))


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


def files_of_report(study: Study) -> list[str]:
    """Return the tables and figures of a study that the report reads."""
    made = products_of_study(study)
    return [path for product in products.read_by_report() if product in made for path in files_of(product, study)]


def step_reports(study: Study) -> list[str]:
    """Return the report of every step that runs in this study."""
    per_field, once = ([step for step in steps if step not in WITHOUT_REPORT] for steps in steps_of(study))
    fields = [f"<results>/reports/{step}/{e.sample}@{e.fov}.json" for step in per_field for e in study.entries]
    return fields + [f"<results>/reports/{step}.json" for step in once]


def steps_of(study: Study) -> tuple[list[str], list[str]]:
    """Return the steps that run for each field of view, and those that run once, in the order of the pipeline."""
    return (_field_steps(study) if study.start == "images" else []), _study_steps(study)


def _field_steps(study: Study) -> list[str]:
    steps = ["prepare_movie"] if study.has("images") else []
    if study.has_masks:
        steps += ["import_masks" if study.has("masks") else "segment"]
        steps += ["import_tracks" if study.has("tracks") else "track", "morphology", "draw_field"]
    else:
        steps += ["track" if study.has("points") else "import_point_tracks"]
    steps += ["embed"] if study.embeds else []
    steps += ["score_function"] if study.measures_function else []
    return [*steps, "export_tracks", "summarise_tracks"]


def _study_steps(study: Study) -> list[str]:
    compare = ["compare_fields"] if study.compares_fields else []
    start = {
        "images": [*compare, "list_fields", "collect_cells"],
        "cells": ["import_cells"],
        "paired": ["import_paired"],
    }
    steps = list(start.get(study.start, ["import_lineage"]))
    steps += ["collect_uncertain"] if study.has_masks else []
    steps += ["match_barcodes", "pair"] if study.pairs else []
    steps += ["cluster", "differential_expression", "explain_modalities"] if study.has_counts else []
    steps += ["generate"] if study.generates else []
    steps += ["predict"] if study.has_paired else []
    if study.start in ("images", "lineage", "cells"):
        steps += ["describe_fates", "compare_sisters", "compare_sisters_before_death"]
        steps += ["compare_sister_genes"] if study.has_counts else []
    steps += ["score_tracks", "score_truth"] if study.is_simulated and study.pairs else []
    return [*steps, "write_provenance", "write_explorer", "render_report"]
