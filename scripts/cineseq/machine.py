"""Which machine a process runs on, as far as its process ids mean anything."""

import hashlib
import platform
from pathlib import Path

PROCESS_NAMESPACE = Path("/proc/self/ns/pid")


def process_space() -> str:
    """Return eight hexadecimal digits, equal for processes that can see each other's ids.

    Two machines differ, and so do two containers of one machine that number their processes apart.
    """
    namespace = str(PROCESS_NAMESPACE.readlink()) if PROCESS_NAMESPACE.is_symlink() else ""
    return hashlib.sha256(f"{platform.node()} {namespace}".encode()).hexdigest()[:8]
