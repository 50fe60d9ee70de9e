"""Train the model of how tracks end (not a rule; its result is in resources/).

In: a folder of labelled crops of nuclei (``crops.npz`` and ``index.csv``, MitoCheck), which is not part of cineseq, and
a seed. Out: ``model``, boosted trees with isotonic maps as JSON, and ``card``, its model card with the scores on folds
of movies that were not trained on. A fifth of the movies of the nuclei is never used here: the benchmark scores on it.
"""

import logging
from pathlib import Path

import pandas as pd
from pydantic import Field

from cineseq.config.base import Section
from cineseq.tracking.end_model import MODEL_FILE
from cineseq.training.end_card import write_card
from cineseq.training.end_nuclei import read_nuclei
from cineseq.training.end_training import IMAGES, MASKS, ends_of, fit, scores, write_model
from cineseq.workflow.step import run

CROPS = Path("../shared/data/nuclei_classes_mitocheck")
CARD = MODEL_FILE.with_suffix(".md")
logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this script."""

    pasted: int = Field(56, ge=8, description="Movies with pasted real nuclei.")
    drawn: int = Field(20, ge=4, description="Movies with the drawn nuclei of the simulated experiment.")
    seed: int = Field(1, description="Seed of the trees.")


def main(
    *,
    nuclei: Path = CROPS,
    model: Path = MODEL_FILE,
    card: Path = CARD,
    features: Path | None = None,
    settings: Settings,
) -> None:
    """Simulate movies, train the model, and write it with its card; ``features`` keeps the table of ends."""
    if features is not None and features.exists():
        table = pd.read_parquet(features)
    else:
        table = ends_of(read_nuclei(nuclei), settings.pasted, settings.drawn)
        if features is not None:
            table.to_parquet(features)
    with_images, from_masks = fit(table, IMAGES, settings.seed), fit(table, MASKS, settings.seed)
    write_model("ends_compact", with_images, from_masks, model)
    for name, fitted in (("with images", with_images), ("masks alone", from_masks)):
        logger.info("%s: %s", name, scores(fitted.held_out))
    write_card(table, {"with a movie": with_images, "masks alone": from_masks}, settings.seed, model, card)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
