"""Settings of the measurements on cells: feature frames, morphology, embedding and function."""

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from cineseq.config.base import Section
from cineseq.deprecation import changed
from cineseq.text import significant

Measure = Literal["integrated", "mean", "spot_count", "spot_intensity"]
SHA256_PATTERN = r"^[0-9a-f]{64}$"
UNTRAINED = "untrained:"
"""Prefix of a model's name whose weights are random numbers."""
SpotRadius = Annotated[float, Field(ge=1, description="Radius of a spot in pixels.")]
SpotThreshold = Annotated[
    float,
    Field(gt=0, description="Least response of a spot, in robust standard deviations of its neighbourhood."),
]
Summary = Literal[
    "endpoint",
    "maximum",
    "auc",
    "auc_per_hour",
    "rate",
    "plateau",
    "onset",
    "time_to_half",
    "responded",
    "slope",
    "slope_after_onset",
    "growth",
    "time_above",
    "steps",
    "first_step",
]
SUMMARIES: tuple[str, ...] = get_args(Summary)
LEVELS = frozenset({"endpoint", "maximum", "auc", "auc_per_hour", "plateau", "slope", "slope_after_onset", "growth"})
"""Summaries in units of the signal, which scaling between samples divides; the others are times, rates and counts."""


def say_what_changed(summary: str, maximum_quantile: float) -> None:
    """Warn, once per process, of a summary whose meaning has changed or is easily mistaken."""
    if summary == "slope":
        what = "it is now the steepest window; the slope from the onset to the end, as before, is slope_after_onset"
        changed("summary: slope", what)
    if summary == "maximum" and maximum_quantile < 1:
        quantile = f"it is now the quantile {significant(maximum_quantile)} of a track's values"
        changed("summary: maximum", f"{quantile}; the highest value, as before, is with maximum_quantile: 1")
    if summary == "auc":
        changed("summary: auc", "it grows with the time for which a cell is seen; auc_per_hour does not")


class Features(Section):
    """The frames of a track from which the features of the cell are taken."""

    frames: Literal["last_live_frame", "endpoint", "before_function"] = Field(
        "last_live_frame",
        description="last_live_frame: the last frame in which the cell was seen alive; endpoint: the last frame of the "
        "movie, only for cells that reach it; before_function: the frames before function_onset_frame.",
    )
    window_frames: int = Field(
        1, ge=1, description="Number of frames that are averaged, ending with the chosen one; 1 uses that frame only."
    )
    function_onset_frame: int | None = Field(
        None,
        ge=1,
        description="Frame in which function begins, such as when beads are added, from 0; for before_function.",
    )
    death_margin_frames: int = Field(
        2,
        ge=0,
        description="Number of last frames, of a track that ends in death, in which the cell counts as dying; more "
        "where tracks follow the body for longer.",
    )

    @model_validator(mode="after")
    def _onset_is_set(self) -> "Features":
        if self.frames == "before_function" and self.function_onset_frame is None:
            msg = "function_onset_frame: must be a frame number when frames is before_function"
            raise ValueError(msg)
        return self


class Morphology(Section):
    """How shape, intensity and texture are measured."""

    channels: list[str] | None = Field(
        None, description="Channels whose intensity and texture are measured; null: all but the function channels."
    )
    minimum_area_px: int = Field(
        50,
        ge=1,
        description="Objects smaller than this are counted in the report, because their perimeter and solidity "
        "are biased.",
    )
    background_gap_px: float = Field(
        2.0, ge=0, description="Gap in pixels between a mask and the ring of its local background."
    )
    background_ring_px: float = Field(5.0, gt=0, description="Width in pixels of the ring of local background.")
    texture_levels: int = Field(16, ge=2, le=64, description="Grey levels of the co-occurrence matrix.")
    texture_distance_px: int = Field(
        1, ge=1, description="Distance in pixels between the two pixels of a co-occurring pair."
    )
    spots: bool = Field(default=False, description="Count bright spots, and sum their intensity, in each channel.")
    spot_radius_px: SpotRadius = 1.5
    spot_threshold: SpotThreshold = 4.5


class Embed(Section):
    """How images of single cells become vectors."""

    model: str | None = Field(
        "compact",
        min_length=1,
        description="compact (shipped, trained on simulated cells), a timm name that is downloaded from the model hub "
        "(vit_small_patch14_dinov2.lvd142m), or a local .safetensors or .pth file; null computes no embeddings.",
    )
    channels: list[str] | None = Field(
        None, description="Channels that are embedded, each separately; null: all but the function channels."
    )
    architecture: str | None = Field(
        None, description="timm architecture of a local file that does not state it, such as vit_small_patch14_dinov2."
    )
    sha256: str | None = Field(
        None,
        pattern=SHA256_PATTERN,
        description="SHA-256 that the weights must have; null records the hash without a check.",
    )
    revision: str | None = Field(
        None,
        pattern="^[0-9a-f]{40}$",
        description="Commit of the model on the hub, 40 hexadecimal digits; with sha256 it is needed for a download.",
    )
    allow_untrained: bool = Field(
        False,  # noqa: FBT003 - a default
        description="Allow the model untrained:<architecture>, with random weights, for trials; every output says so.",
    )
    frames: Literal["feature", "every", "all"] = Field(
        "feature",
        description="Frames that are embedded: feature: those that features.frames chooses; every: each "
        "every_n-th frame; all.",
    )
    every_n: int = Field(10, ge=1, description="Step in frames when frames is every.")
    crop_um: float | None = Field(
        None, gt=0, description="Side of the square crop in micrometres; set it to make fields and runs comparable."
    )
    crop_px: int | None = Field(
        None,
        ge=8,
        description="Side of the crop in pixels; null for both: 1.25 times the field's 99th percentile of cell size, "
        "rounded up in coarse steps.",
    )
    surroundings: Literal["masked", "context"] = Field(
        "masked",
        description="masked: everything outside the cell is replaced by local background; context: only "
        "neighbouring cells are.",
    )
    margin_px: float = Field(3.0, ge=0, description="Pixels around the mask that are kept with the cell.")
    clip_percentiles: tuple[float, float] = Field(
        (0.1, 99.9), description="Percentiles of the movie, per channel, that are mapped to black and white."
    )
    image_px: int | None = Field(
        None,
        ge=16,
        description="Side in pixels that crops are resized to; null: the size of the compact model, otherwise 112.",
    )
    orientations: Literal[1, 4, 8] = Field(
        4,
        description="Views of the crop over which embeddings are averaged: 1, 4 rotations, or 8 rotations and "
        "mirrored rotations.",
    )
    batch_size: int = Field(64, ge=1, description="Number of crops per pass of the model.")
    bfloat16: bool = Field(
        False,  # noqa: FBT003 - a default
        description="Compute in bfloat16: faster for large models, slightly less precise.",
    )

    @model_validator(mode="after")
    def _one_way(self) -> "Embed":
        if self.crop_um is not None and self.crop_px is not None:
            msg = "crop_px: set crop_um or crop_px, not both"
            raise ValueError(msg)
        low, high = self.clip_percentiles
        if not 0 <= low < high <= 100:
            msg = "clip_percentiles: must be two increasing percentiles between 0 and 100"
            raise ValueError(msg)
        if self.model is not None and self.model.startswith(UNTRAINED) and not self.allow_untrained:
            msg = f"model: '{self.model}' has random weights; set allow_untrained to true for a trial, or name a model"
            raise ValueError(msg)
        return self


class Score(Section):
    """One function score of a track."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="Name; the column is function_<name>.")
    channel: str = Field(min_length=1, description="Function channel that is measured.")
    summary: Summary = Field(
        "endpoint",
        description="endpoint: mean of the last live frames; maximum: a high quantile; auc: area in grey-level hours, "
        "which grows with the time seen; auc_per_hour: area over a common window; rate, plateau, onset, time_to_half, "
        "responded: of a saturating fit; slope: steepest window, per hour; slope_after_onset; growth: endpoint minus "
        "the first frames; time_above: hours above the threshold; steps, first_step: number and first time of steps.",
    )
    measure: Measure | None = Field(None, description="Measure of the score; null: the section's.")
    threshold: float | None = Field(None, description="Level of time_above, in units of the measure.")
    responders_only: bool = Field(
        default=False, description="Leave the score out where the signal does not rise, to score how much apart."
    )
    from_frame: int | None = Field(
        None, ge=0, description="First frame of the movie that counts, from 0; null: the first one."
    )
    to_frame: int | None = Field(None, ge=0, description="Last frame of the movie that counts; null: the last one.")

    @model_validator(mode="after")
    def _rising(self) -> "Score":
        if self.to_frame is not None and self.from_frame is not None and self.to_frame < self.from_frame:
            msg = f"to_frame: must not be before from_frame ({self.from_frame})"
            raise ValueError(msg)
        if (self.summary == "time_above") != (self.threshold is not None):
            msg = "threshold: must be a level where summary is time_above, and only there"
            raise ValueError(msg)
        return self


class Function(Section):
    """How a function channel becomes scores of tracks."""

    scores: list[Score] = Field(
        default_factory=list,
        description="Scores (name, channel, summary) of each track; empty: no function is scored.",
    )
    measure: Measure = Field(
        "integrated",
        description="integrated: sum over the cell's region above background, for uptake and expression; mean: per "
        "pixel, for concentrations; spot_count, spot_intensity: of bright spots. A score may choose its own.",
    )
    region: Literal["cell", "mask"] = Field(
        "cell",
        description="cell: masks of nuclei, dilated by region_px or to the border between neighbours, which follows "
        "the signal; or cell_masks of the sheet; mask: as they are, for masks of whole cells.",
    )
    region_px: float | None = Field(
        None, ge=0, description="How far a cell reaches beyond its mask, in pixels; null: 1.5 radii of the masks."
    )
    background: Literal["empty", "ring", "percentile"] = Field(
        "empty",
        description="empty: a plane through the lowest mode of the frame beyond all cells; ring: median of a ring "
        "around each mask, for masks of whole cells; percentile of the frame.",
    )
    background_gap_px: float = Field(
        2.0, ge=0, description="Gap in pixels between a region and the empty part, or a mask and its ring."
    )
    background_ring_px: float = Field(5.0, gt=0, description="Width of the ring in pixels.")
    background_percentile: float = Field(10.0, ge=0, le=100, description="Percentile of the frame, for percentile.")
    spot_radius_px: SpotRadius = 1.5
    spot_threshold: SpotThreshold = 4.5
    bleaching: Literal["none", "known", "field"] = Field(
        "none",
        description="known: signals are divided by the loss of bleaching_per_frame; field: by the typical loss of the "
        "field's own cells, which takes away any change that all share; none.",
    )
    bleaching_per_frame: float | None = Field(
        None, gt=0, lt=1, description="Share lost per frame, measured on a reference such as fixed cells, for known."
    )
    flicker: Literal["none", "field"] = Field(
        "none", description="field: signals are divided by sudden changes of all cells of a field in the same frame."
    )
    inherited: Literal["carried", "halved", "reset"] = Field(
        "carried",
        description="What a daughter has from its mother: carried: it counts; halved: half of the mother's last level "
        "is subtracted (of a mean, all of it); reset: the daughter's first level is.",
    )
    endpoint_frames: int = Field(3, ge=1, description="Number of last live frames that the endpoint averages.")
    death_margin_frames: int = Field(
        2,
        ge=0,
        description="Number of last frames, of a track that ends in death, that are not scored; more where tracks "
        "follow the body for longer.",
    )
    baseline_frames: int = Field(
        5, ge=2, description="Number of first frames of a track that form its baseline, for slope_after_onset."
    )
    onset_mads: float = Field(
        5.0,
        gt=0,
        description="Onset is the first of two frames this many noise MADs above baseline, for slope_after_onset; a "
        "step differs by as many standard errors.",
    )
    slope_frames: int = Field(6, ge=3, description="Number of consecutive values over which slope is steepest.")
    maximum_quantile: float = Field(
        0.95, ge=0.5, le=1, description="Quantile of a track's values that maximum takes; 1: the highest value."
    )
    false_onsets: float = Field(
        0.01, ge=0.001, le=0.2, description="Share of flat tracks that may be taken for rising, for the saturating fit."
    )

    @property
    def measures_spots(self) -> bool:
        """Whether spots have to be found."""
        return any("spot" in (score.measure or self.measure) for score in self.scores) or "spot" in self.measure

    def measures_spots_in(self, channel: str) -> bool:
        """Whether spots have to be found in a channel: without scores in every one, else where a score needs them."""
        own = [score.measure or "" for score in self.scores if score.channel == channel]
        needed = bool(own) or not self.scores
        return any("spot" in measure for measure in own) or ("spot" in self.measure and needed)

    @property
    def not_levels(self) -> frozenset[str]:
        """Columns of scores that are times, rates or counts, not in units of the signal."""
        return frozenset(
            f"function_{score.name}"
            for score in self.scores
            if score.summary not in LEVELS or (score.measure or self.measure) == "spot_count"
        )

    @model_validator(mode="after")
    def _loss_is_known(self) -> "Function":
        if (self.bleaching == "known") != (self.bleaching_per_frame is not None):
            msg = "bleaching_per_frame: must be a share such as 0.01 where bleaching is known, and only there"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _background_suits_region(self) -> "Function":
        if self.background == "ring" and self.region == "cell":
            msg = (
                "background: a ring around each mask lies inside the region where region is cell; set region: mask "
                "(and measure: mean, for the former results), or background: empty"
            )
            raise ValueError(msg)
        if "background" in self.model_fields_set and not {"region", "measure"} & self.model_fields_set:
            what = "it was mask and is now cell, and the default of function.measure was mean and is now integrated"
            changed("default of function.region", f"{what}; set both to keep either")
        return self

    @model_validator(mode="after")
    def _summaries_are_understood(self) -> "Function":
        for score in self.scores:
            say_what_changed(score.summary, self.maximum_quantile)
        return self

    @model_validator(mode="after")
    def _names_differ(self) -> "Function":
        names = [s.name for s in self.scores]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            msg = f"scores: the name '{twice[0]}' is used twice"
            raise ValueError(msg)
        return self
