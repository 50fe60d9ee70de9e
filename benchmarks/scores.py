"""The output of every benchmark: one line per score, with its target."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PEAK = Path(__file__).with_name("peak.py")


@dataclass(frozen=True)
class Score:
    """One measured number and its target range; a number without a range is for comparison."""

    name: str
    value: float
    low: float = -np.inf
    high: float = np.inf

    def __str__(self) -> str:
        """Return the line to print."""
        return f"{self.name:<76} {self.value:>11,.4g}   {self._wanted():<18} {self._verdict()}"

    def _wanted(self) -> str:
        bounded = np.isfinite([self.low, self.high])
        if not bounded.any():
            return "for comparison"
        if bounded.all():
            return f"{self.low:g} to {self.high:g}" if self.low < self.high else f"{self.low:g}"
        return f"at least {self.low:g}" if bounded[0] else f"at most {self.high:g}"

    def _verdict(self) -> str:
        if not np.isfinite([self.low, self.high]).any():
            return ""
        return "ok" if self.low <= self.value <= self.high else "MISSED"


def exactly(name: str, value: float, wanted: float, within: float = 0.0) -> Score:
    """Return a score whose target is one value."""
    return Score(name, value, wanted - within, wanted + within)


def own_peak_gb() -> float:
    """Return the peak memory of this process in GB.

    From ``VmHWM``, which is reset when a program starts; ``getrusage`` of a child includes the memory of its parent.
    """
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 / 1e9


def run_apart(script: Path, arguments: list[str]) -> dict[str, float]:
    """Run a script in a separate process; return its ``seconds`` and ``peak_gb``.

    Raises
    ------
    SystemExit
        When the script fails, with its error output.
    """
    command = [sys.executable, str(PEAK), str(script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])
