"""Any failure of a library that reads a file becomes one sentence with the file and its format."""

import csv
import gzip
import io
import logging
import lzma
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
import tifffile
import yaml
import zarr
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.numpy import load as load_tensors

from cineseq.errors import LIBRARIES, SeriousRemarks, UserError, failures, reading, reason, warn_of


def truncated_gzip() -> None:
    gzip.decompress(gzip.compress(bytes(1000))[:-12])


BROKEN: dict[str, Callable[[], object]] = {
    "gzip": truncated_gzip,
    "zlib": lambda: zlib.decompress(b"no"),
    "lzma": lambda: lzma.decompress(b"no"),
    "struct": lambda: struct.unpack("<I", b"no"),
    "zipfile": lambda: zipfile.ZipFile(io.BytesIO(b"no")),
    "pickle": lambda: pickle.loads(b"no"),
    "csv": lambda: list(csv.reader(["a\0b", '"'], strict=True)),
    "expat": lambda: ET.fromstring("<no"),
    "yaml": lambda: yaml.safe_load("[no"),
    "tifffile": lambda: tifffile.TiffFile(io.BytesIO(b"no tiff at all")),
    "pillow": lambda: Image.open(io.BytesIO(b"no")),
    "safetensors": lambda: load_tensors(b"no"),
    "parquet": lambda: pq.read_table(io.BytesIO(b"no")),
    "h5py": lambda: h5py.File(io.BytesIO(b"no"), "r"),
    "zarr": lambda: zarr.open_array({}, mode="r"),
    "numpy": lambda: np.loadtxt(["1 no"]),
}


@pytest.mark.parametrize("library", BROKEN)
def test_a_failure_of_each_library_is_one_sentence(library: str) -> None:
    sentence = r"^movie: not a whole thing \(\w+.*\); copy it again\.$"
    with pytest.raises(UserError, match=sentence), reading("movie", "not a whole thing", "copy it again"):
        BROKEN[library]()


def test_a_sentence_of_our_own_passes_unchanged() -> None:
    with pytest.raises(UserError, match=r"^rows disagree$"), reading("a", "not a table", "save it"):
        raise UserError("rows disagree")  # noqa: EM101 - one statement


def test_what_is_no_failure_of_a_reader_passes() -> None:
    with pytest.raises(KeyboardInterrupt), reading(Path("a"), "not a table", "save it"):
        raise KeyboardInterrupt


@pytest.mark.parametrize(("module", "names"), LIBRARIES.items())
def test_every_exception_that_is_named_exists(module: str, names: tuple[str, ...]) -> None:
    loaded = pytest.importorskip(module)
    present = [getattr(loaded, name) for name in names if hasattr(loaded, name)]
    assert present
    assert all(issubclass(kind, Exception) and kind in failures() for kind in present)


@given(st.text())
def test_a_reason_is_one_short_line(text: str) -> None:
    shown = reason(ValueError(text))
    assert shown.startswith("ValueError")
    assert len(shown) < 230
    assert shown.isprintable()


def test_serious_remarks_are_kept_once(caplog: pytest.LogCaptureFixture) -> None:
    logger, remarks = logging.getLogger("reader"), SeriousRemarks()
    logger.addHandler(remarks)
    try:
        for text in ("The table counts.", "Half is missing (50 %s).", "The table counts."):
            warn_of(logger, text)
        logger.warning("not for the report")
    finally:
        logger.removeHandler(remarks)
    assert remarks.texts == ["The table counts.", "Half is missing (50 %s)."]
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 4
