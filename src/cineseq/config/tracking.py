"""Settings of tracking, and of the list of uncertain events."""

from typing import Any, Literal

from pydantic import Field, model_validator

from cineseq.config.base import Section, with_new_names

OLD_NAMES = {
    f"given_{key}": f"external_{key}" for key in ("format", "columns", "frame_interval", "pixel_size", "conflicts")
}
LAST_FRAMES, LIVING_FRAMES = 3, 12
"""Last frames of a track from which its end is judged, and frames of the living cell with which they are compared."""
JUDGED_FRAMES = LAST_FRAMES + LIVING_FRAMES
"""Frames up to the end of a track on which the model of ends draws."""


class Track(Section):
    """Linking, gap closing, divisions and ends."""

    search_range_px: float | None = Field(
        None,
        gt=0,
        description="Largest step between frames in px, after motion correction; null chooses it from the data.",
    )
    motion: Literal["auto", "none", "drift", "flow"] = Field(
        "auto",
        description="Common motion removed before linking: none, one drift per frame, the local flow, or auto (chosen"
        " from the data).",
    )
    overlap_weight: float = Field(
        1.0,
        ge=0,
        description="Weight of mask overlap against squared distance (both unit-free) when linking; 0: distance only.",
    )
    fragment_fraction: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="Objects with less than this fraction of the median area, inside the field, are fragments: kept as"
        " one-frame tracks, never linked.",
    )
    max_gap: int = Field(2, ge=0, description="Largest number of consecutive frames in which a cell may be missed.")
    division_cost: float = Field(
        1.6,
        gt=0,
        description="Largest cost of a division (unit-free, 0 is perfect); smaller gives fewer false divisions.",
    )
    mitosis_cues: bool = Field(
        default=False,
        description="Count rounding (from the masks) and condensation (from the brightness, where there is a "
        "movie) of the"
        " parent as evidence for a division. Off by default; the scores published with cineseq are without it.",
    )
    death_confidence: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Smallest probability at which an unexplained end is called a death; below it the track is lost.",
    )
    external_format: Literal["auto", "ctc", "trackmate", "geff", "btrack", "cell_acdc", "cineseq", "table"] = Field(
        "auto", description="Format of external tracks; auto tells it from the name and the content."
    )
    external_columns: dict[Literal["frame", "track", "label", "y", "x", "parent", "death"], str] = Field(
        default_factory=dict,
        description="Names of the columns of an external table of tracks, where they are not frame, track, label (or y"
        " and x), parent and death; or of a table of points, where they are not frame, y_px, x_px, label and "
        "track_id.",
    )
    external_frame_interval: float | None = Field(
        None,
        gt=0,
        description="Time between frames in the unit in which external tracks or points count time, such as 30 where "
        "they count minutes; null: they count frames, the first one being external_first_frame.",
    )
    external_first_frame: int = Field(
        0, description="Number that external tracks or points give to the first frame of the masks or movie, such as 1."
    )
    external_frame_step: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="Frames that external tracks or points count from one frame of the masks or movie to the next: 1 "
        "for those of the thinned movie, 2 where masks exist of every second frame; null: frame_step of the sheet, so "
        "that they count all frames.",
    )
    external_frames: Literal["all", "annotated"] = Field(
        "all",
        description="Which frames external tracks describe: all, so that a frame with objects and without a row is "
        "refused, or only those that were annotated; objects of the other frames are then tracks of one frame.",
    )
    external_pixel_size: float | None = Field(
        None,
        gt=0,
        description="Size of a pixel in the unit of the positions of external tracks or points; null: they are in "
        "pixels, or the file states it.",
    )
    external_conflicts: Literal["refuse", "cut"] = Field(
        "refuse",
        description="Where an external track has two parents (a merge) or a parent has more than two daughters: "
        "refuse the"
        " file, or cut these links, so that those parents are unknown, and count them.",
    )
    allow_empty: bool = Field(
        default=False,
        description="Accept a field in which no cell was found in any frame; false refuses it.",
    )
    border_px: float = Field(
        10.0, ge=0, description="Tracks that end or start nearer to the border than this may be exits or entries."
    )

    @model_validator(mode="before")
    @classmethod
    def _old_names(cls, raw: Any) -> Any:
        return with_new_names(raw, OLD_NAMES, "track")


class Curation(Section):
    """The list of uncertain links, divisions and ends; it changes no result."""

    rows: int = Field(100, ge=0, le=2000, description="Least certain events listed per field of view and per study.")
    frames_around: int = Field(3, ge=1, le=12, description="Frames shown before and after an event in its film strip.")
