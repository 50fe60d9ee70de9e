"""How sure links, divisions and ends are, what is listed, and the film strips and page on which it is judged."""

from pathlib import Path

import draw_field
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tests.unit.tracking.tracking_examples import ROUND, outputs, two_families
from track import Settings, main

from cineseq.config.base import FieldOfView
from cineseq.config.imaging import Channels
from cineseq.config.tracking import Curation, Track
from cineseq.curation.ranking import EDIT_HEADER, least_certain
from cineseq.curation.strips import COLOURS, FOOT, GAP, PANEL
from cineseq.io.stacks import MovieInfo, write_labels, write_movie
from cineseq.tables.contract import empty, read_table, write_table
from cineseq.tables.imaging import CURATION, DETECTIONS, EVENTS, TRACKS
from cineseq.tracking.confidence import Judge, division_events, judge_of, link_events
from cineseq.tracking.lineage import ImpossibleLineageError, TrackLineage, detection_table
from cineseq.tracking.objects import Objects, no_overlaps
from cineseq.tracking.validate import validate_walls

FIELD = FieldOfView(sample="s", fov="f")


def field_of(*rows: tuple[float, ...]) -> Objects:
    """Return objects at frame, row, column (and of an area), and 16 cells that stay where they are."""
    cells = [(*row, 100.0)[:4] for row in rows]
    cells += [(t, 220.0 + 40 * (n // 4) + t % 2, 220.0 + 40 * (n % 4), 100.0) for t in range(3) for n in range(16)]
    table = pd.DataFrame(cells, columns=["frame", "y_px", "x_px", "area_px"]).assign(**ROUND)
    order = np.argsort(table["frame"], kind="stable")
    table = table.assign(label=range(1, len(cells) + 1)).iloc[order].reset_index(drop=True)
    return Objects(table, no_overlaps(), (3, 400, 400), 0, are_points=True)


def judged(objects: Objects, before: dict[int, int], **more: float) -> tuple[pd.DataFrame, Judge, np.ndarray]:
    """Return the table, the judge, and the object before each one; ``before`` is by label, others stay."""
    table = objects.table
    row = pd.Series(table.index, index=table["label"])
    pointer = np.full(len(table), -1)
    for after, earlier in before.items():
        pointer[row[after]] = row[earlier]
    return table, judge_of(objects, np.full(len(table), -1), Track(**more)), pointer


def confidence(before: dict[int, int], *rows: tuple[float, ...]) -> pd.DataFrame:
    """Return confidence and rival (as labels) of the links of objects that do not divide, by the label of the first."""
    table, judge, pointer = judged(field_of(*rows), before, division_rate=1e-9)
    found = link_events(table, judge, pointer)
    label = table["label"].to_numpy()
    rival = judge.rivals(found["source"].to_numpy(), found["target"].to_numpy())
    return found.assign(source=label[found["source"]], rival=np.where(rival >= 0, label[rival], rival)).set_index(
        "source"
    )


def test_a_link_is_sure_where_nothing_else_is_near_and_unsure_where_another_would_do() -> None:
    alone = confidence({2: 1}, (0, 50, 50), (1, 50, 51))
    assert alone.loc[1, "confidence"] > 0.95
    assert alone.loc[1, "rival"] == -1
    torn = confidence({2: 1}, (0, 50, 50), (1, 51, 50), (1, 49, 50))
    assert 0.2 < torn.loc[1, "confidence"] < 0.8
    assert torn.loc[1, "rival"] == 3
    claimed = confidence({3: 1}, (0, 49, 50), (0, 51, 50), (1, 50, 50))
    assert claimed.loc[1, "confidence"] < 0.8
    assert claimed.loc[1, "rival"] == -2
    crossing = confidence({3: 1, 4: 2}, (0, 40, 50), (0, 60, 50), (1, 59, 50), (1, 41, 50))
    assert crossing["confidence"].max() < 0.05
    assert (crossing["rival"] != -1).all()


def test_a_link_grows_less_sure_as_the_other_cell_comes_nearer() -> None:
    sure = [confidence({2: 1}, (0, 50, 50), (1, 50, 52), (1, 50, 50 - far)) for far in (20, 6, 3, 1)]
    values = [table.loc[1, "confidence"] for table in sure]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.9
    assert values[-1] < 0.7


def test_a_link_over_a_gap_says_for_how_long_and_is_less_sure_the_farther() -> None:
    near, far = (confidence({2: 1}, (0, 50, 50), (2, 50, 50 + step)) for step in (0, 12))
    assert near.loc[1, "reason"] == "unseen for 1 frame"
    assert near.loc[1, "confidence"] > far.loc[1, "confidence"]


def divided(*extra: tuple[float, ...], before: dict[int, int] | None = None) -> pd.DataFrame:
    """Return the events of a parent (label 1) with two daughters (2 and 3), and of other cells in the field."""
    objects = field_of((0, 50, 50, 100.0), (1, 50, 44, 52.0), (1, 50, 56, 52.0), *extra)
    table, judge, pointer = judged(objects, {2: 1, 3: 1} if before is None else before)
    return division_events(table, judge, pointer)


def test_a_division_is_less_sure_with_a_rival() -> None:
    alone = divided()
    assert alone["kind"].tolist() == ["division"]
    assert alone.loc[0, "confidence"] > 0.8
    rivalled = divided((1, 44, 50, 52.0))
    assert rivalled.loc[0, "confidence"] < alone.loc[0, "confidence"] - 0.002


def test_a_division_beyond_reach_is_listed_as_the_least_sure() -> None:
    table, judge, pointer = judged(field_of((0, 50, 100), (1, 50, 5), (1, 50, 195)), {2: 1, 3: 1})
    found = division_events(table, judge, pointer)
    assert found[["kind", "confidence"]].to_numpy().tolist() == [["division", 0.0]]
    assert "did not consider" in found.loc[0, "reason"]


def test_a_refused_division_is_listed_once() -> None:
    found = divided(before={})
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
    drawn = {"picture": folder / "p.png", "quality": folder / "q.json", "cell_strips": folder / "cells"}
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
