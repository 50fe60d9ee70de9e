"""The user's own features: read by object or by cell, checked, and refused where keys or values do not fit."""

from pathlib import Path

import pandas as pd
import pytest

from cineseq.config.base import FieldOfView
from cineseq.errors import UserError
from cineseq.external.feature_tables import FeatureTables, read_features

OBJECTS = pd.DataFrame({"frame": [0, 0, 1, 1], "label": [1, 2, 1, 2], "touches_border": False})
TRACKS = pd.DataFrame({"track_id": pd.array(["s/a/1", "s/a/2"], dtype="string")})


def read(folder: Path, *texts: str, step: int = 1, objects: pd.DataFrame = OBJECTS) -> FeatureTables:
    paths = [folder / f"t{number}.csv" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    return read_features(paths, objects, TRACKS, FieldOfView(sample="s", fov="a", frame_step=step))


def test_no_table_gives_no_features(tmp_path):
    assert read(tmp_path) == FeatureTables(None, None)


def test_tables_by_object_and_by_cell_are_read_together(tmp_path):
    found = read(
        tmp_path,
        "frame,label,zernike_1,features_lac\n0,1,0.5,3\n1,2,,4\n",
        "frame\tlabel\tgabor\n1\t1\t7\n1\t2\t8\n",
        "track_id,speed\ns/a/2,1.5\n",
    )
    assert found.objects.set_index(["frame", "label"]).astype(object).fillna("").T.to_dict() == {
        (0, 1): {"features_zernike_1": 0.5, "features_lac": 3.0, "features_gabor": ""},
        (1, 1): {"features_zernike_1": "", "features_lac": "", "features_gabor": 7.0},
        (1, 2): {"features_zernike_1": "", "features_lac": 4.0, "features_gabor": 8.0},
    }
    assert found.cells.to_dict("list") == {"track_id": ["s/a/2"], "features_speed": [1.5]}


def test_rows_of_other_fields_are_passed_over(tmp_path):
    by_object = "sample,fov,frame,label,x\ns,a,0,1,5\ns,b,0,77,6\nt,a,0,1,7\n"
    by_cell = "track_id,y\ns/b/1,1\ns/a/1,2\nt/a/1,3\n"
    found = read(tmp_path, by_object, by_cell)
    assert found.objects.to_dict("list") == {"frame": [0], "label": [1], "features_x": [5.0]}
    assert found.cells.to_dict("list") == {"track_id": ["s/a/1"], "features_y": [2.0]}


def test_frames_are_thinned_as_the_movie_is(tmp_path):
    found = read(tmp_path, "frame,label,x\n0,1,5\n1,9,6\n2,2,7\n", step=2)
    assert found.objects.to_dict("list") == {"frame": [0, 1], "label": [1, 2], "features_x": [5.0, 7.0]}


@pytest.mark.parametrize(
    ("texts", "complaint"),
    [
        (["id,x\n1,2\n"], r"t0\.csv: there are neither columns frame and label nor a column track_id"),
        (["frame,x\n1,2\n"], r"t0\.csv: there are neither columns frame and label nor a column track_id"),
        (
            ["frame,label,x\n0,1,2\n1,9,2\n"],
            r"t0\.csv, row 3: field 'a' of sample 's' has no object 9 of frame 1; its keys \(frame/label\) are like "
            "0/1",
        ),
        (["track_id,x\ns/a/1,1\ns/a/7,1\n"], r"t0\.csv, row 3: field 'a' of sample 's' has no cell 's/a/7'; its keys"),
        (
            ["track_id,x\n1,1\n"],
            r"t0\.csv, row 2: .* has no cell '1'; its keys \(track_id\) are like 's/a/1'",
        ),
        (["frame,label,x\n0,1,2\n0,1,3\n"], r"t0\.csv, row 3: object 1 of frame 0 is listed twice"),
        (["track_id,x\ns/a/1,2\ns/a/1,3\n"], r"t0\.csv, row 3: cell 's/a/1' is listed twice"),
        (["frame,label,x\n0,1,2\n0,2,round\n"], r"t0\.csv, row 3: column 'x' should hold numbers, not 'round'"),
        (["frame,label,x\n0,1,inf\n0,2,1\n"], r"t0\.csv, row 2: column 'x' should hold numbers, not 'inf'"),
        (["frame,label,x\n0.5,1,2\n"], r"t0\.csv, row 2: frame should be a whole number, not '0\.5'"),
        (["frame,label,x\n0,one,2\n"], r"t0\.csv, row 2: label should be a whole number, not 'one'"),
        (["frame,label\n0,1\n"], r"t0\.csv: there is no column of features beside the keys"),
        (["sample,fov,frame,label,x\ns,b,0,1,2\n"], r"t0\.csv: no row is of field 'a' of sample 's'"),
        (["track_id,x\ns/b/1,1\n"], r"t0\.csv: no row is of field 'a' of sample 's'"),
        (["frame,label,x,features_x\n0,1,2,3\n"], r"t0\.csv: two columns are the feature 'features_x'"),
        (
            ["frame,label,x\n0,1,2\n", "track_id,x\ns/a/1,1\n"],
            r"t1\.csv: the feature 'features_x' is in .*t0\.csv too",
        ),
    ],
)
def test_bad_tables_are_refused(tmp_path, texts, complaint):
    with pytest.raises(UserError, match=complaint):
        read(tmp_path, *texts)


def test_labels_say_nothing_without_masks(tmp_path):
    unknown = OBJECTS.assign(touches_border=pd.array([pd.NA] * len(OBJECTS), "boolean"))
    with pytest.raises(UserError, match=r"need masks, and field 'a' of sample 's' has points or tracks .* by track_id"):
        read(tmp_path, "frame,label,x\n0,1,2\n", objects=unknown)
