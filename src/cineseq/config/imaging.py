"""Settings of movies, channels, segmentation and the training of segmentation models."""

import re
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from cineseq.config.base import LARGEST_SEED, Section
from cineseq.text import significant

PATTERNS_BY_NAME = (
    *("incucyte", "imagexpress", "operetta", "micromanager", "nikon", "metamorph", "celldiscoverer", "cytation"),
    *("yokogawa", "incell", "zen", "leica", "cellpose_masks"),
)
"""Names that ``inputs.channel_pattern`` takes instead of a regular expression."""


class Inputs(Section):
    """How raw movies are read and corrected."""

    pixel_size_um: float | None = Field(
        None,
        gt=0,
        description="Micrometres per pixel; null takes it from the file; without it lengths are in pixels.",
    )
    frame_interval_min: float | None = Field(
        None,
        gt=0,
        description="Minutes between frames as recorded (before frame_step); null takes it from the file.",
    )
    frame_step: int = Field(
        1, ge=1, description="Use every n-th frame; the column frame_step of the sheet has priority."
    )
    channel_pattern: str | None = Field(
        None,
        description="How the paths of a series tell channels and frames: a microscope (incucyte, imagexpress, "
        "operetta, micromanager, nikon, metamorph, celldiscoverer, cytation, yokogawa, incell, zen, leica), "
        "cellpose_masks (passes over what cellpose writes beside images), or a regular expression with a group "
        "'channel' or 'frame', or both, e.g. '_(?P<channel>[PRG])_'; null: each file of a series is one frame.",
    )
    missing_frames: Literal["refuse", "empty"] = Field(
        "refuse",
        description="Frames that the numbers in file names show to be lost: refuse, or empty, which keeps their time "
        "without cells.",
    )
    axes: str | None = Field(
        None,
        description="Axes of the stored arrays, one letter each in their order, such as TCYX or TYXC (T time, "
        "C channel, Z plane, Y row, X column); null takes those of the file.",
    )
    frame_times: Literal["file", "regular"] = Field(
        "file",
        description="file: times that the file states for its planes have priority, and irregular ones are kept; "
        "regular: frames are one interval apart.",
    )
    missing_chunks: Literal["refuse", "mask", "fill"] = Field(
        "refuse",
        description="Chunks of a Zarr image that are not stored, because they were lost or are empty: refuse; mask, "
        "which leaves out the whole frame; or fill, which takes them for empty. A frame and channel without any chunk "
        "is refused. In masks they are background.",
    )
    allow_single_frame: bool = Field(
        default=False,
        description="Accept movies and masks of a single frame; cells are then measured but not tracked. false: an "
        "error.",
    )
    allow_black_frames: bool = Field(
        default=False,
        description="Accept frames with a single grey level in a channel that is not a function channel; false: an "
        "error.",
    )
    flat_field: Literal["none", "estimate"] = Field(
        "none", description="Divide by a smooth illumination profile estimated from the background of the movie."
    )
    camera_offset: float = Field(
        0.0,
        ge=0,
        description="Grey level of the camera in the dark; the flat field is applied to the signal above it.",
    )
    drift: Literal["none", "translation"] = Field(
        "none", description="Undo the translation between consecutive frames, in whole pixels."
    )
    drift_channel: str | None = Field(
        None, description="Channel on which drift is measured; null: the first that is not a function channel."
    )

    @field_validator("axes")
    @classmethod
    def _are_axes(cls, axes: str | None) -> str | None:
        if axes is None:
            return None
        letters = axes.upper()
        if set(letters) - set("TCZYX") or len(set(letters)) < len(letters) or not {"Y", "X"} <= set(letters):
            msg = f"'{axes}' should be letters out of T, C, Z, Y and X, each at most once, with Y and X, as in TCYX"
            raise ValueError(msg)
        return letters

    @field_validator("channel_pattern")
    @classmethod
    def _is_pattern(cls, pattern: str | None) -> str | None:
        if pattern is not None and pattern not in PATTERNS_BY_NAME:
            try:
                groups = re.compile(pattern).groupindex
            except re.error as error:
                msg = f"not a regular expression ({error}), nor one of {', '.join(PATTERNS_BY_NAME)}"
                raise ValueError(msg) from None
            if not {"channel", "frame"} & set(groups):
                msg = (
                    "needs a group named channel, written (?P<channel>...), or one named frame, or is one of "
                    f"{', '.join(PATTERNS_BY_NAME)}"
                )
                raise ValueError(msg)
        return pattern


class Channels(Section):
    """Names of the channels, and which of them measure function."""

    names: list[str] | dict[str, str] | None = Field(
        None,
        description="null takes the names of the file. Names that are all in the file select and order the channels "
        "that are kept; {DAPI: nuclear} renames them too. Other names are those of all channels in file order, where "
        "the file has none, or placeholders such as Channel 0.",
    )
    function: list[str] = Field(
        default_factory=list,
        description="Channels that measure function; they are not used for masks, morphology or embeddings.",
    )
    death: str | None = Field(
        None,
        description="Channel of a stain of dead cells (propidium iodide, Annexin V, a caspase reporter). Stained "
        "tracks are compared with called deaths and change none of them; the channel is used for nothing else.",
    )
    allow_function_in: list[Literal["segment", "morphology", "embed", "pictures"]] = Field(
        default_factory=list,
        description="Steps that may use the function channels nevertheless; the report says so. pictures: the crops "
        "of single cells that the generative step shows and decodes.",
    )

    @field_validator("names")
    @classmethod
    def _are_distinct(cls, names: list[str] | dict[str, str] | None) -> list[str] | dict[str, str] | None:
        new = list(names.values()) if isinstance(names, dict) else names
        if new is not None and (not new or len(set(new)) < len(new)):
            msg = "expected at least one name, and each only once"
            raise ValueError(msg)
        if any("/" in name for name in new or ()):
            msg = "the name of a channel must not contain a slash, because columns are named after it"
            raise ValueError(msg)
        return names

    @property
    def new_names(self) -> list[str] | None:
        """The names of the channels that are kept; None if those of the file are."""
        return list(self.names.values()) if isinstance(self.names, dict) else self.names

    @model_validator(mode="after")
    def _death_is_no_function(self) -> "Channels":
        if self.death is not None and self.death in self.function:
            msg = f"death: '{self.death}' is in channels.function too; keep it in one of them"
            raise ValueError(msg)
        return self

    def open_to(self, step: str, present: tuple[str, ...]) -> tuple[str, ...]:
        """Return the channels of ``present`` that a step may use, in order; see ``allow_function_in`` for its name."""
        closed = {self.death} if step in self.allow_function_in else {*self.function, self.death}
        return tuple(c for c in present if c not in closed)


class Segment(Section):
    """The segmentation model, its channels, and the objects that are kept."""

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
        default=False,
        description="Let cellpose download a model that it knows by name and that is not on this machine yet; needs "
        "sha256.",
    )
    channels: list[str] | None = Field(
        None,
        max_length=3,
        description="Channels to segment on (compact: one); null: the first that is not a function channel.",
    )
    diameter: float | None = Field(
        None,
        gt=0,
        description="Typical cell diameter in um (px without a pixel size); null segments at the image's scale.",
    )
    cellprob_threshold: float = Field(
        0.0,
        ge=-6,
        le=6,
        description="Cell logit above which a pixel belongs to a cell; a lower threshold gives larger masks.",
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
            msg = f"max_area: must be above min_area ({significant(self.min_area, 6)})"
            raise ValueError(msg)
        return self


class Train(Section):
    """The annotated frames, the model that training starts from, and the length of training."""

    images: list[str] = Field(
        [],
        description="Annotated frames as paths or patterns, one grey plane each (TIFF or PNG); for the target 'train'.",
    )
    masks: list[str] = Field(
        [], description="Their label images, in the same order: one positive integer per cell, 0 the background."
    )
    groups: list[str] | None = Field(
        None,
        description="Group of each frame (movie, well, donor), in the order of images; a group is never split. "
        "null: every frame is a group of its own.",
    )
    model: str = Field(
        "compact",
        min_length=1,
        description="Model that training starts from: compact, compact_phase, cpsam_v2, cpsam or the path of a "
        "checkpoint.",
    )
    sha256: str | None = Field(
        None,
        pattern=r"^[0-9a-f]{64}$",
        description="SHA-256 that this model must have; needed to download it. null accepts any.",
    )
    held_out: float = Field(
        0.25,
        ge=0,
        lt=1,
        description="Fraction of the groups (at least one) that are held out for the score; 0 trains on all.",
    )
    diameter: float | None = Field(
        None,
        gt=0,
        description="Diameter in px that is scaled to 30 px (compact models); null: the median of the masks.",
    )
    epochs: int = Field(
        100, ge=1, description="Number of epochs; with 100 or more the learning rate decays in the last 50."
    )
    tiles: int = Field(16, ge=1, description="Tiles per epoch, drawn at random with rotation, reflection and zoom.")
    learning_rate: float | None = Field(
        None, gt=0, description="Learning rate of AdamW; null: 0.002 for the compact models, 0.00001 for cpsam."
    )
    seed: int = Field(1, ge=0, le=LARGEST_SEED, description="Seed of the choice of the held-out groups.")
