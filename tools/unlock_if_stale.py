"""Remove the lock that a killed Snakemake left in this folder; fail if Snakemake is still running here.

The lock of Snakemake does not name its owner. It is stale if the last run began on this machine (each run records its
machine) and no live process of Snakemake or of its jobs has this folder as its working directory. Processes of other
machines are not visible from here, so a lock that may be theirs is kept.
"""

import logging
import subprocess
import sys
from pathlib import Path

import psutil

from cineseq.files import process_space
from cineseq.workflow.run_state import noted_machine

logger = logging.getLogger("unlock")


def holders(folder: Path) -> list[int]:
    """Return the ids of live processes that run Snakemake or one of its jobs in ``folder``."""
    own = {psutil.Process().pid, *(p.pid for p in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter(["pid", "cwd", "cmdline"]):
        info = process.info
        command = " ".join(info["cmdline"] or [])
        if info["cwd"] == str(folder.resolve()) and "snakemake" in command and info["pid"] not in own:
            found.append(info["pid"])
    return sorted(found)


def main(folder: Path) -> bool:
    """Unlock ``folder`` if it has a lock of a run on this machine and no live process owns it.

    Returns
    -------
    bool
        Whether a run can begin: no process that is visible from this machine is running here.
    """
    locks = folder / ".snakemake" / "locks"
    if not locks.is_dir() or not any(locks.iterdir()):
        return True
    alive = holders(folder)
    if alive:
        numbers = ", ".join(map(str, alive))
        logger.warning("Snakemake is at work here (process %s): start again when that has ended.", numbers)
        return False
    space, machine = noted_machine(folder)
    if space != process_space():
        logger.warning(
            "The lock here may be of a run on %s, whose processes cannot be seen from this one, so it stays; "
            "when no run is alive there, clear it with 'snakemake --unlock'.",
            machine or "an unknown machine",
        )
        return True
    logger.info("Clearing the lock of a run that was killed.")
    subprocess.run([sys.executable, "-m", "snakemake", "--unlock", "--quiet", "all"], cwd=folder, check=True)
    return True


if __name__ == "__main__":
    logging.basicConfig(level="INFO", format="%(message)s")
    sys.exit(0 if main(Path.cwd()) else 1)
