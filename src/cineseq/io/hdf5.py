"""Check HDF5 files of others before they are read: whole, of plausible sizes, and of one file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil

from cineseq.errors import UserError
from cineseq.io import hdf5_walk

SECONDS, BYTES_PER_SECOND = 20, 10_000_000
"""Time of one core that reading a file may take: so much, and more for every so many bytes."""
PATIENCE = 20
"""How much longer than that it may take on a busy machine."""


def check_hdf5(path: Path, problem: str = "not a readable HDF5 file") -> None:
    """Read everything in an HDF5 file in a process of its own; ``problem`` begins the sentence if that fails.

    Raises
    ------
    UserError
        When reading fails, does not end or crashes the library, a size is implausible, or a part of the file is in
        another file: an external link, external storage or a virtual data set could show any file of this machine.
    """
    seconds = SECONDS + path.stat().st_size // BYTES_PER_SECOND
    most = psutil.virtual_memory().total
    command = [sys.executable, "-P", hdf5_walk.__file__, str(path.resolve()), str(seconds), str(most)]
    advice = "copy it again from where it was made, or write it again"
    try:
        ended = subprocess.run(  # noqa: S603 - our own program
            command, capture_output=True, text=True, timeout=seconds * PATIENCE, check=False, errors="replace"
        )
    except subprocess.TimeoutExpired:
        msg = f"{path}: {problem} (reading it does not end); {advice}."
        raise UserError(msg) from None
    if ended.returncode == 0:
        if why := ended.stdout.strip():
            msg = f"{path}: {why}."
            raise UserError(msg)
        return
    if ended.returncode < 0:
        why = f"reading it does not end or crashes the library, signal {-ended.returncode}"
    else:
        lines = ended.stderr.strip().splitlines() or ["unknown error"]
        why = "".join(c if c.isprintable() else " " for c in lines[-1])[:200].strip()
    msg = f"{path}: {problem} ({why}); {advice}."
    raise UserError(msg)
