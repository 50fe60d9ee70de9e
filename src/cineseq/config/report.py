"""Settings of the report."""

from typing import Annotated

from pydantic import Field

from cineseq.config.base import Section


class Report(Section):
    """Contents of the report page. The page stays below 20 MB with any settings."""

    caveats: list[Annotated[str, Field(min_length=1)]] = Field(
        default_factory=list,
        description="Sentences shown with the answers about prediction: what a reader must know about these data, such "
        "as that the genes were chosen on the same cells.",
    )
    title: str = Field("", description="Title of the page; empty takes the name of the run.")
    fields_shown: int = Field(
        6, ge=2, le=24, description="Fields of view shown with a picture: half of them typical, half of them the worst."
    )
    strips: int = Field(
        500,
        ge=0,
        description="Film strips of cells in the explorer, of each field of view: cells that reach the last frame "
        "first, then those with relatives.",
    )
    genes: int = Field(2000, ge=0, description="Genes in the explorer: those that vary most between cells.")
    table_rows: int = Field(12, ge=1, le=200, description="Rows shown of each long table; the whole table is a file.")
