"""Fresh environments: Python with the locked libraries, without this checkout."""

import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCKED = sysconfig.get_path("purelib")


@dataclass(frozen=True)
class Environment:
    """An environment in a folder of its own.

    It finds the libraries of the environment that runs the tests through a ``.pth`` file. Python reads no ``.pth``
    files in the folder that one names, so that the editable install of this checkout does not come with them.
    """

    folder: Path

    @classmethod
    def made(cls, folder: Path) -> "Environment":
        """Make an environment in a folder that is not there yet."""
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        environment = cls(folder)
        (environment.packages / "locked.pth").write_text(f"{LOCKED}\n")
        return environment

    @property
    def packages(self) -> Path:
        """The folder that packages are installed in."""
        return next(self.folder.glob("lib/python3*/site-packages"))

    @property
    def variables(self) -> dict[str, str]:
        """The variables of the process, without a path to this checkout and without a way to fetch anything."""
        others = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "CINESEQ_GC_THRESHOLD", "VIRTUAL_ENV")}
        return others | {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}

    def python(self, *arguments: str, **variables: str) -> str:
        """Run Python in the environment's folder and return what it printed."""
        command = [str(self.folder / "bin/python"), *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self.variables | variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def install(self, *arguments: str) -> None:
        """Install with pip and the lock's own build tools; nothing is fetched or replaced elsewhere."""
        self.python(
            "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--ignore-installed", *arguments
        )


def build_wheel(source: Path, folder: Path) -> Path:
    """Build the wheel of a checkout into a folder."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(source)], check=True)
    return next(folder.glob("*.whl"))
