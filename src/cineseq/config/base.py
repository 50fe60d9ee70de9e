"""The base class of the sections of the configuration."""

from pydantic import BaseModel, ConfigDict, Field

Name = str
"""A name that appears in file paths: letters, digits, dot, dash and underscore."""
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"


class Section(BaseModel):
    """A group of settings: immutable, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=False)


class FieldOfView(Section):
    """The field of view that a step works on. It comes from the sample sheet, not from the configuration."""

    sample: str = Field("sample", pattern=NAME_PATTERN, description="Sample (lane, well or flow cell).")
    fov: str = Field("1", pattern=NAME_PATTERN, description="Field of view within the sample.")
    condition: str = Field("", description="Treatment or condition of the sample.")
    replicate: str = Field(
        "",
        description="Run of the experiment, which conditions may share. Samples of one condition and replicate are "
        "pooled in pseudobulk tests, and cells.scaling: controls divides by the control cells of the replicate.",
    )
    frame_step: int = Field(1, ge=1, description="Keep every n-th frame of the movie.")
