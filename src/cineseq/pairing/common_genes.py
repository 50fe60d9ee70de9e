"""The genes that all files of counts have, and what is lost with the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cineseq.errors import UserError
from cineseq.io.counts import Counts
from cineseq.text import count, listed, percent

logger = logging.getLogger(__name__)
EXAMPLES = 3
SPELLINGS: dict[str, Callable[[pd.Index], pd.Index]] = {
    "without the version after the dot": lambda names: names.str.replace(r"\.\d+$", "", regex=True),
    "in capitals": lambda names: names.str.upper(),
    "without what makes them unique after the dash": lambda names: names.str.replace(r"-\d+$", "", regex=True),
}
"""Ways to write names of genes in which files of different tools may agree."""


@dataclass(frozen=True)
class LostGenes:
    """Genes that are not in every file of counts.

    Attributes
    ----------
    lost, all_genes
        Number of these genes, and of the genes of any file.
    shares
        Share of the counts of each file that they have, by its path.
    examples
        Some of them, those with the most counts first.
    spelling
        How names would have to be written for more of them to agree; empty if in none of :data:`SPELLINGS`.
    """

    lost: int
    all_genes: int
    shares: Mapping[Path, float]
    examples: tuple[str, ...]
    spelling: str = ""

    @property
    def sentence(self) -> str:
        """What is lost, and how to keep it."""
        most = sorted(self.shares.items(), key=lambda item: -item[1])
        shares = listed(f"{percent(part, 1)} of the counts of {path.name}" for path, part in most[:EXAMPLES])
        names = f"; {self.spelling} more of them would agree" if self.spelling else ""
        verb = "is" if self.lost == 1 else "are"
        return (
            f"{self.lost} of {count(self.all_genes, 'gene')} {verb} not in every file of counts and {verb} left out, "
            f"with {shares} (such as {', '.join(self.examples)}). Name genes alike in all files, and keep genes "
            f"without counts{names}."
        )


def common_genes(read: Mapping[Path, Counts]) -> tuple[pd.Index, LostGenes | None]:
    """Return the genes of all files, in the order of the first; a gene absent from a file is not a zero count.

    Returns
    -------
    genes
        The genes that every file has.
    lost
        What is lost with the others; None if there are none.

    Raises
    ------
    UserError
        When the files have no gene in common.
    """
    files = list(read.items())
    one, first = files[0]
    genes = first.genes
    for other, counts in files[1:]:
        genes = genes[genes.isin(counts.genes)]
        if genes.empty:
            msg = (
                f"{one} and {other}: files of counts have no gene in common ({list(first.genes[:EXAMPLES])} against "
                f"{list(counts.genes[:EXAMPLES])}); name genes alike in all of them."
            )
            raise UserError(msg)
    lost = _lost(read, genes)
    if lost is not None:
        logger.warning("%s", lost.sentence)
    return genes, lost


def _lost(read: Mapping[Path, Counts], genes: pd.Index) -> LostGenes | None:
    if all(len(counts.genes) == len(genes) for counts in read.values()):
        return None
    totals = {
        path: pd.Series(np.asarray(counts.matrix.sum(axis=0, dtype=np.float64)).ravel(), counts.genes)
        for path, counts in read.items()
    }
    outside = {path: total[~total.index.isin(genes)] for path, total in totals.items()}
    of_gene = pd.concat(outside.values()).groupby(level=0, sort=False).sum().sort_values(ascending=False, kind="stable")
    shares = {path: float(outside[path].sum() / max(totals[path].sum(), 1)) for path in read}
    everything = len(genes) + len(of_gene)
    return LostGenes(
        len(of_gene), everything, shares, tuple(map(str, of_gene.index[:EXAMPLES])), _spelling(read, genes)
    )


def _spelling(read: Mapping[Path, Counts], genes: pd.Index) -> str:
    """Return the way to write names in which the most genes agree, if more than as they are."""
    agree = {}
    for how, written in SPELLINGS.items():
        sets = [set(written(pd.Index(counts.genes.astype(str)))) for counts in read.values()]
        agree[how] = len(set.intersection(*sets))
    best = max(agree, key=agree.__getitem__)
    return best if agree[best] > len(genes) else ""


def lost_report(lost: LostGenes | None) -> dict[str, Any]:
    """Return lines, numbers and notices for the report of the step that joins counts."""
    if lost is None:
        return {"lines": [], "numbers": {}, "notices": []}
    numbers = {"genes_left_out": lost.lost, "largest_share_of_counts_left_out": max(lost.shares.values())}
    return {"lines": [lost.sentence], "numbers": numbers, "notices": [{"level": "serious", "text": lost.sentence}]}
