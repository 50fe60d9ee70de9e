"""How the report shows uncertain events and how far cells step."""

from pathlib import Path

import pandas as pd

from cineseq.report.assets import ImageInliner
from cineseq.report.fields import SHOWN, show_uncertain
from cineseq.report.motion_figures import motion_picture
from cineseq.report.steps import StepReport
from cineseq.tables.contract import write_table
from cineseq.tables.imaging import CURATION


def report_of(field: str, before: float | None, left: float | None) -> StepReport:
    numbers = {"step_over_neighbour_distance": before, "step_left_over_neighbour_distance": left}
    return StepReport("track", field, (), numbers, None)


def test_the_picture_of_steps_needs_a_field_with_neighbours() -> None:
    assert motion_picture([]) is None
    assert motion_picture([report_of("s / 1", None, None)]) is None
    drawn = motion_picture([report_of("s / 1", 0.6, 0.1), report_of("s / 2", None, None)])
    assert drawn is not None
    assert drawn.startswith("data:image/svg+xml;base64,")
    assert drawn == motion_picture([report_of("s / 1", 0.6, 0.1)])


def write_list(folder: Path, rows: int) -> Path:
    place = folder / "fov/s/f"
    (place / "strips").mkdir(parents=True)
    names = [f"{n:04d}_link_frame0_cell{n}.png" for n in range(1, rows + 1)]
    for name in names:
        (place / "strips" / name).write_bytes(b"png")
    table = pd.DataFrame({"rank": range(1, rows + 1), "label": range(1, rows + 1), "strip": names[::-1]})
    table = table.assign(sample="s", fov="f", kind="link", frame=0, next_frame=1, next_label=1, other_label=pd.NA)
    table = table.assign(track_id="s/f/1", y_px=1.0, x_px=1.0, confidence=0.25, reason="torn")
    write_table(table.assign(edit_if_right="r", edit_if_wrong="w"), folder / "study.tsv", CURATION)
    return folder / "study.tsv"


def test_the_report_shows_the_first_events_and_leads_to_their_cards(tmp_path: Path) -> None:
    embedder = ImageInliner(tmp_path / "report/index.html")
    assert show_uncertain(None, [], embedder) is None
    shown = show_uncertain(write_list(tmp_path, 9), [tmp_path / "fov/s/f/curation.html"], embedder)
    assert shown is not None
    assert (len(shown.events), shown.total, shown.file) == (SHOWN, 9, "../study.tsv")
    assert shown.pages == {"s / f": "../fov/s/f/curation.html"}
    first = shown.events[0]
    assert (first.title, first.card) == ("Same cell, confidence 0.25", "../fov/s/f/curation.html#9")
    assert first.strip.source == "data:image/png;base64,cG5n"
    assert first.reason == "s / f, frame 0, cell 1: torn."


def test_an_event_leads_to_its_cell_in_the_explorer(tmp_path: Path) -> None:
    embedder = ImageInliner(tmp_path / "report/index.html")
    pages = [tmp_path / "fov/s/f/curation.html"]
    explorer = tmp_path / "report/explorer.html"
    shown = show_uncertain(write_list(tmp_path, 1), pages, embedder, explorer)
    assert shown is not None
    assert shown.events[0].cell == "explorer.html#track=s%2Ff%2F1"
