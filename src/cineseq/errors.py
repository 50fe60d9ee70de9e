"""Mistakes that the user can correct: the exception, the failures of libraries that become one, and serious remarks."""

from __future__ import annotations

import csv
import logging
import lzma
import pickle
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

PYTHON: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)
"""Exceptions of Python that any reader raises for a damaged file; most exceptions of libraries derive from them."""
STANDARD_LIBRARY: dict[str, tuple[type[Exception], ...]] = {
    "csv": (csv.Error,),
    "lzma": (lzma.LZMAError,),
    "pickle": (pickle.PickleError,),
    "struct": (struct.error,),
    "zipfile": (zipfile.BadZipFile, zipfile.LargeZipFile),
    "zlib": (zlib.error,),
}
LIBRARIES: dict[str, tuple[str, ...]] = {
    "anndata._io.specs.registry": ("IORegistryError",),
    "huggingface_hub.errors": ("EntryNotFoundError", "HTTPError", "XetError", "XetDownloadError"),
    "httpx": ("HTTPError", "InvalidURL"),
    "imagecodecs": ("DelayedImportError",),
    "pandas.errors": ("DataError", "InvalidIndexError"),
    "PIL.Image": ("DecompressionBombError",),
    "pyarrow.lib": ("ArrowException",),
    "safetensors": ("SafetensorError",),
    "tifffile": ("OmeXmlError", "TiffFileError"),
    "yaml": ("YAMLError",),
}
"""Exceptions that derive from none of the above, by the module that holds them.

Those of h5py, zarr, numcodecs, blosc, mudata, expat and torch all derive from Python's.
"""
LONGEST_REASON = 200
"""Characters of a library's message that are shown."""


class UserError(Exception):
    """An error in the user's data or configuration.

    The message is one sentence that names the file, the row or key, what was expected, and how to fix it.
    It is shown without a traceback.
    """


def failures() -> tuple[type[Exception], ...]:
    """Return what a reader may raise for a damaged file; a library that is not loaded can have raised nothing."""
    loaded = ((sys.modules[module], names) for module, names in LIBRARIES.items() if module in sys.modules)
    own = (getattr(module, name, None) for module, names in loaded for name in names)
    standard = (kind for kinds in STANDARD_LIBRARY.values() for kind in kinds)
    return (*PYTHON, *standard, *(kind for kind in own if kind is not None))


@contextmanager
def reading(path: Path | str, problem: str, advice: str) -> Iterator[None]:
    """Turn any failure of a library that reads ``path`` into the sentence for the user.

    Keep to the calls of the library in the block: a mistake of our own would be taken for one of the file.

    Parameters
    ----------
    path
        The file, as the user named it.
    problem
        What it is not, such as ``not a whole TIFF file``.
    advice
        How to mend it, such as ``copy it again from the microscope``.

    Raises
    ------
    UserError
        Instead of any of :func:`failures`; the library's reason is in it.
    """
    try:
        yield
    except failures() as error:
        refuse(path, problem, advice, error)


def refuse(path: Path | str, problem: str, advice: str, error: Exception) -> NoReturn:
    """Raise the sentence of :func:`reading` for an exception at hand."""
    msg = f"{path}: {problem} ({reason(error)}); {advice}."
    raise UserError(msg) from error


def reason(error: Exception) -> str:
    """Return an exception's message on one line of at most 200 characters, after the exception's name."""
    printable = "".join(c if c.isprintable() else " " for c in str(error))
    text = " ".join(printable.split()).strip(" .:;")
    short = text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]} ..."
    return f"{type(error).__name__}: {short}" if short else type(error).__name__


def warn_of(logger: logging.Logger, text: str) -> None:
    """Log a sentence on the data that a reader of the results must see; the step's report gets it as a notice."""
    logger.warning("%s", text, extra={"serious": True})


class SeriousRemarks(logging.Handler):
    """Keep the texts of :func:`warn_of`, each once, for the report of a step."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the text of a serious record."""
        if getattr(record, "serious", False) and record.getMessage() not in self.texts:
            self.texts.append(record.getMessage())
