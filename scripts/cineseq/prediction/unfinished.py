"""Fits that a run which was stopped need not do again."""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import joblib

logger = logging.getLogger(__name__)
FOLDER = ".unfinished"
NOTHING_KEPT = joblib.Memory(None, verbose=0)


@contextmanager
def kept_fits(beside: Path) -> Iterator[joblib.Memory]:
    """Yield a store of finished fits; it is removed when all went well and stays when the run was stopped.

    A fit is found again by the content of its arguments. The store is named by the code that makes the fits and the
    versions of what it stands on, so that none of other code is taken.

    Parameters
    ----------
    beside
        A result of the step; the store is a hidden folder in its folder.
    """
    root = beside.parent / FOLDER
    store = root / _fingerprint()
    if store.exists():
        logger.info("Going on with the fits of an earlier run, kept in %s.", FOLDER)
    yield joblib.Memory(store, verbose=0)
    shutil.rmtree(root, ignore_errors=True)


def _fingerprint() -> str:
    versions = [f"{name}={version(name)}" for name in ("numpy", "scipy", "scikit-learn")]
    digest = hashlib.sha256(" ".join(versions).encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
