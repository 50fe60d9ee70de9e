"""The answers of a run as sentences, each with its number, interval, null and verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cineseq.prediction.group_sentences import group_sentences
from cineseq.report.cluster_answer import clusters
from cineseq.report.evidence import Evidence
from cineseq.report.found import Claim, Found
from cineseq.report.generative_answer import generative
from cineseq.report.prediction_answers import function_genes, main_function, modalities
from cineseq.report.sister_answer import sisters
from cineseq.report.variance import crossmodal
from cineseq.statistics.verdicts import Verdict
from cineseq.text import clean

OF_PREDICTION = ("function_genes", "modalities")
"""Questions that are answered from predictions of function."""


@dataclass(frozen=True)
class Answer:
    """One question with its answer, the numbers behind it, a verdict, and the limits of the data.

    ``lead`` is the beginning of the answer, which the page always shows; ``claims`` are its claims in numbers.
    """

    id: str
    question: str
    answer: str
    verdict: Verdict
    numbers: dict[str, Any] = field(default_factory=dict)
    caveats: tuple[str, ...] = ()
    lead: str = ""
    claims: tuple[Claim, ...] = ()


def answer_all(evidence: Evidence, caveats: Sequence[str] = (), doubt_of_lineages: str = "") -> list[Answer]:
    """Answer the questions in the order of the page.

    Parameters
    ----------
    evidence
        The tables of the run.
    caveats
        Limits that are added to the answers about prediction.
    doubt_of_lineages
        Why nothing can be claimed of lineages; empty where that is not so.
    """
    wanted: tuple[tuple[str, str, Callable[[Evidence], Found]], ...] = (
        ("function_genes", "What is associated with function?", function_genes),
        ("clusters", "Do the clusters differ in function?", clusters),
        ("modalities", "Which modalities predict function?", modalities),
        ("sisters", "What happened to the sisters?", sisters),
        ("crossmodal", "How much of one modality does the other explain?", crossmodal),
        ("generative", "What of a cell can be generated from its other modality?", generative),
    )
    answers = []
    for name, question, answer in wanted:
        found = answer(evidence)
        if name == "sisters" and doubt_of_lineages:
            found = _doubted(found, doubt_of_lineages)
        numbers = {k: v if isinstance(v, list | dict) else clean(v) for k, v in found.numbers.items()}
        limits = (*caveats, *_unused_groups(evidence)) if name in OF_PREDICTION else ()
        answers.append(Answer(name, question, found.text, found.verdict, numbers, limits, found.lead, found.claims))
    return answers


def _doubted(found: Found, why: str) -> Found:
    """Put a doubt before an answer, which then shows nothing; an answer that was not run stays as it is."""
    if found.verdict == "not_run":
        return found
    claims = tuple(replace(claim, verdict=_without_claim(claim.verdict)) for claim in found.claims)
    numbers = dict(found.numbers)
    if "verdicts" in numbers:
        numbers["verdicts"] = {name: _without_claim(verdict) for name, verdict in numbers["verdicts"].items()}
    return replace(
        found, lead=f"{why} {found.lead}", verdict=_without_claim(found.verdict), numbers=numbers, claims=claims
    )


def _without_claim(verdict: Verdict) -> Verdict:
    return verdict if verdict in {"not_run", "not_estimable"} else "unresolved"


def _unused_groups(evidence: Evidence) -> tuple[str, ...]:
    """Return warnings of groups that are in neither folds nor strata and by which the main function differs."""
    function = None if evidence.performance is None else main_function(evidence.performance)
    return () if function is None else group_sentences(evidence.unused_groups, function)
