"""Sizes are believed only if the file and the memory can hold them; PNG checksums are verified."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from cineseq.errors import UserError
from cineseq.io.readers import open_source
from cineseq.io.readers.sizes import check_chunk, check_frames, check_plane

GREY = (np.arange(600).reshape(20, 30) * 100).astype(np.uint16)


def png(path: Path) -> bytes:
    Image.fromarray(GREY).save(path)
    return path.read_bytes()


def read(path: Path) -> np.ndarray:
    with open_source([path]) as source:
        return source.plane(0, 0)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_flipped_bit_of_a_png_is_refused(tmp_path: Path, at: int, bit: int) -> None:
    content = bytearray(png(tmp_path / "a.png"))
    np.testing.assert_array_equal(read(tmp_path / "a.png"), GREY)
    content[at % len(content)] ^= 1 << bit
    (tmp_path / "b.png").write_bytes(content)
    with pytest.raises(UserError, match=r"b\.png: not a whole PNG file \(.*\); copy it again from where it was made"):
        read(tmp_path / "b.png")


@pytest.mark.parametrize(
    ("side", "words"), [(40_000, "GiB of memory|cannot hold the"), (5_000, r"bytes cannot hold the 50000000 bytes")]
)
def test_a_png_that_states_a_huge_size_is_refused_at_once(tmp_path: Path, side: int, words: str) -> None:
    content = png(tmp_path / "a.png")
    header = b"IHDR" + struct.pack(">II", side, side) + content[24:29]
    (tmp_path / "b.png").write_bytes(content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:])
    with pytest.raises(UserError, match=words):
        read(tmp_path / "b.png")


def test_sizes_of_planes_frames_and_chunks() -> None:
    check_plane(Path("a"), 2048, 2048)
    check_frames(Path("a"), 1_000_000)
    check_chunk(Path("a"), (100, 1, 512, 512), 2)
    for height, width in ((0, 5), (10**6, 10**6)):
        with pytest.raises(UserError, match=r"a: it states planes of .* px, which need .* GiB of memory"):
            check_plane(Path("a"), height, width)
    for frames in (0, 10**9):
        with pytest.raises(UserError, match=r"a: it states .* frames, and a movie has 1 to 1000000; copy"):
            check_frames(Path("a"), frames)
    with pytest.raises(UserError, match=r"a: its chunks of 10000 x 10000 x 10000 take .* save it with a chunk for"):
        check_chunk(Path("a"), (10_000,) * 3, 2)
