"""Compare the recordings of all fields of view.

In: the reports on the movies (or masks) of all fields. Out: ``report``, with serious notices where grey levels,
intervals or pixel sizes differ. Fields with other channels or types of pixels are refused, and so are pixel sizes that
differ while lengths are in pixels.
"""

import logging
from pathlib import Path

from pydantic import Field

from cineseq.config.base import Section
from cineseq.files import write_json
from cineseq.preprocessing.compare_fields import compare_fields, read_recorded
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step."""

    lengths_in_pixels: list[str] = Field(default_factory=list, description="Settings of lengths in pixels.")


def main(*, recorded: list[Path], report: Path, settings: Settings) -> None:
    """Compare the recordings of all fields of view."""
    fields = {path.stem.replace("@", "/"): read_recorded(path) for path in recorded}
    result = compare_fields(fields, settings.lengths_in_pixels)
    for notice in result["notices"]:
        logger.warning("%s", notice["text"])
    write_json(result, report)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
