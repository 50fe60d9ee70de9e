"""Gene sets: of the user's GMT file and of the cell cycle, and which of their genes are in the data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cineseq.errors import UserError
from cineseq.expression.cell_cycle import G2M_GENES, S_GENES
from cineseq.text import count, listed

CELL_CYCLE = {"cell cycle: S": S_GENES, "cell cycle: G2/M": G2M_GENES}
"""The gene sets that are always there."""


@dataclass(frozen=True)
class GeneSets:
    """Gene sets whose genes are in the data.

    Attributes
    ----------
    genes
        Genes of each set as the data name them, by its name, in the order of the data.
    notes
        One sentence about the sets of which no gene is in the data; none where there are no such sets.
    """

    genes: dict[str, tuple[str, ...]]
    notes: tuple[str, ...]


def read_gmt(path: Path) -> dict[str, tuple[str, ...]]:
    """Read gene sets from a GMT file: one set a line, with name, description and genes between tabs.

    Raises
    ------
    UserError
        When the file is not text, a line has no gene, or a set occurs twice.

    References
    ----------
    The format is that of the Molecular Signatures Database (Liberzon et al., Bioinformatics 27 (2011) 1739).
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: not a readable GMT file ({error}); give a text file with one gene set a line."
        raise UserError(msg) from error
    sets: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        name, *rest = (part.strip() for part in line.split("\t"))
        genes = tuple(dict.fromkeys(gene for gene in rest[1:] if gene))
        if not name or not genes:
            msg = (
                f"{path}: line {number} is no gene set; write its name, a description (which may be empty) and its "
                f"genes with a tab between each two of them."
            )
            raise UserError(msg)
        if name in sets:
            msg = f"{path}: line {number} has the gene set '{name}' a second time; give each set another name."
            raise UserError(msg)
        sets[name] = genes
    if not sets:
        msg = f"{path}: no gene set; write one a line, or leave the key out."
        raise UserError(msg)
    return sets


def sets_in(genes: pd.Index, path: Path | None = None) -> GeneSets:
    """Return the sets of the cell cycle and of a GMT file with those of their genes that the data have.

    Parameters
    ----------
    genes
        Gene names of the data; letters may be of the other case where a name is not there as written.
    path
        The GMT file; None without one.
    """
    sets = CELL_CYCLE | (read_gmt(path) if path else {})
    # Names as written come first; else the first gene of the same letters in capitals.
    written = {str(gene): number for number, gene in enumerate(genes)}
    capitals = {name.upper(): number for name, number in reversed(written.items())}
    found: dict[str, tuple[str, ...]] = {}
    for name, members in sets.items():
        places = {written.get(gene, capitals.get(gene.upper(), -1)) for gene in members} - {-1}
        found[name] = tuple(str(genes[place]) for place in sorted(places))
    empty = [name for name, members in found.items() if not members]
    notes: tuple[str, ...] = ()
    if empty:
        subject = "has no gene" if len(empty) == 1 else "have no gene"
        notes = (
            f"{count(len(empty), 'gene set')} {subject} in the data and no share: {listed(empty[:MOST_NAMED])}"
            f"{' and others' if len(empty) > MOST_NAMED else ''}.",
        )
    return GeneSets({name: members for name, members in found.items() if members}, notes)


MOST_NAMED = 5
"""Sets without a gene that are named."""
