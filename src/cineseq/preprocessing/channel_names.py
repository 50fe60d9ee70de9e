"""Names of the channels of a movie: those of the file, and those that the configuration gives them."""

from __future__ import annotations

import json
import logging
import re

from cineseq.errors import UserError
from cineseq.io.readers import Source
from cineseq.text import listed

logger = logging.getLogger(__name__)

PLACEHOLDER = re.compile(
    r"(default|unknown|unnamed|(channel|chan|ch|c|w|wavelength|image|series|camera|cam)?([\s:=_#.-]*\d+)*)(\s*nm)?",
    re.IGNORECASE,
)
"""Names that say nothing about a channel: its number, or its wavelength."""


def named_channels(
    source: Source, wanted: list[str] | dict[str, str] | None
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return the positions and the names of the channels that are kept.

    Parameters
    ----------
    source
        The raw images.
    wanted
        Names of the file and their new ones, or a list. If all names of a list are in the file, they select channels.
        Otherwise they name all channels in order, which is allowed where the file has no names, placeholders, names
        that are not distinct, or one channel.

    Raises
    ------
    UserError
        When names do not fit the file; the message shows the mapping from its names.
    """
    info = source.info
    named = info.names
    distinct = len(set(named)) == len(named)
    if wanted is None:
        names = named or tuple(f"C{i}" for i in range(info.channels))
        if not named:
            logger.warning("%s names no channels; they are called %s.", source.path, ", ".join(names))
        if not distinct:
            msg = (
                f"{source.path}: channel names are not distinct ({', '.join(names)}); list a name of its own for each, "
                "in the order of the file, as channels.names (channels= in Python)."
            )
            raise UserError(msg)
        return tuple(range(info.channels)), names
    if isinstance(wanted, dict):
        return _mapped(source, wanted)
    if named and set(wanted) <= set(named) and distinct:
        return tuple(named.index(n) for n in wanted), tuple(wanted)
    by_position = not named or not distinct or len(named) == 1 or all(PLACEHOLDER.fullmatch(n.strip()) for n in named)
    if not by_position:
        raise _by_name(source, wanted)
    if len(wanted) != info.channels:
        there = f" ({', '.join(named)})" if named else ""
        msg = (
            f"{source.path}: channels.names (channels= in Python) lists {len(wanted)} channels, but the file has "
            f"{info.channels}{there}; give one name for each."
        )
        raise UserError(msg)
    if named:
        logger.warning("channels.names renames %s to %s.", ", ".join(named), ", ".join(wanted))
    return tuple(range(info.channels)), tuple(wanted)


def _mapped(source: Source, wanted: dict[str, str]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return the channels that a mapping from the names of the file selects and renames."""
    named = source.info.names
    if not named:
        msg = (
            f"{source.path}: names no channels, so channels.names cannot map its names; list the new names in the "
            f"order of the file, as channels.names: [{', '.join(map(_quoted, wanted.values()))}]."
        )
        raise UserError(msg)
    twice = next((name for name in wanted if named.count(name) > 1), None)
    if twice is not None:
        msg = (
            f"{source.path}: has the channel '{twice}' {named.count(twice)} times, so its name cannot be mapped; list "
            "a name for each channel in the order of the file, as channels.names."
        )
        raise UserError(msg)
    unknown = next((name for name in wanted if name not in named), None)
    if unknown is not None:
        raise no_channel(source, "channels.names", unknown, named)
    return tuple(named.index(name) for name in wanted), tuple(wanted.values())


def _by_name(source: Source, wanted: list[str]) -> UserError:
    """Return the error for a list of new names where the file has names, with a mapping."""
    named = source.info.names
    strange = [name for name in wanted if name not in named]
    kept = [name for name in named if name in wanted]
    free = iter([name for name in named if name not in wanted])
    pairs = [(name, name) for name in kept] + [(next(free, "NAME IN THE FILE"), name) for name in strange]
    mapping = ", ".join(f"{_quoted(old)}: {_quoted(new)}" for old, new in pairs)
    absent = listed([f"'{name}'" for name in strange])
    return UserError(
        f"{source.path}: no channel {absent} (channels.names); the file has "
        f"{', '.join(named)}. To rename channels, map the name in the file to the new one, by what each shows: "
        f"channels.names: {{{mapping}}}."
    )


def _quoted(name: str) -> str:
    """Write a name as YAML reads it, in quotes unless it is a plain word."""
    words = ("null", "true", "false", "yes", "no", "on", "off", "y", "n")
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name) and name.lower() not in words
    return name if plain else json.dumps(name, ensure_ascii=False)


def no_channel(source: Source, key: str, name: str, names: tuple[str, ...]) -> UserError:
    """Return the error for a name of the configuration (``key``) that is not among the channels of the file."""
    each = f" ({source.info.composed})" if source.info.composed else ""
    return UserError(f"{source.path}: no channel '{name}' ({key}); the file has {', '.join(names)}{each}.")
