"""The record of a run as the page shows it: models, versions, settings and inputs, with a text for what is unknown.

The template is strict: it fails on a key that a record lacks. Records have optional keys, and those of older versions
lack some, so every one is filled in here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cineseq.report.methods import flat_settings
from cineseq.report.provenance import package_licence
from cineseq.report.views import UNKNOWN
from cineseq.text import count

HASHES = (
    ("sha256", "{hash}"),
    ("sha256_of_listing", "listing: {hash}"),
    ("sha256_of_names_and_sizes", "names and sizes: {hash}"),
)
"""Keys of an input that hold a hash, the most telling one first, with how each is shown."""


@dataclass(frozen=True)
class ModelRow:
    """One model: its name, the steps that used it, the hash of its weights and its note."""

    name: str
    steps: str
    sha256: str
    note: str


@dataclass(frozen=True)
class InputRow:
    """One input: its path, its size, its hash or why it has none, and what the hash covers."""

    file: str
    bytes: str
    hash: str
    note: str


@dataclass(frozen=True)
class RecordView:
    """The record of a run on the page; an unknown version is empty, and a list of nothing is left out."""

    cineseq: str
    python: str
    models: tuple[ModelRow, ...]
    packages: tuple[tuple[str, str, str], ...]
    settings: tuple[tuple[str, str], ...]
    inputs: tuple[InputRow, ...]


def show_record(provenance: Mapping[str, Any], models: list[dict[str, Any]]) -> RecordView:
    """Return what the page shows of the record.

    Parameters
    ----------
    provenance
        From :func:`cineseq.report.provenance.provenance_record`, or empty; every key may be absent.
    models
        Models with their steps; every key of a model may be absent.
    """
    packages = provenance.get("packages") or {}
    return RecordView(
        cineseq=str(provenance.get("cineseq") or ""),
        python=str(provenance.get("python") or UNKNOWN),
        models=tuple(map(_model_row, models)),
        packages=tuple((name, str(version), package_licence(name)) for name, version in packages.items()),
        settings=tuple(flat_settings(provenance.get("config") or {})),
        inputs=tuple(map(_input_row, provenance.get("inputs") or [])),
    )


def without_unknown(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of an entry that have a value, so that an empty value is as an absent key."""
    return {key: value for key, value in entry.items() if value is not None}


def _model_row(model: Mapping[str, Any]) -> ModelRow:
    steps = ", ".join(model.get("steps") or []).replace("_", " ")
    name, weights = model.get("name") or "unnamed", model.get("sha256") or "unknown"
    return ModelRow(str(name), steps or UNKNOWN, str(weights), str(model.get("note") or ""))


def _input_row(entry: Mapping[str, Any]) -> InputRow:
    size = entry.get("bytes")
    shown = [written.format(hash=entry[key]) for key, written in HASHES if entry.get(key)]
    return InputRow(
        str(entry.get("file") or UNKNOWN),
        UNKNOWN if size is None else count(size),
        shown[0] if shown else "",
        str(entry.get("note") or ("" if shown else "not hashed")),
    )
