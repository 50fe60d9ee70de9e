"""A TIFF that was cut off anywhere is refused, or has all its pages."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cineseq.errors import UserError
from cineseq.io.readers import open_source
from cineseq.io.readers.tiff_chain import check_chain

MOVIE = np.random.default_rng(5).integers(0, 900, (5, 20, 24)).astype(np.uint16)
KINDS = {
    "plain": {"metadata": None},
    "shaped": {},
    "big-endian": {"metadata": None, "byteorder": ">"},
    "bigtiff": {"metadata": None, "bigtiff": True},
    "tiled": {"metadata": None, "tile": (16, 16), "compression": "zlib"},
    "imagej": {"imagej": True, "metadata": {"axes": "TYX"}},
}


def written(path: Path, kind: str) -> bytes:
    tifffile.imwrite(path, MOVIE, photometric="minisblack", **KINDS[kind])
    return path.read_bytes()


def read(path: Path) -> np.ndarray | None:
    """Return the planes of a file, None if it is refused as damaged."""
    try:
        with open_source([path]) as source:
            return np.array([source.plane(t, 0) for t in range(source.info.frames)])
    except UserError as error:
        if "not a whole TIFF file" not in str(error):
            raise
        return None


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(part=st.floats(0, 0.999))
def test_a_file_that_was_cut_off(tmp_path: Path, kind: str, part: float) -> None:
    content = written(tmp_path / "whole.tif", kind)
    with open_source([tmp_path / "whole.tif"]) as source:
        assert source.info.frames == 5
    (tmp_path / "cut.tif").write_bytes(content[: int(part * len(content))])
    found = read(tmp_path / "cut.tif")
    if found is not None:  # nothing but padding after the last page was lost
        np.testing.assert_array_equal(found, MOVIE)


def test_a_circle_of_pages_ends(tmp_path: Path) -> None:
    content = bytearray(written(tmp_path / "a.tif", "plain"))
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        first, last = tiff.pages[0].offset, tiff.pages[-1].offset
    tags = int.from_bytes(content[last : last + 2], "little")
    content[last + 2 + 12 * tags : last + 6 + 12 * tags] = first.to_bytes(4, "little")
    (tmp_path / "b.tif").write_bytes(content)
    with pytest.raises(ValueError, match="page 5 is an earlier page"):
        check_chain(tmp_path / "b.tif")
