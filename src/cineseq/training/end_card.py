"""Write the model card of the model of ends."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cineseq.files import sha256, write_text
from cineseq.text import count, number
from cineseq.tracking.end_features import FROM_IMAGES, FROM_MASKS
from cineseq.training.end_training import DEPTH, ROUNDS, Fitted, scores


def write_card(table: pd.DataFrame, fitted: dict[str, Fitted], seed: int, model: Path, card: Path) -> None:
    """Write the model card of ``model`` as Markdown.

    Parameters
    ----------
    table
        The ends that it was trained on.
    fitted
        What was fitted, by what it needs.
    seed
        Seed of the trees.
    model, card
        The file of the model, and the file to write.
    """
    by_need = {name: scores(one.held_out[~one.held_out["drawn"]]) for name, one in fitted.items()}
    names = [name for name in next(iter(by_need.values())) if name != "ends"]
    kinds = table.loc[~table["drawn"], "true_end"].value_counts()
    lines = [
        "# Model of how tracks end",
        "",
        f"File `{model.name}`, SHA-256 `{sha256(model)}`.",
        "",
        f"**What it is.** Boosted trees ({ROUNDS} rounds of depth {DEPTH} for four classes: death, lost mitosis, other "
        "loss, exit) over the features below, with isotonic maps to probabilities of death and of lost mitosis. One "
        "set of trees needs a movie with a channel in which nuclei stand out; the other uses masks alone.",
        "",
        "**What it is not.** No death annotated in a real movie was at hand. The pictures of nuclei are real, but "
        "single frames: how long a stage lasts, how a body fades and how segmentation fails are simulated. The nuclei "
        "are HeLa cells with a histone label. On other cells and labels, calibrate with your own curated events "
        "(docs/curation.md).",
        "",
        f"**Training.** {count(int((~table['drawn']).sum()))} ends in simulated movies with pasted real nuclei "
        f"({', '.join(f'{count(int(n))} {kind}' for kind, n in kinds.items())}) and "
        f"{count(int(table['drawn'].sum()))} in movies with the drawn nuclei of the simulated experiment, weighted so "
        "that the four kinds count equally. "
        f"Seed {seed}. Made by `tools/train_ends.py`.",
        "",
        "**Sources and licences.** Crops of nuclei from MitoCheck (Neumann et al. 2010), labelled and cut by "
        "WayScience/phenotypic_profiling_model, CC BY 4.0; they are not part of cineseq, and the model holds no "
        "picture. The model is BSD-3-Clause.",
        "",
        "**Scores.** On ends with pasted nuclei in folds whose movies were not trained on, kinds of end weighted "
        "1:1:1:1. A fifth of the movies was held out altogether; `make bench-measurements` scores on it.",
        "",
        "| | " + " | ".join(by_need) + " |",
        "|---|" + "---|" * len(by_need),
        *(f"| {name} | " + " | ".join(number(by_need[need][name]) for need in by_need) + " |" for name in names),
        "",
        "**Features.** All are without unit; `left` is the probability of an exit.",
        "",
        "| feature | meaning |",
        "|---|---|",
        *(f"| `{name}` | {meaning} |" for name, meaning in (FROM_MASKS | FROM_IMAGES).items()),
        "",
    ]
    write_text("\n".join(lines), card)
