"""Keys that a configuration file states twice, of which readers of YAML silently keep the last."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from cineseq.errors import UserError

MERGE = "<<"
"""The key that includes another mapping, which may occur more than once."""


def check_keys_once(path: Path) -> None:
    """Check that no mapping of a YAML or JSON file states a key twice.

    A file that cannot be read at all is left to the reader of the configuration.

    Raises
    ------
    UserError
        For the first key that is there twice; the message names both lines.
    """
    try:
        root = yaml.compose(path.read_text(encoding="utf-8-sig"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return
    for place, first, again in _twice(root):
        msg = (
            f"{path}, line {again.start_mark.line + 1}: the key '{place}' is there twice (first in line "
            f"{first.start_mark.line + 1}), and only the last one would count; join them into one."
        )
        raise UserError(msg)


def _twice(root: yaml.Node | None) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    """Yield each key that a mapping has twice, with its place, and the nodes of both; an alias is visited once."""
    visited: set[int] = set()
    waiting = [] if root is None else [(root, "")]
    while waiting:
        node, place = waiting.pop()
        if id(node) in visited:
            continue
        visited.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += [(child, place) for child in node.value]
        if not isinstance(node, yaml.MappingNode):
            continue
        seen: dict[tuple[str, str], yaml.Node] = {}
        for key, value in node.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
            here = f"{place}.{name}" if place else name
            if name and name != MERGE:
                first = seen.setdefault((key.tag, name), key)
                if first is not key:
                    yield here, first, key
            waiting.append((value, here))
