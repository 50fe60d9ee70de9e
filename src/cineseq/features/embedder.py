"""Load embedding models: the compact model of this package, a local file, or a name on the model hub.

Weights always come from a file whose hash is recorded, and every key must match the network. Random weights are used
only if the configuration asks for them by name.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import timm
import torch
from safetensors import safe_open
from safetensors.torch import save
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from cineseq.config.features import UNTRAINED, Embed
from cineseq.errors import UserError, reading
from cineseq.files import digest, replacing, sha256
from cineseq.models.registry import COMPACT, check_checksums, check_shipped, embedder_file

logger = logging.getLogger(__name__)

COMPACT_ARCHITECTURE: dict[str, int] = {
    "img_size": 64,
    "patch_size": 8,
    "embed_dim": 64,
    "depth": 5,
    "num_heads": 4,
}
DEFAULT_IMAGE_PX = 112
WEIGHTS = "model.safetensors"
FORMAT = "cineseq-embedder-1"
"""Metadata key of this package's safetensors files, whose metadata contains the architecture."""


@dataclass(frozen=True)
class Embedder:
    """A loaded model.

    Attributes
    ----------
    network
        A vision transformer in evaluation mode, on ``device``.
    name
        Name that every output states; starts with ``untrained:`` if the weights are random.
    sha256
        Hash of the weights file (of the weights themselves if they are random).
    note
        One sentence about the weights.
    image_px
        Side of the input images, in pixels.
    mean, std
        Mean and standard deviation that normalise the three channels.
    device
        ``cuda`` or ``cpu``.
    """

    network: VisionTransformer
    name: str
    sha256: str
    note: str
    image_px: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    device: str

    @property
    def trained(self) -> bool:
        """Whether the weights were learned."""
        return not self.name.startswith(UNTRAINED)

    @property
    def columns(self) -> int:
        """Number of values per channel of the movie."""
        return 2 * int(self.network.embed_dim)


def load_embedder(settings: Embed, file: Path | None = None, *, download: bool = True) -> Embedder:
    """Load the model that the configuration names.

    Parameters
    ----------
    settings
        The section ``embed``.
    file
        File of the weights, if the caller has it as an input; None finds it by name.
    download
        Whether a model on the hub that is not in the cache may be downloaded.

    Raises
    ------
    UserError
        When the file is missing, is not a weights file, has a different hash, or does not match the architecture;
        when the hub cannot be reached; or when random weights are not allowed.
    """
    if settings.model is None:
        msg = "embed.model: null makes no embeddings; name 'compact', a file of weights or a name on the model hub."
        raise UserError(msg)
    if settings.model.startswith(UNTRAINED):
        embedder = _untrained(settings.model, settings)
    else:
        path = file or embedder_file(settings.model) or _fetched(settings, settings.model, download=download)
        embedder = _from_file(path, settings.model, settings)
    if not (hasattr(embedder.network, "patch_embed") and getattr(embedder.network, "cls_token", None) is not None):
        msg = f"embed.model: '{embedder.name}' is not a vision transformer with a class token; name one that is."
        raise UserError(msg)
    logger.info("Model %s, SHA-256 %s, on %s.", embedder.name, embedder.sha256[:12], embedder.device)
    return embedder


def fetch_embedder(settings: Embed) -> Path | None:
    """Return the weights file that the configuration names, downloaded if it is a name on the model hub.

    Return None if nothing is embedded or the weights are random.

    Raises
    ------
    UserError
        When the file is missing or the hub cannot be reached.
    """
    if settings.model is None or settings.model.startswith(UNTRAINED):
        return None
    path = embedder_file(settings.model) or _fetched(settings, settings.model)
    if not path.is_file():
        msg = f"embed.model: there is no file {path}; give 'compact', a file of weights or a name on the model hub."
        raise UserError(msg)
    _check_hash(path, sha256(path), settings)
    return path


def compact_network(architecture: dict[str, int] | None = None) -> VisionTransformer:
    """Build a compact network with random weights; for other image sizes its position embedding is interpolated."""
    sizes: dict[str, Any] = dict(architecture or COMPACT_ARCHITECTURE)
    return VisionTransformer(**sizes, num_classes=0, dynamic_img_size=True)


def save_compact(network: nn.Module, architecture: dict[str, int], note: str, path: Path) -> None:
    """Write a compact network in the format that :func:`load_embedder` reads."""
    metadata = {"format": FORMAT, "architecture": json.dumps(architecture), "note": note}
    tensors = {k: v.detach().contiguous() for k, v in sorted(network.state_dict().items())}
    with replacing(path) as temporary:
        temporary.write_bytes(save(tensors, metadata=metadata))


def _from_file(path: Path, model: str, settings: Embed) -> Embedder:
    if not path.is_file():
        msg = f"embed.model: there is no file {path}; give 'compact', a file of weights or a name on the model hub."
        raise UserError(msg)
    digest = sha256(path)
    if model == COMPACT:
        check_shipped(path, digest)
    _check_hash(path, digest, settings)
    metadata = _metadata(path)
    if metadata.get("format") == FORMAT:
        return _ours(path, digest, metadata, settings)
    architecture = settings.architecture or _hub_name(model)
    if architecture is None:
        msg = f"{path}: the file does not state its architecture; name it in embed.architecture."
        raise UserError(msg)
    return _timms(path, digest, model, architecture, side=settings.image_px or DEFAULT_IMAGE_PX)


def _check_hash(path: Path, digest: str, settings: Embed) -> None:
    if settings.sha256 is not None and digest != settings.sha256:
        msg = f"{path}: its SHA-256 is {digest}, but embed.sha256 is {settings.sha256}; correct one of them."
        raise UserError(msg)


def _ours(path: Path, digest: str, metadata: dict[str, str], settings: Embed) -> Embedder:
    architecture = _readable(path, lambda: json.loads(metadata["architecture"]))
    network = _readable(path, lambda: compact_network(architecture))
    state = _readable(path, lambda: timm.models.load_state_dict(str(path)))
    _check_keys(path, network, state)
    network.load_state_dict(state, strict=True)
    name = COMPACT if settings.model == COMPACT else path.name
    side = settings.image_px or architecture["img_size"]
    return _ready(network, name, digest, metadata.get("note", ""), side)


def _timms(path: Path, digest: str, model: str, architecture: str, *, side: int) -> Embedder:
    overlay = {"file": str(path)}
    _readable(path, lambda: check_checksums(path))
    # Keep the checkpoint's number of classes: with another number timm loads without checking the keys.
    network = _readable(path, lambda: _created(architecture, side, pretrained=True, pretrained_cfg_overlay=overlay))
    network.reset_classifier(0)
    name = model if _hub_name(model) else f"{architecture} ({path.name})"
    return _ready(network, name, digest, f"Weights of {architecture} from {path.name}, read through timm.", side)


def _untrained(model: str, settings: Embed) -> Embedder:
    if not settings.allow_untrained:
        msg = f"embed.model: '{model}' has random weights; set embed.allow_untrained to true for a trial."
        raise UserError(msg)
    architecture = model.removeprefix(UNTRAINED)
    side = settings.image_px or (COMPACT_ARCHITECTURE["img_size"] if architecture == COMPACT else DEFAULT_IMAGE_PX)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = compact_network() if architecture == COMPACT else _created(architecture, side, pretrained=False)
    if architecture != COMPACT:
        network.reset_classifier(0)
    digest = _hash_of_weights(network)
    return _ready(network, model, digest, "Random weights: nothing was learned; for trials only.", side)


def _created(architecture: str, side: int, **options: Any) -> VisionTransformer:
    try:
        # timm builds any network; whether it is a vision transformer is checked when it is loaded.
        return cast("VisionTransformer", timm.create_model(architecture, img_size=side, **options))
    except TypeError:
        msg = f"embed.architecture: '{architecture}' is not a vision transformer that takes an image size."
        raise UserError(msg) from None
    except (RuntimeError, ValueError) as error:
        if timm.is_model(_architecture_of(architecture)):
            raise
        msg = f"embed.model: timm knows no architecture '{architecture}' ({_first_line(error)})."
        raise UserError(msg) from None


def _ready(network: VisionTransformer, name: str, digest: str, note: str, side: int) -> Embedder:
    config = getattr(network, "pretrained_cfg", None) or {}
    device = "cuda" if torch.cuda.is_available() else "cpu"
    mean, std = config.get("mean") or IMAGENET_DEFAULT_MEAN, config.get("std") or IMAGENET_DEFAULT_STD
    patch = network.patch_embed.patch_size[0] if hasattr(network, "patch_embed") else 1
    if side % patch:
        msg = f"embed.image_px: {side} is not a multiple of the {patch} px patches of '{name}'."
        raise UserError(msg)
    return Embedder(network.eval().to(device), name, digest, note, side, tuple(mean), tuple(std), device)


def _fetched(settings: Embed, name: str, *, download: bool = True) -> Path:
    """Return the file of a hub model from the local cache, or download it where that is allowed and pinned."""
    known = timm.is_model(_architecture_of(name))
    repository = getattr(timm.get_pretrained_cfg(name) if known else None, "hf_hub_id", None)
    if not repository:
        msg = f"embed.model: '{name}' is neither 'compact', a file of weights, nor a model that timm has weights for."
        raise UserError(msg)
    import httpx  # noqa: PLC0415 - only here is the network used
    from huggingface_hub import hf_hub_download  # noqa: PLC0415
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError  # noqa: PLC0415

    try:
        return Path(hf_hub_download(repository, WEIGHTS, revision=settings.revision, local_files_only=True))
    except LocalEntryNotFoundError:
        if not download:
            msg = f"model: the weights of '{name}' are not in the local cache; allow download, or name a local file."
            raise UserError(msg) from None
        if settings.revision is None or settings.sha256 is None:
            msg = (
                f"embed.model: the weights of '{name}' are not in the cache, and a download needs embed.revision (the "
                f"commit in {repository} on the hub) and embed.sha256 (that of {WEIGHTS}), so that the same model is "
                "used each time; set both, or name a local file."
            )
            raise UserError(msg) from None
        logger.info("The weights of %s are not in the cache; asking the model hub.", name)
    try:
        return Path(hf_hub_download(repository, WEIGHTS, revision=settings.revision))
    # Without a network, the hub's own retries end in a RuntimeError.
    except (OSError, ValueError, RuntimeError, HfHubHTTPError, httpx.HTTPError) as error:
        where = "is switched off (HF_HUB_OFFLINE)" if os.environ.get("HF_HUB_OFFLINE") else "cannot be reached"
        msg = (
            f"embed.model: the weights of '{name}' are not in the cache and the model hub {where} "
            f"({type(error).__name__}); fetch them where there is a network, or name a local file or 'compact'."
        )
        raise UserError(msg) from None


def _architecture_of(name: str) -> str:
    """Return a timm model name without the tag of its weights."""
    return name.partition(".")[0]


def _hub_name(model: str) -> str | None:
    return None if embedder_file(model) is not None else model


def _metadata(path: Path) -> dict[str, str]:
    if path.suffix != ".safetensors":
        return {}

    def read() -> dict[str, str]:
        with safe_open(path, framework="pt") as stream:
            return stream.metadata() or {}

    return _readable(path, read)


def _readable(path: Path, load: Callable[[], Any]) -> Any:
    """Call ``load`` and convert any error of an incompatible or damaged file to a ``UserError``."""
    with reading(path, "not weights that fit embed.architecture", "give another file"):
        return load()


def _check_keys(path: Path, network: nn.Module, state: dict[str, torch.Tensor]) -> None:
    wanted = {k: tuple(v.shape) for k, v in network.state_dict().items()}
    stored = {k: tuple(v.shape) for k, v in state.items()}
    wrong = sorted(k for k in wanted.keys() | stored.keys() if wanted.get(k) != stored.get(k))
    if wrong:
        first = wrong[0]
        msg = (
            f"{path}: {len(wrong)} weights do not fit the architecture, the first '{first}' "
            f"({stored.get(first, 'absent')} where {wanted.get(first, 'none')} was expected); give another file."
        )
        raise UserError(msg)


def _hash_of_weights(network: nn.Module) -> str:
    return digest(save({k: v.contiguous() for k, v in sorted(network.state_dict().items())}))


def _first_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:160]
