"""The base class of the sections of the configuration."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from cineseq.deprecation import deprecated

Name = str
"""A name used in file paths: letters, digits, dot, dash and underscore."""
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"
LARGEST_SEED = 2**32 - 1
"""Largest seed that all random generators take."""
REMOVED_IN = "0.3.0"
"""Version of cineseq that no longer knows the old names of keys."""


class Section(BaseModel):
    """A group of settings: immutable, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=False)


def with_new_names(raw: Any, names: dict[str, str], section: str = "") -> Any:
    """Return a section as it was read, with its old keys under their new names.

    Parameters
    ----------
    raw
        The section; anything but a dictionary is returned as it is.
    names
        Old names of keys and their new ones.
    section
        Name of the section, for messages; empty for the whole configuration.

    Raises
    ------
    ValueError
        When a key occurs under both names with different values.
    """
    old = [key for key in names if isinstance(raw, dict) and key in raw]
    if not old:
        return raw
    renamed = {key: value for key, value in raw.items() if key not in old}
    place = f"{section}." if section else ""
    for key in old:
        new = names[key]
        deprecated(f"{place}{key}", f"{place}{new}", REMOVED_IN)
        if new in raw and raw[new] != raw[key]:
            msg = f"'{place}{key}' is the old name of '{place}{new}', and the two differ; keep '{place}{new}' only"
            raise ValueError(msg)
        renamed[new] = raw[key]
    return renamed


class FieldOfView(Section):
    """The field of view that a step works on, from the sample sheet."""

    sample: str = Field("sample", pattern=NAME_PATTERN, description="Sample (lane, well or flow cell).")
    fov: str = Field("1", pattern=NAME_PATTERN, description="Field of view within the sample.")
    condition: str = Field("", description="Treatment or condition of the sample.")
    replicate: str = Field(
        "",
        description="Run of the experiment; conditions may share one. Samples of one condition and replicate are "
        "pooled in pseudobulk tests, and cells.scaling: controls divides by the control cells of the replicate.",
    )
    frame_step: int = Field(1, ge=1, description="Keep every n-th frame of the movie.")
    metadata: tuple[tuple[str, str], ...] = Field(
        (), description="Other columns of the sheet, such as donor or dose, each with its value."
    )
    series: str = Field("", description="Number from 0, or name, of the image in a file that holds several.")
