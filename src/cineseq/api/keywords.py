"""Settings given as keywords, checked by the sections of the configuration."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import ValidationError

from cineseq.config.base import Section
from cineseq.config.schema import nearest
from cineseq.errors import UserError

S = TypeVar("S", bound=Section)


def check_names(where: str, keywords: dict[str, Any], *sections: type[Section]) -> None:
    """Refuse a keyword that no section has, naming the nearest that there is."""
    known = sorted(name for section in sections for name in section.model_fields)
    for name in keywords:
        if name not in known:
            msg = f"{where}: there is no setting '{name}', {nearest(name, known)}"
            raise UserError(msg)


def section_of(where: str, section: type[S], keywords: dict[str, Any], **more: Any) -> S:
    """Return a section with the keywords that are its own; the others keep their defaults.

    Raises
    ------
    UserError
        For a value outside of its bounds, with the name of the setting.
    """
    own = {name: value for name, value in (keywords | more).items() if name in section.model_fields}
    try:
        return section.model_validate(own)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        reason = str(first["msg"]).removeprefix("Value error, ")
        got = f" (got {first['input']!r})" if place else ""
        msg = f"{where}: {f'{place}: ' if place else ''}{reason}{got}."
        raise UserError(msg) from None
