"""Write the tables, models and report of the generative step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cineseq.features.stored_crops import StoredCrops, no_crops
from cineseq.files import replacing
from cineseq.generative import counterfactuals, responders, study, timecurve
from cineseq.generative.figures import common_map, draw_confusion, draw_coverage, draw_map
from cineseq.generative.model import GenerativeModel, save
from cineseq.generative.picture_figures import NO_IMAGES, draw_decoded, draw_gallery, draw_gene_axis, gallery_cells
from cineseq.generative.responders import Responders
from cineseq.generative.share_tables import sentences
from cineseq.generative.shares import Shares
from cineseq.generative.study import Generated
from cineseq.generative.timecurve import TimeCurve
from cineseq.tables import generative as contracts
from cineseq.tables.contract import Table, empty, write_table
from cineseq.text import known, number, p_value

FLOW = "flow"
"""The sampler that is a trained generative model; the others are baselines."""
CARDS = "cards.json"
FEWEST_ON_A_MAP = 10
"""Fewest cells of which a map is drawn."""


def complete(frame: pd.DataFrame, contract: Table) -> pd.DataFrame:
    """Return a table with all columns of its contract; where nothing was estimated it has no rows."""
    if frame.empty:
        blank = empty(contract)
        families = [column.name.removesuffix("*") for column in contract.columns if column.is_family]
        return blank.assign(**{name: pd.Series(dtype=float) for name in families if not name.endswith("_")})
    declared = [column.name for column in contract.columns if not column.is_family and column.missing]
    return frame.assign(**{name: pd.NA for name in declared if name not in frame and name != "grouped_by"})


def write_complete(frame: pd.DataFrame, path: Path, contract: Table) -> None:
    """Write a table of the step with all columns of its contract."""
    write_table(complete(frame, contract), path, contract)


def draw_generated(found: Generated, seed: int, *, coverage: Path, confusion: Path, together: Path) -> None:
    """Draw the coverage of intervals, the classes of generated expression, and it and real expression on one map."""
    draw_coverage(complete(found.samplers, contracts.GENERATED_SAMPLERS), coverage)
    of_classes = complete(found.confusion, contracts.GENERATED_CONFUSION)
    draw_confusion(of_classes[of_classes["direction"] == study.DIRECTIONS[0]], confusion)
    cells = found.latents[found.latents["direction"] == study.DIRECTIONS[0]]
    latents = cells.filter(like="latent_").dropna(axis=1).to_numpy(float)
    map_of = common_map(latents, seed) if len(latents) >= FEWEST_ON_A_MAP else np.zeros((0, 2))
    own = cells if len(map_of) else cells.iloc[:0]
    classes = own["class"] if "class" in own else pd.Series("", own.index)
    draw_map(map_of, own["source"].to_numpy(str), classes.to_numpy(str), together)


def write_pictures(
    found: Generated,
    crops: StoredCrops | None,
    rows: int,
    *,
    gallery: Path | None,
    decoded: Path | None,
    axis: Path | None,
    reconstruction: Path | None,
) -> None:
    """Draw cells and decoded crops, and write the error of these; a path that is None is not written."""
    shown = no_crops() if crops is None else crops
    chosen = gallery_cells(complete(found.neighbours, contracts.GENERATED_NEIGHBOURS), shown, rows)
    if gallery is not None:
        draw_gallery(chosen, shown, gallery)
    if decoded is not None:
        draw_decoded(found.decoded, chosen, shown.channels, decoded)
    if axis is not None:
        draw_gene_axis(found.decoded, shown.channels, axis)
    if reconstruction is not None:
        errors = pd.DataFrame() if found.decoded is None else found.decoded.errors
        write_complete(errors, reconstruction, contracts.RECONSTRUCTION)


def write_models(models: dict[str, GenerativeModel], folder: Path) -> None:
    """Write the model of each direction and the cards of all, which are none where cells were too few."""
    folder.mkdir(parents=True, exist_ok=True)
    for direction, model in models.items():
        save(model, folder / f"{direction}.safetensors")
    with replacing(folder / CARDS) as temporary:
        cards = {direction: model.card for direction, model in models.items()}
        temporary.write_text(json.dumps(cards, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def report_of(
    made: Generated,
    explained: Shares,
    curve: TimeCurve,
    apart: Responders,
    changed: pd.DataFrame,
    *,
    with_images: bool,
) -> dict[str, Any]:
    """Return the report of the step: sentences on generation, shares, time and classes, each said once, and numbers.

    ``changed`` are the counterfactuals beside observed differences.
    """
    generation = study.report(made)
    lines = [str(line) for line in generation["lines"]]
    lines += of_samplers(made.samplers)
    numbers = {f"generated.{name}": value for name, value in generation["numbers"].items()}
    lines += explained.notes
    if len(explained.summary):
        shares = sentences(explained.summary, explained.targets, explained.calibration)
        lines += shares["lines"]
        numbers |= {f"shares.{name}": value for name, value in shares["numbers"].items()}
    lines += of_pictures(made, with_images=with_images)
    parts = {
        "time": timecurve.report(curve),
        "classes": responders.report(apart),
        "counterfactuals": counterfactuals.report(changed, made.changed),
    }
    for name, said in parts.items():
        lines += said["lines"]
        numbers |= {f"{name}.{key}": value for key, value in said["numbers"].items()}
    return {"lines": list(dict.fromkeys(lines)), "numbers": numbers}


def of_pictures(made: Generated, *, with_images: bool) -> list[str]:
    """Say whether what is generated for a cell is that cell's, and whose the pictures are."""
    lines = []
    for direction, rows in made.matches.groupby("direction", sort=False):
        said = []
        for row in rows.to_dict("records"):
            what = "predicted mean" if row["source"] == "mean" else "generated sample"
            said.append(
                f"{what}: median rank {number(row['median_rank'])}, {number(row['null_median'])} with shuffled pairs, "
                f"{p_value(row['p_value'])}"
                if known(row["median_rank"])
                else f"{what}: {row['note']}"
            )
        lines.append(
            f"{str(direction).replace('_', ' ')}, whether it is the cell's own (rank of the true cell among the "
            f"held-out cells of its field, 0 to 1; pairs are shuffled within field and class): {'; '.join(said)}."
        )
    if not with_images:
        lines.append(NO_IMAGES)
    return [*lines, *(made.decoded.notes if made.decoded is not None else ())]


def of_samplers(samplers: pd.DataFrame) -> list[str]:
    """Say by what the cells are generated: by the flow only where it beat every baseline."""
    lines = []
    for row in samplers[samplers["chosen"].astype(bool)].to_dict("records") if len(samplers) else []:
        direction, name = str(row["direction"]).replace("_", " "), str(row["sampler"]).replace("_", " ")
        tried = (samplers.loc[samplers["direction"] == row["direction"], "sampler"] == FLOW).any()
        if row["sampler"] == FLOW:
            lines.append(
                f"{direction}: flow matching is better than every baseline in both tests, and samples are its."
            )
        else:
            why = "flow matching did not beat it in both tests" if tried else "flow matching was not tried"
            lines.append(f"{direction}: samples are by the baseline '{name}'; {why}.")
    return lines
