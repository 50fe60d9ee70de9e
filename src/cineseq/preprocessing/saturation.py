"""Saturated pixels of a raw movie, kept beside the corrected one, in which they no longer have one level."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cineseq.files import replacing


@dataclass
class Saturation:
    """Pixels at the highest level of each channel.

    Attributes
    ----------
    shape
        Height and width of a plane.
    highest
        Highest level of each channel so far.
    planes
        By channel and frame, the pixels at that level as compressed bits; planes without any are left out.
    """

    shape: tuple[int, int] = (0, 0)
    highest: dict[str, float] = field(default_factory=dict)
    planes: dict[str, dict[int, bytes]] = field(default_factory=dict)

    def see(self, plane: np.ndarray, name: str) -> np.ndarray | None:
        """Return which pixels of a raw plane are at the highest level so far; None where none is."""
        top = float(plane.max())
        if top < self.highest.get(name, top):
            return None
        if top > self.highest.get(name, -np.inf):
            # The pixels that were kept are not at the highest level of the channel.
            self.highest[name], self.planes[name] = top, {}
        return plane == top

    def keep(self, at_top: np.ndarray, frame: int, name: str) -> None:
        """Keep the pixels of a frame of the movie, as corrected for drift."""
        self.shape = at_top.shape
        self.planes[name][frame] = zlib.compress(np.packbits(at_top).tobytes())

    def of(self, frame: int, name: str) -> np.ndarray:
        """Return which pixels of a plane are saturated, shape (height, width)."""
        packed = self.planes.get(name, {}).get(frame)
        if packed is None:
            return np.zeros(self.shape, bool)
        bits = np.unpackbits(np.frombuffer(zlib.decompress(packed), np.uint8), count=self.shape[0] * self.shape[1])
        return bits.reshape(self.shape).astype(bool)

    def write(self, path: Path, saturated: list[str]) -> None:
        """Write the channels whose highest level is a saturated one, as npz."""
        rows = [(name, frame, data) for name in saturated for frame, data in self.planes.get(name, {}).items()]
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(
                file,
                shape=np.array(self.shape),
                names=np.array([name for name, _, _ in rows], str),
                frames=np.array([frame for _, frame, _ in rows], np.int64),
                lengths=np.array([len(data) for _, _, data in rows], np.int64),
                data=np.frombuffer(b"".join(data for _, _, data in rows), np.uint8),
            )

    @classmethod
    def read(cls, path: Path) -> Saturation:
        """Read what :meth:`write` has written."""
        with np.load(path) as stored:
            ends = np.cumsum(stored["lengths"])
            data = stored["data"].tobytes()
            height, width = stored["shape"].tolist()
            found = cls((height, width))
            for name, frame, begin, end in zip(
                stored["names"].tolist(), stored["frames"].tolist(), ends - stored["lengths"], ends, strict=True
            ):
                found.planes.setdefault(name, {})[frame] = data[begin:end]
        return found
