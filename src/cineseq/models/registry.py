"""Names, files and licences of the segmentation and embedding models; fast to import."""

from __future__ import annotations

import os
import re
from pathlib import Path
from zipfile import ZipFile, is_zipfile

from cineseq.config.features import UNTRAINED
from cineseq.errors import UserError
from cineseq.files import resources

COMPACT = "compact"
COMPACT_PHASE = "compact_phase"
SHIPPED = {COMPACT: "segmenter_compact.pt", COMPACT_PHASE: "segmenter_compact_phase.pt"}
"""Compact models of this package, and their files in resources/."""

COMPACT_FILE = resources() / "embedder_compact.safetensors"
"""File of the compact embedder."""

LARGEST_COMPACT_BYTES = 8_000_000
CELLPOSE_NAMES = ("cpsam_v2", "cpsam")
"""Models that cellpose can download by name."""

CELLPOSE_BACKBONE = "sam_vitl"
"""Cellpose's name for the network of these models."""

CELLPOSE_TERMS = "code BSD-3-Clause; its weights were trained on data licensed CC-BY-NC."
CELLPOSE_FOLDER = "CELLPOSE_LOCAL_MODELS_PATH"
"""Environment variable with the path of cellpose's model folder."""


def model_file(name_or_path: str) -> Path:
    """Return the file of a segmentation model; the file of a cellpose model may not exist yet."""
    if name_or_path in SHIPPED:
        return resources() / SHIPPED[name_or_path]
    if name_or_path in CELLPOSE_NAMES:
        folder = os.environ.get(CELLPOSE_FOLDER)
        return (Path(folder) if folder else Path.home() / ".cellpose" / "models") / name_or_path
    return Path(name_or_path).expanduser()


def is_small(name_or_path: str) -> bool:
    """Return whether the file of a model exists and is as small as that of a compact model."""
    file = model_file(name_or_path)
    return name_or_path not in CELLPOSE_NAMES and file.is_file() and file.stat().st_size <= LARGEST_COMPACT_BYTES


def training_memory_mb(name_or_path: str) -> int:
    """Return the memory to request for training a model, in MB.

    Training Cellpose-SAM needs four times its 1.2 GB (weights, gradients and two moments), the model used for
    scoring, a copy to save, and activations.
    """
    return 6_000 if is_small(name_or_path) else 16_000


def licence_note(name_or_path: str, backbone: str) -> str:
    """Return a sentence on the origin and the licence of a model, given the name of its network."""
    if name_or_path in SHIPPED:
        cells = "nuclei" if name_or_path == COMPACT else "cells in phase contrast and bright field"
        card = f"resources/{SHIPPED[name_or_path].removesuffix('.pt')}.md"
        return f"Compact U-Net trained by cineseq on simulated {cells} only; BSD-3-Clause ({card})."
    if name_or_path in CELLPOSE_NAMES:
        return f"Cellpose-SAM: {CELLPOSE_TERMS}"
    users = "User-supplied checkpoint; its terms are those of whoever trained it."
    if backbone == CELLPOSE_BACKBONE:
        return f"{users} Its network is that of Cellpose-SAM: {CELLPOSE_TERMS}"
    return users


SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")


def embedder_file(model: str) -> Path | None:
    """Return the file of the weights that a rule should depend on.

    Parameters
    ----------
    model
        ``embed.model``: ``compact``, a local file, a name on the model hub, or ``untrained:<architecture>``.

    Returns
    -------
    pathlib.Path or None
        The shipped file for ``compact``, the path of a local file (which may not exist), None for a name on the hub
        or untrained weights.
    """
    if model == COMPACT:
        return COMPACT_FILE
    if model.startswith(UNTRAINED):
        return None
    return Path(model).expanduser() if model.endswith(SUFFIXES) else None


def check_shipped(file: Path, digest: str) -> None:
    """Compare the hash of a shipped model with that in its card, the text file beside it.

    Raises
    ------
    UserError
        When they differ, so that the file is damaged or was replaced.
    """
    card = file.with_suffix(".md")
    known = re.search(r"SHA-256 `([0-9a-f]{64})`", card.read_text(encoding="utf-8")) if card.is_file() else None
    if known is None or known[1] != digest:
        why = "no card with its hash is beside it" if known is None else f"{card.name} states {known[1]}"
        msg = (
            f"{file}: not the shipped model (SHA-256 {digest}, and {why}); restore the file, or install cineseq again."
        )
        raise UserError(msg)


def check_checksums(file: Path) -> None:
    """Verify the checksums inside a checkpoint of torch, which torch does not; other files have none.

    Raises
    ------
    ValueError
        When one is wrong; the message names the part.
    """
    if is_zipfile(file):
        with ZipFile(file) as archive:
            wrong = archive.testzip()
        if wrong is not None:
            msg = f"the checksum of {wrong} is wrong"
            raise ValueError(msg)
