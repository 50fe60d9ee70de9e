"""STK files of MetaMorph: one page whose planes follow each other, and tables of their times and calibration."""

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cineseq.errors import UserError
from cineseq.io.readers import open_source

DAY = 2_459_000


def stk(path: Path, planes: np.ndarray, minutes: list[float], um: tuple[float, float] | None = (0.65, 0.65)) -> Path:
    """Write planes of 16 bits, shape (planes, height, width), as MetaMorph does."""
    count, height, width = planes.shape
    pixels = planes.astype("<u2").tobytes()
    rows = [(0, 1, DAY + int(m // 1440), round(m % 1440 * 60_000), DAY, 0) for m in minutes]
    uic2 = b"".join(struct.pack("<6I", *row) for row in rows)
    at = 8 + len(pixels)
    blocks, uic1 = [uic2], b""
    if um is not None:
        here = at + len(uic2)
        blocks += [*(struct.pack("<2I", round(side * 1000), 1000) for side in um), struct.pack("<I", 3) + b"um\0\0"]
        uic1 = struct.pack("<8I", 3, 1, 4, here, 5, here + 8, 6, here + 16)
    where_uic1 = at + sum(map(len, blocks))
    blocks.append(uic1)
    tags = [
        (256, 3, 1, width),
        (257, 3, 1, height),
        (258, 3, 1, 16),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (277, 3, 1, 1),
        (278, 3, 1, height),
        (279, 4, 1, 2 * height * width),
        *([(33628, 4, 4, where_uic1)] if um else []),
        (33629, 5, count, at),
    ]
    table = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + struct.pack("<I", 0)
    ifd = at + sum(map(len, blocks))
    path.write_bytes(b"II*\0" + struct.pack("<I", ifd) + pixels + b"".join(blocks) + table)
    return path


@settings(max_examples=20, deadline=None)
@given(
    frames=st.integers(2, 6),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    step=st.integers(1, 900),
    seed=st.integers(0, 99),
)
def test_planes_times_and_calibration_are_read(tmp_path_factory, frames, size, step, seed):
    planes = np.random.default_rng(seed).integers(0, 60_000, (frames, *size))
    path = stk(tmp_path_factory.mktemp("stk") / "m.stk", planes, [step * i for i in range(frames)], (0.5, 1.0))
    with open_source([path]) as source:
        assert (source.info.frames, source.info.channels) == (frames, 1)
        assert all((source.plane(i, 0) == planes[i]).all() for i in range(frames))
        assert source.info.times_min == pytest.approx([step * i for i in range(frames)])
        assert (source.info.pixel_size_um, source.info.pixel_aspect) == (pytest.approx(0.5**0.5), 2)


def test_without_calibration_the_pixel_size_is_unknown(tmp_path):
    with open_source([stk(tmp_path / "m.stk", np.ones((3, 4, 5)), [0, 5, 10], None)]) as source:
        assert source.info.pixel_size_um is None


def test_a_file_that_was_cut_off_is_refused(tmp_path):
    path = stk(tmp_path / "m.stk", np.ones((3, 4, 5)), [0, 5, 10])
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    with pytest.raises(UserError, match=r"m\.stk"), open_source([path]):
        pass
