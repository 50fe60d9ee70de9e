"""How cells are found in each frame."""

from typing import Self

from pydantic import Field, model_validator

from cineseq.config.base import Section


class Segment(Section):
    """Which model segments, on which channels, and which objects are kept."""

    model: str = Field(
        "compact",
        min_length=1,
        description="'compact' (shipped: nuclei, CPU), 'compact_phase' (shipped: phase contrast, to train on), "
        "'cpsam_v2' or 'cpsam' (cellpose, GPU), or the path of a checkpoint of one of them.",
    )
    sha256: str | None = Field(
        None,
        pattern=r"^[0-9a-f]{64}$",
        description="Expected SHA-256 of the model's file; null accepts any and reports it.",
    )
    download: bool = Field(
        default=False, description="Let cellpose download a model that it knows by name and that is not there yet."
    )
    channels: list[str] | None = Field(
        None,
        max_length=3,
        description="Channels to segment on (compact: one); null: the first that is no function channel.",
    )
    diameter: float | None = Field(
        None,
        gt=0,
        description="Typical cell diameter in um (px without a pixel size); null segments at the image's scale.",
    )
    cellprob_threshold: float = Field(
        0.0, ge=-6, le=6, description="Cell logit above which a pixel belongs to a cell; lower finds larger masks."
    )
    flow_threshold: float = Field(
        0.4, ge=0, le=3, description="Largest mean squared flow error of a mask; 0 keeps every mask."
    )
    min_area: float = Field(20.0, ge=0, description="Smallest mask in um2 (px without a pixel size).")
    max_area: float | None = Field(
        None, gt=0, description="Largest mask in um2 (px without a pixel size); null: no limit."
    )
    batch_size: int | None = Field(None, ge=1, description="Tiles per pass of the network; null chooses by device.")

    @model_validator(mode="after")
    def _areas_in_order(self) -> Self:
        if self.max_area is not None and self.max_area <= self.min_area:
            msg = f"max_area: must be above min_area ({self.min_area:g})"
            raise ValueError(msg)
        return self
