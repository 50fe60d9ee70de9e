"""What every section of the configuration shares."""

from pydantic import BaseModel, ConfigDict, Field

Name = str
"""A name that appears in file paths: letters, digits, dot, dash and underscore."""
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"


class Section(BaseModel):
    """A frozen group of settings that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=False)


class FieldOfView(Section):
    """Which movie a per-field step works on; filled from the sample sheet, not from the configuration."""

    sample: str = Field("sample", pattern=NAME_PATTERN, description="Sample (lane, well or flow cell).")
    fov: str = Field("1", pattern=NAME_PATTERN, description="Field of view within the sample.")
    condition: str = Field("", description="Treatment or condition of the sample.")
    replicate: str = Field(
        "",
        description="Run of the experiment, which conditions may share: its samples of one condition are one in "
        "pseudobulk tests, and cells.scaling controls divides by its control cells.",
    )
    frame_step: int = Field(1, ge=1, description="Keep every n-th frame of the movie.")
