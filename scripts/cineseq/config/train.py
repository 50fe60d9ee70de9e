"""Training a segmentation model on a user's own annotated frames."""

from pydantic import Field

from cineseq.config.base import Section


class Train(Section):
    """Which annotated frames, from which model on, and for how long."""

    images: list[str] = Field(
        [], description="Annotated frames: paths or patterns; one grey plane each (TIFF or PNG). Target 'train'."
    )
    masks: list[str] = Field(
        [], description="Their label images, in the same order: one positive integer per cell, 0 the background."
    )
    groups: list[str] | None = Field(
        None,
        description="Group of each frame (movie, well, donor), in the order of images; a group is held out whole. "
        "null: every frame is its own.",
    )
    model: str = Field(
        "compact",
        min_length=1,
        description="Model to go on from: compact, compact_phase, cpsam_v2, cpsam or the path of a checkpoint.",
    )
    held_out: float = Field(
        0.25, ge=0, lt=1, description="Share of groups (at least one) that the score is from; 0 trains on all."
    )
    diameter: float | None = Field(
        None, gt=0, description="Diameter in px that is brought to 30 px (compact models); null: the masks' median."
    )
    epochs: int = Field(100, ge=1, description="Epochs; from 100 on the learning rate falls in the last 50.")
    tiles: int = Field(16, ge=1, description="Tiles per epoch, drawn at random with turns, mirrors and zooms.")
    learning_rate: float | None = Field(
        None, gt=0, description="Of AdamW; null: 0.002 for the compact models, 0.00001 for cpsam."
    )
    seed: int = Field(1, ge=0, description="Seed of the choice of what is held out.")
