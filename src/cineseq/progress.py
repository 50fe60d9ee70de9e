"""Log the progress of long loops as lines that read well on a screen and in a cluster log."""

import logging
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

SECONDS_BETWEEN_LINES = 10.0
Item = TypeVar("Item")


def progress(items: Iterable[Item], what: str, logger: logging.Logger) -> Iterator[Item]:
    """Yield ``items`` and log, at most every ten seconds, how many of them are done."""
    total = len(items) if isinstance(items, Sized) else None
    logged = started = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - logged >= SECONDS_BETWEEN_LINES:
            logger.info("%s: %d%s done in %d s.", what, done, f" of {total}" if total else "", round(now - started))
            logged = now
