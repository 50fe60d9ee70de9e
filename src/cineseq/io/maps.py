"""Read the maps of compartments and barcodes."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from cineseq.config.base import FieldOfView
from cineseq.errors import UserError, warn_of
from cineseq.io.delimited import read_plain
from cineseq.io.group_columns import GROUP, ONE_VALUE, why_no_group
from cineseq.io.written import as_numbers, as_references, as_text
from cineseq.tables.contract import FIELD, Table, empty
from cineseq.tables.imaging import BARCODES, COMPARTMENTS
from cineseq.text import count

logger = logging.getLogger(__name__)


def read_compartments(paths: list[Path]) -> pd.DataFrame:
    """Read compartment maps (csv, tsv or parquet) into one table.

    Returns
    -------
    pandas.DataFrame
        As :data:`cineseq.tables.imaging.COMPARTMENTS`, sorted by its key.

    Raises
    ------
    UserError
        When a file cannot be read or lacks a column, or a compartment is listed twice.
    """
    return checked_compartments(_read(paths))


def checked_compartments(maps: dict[Path | str, pd.DataFrame]) -> pd.DataFrame:
    """Check compartment maps, by file or name, and return one table; see :func:`read_compartments`.

    A name that several fields of a sample have, as where compartments are numbered from 1 in each, becomes
    ``field/name``.
    """
    table = _joined(maps, COMPARTMENTS, [*FIELD, "compartment_id"])
    if (flat := table["radius_px"] == 0).any():
        first = flat.idxmax()
        msg = (
            f"{_place(*first)}: compartment '{table.loc[first, 'compartment_id']}' has a radius of 0, so no cell lies "
            "in it; give its radius in pixels in column 'radius_px'."
        )
        raise UserError(msg)
    fields = table.groupby(["sample", "compartment_id"])["fov"].transform("nunique")
    repeated = (fields > 1).to_numpy(bool)
    table["compartment_id"] = table["compartment_id"].mask(repeated, table["fov"] + "/" + table["compartment_id"])
    if (twice := table.duplicated(list(COMPARTMENTS.key))).any():
        row = table[twice].iloc[0]
        msg = (
            f"{_place(*twice.idxmax())}: compartment '{row['compartment_id']}' of sample '{row['sample']}' could be "
            "two, because fields number their compartments alike and one is named as that of another field; rename it."
        )
        raise UserError(msg)
    if repeated.any():
        logger.info("Compartments of the same name in several fields are called by field and name.")
    return table.sort_values(list(COMPARTMENTS.key), ignore_index=True)


def read_barcode_tables(paths: list[Path], compartments: pd.DataFrame | None = None) -> pd.DataFrame:
    """Read barcode tables into one table as :data:`cineseq.tables.imaging.BARCODES`.

    Parameters
    ----------
    paths
        The tables.
    compartments
        The compartments that there are, as read by :func:`read_compartments`; None where there is no map.

    Raises
    ------
    UserError
        When a file cannot be read or lacks a column, a barcode is listed twice, or no barcode has a compartment or a
        position.

    Notes
    -----
    Where several fields of a sample have compartments of the same name, the column ``fov`` says which is meant.

    A compartment ``NA``, ``0`` or ``-1`` is none, unless a compartment of the sample has that name. Barcodes that have
    neither a compartment nor a position are counted in the log; they cannot be paired.

    Further columns of categories, such as plate, become ``group_*``; those of fractions, of many different numbers, or
    of a name for every barcode are left out.
    """
    return checked_barcodes(_read(paths), compartments)


def checked_barcodes(tables: dict[Path | str, pd.DataFrame], compartments: pd.DataFrame | None = None) -> pd.DataFrame:
    """Check barcode tables, by file or name, and return one table; see :func:`read_barcode_tables`."""
    table = _joined(tables, BARCODES, list(BARCODES.key))
    for name in ("compartment_id", "fov"):
        table[name] = table.get(name, pd.Series(pd.NA, table.index)).astype("string")
    located = empty(COMPARTMENTS) if compartments is None else compartments
    for sample, rows in table.groupby("sample")["compartment_id"]:
        names = located.loc[located["sample"] == sample, "compartment_id"]
        named = _in_their_field(table.loc[rows.index], located[located["sample"] == sample])
        table.loc[table["sample"] == sample, "compartment_id"] = as_references(named, names)
        _warn_of_counting(named, names, str(sample))
    for name in ("y_px", "x_px"):
        table[name] = table.get(name, pd.Series(float("nan"), table.index)).astype("float64")
    nowhere = table["compartment_id"].isna() & table[["y_px", "x_px", "fov"]].isna().any(axis=1)
    if nowhere.all() and len(table):
        first = nowhere.idxmax()
        sample, barcode = table.loc[first, ["sample", "barcode"]]
        msg = (
            f"{_place(*first)}: barcode '{barcode}' of sample '{sample}' has neither a compartment_id nor a position "
            "(fov, y_px, x_px), and no other has; give one of them."
        )
        raise UserError(msg)
    if nowhere.any():
        first, many = nowhere.idxmax(), count(int(nowhere.sum()), "barcode")
        warn_of(
            logger,
            f"{_place(*first)}: {many} of {len(table)} have neither a compartment_id nor a position (the first is "
            f"'{table.loc[first, 'barcode']}'); they cannot be paired.",
        )
    return table.sort_values(list(BARCODES.key), ignore_index=True)


def _in_their_field(barcodes: pd.DataFrame, compartments: pd.DataFrame) -> pd.Series:
    """Return the compartments that the barcodes of a sample name, as ``field/name`` where fields share the name."""
    named = as_text(barcodes["compartment_id"])
    on_map = compartments["compartment_id"]
    prefix = compartments["fov"] + "/"
    called = [bool(name.startswith(field)) for name, field in zip(on_map, prefix, strict=True)]
    shared = {name.removeprefix(field) for name, field in zip(on_map[called], prefix[called], strict=True)}
    unclear = named.isin(shared - set(on_map))
    full = barcodes["fov"] + "/" + named
    if (unknown := unclear & barcodes["fov"].isna()).any():
        first = unknown.idxmax()
        place, sample, name = _place(*first), barcodes.loc[first, "sample"], named[first]
        fields = compartments.loc[on_map == prefix + name, "fov"].tolist()
        msg = (
            f"{place}: several fields of sample '{sample}' ({', '.join(fields[:3])}) have a compartment '{name}', so "
            f"the name is not unique: say in a column fov which field is meant, or write {fields[0]}/{name}."
        )
        raise UserError(msg)
    return named.mask(unclear, full)


def _warn_of_counting(named: pd.Series, on_map: pd.Series, sample: str) -> None:
    """Warn where barcodes seem to count compartments from 0 and the map from 1, or the other way round."""
    wanted, there = (
        {int(name) for name in names} if len(names) and names.str.fullmatch(r"\d{1,9}").all() else set()
        for names in (named.dropna(), on_map.dropna().astype("string"))
    )
    if not wanted or not there or wanted <= there:
        return
    first = min(wanted), min(there)
    shifted = {number + (1 if first[0] == 0 else -1) for number in wanted}
    if 0 in first and first != (0, 0) and shifted <= there:
        warn_of(
            logger,
            f"Sample {sample}: barcodes name the compartments {first[0]} to {max(wanted)}, and the map has {first[1]} "
            f"to {max(there)}; if one of them counts from 0 and the other from 1, every pair is wrong: number both "
            "alike.",
        )


def _read(paths: list[Path]) -> dict[Path | str, pd.DataFrame]:
    return {path: read_plain(path) for path in dict.fromkeys(paths)}


def _joined(frames: dict[Path | str, pd.DataFrame], table: Table, key: list[str]) -> pd.DataFrame:
    """Return the rows of all files, in order, unique by ``key``; the index is the file and the row in it."""
    checked = {place: _checked(frame, place, table) for place, frame in frames.items()}
    joined = pd.concat(checked) if checked else empty(table)
    what = key[-1]
    twice = joined.index[joined.duplicated(key)]
    if len(twice):
        row = joined.loc[twice[0]]
        first = joined.index[(joined[key] == row[key]).all(axis=1)][0]
        msg = (
            f"{_place(*twice[0])}: {what.removesuffix('_id')} '{row[what]}' of sample '{row['sample']}' is listed "
            f"twice (first in {_place(*first)}); each one must be listed once."
        )
        raise UserError(msg)
    return joined


def _place(file: Path | str, row: int) -> str:
    return f"{file}, row {row}"


def _checked(frame: pd.DataFrame, place: Path | str, table: Table) -> pd.DataFrame:
    known = {c.name for c in table.columns}
    groups = _groups(frame, place, known) if any(c.is_family for c in table.columns) else {}
    kinds = {c.name: c.kind for c in table.columns}
    typed = {name: _typed(frame[name], kinds[name], place) for name in frame.columns if name in known}
    frame = pd.DataFrame(typed, index=frame.index).assign(**groups)
    try:
        # The key is checked by the caller, over all files and with a message of its own.
        return Table(table.name, table.meaning, (), table.columns).check(frame).set_axis(frame.index)
    except ValueError as error:
        msg = f"{place}: {error}; the columns are {', '.join(c.name for c in table.columns)}."
        raise UserError(msg) from error


def _typed(values: pd.Series, kind: str, place: Path | str) -> pd.Series:
    """Return a column as text or as numbers, by the contract of its table."""
    if kind == "text":
        return as_text(values)
    numbers, wrong = as_numbers(values)
    if wrong.any():
        row = wrong.idxmax()
        msg = f"{_place(place, row)}: column '{values.name}' should hold numbers, not '{values[row]}'; correct it."
        raise UserError(msg)
    return numbers


def _groups(frame: pd.DataFrame, place: Path | str, known: set[str]) -> dict[str, pd.Series]:
    """Return the further columns of a table that group its rows, such as plate, as text named ``group_*``."""
    groups = {}
    for column in (str(c) for c in frame.columns if c not in known):
        reason = "" if column.startswith(GROUP) else why_no_group(frame[column])
        if reason and reason != ONE_VALUE:
            logger.info("%s: column '%s' is not used as a group of barcodes: %s.", place, column, reason)
        else:
            groups[GROUP + column.removeprefix(GROUP)] = as_text(frame[column])
    return groups


def check_fields(fields: list[FieldOfView], compartments: pd.DataFrame, barcodes: pd.DataFrame) -> None:
    """Refuse a map that names a sample that is not in the sheet and also lacks a sample of the sheet.

    The same holds for the fields of a sample. A name that is only in the map, or only in the sheet, may be intended;
    both at once mean that one name is spelled in two ways.

    Raises
    ------
    UserError
        With an example of both.
    """
    listed: dict[str, set[str]] = {}
    for field in fields:
        listed.setdefault(field.sample, set()).add(field.fov)
    for name, table in (("compartments", compartments), ("barcodes", barcodes)):
        _check_names(name, "sample", set(table["sample"]), set(listed))
        for sample, rows in table.dropna(subset="fov").groupby("sample"):
            _check_names(name, f"of sample '{sample}' field", set(rows["fov"]), listed.get(str(sample), set()))


def _check_names(table: str, what: str, there: set[str], listed: set[str]) -> None:
    strange, lacking = sorted(there - listed), sorted(listed - there)
    if there and strange and lacking:
        msg = (
            f"{table}: the table names {what} '{strange[0]}', which is not in the sample sheet, and lacks "
            f"'{lacking[0]}', which is; spell them alike, or leave out the former."
        )
        raise UserError(msg)


def check_samples(cells: pd.DataFrame, compartments: pd.DataFrame, barcodes: pd.DataFrame) -> None:
    """Refuse maps without any sample of the cells, and cells of which none is alive at the end.

    Raises
    ------
    UserError
        When they have nothing in common, with examples of both.
    """
    if not cells["alive_at_end"].fillna(value=False).any():
        msg = (
            f"cells: none of the {len(cells)} cells is alive in the last frame, so none can be paired with a barcode; "
            "check how their tracks end (end_kind in study/cells.csv)."
        )
        raise UserError(msg)
    for name, table in (("compartments", compartments), ("barcodes", barcodes)):
        if len(table) and not table["sample"].isin(cells["sample"]).any():
            msg = (
                f"{name}: the table names the samples {sorted(table['sample'].unique())[:3]} and the sample sheet "
                f"{sorted(cells['sample'].unique())[:3]}; name them alike."
            )
            raise UserError(msg)
