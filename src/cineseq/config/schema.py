"""The configuration: its sections, defaults, bounds and checks.

``config/config.yaml``, ``config/config.schema.json`` and the table in ``docs/configuration.md`` are generated from
these models by ``tools/write_config.py``.
"""

import re
from datetime import date
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from cineseq.config.base import LARGEST_SEED, NAME_PATTERN, Section, with_new_names
from cineseq.config.expression import Clusters, DifferentialExpression
from cineseq.config.external import External
from cineseq.config.features import Embed, Features, Function, Morphology
from cineseq.config.generative import Generative
from cineseq.config.imaging import Channels, Inputs, Segment, Train
from cineseq.config.lineage import Lineage
from cineseq.config.pairing import Cells, Pairing
from cineseq.config.prediction import Crossmodal, Folds, Prediction
from cineseq.config.report import Report
from cineseq.config.simulate import Simulate
from cineseq.config.tracking import Curation, Track
from cineseq.errors import UserError

Group = TypeVar("Group", bound=BaseModel)

BRANCH = re.compile(r"\[key\]$|(list|dict|tuple)\[")
"""What pydantic adds to the place of a value: the type of which it is part, and that it is a key."""


class RunOptions(Section):
    """The run as a whole; a text instead of the section is its name."""

    name: str | None = Field(
        None,
        pattern=NAME_PATTERN,
        description="Name of the run and of its folder in results/; null: the stem of the configuration file.",
    )
    may_fail: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Share of the fields of view (at least one, never all) that are left out if they cannot be "
        "processed; 0: the first one that fails stops the run.",
    )


def _name_or_section(schema: dict[str, Any]) -> None:
    """Let the schema of the run take its name alone, for editors."""
    schema["anyOf"] = [{"$ref": schema.pop("$ref")}, {"type": "string", "pattern": NAME_PATTERN}, {"type": "null"}]


class Config(Section):
    """All settings of a run. Threads, memory and queues belong in a profile."""

    run: RunOptions = Field(
        RunOptions(), description="The run: its name alone, or a section.", json_schema_extra=_name_or_section
    )
    samples: str = Field("config/samples.tsv", description="Sample sheet, tab- or comma-separated.")
    data: str = Field("../shared/data", description="Folder that {data} stands for in the sample sheet.")
    seed: int = Field(
        1, ge=0, le=LARGEST_SEED, description="Seed of the random numbers; the same seed gives the same results."
    )
    keep_movies: bool = Field(
        default=True, description="Keep the corrected movies; false deletes each one after the last step that reads it."
    )
    inputs: Inputs = Field(Inputs(), description="How raw movies are read and corrected.")
    channels: Channels = Field(Channels(), description="Names of the channels, and which of them measure function.")
    segment: Segment = Field(Segment(), description="Segmentation with cellpose.")
    train: Train = Field(Train(), description="Training a segmentation model on your own annotated frames.")
    track: Track = Field(Track(), description="Linking, divisions, deaths and other ends.")
    curation: Curation = Field(Curation(), description="The list of uncertain events for manual review.")
    features: Features = Field(Features(), description="Which frames of a track feed the paired table.")
    morphology: Morphology = Field(Morphology(), description="Shape, intensity and texture.")
    embed: Embed = Field(Embed(), description="Image embeddings.")
    function: Function = Field(Function(), description="Function scores over time.")
    cells: Cells = Field(Cells(), description="One table of the cells of all fields.")
    pairing: Pairing = Field(Pairing(), description="Matching of cells, compartments, barcodes and counts.")
    external: External = Field(External(), description="How the columns of external tables are named.")
    folds: Folds = Field(Folds(), description="Groups that cross-validation never splits.")
    clusters: Clusters = Field(Clusters(), description="Quality control, normalisation and clustering of the counts.")
    de: DifferentialExpression = Field(DifferentialExpression(), description="Differential expression.")
    prediction: Prediction = Field(
        Prediction(), description="Prediction of function from expression, morphology and both."
    )
    lineage: Lineage = Field(Lineage(), description="Comparison of sisters and other relatives.")
    crossmodal: Crossmodal = Field(Crossmodal(), description="Variance of one modality explained by the other.")
    generative: Generative = Field(
        Generative(), description="Generation of each modality from the other, and how far to believe it."
    )
    report: Report = Field(Report(), description="The report.")
    simulate: Simulate = Field(Simulate(), description="The simulated experiment of the demo.")

    @model_validator(mode="before")
    @classmethod
    def _old_names(cls, raw: Any) -> Any:
        return with_new_names(raw, {"given": "external"})

    @field_validator("run", mode="before")
    @classmethod
    def _name_alone(cls, raw: Any) -> Any:
        return raw if isinstance(raw, dict | RunOptions) else {"name": raw}

    @model_validator(mode="after")
    def _channels_are_named(self) -> "Config":
        """Raise an error for a channel that is not among the configured names."""
        names = self.channels.new_names
        uses = {
            "channels.function": self.channels.function,
            "channels.death": [] if self.channels.death is None else [self.channels.death],
            "segment.channels": self.segment.channels,
            "morphology.channels": self.morphology.channels,
            "embed.channels": self.embed.channels,
        }
        if names is None:
            return self
        strange = ((place, name) for place, used in uses.items() for name in used or () if name not in names)
        for place, name in strange:
            msg = f"{place}: '{name}' is not among channels.names, {nearest(name, names)}"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _function_stays_out(self) -> "Config":
        """Raise an error for the stain of dead cells, or a function channel that is not allowed, in a step."""
        for step, section in (("segment", self.segment), ("morphology", self.morphology), ("embed", self.embed)):
            listed = set(getattr(section, "channels", None) or ())
            if self.channels.death in listed:
                msg = (
                    f"{step}.channels: '{self.channels.death}' is the stain of dead cells (channels.death), which is "
                    "used for nothing else; take it out of one of them"
                )
                raise ValueError(msg)
            leak = sorted(listed & set(self.channels.function))
            if leak and step not in self.channels.allow_function_in:
                msg = (
                    f"{step}.channels: '{leak[0]}' is a function channel; take it out, or add '{step}' to "
                    "channels.allow_function_in and the report will say so"
                )
                raise ValueError(msg)
        for score in self.function.scores:
            if score.channel not in self.channels.function:
                msg = (
                    f"function.scores: channel '{score.channel}' of '{score.name}' is not in channels.function, "
                    f"{nearest(score.channel, self.channels.function)}"
                )
                raise ValueError(msg)
        return self


def lengths_in_pixels(config: Config) -> list[str]:
    """Return the keys that set a length in pixels other than the default, such as ``track.search_range_px``.

    They mean other lengths where pixels have another size. Sides that crops are resized to, and the simulation, do not.
    """
    found = []
    for name in Config.model_fields:
        section = getattr(config, name)
        for key, described in type(section).model_fields.items() if isinstance(section, Section) else ():
            place = f"{name}.{key}"
            is_length = key.endswith("_px") and name != "simulate" and place != "embed.image_px"
            if is_length and getattr(section, key) not in (None, described.get_default(call_default_factory=True)):
                found.append(place)
    return found


def nearest(name: str, names: list[str]) -> str:
    """Return a hint: the nearest name, or else all names."""
    if not names:
        return "which lists none"
    near = get_close_matches(name, names, n=1)
    return f"did you mean '{near[0]}'?" if near else f"expected one of {', '.join(names)}"


def load(raw: dict[str, Any], origin: str = "") -> Config:
    """Validate a configuration.

    Parameters
    ----------
    raw
        The configuration as it was read.
    origin
        Where it was read from, for error messages.

    Raises
    ------
    UserError
        With one line per mistake, ``section.key: reason (got value)``; for an unknown key, it names the nearest known
        one.
    """
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        lines = [f"  {_message_of(e)}" for e in _of_one_branch(error.errors())]
        place = f" in {origin}" if origin else ""
        msg = f"Invalid configuration{place}:\n" + "\n".join(lines)
        raise UserError(msg) from None


def section_from(model: type[Group], settings: dict[str, Any], function: str) -> Group:
    """Validate the keyword settings of a function, which are those of a section of the configuration.

    Parameters
    ----------
    model
        The section.
    settings
        Its values by name.
    function
        Name of the function, for messages.

    Raises
    ------
    UserError
        With the first mistake, ``function: setting: reason (got value)``; for an unknown setting, it
        names the nearest known one.
    """
    try:
        return model.model_validate(settings)
    except ValidationError as error:
        msg = f"{function}: {_message_of(_of_one_branch(error.errors())[0], model)}."
        raise UserError(msg) from None


def _of_one_branch(errors: list[ErrorDetails]) -> list[ErrorDetails]:
    """Leave out that a list is no mapping, or a mapping no list, where a key takes both and a part of it is wrong."""

    def is_other_branch(error: ErrorDetails) -> bool:
        return error["type"] in ("list_type", "dict_type") and BRANCH.match(str(error["loc"][-1])) is not None

    inside = [error["loc"] for error in errors if not is_other_branch(error)]
    told = [any(place[: len(e["loc"]) - 1] == e["loc"][:-1] for place in inside) for e in errors]
    return [e for e, known in zip(errors, told, strict=True) if not (known and is_other_branch(e))]


def _message_of(error: ErrorDetails, root: type[BaseModel] = Config) -> str:
    place = ".".join(str(part) for part in error["loc"] if not BRANCH.match(str(part)))
    if error["type"] == "string_type" and isinstance(error["input"], bool | int | float | date):
        return f"{place}: expected text, so write it in quotes (got {error['input']!r} without)"
    if error["type"] == "extra_forbidden":
        known = _known_keys(error["loc"][:-1], root)
        near = get_close_matches(str(error["loc"][-1]), known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"the keys here are {', '.join(known)}"
        return f"{place}: unknown key, {hint} (got {error['input']!r})"
    if error["type"] == "value_error":
        return _checked(place, str(error["msg"]).removeprefix("Value error, "), error["input"])
    return f"{place}: {error['msg']} (got {error['input']!r})"


def _checked(place: str, reason: str, value: Any) -> str:
    """Return the message of one of our own checks; a check across the keys of a section names its key first."""
    if not place:
        return reason
    key, _, rest = reason.partition(": ")
    if isinstance(value, dict) and key.isidentifier() and rest:
        place, reason, value = f"{place}.{key}", rest, value.get(key)
    got = "" if value is None or isinstance(value, dict) or "(got " in reason else f" (got {value!r})"
    return f"{place}: {reason}{got}"


def _known_keys(place: tuple[int | str, ...], root: type[BaseModel]) -> list[str]:
    """Return the keys of the model at a place in a configuration."""
    model: Any = root
    for part in place:
        if isinstance(part, str) and part in getattr(model, "model_fields", {}):
            model = model_of(model.model_fields[part].annotation) or model
    return list(model.model_fields)


def model_of(annotation: Any) -> type[BaseModel] | None:
    """Return the model inside an annotation such as ``Model``, ``Model | None`` or ``list[Model]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (model_of(part) for part in getattr(annotation, "__args__", ()))
    return next((model for model in inner if model is not None), None)
