"""What of each modality goes with the other in held-out cells, and what generated cells are like, as sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from cineseq.report.evidence import Evidence
from cineseq.report.found import NONE, Claim, Found, not_estimable, not_run, note_of, tested, with_interval
from cineseq.statistics.verdicts import Verdict, is_above, judge, overall
from cineseq.text import count, known, listed, number, percent, quantity

Row = Mapping[str, Any]
TOTAL, FOUND = "all", "found"
APART = "Directions are different quantities, which are not averaged."
NOT_ABSENT = "What was not found is not shown to be absent."


def generative(evidence: Evidence) -> Found:
    """Answer which share of each modality goes with the other, and whether generated cells are like the real ones."""
    shares = evidence.tables.get("shares")
    if shares is None:
        return not_run("generation of one modality from the other, which needs counts and shape of the same cells")
    own = shares[(shares["estimand"] == "within") & (shares["target"] == TOTAL)]
    rows = {(row["direction"], row["part"]): row for row in own.to_dict("records") if known(row["share"])}
    directions = [name for name, part in rows if part == "linear"]
    if not directions:
        reason = "too few cells have both modalities, or nothing differs within fields"
        return not_estimable(note_of(shares.iloc[0], reason) if len(shares) else reason)
    said = {name: _claim(name, rows) for name in directions}
    # What is shown comes before what is not, and the largest share first.
    order = sorted(directions, key=lambda name: (said[name].verdict != "shown", -rows[name, "linear"]["share"]))
    sentences = [_sentence(name, rows) for name in order]
    verdicts: dict[str, Verdict] = {said[name].name: said[name].verdict for name in order}
    more = [*sentences[1:], *_of_generated(evidence), *_of_time(evidence), APART]
    if any(rows[name, "linear"]["found"] != FOUND for name in order):
        more.append(NOT_ABSENT)
    numbers: dict[str, Any] = {"verdicts": verdicts}
    for name in order:
        linear = rows[name, "linear"]
        numbers |= {f"share_{name}": linear["share"], f"null_{name}": linear["share_null"]}
        numbers |= {f"p_{name}": linear["p_value"], f"q_{name}": linear["q_value"]}
        if (name, "unique") in rows:
            numbers[f"unique_{name}"] = rows[name, "unique"]["share"]
    return Found(sentences[0], overall(verdicts.values()), numbers, " ".join(more), tuple(said[name] for name in order))


def _claim(direction: str, rows: Mapping[tuple[str, str], Row]) -> Claim:
    """Return the claim that one modality goes with the other within fields, by the rule of all verdicts."""
    linear, unique = rows[direction, "linear"], rows.get((direction, "unique"))
    null = linear["share_null"] if known(linear["share_null"]) else 0.0
    adds = None if unique is None else unique["found"] == FOUND
    # A share is found above what shuffled pairing explains, and never below 0.
    shown = is_above(linear["low"], max(null, 0.0), linear["q_value"])
    verdict = judge(is_estimated=True, is_shown=shown, adds=adds)
    effect = f"share {with_interval(linear['share'], linear['low'], linear['high'], percent)}"
    by_chance = percent(linear["share_null"]) if known(linear["share_null"]) else NONE
    return Claim(_words(direction), verdict, effect, by_chance, tested(linear["p_value"], linear["q_value"]))


def _sentence(direction: str, rows: Mapping[tuple[str, str], Row]) -> str:
    """State the share of one direction, or that none was found, and what is left beyond covariates."""
    linear, unique = rows[direction, "linear"], rows.get((direction, "unique"))
    source, target = direction.split("_to_")
    null = f"{percent(linear['share_null'])} with shuffled pairing, " if known(linear["share_null"]) else ""
    measured = with_interval(linear["share"], linear["low"], linear["high"], percent)
    tests = f"{null}{tested(linear['p_value'], linear['q_value'])}"
    if linear["found"] != FOUND:
        return (
            f"That {target} goes with {source} within fields, in held-out groups, was not found: share {measured} "
            f"({tests})."
        )
    best = rows.get((direction, "best"))
    if best is not None and best["found"] == FOUND and best["share"] > linear["share"]:
        tests += f"; {percent(best['share'])} by the best model"
    beyond = ""
    if unique is not None:
        part = with_interval(unique["share"], unique["low"], unique["high"], percent)
        found = unique["found"] == FOUND
        beyond = f", {part} beyond covariates" if found else ", none of it found beyond covariates"
    return (
        f"{source.capitalize()} goes with {measured} of the variance of {target} within fields, in held-out groups "
        f"({tests}){beyond}."
    )


def _of_generated(evidence: Evidence) -> list[str]:
    """Say by what cells are generated, whether their class is recovered, and whether they are those of their pair."""
    sentences = []
    directions = evidence.tables.get("generated_directions")
    if directions is not None and directions["sampler"].notna().any():
        drawn = [f"{_words(r.direction)} by {r.sampler}" for r in directions.itertuples() if isinstance(r.sampler, str)]
        sentences.append(f"Samples are drawn as follows: {listed(drawn).replace('_', ' ')}.")
    judged = evidence.tables.get("generated_judged")
    if judged is not None:
        values = judged[judged["measure"] == "macro_f1"].set_index(["direction", "source"])["value"]
        for direction in dict.fromkeys(judged["direction"]):
            if str(direction).endswith("expression") and known(values.get((direction, "generated"))):
                each = [f"{number(values.get((direction, name)))} {what}" for name, what in _SOURCES.items()]
                sentences.append(
                    f"Classes of cells by generated expression ({_words(direction)}): macro F1 {listed(each)}."
                )
    matches = evidence.tables.get("generated_matches")
    if matches is not None:
        sentences += [_match(row) for row in matches[matches["source"] == "mean"].to_dict("records")]
    return sentences


_SOURCES = {
    "generated": "generated",
    "shuffled": "with shuffled pairing",
    "class_mean": "by the class mean",
    "real": "of real cells",
}


def _match(row: Row) -> str:
    what = _words(str(row["direction"]))
    if not known(row["median_rank"]):
        return f"Whether what is predicted is the cell's own ({what}) is {note_of(pd.Series(row), 'not estimable')}."
    return (
        f"By {what} the true cell has median rank {number(row['median_rank'])} among the held-out cells of its "
        f"field by distance from what is predicted for it ({number(row['null_median'])} with shuffled pairs, "
        f"{tested(row['p_value'], row['q_value'])})."
    )


def _of_time(evidence: Evidence) -> list[str]:
    """Say how many genes are visible in shape, and how early."""
    genes = evidence.tables.get("visible_genes")
    if genes is None or genes.empty:
        return []
    seen = genes[genes["visible"].astype(bool)]
    text = f"{count(len(seen))} of {count(len(genes), 'gene')} {'is' if len(seen) == 1 else 'are'} visible in shape"
    if not len(seen):
        return [f"{text} in any hours before sequencing."]
    early = seen[seen["early"].astype(bool)]
    longest = quantity(seen["earliest_hours"].max(), "h")
    return [f"{text}, {count(len(early))} of them earlier than the last hours (up to {longest})."]


def _words(direction: str) -> str:
    return direction.replace("_", " ")
