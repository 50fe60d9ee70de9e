"""Writing files so that nothing is ever half-written."""

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
    """Return eight hexadecimal digits, equal for processes that can see each other's ids.

    Two machines differ, and so do two containers of one machine that number their processes apart.
    """
    namespace = str(PROCESS_NAMESPACE.readlink()) if PROCESS_NAMESPACE.is_symlink() else ""
    machine = MACHINE_ID.read_text(encoding="utf-8").strip() if MACHINE_ID.is_file() else ""
    return digest(f"{platform.node()} {machine} {namespace}".encode())[:8]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` and rename it to ``path`` on success.

    The temporary name says which process of which machine it belongs to, so that a killed run's orphan cannot write
    into its successor's file. It keeps the suffixes of ``path``, because many writers choose their format by them.
    Works for files and folders; on any error the temporary is removed and ``path`` is left as it was. Temporaries of
    ``path`` that processes of this machine left when they were killed are removed first.
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
    """Return temporaries of ``path`` whose process is dead; of another machine's processes nothing is known."""
    pattern = re.compile(rf"\.{process_space()}-(\d+)-[0-9a-f]{{8}}-{re.escape(path.name)}")
    named = ((entry, pattern.fullmatch(entry.name)) for entry in path.parent.iterdir())
    return [entry for entry, found in named if found and not psutil.pid_exists(int(found[1]))]


def _remove(path: Path) -> None:
    """Remove a file or folder, which another process may be removing too."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def resources() -> Path:
    """Return the folder of the models that are shipped: the checkout's when run from one, else the packed one."""
    package = Path(__file__).resolve().parent
    checkout = package.parents[1] / "resources"
    return checkout if (checkout / "segmenter_compact.pt").is_file() else package / "resources"


def write_text(text: str, path: Path) -> None:
    """Write ``text`` to ``path``, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(value: Any, path: Path) -> None:
    """Write ``value`` as indented JSON with sorted keys, whole or not at all."""
    write_text(json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n", path)


def digest(content: bytes) -> str:
    """Return the SHA-256 of bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content, as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
