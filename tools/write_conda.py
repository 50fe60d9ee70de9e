"""Write the conda environment of every rule from the lock, for ``snakemake --sdm conda``.

In: ``envs/requirements.lock``. Out: ``envs/cineseq.yaml``. A test compares them.
"""

import re
from pathlib import Path

from cineseq.files import write_text

ROOT = Path(__file__).resolve().parents[1]
PYTHON = "3.11"
PIN = re.compile(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)(?: ; ([^\\]*))?")


def pins(lock: str) -> list[str]:
    """Return ``name==version`` of every locked package for Python 3.11 on Linux, in the order of the lock."""
    found = []
    for line in lock.splitlines():
        match = PIN.match(line)
        if match and ">= '3.12'" not in (match[3] or ""):
            found.append(f"{match[1]}=={match[2]}")
    return found


def conda_text(lock: str) -> str:
    """Return the text of the conda file: Python from conda, every package at its locked version."""
    head = [
        "# Generated from envs/requirements.lock by `python tools/write_conda.py`; do not edit.",
        "channels:",
        "  - conda-forge",
        "  - nodefaults",
        "dependencies:",
        f"  - python={PYTHON}",
        "  - pip",
        "  - pip:",
    ]
    return "\n".join([*head, *(f"      - {pin}" for pin in pins(lock))]) + "\n"


def main() -> None:
    """Write the conda file into the repository."""
    write_text(conda_text((ROOT / "envs/requirements.lock").read_text()), ROOT / "envs/cineseq.yaml")


if __name__ == "__main__":
    main()
