"""How much of what tracking is least sure of is shown for a person to judge."""

from pydantic import Field

from cineseq.config.base import Section


class Curation(Section):
    """The list of uncertain links, divisions and ends; it changes no result."""

    rows: int = Field(100, ge=0, le=2000, description="Least certain events listed per field of view and per study.")
    frames_around: int = Field(3, ge=1, le=12, description="Frames shown before and after an event in its film strip.")
