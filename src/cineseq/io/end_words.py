"""The words in which tables state how a cell ended, or whether something is true; other words are refused."""

from __future__ import annotations

from typing import Literal

import pandas as pd

from cineseq.errors import UserError
from cineseq.io.written import NOTHING

End = Literal["death", "division", "unknown"]

TRUE = ("1", "true", "t", "yes", "y", "x")
FALSE = ("0", "false", "f", "no", "n")
MISSING = (*sorted(NOTHING), "-", "?")
WORDS: dict[End, tuple[str, ...]] = {
    "death": (
        *("death", "dead", "died", "dies", "die", "cell death", "killed", "lysis", "lysed"),
        *("apoptosis", "apoptotic", "necrosis", "necrotic", "pyroptosis", "ferroptosis", "anoikis"),
    ),
    "division": ("division", "divided", "divides", "divide", "mitosis", "mitotic", "split", "splits"),
    "unknown": (
        *("lost", "unknown", "unclear", "uncertain", "undefined", "censored", "merge", "merged"),
        *("exit", "exited", "out", "out of view", "left", "left the field", "disappeared"),
        *("end of movie", "end", "alive", "living", "live", "viable", "survived", "survivor"),
    ),
}
ENDS = {word: end for end, words in WORDS.items() for word in words}
"""How a cell ended, by its word; an end that is neither a death nor a division says nothing on the fate of the cell."""


def plain_words(values: pd.Series) -> pd.Series:
    """Return values as words to be looked up: small letters, blanks for underscores and dashes, "" where missing."""
    text = values.astype("string").str.strip().str.lower()
    spaced = text.str.replace(r"(?<=\w)[\s_-]+(?=\w)", " ", regex=True)
    return spaced.str.replace(r"^([01])\.0*$", r"\1", regex=True).fillna("")


def ends_of(values: pd.Series, where: str, advice: str) -> pd.Series:
    """Return how each cell ended, as :data:`End`; missing where nothing is said.

    Parameters
    ----------
    values
        Words such as ``apoptosis``, indexed by the row in the file.
    where, advice
        The file and column, and how to go on, for messages.

    Raises
    ------
    UserError
        For the first word that is not known.
    """
    words = plain_words(values)
    _check(words, values, {*ENDS, *MISSING}, where, f"expected one of {', '.join(ENDS)}; {advice}")
    return words.map(ENDS).astype("string")


def truths(values: pd.Series, where: str, advice: str) -> pd.Series:
    """Return where a column is true, shape (rows,); what is missing is not.

    Raises
    ------
    UserError
        For the first value that is neither true nor false.
    """
    words = plain_words(values)
    _check(words, values, {*TRUE, *FALSE, *MISSING}, where, f"expected true or false (1 or 0, yes or no); {advice}")
    return words.isin(TRUE)


def deaths(values: pd.Series, where: str, advice: str) -> pd.Series:
    """Return where a column states a death, as true or false or as the word for an end, shape (rows,).

    Raises
    ------
    UserError
        For the first value that is neither.
    """
    words = plain_words(values)
    expected = f"expected true or false, or an end such as death, division or lost; {advice}"
    _check(words, values, {*TRUE, *FALSE, *MISSING, *ENDS}, where, expected)
    return words.isin([*TRUE, *(word for word, end in ENDS.items() if end == "death")])


def _check(words: pd.Series, values: pd.Series, known: set[str], where: str, expected: str) -> None:
    strange = ~words.isin(known)
    if strange.any():
        row = strange.idxmax()
        msg = f"{where}, row {row}: '{values[row]}' is not known; {expected}."
        raise UserError(msg)
