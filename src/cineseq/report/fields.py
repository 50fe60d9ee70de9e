"""Quality of the fields of view on the page: their numbers, pictures of some, and uncertain events."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from cineseq.curation.ranking import CLAIMS
from cineseq.errors import reading
from cineseq.report.assets import Embedded, ImageInliner
from cineseq.report.quality import choose_fields
from cineseq.tables.contract import read_table
from cineseq.tables.imaging import CURATION
from cineseq.text import number

FIELD_COLUMNS = {
    "objects": "Objects in all frames",
    "objects_per_frame": "Median number of objects in a frame",
    "tracks": "Tracks",
    "frames_per_track": "Median length of tracks in frames",
    "divisions": "Tracks that ended in a division",
    "deaths": "Tracks that ended in a death",
    "lost_share": "Fraction of lost tracks among those that ended before the movie",
    "displacement_ratio": "Median step between frames divided by the median distance to the nearest neighbour",
    "count_variation": "Mean change in the number of objects between frames, relative to the median number",
    "empty_frames": "Frames without any object",
    "black_frames": "Frames with a single grey level",
}


@dataclass(frozen=True)
class FieldView:
    """One field of view on the page."""

    name: str
    why: str
    lines: tuple[str, ...]
    picture: Embedded | None
    regions: Embedded | None = None


def read_quality(paths: list[Path]) -> pd.DataFrame:
    """Read the quality of the fields, one row each: sample, fov, lines, pixel_size_um and the numbers.

    Raises
    ------
    UserError
        When a file was not written by ``draw_field``.
    """
    rows = []
    for path in paths:
        with reading(path, "not a readable quality report", "delete it and run the workflow again"):
            content = json.loads(path.read_text(encoding="utf-8"))
            identity = {key: content[key] for key in ("sample", "fov", "pixel_size_um", "lines")}
            rows.append(identity | content["numbers"])
    return pd.DataFrame(rows)


def show_fields(
    quality: pd.DataFrame, pictures: list[Path], regions: list[Path], shown: int, embedder: ImageInliner
) -> list[FieldView]:
    """Show typical and worst fields with their pictures.

    Parameters
    ----------
    quality
        From :func:`read_quality`, in the same order as ``pictures`` if there are any.
    pictures
        One picture per field, in the same order; may be empty.
    regions
        The same of the regions in which function is measured.
    shown
        Largest number of fields that are shown.
    embedder
        Embeds the pictures within the size budget of the page.
    """
    if quality.empty:
        return []
    for name, paths in (("picture", pictures), ("regions", regions)):
        quality = quality.assign(**{name: [*paths, *[None] * (len(quality) - len(paths))][: len(quality)]})
    views = []
    for row in choose_fields(quality, shown).to_dict("records"):
        name = f"{row['sample']} / {row['fov']}"
        alt = f"First, middle and last frame of field {name} with outlined cells and the paths of tracks"
        picture = embedder.embed(row["picture"], alt) if row["picture"] else None
        alt = f"Regions of field {name} in which function is measured, and the pixels of its background"
        measured = embedder.embed(row["regions"], alt) if row["regions"] else None
        views.append(FieldView(name, row["why"], tuple(row["lines"]), picture, measured))
    return views


def field_table(quality: pd.DataFrame, rows: int) -> pd.DataFrame:
    """Return the numbers of fields for the page, the worst fields first."""
    ranked = choose_fields(quality, len(quality)).sort_values(
        ["badness", "sample", "fov"], ascending=[False, True, True]
    )
    columns = [name for name in FIELD_COLUMNS if name in ranked and ranked[name].notna().any()]
    table = ranked[["sample", "fov", *columns]].head(rows)
    return table.rename(columns={name: name.replace("_", " ") for name in columns})


SHOWN = 6


@dataclass(frozen=True)
class UncertainView:
    """One event: the claim, its confidence, its film strip, a link to it on the page of its field, and to its cell."""

    title: str
    reason: str
    strip: Embedded
    card: str
    cell: str = ""


@dataclass(frozen=True)
class UncertainList:
    """The least certain events of the study, the number and table of all listed events, and one page per field."""

    events: tuple[UncertainView, ...]
    total: int
    file: str
    pages: dict[str, str]


def show_uncertain(
    table: Path | None, pages: list[Path], embedder: ImageInliner, explorer: Path | None = None
) -> UncertainList | None:
    """Show the least certain events with their film strips.

    Parameters
    ----------
    table
        The list of the study; None where nothing was tracked.
    pages
        The page of every field, ``<sample>/<fov>/curation.html`` next to the folder of its strips.
    embedder
        Embeds the pictures within the size budget of the page.
    explorer
        Page of the explorer, where there is one.
    """
    if table is None:
        return None
    listed = read_table(table, CURATION).sort_values("rank")
    places = {path.parts[-3:-1]: path for path in pages}
    views = []
    for row in listed.head(SHOWN).to_dict("records"):
        page = places[row["sample"], row["fov"]]
        title = f"{CLAIMS[row['kind']]}, confidence {number(row['confidence'])}"
        place = f"{row['sample']} / {row['fov']}, frame {row['frame']}, cell {row['label']}"
        strip = embedder.embed(page.parent / "strips" / row["strip"], f"Frames around {place}")
        card = f"{embedder.link(page)}#{int(row['strip'].split('_')[0])}"
        cell = f"{embedder.link(explorer)}#track={quote(row['track_id'], safe='')}" if explorer else ""
        views.append(UncertainView(title, f"{place}: {row['reason']}.", strip, card, cell))
    links = {f"{sample} / {fov}": embedder.link(path) for (sample, fov), path in places.items()}
    return UncertainList(tuple(views), len(listed), embedder.link(table), links)
