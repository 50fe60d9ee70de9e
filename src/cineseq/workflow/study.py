"""One run of the workflow: its configuration, fields of view, samples and available data."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cineseq.config.base import Section
from cineseq.config.keys_once import check_keys_once
from cineseq.config.schema import Config, lengths_in_pixels, load
from cineseq.errors import UserError
from cineseq.models.registry import COMPACT, COMPACT_PHASE, embedder_file, is_small, model_file, training_memory_mb
from cineseq.text import count, listed
from cineseq.workflow.same_files import check_repeats
from cineseq.workflow.sample_sheet import (
    FIELD_PATHS,
    IMAGE_COLUMNS,
    MADE_BY_RULES,
    SAMPLE_PATHS,
    SHARED_PATHS,
    STUDY_PATHS,
    Entry,
    files_of,
    first_of_samples,
    present,
    read_sheet,
    rows_left_out,
)
from cineseq.workflow.set_aside import spared

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Study:
    """One run: the validated configuration and the sheet that it names."""

    config: Config
    run: str
    entries: tuple[Entry, ...]

    @cached_property
    def _by_field(self) -> dict[tuple[str, str], Entry]:
        return {(e.sample, e.fov): e for e in self.entries}

    @cached_property
    def _by_sample(self) -> dict[str, Entry]:
        return {e.sample: e for e in first_of_samples(self.entries)}

    @property
    def samples(self) -> list[str]:
        """The samples, in the order of the sheet."""
        return list(self._by_sample)

    def entry(self, sample: str, fov: str) -> Entry:
        """Return the row of one field of view."""
        return self._by_field[sample, fov]

    @property
    def start(self) -> str:
        """Where the data start: images, cells, paired or lineage."""
        first = self.entries[0]
        return next((name for name in ("cells", "paired", "lineage") if getattr(first, name)), "images")

    def has(self, column: str) -> bool:
        """Whether any row has a value in this column."""
        return any(getattr(e, column) for e in self.entries)

    @property
    def has_masks(self) -> bool:
        """Whether cells have masks, external or segmented; points and point tracks have positions only."""
        return self.start == "images" and (self.has("images") or self.has("masks")) and not self.has("points")

    @property
    def has_movies(self) -> bool:
        """Whether there are images of cells that have masks, not masks, points or tracks alone."""
        return self.has_masks and self.has("images")

    @property
    def measures_function(self) -> bool:
        """Whether function scores come from movies, within masks."""
        return bool(self.config.function.scores) and self.has_movies

    @property
    def embeds(self) -> bool:
        """Whether objects are embedded: there are movies and masks, and the configuration names a model."""
        return self.config.embed.model is not None and self.has_movies

    @property
    def pairs(self) -> bool:
        """Whether cells on images are paired with counts."""
        return self.start == "images" and all(map(self.has, ("barcodes", "counts")))

    @property
    def has_paired(self) -> bool:
        """Whether there are paired data, from this pipeline or external."""
        return self.pairs or self.start in ("paired", "cells")

    @property
    def has_counts(self) -> bool:
        """Whether there may be expression."""
        return self.pairs or self.start == "paired" or (self.start == "cells" and self.has("counts"))

    @property
    def generates(self) -> bool:
        """Whether each modality is generated from the other."""
        return self.has_counts and self.config.generative.enabled

    @property
    def shows_generated(self) -> bool:
        """Whether there are crops of cells by which what is generated is shown."""
        return self.generates and self.has_movies

    @property
    def decodes(self) -> bool:
        """Whether crops are decoded."""
        return self.shows_generated and self.config.generative.decoder

    @property
    def inputs(self) -> list[str]:
        """Every file that the sheet names, for the record."""
        columns = (*FIELD_PATHS, *SAMPLE_PATHS, *STUDY_PATHS)
        named: dict[tuple[str, str, str], str] = {}
        for entry in self.entries:
            for column in columns:
                key = (getattr(entry, column), column if column in IMAGE_COLUMNS else "", entry.series)
                named.setdefault(key, f"sample {entry.sample}, field {entry.fov}, {column}")
        found = (_with_neighbours(files_of(key[0], what), *key[1:]) for key, what in named.items())
        return list(dict.fromkeys(name for names in found for name in names))

    @property
    def is_simulated(self) -> bool:
        """Whether the movies are those of the simulated experiment, so that the truth is known."""
        return all(e.images.startswith(f"results/{self.run}/experiment/") for e in self.entries)

    def files(self, sample: str, fov: str, column: str) -> list[str]:
        """Return the files of one column of one row, with those that are read for them; empty if the column is."""
        entry = self.entry(sample, fov)
        found = files_of(getattr(entry, column), f"sample {sample}, field {fov}, {column}")
        return _with_neighbours(found, column, entry.series)

    def only_if(self, **present: bool) -> str:
        """Return a regular expression that matches any sample if each column is present or absent as stated, else none.

        It constrains the wildcards of rules that make the same product in different ways.
        """
        return r"[^/]+" if all(self.has(column) == wanted for column, wanted in present.items()) else r"(?!)"

    def _by_name(self, column: str) -> Iterator[tuple[str, list[str]]]:
        """Yield, for each sample, the name of one column's files in error messages, and the files."""
        for sample, entry in self._by_sample.items():
            what = f"sample {sample}, {column}"
            yield what, files_of(getattr(entry, column), what)

    def sample_files(self, column: str) -> list[str]:
        """Return the files of one column, once per sample, in order."""
        return [name for _, names in self._by_name(column) for name in names]

    @cached_property
    def shared_tables(self) -> frozenset[str]:
        """The files of columns that may hold several samples."""
        return frozenset(name for column in SHARED_PATHS for name in self.sample_files(column))

    def present_files(self, column: str) -> list[str]:
        """Return the files of one column, in order: once per sample, or each once if a file may have several samples.

        Raises
        ------
        UserError
            When a file does not exist.
        """
        names = [name for what, found in self._by_name(column) for name in present(found, what)]
        return list(dict.fromkeys(names)) if column in SHARED_PATHS else names

    def rows_of(self, column: str) -> list[dict[str, Any]]:
        """Return the identity of the row that each of ``sample_files(column)`` comes from."""
        entries = self._by_sample.values()
        return [e.identity.model_dump(mode="json") for e in entries for _ in files_of(getattr(e, column), column)]

    @property
    def fields_of_view(self) -> list[dict[str, str]]:
        """The sample and name of every field of view, in the order of the sheet."""
        return [{"sample": e.sample, "fov": e.fov} for e in self.entries]

    @property
    def may_fail(self) -> int:
        """How many fields of view may fail."""
        return spared(len(self.entries), self.config.run.may_fail) if self.start == "images" else 0

    @property
    def compares_fields(self) -> bool:
        """Whether there are recordings of several fields of view to compare."""
        return self.start == "images" and len(self.entries) > 1 and (self.has("images") or self.has("masks"))

    @property
    def lengths_in_pixels(self) -> list[str]:
        """The settings that give a length in pixels, which mean the same only in pixels of one size."""
        return lengths_in_pixels(self.config)

    @property
    def simulated_samples(self) -> tuple[str, ...]:
        """The samples of the simulated experiment."""
        return self.config.simulate.sample_names

    @property
    def count_samples(self) -> list[str]:
        """The sample of each file of counts, in the order of ``sample_files("counts")``."""
        return [e.sample for e in self._by_sample.values() for _ in files_of(e.counts, "counts")]

    @property
    def segmenter(self) -> list[str]:
        """The file of the segmentation model; empty if cellpose may download it during the run."""
        if self.config.segment.download:
            return []
        path = model_file(self.config.segment.model)
        return [str(path)] if path is not None and path.exists() else []

    @property
    def training_start(self) -> list[str]:
        """The file of the model from which training starts, if it exists."""
        path = model_file(self.config.train.model)
        return [str(path)] if path.exists() else []

    @property
    def training_memory_mb(self) -> int:
        """The memory to request for training, in MB, which depends on the model from which it starts."""
        return training_memory_mb(self.config.train.model)

    def training_files(self, column: str) -> list[str]:
        """Return the annotated frames (``images``) or their ``masks``, with patterns expanded.

        Raises
        ------
        UserError
            When none is named or a pattern matches nothing.
        """
        named = getattr(self.config.train, column)
        if not named:
            msg = f"train.{column}: no file is listed; list your annotated frames in train.images and train.masks."
            raise UserError(msg)
        return files_of(";".join(named), f"train.{column}")

    @property
    def embedder(self) -> list[str]:
        """The file of the embedding model, if it exists as an input."""
        path = None if self.config.embed.model is None else embedder_file(self.config.embed.model)
        return [str(path)] if path is not None and path.exists() else []

    def gpus(self, section: str) -> int:
        """Return the number of GPUs for a job with the model of a section: none for a compact model, else one."""
        model = getattr(self.config, section).model
        small = model in (COMPACT, COMPACT_PHASE) or (section != "embed" and is_small(model))
        return int(not small)

    def settings(self, *sections: str, **more: Any) -> dict[str, Any]:
        """Return sections of the configuration as one nested dictionary of plain values.

        Names, types and order are those of the models, so that equal settings always compare equal.
        """
        found = {name: getattr(self.config, name) for name in sections} | more
        return {k: v.model_dump(mode="json") if isinstance(v, Section) else v for k, v in found.items()}

    @property
    def everything(self) -> dict[str, Any]:
        """The whole configuration, for the record."""
        return {"run": self.run, "config": self.config.model_dump(mode="json")}

    def field_settings(self, *sections: str, metadata: bool = False) -> Callable[[Any], dict[str, Any]]:
        """Return a function of wildcards that adds the field of view to :meth:`settings`.

        What describes the cells (condition, replicate and the sheet's own columns) is in it only if asked for, so that
        a renamed condition or a new column repeats no step that it does not concern.
        """
        shared = self.settings(*sections)
        without = set() if metadata else {"condition", "replicate", "metadata"}

        def with_field(wildcards: Any) -> dict[str, Any]:
            identity = self.entry(wildcards.sample, wildcards.fov).identity
            return shared | {"field": identity.model_dump(mode="json", exclude=without)}

        return with_field


def _with_neighbours(names: list[str], column: str, series: str) -> list[str]:
    """Add the files that are read for a named one; those that rules make are single."""
    if column not in IMAGE_COLUMNS or len(names) != 1 or names[0].startswith(MADE_BY_RULES):
        return names
    from cineseq.io.readers import files_read  # noqa: PLC0415 - image readers are imported for image files only

    return [names[0], *(str(file) for file in files_read([Path(names[0])], series)[1:])]


def open_study(raw: dict[str, Any], configfiles: list[Path]) -> Study:
    """Validate a configuration and read its sheet.

    Parameters
    ----------
    raw
        The merged configuration as Snakemake holds it.
    configfiles
        The files that it was read from; the last one names the run where the configuration does not.

    Raises
    ------
    UserError
        When the configuration or the sheet has an error.
    """
    for path in configfiles:
        check_keys_once(path)
    config = load(raw, " or ".join([*map(str, configfiles), "--config"]))
    if config.run.name is None and not configfiles:
        msg = "run: there is no configuration file to name the run after; set run."
        raise UserError(msg)
    run = config.run.name or configfiles[-1].stem
    entries = read_sheet(Path(config.samples), config.inputs.frame_step, data=config.data, run=run)
    _check_data(config, entries)
    _check_rows_agree(config, entries)
    study = Study(config, run, tuple(entries))
    for column in (*SAMPLE_PATHS, *STUDY_PATHS):
        study.sample_files(column)
    return study


def check_study(study: Study) -> None:
    """Check what needs a look into the files, once per run: that no two rows name the same data.

    Rows of the sheet that are left out as comments are said.

    Raises
    ------
    UserError
        See :func:`~cineseq.workflow.same_files.check_repeats`.
    """
    sheet = Path(study.config.samples)
    if hidden := rows_left_out(sheet):
        what = count(len(hidden), "row that begins with # is", "rows that begin with # are")
        logger.warning("%s: %s left out as comments: %s.", sheet, what, listed([str(row) for row in hidden]))
    check_repeats(sheet, study.entries)


def _check_data(config: Config, entries: list[Entry]) -> None:
    columns = (*FIELD_PATHS, *SAMPLE_PATHS, *STUDY_PATHS)
    needed = any(getattr(e, c).startswith(config.data) for e in entries for c in columns)
    if needed and not Path(config.data).is_dir():
        msg = (
            f"data: the folder '{config.data}' that {config.samples} refers to is not there; "
            "give it with --config data=FOLDER."
        )
        raise UserError(msg)


def _check_rows_agree(config: Config, entries: list[Entry]) -> None:
    """Check that all rows start from the same kind of data, because a run makes each product in one way."""
    for column in ("images", "masks", "cell_masks", "points", "tracks"):
        lacking = [e for e in entries if not getattr(e, column)]
        if lacking and len(lacking) < len(entries):
            msg = (
                f"{config.samples}, row {lacking[0].row}: sample '{lacking[0].sample}' gives no {column}, which other "
                "rows do; put rows that start differently into separate sheets and runs."
            )
            raise UserError(msg)
