"""How sure links, divisions and ends are, what is listed, and the film strips and page on which it is judged."""

from pathlib import Path

import draw_field
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tests.unit.tracking.tracking_examples import outputs, two_families
from track import Settings, main

from cineseq.config.base import FieldOfView
from cineseq.config.imaging import Channels
from cineseq.config.tracking import Curation
from cineseq.curation.ranking import EDIT_HEADER, least_certain
from cineseq.curation.strips import COLOURS, FOOT, GAP, PANEL
from cineseq.io.stacks import MovieInfo, write_labels, write_movie
from cineseq.tables.contract import empty, read_table, write_table
from cineseq.tables.imaging import CURATION, DETECTIONS, EVENTS, TRACKS
from cineseq.tracking import divisions
from cineseq.tracking.confidence import division_events, link_confidence
from cineseq.tracking.lineage import ImpossibleLineageError, TrackLineage, detection_table
from cineseq.tracking.linking_problem import LinkingProblem
from cineseq.tracking.motion import Motion
from cineseq.tracking.validate import validate_walls

FIELD = FieldOfView(sample="s", fov="f")


def problem(rows: list[tuple[int, float, float]], reach: float = 20.0) -> LinkingProblem:
    """Return objects of area 100 at frame, row and column, with the label of their place in the list."""
    table = pd.DataFrame(rows, columns=["frame", "y_px", "x_px"]).assign(
        area_px=100.0, ellipse_extent=1.0, eccentricity=0.1, label=range(1, len(rows) + 1)
    )
    none = pd.DataFrame({"source": pd.Series(dtype=int), "target": pd.Series(dtype=int), "discount": []})
    calm = Motion("none", np.zeros((len(rows), 2)), 2.0, 50.0)
    return LinkingProblem(table, 3, calm, reach, np.full(len(rows), -1), none)


def confidence(before: list[int], *rows: tuple[int, float, float]) -> pd.DataFrame:
    found = link_confidence(problem(list(rows)), np.array(before), np.ones(len(rows), bool))
    return found.set_index("source")[["confidence", "rival"]]


def test_a_link_is_sure_where_nothing_else_is_near_and_unsure_where_another_would_do() -> None:
    alone = confidence([-1, 0], (0, 50, 50), (1, 50, 53))
    assert alone.loc[0, "confidence"] > 0.99
    assert alone.loc[0, "rival"] == -1
    torn = confidence([-1, 0, -1], (0, 50, 50), (1, 50, 53), (1, 50, 47))
    assert torn.loc[0, "confidence"] == pytest.approx(1 / (1 + np.exp(1.7)))
    assert torn.loc[0, "rival"] == 2
    claimed = confidence([-1, -1, 0], (0, 50, 47), (0, 50, 53), (1, 50, 50))
    assert claimed.loc[0, "confidence"] == pytest.approx(1 / (1 + np.exp(1.7)))
    assert claimed.loc[0, "rival"] == -2
    crossing = confidence([-1, -1, 0, 1], (0, 45, 50), (0, 55, 50), (1, 50, 45), (1, 50, 55))
    assert crossing["confidence"].max() < 0.2
    assert crossing["rival"].tolist() == [3, 2]


def test_a_link_grows_less_sure_as_the_other_cell_comes_nearer() -> None:
    sure = [confidence([-1, 0, -1], (0, 50, 50), (1, 50, 52), (1, 50, 50 - far)) for far in (15, 10, 6, 4, 2)]
    values = [table.loc[0, "confidence"] for table in sure]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.95
    assert values[-1] < 0.2


def test_a_link_over_a_gap_is_judged_by_the_cost_of_closing_it() -> None:
    still = confidence([-1, 0], (0, 50, 50), (2, 50, 50))
    assert still.loc[0, "confidence"] == pytest.approx(1 / (1 + np.exp(-0.8 / 0.15)))
    moved = confidence([-1, 0], (0, 50, 50), (2, 50, 70))
    assert moved.loc[0, "confidence"] == pytest.approx(1 / (1 + np.exp((20 / (20 * np.sqrt(2)) - 0.8) / 0.15)))


def divided(extra: list[tuple[int, float, float]]) -> pd.DataFrame:
    """Return the events of a parent (row 0) with two daughters (rows 1 and 2), and of other cells in the field."""
    here = problem([(0, 50, 50), (1, 50, 44), (1, 50, 56), *extra])
    here.table["area_px"] = [100.0, 55.0, 55.0, *[55.0] * len(extra)]
    number = np.arange(1, 4 + len(extra))
    return division_events(here, TrackLineage(number, {}, {}), np.array([-1, 0, 0, *[-1] * len(extra)]))


def test_a_division_without_a_rival_is_as_sure_as_tracking_is_and_less_with_one() -> None:
    alone = divided([])
    assert alone["kind"].tolist() == ["division"]
    here = problem([(0, 50, 50), (1, 50, 44), (1, 50, 56)])
    here.table["area_px"] = [100.0, 55.0, 55.0]
    cost = divisions.costs(divisions.hypotheses(here, np.arange(3)))
    assert alone["confidence"].to_numpy() == pytest.approx(divisions.confidence(cost))
    doubted = division_events(here, TrackLineage(np.arange(1, 4), {2: 1, 3: 1}, {1: 0.4}), np.array([-1, 0, 0]))
    assert doubted["confidence"].tolist() == pytest.approx([0.4])
    rivalled = divided([(1, 44, 50)])
    assert rivalled.loc[0, "confidence"] < alone.loc[0, "confidence"] - 0.05


def test_a_refused_division_is_as_doubted_as_those_made_at_its_cost() -> None:
    rows = [(t, 20 + 50 * n + step, x) for n, x in enumerate((20, 80, 140)) for t, step in ((0, 0), (1, -6), (1, 6))]
    here = problem(sorted(rows))
    order = here.table.sort_values(["x_px", "frame", "y_px"]).index.to_numpy().reshape(3, 3)
    for n, daughter in enumerate((55.0, 75.0, 78.0)):
        here.table.loc[order[n], "area_px"] = [100.0, daughter, daughter]
    number, before = np.arange(1, 10), np.full(9, -1)
    before[order[0, 1:]], before[order[1, 1:]] = order[0, 0], order[1, 0]
    sure = {int(number[order[0, 0]]): 0.98, int(number[order[1, 0]]): 0.01}
    parent = {int(number[d]): int(number[m]) for m, *both in order[:2].tolist() for d in both}
    found = division_events(here, TrackLineage(number, parent, sure), before)
    assert found["kind"].tolist() == ["division", "division"]  # the third, refused, is dearer than the doubted second
    sure[int(number[order[1, 0]])] = 0.9
    again = division_events(here, TrackLineage(number, parent, sure), before)
    assert again["kind"].tolist() == ["division", "division", "possible_division"]
    doubted = found.set_index("source")["reason"].str.endswith(
        "touching cells that separate cost as little in this movie"
    )
    assert doubted.to_dict() == {order[0, 0]: False, order[1, 0]: True}


def test_a_division_beyond_reach_is_listed_as_the_least_sure() -> None:
    here = problem([(0, 50, 50), (1, 50, 5), (1, 50, 95)])
    found = division_events(here, TrackLineage(np.arange(1, 4), {}, {}), np.array([-1, 0, 0]))
    assert found[["kind", "confidence"]].to_numpy().tolist() == [["division", 0.0]]


def test_a_refused_division_is_listed_once() -> None:
    here = problem([(0, 50, 50), (1, 50, 44), (1, 50, 56)])
    here.table["area_px"] = [100.0, 55.0, 55.0]
    found = division_events(here, TrackLineage(np.arange(1, 4), {}, {}), np.full(3, -1))
    assert found["kind"].tolist() == ["possible_division"]
    assert found.loc[0, "confidence"] < 0.2


def planes() -> list[np.ndarray]:
    """Return a cell that divides at frame 4, one that vanishes at frame 6, and two that move side by side."""
    yy, xx = np.mgrid[:120, :120]
    frames = []
    for t in range(9):
        cells = [(4, 95, 30 + 2 * t, 6), (5, 95, 48 + 2 * t, 6)]
        cells += [(1, 40, 40, 8)] if t < 4 else [(2, 40, 36 - t, 6), (3, 40, 44 + t, 6)]
        cells += [(6, 30, 95, 7)] if t < 6 else []
        plane = np.zeros((120, 120), np.uint16)
        for label, y, x, radius in cells:
            plane[(yy - y) ** 2 + (xx - x) ** 2 <= radius**2] = label
        frames.append(plane)
    return frames


@pytest.fixture
def tracked(tmp_path: Path) -> dict[str, Path]:
    info = MovieInfo(9, 120, 120, (), None, 30.0)
    write_labels(planes(), tmp_path / "m.ome.tif", info)
    made = outputs(tmp_path)
    main(labels=tmp_path / "m.ome.tif", **made, settings=Settings(field=FIELD))
    return {"labels": tmp_path / "m.ome.tif", **made}


def run_track(files: dict[str, Path], *rows: str) -> tuple[list[tuple], pd.DataFrame]:
    """Track again with edits; return tracks in a form that can be compared, and the events."""
    again = outputs(files["labels"].parent / "again")
    edits = files["labels"].parent / "edits.csv"
    edits.write_text("\n".join([EDIT_HEADER, *rows]) + "\n")
    main(labels=files["labels"], edits=edits, **again, settings=Settings(field=FIELD))
    tracks = read_table(again["tracks"], TRACKS)
    return lineage(tracks), read_table(again["events"], EVENTS)


def lineage(tracks: pd.DataFrame) -> list[tuple]:
    columns = ["number", "start_frame", "end_frame", "frames", "parent_id", "end_kind"]
    return list(tracks[columns].fillna("").itertuples(index=False, name=None))


def test_every_row_that_is_offered_does_what_the_page_says(tracked: dict[str, Path]) -> None:
    events = read_table(tracked["events"], EVENTS)
    listed = least_certain(events, 500)
    assert set(listed["kind"]) == {"link", "division", "lost"}
    assert listed["confidence"].is_monotonic_increasing
    found = lineage(read_table(tracked["tracks"], TRACKS))
    same, settled = run_track(tracked, *listed["edit_if_right"])
    assert same == found
    assert settled["edited"].all()
    assert least_certain(settled, 500).empty
    for kind, row in listed.drop_duplicates("kind").set_index("kind")["edit_if_wrong"].items():
        other, left = run_track(tracked, row)
        assert other != found, kind
        assert left["edited"].sum() == 1 if kind != "link" else left["edited"].sum() <= 1


def test_rows_and_order_of_the_list() -> None:
    events = pd.DataFrame(
        {
            "sample": "s",
            "fov": "f",
            "kind": ["link", "link", "division", "death"],
            "frame": [0, 1, 2, 3],
            "label": [1, 2, 3, 4],
            "next_frame": pd.array([1, 2, 3, pd.NA], "Int64"),
            "next_label": pd.array([1, 2, 5, pd.NA], "Int64"),
            "other_label": pd.array([9, pd.NA, 6, pd.NA], "Int64"),
            "track_id": "s/f/1",
            "y_px": 1.0,
            "x_px": 1.0,
            "confidence": [0.3, 0.9, 0.2, 0.1],
            "reason": "r",
            "edited": [False, False, False, True],
        }
    )
    listed = least_certain(EVENTS.check(events), 2)
    assert listed["kind"].tolist() == ["division", "link"]
    assert listed["edit_if_right"].tolist() == ["divide,2,3,3,5,6", "link,0,1,1,1,"]
    assert listed["edit_if_wrong"].tolist() == ["not_divide,2,3,,,", "link,0,1,1,9,"]
    assert listed["strip"].tolist() == ["0001_division_frame2_cell3.png", "0002_link_frame0_cell1.png"]
    CURATION.check(listed)


def draw(files: dict[str, Path], folder: Path, movie: Path | None = None) -> pd.DataFrame:
    inputs = {name: files[name] for name in ("labels", "detections", "tracks", "events")}
    made = {"uncertain": folder / "c.tsv", "strips": folder / "strips", "page": folder / "c.html"}
    drawn = {"picture": folder / "p.png", "quality": folder / "q.json"}
    settings = draw_field.Settings(
        field=FIELD, channels=Channels(function=["lipid"]), curation=Curation(rows=100, frames_around=2)
    )
    draw_field.main(**inputs, movie=movie, **made, **drawn, settings=settings)
    return read_table(made["uncertain"], CURATION)


def colours(strip: Image.Image, panel: int) -> set[tuple[int, ...]]:
    left = panel * (PANEL + GAP)
    part = np.asarray(strip.convert("RGB"))[:PANEL, left + 2 : left + PANEL - 2]
    return set(map(tuple, part.reshape(-1, 3).tolist()))


def rgb(role: str) -> tuple[int, ...]:
    return tuple(int(COLOURS[role][i : i + 2], 16) for i in (1, 3, 5))


@pytest.mark.parametrize("with_movie", [False, True])
def test_strips_and_page_of_a_small_movie(tracked: dict[str, Path], tmp_path: Path, *, with_movie: bool) -> None:
    movie = None
    if with_movie:
        movie = tmp_path / "movie.ome.tif"
        images = (200 * (1 + (p > 0)).astype(np.uint16) for plane in planes() for p in (plane, plane))
        write_movie(images, movie, MovieInfo(9, 120, 120, ("lipid", "nuclear"), None, 30.0))
    listed = draw(tracked, tmp_path / "out", movie)
    files = sorted(path.name for path in (tmp_path / "out/strips").iterdir())
    assert files == sorted(listed["strip"])
    division = listed[listed["kind"] == "division"].iloc[0]
    strip = Image.open(tmp_path / "out/strips" / division["strip"])
    assert strip.size == (4 * (PANEL + GAP) - GAP, PANEL + FOOT)
    assert division["frame"] == 3
    assert rgb("cell") in colours(strip, 1)
    assert not {rgb("next"), rgb("second")} & colours(strip, 1)
    assert {rgb("next"), rgb("second")} <= colours(strip, 2)
    assert rgb("cell") not in colours(strip, 2)
    page = (tmp_path / "out/c.html").read_text()
    assert page.count("data:image/png;base64") == len(listed)
    assert division["edit_if_right"] in page
    assert "http" not in page


def test_a_field_without_objects_has_an_empty_list(tmp_path: Path) -> None:
    write_labels([np.zeros((40, 40), np.uint16)] * 2, tmp_path / "m.ome.tif", MovieInfo(2, 40, 40, (), None, None))
    contracts = {"detections": DETECTIONS, "tracks": TRACKS, "events": EVENTS}
    for name, contract in contracts.items():
        write_table(empty(contract), tmp_path / f"{name}.parquet", contract)
    files = {name: tmp_path / f"{name}.parquet" for name in contracts}
    assert draw({"labels": tmp_path / "m.ome.tif", **files}, tmp_path / "out").empty
    assert "No event of this field is left to settle" in (tmp_path / "out/c.html").read_text()


def test_no_lineage_passes_a_wall() -> None:
    objects, families = two_families()
    detections = detection_table(objects.table, families.number, FIELD)
    compartment = np.where(objects.table["y_px"] < 50, 0, 1)
    validate_walls(detections, families, compartment)
    compartment[objects.table["label"] == 3] = 2
    with pytest.raises(ImpossibleLineageError, match=r"passes the wall of a closed compartment .*: 's/f/3'"):
        validate_walls(detections, families, compartment)
    validate_walls(detections, TrackLineage(families.number, {}, {}), compartment)
