"""Embed crops of the cells of one field of view with a vision transformer.

In: label stack, movie, detections and tracks, and the file of the weights unless it is on the model hub. Out: a table
with one row per embedded object and one block of columns per channel, and a report that names the model and the hash
of its weights. Function channels are left out unless ``channels.allow_function_in`` names this step.
"""

from cineseq.workflow.guard import guard

guard(globals().get("snakemake"))

import logging
from pathlib import Path

import torch

from cineseq.config.base import FieldOfView, Section
from cineseq.config.features import Embed, Features
from cineseq.config.imaging import Channels
from cineseq.features.channels import channels_for, check_same_size
from cineseq.features.crops import crop_side
from cineseq.features.embed_field import Task, embed_objects, embed_report, wanted_objects
from cineseq.features.embedder import load_embedder
from cineseq.files import write_json
from cineseq.io.stacks import open_labels, open_movie
from cineseq.tables.contract import read_table, write_table
from cineseq.tables.imaging import DETECTIONS, EMBEDDINGS, TRACKS
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step."""

    field: FieldOfView = FieldOfView()
    channels: Channels = Channels()
    features: Features = Features()
    embed: Embed = Embed()


def main(
    *,
    labels: Path,
    movie: Path,
    detections: Path,
    tracks: Path,
    model: Path | None = None,
    embeddings: Path,
    report: Path,
    settings: Settings,
    threads: int = 1,
) -> None:
    """Embed one field of view."""
    torch.set_num_threads(threads)
    embedder = load_embedder(settings.embed, model)
    found, followed = read_table(detections, DETECTIONS), read_table(tracks, TRACKS)
    wanted = wanted_objects(found, followed, settings.features, settings.embed)
    with open_labels(labels) as stack, open_movie(movie) as source:
        check_same_size(stack, source)
        channels = channels_for("embed", settings.embed.channels, settings.channels, source)
        task = Task(stack, source, channels, embedder, crop_side(stack, settings.embed), settings.embed)
        table = embed_objects(task, wanted)
        result = embed_report(task, wanted, len(followed))
    for line in result["lines"]:
        logger.info("%s", line)
    write_table(table, embeddings, EMBEDDINGS)
    write_json(result, report)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
