"""Write the tables, models and report of the generative step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from cineseq.files import replacing
from cineseq.generative import study, timecurve
from cineseq.generative.model import GenerativeModel, save
from cineseq.generative.share_tables import sentences
from cineseq.generative.shares import Shares
from cineseq.generative.study import Generated
from cineseq.generative.timecurve import TimeCurve
from cineseq.tables import generative as contracts
from cineseq.tables.contract import Table, empty, write_table

FLOW = "flow"
"""The sampler that is a trained generative model; the others are baselines."""
CARDS = "cards.json"


def write_generated(
    found: Generated,
    *,
    directions: Path,
    learners: Path,
    samplers: Path,
    judged: Path,
    confusion: Path,
    genes: Path,
    neighbours: Path,
    latents: Path,
) -> None:
    """Write the tables of generated cells."""
    _write(found.directions, directions, contracts.GENERATED_DIRECTIONS)
    _write(found.learners, learners, contracts.GENERATED_LEARNERS)
    _write(found.samplers, samplers, contracts.GENERATED_SAMPLERS)
    _write(found.judged, judged, contracts.GENERATED_JUDGED)
    _write(found.confusion, confusion, contracts.GENERATED_CONFUSION)
    _write(found.genes, genes, contracts.GENERATED_GENES)
    _write(found.neighbours, neighbours, contracts.GENERATED_NEIGHBOURS)
    _write(found.latents, latents, contracts.GENERATED_LATENTS)


def write_shares(found: Shares, *, summary: Path, targets: Path, calibration: Path) -> None:
    """Write the tables of the decomposition of variance."""
    _write(found.summary, summary, contracts.SHARES_SUMMARY)
    _write(found.targets, targets, contracts.SHARES_TARGETS)
    _write(found.calibration, calibration, contracts.SHARES_CALIBRATION)


def write_curve(found: TimeCurve, *, curve: Path, visible: Path) -> None:
    """Write the tables of the curve over time."""
    _write(found.curve, curve, contracts.TIME_CURVE)
    _write(found.visible, visible, contracts.TIME_GENES)


def _write(frame: pd.DataFrame, path: Path, contract: Table) -> None:
    """Write a table; one in which nothing is estimable has no rows, and a value that was not estimated is missing."""
    blank = empty(contract)
    declared = [column.name for column in contract.columns if not column.is_family and column.missing]
    lacking = {name: pd.NA for name in declared if name not in frame and name in blank}
    write_table(frame.assign(**lacking) if len(frame) else blank, path, contract)


def write_models(models: dict[str, GenerativeModel], folder: Path) -> None:
    """Write the model of each direction and the cards of all, which are none where cells were too few."""
    folder.mkdir(parents=True, exist_ok=True)
    for direction, model in models.items():
        save(model, folder / f"{direction}.safetensors")
    with replacing(folder / CARDS) as temporary:
        cards = {direction: model.card for direction, model in models.items()}
        temporary.write_text(json.dumps(cards, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def report_of(made: Generated, explained: Shares, curve: TimeCurve) -> dict[str, Any]:
    """Return the report of the step: sentences on generation, shares and time, each said once, and numbers."""
    generation = study.report(made)
    lines = [str(line) for line in generation["lines"]]
    lines += _of_samplers(made.samplers)
    numbers = {f"generated.{name}": value for name, value in generation["numbers"].items()}
    lines += explained.notes
    if len(explained.summary):
        shares = sentences(explained.summary, explained.targets, explained.calibration)
        lines += shares["lines"]
        numbers |= {f"shares.{name}": value for name, value in shares["numbers"].items()}
    over_time = timecurve.report(curve)
    lines += over_time["lines"]
    numbers |= {f"time.{name}": value for name, value in over_time["numbers"].items()}
    return {"lines": list(dict.fromkeys(lines)), "numbers": numbers}


def _of_samplers(samplers: pd.DataFrame) -> list[str]:
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
