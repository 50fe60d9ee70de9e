"""Settings of tracking, and of the list of uncertain events."""

import math
from typing import Any, Literal

from pydantic import ConfigDict, Field, model_validator

from cineseq.config.base import Section, with_new_names
from cineseq.deprecation import changed

OLD_NAMES = {
    f"given_{key}": f"external_{key}" for key in ("format", "columns", "frame_interval", "pixel_size", "conflicts")
}
LAST_FRAMES, LIVING_FRAMES = 3, 12
"""Last frames of a track from which its end is judged, and frames of the living cell with which they are compared."""
JUDGED_FRAMES = LAST_FRAMES + LIVING_FRAMES
"""Frames up to the end of a track on which the model of ends draws."""


COST_OF_EVEN_ODDS, SCALE_OF_COST = 1.48, 0.29
"""Of the logistic curve that gave the probability of a division from its cost, which ``division_cost`` limited."""


def _without_cost(raw: Any) -> Any:
    """Return the section with ``division_cost``, the former limit, as ``division_probability``."""
    if not isinstance(raw, dict) or "division_cost" not in raw:
        return raw
    left = {key: value for key, value in raw.items() if key != "division_cost"}
    cost = raw["division_cost"]
    if not isinstance(cost, (int, float)) or isinstance(cost, bool) or cost <= 0:
        msg = f"'track.division_cost' was a number above 0, not {cost!r}; set 'track.division_probability' (0 to 1)"
        raise ValueError(msg)
    likely = round(1 / (1 + math.exp(min((cost - COST_OF_EVEN_ODDS) / SCALE_OF_COST, 50))), 4)
    likely = min(max(likely, 0.0001), 0.9999)
    if left.setdefault("division_probability", likely) != likely:
        msg = "'track.division_cost' and 'track.division_probability' differ; keep 'track.division_probability' only"
        raise ValueError(msg)
    changed(
        "track.division_cost",
        f"divisions are now limited by their probability; {cost} became track.division_probability: {likely}, "
        "which is what that cost meant; state this key instead",
    )
    return left


class Track(Section):
    """Linking, gap closing, divisions and ends."""

    model_config = ConfigDict(allow_inf_nan=False)

    search_range_px: float | None = Field(
        None,
        gt=0,
        description="Largest link between frames in px, after motion correction; null looks at the six nearest cells "
        "within three distances between neighbours (or cell sizes, if larger), and at all masks that the moved mask "
        "overlaps.",
    )
    motion: Literal["auto", "none", "drift", "flow"] = Field(
        "auto",
        description="Common motion removed before linking: none, one drift per frame, the local flow, or auto (chosen"
        " from the data).",
    )
    overlap_weight: float = Field(
        1.0,
        ge=0,
        description="Weight of the overlap of masks in links and divisions, relative to the default; 0: overlaps are "
        "not used.",
    )
    fragment_fraction: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="Objects with less than this fraction of the median area, inside the field, are fragments: kept as"
        " one-frame tracks, never linked.",
    )
    max_gap: int = Field(2, ge=0, description="Largest number of consecutive frames in which a cell may be missed.")
    division_probability: float = Field(
        0.6,
        gt=0,
        lt=1,
        description="Smallest probability of a division, before it is calibrated; larger gives fewer false ones and "
        "misses more.",
    )
    step_noise_px: float | None = Field(
        None,
        ge=0.001,
        le=1_000_000,
        description="Scale of the steps of cells in px per frame, after the common motion; null learns it from the "
        "movie.",
    )
    division_rate: float | None = Field(
        None, gt=0, lt=0.5, description="Divisions per cell and frame; null learns the rate from the movie."
    )
    end_rate: float | None = Field(
        None,
        gt=0,
        lt=0.5,
        description="Tracks that end inside the field, without a division, per cell and frame; null learns the rate.",
    )
    appearance_rate: float | None = Field(
        None,
        gt=0,
        lt=0.5,
        description="Tracks that begin inside the field, not by a division, per cell and frame; null learns the rate.",
    )
    missed_rate: float | None = Field(
        None, gt=0, lt=0.5, description="Cells that are missed in a frame, per cell and frame; null learns the rate."
    )
    merges: bool = Field(
        default=True,
        description="Follow two touching cells through a mask that they share for up to six frames, where their areas "
        "show it; false: cells that part after sharing a mask may be taken for daughters.",
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
        return with_new_names(_without_cost(raw), OLD_NAMES, "track")


class Curation(Section):
    """The list of uncertain links, divisions and ends; it changes no result."""

    rows: int = Field(100, ge=0, le=2000, description="Least certain events listed per field of view and per study.")
    frames_around: int = Field(3, ge=1, le=12, description="Frames shown before and after an event in its film strip.")
