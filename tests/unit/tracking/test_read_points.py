"""Tables of points are read as they are written, fitted to their movie, or refused in one sentence."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.tracking.tracking_examples import outputs
from track import Settings
from track import main as track

from cineseq.config.base import FieldOfView
from cineseq.config.imaging import Inputs
from cineseq.config.tracking import Track
from cineseq.errors import UserError
from cineseq.io.stacks import MovieInfo
from cineseq.tables.contract import read_table
from cineseq.tables.imaging import DETECTIONS, TRACKS
from cineseq.tracking.points import Points, take_points
from cineseq.tracking.read_points import points_of_field

TABLE = pd.DataFrame({"frame": [0, 0, 1, 1], "y_px": [5.5, 20.0, 6.5, 21.0], "x_px": [7.0, 30.0, 7.0, 30.0]})
MOVIE = MovieInfo(4, 40, 60, ("nuclear",), 0.5, 10.0)


def read(
    path: Path, movie: MovieInfo | None = None, step: int = 1, interval: float | None = None, **chosen: object
) -> tuple[Points, MovieInfo]:
    field = FieldOfView(sample="s", fov="a", frame_step=step)
    inputs = Inputs(frame_interval_min=interval)
    return points_of_field(path, movie, field=field, inputs=inputs, settings=Track(**chosen))


def written(folder: Path, table: pd.DataFrame, name: str = "p.csv") -> Path:
    path = folder / name
    if path.suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False, sep="\t" if ".tsv" in name else ";" if ".txt" in name else ",")
    return path


def positions(points: Points) -> list[list[float]]:
    return points.objects.table[["frame", "y_px", "x_px"]].to_numpy().tolist()


@pytest.mark.parametrize("name", ["p.csv", "p.tsv", "p.txt", "p.csv.gz", "p.parquet"])
@pytest.mark.parametrize("names", [{}, {"y_px": "y", "x_px": "x"}, {"frame": "T", "y_px": "row", "x_px": "col"}])
def test_every_kind_of_table_is_read(name: str, names: dict[str, str], tmp_path: Path) -> None:
    told = {"frame": "T", "y": "row", "x": "col"} if "frame" in names else {}
    points, info = read(written(tmp_path, TABLE.rename(columns=names), name), external_columns=told)
    assert positions(points) == TABLE.to_numpy().tolist()
    assert not points.has_areas
    assert not points.track.any()
    assert info == MovieInfo(2, 0, 0, (), None, None)


@given(
    first=st.integers(0, 5),
    step=st.integers(1, 4),
    minutes=st.sampled_from([None, 5.0, 30.0]),
    size=st.sampled_from([None, 0.325, 2.0]),
)
@settings(max_examples=30, deadline=None)
def test_frames_and_lengths_of_other_kinds(first, step, minutes, size, tmp_path_factory) -> None:
    """The file counts ``step`` from one frame to the next, as numbers or times, and lengths in its own unit."""
    counted = first + TABLE["frame"] * step
    stated = TABLE.assign(
        frame=counted * (minutes or 1), y_px=TABLE["y_px"] * (size or 1), x_px=TABLE["x_px"] * (size or 1)
    )
    told = {"external_first_frame": first, "external_frame_step": step, "external_pixel_size": size}
    path = written(tmp_path_factory.mktemp("points"), stated)
    points, info = read(path, **told, external_frame_interval=minutes)
    assert np.allclose(positions(points), TABLE)
    assert info.frames == 2


def test_points_are_thinned_as_the_movie_is(tmp_path: Path) -> None:
    path = written(tmp_path, pd.DataFrame({"frame": range(5), "y_px": 3.0, "x_px": range(5)}))
    points, info = read(path, step=2, interval=10)
    assert positions(points) == [[0, 3, 0], [1, 3, 2], [2, 3, 4]]
    assert (info.frames, info.frame_interval_min) == (3, 20)


def test_a_movie_states_frames_times_and_shifts(tmp_path: Path) -> None:
    path = written(tmp_path, TABLE)
    points, info = read(path, MOVIE)
    assert points.objects.shape[0] == 4
    assert info.hours(np.array([3])).tolist() == [0.5]
    shifted = MovieInfo(4, 40, 60, (), 0.5, 10.0, origins=((0, 0), (2, -1), (0, 0), (0, 0)))
    assert positions(read(path, shifted)[0])[2] == [1, 8.5, 6.0]


def test_rows_of_other_fields_are_left_out(tmp_path: Path) -> None:
    other = TABLE.assign(fov="b", y_px=1.0, x_px=range(4))
    path = written(tmp_path, pd.concat([other, TABLE.assign(fov="a")]))
    assert positions(read(path)[0]) == TABLE.to_numpy().tolist()
    with pytest.raises(UserError, match=r"no row is of sample s, field a; correct the columns fov, or leave them out"):
        read(written(tmp_path, other))
    assert read(written(tmp_path, other.drop(columns="fov")))[0].objects.table["y_px"].eq(1).all(), "as advised"


REFUSED = {
    "no_column": (TABLE.rename(columns={"y_px": "y_um"}), {}, r"no column 'y_px' among frame, y_um, x_px; name the"),
    "chosen_is_missing": (TABLE, {"external_columns": {"track": "id"}}, r"no column 'id' among frame, y_px, x_px"),
    "parents": (
        TABLE.assign(track=1, parent=[0, 0, 1, 1]),
        {},
        r"column 'parent' is of finished tracks, .*'tracks' of",
    ),
    "deaths": (TABLE.assign(track=1, death=[0, 0, 0, 1]), {}, r"column 'death' is of finished tracks"),
    "text": (TABLE.assign(y_px=[5, "there", 6, 7]), {}, r"row 3: column 'y_px' should be a number, not 'there'"),
    "missing": (TABLE.replace(20.0, np.nan), {}, r"row 3: column 'y_px' should be a number"),
    "half": (TABLE.replace({"frame": {1: 0.5}}), {}, r"row 4: column 'frame' should be a whole number, not '0.5'"),
    "before": (TABLE, {"external_first_frame": 1}, r"rows before frame 1; set track.external_first_frame to"),
    "twice": (
        TABLE.assign(frame=0, y_px=5, x_px=5),
        {},
        r"p\.csv: the cell with frame 0, y_px 5, x_px 5 is listed twice",
    ),
    "area": (
        TABLE.assign(area_px=[9, 0, 9, 9]),
        {},
        r"p\.csv: column 'area_px' has the value 0.0; expected a number above",
    ),
    "label": (
        TABLE.assign(label=[0, 1, 1, 2]),
        {},
        r"p\.csv: column 'label' has the value 0.0; expected a whole number",
    ),
    "track": (TABLE.assign(track_id=1), {}, r"p\.csv: track_id 1 has two points in frame 0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_refused(case: str, tmp_path: Path) -> None:
    table, chosen, complaint = REFUSED[case]
    with pytest.raises(UserError, match=complaint) as raised:
        read(written(tmp_path, table), **chosen)
    assert str(raised.value).startswith(str(tmp_path / "p.csv"))
    assert "\n" not in str(raised.value)


def test_empty_columns_of_tracks_say_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, TABLE.assign(parent="", death=np.nan))
    assert positions(read(path)[0]) == TABLE.to_numpy().tolist()


def test_a_table_that_counts_from_1_is_refused_and_the_advice_works(tmp_path: Path) -> None:
    path = written(tmp_path, TABLE.assign(frame=[1, 1, 4, 4]))
    with pytest.raises(
        UserError, match=r"go up to frame 4, and the movie up to frame 3 by the same counting, from 0 in"
    ):
        read(path, MOVIE)
    assert read(path, MOVIE, external_first_frame=1)[0].objects.table["frame"].max() == 3


def test_micrometres_are_refused_beside_images_and_the_advice_works(tmp_path: Path) -> None:
    path = written(tmp_path, TABLE.rename(columns={"y_px": "row", "x_px": "col"}) * [1, 2, 2])
    told = {"external_columns": {"y": "row", "x": "col"}}
    with pytest.raises(
        UserError, match=r"row 5: the point at y 42\.0, x 60\.0 is outside of the images \(40 rows, y, and"
    ):
        read(path, MOVIE, **told)
    assert positions(read(path, MOVIE, **told, external_pixel_size=2)[0]) == TABLE.to_numpy().tolist()


def run(folder: Path, table: pd.DataFrame, **more: object) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    files = outputs(folder)
    told = {"field": FieldOfView(sample="s", fov="a"), **more}
    track(points=written(folder, table), **files, settings=Settings(**told))
    found = read_table(files["detections"], DETECTIONS), read_table(files["tracks"], TRACKS)
    return *found, re.sub(r"\s+", " ", files["report"].read_text())


def test_the_step_tracks_points_and_says_what_is_unknown(tmp_path: Path) -> None:
    detections, tracks, said = run(tmp_path, TABLE)
    assert sorted(tracks["end_kind"]) == ["end_of_movie"] * 2
    assert detections["area_px"].isna().all()
    assert detections["touches_border"].isna().all()
    assert "There are no masks" in said
    assert '"step": "track_points"' in said
    assert '"notices": []' in said


def test_the_step_says_which_tracks_it_kept(tmp_path: Path) -> None:
    part = run(tmp_path, TABLE.assign(track_id=["m", "", "m", ""], area_px=30.0))
    assert (
        "2 of 4 points (50 %) have a track_id. Known tracks kept: 1; links that contradicted them, replaced: 0"
        in part[2]
    )
    assert part[0]["area_px"].eq(30).all()
    whole = run(tmp_path, TABLE.assign(track_id=[7, 2, 7, 2]))
    assert whole[1]["number"].tolist() == [2, 7]
    assert '"step": "import_point_tracks"' in whole[2]
    assert "Every point has a track_id, so these tracks are kept and nothing is linked" in whole[2]


def test_frames_without_points_are_a_notice(tmp_path: Path) -> None:
    said = run(tmp_path, TABLE.replace({"frame": {1: 9}}))[2]
    assert "There is no point in 8 of 10 frames (80 %), the first of them frame 1" in said
    assert said.count("external_frame_step") == 2, "once as a line, once as a notice"


def test_neither_labels_nor_points(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there are neither labels nor points to be tracked"):
        track(**outputs(tmp_path), settings=Settings())


@pytest.mark.parametrize("value", [1e300, -1e300, 1.7e308, 1e9])
def test_a_position_beyond_any_image_is_one_sentence(value):
    table = pd.DataFrame({"frame": [0, 1], "y_px": [1.0, value], "x_px": [1.0, 2.0]})
    with pytest.raises(UserError, match=r"'y_px' has the value .*; expected a position in pixels, within 100,000,"):
        take_points(table)
