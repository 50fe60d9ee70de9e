"""Checks of XML text before it is parsed."""

from __future__ import annotations

import re
from pathlib import Path

from cineseq.errors import UserError

DEFINITION = re.compile(rb"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)


def check_entities(path: Path, text: str | bytes) -> None:
    """Refuse XML that defines entities, which can grow to any size or name other files; no image or track needs them.

    Raises
    ------
    UserError
        When it does.
    """
    content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if DEFINITION.search(content.replace(b"\0", b"")):
        msg = f"{path}: its XML defines entities (<!DOCTYPE or <!ENTITY), which is refused; save it without them."
        raise UserError(msg)
