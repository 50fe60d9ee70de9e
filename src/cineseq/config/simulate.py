"""Settings of the simulated experiment."""

from typing import Literal, Self

from pydantic import Field, model_validator

from cineseq.config.base import Section

Effect = Literal["expression", "morphology", "sister", "clusters", "confounder", "shared"]


class Simulate(Section):
    """The simulated experiment of the demo and the effects planted in it."""

    samples: int = Field(
        4,
        ge=2,
        le=26,
        description="Samples s1, s2, ...; the first half are controls, the others treated; in the last one "
        "cages close early.",
    )
    fields: int = Field(3, ge=1, le=99, description="Fields of view per sample, f1, f2, ...")
    frames: int = Field(28, ge=24, le=200, description="Frames per movie.")
    size_px: int = Field(320, ge=128, le=2048, description="Height and width of a field in pixels.")
    founders: int = Field(32, ge=8, le=400, description="Cells per field of view in the first frame.")
    pixel_size_um: float = Field(0.65, gt=0, description="Micrometres per pixel.")
    frame_interval_min: float = Field(30.0, gt=0, description="Minutes per frame.")
    genes: int = Field(700, ge=350, le=1000, description="Genes that are counted.")
    library_size: float = Field(4000.0, ge=100, description="Median counts per cell.")
    expression_r2: float = Field(
        0.30,
        gt=0,
        lt=1,
        description="Fraction of the variance of function explained by its expression module (oracle).",
    )
    morphology_r2: float = Field(
        0.45,
        gt=0,
        lt=1,
        description="Fraction of the variance of function explained by the shape of the cell (oracle).",
    )
    both_r2: float = Field(
        0.60, gt=0, lt=1, description="Fraction of the variance of function explained by both (oracle)."
    )
    field_variance: float = Field(
        0.08, ge=0, lt=1, description="Fraction of the variance of function that is a shift between fields of view."
    )
    sister_odds_ratio: float = Field(
        8.0, gt=0, description="Odds of the stress state where the sister died, relative to where it survived."
    )
    null_effects: list[Effect] = Field(
        default_factory=list,
        description="Effects that are not planted; everything else stays the same with the same seed.",
    )

    @model_validator(mode="after")
    def _variance_adds_up(self) -> Self:
        strongest = max(self.expression_r2, self.morphology_r2)
        if not strongest <= self.both_r2 <= self.expression_r2 + self.morphology_r2:
            msg = "both_r2: should lie between the larger and the sum of expression_r2 and morphology_r2"
            raise ValueError(msg)
        if self.both_r2 + self.field_variance > 1:
            msg = "field_variance: both_r2 + field_variance should not exceed 1"
            raise ValueError(msg)
        return self

    @property
    def sample_names(self) -> tuple[str, ...]:
        """Names of the samples, in order."""
        return tuple(f"s{i + 1}" for i in range(self.samples))

    @property
    def field_names(self) -> tuple[str, ...]:
        """Names of the fields of view of every sample, in order."""
        return tuple(f"f{i + 1}" for i in range(self.fields))

    def condition(self, sample: str) -> str:
        """Return ``control`` or ``treated``."""
        return "control" if self.sample_names.index(sample) < self.samples / 2 else "treated"

    def is_caged_early(self, sample: str) -> bool:
        """Whether the compartments of a sample close around root cells, before they divide."""
        return sample == self.sample_names[-1]

    def plants(self, effect: Effect) -> bool:
        """Whether an effect is planted rather than made null."""
        return effect not in self.null_effects
