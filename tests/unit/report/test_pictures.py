"""Pictures and quality of fields: whatever the field, a small picture and honest numbers come out."""

import json
from pathlib import Path

import draw_field
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from cineseq.config.base import FieldOfView
from cineseq.config.imaging import Channels
from cineseq.io.stacks import MovieInfo, open_movie, write_labels, write_movie
from cineseq.report.pictures import TRACK_COLOURS, boxes, draw_channels, shown_frames, write_picture
from cineseq.report.quality import choose_fields, field_numbers
from cineseq.tables.contract import empty, write_table
from cineseq.tables.imaging import DETECTIONS, EVENTS, TRACKS


def detections_of(rows: list[tuple[int, int, int, float, float]]) -> pd.DataFrame:
    """Return detections from (frame, label, track, y, x)."""
    frame = pd.DataFrame(rows, columns=["frame", "label", "track", "y_px", "x_px"])
    track_id = "s/1/" + frame.pop("track").astype(str)
    frame = frame.assign(sample="s", fov="1", track_id=track_id, area_px=100.0, touches_border=False)
    return DETECTIONS.check(frame) if rows else empty(DETECTIONS)


def tracks_of(rows: list[tuple[int, int, int, str]]) -> pd.DataFrame:
    """Return tracks from (number, first frame, last frame, end kind)."""
    frame = pd.DataFrame(rows, columns=["number", "start_frame", "end_frame", "end_kind"])
    known = frame["end_kind"].isin(["division", "death"])
    frame = frame.assign(
        track_id="s/1/" + frame["number"].astype(str),
        sample="s",
        fov="1",
        parent_id=None,
        sister_id=None,
        generation=0,
        start_hours=None,
        end_hours=None,
        start_kind=np.where(frame["start_frame"] == 0, "first_frame", "appeared"),
        start_confidence=None,
        end_confidence=None,
        fate=frame["end_kind"].where(known, "unknown"),
        fate_known=known,
        alive_at_end=None,
        frames=frame["end_frame"] - frame["start_frame"] + 1,
        start_y_px=5.0,
        start_x_px=5.0,
        end_y_px=5.0,
        end_x_px=5.0,
    )
    frame["founder_id"] = frame["track_id"]
    return TRACKS.check(frame) if rows else empty(TRACKS)


def write_field(
    folder: Path, masks: np.ndarray, detections: pd.DataFrame, tracks: pd.DataFrame, pixel: float | None = None
) -> dict[str, Path]:
    info = MovieInfo(*masks.shape, (), pixel, None)
    write_labels(iter(masks), folder / "labels.ome.tif", info)
    grey = [np.where(m > 0, 900, 100).astype(np.uint16) for m in masks]
    movie_info = MovieInfo(*masks.shape, ("nuclei", "reporter"), pixel, None)
    pages = [page for plane in grey for page in (plane, np.zeros_like(plane))]
    write_movie(iter(pages), folder / "movie.ome.tif", movie_info)
    write_table(detections, folder / "detections.parquet", DETECTIONS)
    write_table(tracks, folder / "tracks.parquet", TRACKS)
    write_table(empty(EVENTS), folder / "events.parquet", EVENTS)
    names = {"labels": "labels.ome.tif"} | {n: f"{n}.parquet" for n in ("detections", "tracks", "events")}
    return {name: folder / file for name, file in names.items()}


def draw(folder: Path, files: dict[str, Path], movie: Path | None, **channels: list[str]) -> tuple[np.ndarray, dict]:
    picture, quality = folder / "p.png", folder / "q.json"
    settings = draw_field.Settings(field=FieldOfView(sample="s", fov="1"), channels=Channels(**channels))
    unsure = {
        "uncertain": folder / "u.tsv",
        "strips": folder / "strips",
        "page": folder / "u.html",
        "cell_strips": folder / "cells",
    }
    draw_field.main(**files, movie=movie, picture=picture, quality=quality, **unsure, settings=settings)
    assert picture.stat().st_size <= 250_000
    return np.asarray(Image.open(picture).convert("RGB")), json.loads(quality.read_text())


def test_every_channel_is_shown_under_its_name(tmp_path: Path) -> None:
    files = write_field(tmp_path, *one_cell(3))
    shown = tmp_path / "c.png"
    made = {"picture": tmp_path / "p.png", "quality": tmp_path / "q.json", "uncertain": tmp_path / "u.tsv"}
    made |= {
        "strips": tmp_path / "strips",
        "page": tmp_path / "u.html",
        "channels": shown,
        "cell_strips": tmp_path / "cells",
    }
    settings = draw_field.Settings(channels=Channels(function=["reporter"]))
    draw_field.main(**files, movie=tmp_path / "movie.ome.tif", **made, settings=settings)
    image = np.asarray(Image.open(shown).convert("L")).astype(float)
    left, right = np.array_split(image[40:-20], 2, axis=1)
    assert (left > 200).mean() < 0.2 < (left < 60).mean()
    assert (right[20:-20, 20:-20] < 60).all()
    with open_movie(tmp_path / "movie.ome.tif") as movie:
        figure = draw_channels(movie, {"reporter"})
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["nuclei", "reporter (function)"]


def one_cell(frames: int, size: int = 40) -> tuple[np.ndarray, pd.DataFrame, pd.DataFrame]:
    masks = np.zeros((frames, size, size), np.uint16)
    masks[:, 10:20, 10:20] = 1
    return masks, detections_of([(f, 1, 1, 14.5, 14.5) for f in range(frames)]), tracks_of([(1, 0, frames - 1, "lost")])


@pytest.mark.parametrize("frames", [1, 2, 5])
@pytest.mark.parametrize("with_movie", [True, False])
def test_a_cell_is_outlined_in_the_colour_of_its_track(tmp_path: Path, frames: int, with_movie: bool):
    files = write_field(tmp_path, *one_cell(frames))
    image, _ = draw(tmp_path, files, tmp_path / "movie.ome.tif" if with_movie else None)
    colour = [int(TRACK_COLOURS[1][i : i + 2], 16) for i in (1, 3, 5)]
    assert (np.abs(image.astype(int) - colour).max(axis=2) <= 12).sum() > 50 * len(shown_frames(frames))


def test_an_empty_field_is_drawn_and_counted(tmp_path: Path):
    files = write_field(tmp_path, np.zeros((3, 40, 40), np.uint16), detections_of([]), tracks_of([]))
    _, quality = draw(tmp_path, files, tmp_path / "movie.ome.tif")
    assert quality["numbers"]["objects"] == 0
    assert quality["numbers"]["lost_share"] is None
    assert quality["numbers"]["empty_frames"] == 3
    assert quality["numbers"]["black_frames"] == 3
    assert "Black frames (a single grey level): 3." in quality["lines"]


def test_a_function_channel_is_not_shown_under_the_masks(tmp_path: Path):
    files = write_field(tmp_path, *one_cell(2))
    _, hidden = draw(tmp_path, files, tmp_path / "movie.ome.tif", function=["nuclei", "reporter"])
    assert hidden["numbers"]["black_frames"] is None
    _, seen = draw(tmp_path, files, tmp_path / "movie.ome.tif", function=["nuclei"])
    assert seen["numbers"]["black_frames"] == 2


def test_a_noisy_large_picture_stays_below_its_limit(tmp_path: Path):
    figure = Figure(figsize=(13, 9), dpi=100)
    figure.add_axes((0, 0, 1, 1)).imshow(np.random.default_rng(0).random((900, 1300)), cmap="gray")
    assert write_picture(figure, tmp_path / "p.png", 100_000) <= 100_000


def test_a_large_field_gets_a_close_up_of_its_crowded_part():
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.uniform(0, 2000, (20, 2)), rng.normal((1500, 400), 40, (60, 2))])
    crowd = detections_of([(0, i + 1, i + 1, y, x) for i, (y, x) in enumerate(points)])
    whole, close = boxes(MovieInfo(1, 2000, 2000, (), None, None), crowd)
    assert (whole.height, whole.width) == (2000, 2000)
    assert close.top < 1500 < close.top + close.height
    assert close.left < 400 < close.left + close.width
    assert len(boxes(MovieInfo(1, 400, 400, (), None, None), crowd)) == 1


def test_numbers_of_a_field_by_hand():
    detections = detections_of([(0, 1, 1, 0, 0), (0, 2, 2, 0, 10), (1, 1, 1, 3, 4), (1, 2, 2, 0, 10)])
    tracks = tracks_of([(1, 0, 0, "division"), (2, 0, 0, "lost"), (3, 1, 1, "end_of_movie"), (4, 1, 1, "death")])
    found = field_numbers(detections, tracks, 3, None)
    assert found["objects_per_frame"] == 2
    assert found["empty_frames"] == 1
    assert found["displacement_px"] == pytest.approx(2.5)
    assert found["neighbour_px"] == pytest.approx((10 + np.hypot(3, 6)) / 2)
    assert found["lost_share"] == pytest.approx(1 / 3)
    assert found["appeared_share"] == 1
    assert (found["divisions"], found["deaths"]) == (1, 1)


def fields(count: int, bad: int) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"sample": "s", "fov": [f"{i:03d}" for i in range(count)], "objects": 100})
    table = table.assign(lost_share=rng.uniform(0.1, 0.2, count), black_frames=0, displacement_ratio=np.nan)
    table.loc[bad, "lost_share"] = 0.9
    return table


def test_the_worst_field_is_shown_first_among_the_worst():
    chosen = choose_fields(fields(50, 17), 6)
    assert len(chosen) == 6
    assert chosen["fov"].is_unique
    assert chosen.loc[chosen["why"] == "worst", "fov"].iloc[0] == "017"
    assert (chosen["why"] == "typical").sum() == 3


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_fields_are_all_shown(count: int):
    assert len(choose_fields(fields(count, 0), 6)) == count


def test_a_field_without_objects_is_the_worst():
    table = fields(20, 3)
    table.loc[7, ["objects", "lost_share"]] = [0, np.nan]
    chosen = choose_fields(table, 4)
    assert chosen.loc[chosen["why"] == "worst", "fov"].iloc[0] == "007"
