"""The provenance of a run: versions, settings, models and inputs, without times or machine names."""

from __future__ import annotations

import logging
import platform
from collections.abc import Iterable
from email.message import Message
from importlib.metadata import PackageNotFoundError, metadata, version
from pathlib import Path
from typing import Any, cast

import cineseq
from cineseq.files import digest, sha256
from cineseq.progress import progress
from cineseq.report.steps import StepReport

PACKAGES = (
    "anndata",
    "cellpose",
    "igraph",
    "illico",
    "imagecodecs",
    "matplotlib",
    "mudata",
    "numpy",
    "pandas",
    "pydeseq2",
    "scanpy",
    "scikit-image",
    "scikit-learn",
    "scipy",
    "snakemake",
    "statsmodels",
    "tifffile",
    "timm",
    "torch",
    "torchvision",
    "traccuracy",
    "trackpy",
    "zarr",
)
UNDECLARED = {"illico": "Apache-2.0", "trackpy": "BSD-3-Clause"}
"""Licences of packages that contain the text of their licence but do not declare its name."""
HASHED_UP_TO = 200_000_000
HASHED_IN_TOTAL = 50_000_000_000
logger = logging.getLogger(__name__)


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that results depend on; packages that are not installed are left out."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            logger.warning("Package %s is not installed; it is left out of the record of versions.", name)
    return found


def package_licence(name: str) -> str:
    """Return the licence that an installed package declares, or else "see the package"."""
    try:
        declared = cast("Message", metadata(name))
    except PackageNotFoundError:
        return "not installed"
    classifiers = [c.split(" :: ")[-1] for c in declared.get_all("Classifier") or [] if c.startswith("License ::")]
    full = (declared.get("License") or "").strip()
    short = full.splitlines()[0] if full and len(full.splitlines()[0]) < 40 else ""
    return (
        declared.get("License-Expression") or ", ".join(classifiers) or short or UNDECLARED.get(name, "see the package")
    )


def models_used(reports: Iterable[StepReport]) -> list[dict[str, Any]]:
    """Return each model once, with its SHA-256, its note and the steps that used it."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for report in reports:
        if report.model:
            key = (str(report.model.get("name")), str(report.model.get("sha256")))
            entry = found.setdefault(key, {**report.model, "steps": []})
            if report.step not in entry["steps"]:
                entry["steps"].append(report.step)
    return [found[key] | {"steps": sorted(found[key]["steps"])} for key in sorted(found)]


def describe_inputs(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """Describe input files: SHA-256 up to 200 MB (50 GB in total), otherwise size and time of the last change.

    Parameters
    ----------
    paths
        Files or folders; a folder (OME-Zarr) is described by the names and sizes of its files. Repeated paths are
        dropped.
    """
    described, left = [], HASHED_IN_TOTAL
    for path in progress(sorted(set(paths)), "Hashing inputs", logger):
        entry: dict[str, Any] = {"file": str(path)}
        if path.is_dir():
            entry |= _describe_folder(path)
        elif path.is_file():
            stat = path.stat()
            entry["bytes"] = stat.st_size
            if stat.st_size <= min(HASHED_UP_TO, left):
                entry["sha256"], left = sha256(path), left - stat.st_size
            else:
                entry["modified_ns"] = stat.st_mtime_ns
        else:
            entry["note"] = "missing when the record was written"
        described.append(entry)
    return described


def _describe_folder(folder: Path) -> dict[str, Any]:
    sizes = {p.relative_to(folder).as_posix(): p.stat().st_size for p in folder.rglob("*") if p.is_file()}
    listing = "\n".join(f"{name}\t{size}" for name, size in sorted(sizes.items()))
    names = digest(listing.encode())
    return {"files": len(sizes), "bytes": sum(sizes.values()), "sha256_of_names_and_sizes": names}


def provenance_record(
    run: str, config: dict[str, Any], reports: Iterable[StepReport], inputs: Iterable[Path]
) -> dict[str, Any]:
    """Return the provenance of a run; the same run, packages and inputs give the same record."""
    return {
        "cineseq": cineseq.__version__,
        "python": platform.python_version(),
        "packages": package_versions(),
        "run": run,
        "config": config,
        "models": models_used(reports),
        "inputs": describe_inputs(inputs),
    }
