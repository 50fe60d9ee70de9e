"""Checks of arguments that several functions share: tables, and settings of several sections."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import pandas as pd

from cineseq.config.base import Section
from cineseq.config.schema import nearest, section_from
from cineseq.errors import UserError

S = TypeVar("S", bound=Section)


def check_names(where: str, keywords: dict[str, Any], *sections: type[Section]) -> None:
    """Check that every keyword is a setting of one of the sections; the UserError names the nearest setting."""
    known = sorted(name for section in sections for name in section.model_fields)
    for name in keywords:
        if name not in known:
            msg = f"{where}: there is no setting '{name}', {nearest(name, known)}"
            raise UserError(msg)


def check_whole_number(name: str, value: Any, least: int, most: int | None = None) -> None:
    """Check that an argument is a whole number within bounds; otherwise raise a UserError that names it."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or not least <= int(value) or (most is not None and int(value) > most):
        msg = f"{name}: {value!r} should be a whole number from {least}{'' if most is None else f' to {most}'}."
        raise UserError(msg)


def section_of(where: str, section: type[S], keywords: dict[str, Any], **more: Any) -> S:
    """Return a section with the keywords that belong to it; the other settings keep their defaults.

    Raises
    ------
    UserError
        When a value is out of bounds; the message names the setting.
    """
    own = {name: value for name, value in (keywords | more).items() if name in section.model_fields}
    return section_from(section, own, where)


def check_tables(**tables: object) -> None:
    """Check that arguments are tables; otherwise raise a UserError that names the argument."""
    for name, table in tables.items():
        if not isinstance(table, pd.DataFrame):
            msg = f"{name}: expected a pandas.DataFrame, not a {type(table).__name__}."
            raise UserError(msg)
