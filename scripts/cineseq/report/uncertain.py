"""The least certain events of the study as the page shows them, and where a person judges them all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cineseq.contracts import CURATION
from cineseq.curation.uncertain import SAID
from cineseq.report.assets import Embedded, Embedder
from cineseq.tables import read_table

SHOWN = 6


@dataclass(frozen=True)
class UncertainView:
    """One event: what is claimed, how sure it is, its film strip, and its card on the page of its field."""

    title: str
    reason: str
    strip: Embedded
    card: str


@dataclass(frozen=True)
class UncertainList:
    """The first events of the study, its whole list, and one page per field."""

    events: tuple[UncertainView, ...]
    total: int
    file: str
    pages: dict[str, str]


def show_uncertain(table: Path | None, pages: list[Path], embedder: Embedder) -> UncertainList | None:
    """Show the least certain events with their film strips.

    Parameters
    ----------
    table
        The list of the study; None where nothing was tracked.
    pages
        The page of every field, ``<sample>/<fov>/curation.html`` beside the folder of its strips.
    embedder
        The budget of the page.
    """
    if table is None:
        return None
    listed = read_table(table, CURATION).sort_values("rank")
    places = {path.parts[-3:-1]: path for path in pages}
    views = []
    for row in listed.head(SHOWN).to_dict("records"):
        page = places[row["sample"], row["fov"]]
        title = f"{SAID[row['kind']]}, confidence {row['confidence']:.2f}"
        place = f"{row['sample']} / {row['fov']}, frame {row['frame']}, cell {row['label']}"
        strip = embedder.embed(page.parent / "strips" / row["strip"], f"Frames around {place}")
        card = f"{embedder.link(page)}#{int(row['strip'].split('_')[0])}"
        views.append(UncertainView(title, f"{place}: {row['reason']}.", strip, card))
    links = {f"{sample} / {fov}": embedder.link(path) for (sample, fov), path in places.items()}
    return UncertainList(tuple(views), len(listed), embedder.link(table), links)
