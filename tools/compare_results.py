"""Compare two results folders value by value: ``python tools/compare_results.py OLD NEW [--page PAGE.html]``.

Rows of tables are matched by the key of their contract, images by their pixels, AnnData and MuData by their arrays and
figures by their drawing, so that row order, compression, dates and random ids do not matter. Prints one line per
file that differs and a last line with counts. ``--page`` writes a page of the changes side by side. Intended changes of
names are listed in ``tools/results_changes.yaml``.

A difference is in the ``values``, in the ``words`` (notes, messages and sentences of reports) or in a ``figure``. The
exit status is 1 if anything differs that ``--allow`` does not name.
"""

import argparse
import base64
import fnmatch
import html
import json
import re
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import pandas as pd
import tifffile
import yaml
from PIL import Image

from cineseq.files import write_text
from cineseq.report.dictionary import every_table
from cineseq.tables import simulation
from cineseq.tables.contract import Table, declared_in

CHANGES = Path(__file__).with_name("results_changes.yaml")
Kind = Literal["values", "words", "figure"]
KINDS: tuple[Kind, ...] = ("values", "words", "figure")

# Times, machines, versions and fingerprints of the code; and pages, whose content is compared in its own files.
LEFT_OUT = {
    "logs/*": "logs",
    "benchmarks/*": "benchmarks",
    "provenance.json": "provenance",
    "*.html": "pages",
    "*.snakemake_timestamp": "Snakemake's marks",
}
TABLES = {".parquet", ".tsv", ".csv"}
WORDS = {"note", "message", "meaning", "line", "lines", "answer", "caveats", "question"}
IMAGES = {".svg": "image/svg+xml", ".png": "image/png"}
SHOWN_ROWS = 200
KEYS = {"report/dictionary.tsv": ("table", "column")}  # of tables that have no contract
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>What changed in the results</title><style>
body {{font: 14px sans-serif; margin: 2em}} table {{border-collapse: collapse}} td, th {{padding: .2em .6em}}
.pair {{display: flex; gap: 1em}} .pair img {{max-width: 48%; border: 1px solid #ccc}}
</style></head><body>
<h1>What changed in the results</h1>
<p>Old: {old}. New: {new}. {counts}</p>
{body}
</body></html>
"""


@dataclass(frozen=True)
class Changes:
    """Intended changes of names; see the comments in ``results_changes.yaml``."""

    files: dict[str, str] = field(default_factory=dict)
    columns: dict[str, dict[str, str]] = field(default_factory=dict)
    added: dict[str, list[str]] = field(default_factory=dict)
    new_files: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path = CHANGES) -> "Changes":
        """Read the committed list."""
        return cls(**yaml.safe_load(path.read_text(encoding="utf-8")))

    def renamed(self, name: str) -> dict[str, str]:
        """Return the new name of each renamed column of a file."""
        matching = [names for pattern, names in self.columns.items() if fnmatch.fnmatch(name, pattern)]
        return {old: new for names in matching for old, new in names.items()}

    def is_added(self, name: str, column: str) -> bool:
        """Return whether a column is intended to be in the new file only."""
        patterns = [p for file, names in self.added.items() if fnmatch.fnmatch(name, file) for p in names]
        return any(fnmatch.fnmatch(column, pattern) for pattern in patterns)


@dataclass(frozen=True)
class Difference:
    """A difference in one file: its kind, a short description, and the changed values (for tables and JSON)."""

    name: str
    kind: Kind
    what: str
    rows: pd.DataFrame | None = None


@dataclass
class Comparison:
    """All differences, the number of equal files, and the number of files not compared, by reason."""

    differences: list[Difference] = field(default_factory=list)
    equal: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def last_line(self) -> str:
        """The counts, in one line."""
        kinds = Counter(d.kind for d in self.differences)
        files = len({d.name for d in self.differences})
        left = ", ".join(f"{count} {reason}" for reason, count in sorted(self.left_out.items()))
        counts = ", ".join(f"{kind} {kinds[kind]}" for kind in KINDS)
        return f"{self.equal} files equal, {files} differ ({counts}); not compared: {left or 'none'}."


def compare_folders(old: Path, new: Path, changes: Changes | None = None) -> Comparison:
    """Compare every file of two results folders."""
    changes = Changes.read() if changes is None else changes
    found = Comparison()
    before = {changes.files.get(name, name): path for name, path in _files(old, found.left_out).items()}
    after = _files(new, Counter())
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            differences = [Difference(name, "values", "is in the old results only")]
        elif name not in before:
            meant = any(fnmatch.fnmatch(name, pattern) for pattern in changes.new_files)
            differences = [] if meant else [Difference(name, "values", "is in the new results only")]
        else:
            differences = compare_files(name, before[name], after[name], changes)
        found.differences += differences
        found.equal += not differences
    return found


def _files(folder: Path, left_out: Counter[str]) -> dict[str, Path]:
    """Return the files to compare by their path below the folder; count the others by reason."""
    kept = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix()
        reason = next((why for pattern, why in LEFT_OUT.items() if fnmatch.fnmatch(name, pattern)), None)
        if reason is None:
            kept[name] = path
        else:
            left_out[reason] += 1
    return kept


def compare_files(name: str, old: Path, new: Path, changes: Changes) -> list[Difference]:
    """Compare the content of two files of the same name."""
    if old.read_bytes() == new.read_bytes():
        return []
    suffix = old.suffix or old.name
    if suffix in TABLES:
        return compare_tables(name, read_any_table(old), read_any_table(new), changes)
    if suffix in VALUES:
        return compare_values(name, VALUES[suffix](old), VALUES[suffix](new), changes)
    if suffix in PIXELS:
        kind, read = PIXELS[suffix]
        return _compare_pixels(name, read(old), read(new), kind)
    if suffix == ".svg":
        return [] if drawing(old) == drawing(new) else [Difference(name, "figure", "the drawing differs")]
    return [Difference(name, "values", "the bytes differ")]


def read_any_table(path: Path) -> pd.DataFrame:
    """Read a table without checking it; empty fields of text files are missing values."""
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    separator = "\t" if path.suffix == ".tsv" else ","
    return pd.read_csv(path, sep=separator, keep_default_na=False, na_values=[""], low_memory=False)


def contract_of(columns: list[str]) -> Table | None:
    """Return the contract that fits these columns: all are declared and no required one is absent."""
    for table in (*every_table(), *declared_in(simulation)):
        required = {c.name for c in table.columns if not (c.optional or c.is_family)}
        try:
            table.columns_of(columns)
        except ValueError:
            continue
        if required <= set(columns):
            return table
    return None


def compare_tables(name: str, old: pd.DataFrame, new: pd.DataFrame, changes: Changes) -> list[Difference]:
    """Compare two tables column by column, their rows matched by the key of their contract."""
    old = old.rename(columns=changes.renamed(name))
    lost = [c for c in old.columns if c not in new.columns]
    added = [c for c in new.columns if c not in old.columns and not changes.is_added(name, c)]
    found = [Difference(name, "values", f"column '{c}' is in the old table only") for c in lost]
    found += [Difference(name, "values", f"column '{c}' is in the new table only") for c in added]
    table = contract_of([str(c) for c in new.columns])
    key = [c for c in (table.key if table else KEYS.get(name, ())) if c in old.columns]
    if key and not old.duplicated(key).any() and not new.duplicated(key).any():
        old, new = old.set_index(key), new.set_index(key)
    for which, rows in (("old", old.index.difference(new.index)), ("new", new.index.difference(old.index))):
        if len(rows):
            found.append(Difference(name, "values", f"{len(rows)} rows are in the {which} table only ({rows[0]})"))
    common = old.index.intersection(new.index)
    both = [c for c in new.columns if c in old.columns]
    return found + _changed_cells(name, old.loc[common, both], new.loc[common, both])


def _changed_cells(name: str, old: pd.DataFrame, new: pd.DataFrame) -> list[Difference]:
    """Return the cells that differ, words and values separately."""
    parts: dict[Kind, list[pd.DataFrame]] = {"values": [], "words": []}
    for column in new.columns:
        differs = ~_same(old[column], new[column])
        if differs.any():
            rows = pd.DataFrame({"column": column, "old": old[column][differs], "new": new[column][differs]})
            parts["words" if column in WORDS else "values"].append(rows)
    found = []
    for kind, tables in parts.items():
        if tables:
            names = ", ".join(str(t["column"].iloc[0]) for t in tables)
            rows = pd.concat([t.astype(object) for t in tables])
            found.append(Difference(name, kind, f"{len(rows)} cells differ in {names}", rows.head(SHOWN_ROWS)))
    return found


def _same(old: pd.Series, new: pd.Series) -> np.ndarray:
    """Return for each pair of cells whether both are equal or both missing."""
    left, right = old.astype(object).to_numpy(), new.astype(object).to_numpy()
    missing = pd.isna(left), pd.isna(right)
    equal = np.array([a == b for a, b in zip(left, right, strict=True)], dtype=object)
    return np.where(missing[0] | missing[1], missing[0] & missing[1], equal).astype(bool)


def _json(path: Path) -> dict[str, Any]:
    return flat(json.loads(path.read_text(encoding="utf-8")))


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Return the leaves of nested mappings and lists by dotted path."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        return {path: value}
    leaves = {} if value else {path: value}
    for name, part in items:
        leaves |= flat(part, f"{path}.{name}" if path else str(name))
    return leaves


def compare_values(name: str, old: dict[str, Any], new: dict[str, Any], changes: Changes) -> list[Difference]:
    """Compare named values (of JSON) or named arrays (of HDF5)."""
    renamed = changes.renamed(name)
    old = {renamed.get(path, path): value for path, value in old.items()}
    rows: dict[Kind, list[dict[str, Any]]] = {"values": [], "words": []}
    for path in [*old, *(p for p in new if p not in old)]:
        before, after = old.get(path, "(absent)"), new.get(path, "(absent)")
        if np.array_equal(before, after) or _both_nan(before, after):
            continue
        if path not in old and changes.is_added(name, path):
            continue
        kind: Kind = "words" if WORDS & set(path.split(".")) else "values"
        rows[kind].append({"column": path, "old": _brief(before), "new": _brief(after)})
    return [
        Difference(name, kind, f"{len(r)} values differ, the first '{r[0]['column']}'", pd.DataFrame(r[:SHOWN_ROWS]))
        for kind, r in rows.items()
        if r
    ]


def _both_nan(old: Any, new: Any) -> bool:
    numbers = all(isinstance(v, np.ndarray) and v.dtype.kind == "f" for v in (old, new))
    return bool(numbers and np.array_equal(old, new, equal_nan=True))


def _brief(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.size > 6:
        return f"array {value.shape} of {value.dtype}: {', '.join(map(str, value.ravel()[:6]))}, ..."
    return str(value)


def _arrays(path: Path) -> dict[str, Any]:
    """Return every array of an HDF5 file by its path."""
    found: dict[str, Any] = {}

    def keep(name: str, part: h5py.Group | h5py.Dataset) -> None:
        if isinstance(part, h5py.Dataset):
            found[name] = np.asarray(part[()])

    with h5py.File(path) as file:
        file.visititems(keep)
    return found


def drawing(path: Path) -> str:
    """Return the text of an SVG image without metadata, with random ids replaced by numbers in order of appearance."""
    text = re.sub(r"<metadata>.*?</metadata>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->|<dc:date>.*?</dc:date>", "", text, flags=re.DOTALL)
    ids: dict[str, str] = {}
    for name in re.findall(r'\bid="([^"]+)"', text):
        ids.setdefault(name, f"id{len(ids)}")
    return re.sub(r'(?<=\bid=")[^"]+|(?<=#)[\w.-]+(?=["\)])', lambda m: ids.get(m[0], m[0]), text)


def _png(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def _compare_pixels(name: str, old: np.ndarray, new: np.ndarray, kind: Kind) -> list[Difference]:
    if old.shape != new.shape or old.dtype != new.dtype:
        return [Difference(name, kind, f"image of {old.shape} {old.dtype} became {new.shape} {new.dtype}")]
    differ = int((old != new).sum())
    return [Difference(name, kind, f"{differ} of {old.size} pixels differ")] if differ else []


# Functions that read the values or the pixels of a file, by suffix.
VALUES: dict[str, Callable[[Path], dict[str, Any]]] = {
    **dict.fromkeys((".json", ".zattrs", ".zarray", ".zgroup"), _json),
    **dict.fromkeys((".h5ad", ".h5mu"), _arrays),
}
PIXELS: dict[str, tuple[Kind, Callable[[Path], np.ndarray]]] = {
    ".tif": ("values", tifffile.imread),
    ".png": ("figure", _png),
}


def page(found: Comparison, old: Path, new: Path) -> str:
    """Return an HTML page of the changes: cells with both values, figures and images side by side."""
    parts = [_section(d, old / d.name, new / d.name) for d in found.differences]
    body = "\n".join(parts) or "<p>Nothing differs.</p>"
    return PAGE.format(old=html.escape(str(old)), new=html.escape(str(new)), counts=found.last_line, body=body)


def _section(difference: Difference, old: Path, new: Path) -> str:
    title = f"<h2>{html.escape(difference.name)} <small>{difference.kind}</small></h2>"
    text = f"<p>{html.escape(difference.what)}</p>"
    if difference.rows is not None:
        return title + text + difference.rows.to_html(na_rep="missing", max_rows=SHOWN_ROWS)
    shown = [_image(path) for path in (old, new) if path.suffix in IMAGES and path.is_file()]
    return title + text + f'<div class="pair">{"".join(shown)}</div>'


def _image(path: Path) -> str:
    content = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{html.escape(path.name)}" src="data:{IMAGES[path.suffix]};base64,{content}">'


def main(arguments: list[str] | None = None) -> int:
    """Print the differences, write the page if asked for, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path, help="results folder before, such as results/demo")
    parser.add_argument("new", type=Path, help="results folder after")
    parser.add_argument("--page", type=Path, help="write the changes, side by side, to this HTML file")
    parser.add_argument("--allow", nargs="*", choices=KINDS, default=[], help="kinds of difference that do not fail")
    asked = parser.parse_args(arguments)
    for folder in (asked.old, asked.new):
        if not folder.is_dir():
            parser.error(f"{folder} is not a folder; give the results folder of a run, such as results/demo")
    found = compare_folders(asked.old, asked.new)
    for difference in found.differences:
        sys.stdout.write(f"{difference.kind}: {difference.name}: {difference.what}\n")
    sys.stdout.write(found.last_line + "\n")
    if asked.page:
        write_text(page(found, asked.old, asked.new), asked.page)
    return int(any(d.kind not in asked.allow for d in found.differences))


if __name__ == "__main__":
    sys.exit(main())
