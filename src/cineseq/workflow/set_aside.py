"""Fields of view that are set aside because a step could not process them: the status, and how a file says it.

The products of a step that failed are written all the same, as placeholders: small valid files with a token in them.
Whoever reads a product sees by the token that its field is set aside, by which step, and why; a status beside the file
could be out of date, one within it cannot. Steps import this module before anything else, so it imports no library.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Literal

Reason = Literal["refused", "crashed", "memory", "time"]
REASONS: tuple[Reason, ...] = ("refused", "crashed", "memory", "time")
AGAIN: tuple[Reason, ...] = ("memory", "time")
"""Reasons that may be gone the next time."""

LARGEST = 65_536
"""Bytes of the largest file that is searched for a token."""
NOTE = "set_aside.json"
"""File of a placeholder that is a folder."""
TOKEN = re.compile(rb"cineseq-set-aside:([A-Za-z0-9+/=]+);")
RECORDS = "set_aside"
"""Folder of the results with one record per step and field that was ever set aside."""


@dataclass(frozen=True)
class Status:
    """Why a field of view is set aside.

    Attributes
    ----------
    step
        The step that could not process it.
    sample, fov
        The field of view.
    reason
        Whether the step refused its data, crashed, ran out of memory, or out of time.
    sentence
        The sentence of the error.
    """

    step: str
    sample: str
    fov: str
    reason: Reason
    sentence: str

    @property
    def field(self) -> tuple[str, str]:
        """The sample and the name of the field of view."""
        return self.sample, self.fov

    @property
    def token(self) -> str:
        """Text from which :func:`status_of` makes the status again; letters that need no escape in any format."""
        return f"cineseq-set-aside:{base64.b64encode(json.dumps(asdict(self)).encode()).decode()};"

    @property
    def text(self) -> str:
        """The status as a sentence."""
        return f"sample {self.sample}, field {self.fov} is set aside ({self.step}): {self.sentence}"


def status_of(path: Path) -> Status | None:
    """Return why a file or folder is a placeholder; None for a real product, a table of text, or nothing at all."""
    file = path / NOTE if path.is_dir() else path
    try:
        if file.stat().st_size > LARGEST:
            return None
        found = TOKEN.search(file.read_bytes())
    except FileNotFoundError:
        return None
    return Status(**json.loads(base64.b64decode(found[1]))) if found else None


def spared(fields: int, may_fail: float) -> int:
    """Return how many fields of view may fail: a share of them, at least one, but never all; none if the share is 0."""
    return min(max(1, int(fields * may_fail)), fields - 1) if may_fail > 0 else 0


def too_many(failed: Iterable[Status], fields: int, may_fail: float) -> str:
    """Return the sentence by which a run stops because too many fields failed; empty if it may go on."""
    number, limit = len({status.field for status in failed}), spared(fields, may_fail)
    if number <= limit:
        return ""
    return (
        f"{number} of {fields} fields of view could not be processed, and run.may_fail ({may_fail}) allows {limit}; "
        "mend what is said of them, or raise run.may_fail."
    )


def listed_once(failed: Iterable[Status]) -> list[str]:
    """Return one line per step and sentence, with the fields of view that it is about."""
    ordered = sorted(set(failed), key=lambda status: (status.step, status.sentence, status.field))
    lines = []
    for (step, sentence), alike in groupby(ordered, key=lambda status: (status.step, status.sentence)):
        each = list(alike)
        names = ", ".join(f"{status.sample}/{status.fov}" for status in each)
        where = f"sample {each[0].sample}, field {each[0].fov}" if len(each) == 1 else f"{len(each)} fields ({names})"
        lines.append(f"{step}, {where}: {sentence}")
    return lines


@dataclass(frozen=True)
class Record:
    """What is remembered of a step on a field that was ever set aside.

    Attributes
    ----------
    tries
        How often it ran out of memory or time. It is a parameter of the rule, so that the next run tries again.
    status
        Its status now; None once the step has succeeded.
    """

    tries: int = 0
    status: Status | None = None


def record_of(log: Path) -> Path:
    """Return the path of the record of a step on a field from that of its log, ``logs/<step>/<sample>@<fov>.log``."""
    return log.parents[2] / RECORDS / log.parent.name / f"{log.stem}.json"


def read_record(path: Path) -> Record:
    """Return a record; that of a step that was never set aside if there is none."""
    if not path.is_file():
        return Record()
    content = json.loads(path.read_text(encoding="utf-8"))
    status = content["status"]
    return Record(content["tries"], None if status is None else Status(**status))


def write_record(record: Record, path: Path) -> None:
    """Write a record, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    temporary.write_text(json.dumps(asdict(record)) + "\n", encoding="utf-8")
    temporary.replace(path)


def read_records(results: Path) -> dict[tuple[str, str, str], Record]:
    """Return the records of a folder of results by step, sample and field."""
    found = sorted((results / RECORDS).glob("*/*@*.json"))
    return {(path.parent.name, *_field_of(path.stem)): read_record(path) for path in found}


def _field_of(stem: str) -> tuple[str, str]:
    sample, _, fov = stem.partition("@")
    return sample, fov
