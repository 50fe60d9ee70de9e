"""Load segmentation models and run them through cellpose's own ``eval``.

cellpose 4 falls back to its default model if a path is wrong and loads incompatible checkpoints without an error.
Therefore the file, its hash and every key are checked here first.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from cellpose import models as cellpose_models
from cellpose.vit import CPSAM, BaseModel

from cineseq.config.imaging import Segment
from cineseq.errors import UserError, reading
from cineseq.files import sha256
from cineseq.models.registry import (
    CELLPOSE_FOLDER,
    CELLPOSE_NAMES,
    COMPACT,
    SHIPPED,
    check_checksums,
    check_shipped,
    licence_note,
    model_file,
)
from cineseq.segmentation.compact import DIAMETERS_PX, STRIDE, CompactSegmenter
from cineseq.text import count

logger = logging.getLogger(__name__)

# cellpose builds sparse tensors; without an explicit choice torch warns in every run.
torch.sparse.check_sparse_tensor_invariants.disable()

CELLPOSE_TILE = 256
CELLPOSE_PADDING = 16
"""cellpose pads images to a multiple of this many pixels, plus as many again."""
LARGEST_TILE = 1024
CELLPOSE_DIAMETER = 30.0
DIAMETERS = ("diam_labels", "diam_mean")
"""Parameters that describe the training images and are not used for inference; some checkpoints lack them."""
TILES_PER_PASS = {"cuda": 64, "mps": 8, "cpu": 4}
PIXELS_PER_PASS = 1 << 20
"""Pixels per pass of the compact model, so that memory does not grow with the image."""


@dataclass(frozen=True)
class SegmentationModel:
    """A segmentation model that is ready to run.

    Attributes
    ----------
    name, path, sha256, note
        Identity of the model, for the outputs that name it.
    cellpose
        The cellpose model whose ``eval`` is called.
    """

    name: str
    path: Path
    sha256: str
    note: str
    cellpose: cellpose_models.CellposeModel

    @property
    def is_compact(self) -> bool:
        """Whether the network is the compact one."""
        return isinstance(self.cellpose.net, CompactSegmenter)

    @property
    def diameter_px(self) -> float | None:
        """Diameter of the cells that the model was trained on, in px of their images; None for a model of all sizes.

        Only checkpoints trained by this package state it: training on a user's frames writes it.
        """
        stated = float(self.cellpose.net.diam_labels)
        return stated if self.is_compact and stated != CELLPOSE_DIAMETER else None

    @property
    def provenance(self) -> dict[str, str]:
        """Name, file, hash and terms of the model, for the report."""
        return {"name": self.name, "sha256": self.sha256, "note": self.note}


def load_model(settings: Segment, path: Path | None = None) -> SegmentationModel:
    """Load the configured model after checking its file, hash and keys.

    Parameters
    ----------
    settings
        Name of the model, its expected hash, and whether cellpose may download it.
    path
        File of the model; None finds it by the name of the model.

    Raises
    ------
    UserError
        When the file is missing, has a different hash, or is not a checkpoint of a supported network.
    """
    file = fetch_segmenter(settings, path)
    digest = sha256(file)
    if settings.model in SHIPPED:
        check_shipped(file, digest)
    device = choose_device()
    net = read_network(file, device)
    if not isinstance(net, CompactSegmenter):
        net.dtype = choose_dtype(device)
    name = settings.model if file == model_file(settings.model) else file.name
    logger.info("Model %s (sha256 %s) on %s in %s.", name, digest[:12], device, str(net.dtype).removeprefix("torch."))
    note = licence_note(settings.model, net.backbone)
    logger.info("%s", note)
    return SegmentationModel(name, file, digest, note, as_cellpose(net, file, device))


def fetch_segmenter(settings: Segment, path: Path | None = None) -> Path:
    """Return the file of the configured model, downloaded by cellpose if that is allowed.

    Raises
    ------
    UserError
        When the file is missing and cannot be downloaded, or when its hash differs.
    """
    file = model_file(settings.model) if path is None else path
    if not file.is_file():
        _download(settings, file)
    if settings.sha256 is not None and (digest := sha256(file)) != settings.sha256:
        msg = f"{file}: SHA-256 is {digest}, but segment.sha256 is {settings.sha256}; replace the file or the hash."
        raise UserError(msg)
    return file


def _download(settings: Segment, file: Path) -> None:
    if settings.model not in CELLPOSE_NAMES:
        hint = f"give {', '.join((*SHIPPED, *CELLPOSE_NAMES))} or the path of a checkpoint"
    elif not settings.download:
        hint = f"put it there (or set {CELLPOSE_FOLDER}), run the target prefetch, or set segment.download to true"
    elif settings.sha256 is None:
        hint = (
            "a download needs segment.sha256 (of the model that training starts from, train.sha256), so that it is the "
            "same model each time; set it, or put the file there"
        )
    else:
        logger.info("cellpose downloads %s to %s.", settings.model, file)
        try:
            cellpose_models.cache_model_path(settings.model)
        except OSError as error:
            hint = f"cellpose could not download it ({type(error).__name__}); run the target prefetch with a network"
        else:
            return
    msg = f"segment.model: there is no file '{file}'; {hint}."
    raise UserError(msg)


def choose_device() -> torch.device:
    """Return the fastest available device."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def choose_dtype(device: torch.device) -> torch.dtype:
    """Return bfloat16 if the device supports it natively (it halves cpsam's time and memory), else float32."""
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = device.type == "cpu" and torch.cpu.get_capabilities().get("avx512_bf16", False)
    return torch.bfloat16 if native else torch.float32


def read_network(file: Path, device: torch.device) -> BaseModel:
    """Build the network of a checkpoint and load its weights, in float32.

    The candidate networks are built on the meta device, which takes no memory, to compare their keys and shapes.

    Raises
    ------
    UserError
        When the file cannot be read, or a weight is missing, unknown or of a different shape.
    """
    weights = _read_weights(file)
    with torch.device("meta"):
        candidates = (CompactSegmenter(), CPSAM(dtype=torch.float32))
    shapes = _shapes(weights)
    fitting = [net for net in candidates if _shapes(net.state_dict()) == shapes]
    if not fitting:
        raise UserError(_why_unknown(file, shapes, candidates))
    net = fitting[0]
    net.load_state_dict(weights | _diameters(weights), strict=True, assign=True)
    if isinstance(net, CompactSegmenter):
        # The channels-last layout is a third faster on CPUs.
        return net.to(device, memory_format=torch.channels_last).eval()
    return net.to(device).eval()


def _read_weights(file: Path) -> dict[str, torch.Tensor]:
    with reading(file, "not a readable model checkpoint", "copy it again or choose another model"):
        check_checksums(file)
        weights = torch.load(file, map_location="cpu", mmap=True, weights_only=True)
        # Parallel training prefixes keys with "module."; some checkpoints are saved in half precision.
        return {str(key).removeprefix("module."): value.float() for key, value in dict(weights).items()}


def _shapes(weights: dict[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each weight that is used for inference, by its key."""
    return {key: tuple(value.shape) for key, value in weights.items() if key not in DIAMETERS}


def _diameters(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the diameters that a checkpoint states, or cellpose's default if it states none or no single number."""
    usual = torch.tensor([CELLPOSE_DIAMETER])
    stated = {key: weights.get(key, usual) for key in DIAMETERS}
    return {key: value.reshape(1) if value.numel() == 1 else usual for key, value in stated.items()}


def _why_unknown(file: Path, shapes: dict[str, tuple[int, ...]], candidates: tuple[BaseModel, ...]) -> str:
    """Return a message that names the network that a checkpoint resembles most, and a weight that differs."""
    closest = max(candidates, key=lambda net: len(net.state_dict().keys() & shapes.keys()))
    wanted = _shapes(closest.state_dict())
    wrong = sorted(key for key in wanted.keys() | shapes.keys() if wanted.get(key) != shapes.get(key))
    return (
        f"{file}: neither a compact nor a Cellpose-SAM checkpoint ({count(len(wrong), 'weight')} of {closest.backbone} "
        f"missing, unknown or of another shape, such as '{wrong[0]}'); Cellpose 3 and Cellpose-DINO are not supported."
    )


def as_cellpose(net: BaseModel, file: Path, device: torch.device) -> cellpose_models.CellposeModel:
    """Wrap a network in a CellposeModel without calling its constructor, which might download models."""
    model = cellpose_models.CellposeModel.__new__(cellpose_models.CellposeModel)
    model.net, model.device, model.backbone = net, device, net.backbone
    model.gpu = device.type != "cpu"
    model.pretrained_model = str(file)
    return model


def segment_frame(
    model: SegmentationModel, planes: np.ndarray, settings: Segment, pixel_size_um: float | None
) -> np.ndarray:
    """Segment one frame.

    Parameters
    ----------
    model
        From :func:`load_model`.
    planes
        Channels to segment on, shape (channels, height, width).
    settings
        Thresholds and sizes.
    pixel_size_um
        Micrometres per pixel; with None, the sizes in the settings are in pixels.

    Returns
    -------
    np.ndarray
        Labels 1, 2, ..., shape (height, width), uint16; all 0 for a frame without contrast.
    """
    if planes.max() == planes.min():
        return np.zeros(planes.shape[1:], np.uint16)
    # Size of cells in px, the zoom to the size that the network knows, and tiles of the zoomed image.
    scale = 1.0 if pixel_size_um is None else pixel_size_um
    diameter = rescaling_diameter(model, None if settings.diameter is None else settings.diameter / scale)
    zoom = 1.0 if diameter is None else CELLPOSE_DIAMETER / diameter
    tile, batch = tiling(model, planes.shape[1:], zoom)
    masks, _, _ = model.cellpose.eval(
        np.moveaxis(planes, 0, -1).astype(np.float32),
        channel_axis=-1,
        batch_size=settings.batch_size or batch,
        bsize=tile,
        diameter=diameter,
        cellprob_threshold=settings.cellprob_threshold,
        flow_threshold=settings.flow_threshold,
        min_size=-1,
        max_size_fraction=1.0,
    )
    # Objects of an allowed area, shape (height, width).
    most = np.inf if settings.max_area is None else settings.max_area / scale**2
    return keep_sizes(masks.reshape(planes.shape[1:]), settings.min_area / scale**2, most)


def rescaling_diameter(model: SegmentationModel, diameter_px: float | None) -> float | None:
    """Return the diameter that cellpose should rescale to 30 px, or None to keep the scale of the image.

    The compact nuclear model was trained at all scales from 8 to 62 px, so rescaling within this range only costs
    time. A checkpoint trained on a user's frames states the diameter of their cells.
    """
    if diameter_px is None:
        return model.diameter_px
    if model.name == COMPACT and DIAMETERS_PX[0] <= diameter_px <= DIAMETERS_PX[1]:
        return None
    return diameter_px


def tiling(model: SegmentationModel, shape: tuple[int, ...], zoom: float) -> tuple[int, int]:
    """Return the side of a tile and the number of tiles per pass.

    The tile of Cellpose-SAM is fixed. For the compact model it is the multiple of its stride that covers the image
    with the fewest pixels, which for a small image is the whole frame.
    """
    kind = model.cellpose.device.type
    if not model.is_compact:
        return CELLPOSE_TILE, min(_tiles(shape, zoom, CELLPOSE_TILE), TILES_PER_PASS[kind])
    sides = range(CELLPOSE_TILE, LARGEST_TILE + 1, STRIDE)
    side = min(sides, key=lambda s: (_tiles(shape, zoom, s) * s**2, s))
    return side, max(1, PIXELS_PER_PASS // side**2)


def _tiles(shape: tuple[int, ...], zoom: float, side: int) -> int:
    """Return the number of tiles into which cellpose cuts an image, with its padding and its overlap of a tenth."""
    padded = (int(np.ceil(int(n * zoom) / CELLPOSE_PADDING) + 1) * CELLPOSE_PADDING for n in shape)
    return int(np.prod([1 if n <= side else np.ceil(1.2 * n / side) for n in padded]))


def keep_sizes(labels: np.ndarray, least: float, most: float) -> np.ndarray:
    """Remove objects outside the size limits (in pixels) and number the others from 1, in their order."""
    areas = np.bincount(labels.ravel())
    kept = (areas >= least) & (areas <= most)
    kept &= areas > 0
    kept[0] = False
    if kept.sum() > np.iinfo(np.uint16).max:
        msg = f"{kept.sum()} objects in one frame are too many for a label image of uint16"
        raise ValueError(msg)
    numbers = np.where(kept, np.cumsum(kept), 0).astype(np.uint16)
    return numbers[labels]
