"""Which machine a process runs on, as far as its process ids mean anything."""

import hashlib
import platform
from pathlib import Path

PROCESS_NAMESPACE = Path("/proc/self/ns/pid")
MACHINE_ID = Path("/etc/machine-id")
STARTED_ON = Path(".snakemake/started_on")
"""Where a run notes its machine, in its working directory."""


def process_space() -> str:
    """Return eight hexadecimal digits, equal for processes that can see each other's ids.

    Two machines differ, and so do two containers of one machine that number their processes apart.
    """
    namespace = str(PROCESS_NAMESPACE.readlink()) if PROCESS_NAMESPACE.is_symlink() else ""
    machine = MACHINE_ID.read_text(encoding="utf-8").strip() if MACHINE_ID.is_file() else ""
    return hashlib.sha256(f"{platform.node()} {machine} {namespace}".encode()).hexdigest()[:8]


def note_machine(folder: Path) -> None:
    """Note in the working directory of a run which machine it runs on: its process space, then its name."""
    note = folder / STARTED_ON
    note.parent.mkdir(exist_ok=True)
    note.write_text(f"{process_space()} {platform.node()}\n", encoding="utf-8")


def noted_machine(folder: Path) -> tuple[str, str]:
    """Return process space and name of the machine that the last run noted; empty where none did."""
    note = folder / STARTED_ON
    space, _, name = note.read_text(encoding="utf-8").strip().partition(" ") if note.is_file() else ("", "", "")
    return space, name
