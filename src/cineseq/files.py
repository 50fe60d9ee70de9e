"""Write files atomically, so that no file is ever incomplete."""

import hashlib
import json
import os
import platform
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

PROCESS_NAMESPACE = Path("/proc/self/ns/pid")
MACHINE_ID = Path("/etc/machine-id")


def process_space() -> str:
    """Return eight hexadecimal digits that are equal for processes that can see each other's ids.

    They differ between machines, and between containers of one machine with separate process ids.
    """
    namespace = str(PROCESS_NAMESPACE.readlink()) if PROCESS_NAMESPACE.is_symlink() else ""
    machine = MACHINE_ID.read_text(encoding="utf-8").strip() if MACHINE_ID.is_file() else ""
    return digest(f"{platform.node()} {machine} {namespace}".encode())[:8]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` and rename it to ``path`` on success.

    The temporary name contains the process and its machine, so that an orphan process of a killed run cannot write to
    the file of the next run. It keeps the suffixes of ``path``, because many writers choose their format by them.
    This works for files and folders. On any error the temporary is removed and ``path`` is not changed. Temporaries of
    ``path`` that killed processes of this machine left behind are removed first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for orphan in _orphans(path):
        _remove(orphan)
    temporary = path.with_name(f".{process_space()}-{os.getpid()}-{uuid.uuid4().hex[:8]}-{path.name}")
    try:
        yield temporary
        if path.is_dir() and temporary.exists():
            shutil.rmtree(path)
        temporary.replace(path)
    finally:
        _remove(temporary)


def _orphans(path: Path) -> list[Path]:
    """Return temporaries of ``path`` whose process has ended; those of other machines are left alone."""
    pattern = re.compile(rf"\.{process_space()}-(\d+)-[0-9a-f]{{8}}-{re.escape(path.name)}")
    named = ((entry, pattern.fullmatch(entry.name)) for entry in path.parent.iterdir())
    return [entry for entry, found in named if found and not psutil.pid_exists(int(found[1]))]


def _remove(path: Path) -> None:
    """Remove a file or folder that another process may be removing at the same time."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def resources() -> Path:
    """Return the folder of the shipped models: that of the checkout if run from one, else that of the wheel."""
    package = Path(__file__).resolve().parent
    checkout = package.parents[1] / "resources"
    return checkout if (checkout / "segmenter_compact.pt").is_file() else package / "resources"


def write_text(text: str, path: Path) -> None:
    """Write ``text`` to ``path`` atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(value: Any, path: Path) -> None:
    """Write ``value`` as indented JSON with sorted keys, atomically."""
    write_text(json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n", path)


def digest(content: bytes) -> str:
    """Return the SHA-256 of bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content, as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
