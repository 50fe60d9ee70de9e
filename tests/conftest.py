"""What every test may ask for."""

import os
from pathlib import Path

import pytest
from hypothesis import settings
from threadpoolctl import threadpool_limits

# One thread per process: the workers of pytest -n fill the cores, and linear algebra of several threads on busy cores
# is several times slower than of one. The variable is for libraries and processes that are loaded later.
os.environ.setdefault("OMP_NUM_THREADS", "1")
threadpool_limits(int(os.environ["OMP_NUM_THREADS"]))

# A busy machine is no failure: the time of an example is not tested.
settings.register_profile("cineseq", deadline=None)
settings.load_profile("cineseq")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Return the folder of real data, or skip the test where it is absent."""
    folder = Path(os.environ.get("CINESEQ_DATA", ROOT / "../shared/data")).resolve()
    if not (folder / "README.md").exists():
        pytest.skip(f"no real data at {folder}; set CINESEQ_DATA to the folder that holds them")
    return folder
