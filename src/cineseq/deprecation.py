"""Old names that still work, and meanings that changed: each is warned of once."""

import logging

logger = logging.getLogger(__name__)
_WARNED: set[str] = set()


def deprecated(old: str, new: str, removed_in: str) -> None:
    """Warn, once per process, that a name has been replaced.

    Parameters
    ----------
    old, new
        The name that was used, and the one to use.
    removed_in
        Version of cineseq from which the old name is refused.
    """
    if old in _WARNED:
        return
    _WARNED.add(old)
    logger.warning("'%s' is now called '%s'; the old name is removed in cineseq %s.", old, new, removed_in)


def without_effect(name: str, instead: str, removed_in: str) -> None:
    """Warn, once per process, that a setting no longer changes anything.

    Parameters
    ----------
    name
        The setting.
    instead
        What is done instead, as a clause.
    removed_in
        Version of cineseq from which the setting is refused.
    """
    if name in _WARNED:
        return
    _WARNED.add(name)
    logger.warning("'%s' has no effect: %s. Leave it out; it is refused from cineseq %s.", name, instead, removed_in)


def changed(name: str, what: str) -> None:
    """Warn, once per process, that a setting does not mean what it meant, or what it seems to.

    Parameters
    ----------
    name
        The setting.
    what
        What it means now and how to have what it meant, as a sentence without its full stop.
    """
    if name in _WARNED:
        return
    _WARNED.add(name)
    logger.warning("'%s': %s.", name, what)
