"""Match sequenced barcodes to the known barcodes of the experiment."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pandas as pd

from cineseq.config.pairing import Pairing
from cineseq.errors import UserError, warn_of
from cineseq.io.counts import read_counts
from cineseq.io.written import as_text
from cineseq.text import count

logger = logging.getLogger(__name__)

LETTERS = "ACGTN"
SEQUENCE = re.compile(f"[{LETTERS}]{{8,}}")
"""Only names that are sequences are corrected; ``cell_01`` and ``cell_02`` also differ by one letter."""
SUFFIX = r"-\d+$"
"""Suffix that 10x software appends to a barcode."""
COMPLEMENT = str.maketrans("ACGT", "TGCA")
EXAMPLES = 3


def recognise(sequenced: pd.Index, known: pd.Index, errors: int, where: str) -> pd.DataFrame:
    """Match each sequenced barcode to a known one.

    A sequenced barcode that is not known is corrected to the known barcode that differs from it in one letter, if
    there is exactly one, if that barcode was not sequenced itself, and if no other sequenced barcode matches it.
    All others are left out, because a wrong pair costs more than a lost one. A suffix such as ``-1`` is ignored where
    there is only one, or only one of two names has it. Suffixes that differ tell lanes apart.

    Parameters
    ----------
    sequenced
        Names of the cells in the counts.
    known
        The sample's known barcodes, unique.
    errors
        Number of letters that may differ: 0 or 1.
    where
        The files that are compared, for error messages.

    Returns
    -------
    pandas.DataFrame
        Columns ``sequenced``, ``known`` and ``edits``, one row per known barcode that was matched, sorted by ``known``.

    Raises
    ------
    UserError
        When no barcode matches, or a barcode without suffix is in the counts with several.
    """
    # Names of both sides, without blanks and without suffixes that tell nothing apart.
    names, wanted = (pd.Series(as_text(pd.Series(side)).array, index=side.astype(str)) for side in (sequenced, known))
    names, wanted = _without_shared_suffix(names, wanted)
    # Exact matches, those with a suffix on one side, then those of barcodes that are one letter off.
    exact = names[names.isin(wanted)]
    alike = _one_has_a_suffix(names[~names.isin(wanted)], wanted[~wanted.isin(names)], where)
    exact = pd.concat([part for part in (exact, alike) if len(part)] or [exact])
    matched = pd.DataFrame({"sequenced": exact.index, "plain": exact.to_numpy(), "edits": 0})
    if errors:
        left = wanted[~wanted.isin(exact)]
        others = names[~names.index.isin(exact.index)].str.replace(SUFFIX, "", regex=True)
        matched = pd.concat([matched, _one_letter_off(others, set(wanted), set(left))])
    # A barcode that several sequenced or known names share is left out.
    matched = matched[~matched["plain"].duplicated(keep=False)]
    plain = pd.Series(wanted.index, index=wanted.to_numpy())
    matched["known"] = matched["plain"].map(plain[~plain.index.duplicated(keep=False)])
    matched = matched.dropna(subset="known")
    if matched.empty and len(known):
        msg = (
            f"{where}: no barcode is in both; the counts have {_examples(sequenced)}, the table has "
            f"{_examples(known)}; {_other_strand(names, wanted)}"
        )
        raise UserError(msg)
    return matched[["sequenced", "known", "edits"]].sort_values("known", ignore_index=True).astype({"edits": "int64"})


def _other_strand(names: pd.Series, wanted: pd.Series) -> str:
    """Return advice where no barcode is in both, by whether the table has those of the other strand."""
    bare = names.str.replace(SUFFIX, "", regex=True)
    sequences = wanted.str.replace(SUFFIX, "", regex=True)
    sequences = sequences[sequences.str.fullmatch(SEQUENCE.pattern)]
    turned = sequences.str.translate(COMPLEMENT).str[::-1].isin(bare)
    if turned.any():
        example = sequences[turned].iloc[0]
        return (
            f"{count(int(turned.sum()), 'barcode')} of the table agree as reverse complement, such as '{example}' as "
            f"'{example.translate(COMPLEMENT)[::-1]}': write the barcodes of the table so."
        )
    return "check that they belong to the same sample and are spelled alike, suffixes included."


def _without_shared_suffix(names: pd.Series, wanted: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Leave out suffixes that tell nothing apart.

    There is one suffix in all, or each side has one of its own and names are sequences (as when a file of one lane is
    the second of ``cellranger aggr``).
    """
    sides = (names, wanted)
    ends = [side.str.extract(f"({SUFFIX})", expand=False) for side in sides]
    stems = [side.str.replace(SUFFIX, "", regex=True) for side in sides]
    of_lane = all(len(end) > 1 and end.notna().all() and len(end.unique()) == 1 for end in ends) and all(
        stem.str.fullmatch(SEQUENCE.pattern).all() for stem in stems
    )
    one = len(pd.concat(ends).dropna().unique()) <= 1
    if (one or of_lane) and not any(stem.duplicated().any() for stem in stems):
        return stems[0], stems[1]
    return names, wanted


def _one_has_a_suffix(names: pd.Series, wanted: pd.Series, where: str) -> pd.Series:
    """Return the known name of each sequenced one that agrees with it but for a suffix that one of the two has.

    Raises
    ------
    UserError
        When a name agrees with several.
    """
    parts = []
    for bare, suffixed, sides in ((wanted, names, ("table", "counts")), (names, wanted, ("counts", "table"))):
        stems = suffixed.str.replace(SUFFIX, "", regex=True)
        agree = stems[(stems != suffixed) & stems.isin(bare)]
        twice = agree[agree.duplicated(keep=False)]
        if len(twice):
            several = " and ".join(f"'{name}'" for name in suffixed[twice.index[twice == twice.iloc[0]]][:2])
            msg = (
                f"{where}: barcode '{twice.iloc[0]}' of the {sides[0]} is in the {sides[1]} as {several} ("
                f"{count(twice.nunique(), 'such barcode')}); suffixes tell lanes apart, as after cellranger "
                "aggr: write the barcodes of the table as in the counts, with the suffix of the sample's lane."
            )
            raise UserError(msg)
        parts.append(agree if sides[0] == "table" else pd.Series(agree.index.map(wanted), index=_named(bare, agree)))
    return pd.concat([part for part in parts if len(part)] or parts[:1])


def _named(bare: pd.Series, agree: pd.Series) -> pd.Index:
    """Return the sequenced name of each stem."""
    return pd.Index(pd.Series(bare.index, index=bare.to_numpy())[agree])


def _one_letter_off(names: pd.Series, known: set[str], free: set[str]) -> pd.DataFrame:
    """Match each name to the only known barcode that differs in one letter, if that barcode is still unmatched."""
    rows = []
    for name, plain in names.items():
        near = _neighbours(plain) & known if SEQUENCE.fullmatch(plain) else set()
        if len(near) == 1 and near <= free:
            rows.append((name, near.pop(), 1))
    return pd.DataFrame(rows, columns=["sequenced", "plain", "edits"])


def _neighbours(sequence: str) -> set[str]:
    """Return all sequences that differ from this one in exactly one letter."""
    positions = range(len(sequence))
    return {sequence[:i] + letter + sequence[i + 1 :] for i in positions for letter in LETTERS} - {sequence}


def _examples(names: pd.Index) -> str:
    shown = ", ".join(f"'{n}'" for n in names[:EXAMPLES])
    return f"{shown}, ..." if len(names) > EXAMPLES else shown or "none"


def sequenced_only(
    barcodes: pd.DataFrame, tables: list[Path], counts: list[Path], samples: list[str], settings: Pairing
) -> pd.DataFrame:
    """Keep the barcodes that are in the count files, with their total ``counts``; see :func:`named_as_sequenced`.

    Parameters
    ----------
    barcodes
        Barcode table, as :data:`cineseq.tables.imaging.BARCODES`.
    tables
        The files that it was read from, for messages.
    counts, samples
        Count files, and the sample of each; a sample without counts keeps all its barcodes.
    settings
        The section ``pairing`` of the configuration.

    Raises
    ------
    UserError
        When counts and barcodes of a sample have nothing in common, or a file has no sample.
    """
    listed = ", ".join(map(str, dict.fromkeys(tables)))
    totals_of = {path: _totals(path, settings) for path in dict.fromkeys(counts)}
    sequenced, places, totals = {}, {}, []
    cells_of: dict[Path, tuple[pd.Index, list[str]]] = {}
    for sample, paths in files_by_sample(counts, samples).items():
        for path in paths:
            cells_of.setdefault(path.resolve(), (totals_of[path].index, []))[1].append(sample)
        mine = pd.concat([totals_of[path] for path in paths])
        sequenced[sample], places[sample] = mine.index, ", ".join(map(str, paths))
        totals.append(mine.set_axis(pd.MultiIndex.from_product([[sample], mine.index], names=["sample", "barcode"])))
    named = named_as_sequenced(barcodes, sequenced, settings.barcode_errors, listed, places)
    _check_one_sample_each(named, cells_of)
    return with_counts(named, pd.concat(totals)) if totals else named


def _totals(path: Path, settings: Pairing) -> pd.Series:
    """Return the total counts of each cell of a file; its matrix is not kept."""
    read = read_counts(path, settings.counts_orientation, settings.counts_layer)
    return pd.Series(read.totals, index=read.cells)


def _check_one_sample_each(named: pd.DataFrame, cells_of: dict[Path, tuple[pd.Index, list[str]]]) -> None:
    """Refuse a file of several samples of which two name the same row: it is the counts of one cell."""
    for path, (cells, samples) in cells_of.items():
        mine = named[named["sample"].isin(samples) & named["barcode"].isin(cells)]
        twice = mine[mine["barcode"].duplicated(keep=False)]
        if len(twice):
            barcode = twice["barcode"].iloc[0]
            one, other = twice.loc[twice["barcode"] == barcode, "sample"].iloc[:2]
            msg = (
                f"{path}: the counts '{barcode}' are of a barcode of sample '{one}' and of sample '{other}' "
                f"({count(twice['barcode'].nunique(), 'such barcode')}); write the barcodes of each sample's table "
                "with the suffix of its lane, as in the counts, or give each sample the file of its own lane."
            )
            raise UserError(msg)


def with_counts(barcodes: pd.DataFrame, totals: pd.Series) -> pd.DataFrame:
    """Add the total ``counts`` of each barcode, from ``totals`` by sample and barcode; NaN where unknown."""
    totals = totals[~totals.index.duplicated()]
    return barcodes.assign(counts=totals.reindex(pd.MultiIndex.from_frame(barcodes[["sample", "barcode"]])).to_numpy())


def named_as_sequenced(
    barcodes: pd.DataFrame, sequenced: dict[str, pd.Index], errors: int, listed: str, places: dict[str, str]
) -> pd.DataFrame:
    """Keep the barcodes that were sequenced, named as in the counts, with their number of ``edits``.

    Parameters
    ----------
    barcodes
        Barcode table, as :data:`cineseq.tables.imaging.BARCODES`.
    sequenced
        Names of the cells in the counts, by sample; a sample without an entry keeps all its barcodes.
    errors
        Number of letters that may differ: 0 or 1.
    listed, places
        Sources of the barcode table and of the counts of each sample, for error messages.

    Raises
    ------
    UserError
        When counts and barcodes of a sample have nothing in common.
    """
    parts = [barcodes[~barcodes["sample"].isin(list(sequenced))].assign(edits=pd.NA)]
    for sample, names in sequenced.items():
        mine = barcodes[barcodes["sample"] == sample]
        if mine.empty:
            warn_of(logger, f"Sample {sample} has counts but no row in {listed}: none of its cells is paired.")
            continue
        where = f"{places[sample]} and the rows of sample '{sample}' in {listed}"
        matched = recognise(names, pd.Index(mine["barcode"]), errors, where)
        logger.info(
            "Sample %s: %d of %d barcodes were sequenced, %d of them read with one wrong letter.",
            *(sample, len(matched), len(mine), int(matched["edits"].sum())),
        )
        named = mine.merge(matched, left_on="barcode", right_on="known").drop(columns=["known", "barcode"])
        parts.append(named.rename(columns={"sequenced": "barcode"}))
    joined = pd.concat([p for p in parts if len(p)] or parts, ignore_index=True)
    return joined.astype({"edits": "Int64"}).sort_values(["sample", "barcode"], ignore_index=True)


def files_by_sample(counts: list[Path], samples: list[str]) -> dict[str, list[Path]]:
    """Return the count files of each sample, in order.

    Raises
    ------
    UserError
        When the numbers of samples and files differ.
    """
    if len(counts) != len(samples):
        msg = f"samples: one sample was expected for each of the {len(counts)} files of counts, got {len(samples)}."
        raise UserError(msg)
    by_sample: dict[str, list[Path]] = {}
    for path, sample in zip(counts, samples, strict=True):
        by_sample.setdefault(sample, []).append(path)
    return by_sample
