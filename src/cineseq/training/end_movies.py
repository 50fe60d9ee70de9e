"""Simulated movies of how tracks end: deaths, lost mitoses, other losses and exits, with pasted real nuclei.

Positions come from the motion of the simulated experiment. Every nucleus is a picture of a real one; the order and the
length of the stages (rounding, plate, separation; condensation, fragments, decay) are simulated, because the pictures
are single frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import ndimage

from cineseq.config.base import FieldOfView
from cineseq.config.simulate import Simulate
from cineseq.config.tracking import Track
from cineseq.io.stacks import Labels, Movie, MovieInfo
from cineseq.simulate.field import simulate_field
from cineseq.simulate.images import READ_NOISE, render_movie, truth_masks
from cineseq.simulate.motion import Field
from cineseq.tracking.lineage import TrackLineage, track_table
from cineseq.tracking.objects import Objects, measure
from cineseq.tracking.tracker import link_objects
from cineseq.training.end_nuclei import Nuclei

KINDS = ("death", "mitosis", "other", "exit")
"""How a track can truly end before the movie does."""
CHANNEL = "nuclear"
SIZE_PX, FRAMES = 320, 26
NUCLEUS_PX2 = 205.0
"""Area of an average living nucleus at zoom 1, as in the simulated experiment."""
FIRST_END, AFTER_END = 9, 7
"""First frame of an end, and frames that follow the last one."""
CELLS = {"death": 8, "mitosis": 8, "other": 8, "exit": 9, "living": 12, "dividing": 2}
"""Cells of a movie by what happens to them; ``dividing`` cells divide and are not lost."""
GREY = 85.0
"""Mean grey level of a living nucleus in the pictures."""
GAIN = 4.0
"""Grey levels per photoelectron."""
NO_MASK, WHOLE, LARGEST, PART, MERGED, SPLIT, HANDED = range(7)
"""What is segmented of a nucleus: nothing, all, its largest piece, a part, all in the mask of a near neighbour, two
parts of which the second has another label, or all with that label."""
SECOND = 500
"""Added to the number of a cell, it is the label of its second part."""
NEIGHBOUR_PX = 26.0
"""Largest distance of a neighbour that a nucleus merges with, at zoom 1."""
WAYS = ("missed", "blurred", "merged", "gone", "partly", "split", "split", "jumped")
"""How living cells are lost."""
UNSEEN = 6
"""Largest number of first frames that are cut from a movie, so that some cells are followed briefly."""


@dataclass(frozen=True)
class EndMovie:
    """One simulated movie.

    Attributes
    ----------
    image
        Grey levels, shape (frames, height, width).
    labels
        Masks; the label of a nucleus is the number of its cell; same shape.
    cells
        One row per cell: ``number``, ``what`` (as in :data:`CELLS`, or ``daughter``), ``event`` (frame from which it
        dies, divides, is lost or leaves) and ``how`` (the way in which an ``other`` cell is lost, else empty).
    """

    image: np.ndarray
    labels: np.ndarray
    cells: pd.DataFrame

    @property
    def info(self) -> MovieInfo:
        """Metadata of the movie."""
        frames, height, width = self.image.shape
        return MovieInfo(frames, height, width, (CHANNEL,), None, None)

    def measured(self, *, with_image: bool = True) -> Objects:
        """Return the objects of the masks, measured on the image too unless that is to be left out."""
        labels = Labels(self.info, lambda frame: self.labels[frame])
        if not with_image:
            return measure(labels)
        movie = Movie(Path("simulated"), self.info, lambda frame, _: self.image[frame])
        return measure(labels, movie, (CHANNEL,))


def end_movie(nuclei: Nuclei, seed: int) -> EndMovie:
    """Simulate one movie with nuclei of ``nuclei``."""
    rng = np.random.default_rng([17, seed])
    zoom = float(np.exp(rng.uniform(np.log(0.9), np.log(1.7))))
    cells = plan(rng)
    place = Field(cells, FRAMES, SIZE_PX, None, rng).run()
    rows = pd.concat([pd.DataFrame(part) for part in _stages(cells, place, nuclei, rng)], ignore_index=True)
    rows[["y", "x"]] *= zoom
    image, labels = _render(rows, nuclei, round(SIZE_PX * zoom), zoom, rng)
    first = int(rng.integers(0, UNSEEN + 1))
    cells["event"] -= first
    return EndMovie(image[first:], labels[first:], cells[["number", "what", "event", "how"]])


def plan(rng: np.random.Generator) -> pd.DataFrame:
    """Plan the cells of one movie, parents before daughters, with the columns that the motion needs."""
    cells: list[tuple[object, ...]] = []
    last = FRAMES - 1
    for what, count in CELLS.items():
        for event in rng.integers(FIRST_END, FRAMES - AFTER_END, count):
            divides = what in ("mitosis", "dividing")
            end = int(event) if divides else last
            kind = "left_fov" if what == "exit" else "division" if divides else "end_of_movie"
            number = len(cells) + 1
            cells.append((number, 0, number, 0, end, "first_frame", kind, what, int(event)))
            for _ in range(2 * divides):
                place = len(cells) + 1
                cells.append((place, number, number, end + 1, last, "division", "end_of_movie", "daughter", FRAMES))
    columns = ["number", "parent", "root_cell", "start", "end", "start_kind", "end_kind", "what", "event"]
    planned = pd.DataFrame(cells, columns=columns)
    how = rng.choice(WAYS, len(planned))
    return planned.assign(how=np.where(planned["what"] == "other", how, ""))


def _stages(cells: pd.DataFrame, place: np.ndarray, nuclei: Nuclei, rng: np.random.Generator) -> Iterator[dict]:
    """Yield, for every cell, what is drawn and segmented of it in each of its frames; arrays of shape (its frames,)."""
    of_parent: dict[int, dict] = {}
    for i, cell in enumerate(cells.itertuples(index=False)):
        frame = np.flatnonzero(np.isfinite(place[:, i, 0]))
        n = len(frame)
        stage = {
            "frame": frame,
            "number": np.full(n, cell.number),
            "y": place[frame, i, 0],
            "x": place[frame, i, 1],
            "nucleus": np.full(n, rng.choice(nuclei.rows("living"))),
            "area": np.full(n, np.exp(rng.normal(0, 0.17))) * np.linspace(0.9, 1.1, n),
            "angle": rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.1, n)),
            "bright": np.full(n, np.exp(rng.normal(0, 0.15))),
            "blur": np.zeros(n),
            "own_area": np.zeros(n, bool),
            "mask": np.where(rng.random(n) < 0.01, NO_MASK, WHOLE),
        }
        left = cell.event - frame  # frames until the event, negative after it
        if cell.what == "death":
            _dies(stage, left, nuclei, rng)
        elif cell.what in ("mitosis", "dividing"):
            of_parent[cell.number] = _divides(stage, left, cell.what == "mitosis", nuclei, rng)
        elif cell.what == "daughter":
            _is_born(stage, of_parent[cell.parent], nuclei, rng)
        elif cell.what == "other":
            _is_lost(stage, left, cell.how, rng)
        yield stage


def _dies(stage: dict, left: np.ndarray, nuclei: Nuclei, rng: np.random.Generator) -> None:
    """Let a cell condense until its event, and show its fragments for some frames, which decay and do not move."""
    condensing = int(rng.integers(0, 4))
    progress = np.clip(1 - left / (condensing + 1), 0, 1)
    stage["area"] *= 1 - 0.4 * progress
    stage["bright"] *= 1 + rng.uniform(0.2, 1.0) * progress
    dead = left <= 0
    # The body: one or two pictures after each other; it decays, and is gone after a while.
    first, second = rng.choice(nuclei.rows("dead"), 2)
    age = -left
    stage["nucleus"] = np.where(dead, np.where(age >= rng.integers(2, 12), second, first), stage["nucleus"])
    stage["own_area"] |= dead
    stage["bright"] = np.where(
        dead, rng.uniform(0.7, 1.4) * rng.uniform(0.75, 1.0) ** np.clip(age, 0, None), stage["bright"]
    )
    still = np.argmax(dead)
    for axis in ("y", "x"):
        stage[axis][dead] = stage[axis][still] + np.cumsum(rng.normal(0, 0.3, dead.sum()))
    gone = age > rng.choice([1, 2, 3, 4, 6, 8, 12, FRAMES])
    seen = rng.random(len(left)) < rng.choice([0.95, 0.6, 0.2])
    lost = age > rng.integers(0, 6)
    style = rng.choice([WHOLE, LARGEST])
    stage["mask"] = np.where(dead, np.where(seen & ~lost & ~gone, style, NO_MASK), stage["mask"])
    stage["bright"] = np.where(gone, 0, stage["bright"])


def _divides(stage: dict, left: np.ndarray, lost: bool, nuclei: Nuclei, rng: np.random.Generator) -> dict:  # noqa: FBT001
    """Let a cell round up and align its chromosomes; return what its daughters need to know."""
    plate = int(rng.integers(0, 3))
    rounding = int(rng.integers(1, 4))
    for name, here in (("rounding", left < plate + rounding), ("plate", left < plate)):
        stage["nucleus"] = np.where(here, rng.choice(nuclei.rows(name)), stage["nucleus"])
        stage["own_area"] |= here
    bright = rng.uniform(0.8, 1.2)
    stage["bright"] = np.where(left < plate + rounding, bright, stage["bright"])
    how = str(rng.choice(["late", "never", "one", "early"], p=[0.35, 0.2, 0.2, 0.25])) if lost else "seen"
    if how == "early":
        stage["mask"] = np.where(left < plate + rounding - 1, NO_MASK, stage["mask"])
    return {"how": how, "delay": int(rng.integers(3, 8)), "born": 0, "angle": stage["angle"][-1], "bright": bright}


def _is_born(stage: dict, parent: dict, nuclei: Nuclei, rng: np.random.Generator) -> None:
    """Let a daughter separate from its sister, grow, and be segmented as the loss of its parent says."""
    n = len(stage["frame"])
    age = np.arange(n)
    apart = age < rng.integers(1, 3)
    drawn = nuclei.rows("apart")
    if len(drawn):
        stage["nucleus"] = np.where(apart, rng.choice(drawn), stage["nucleus"])
        stage["own_area"] |= apart
    stage["area"] *= 0.55 + 0.3 * np.clip(age / 12, 0, 1)
    stage["bright"] = np.where(apart, parent["bright"], stage["bright"] * 1.15)
    second = parent["born"] == 1
    never = parent["how"] == "never" or (parent["how"] == "one" and second)
    until = n if never else 0 if parent["how"] == "seen" else parent["delay"] + int(rng.integers(0, 2))
    stage["mask"] = np.where(age < until, NO_MASK, stage["mask"])
    parent["born"] += 1


def _is_lost(stage: dict, left: np.ndarray, how: str, rng: np.random.Generator) -> None:
    """Lose a living cell: missed, out of focus, merged, gone at once, in part or in two parts before, or jumped."""
    after = left <= 0
    back = (-left > rng.integers(5, 9)) & (rng.random() < 0.5)
    style = {"merged": MERGED, "split": HANDED, "jumped": WHOLE}.get(how, NO_MASK)
    stage["mask"] = np.where(after & ~back, style, stage["mask"])
    if how == "blurred":
        stage["blur"] = np.clip(2 - left, 0, None) * rng.uniform(0.5, 1.5)
    elif how == "gone":
        stage["bright"] = np.where(after, 0, stage["bright"])
        stage["mask"] = np.where(after, NO_MASK, stage["mask"])
    elif how == "split":
        stage["mask"] = np.where((left > 0) & (left <= rng.integers(1, 3)), SPLIT, stage["mask"])
    elif how == "jumped":
        for axis, step in zip(("y", "x"), rng.uniform(25, 60, 2) * rng.choice([-1, 1], 2), strict=True):
            stage[axis] = np.where(after, np.clip(stage[axis] + step, 4, SIZE_PX - 4), stage[axis])
    elif how == "partly":
        stage["mask"] = np.where((left > 0) & (left <= rng.integers(1, 4)), PART, stage["mask"])


def _render(
    rows: pd.DataFrame, nuclei: Nuclei, size: int, zoom: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return images and masks, shape (frames, size, size)."""
    usual = np.sqrt(NUCLEUS_PX2 / np.median(nuclei.area[nuclei.rows("living")]))
    light = np.zeros((FRAMES, size, size), np.float32)
    labels, depth = np.zeros((FRAMES, size, size), np.uint16), np.zeros((FRAMES, size, size), np.float32)
    merged = []
    for row in rows.itertuples(index=False):
        if row.bright <= 0:
            continue
        # Pictures of living nuclei are scaled to the planned area, others are as large as they are.
        own = (
            1.0
            if row.own_area
            else np.sqrt(row.area * np.median(nuclei.area[nuclei.rows("living")]) / nuclei.area[row.nucleus])
        )
        picture, at = _pasted(nuclei.images[row.nucleus], row, usual * own * zoom, size)
        if picture is None:
            continue
        light[row.frame][at] += row.bright * picture
        if row.mask == NO_MASK:
            continue
        if row.mask == MERGED:
            merged.append((row, picture, at))
            continue
        inside = _silhouette(picture, row.mask, rng)
        deeper = inside & (picture > depth[row.frame][at])
        labels[row.frame][at][deeper] = row.number + SECOND * (row.mask == HANDED)
        if row.mask == SPLIT:
            labels[row.frame][at][deeper & ~_part(inside, rng)] = row.number + SECOND
        depth[row.frame][at] = np.maximum(depth[row.frame][at], np.where(inside, picture, 0))
    for row, picture, at in merged:
        here = rows[(rows["frame"] == row.frame) & (rows["mask"] != NO_MASK) & (rows["number"] != row.number)]
        apart = np.hypot(here["y"] - row.y, here["x"] - row.x)
        if apart.min() <= NEIGHBOUR_PX * zoom:
            inside = _silhouette(picture, WHOLE, rng)
            labels[row.frame][at][inside & (labels[row.frame][at] == 0)] = here["number"].iloc[np.argmin(apart)]
    light = ndimage.gaussian_filter(light, (0, 0.8, 0.8), truncate=3)
    # Grey levels with an uneven background, shot noise (normal, which it is at these levels) and read noise.
    signal, ground = float(np.exp(rng.uniform(np.log(120), np.log(2000)))), 180.0
    haze = 1 + 0.1 * ndimage.zoom(rng.standard_normal((5, 5)), size / 5, order=3)[:size, :size]
    light *= signal / GREY
    light += (ground * haze).astype(np.float32)
    np.maximum(light, 1, out=light)
    light += np.sqrt(GAIN * light + READ_NOISE**2) * rng.standard_normal(light.shape, np.float32)
    return np.clip(light, 0, 65535, out=light).astype(np.uint16), labels


def _pasted(image: np.ndarray, row: Any, scale: float, size: int) -> tuple[np.ndarray | None, tuple[slice, slice]]:
    """Return a nucleus turned, scaled and placed at its subpixel position, and the part of the frame that it fills."""
    half = int(np.ceil(32 * scale)) + 2 + int(3 * row.blur)
    y0, x0 = round(row.y), round(row.x)
    at = slice(max(0, y0 - half), min(size, y0 + half + 1)), slice(max(0, x0 - half), min(size, x0 + half + 1))
    if at[0].start >= at[0].stop or at[1].start >= at[1].stop:
        return None, at
    cos, sin = np.cos(row.angle) / scale, np.sin(row.angle) / scale
    turn = np.array([[cos, -sin], [sin, cos]])
    offset = np.array([31.5, 31.5]) + turn @ [at[0].start - row.y, at[1].start - row.x]
    shape = (at[0].stop - at[0].start, at[1].stop - at[1].start)
    picture = ndimage.affine_transform(image, turn, offset, output_shape=shape, order=1)
    return (ndimage.gaussian_filter(picture, row.blur) if row.blur > 0 else picture), at


def _silhouette(picture: np.ndarray, style: int, rng: np.random.Generator) -> np.ndarray:
    """Return what a segmentation finds of a nucleus, with a threshold that varies, shape of ``picture``."""
    seen = picture[picture > 0]
    if not len(seen):
        return picture > 0
    inside = picture > 0.45 * np.exp(rng.normal(0, 0.2)) * seen.mean()
    if style == PART:
        return _part(inside, rng)
    if style != LARGEST:
        return inside
    pieces, number = ndimage.label(inside)
    return pieces == 1 + np.argmax(np.bincount(pieces.ravel())[1:]) if number else inside


def _part(inside: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the part of a mask on one side of a line, between a third and two thirds of its extent."""
    y, x = np.nonzero(inside)
    kept = np.zeros_like(inside)
    if len(y):
        angle = rng.uniform(0, 2 * np.pi)
        along = y * np.sin(angle) + x * np.cos(angle)
        here = along <= np.quantile(along, rng.uniform(0.3, 0.65))
        kept[y[here], x[here]] = True
    return kept


def followed(movie: EndMovie, *, with_image: bool = True) -> tuple[pd.DataFrame, Objects, TrackLineage]:
    """Track a simulated movie and return its tracks with how they truly ended.

    Returns
    -------
    tracks
        One row per track, sorted by number, with ``true_end``: one of :data:`KINDS`, or missing where the track did
        not end (division, end of the movie) or follows a dead body only; and ``how``, as in :class:`EndMovie`.
    objects, families
        The objects and the lineage.
    """
    objects = movie.measured(with_image=with_image)
    families = link_objects(objects, np.full(len(objects.table), -1), Track()).families
    tracks = track_table(objects.table, families, FieldOfView(), movie.info)
    return tracks.assign(**true_ends(movie, objects, families.number, tracks)), objects, families


def true_ends(movie: EndMovie, objects: Objects, number: np.ndarray, tracks: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return ``true_end`` of each track, None where it did not end or is a body, and ``how``; shape (tracks,) each."""
    last = objects.table.assign(number=number).groupby("number")["label"].last().reindex(tracks["number"])
    cells = movie.cells.set_index("number").reindex(last)
    what, event = cells["what"].to_numpy(object), cells["event"].to_numpy()
    start, end = tracks["start_frame"].to_numpy(np.int64), tracks["end_frame"].to_numpy(np.int64)
    happened = end >= event - 4
    kind = np.full(len(tracks), "other", object)
    kind[(what == "death") & happened] = "death"
    kind[np.isin(what.astype(str), ("mitosis", "dividing")) & happened] = "mitosis"
    kind[what == "exit"] = "exit"
    open_end = ~tracks["track_id"].isin(tracks["parent_id"].dropna()) & (end < len(movie.image) - 1)
    body = (what == "death") & (start >= event - 1)
    kind[~open_end.to_numpy() | body] = None
    return {"true_end": kind, "how": cells["how"].to_numpy(object)}


def drawn_movie(seed: int) -> EndMovie:
    """Simulate one movie with the drawn nuclei of the simulated experiment, some of whose masks are lost.

    The daughters of half of the divisions, and a few living cells, are without masks from some frame on.
    """
    rng = np.random.default_rng([19, seed])
    settings = Simulate(founders=40, frames=FRAMES + 4)
    sample = settings.sample_names[seed % 2 and -2]
    field = simulate_field(settings, seed, sample, "f1")
    planes = render_movie(field.positions, settings.frames, settings.size_px, rng)
    image = np.stack([plane for i, plane in enumerate(planes) if i % 3 == 0])
    labels = np.stack(list(truth_masks(field.positions, settings.frames, settings.size_px)))
    plan = field.cells
    divides = (plan["end_kind"] == "division").to_numpy()
    what = np.select(
        [plan["end_kind"] == "death", divides, plan["end_kind"] == "left_fov"], ["death", "dividing", "exit"], "living"
    ).astype(object)
    what[divides & (rng.random(len(plan)) < 0.5)] = "mitosis"
    stays = (plan["end_kind"] == "end_of_movie") & (plan["end"] - plan["start"] > FIRST_END + AFTER_END)
    what[stays & (rng.random(len(plan)) < 0.3)] = "other"
    how = np.where(what == "other", rng.choice(["missed", "merged"], len(plan)), "")
    event = plan["end"].to_numpy().copy()
    lost = what == "other"
    event[lost] = rng.integers(plan["start"].to_numpy()[lost] + FIRST_END - 2, settings.frames - AFTER_END)
    parents = set(plan["number"][what == "mitosis"])
    for i, cell in enumerate(plan.itertuples(index=False)):
        if cell.parent in parents:
            until = cell.start + int(rng.choice([3, 5, settings.frames]))
            labels[cell.start : until][labels[cell.start : until] == cell.number] = 0
        elif lost[i]:
            part = labels[event[i] :]
            part[part == cell.number] = 0
    return EndMovie(image, labels, pd.DataFrame({"number": plan["number"], "what": what, "event": event, "how": how}))
