"""The provenance of a run: versions, settings, models and inputs, without times or machine names."""

from __future__ import annotations

import logging
import platform
from collections.abc import Iterable
from email.message import Message
from importlib.metadata import PackageNotFoundError, metadata, version
from pathlib import Path
from typing import Any, cast

import pandas as pd

import cineseq
from cineseq.files import digest, sha256
from cineseq.progress import progress
from cineseq.report.steps import StepReport
from cineseq.text import count

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
    "zarr",
)
UNDECLARED = {"illico": "Apache-2.0"}
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
    """Describe input files and folders by their size and a hash.

    Content is hashed up to 200 MB of each input and 50 GB in total. A file beyond that is described by its size and the
    time of its last change, and a folder (such as OME-Zarr, GEFF or 10x mtx) by the names and sizes of its files.

    Parameters
    ----------
    paths
        Files or folders. Repeated paths are dropped.

    Returns
    -------
    list of dict
        ``file``, the path, and for what exists ``bytes``. For a file ``sha256``, or ``modified_ns`` and a ``note`` that
        says why it was not hashed. For a folder ``files``, ``sha256_of_names_and_sizes``, ``sha256_of_listing`` (names,
        sizes and the hashes of contents) and a ``note`` that says which contents that hash covers. For what is missing
        or cannot be read a ``note``.
    """
    described, left = [], HASHED_IN_TOTAL
    for path in progress(sorted(set(paths)), "Hashing inputs", logger):
        try:
            found, read = _describe(path, left)
        except OSError as error:
            found, read = {"note": f"could not be read when the record was written ({error.strerror})"}, 0
        described.append({"file": str(path), **found})
        left -= read
    return described


def _describe(path: Path, left: int) -> tuple[dict[str, Any], int]:
    """Describe one input, and return how many bytes of it were hashed."""
    if path.is_dir():
        return _describe_folder(path, left)
    if not path.is_file():
        return {"note": "missing when the record was written"}, 0
    size = path.stat().st_size
    if size <= min(HASHED_UP_TO, left):
        return {"bytes": size, "sha256": sha256(path)}, size
    limit, of = (HASHED_UP_TO, "one input") if size > HASHED_UP_TO else (HASHED_IN_TOTAL, "all inputs together")
    note = f"not hashed: above the limit of {count(limit / 1e6)} MB for {of}; size and time of last change are recorded"
    return {"bytes": size, "modified_ns": path.stat().st_mtime_ns, "note": note}, 0


def _describe_folder(folder: Path, left: int) -> tuple[dict[str, Any], int]:
    """Describe a folder by its listing, and return how many bytes of its files were hashed, in order of their names."""
    sizes = {p.relative_to(folder).as_posix(): p.stat().st_size for p in folder.rglob("*") if p.is_file()}
    rest, hashed, lines = min(HASHED_UP_TO, left), 0, []
    for name, size in sorted(sizes.items()):
        content = ""
        if size <= rest:
            content, rest, hashed = sha256(folder / name), rest - size, hashed + 1
        lines.append(f"{name}\t{size}\t{content}")
    covered = "their contents"
    if hashed < len(sizes):
        covered = f"the contents of {count(hashed)} of them (limit: {count(HASHED_UP_TO / 1e6)} MB of one input)"
    return {
        "files": len(sizes),
        "bytes": sum(sizes.values()),
        "sha256_of_names_and_sizes": digest("\n".join(f"{n}\t{s}" for n, s in sorted(sizes.items())).encode()),
        "sha256_of_listing": digest("\n".join(lines).encode()),
        "note": f"folder of {count(len(sizes), 'file')}: names, sizes and {covered}",
    }, min(HASHED_UP_TO, left) - rest


def fields_left_out(fields: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the fields of view (contract FIELDS) that a step could not process, with the reason."""
    failed = fields[fields["status"] != "kept"]
    return [{str(name): str(value) for name, value in row.items()} for row in failed.to_dict("records")]


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
