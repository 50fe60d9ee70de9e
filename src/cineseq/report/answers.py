"""The five answers of a run as sentences, each with its number, interval, null and verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cineseq.prediction.group_sentences import group_sentences
from cineseq.report.cluster_answer import clusters
from cineseq.report.evidence import Evidence
from cineseq.report.found import Found
from cineseq.report.prediction_answers import function_genes, main_function, modalities
from cineseq.report.sister_answer import sisters
from cineseq.report.variance import crossmodal
from cineseq.statistics.verdicts import Verdict
from cineseq.text import clean

OF_PREDICTION = ("function_genes", "modalities")
"""Questions that are answered from predictions of function."""


@dataclass(frozen=True)
class Answer:
    """One question with its answer, the numbers behind it, a verdict, and the limits of the data."""

    id: str
    question: str
    answer: str
    verdict: Verdict
    numbers: dict[str, Any] = field(default_factory=dict)
    caveats: tuple[str, ...] = ()


def answer_all(evidence: Evidence, caveats: Sequence[str] = ()) -> list[Answer]:
    """Answer the five questions in the order of the page; ``caveats`` are added to the answers about prediction."""
    wanted: tuple[tuple[str, str, Callable[[Evidence], Found]], ...] = (
        ("function_genes", "What is associated with function?", function_genes),
        ("clusters", "Do the clusters differ in function?", clusters),
        ("modalities", "Which modalities predict function?", modalities),
        ("sisters", "What happened to the sisters?", sisters),
        ("crossmodal", "How much of one modality does the other explain?", crossmodal),
    )
    answers = []
    for name, question, answer in wanted:
        sentence, verdict, numbers = answer(evidence)
        numbers = {k: v if isinstance(v, list | dict) else clean(v) for k, v in numbers.items()}
        limits = (*caveats, *_unused_groups(evidence)) if name in OF_PREDICTION else ()
        answers.append(Answer(name, question, sentence, verdict, numbers, limits))
    return answers


def _unused_groups(evidence: Evidence) -> tuple[str, ...]:
    """Return warnings of groups that are in neither folds nor strata and by which the main function differs."""
    function = None if evidence.performance is None else main_function(evidence.performance)
    return () if function is None else group_sentences(evidence.unused_groups, function)
