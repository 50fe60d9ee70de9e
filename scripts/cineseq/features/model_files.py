"""Where an embedder's weights are, without importing torch: the rules ask this."""

from __future__ import annotations

from pathlib import Path

from cineseq.config.features import UNTRAINED

COMPACT = "compact"
COMPACT_FILE = Path(__file__).resolve().parents[3] / "resources" / "embedder_compact.safetensors"
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
