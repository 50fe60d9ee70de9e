"""A fixture that forbids writing to disk, for the functions of the interface."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.symlink", "os.link")


class Guard:
    """An audit hook that refuses whatever changes the disk while it is ``on``; Python never removes a hook."""

    def __init__(self) -> None:
        self.on = False
        sys.addaudithook(self)

    def __call__(self, event: str, arguments: tuple) -> None:
        if self.on and (event in CHANGES or (event == "open" and self.writes(*arguments))):
            msg = f"{event} {arguments}"
            raise PermissionError(msg)

    @staticmethod
    def writes(path: object, mode: str | None, flags: int | None) -> bool:
        return bool(set(mode or "") & set("wax+") or (flags or 0) & WRITING) and str(path) != os.devnull


@pytest.fixture(scope="session")
def guard() -> Guard:
    return Guard()


@pytest.fixture
def no_writing(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> Callable[[], AbstractContextManager]:
    """Return a context in which a change of the disk is a PermissionError; compiled Python is not written, either."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    @contextmanager
    def forbidden() -> Iterator[None]:
        guard.on = True
        try:
            yield
        finally:
            guard.on = False

    return forbidden
