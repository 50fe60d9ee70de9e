"""Docstrings for the site: an extension of griffe, which reads them for mkdocstrings (``mkdocs.yml``)."""

from typing import Any

from griffe import Extension, Object
from site_pages import without_roles


class Roles(Extension):
    """Replace the roles of every docstring."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Replace those of one object."""
        if obj.docstring:
            obj.docstring.value = without_roles(obj.docstring.value)
