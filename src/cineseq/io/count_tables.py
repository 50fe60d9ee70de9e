"""Read tables of counts as text: names in the first column, numbers in the others, in the spellings of programs."""

from __future__ import annotations

import csv
import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from cineseq.config.pairing import Orientation
from cineseq.errors import UserError, reading, warn_of
from cineseq.io.delimited import DAMAGED, Layout, layout_of, values_of
from cineseq.io.text_files import opened
from cineseq.io.written import as_numbers, as_text, rows_of_cells, says_nothing, why_no_number
from cineseq.text import count, listed

logger = logging.getLogger(__name__)

ANNOTATION = re.compile(
    r"(?i)(?:gene|transcript|hgnc|mgi|ensembl|entrez|effective|feature|exon)?[ _.]?"
    r"(?:ids?|names?|symbols?|types?|length|biotype|description|size)"
    r"|n[ _.]?(?:exons|transcripts)|chr(?:omosome)?|seqnames|start|end|strand|width|gc(?:[ _.]content)?|entrez|hgnc|mgi"
)
"""Columns that describe genes, in a table whose rows are genes, such as those of featureCounts."""
ABOUT_CELLS = re.compile(
    r"(?i)(?:seurat_)?clusters?|leiden(?:_.*)?|louvain(?:_.*)?|batch|plate|well|lane|doublets?(?:_score)?|"
    r"(?:percent|pct)[_.](?:counts[_.])?(?:mt|mito|ribo).*|size_?factors?|dose|day|time(?:_?point)?|replicate|passage"
)
"""Columns that describe cells and hold numbers, in a table whose rows are cells."""
MARKS = ".,'\u2019 \u00a0\u202f"
"""What stands between groups of three digits, by language."""
FEWEST_MARKED = 3
"""Fewest numbers with such a mark by which it is told from a decimal point."""


def read_count_table(path: Path, orientation: Orientation) -> tuple[np.ndarray, pd.Index, pd.Index]:
    """Read a csv or tsv of counts; columns that describe genes or cells are left out, and said.

    Returns
    -------
    values
        Shape (cells, genes); whether they are counts is for the caller to check.
    cells, genes
        Their names.

    Raises
    ------
    UserError
        When the file is no table, a row has no name, or a column holds text beside numbers.
    """
    layout = _layout(path)
    frame = _without_empty_rows(values_of(path, layout, numbers=True))
    frame.columns = pd.Index(["", *layout.header][-layout.width :])
    frame = _without_row_numbers(frame)
    names = as_text(frame.iloc[:, 0])
    places = _places_of_counts(path, frame, orientation)
    _check_is_wide(path, names, frame, places)
    values = _without_marks(path, layout, frame.iloc[:, places], places + (layout.width - frame.shape[1]))
    numbers = _numbers(path, values)
    where = names[names.isna()].index
    if len(where):
        msg = f"{path}, row {where[0]}: the first column holds no name; name every row."
        raise UserError(msg)
    cells, genes = pd.Index(names), pd.Index(values.columns)
    if orientation == "genes_by_cells":
        numbers, cells, genes = numbers.T, genes, cells
    kept = rows_of_cells(pd.Series(cells, dtype="string"))
    if kept < len(cells):
        sums = listed([f"'{name}'" for name in cells[kept:]])
        warn_of(logger, f"{path}: {count(len(cells) - kept, 'sum is', 'sums are')} no cell and left out: {sums}.")
    return numbers[:kept], cells[:kept], genes


def _layout(path: Path) -> Layout:
    """Return the layout of a table, whose values blanks may separate, as R writes them."""
    layout = layout_of(path)
    if layout.width > 1:
        return layout
    try:
        layout = layout_of(path, " ")
    except UserError:
        pass  # blanks within names
    else:
        if layout.width > 1:
            return layout
    msg = (
        f"{path}: the header has no separator, so there are no columns of counts; separate values by tab, comma or "
        "semicolon."
    )
    raise UserError(msg)


def _without_row_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """Leave out a first column without a name that numbers the rows, before names in the second, as pandas writes."""
    if frame.columns[0] or frame.shape[1] < 3 or _is_numeric(frame.dtypes.iloc[1]):
        return frame
    numbers, names = as_numbers(as_text(frame.iloc[:, 0]))[0].to_numpy(), frame.iloc[:, 1]
    counted = any(np.array_equal(numbers, np.arange(first, first + len(frame))) for first in (0, 1))
    return frame.iloc[:, 1:] if counted and _is_text(names) and names.is_unique else frame


def _check_is_wide(path: Path, names: pd.Series, frame: pd.DataFrame, places: np.ndarray) -> None:
    if len(places) == 1 and frame.shape[1] == 3 and names.duplicated().any():
        msg = (
            f"{path}: this is a long table, of one row for each cell and gene; make it wide, with a row for each cell "
            "and a column for each gene (in pandas, pivot; in R, pivot_wider), and 0 where it has no row."
        )
        raise UserError(msg)


def _is_numeric(kind: np.dtype) -> bool:
    return pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind)


def _without_empty_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Leave out rows of separators alone, as a spreadsheet writes them; they make text of columns of numbers."""
    unnamed = frame[as_text(frame.iloc[:, 0]).isna()]
    empty = unnamed.index[(unnamed.iloc[:, 1:].astype("string") == "").all(axis=1)]
    if empty.empty or len(empty) == len(frame):
        return frame
    left = frame.drop(index=empty)
    for name in left.columns[1:]:
        numbers, wrong = as_numbers(left[name])
        if not (wrong | numbers.isna()).any():
            left[name] = numbers
    return left


def _places_of_counts(path: Path, frame: pd.DataFrame, orientation: Orientation) -> np.ndarray:
    """Return the positions of columns of counts: not those of text, or that describe genes; all but the first else.

    Columns that seem to describe cells are named.
    """
    values = frame.iloc[:, 1:]
    if (
        values.columns[-1] == ""
        and not _is_numeric(values.dtypes.iloc[-1])
        and as_text(values.iloc[:, -1]).isna().all()
    ):
        values = values.iloc[:, :-1]  # rows end with a separator
    text = np.array([not _is_numeric(kind) and _is_text(values.iloc[:, k]) for k, kind in enumerate(values.dtypes)])
    described = np.array([bool(ANNOTATION.fullmatch(str(name))) for name in values.columns])
    described &= text | (orientation == "genes_by_cells")
    if text.sum() > len(text) / 2 or (text | described).all():
        return np.arange(1, len(values.columns) + 1)
    if described.any():
        logger.info("%s: left out the columns %s.", path, listed(list(values.columns[described])))
    if (text & ~described).any():
        names = [f"'{name}'" for name in values.columns[text & ~described]]
        many = count(len(names), "column holds", "columns hold")
        warn_of(logger, f"{path}: {many} text and no counts, and {_are(names)} left out: {listed(names)}.")
    kept = np.flatnonzero(~(text | described))
    about = [f"'{name}'" for name in values.columns[kept] if ABOUT_CELLS.fullmatch(str(name))]
    if about and orientation == "cells_by_genes":
        what = count(len(about), "column describes cells by its name and is", "columns describe cells by name and are")
        warn_of(logger, f"{path}: {what} read as genes: {listed(about)}; leave such columns out of the counts.")
    return kept + 1


def _are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _is_text(column: pd.Series) -> bool:
    """Return whether every value is a word: it has a letter, is no number, no word for nothing, and no error."""
    text = as_text(column)
    words = text.str.contains(r"^[^#]*[A-Za-z]", regex=True).fillna(value=False).astype(bool)
    return bool((words & ~says_nothing(text)).all()) and not as_numbers(column)[0].notna().any()


def _without_marks(path: Path, layout: Layout, values: pd.DataFrame, places: np.ndarray) -> pd.DataFrame:
    """Return the values without marks between groups of three digits, if there are some; see :func:`mark_of`."""
    if all(pd.api.types.is_integer_dtype(kind) for kind in values.dtypes):
        return values
    mark = mark_of(_texts(path, layout, places))
    if not mark:
        return values
    text = values_of(path, layout).loc[values.index].iloc[:, places]
    bare = text.apply(lambda column: as_numbers(column.str.replace(mark, "", regex=False))[0])
    warn_of(
        logger,
        f"{path}: '{mark}' was read as the mark of thousands, because it stands between groups of three digits only, "
        "and no number without it reaches 1,000.",
    )
    return bare.set_axis(values.columns, axis=1)


def _texts(path: Path, layout: Layout, places: np.ndarray) -> Iterator[str]:
    with reading(path, *DAMAGED), opened(path) as stream:
        for _ in range(layout.skipped):
            stream.readline()
        for row in csv.reader(stream, delimiter=layout.separator, skipinitialspace=True):
            if len(row) == layout.width:
                yield from (row[place] for place in places)


def mark_of(values: Iterable[str]) -> str:
    """Return the mark of thousands in numbers such as ``1.234``; empty where there is none, or decimals.

    All numbers with the mark have groups of three digits, none begins with 0, and those without are below 1,000.
    """
    found, mark = 0, ""
    for value in values:
        text = value.strip().strip('"').lstrip("+-")
        if text.isdecimal():
            if len(text) > 3:
                return ""
            continue
        inside = {letter for letter in text if not letter.isdecimal()}
        if not text or not inside <= set(MARKS):
            continue
        mark = mark or next(iter(inside))
        if inside != {mark} or not re.fullmatch(rf"[1-9]\d{{0,2}}(?:{re.escape(mark)}\d{{3}})+", text):
            return ""
        found += 1
    return mark if found >= FEWEST_MARKED else ""


def _numbers(path: Path, values: pd.DataFrame) -> np.ndarray:
    """Return the values of a table as numbers; those of columns that are not all numbers name what is wrong."""
    for place in range(values.shape[1]):
        if _is_numeric(values.dtypes.iloc[place]):
            continue
        column = values.iloc[:, place].rename(values.columns[place])
        found, wrong = as_numbers(column)
        wrong |= found.isna() | pd.api.types.is_bool_dtype(column)
        row = wrong.idxmax()
        said = f"'{column[row]}'{why_no_number(column[row])}" if str(column[row]).strip() else "nothing; write 0"
        many = count(int(wrong.sum()), "row")
        msg = (
            f"{path}: column '{column.name}' should hold counts but holds text in {many} (row {row} has {said}); only "
            "the first column may hold names."
        )
        raise UserError(msg)
    return values.to_numpy(np.float64)
