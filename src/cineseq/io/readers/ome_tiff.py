"""OME-TIFF: the image whose pages lie in the file that was named, in one file or in several."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from cineseq.errors import UserError, failures, reading
from cineseq.io.readers.choice import NamedImage, choose
from cineseq.io.readers.grid import SAMPLES, PlaneGrid, layout_of
from cineseq.io.readers.ome_xml import OmeDescription, OmeImage, PageRun, parse_ome
from cineseq.io.readers.pages import SUFFIXES, OpenFiles, description_of
from cineseq.io.readers.source import ReadOptions, Source, SourceInfo, pixel_shape
from cineseq.text import count, listed

COMPANION = ".companion.ome"
FILE_NAME = re.compile(r'\bFileName\s*=\s*"([^"]*)"')


@dataclass(frozen=True)
class OmeSet:
    """The images of an OME-TIFF or of its companion file.

    Attributes
    ----------
    path
        The file that was named.
    metadata
        The file that holds the OME-XML.
    images
        The images that it describes.
    own
        Identifier and name under which the description knows the named file.
    """

    path: Path
    metadata: Path
    images: tuple[OmeImage, ...]
    own: tuple[str, str]

    def file_of(self, block: PageRun) -> Path:
        """Return the file of a block of planes."""
        if not block.file and not block.uuid:
            return self.metadata
        return self.path if self._is_own(block) else self.path.parent / block.file

    def files_of(self, image: OmeImage) -> tuple[Path, ...]:
        """Return the files of an image in the order of their planes."""
        blocks = sorted(image.blocks, key=lambda block: block.first)
        return tuple(dict.fromkeys(self.file_of(block) for block in blocks))

    def _is_own(self, block: PageRun) -> bool:
        uuid, name = self.own
        return block.uuid == uuid if uuid else block.file == name


def ome_set(path: Path, text: str | None) -> OmeSet:
    """Return the images that a file or its companion describes.

    Parameters
    ----------
    path
        The OME-TIFF or the companion file.
    text
        Its description; None for a companion file.

    Raises
    ------
    UserError
        When the metadata are missing or not readable.
    """
    metadata = path
    described = parse_ome(_words_of(path) if text is None else text, path)
    uuid = "" if text is None else described.uuid
    if described.elsewhere:
        metadata = path.parent / described.elsewhere
        if not metadata.is_file():
            msg = (
                f"{path}: its metadata are in the companion file {metadata.name}, which is missing; copy it beside "
                "this file."
            )
            raise UserError(msg)
        described = parse_ome(_words_of(metadata), metadata)
    if not described.images:
        msg = f"{metadata}: its OME-XML describes no image; write the file again, as OME-TIFF."
        raise UserError(msg)
    return OmeSet(path, metadata, described.images, _own(path, uuid, described))


def _words_of(path: Path) -> str:
    """Return the OME-XML of a companion file, or of a TIFF that describes others."""
    with reading(path, "not readable as OME-XML", "copy it again from the microscope"):
        return (description_of(path) or "") if is_tiff(path) else path.read_text(encoding="utf-8")


def is_tiff(path: Path) -> bool:
    """Whether a file is a TIFF by its name."""
    return path.suffix.lower() in SUFFIXES


def _own(path: Path, uuid: str, described: OmeDescription) -> tuple[str, str]:
    """Return identifier and name under which a description knows a file, which may have been renamed or copied."""
    blocks = [block for image in described.images for block in image.blocks if block.file or block.uuid]
    if uuid and any(block.uuid == uuid for block in blocks):
        return uuid, ""
    names = {block.file for block in blocks}
    if path.name not in names and len(names) == 1 and is_tiff(path) and not (path.parent / next(iter(names))).exists():
        return "", next(iter(names))  # the only file, under its former name
    return "", path.name


def chosen_image(files: OmeSet, options: ReadOptions) -> OmeImage:
    """Return the image of the named file, or the one that ``options.series`` names.

    Raises
    ------
    UserError
        When the file holds several images and none is named, or none of it.
    """
    with_pages = [image for image in files.images if files.path in files.files_of(image)]
    if files.path.name.endswith(COMPANION):
        with_pages = list(files.images)
    if not with_pages and not options.series:
        others = sorted({file.name for image in files.images for file in files.files_of(image)})
        shown = listed(others[:5]) + (" and others" if len(others) > 5 else "")
        msg = (
            f"{files.path}: its OME-XML describes images in other files ({shown}), none in this one; name the file "
            "that holds the image, or give this one the name that the OME-XML knows."
        )
        raise UserError(msg)
    named = [
        NamedImage(i.number, i.name, (i.sizes["Y"], i.sizes["X"]), (i.sizes["T"], i.sizes["C"])) for i in files.images
    ]
    here = {image.number for image in with_pages}
    return files.images[choose(files.path, named, options, here)]


def neighbours(path: Path, series: str = "", *, metadata: bool = True) -> tuple[Path, ...]:
    """Return the other files that are read for an OME-TIFF: those with its planes, and the one with its metadata.

    A file that cannot be read has none, and a file that is missing is none; reading says why.
    """
    is_companion = path.name.endswith(COMPANION)
    damaged: tuple[type[Exception], ...] = (UserError, *failures())
    try:
        text = None if is_companion else description_of(path)
        names = set(FILE_NAME.findall(text or ""))
        if not is_companion and (text is None or (names <= {path.name} and "BinaryOnly" not in text)):
            return ()
        files = ome_set(path, text)
        read = files.files_of(chosen_image(files, ReadOptions(series=series)))
        read = (*read, files.metadata) if metadata else read
    except damaged:
        return ()
    return tuple(file for file in dict.fromkeys(read) if file != path and file.is_file())


def check_one_image(files: Sequence[Path]) -> None:
    """Check that a series of files is not one of positions, each described as an image of its own.

    Raises
    ------
    UserError
        When the OME-XML of the first file says that another of the files holds another image.
    """
    damaged: tuple[type[Exception], ...] = (UserError, *failures())
    try:
        text = description_of(files[0]) if is_tiff(files[0]) else None
        if text is None or len(set(FILE_NAME.findall(text))) < 2:
            return
        first = ome_set(files[0], text)
    except damaged:
        return
    names = {file.name for file in files[1:]}
    images = [i for i in first.images if files[0] in first.files_of(i)]
    others = [i for i in first.images if i not in images and any(f.name in names for f in first.files_of(i))]
    if images and others:
        msg = (
            f"{files[0]}: holds image {images[0].label}, and {first.files_of(others[0])[0].name} image "
            f"{others[0].label} of the same OME-XML, so the files are positions and not the frames of one movie; give "
            "each position a row of its own."
        )
        raise UserError(msg)


@contextmanager
def open_ome(path: Path, text: str | None, options: ReadOptions, listed_files: Sequence[Path] = ()) -> Iterator[Source]:
    """Open one image of an OME-TIFF.

    Parameters
    ----------
    path
        The OME-TIFF, or its companion file.
    text
        Its description; None for a companion file.
    options
        What the user states.
    listed_files
        All files that the user listed; empty for ``path`` alone.

    Raises
    ------
    UserError
        When the image cannot be told, files or planes are missing, or pages and metadata disagree.
    """
    files = ome_set(path, text)
    image = chosen_image(files, options)
    _check_listed(files, image, listed_files)
    if image.split:
        msg = (
            f"{path}: its axis {image.split[0]} holds more than one quantity (OME 'modulo'); save one of them at a "
            "time first."
        )
        raise UserError(msg)
    with ExitStack() as stack:
        opened = OpenFiles(stack)
        table = _table(files, image, opened)
        frames, notices = _whole_frames(files, image, table)
        _check_surplus(files, opened)
        grid = _grid(files, image, table, frames, opened)
        layout = layout_of(path, grid, options)
        size, aspect = pixel_shape(image.x_um, image.y_um)
        names = image.channels if len(image.channels) == layout.channels else ()
        times = image.times_min[:frames] if layout.frames == frames and image.sizes["T"] > 1 else ()
        several = [i for i in files.images if i.number != image.number]
        notes = (f"{path.name}: image {image.label} of {count(len(files.images))} is read.",) if several else ()
        info = SourceInfo(
            frames=layout.frames,
            channels=layout.channels,
            height=image.sizes["Y"],
            width=image.sizes["X"],
            names=names,
            pixel_size_um=size,
            frame_interval_min=_interval(image, times),
            notes=(*notes, *image.notes, *layout.notes),
            notices=(*notices, *layout.notices),
            pixel_aspect=aspect,
            times_min=times,
        )
        yield Source(path, info, layout.plane)


def _interval(image: OmeImage, times: tuple[float, ...]) -> float | None:
    """Return minutes per frame as stated, else the median of the times of the planes."""
    if image.interval_min is not None or len(times) < 2:
        return image.interval_min
    usual = float(np.median(np.diff(times)))
    return usual if usual > 0 else None


def _check_listed(files: OmeSet, image: OmeImage, named: Sequence[Path]) -> None:
    """Check that a list of files is the whole set of one image."""
    if len(named) < 2:
        return
    planes = files.files_of(image)
    known = {file.resolve() for file in (*planes, files.metadata, files.path)}
    given = {file.resolve() for file in named}
    left = next((file for file in planes if file.resolve() not in given and file.is_file()), None)
    if left is not None:
        msg = (
            f"{left}: is not in the list of files, but {files.path.name} describes one movie that it belongs to; list "
            "all files of the movie, or name one of them, which reads the others."
        )
        raise UserError(msg)
    other = next((file for file in named if file.resolve() not in known), None)
    if other is not None:
        msg = (
            f"{other}: is not among the files of image {image.label}, to which {files.path.name} belongs; give each "
            "image (position) a row of its own, which names one of its files."
        )
        raise UserError(msg)


Table = dict[tuple[int, ...], tuple[Path, int]]
"""File and page of each plane, by its index along the axes of the planes."""


def _table(files: OmeSet, image: OmeImage, opened: OpenFiles) -> Table:
    """Return the pages that there are, and check that all files exist and none states its pages twice."""
    table: Table = {}
    for block in image.blocks:
        file = files.file_of(block)
        if not file.is_file() or file.name.endswith(COMPANION):
            msg = (
                f"{file}: missing, but {files.metadata.name} says that it holds planes of image {image.label}; copy it "
                f"into the folder of {files.path.name}."
            )
            raise UserError(msg)
        pages = opened.pages(file)
        stated = pages.uuid
        if file != files.path and block.uuid and stated and stated != block.uuid:
            msg = (
                f"{file}: is not the file of this name that {files.metadata.name} describes (its identifier differs); "
                "put the files of one acquisition into a folder of their own."
            )
            raise UserError(msg)
        try:
            start = int(np.ravel_multi_index(block.first, image.grid))
        except ValueError:
            continue  # the description of a larger image; its pages are then too many
        available = range(block.page, min(len(pages), block.page + (block.planes or len(pages))))
        for step, page in enumerate(available):
            if start + step >= image.planes:
                break
            index = tuple(int(i) for i in np.unravel_index(start + step, image.grid))
            if table.setdefault(index, (file, page)) != (file, page):
                msg = (
                    f"{files.metadata}: its OME-XML names two pages for one plane ({_words(image, index)}); write the "
                    "file again."
                )
                raise UserError(msg)
    return table


def _words(image: OmeImage, index: tuple[int, ...]) -> str:
    at = dict(zip(image.order, index, strict=True))
    return f"frame {at['T']}, channel {at['C']}" + (f", z {at['Z']}" if image.sizes["Z"] > 1 else "")


def _whole_frames(files: OmeSet, image: OmeImage, table: Table) -> tuple[int, tuple[str, ...]]:
    """Return the number of frames whose planes are all there, with a notice if there are fewer than stated."""
    frames, axis = image.sizes["T"], image.order.index("T")
    each = image.planes // frames
    whole, rest = divmod(len(table), each)
    last = max((index[axis] for index in table), default=-1)
    if len(table) == image.planes:
        return frames, ()
    if rest or last + 1 != whole or not whole:
        missing = next(index for index in sorted(np.ndindex(*image.grid), key=lambda i: i[axis]) if index not in table)
        msg = (
            f"{files.path}: holds {count(len(table), 'page')} of the {count(image.planes, 'plane')} that its OME-XML "
            f"states ({each} for each time point), and they do not end on a whole time point: {_words(image, missing)} "
            "is missing. Copy the file again, or save it anew without the incomplete time point."
        )
        raise UserError(msg)
    return whole, (
        f"{files.path.name}: its metadata state {count(frames, 'time point')}, but it holds {count(whole)}, as after "
        "an acquisition that was stopped; these are used.",
    )


def _check_surplus(files: OmeSet, opened: OpenFiles) -> None:
    """Refuse pages of the named file that no image of the description claims."""
    length = opened.lengths.get(files.path)
    if length is None:
        return
    claimed: set[int] = set()
    for image in files.images:
        for block in image.blocks:
            if files.file_of(block) == files.path:
                claimed |= set(range(block.page, block.page + min(block.planes or length, image.planes)))
    surplus = [page for page in range(length) if page not in claimed]
    if surplus and opened.pages(files.path).has_images(surplus):
        msg = (
            f"{files.path}: holds {count(length, 'page')}, but its OME-XML states {count(length - len(surplus))}; "
            "the metadata belong to another version of the file. Save it again, as OME-TIFF with its axes."
        )
        raise UserError(msg)


def _grid(files: OmeSet, image: OmeImage, table: Table, frames: int, opened: OpenFiles) -> PlaneGrid:
    """Return the array of an image; the samples of a pixel, where there are several, are its last axis."""
    shape = (image.sizes["Y"], image.sizes["X"])
    first_file, first_page = table[min(table)]
    kind = opened.pages(first_file).kind(first_page)
    has_samples = len(kind.shape) == 3 and shape in (kind.shape[:2], kind.shape[1:])
    samples = prod(kind.shape) // prod(shape) if has_samples else 1

    def read(index: tuple[Any, ...]) -> np.ndarray:
        file, page = table[tuple(index[: len(image.order)])]
        plane = opened.pages(file).read(page)
        if plane.size != samples * prod(shape) or shape not in (plane.shape[-2:], plane.shape[:2]):
            msg = (
                f"{file}: page {page} has the shape {plane.shape}, but the OME-XML of {files.metadata.name} states "
                f"{shape}; all frames of a movie must have one shape."
            )
            raise UserError(msg)
        if samples > 1:
            plane = np.take(plane, index[-1], axis=-1 if plane.shape[:2] == shape else 0)
        return plane.reshape(shape)

    sizes = image.sizes | {"T": frames}
    axes, lengths = image.order + "YX", (*(sizes[axis] for axis in image.order), *shape)
    if samples == 1:
        return PlaneGrid(axes, lengths, read, kind.colour)
    axes = axes if sizes["C"] > 1 else axes.replace("C", "1")
    return PlaneGrid(axes + SAMPLES, (*lengths, samples), read, kind.colour)
