"""How the columns of external tables are named: tables of cells, paired data, and lineages with fates."""

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from cineseq.config.base import NAME_PATTERN, Section

Fate = Literal["division", "death", "unknown"]
Block = Literal["morphology", "embedding", "features", "function"]
Modality = Literal["rna", "morphology", "embedding", "features", "function"]
FATES: dict[str, Fate] = {"division": "division", "death": "death", "censored": "unknown", "unknown": "unknown"}


class LineageColumns(Section):
    """Columns of a table with one row per cell and its fate."""

    scope: list[str] = Field(
        default_factory=list,
        description="Columns within which the names of cells are unique, such as file and family; empty: the table.",
    )
    parent: str = Field("parent", description="Column with the name of the parent, within the same scope.")
    no_parent: list[str] = Field(
        default_factory=lambda: ["0", "-1"],
        description="Values of that column that mean an unknown parent, unless a cell has that name; an empty value "
        "and the cell's own name always do.",
    )
    time_unit: Literal["frame", "minute", "hour", "day"] = Field(
        "frame",
        description="Unit of the columns birth, end and movie_end. Times are kept as hours; as frames they are "
        "multiples of external.frame_interval_min or, without it, of the smallest step between times.",
    )
    birth: str = Field("birth", description="Column with the first frame, or the time of birth, of the cell.")
    end: str = Field("end", description="Column with the last frame, or the time of the end, of the cell.")
    movie_end: str | None = Field(
        None, description="Column with the last frame of the movie; null: the last end in the field of view."
    )
    generation: str | None = Field(
        None, description="Column with the generation; it is checked against the generation of the parent."
    )
    fate: str = Field("fate", description="Column with the fate.")
    fates: dict[str, Fate] = Field(
        default_factory=lambda: dict(FATES),
        description="What the values of that column mean: division, death or unknown. An empty value is unknown.",
    )


class External(Section):
    """Roles of the columns of external tables.

    Columns named ``function_*``, ``morphology_*``, ``embedding_*``, ``features_*``, ``state_*`` and ``group_*`` are
    always taken, and so are ``sample``, ``fov``, ``family``, ``condition``, ``replicate`` and ``class``, and as groups
    the common names of batches: ``plate``, ``batch``, ``run``, ``donor``, ``lane``, ``date``, ``library``, ``chip``,
    ``sequencing_plate`` and ``sequencing_run``.
    """

    id: list[str] = Field(
        default_factory=lambda: ["id"],
        min_length=1,
        description="Columns that may hold the name of the cell; a table has one of them, or else an unnamed "
        "first column.",
    )
    id_replace: dict[str, str] = Field(
        default_factory=dict,
        description="Regular expressions and their replacements in the names of cells, so that all files agree.",
    )
    function: dict[str, str] = Field(
        default_factory=dict, description="Names of function scores and the columns that hold them."
    )
    circular: list[str] = Field(
        default_factory=list,
        description="Functions that are angles in radians; each becomes two scores, its cosine and sine.",
    )
    morphology: list[str] = Field(
        default_factory=list, description="Columns of morphology; * matches any text. Only numeric columns are taken."
    )
    embedding: list[str] = Field(
        default_factory=list,
        description="Columns of image embedding; * matches any text. Only numeric columns are taken.",
    )
    features: list[str] = Field(
        default_factory=list,
        description="Columns of other features; * matches any text. Only numeric columns are taken.",
    )
    states: dict[str, str] = Field(
        default_factory=dict, description="Names of states, such as class, and the columns that hold them."
    )
    groups: dict[str, str] = Field(
        default_factory=dict,
        description="Names of groups and their columns: sample, fov, family, condition, replicate, class, or any other "
        "such as mouse; folds.groups and prediction.class_column may name them.",
    )
    modalities: dict[Modality, str] = Field(
        default_factory=dict,
        description="Modalities of an h5mu under other names: rna (the counts), morphology, embedding, features or "
        "function, and what yours is called, such as {rna: gene expression, function: ephys}.",
    )
    obsm: dict[Block, str] = Field(
        default_factory=dict,
        description="Tables in obsm of an AnnData under other names: morphology, embedding, features or function, "
        "and what yours is called, such as {morphology: X_morph}.",
    )
    frame_interval_min: float | None = Field(
        None, gt=0, description="Minutes per frame of an external lineage; null leaves its times in frames."
    )
    lineage: LineageColumns = Field(LineageColumns(), description="Columns of a table with fates.")

    @field_validator("id_replace")
    @classmethod
    def _expressions(cls, value: dict[str, str]) -> dict[str, str]:
        for pattern, replacement in value.items():
            try:
                re.sub(pattern, replacement, "")
            except (re.error, IndexError) as error:
                msg = f"'{pattern}' is not a regular expression with a valid replacement ({error})"
                raise ValueError(msg) from None
        return value

    @model_validator(mode="after")
    def _names(self) -> "External":
        for key in ("function", "states", "groups"):
            wrong = [name for name in getattr(self, key) if not re.match(NAME_PATTERN, name)]
            if wrong:
                msg = f"{key}: the name '{wrong[0]}' should be made of letters, digits, dot, dash and underscore"
                raise ValueError(msg)
        unknown = sorted(set(self.circular) - set(self.function))
        if unknown:
            msg = f"circular: '{unknown[0]}' is not a name under function"
            raise ValueError(msg)
        return self
