"""One drawn movie and its import: a division at frame 3, and a cell that is always there."""

import json
from pathlib import Path

import import_point_tracks
import import_tracks
import numpy as np
import pandas as pd
from tests.unit.tracking.tracking_examples import outputs

from cineseq.io.stacks import MovieInfo, write_labels
from cineseq.tables.contract import read_table
from cineseq.tables.imaging import DETECTIONS, TRACKS

FRAMES = 6
Imported = tuple[pd.DataFrame, pd.DataFrame, dict]


def labels(folder: Path) -> Path:
    """Track 1 divides into 2 and 3 at frame 3; 4 is always there; labels are track numbers."""
    planes = []
    for t in range(FRAMES):
        plane = np.zeros((60, 60), np.uint16)
        plane[5:11, 5:11] = 4
        if t < 3:
            plane[30:40, 30:40] = 1
        else:
            plane[30:38, 22:30] = 2
            plane[30:38, 42:50] = 3
        planes.append(plane)
    write_labels(planes, folder / "m.ome.tif", MovieInfo(FRAMES, 60, 60, (), None, None))
    return folder / "m.ome.tif"


def table(folder: Path, by: str = "label", **names: str) -> Path:
    """The same cells as a plain table, by label or by place; ``names`` rename its columns."""
    rows = [(t, 4, 4, 7.5, 7.5, "") for t in range(FRAMES)]
    rows += [(t, 1, 1, 34.5, 34.5, "") for t in range(3)]
    rows += [(t, n, n, 33.5, x, 1) for t in range(3, FRAMES) for n, x in ((2, 25.5), (3, 45.5))]
    frame = pd.DataFrame(rows, columns=["frame", "track", "label", "y", "x", "parent"])
    frame = frame.drop(columns=["label"] if by == "place" else ["y", "x"]).rename(columns=names)
    frame.to_csv(folder / "external.csv", index=False)
    return folder / "external.csv"


def cage(folder: Path, closed: int) -> Path:
    """A table of one compartment that holds the parent and, of her daughters, track 2 only."""
    columns = "sample,fov,compartment_id,y_px,x_px,radius_px,closed_frame"
    (folder / "cages.csv").write_text(f"{columns}\nsample,1,A,34.5,30.0,8.0,{closed}\n")
    return folder / "cages.csv"


def on_masks(
    external: Path, folder: Path, compartments: Path | None = None, edits: Path | None = None, **settings: object
) -> Imported:
    """Import tracks on the drawn masks."""
    files = outputs(folder / "out")
    found = {"external": external, "labels": labels(folder), "compartments": compartments, "edits": edits}
    import_tracks.main(**found, **files, settings=import_tracks.Settings(**settings))
    return _read(files)


def alone(external: Path, folder: Path, compartments: Path | None = None, **settings: object) -> Imported:
    """Import tracks without masks."""
    files = outputs(folder / "out")
    del files["events"]
    import_point_tracks.main(
        external=external, compartments=compartments, **files, settings=import_point_tracks.Settings(**settings)
    )
    return _read(files)


def ancestry(tracks: pd.DataFrame) -> dict[str, tuple[str, int, str]]:
    """Return, for every track, named by its first frame and column, its parent ("" for none), last frame and end."""
    names = tracks["start_frame"].astype(str) + "@" + tracks["start_x_px"].astype(int).astype(str)
    parent = tracks["parent_id"].map(dict(zip(tracks["track_id"], names, strict=True))).fillna("")
    return dict(zip(names, zip(parent, tracks["end_frame"], tracks["end_kind"], strict=True), strict=True))


def _read(files: dict[str, Path]) -> Imported:
    report = json.loads(files["report"].read_text())
    return read_table(files["detections"], DETECTIONS), read_table(files["tracks"], TRACKS), report
