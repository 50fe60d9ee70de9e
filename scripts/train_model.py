"""Fine-tune a segmentation model on a user's annotated frames.

In: ``images`` and their ``masks``; ``start``, the file of the model from which training starts.
Out: ``model``, the new weights; ``card``, the model card: hashes of model and data, steps, score on held-out frames.
"""

import logging
from pathlib import Path

from cineseq.config.base import Section
from cineseq.config.imaging import Segment, Train
from cineseq.files import write_text
from cineseq.segmentation.annotated import median_diameter, read_frames, split
from cineseq.segmentation.cellpose import load_model
from cineseq.segmentation.finetuning import HeldOutScore, fine_tune, held_out_note, score, write_card
from cineseq.segmentation.movie import use_threads
from cineseq.segmentation.training import save
from cineseq.text import number
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step."""

    train: Train = Train()


def main(
    *,
    images: list[Path],
    masks: list[Path],
    model: Path,
    card: Path,
    settings: Settings,
    threads: int = 1,
    start: Path | None = None,
) -> None:
    """Fine-tune a segmentation model on annotated frames and write its weights and model card."""
    use_threads(threads)
    wanted = settings.train
    frames = read_frames(images, masks, wanted.groups)
    learned, held = split(frames, wanted.held_out, wanted.seed)
    diameter = wanted.diameter or median_diameter(learned)
    logger.info("Training on %d frames, %d held out; cells of %s px.", len(learned), len(held), number(diameter, 0))
    network = load_model(Segment(model=wanted.model, sha256=wanted.sha256), start)
    before = score(network, held, diameter)
    save(fine_tune(network, learned, diameter, wanted), model)
    after = score(load_model(Segment(model=str(model)), model), held, diameter)
    scored = HeldOutScore(before, after, held_out_note(frames, held))
    text = write_card(model, network, (learned, held), wanted, scored)
    write_text(text, card)
    logger.info("%s", next(line for line in text.splitlines() if line.startswith("- score")).removeprefix("- "))
    logger.info("To use it: segment: {model: %s}", model)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
