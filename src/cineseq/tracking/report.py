"""Report of tracking, or of the import of tracks: sentences and numbers for the report page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cineseq.tables.imaging import END_KINDS, START_KINDS
from cineseq.text import count, interval, number, percent, share, significant
from cineseq.tracking.confidence import USUAL
from cineseq.tracking.death_stain import stain_report
from cineseq.tracking.jumps import Jump
from cineseq.tracking.lineage import FOLLOWED, NOT_ANNOTATED
from cineseq.tracking.objects import Objects

if TYPE_CHECKING:
    from cineseq.tracking.decision import Decision
    from cineseq.tracking.densities import Rate
    from cineseq.tracking.evidence import Learnt
    from cineseq.tracking.tracker import Linked

RATES = ("divisions", "ends inside the field", "appearances inside the field", "missed detections")
"""What each rate counts, in the order of :func:`_rates_of`."""
LEAST_RATE = 1e-6
"""Rate below which the end of an interval is written as 0."""
FAR = 1 / 3
"""Step over neighbour distance above which links become uncertain."""

OF_IMAGES = "positions in the tables are those of the images, so steps and speeds over the jump hold it"
"""What a jump of the stage leaves in the tables."""
REPAIRS = {
    "dummies": ("object", "that btrack filled in, left out"),
    "objects_without_given_track": ("object", "without an external track, a track of its own each"),
    "given_objects_without_mask": ("external object", "that is not in the masks, left out"),
    "objects_outside_the_frames_of_their_track": ("object", "outside the frames of their track"),
    "objects_outside_the_lineage_tree": ("object", "outside the lineage tree"),
    "objects_without_any_link": ("object", "without any link"),
    "filtered_out_families": ("filtered track", "of TrackMate, left out"),
    "links_cut_to_two_parents": ("link", "to two parents, cut"),
    "links_cut_to_more_than_two_daughters": ("link", "to more than two daughters, cut"),
    "only_daughters_joined": ("only daughter", "joined to the track of its parent"),
    "parents_without_object": ("link", "to a parent without an object, dropped"),
    "deaths_without_object": ("death", "of a track without an object, dropped"),
    "deaths_that_are_linked_further": ("death", "of a track that goes on, dropped"),
    "excluded_objects": ("object", "that Cell-ACDC excludes, left out"),
    "buds_before_division": ("bud", "before its division, counted as its mother"),
}
"""What an import of external tracks repairs, by the name of its count: noun, and the rest of the sentence."""


def tracking_report(objects: Objects, linked: Linked | None, tracks: pd.DataFrame) -> dict[str, Any]:
    """Return the report of tracking one field; ``linked`` is None where there were no objects.

    Returns
    -------
    dict
        ``lines`` (sentences), ``numbers``, and ``notices`` on jumps of the stage.
    """
    linking: tuple[list[str], dict[str, Any]] = _linking(linked, _hours(tracks)) if linked is not None else ([], {})
    jumps = [f"{_jump(jump)} It was corrected before linking; {OF_IMAGES}." for jump in objects.jumps]
    report = _report(objects, (jumps + linking[0], linking[1] | {"stage_jumps": len(jumps)}), tracks)
    said = [*jumps, *(_unfinished(linked) if linked is not None else [])]
    return report | {"notices": [{"level": "serious", "text": text} for text in said]}


def _unfinished(linked: Linked) -> list[str]:
    """Return the sentence on components that the solver did not finish, if there are some."""
    if not (unfinished := linked.decision.packing.unfinished):
        return []
    return [
        f"In {count(unfinished, 'group')} of competing links and divisions the solver did not finish in time; there "
        "the likeliest were taken one by one, so another run may differ."
    ]


def _jump(jump: Jump) -> str:
    return (
        f"The stage jumped by {number(jump.length_px, 0)} px before frame {jump.frame} (rows {number(jump.y_px, 0)}, "
        f"columns {number(jump.x_px, 0)}): {share(jump.agree, jump.cells, 'cell')} moved together, where the usual "
        f"step is {number(jump.usual_px, 1)} px."
    )


def import_report(objects: Objects, counts: dict[str, int], tracks: pd.DataFrame) -> dict[str, Any]:
    """Return the report of the import of the external tracks of one field, with all repairs."""
    lines = ["The tracks are external."]
    lines += [
        f"Repaired on import: {_repair(name, n)}."
        for name, n in counts.items()
        if n and name not in (FOLLOWED, NOT_ANNOTATED)
    ]
    jumps = [f"{_jump(jump)} Links are those of the file; {OF_IMAGES}." for jump in objects.jumps]
    lines += jumps
    notices = [{"level": "serious", "text": text} for text in jumps]
    if bare := counts.get(NOT_ANNOTATED):
        lines.append(
            f"{count(bare, 'frame')} of {count(objects.shape[0])} with objects {'is' if bare == 1 else 'are'} not "
            "annotated (track.external_frames: annotated); each of their objects is a track of one frame, and tracks "
            "end before these frames."
        )
        notices.append({"level": "serious", "text": lines[-1]})
    if followed := counts.get(FOLLOWED):
        lines.append(
            f"Cells followed beyond the frame in which the file states their death: {count(followed)}. Those frames "
            "are kept and may show a dead cell; end such tracks at death."
        )
    return _report(objects, (lines, counts | {"stage_jumps": len(jumps)}), tracks) | {"notices": notices}


def _repair(name: str, number_of: int) -> str:
    noun, rest = REPAIRS.get(name, ("", name.replace("_", " ")))
    return f"{count(number_of, noun)} {rest}"


def point_tracks_report(objects: Objects, counts: dict[str, int], tracks: pd.DataFrame) -> dict[str, Any]:
    """Return the report of the import of point tracks, which have no masks."""
    report = import_report(objects, counts, tracks)
    report["lines"].append("There are no masks: areas, borders, and deaths that the file does not state are unknown.")
    first = int(objects.table["frame"].min())
    if first > 0:
        text = (
            f"The first point is in frame {first}: cells then appear during the movie. If "
            f"the file counts frames from {first}, set track.external_first_frame: {first}."
        )
        report["lines"].append(text)
        report["notices"].append({"level": "serious", "text": text})
    return report


def external_points_report(objects: Objects, tracks: pd.DataFrame) -> dict[str, Any]:
    """Return the report of points that all have a known track, as that of an import."""
    report = point_tracks_report(objects, {}, tracks)
    text = (
        "Every point has a track_id, so these tracks are kept and nothing is linked; no division is known (give a "
        "table with parents in the column 'tracks' of the sheet, or leave track_id out to look for divisions)."
    )
    notices = [*report["notices"], {"level": "serious", "text": text}]
    return report | {"lines": [*report["lines"], text], "notices": notices, "step": "import_point_tracks"}


def points_report(
    objects: Objects, linked: Linked | None, tracks: pd.DataFrame, known: np.ndarray, replaced: int
) -> dict[str, Any]:
    """Return the report of tracking points, some of which may be in ``known`` tracks, shape (objects,), 0 for none.

    ``replaced`` is the number of links that contradicted these and were replaced.
    """
    report = tracking_report(objects, linked, tracks)
    lines = [*report["lines"], "There are no masks: shape, embedding, function, borders and deaths are unknown."]
    if known.any():
        lines.append(
            f"{share(int((known > 0).sum()), len(known), 'point')} have a track_id. Known tracks kept: "
            f"{count(len(np.unique(known[known > 0])))}; links that contradicted them, replaced: {count(replaced)}."
        )
    notices = [*report["notices"], *_empty_frames(objects)]
    lines += [notice["text"] for notice in _empty_frames(objects)]
    numbers = report["numbers"] | {"points_in_known_tracks": int((known > 0).sum()), "links_replaced": replaced}
    return {"lines": lines, "numbers": numbers, "notices": notices, "step": "track_points"}


def with_unused_images(report: dict[str, Any]) -> dict[str, Any]:
    """Add to the report on points that the images of the field are not measured."""
    text = (
        "The images state frames, times and sizes only: cells that are points have no masks, in which shape, function "
        "and embedding could be measured. Give masks, or no points, to measure them."
    )
    notices = [*report["notices"], {"level": "serious", "text": text}]
    return report | {"lines": [*report["lines"], text], "notices": notices}


def _empty_frames(objects: Objects) -> list[dict[str, str]]:
    """Return a notice on frames without any point, if there are some."""
    frames = objects.shape[0]
    empty = np.setdiff1d(np.arange(frames), objects.table["frame"])
    if not len(empty) or objects.table.empty:
        return []
    text = (
        f"There is no point in {share(len(empty), frames, 'frame')}, the first of them frame {empty[0]}: cells are not "
        "followed over more frames than track.max_gap. If the table counts frames otherwise, set "
        "track.external_first_frame, track.external_frame_step or track.external_frame_interval."
    )
    return [{"level": "serious", "text": text}]


def _report(objects: Objects, details: tuple[list[str], dict[str, Any]], tracks: pd.DataFrame) -> dict[str, Any]:
    frames, found = objects.shape[0], len(objects.table)
    lines = [f"{count(found, 'object')} in {count(frames, 'frame')} form {count(len(tracks), 'track')}."]
    numbers: dict[str, Any] = {"frames": frames, "objects": found, "tracks": len(tracks)}
    if objects.split_labels:
        lines.append(
            f"{count(objects.split_labels, 'detached piece')} of masks "
            f"{'is' if objects.split_labels == 1 else 'are'} kept as part of their objects."
        )
    numbers["split_labels"] = objects.split_labels
    lines += details[0]
    numbers |= details[1]
    for column, kinds in (("start_kind", START_KINDS), ("end_kind", END_KINDS)):
        counts = tracks[column].value_counts()
        numbers |= {f"{column}_{kind}": int(counts.get(kind, 0)) for kind in kinds}
    if len(tracks):
        ends = ", ".join(f"{count(numbers[f'end_kind_{kind}'])} {kind.replace('_', ' ')}" for kind in END_KINDS)
        lines.append(f"Tracks by kind of end: {ends}.")
    lines += _model_of_ends(tracks)
    if "stained" in tracks and objects.source is not None and objects.source.death is not None:
        stain = stain_report(tracks, objects.source.death)
        lines, numbers = lines + stain[0], numbers | stain[1]
    return {"lines": lines, "numbers": numbers}


def _model_of_ends(tracks: pd.DataFrame) -> list[str]:
    """Return the sentences on the model that gave ends their probabilities, where one did."""
    models = tracks["end_model"].dropna().unique() if "end_model" in tracks else []
    if not len(models):
        return []
    mitosis = int((tracks["end_class"] == "mitosis").sum())
    return [
        f"Ends were judged by the model {models[0]}: {count(mitosis)} of the lost tracks were probably lost in "
        "mitosis. It was calibrated on simulated movies with pasted real nuclei, because no real movie with annotated "
        "deaths was available: check called deaths on movies like yours (docs/curation.md)."
    ]


def _hours(tracks: pd.DataFrame) -> float | None:
    """Return the mean time between frames in hours, None where it is unknown."""
    hours = np.r_[
        tracks["start_hours"].to_numpy(float, na_value=np.nan), tracks["end_hours"].to_numpy(float, na_value=np.nan)
    ]
    frames = np.r_[tracks["start_frame"].to_numpy(float), tracks["end_frame"].to_numpy(float)]
    known = np.isfinite(hours)
    if not known.any() or np.ptp(frames[known]) == 0:
        return None
    return float(np.ptp(hours[known]) / np.ptp(frames[known])) or None


def _linking(linked: Linked, hours: float | None) -> tuple[list[str], dict[str, Any]]:
    """Return sentences and numbers on the linking of one field; ``hours`` lie between frames, None if unknown."""
    decision, learnt = linked.decision, linked.decision.learnt
    steps, ratios = _median_steps(decision), _step_ratios(decision)
    common = decision.problem.motion
    numbers = {
        "motion": common.kind,
        "median_step_px": None if steps is None else round(steps[0], 3),
        "neighbour_distance_px": round(common.spacing, 3) if np.isfinite(common.spacing) else None,
        "step_over_neighbour_distance": None if ratios is None else round(ratios[0], 4),
        "step_left_over_neighbour_distance": None if ratios is None else round(ratios[1], 4),
        "usual_step_px": round(learnt.step.quantile(USUAL), 3),
        "search_range_px": round(decision.problem.reach, 3),
        "overlaps_used": not decision.problem.without_overlaps,
        "step_noise_px": round(float(np.sqrt(learnt.step.variance)), 3),
        "frame_hours": None if hours is None else round(hours, 6),
        **_numbers_of_rates(learnt),
        "divisions_in_reverse": decision.decoys,
        "competing_groups": decision.packing.components,
        "unfinished_groups": decision.packing.unfinished,
        **linked.counts,
    }
    learning = "Learnt from this movie"
    if not learnt.division.chances:
        learning = "One frame teaches no rates, so these are assumed"
    lines = [*_steps(decision), f"{learning}, {_rates(learnt, hours)}.", *_events(linked)]
    return lines, numbers


def _median_steps(decision: Decision) -> tuple[float, float] | None:
    """Return the median step of the links in px, and the one that the common motion leaves; None without links."""
    problem, (before, after) = decision.problem, decision.links.T
    near = problem.frame[after] == problem.frame[before] + 1
    if not near.any():
        return None
    before, after = before[near], after[near]
    step = np.hypot(*(problem.points[after] - problem.points[before]).T)
    return float(np.median(step)), float(np.median(problem.distance(before, after)))


def _step_ratios(decision: Decision) -> tuple[float, float] | None:
    """Return both median steps over the distance of neighbours, None where either is unknown."""
    steps, spacing = _median_steps(decision), decision.problem.motion.spacing
    if steps is None or not np.isfinite(spacing) or spacing <= 0:
        return None
    return steps[0] / spacing, steps[1] / spacing


def _steps(decision: Decision) -> list[str]:
    """Return sentences on the steps of cells, and on what links are decided by."""
    problem, common = decision.problem, decision.problem.motion
    lines, moved = [], common.kind != "none"
    steps = _median_steps(decision)
    if (ratios := _step_ratios(decision)) and steps:
        left = f"; of the steps left by the common motion the ratio is {number(ratios[1])}" if moved else ""
        lines.append(
            f"The median step between frames is {number(steps[0], 1)} px and the median distance to the nearest "
            f"neighbour {number(common.spacing, 1)} px (ratio {number(ratios[0])}){left}."
        )
        if ratios[1] > FAR:
            lines.append(
                "That is above one third, where links become uncertain: image at shorter intervals if possible."
            )
    limit = f"links are looked for within {number(problem.reach, 1)} px"
    if problem.limit:
        limit += " (track.search_range_px)"
    elif not problem.without_overlaps:
        limit += " and to every mask that the moved mask of the cell overlaps"
    lines.append(
        (f"After the common motion (model: {common.kind}), " if moved else "")
        + f"{percent(USUAL, 0)} of the steps are expected below {number(decision.learnt.step.quantile(USUAL), 1)} px; "
        f"{limit}."
    )
    if problem.without_overlaps:
        lines.append(f"Links do not use the overlap of masks: {problem.without_overlaps}.")
    return lines


def _events(linked: Linked) -> list[str]:
    """Return sentences on what was decided: fragments, gaps, divisions, and how the solver ended."""
    counts, lines = linked.counts, []
    if counts["fragments"]:
        lines.append(f"Fragments, not linked (each is a track of one frame): {count(counts['fragments'])}.")
    lines.append(f"Gaps closed: {count(counts['gaps_closed'])}.")
    if counts["divisions"]:
        false = counts["divisions_expected_false"]
        doubt = f"about {count(round(false))} of them may be false" if false >= 1 else "fewer than one may be false"
        backwards = count(linked.decision.decoys, "apparent division")
        lines.append(
            f"{count(counts['divisions'], 'division')}; by their probabilities, {doubt}. The movie in reverse, which "
            f"has none, shows {backwards} by the same rules."
        )
    if explained := counts["splits_explained_by_merges"]:
        lines.append(
            f"{count(explained, 'apparent division')} {'was' if explained == 1 else 'were'} of two touching cells that "
            "shared a mask for a while, by their areas: not counted as divisions (track.merges: false counts them)."
        )
    return [*lines, *_unfinished(linked)]


def _rates_of(learnt: Learnt) -> dict[str, Rate]:
    """Return the rates that the movie teaches, by the name of their setting."""
    return {
        "division_rate": learnt.division,
        "end_rate": learnt.end["inside"],
        "appearance_rate": learnt.begin["inside"],
        "missed_rate": learnt.missed,
    }


def _rates(learnt: Learnt, hours: float | None) -> str:
    """Return the rates in words, per hour if it is known, with intervals of 95 % or the word that they were set."""
    *events, missed = (
        _rate(words, name, rate, 1.0 if hours is None or name == "missed_rate" else hours)
        for (name, rate), words in zip(_rates_of(learnt).items(), RATES, strict=True)
    )
    if hours is None:
        return f"per cell and frame: {'; '.join([*events, missed])}"
    return f"per cell and hour: {'; '.join(events)}; per cell and frame: {missed}"


def _rate(words: str, name: str, rate: Rate, unit: float) -> str:
    """Return one rate per ``unit`` frames or hours in words."""
    if rate.fixed:
        return f"{words} {significant(rate.value / unit, 2)} (set by track.{name})"
    low, high = rate.interval
    return f"{words} {significant(rate.value / unit, 2)} {interval(low / unit, high / unit, _two_digits)}"


def _two_digits(value: float) -> str:
    return significant(value, 2) if value > LEAST_RATE else "0"


def _numbers_of_rates(learnt: Learnt) -> dict[str, float | None]:
    """Return the rates per cell and frame with the ends of their intervals, None for a rate that was set."""
    numbers: dict[str, float | None] = {}
    for name, rate in _rates_of(learnt).items():
        low, high = (None, None) if rate.fixed else (round(end, 6) for end in rate.interval)
        numbers |= {name: round(float(rate.value), 6), f"{name}_low": low, f"{name}_high": high}
    return numbers
