"""Download the models before jobs run without a network.

In: the settings, which name a segmentation model, an embedding model, and a model to fine-tune.
Out: ``record``, their files and hashes.
"""

import logging
from pathlib import Path

from cineseq.config.base import Section
from cineseq.config.features import Embed
from cineseq.config.imaging import Segment, Train
from cineseq.features.embedder import fetch_embedder
from cineseq.files import sha256, write_json
from cineseq.segmentation.cellpose import fetch_segmenter
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step."""

    segment: Segment = Segment()
    embed: Embed = Embed()
    train: Train = Train()


def main(*, record: Path, settings: Settings) -> None:
    """Download missing models, and record files and hashes."""
    # Running this step allows the download.
    files = {
        "segment": fetch_segmenter(settings.segment.model_copy(update={"download": True})),
        "embed": fetch_embedder(settings.embed),
    }
    if settings.train.images:
        files["train"] = fetch_segmenter(
            Segment(model=settings.train.model, sha256=settings.train.sha256, download=True)
        )
    entries = {
        step: {"file": str(path), "sha256": sha256(path), "bytes": path.stat().st_size}
        for step, path in files.items()
        if path is not None
    }
    for step, entry in entries.items():
        logger.info("%s: %s, SHA-256 %s.", step, entry["file"], entry["sha256"])
    write_json(entries, record)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
