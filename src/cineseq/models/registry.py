"""Which segmentation and embedding models there are, where their files lie, and on what terms; cheap to import."""

from __future__ import annotations

import os
from pathlib import Path

from cineseq.config.features import UNTRAINED
from cineseq.files import resources

COMPACT = "compact"
COMPACT_PHASE = "compact_phase"
SHIPPED = {COMPACT: "segmenter_compact.pt", COMPACT_PHASE: "segmenter_compact_phase.pt"}
"""Our own small models and their files in resources/."""

COMPACT_FILE = resources() / "embedder_compact.safetensors"
"""The embedder of ours."""

LARGEST_COMPACT_BYTES = 8_000_000
CELLPOSE_NAMES = ("cpsam_v2", "cpsam")
"""Models that cellpose knows by name and can download."""

CELLPOSE_BACKBONE = "sam_vitl"
"""What cellpose calls the network of these."""

CELLPOSE_TERMS = "code BSD-3-Clause; its weights were trained on data licensed CC-BY-NC."
CELLPOSE_FOLDER = "CELLPOSE_LOCAL_MODELS_PATH"
"""Environment variable that names cellpose's folder of models."""


def model_file(name_or_path: str) -> Path:
    """Return the file of a segmentation model; a model that cellpose knows by name need not be there yet."""
    if name_or_path in SHIPPED:
        return resources() / SHIPPED[name_or_path]
    if name_or_path in CELLPOSE_NAMES:
        folder = os.environ.get(CELLPOSE_FOLDER)
        return (Path(folder) if folder else Path.home() / ".cellpose" / "models") / name_or_path
    return Path(name_or_path).expanduser()


def is_small(name_or_path: str) -> bool:
    """Return whether a model has the size of a compact one, as far as its file is there to tell."""
    file = model_file(name_or_path)
    return name_or_path not in CELLPOSE_NAMES and file.is_file() and file.stat().st_size <= LARGEST_COMPACT_BYTES


def training_memory_mb(name_or_path: str) -> int:
    """Return the memory to ask for where a model is trained.

    Training Cellpose-SAM takes four times its 1.2 GB, for weights, gradients and two moments, beside the model that
    scores, a copy to save, and activations.
    """
    return 6_000 if is_small(name_or_path) else 16_000


def licence_note(name_or_path: str, backbone: str) -> str:
    """Return what a model comes from and on what terms it may be used, given the name of its network."""
    if name_or_path in SHIPPED:
        cells = "nuclei" if name_or_path == COMPACT else "cells in phase contrast and bright field"
        card = f"resources/{SHIPPED[name_or_path].removesuffix('.pt')}.md"
        return f"Compact U-Net trained by cineseq on simulated {cells} only; BSD-3-Clause ({card})."
    if name_or_path in CELLPOSE_NAMES:
        return f"Cellpose-SAM: {CELLPOSE_TERMS}"
    users = "A checkpoint of the user's; its terms are those of whoever trained it."
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
        The embedded file for ``compact``, the path for a local file (whether or not it exists), None for a name on
        the hub or untrained weights.
    """
    if model == COMPACT:
        return COMPACT_FILE
    if model.startswith(UNTRAINED):
        return None
    return Path(model).expanduser() if model.endswith(SUFFIXES) else None
