"""The time to import a script is that of a fresh process with its own checkout's package."""

import subprocess
from pathlib import Path

import pytest
from bench_import import seconds


def checkout(folder: Path, package: str, script: str) -> Path:
    (folder / "src/cineseq").mkdir(parents=True)
    (folder / "src/cineseq/__init__.py").write_text(package)
    (folder / "scripts").mkdir()
    path = folder / "scripts/step.py"
    path.write_text(f"import time\nimport cineseq\n{script}\nif __name__ == '__main__':\n    time.sleep(60)\n")
    return path


def test_the_checkout_s_own_package_is_timed_and_main_is_not_run(tmp_path: Path) -> None:
    path = checkout(tmp_path, "mark = 'here'", "assert cineseq.mark == 'here'\ntime.sleep(0.2)")
    assert 0.2 <= seconds(path, repeats=1) < 30


def test_a_script_that_cannot_be_imported_is_no_time(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        seconds(checkout(tmp_path, "", "raise ImportError"), repeats=1)
