"""Files that a text names: existing paths first, then patterns, and hints where there is nothing."""

from __future__ import annotations

import glob
import os
import unicodedata
from pathlib import Path

from cineseq.text import natural_order


def named_files(text: str, *, recursive: bool = False) -> tuple[list[str], list[str]]:
    """Return the files that a text names, and those of its parts that are patterns without a match.

    Parts are separated by semicolons. A part that exists is that file, even where its name holds signs of a pattern or
    a semicolon. So is each folder on the way of a pattern: ``data [1]/t*.tif`` searches the folder ``data [1]`` if it
    is there. A name that differs from an existing one only in how its letters are composed (é as one sign or as two)
    is that file. Other parts without signs of a pattern are returned unchanged, because a rule may make them. If
    ``recursive``, ``**`` stands for any number of folders.
    """
    if os.path.lexists(text):
        return [text], []
    found: list[str] = []
    unmatched: list[str] = []
    for part in filter(None, (p.strip() for p in text.split(";"))):
        if os.path.lexists(part):
            found.append(part)
            continue
        matches = _matches(part, recursive)
        if matches:
            found += natural_order(matches)
        elif glob.has_magic(part):
            unmatched.append(part)
        else:
            found.append(part)
    return found, unmatched


def _matches(pattern: str, recursive: bool) -> list[str]:  # noqa: FBT001
    """Return the paths that match a pattern, one name on the way at a time."""
    start, rest = ("/", pattern.lstrip("/")) if pattern.startswith("/") else ("", pattern)
    reached = [start]
    for name in rest.split("/"):
        inside = _folders_below if recursive and name == "**" else _inside
        reached = [path for folder in reached for path in inside(folder, name)]
    return reached


def _inside(folder: str, name: str) -> list[str]:
    """Return the entries of a folder that a name or a pattern of one name means."""
    path = os.path.join(folder, name)  # noqa: PTH118 - keeps ./ and doubled slashes as the user wrote them
    if os.path.lexists(path) or name in ("", ".", ".."):
        return [path]
    if glob.has_magic(name):
        return glob.glob(f"{glob.escape(folder)}{path.removeprefix(folder)}")  # noqa: PTH207 - as in the sheet
    return _composed_otherwise(folder, name)


def _folders_below(folder: str, _: str) -> list[str]:
    """Return a folder and all folders inside it that are not hidden."""
    below = glob.glob(f"{glob.escape(folder)}/**/" if folder else "**/", recursive=True)  # noqa: PTH207 - as written
    return [folder, *(path.rstrip("/") for path in below if path.rstrip("/") != folder)]


def _composed_otherwise(folder: str, name: str) -> list[str]:
    """Return the entry of a folder with the same letters in another Unicode form, if there is exactly one."""
    if name.isascii() or not Path(folder or ".").is_dir():
        return []
    wanted = unicodedata.normalize("NFC", name)
    same = [entry for entry in os.listdir(folder or ".") if unicodedata.normalize("NFC", entry) == wanted]  # noqa: PTH208 - names
    return [os.path.join(folder, same[0])] if len(same) == 1 else []  # noqa: PTH118 - as in the sheet


def hint(name: str, usual: str) -> str:
    """Return what to correct in a path that is not there; ``usual`` where nothing is seen to be wrong with it."""
    if "\\" in name:
        slashed = name.replace("\\", "/")
        return f"write the path with slashes, not backslashes: '{slashed}'."
    return usual
