"""Exports: every format gives back what was tracked; the graph behind them is cut and joined without loss."""

from pathlib import Path

import export_tracks
import geff
import import_point_tracks
import import_tracks
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import track
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.tracking.test_export_tracks import tracked
from tests.unit.tracking.tracking_examples import Disc, movie_of, outputs, stack_of, still, together

from cineseq.config.base import FieldOfView
from cineseq.config.tracking import Track
from cineseq.errors import UserError
from cineseq.tables.contract import empty, read_table, write_table
from cineseq.tables.imaging import DETECTIONS, TRACKS
from cineseq.tracking.imports import read_external
from cineseq.tracking.imports.graph import tracks_of_graph

FIELD = FieldOfView(sample="s", fov="f")
LINEAGE = ["track_id", "parent_id", "founder_id", "sister_id", "generation", "start_frame", "end_frame", "frames"]


def export(files: dict[str, Path], folder: Path) -> Path:
    export_tracks.main(detections=files["detections"], tracks=files["tracks"], geff=folder / "tracks.geff")
    return folder / "tracks.geff"


def fading() -> list[list[Disc]]:
    """A disc that shrinks a little in its last two frames, after nine."""
    return [*still(1, 85, 60, 9, 7), [(1, 85, 60, 6)], [(1, 85, 60, 5.5)]]


def read_back(path: Path, folder: Path, labels: Path | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Import an export again, on the masks or alone."""
    out = outputs(folder / "again")
    if labels is None:
        del out["events"]
        import_point_tracks.main(external=path, **out, settings=import_point_tracks.Settings(field=FIELD))
    else:
        import_tracks.main(external=path, labels=labels, **out, settings=import_tracks.Settings(field=FIELD))
    return read_table(out["detections"], DETECTIONS), read_table(out["tracks"], TRACKS)


def test_geff_is_what_the_library_reads(tmp_path):
    graph, metadata = geff.read(export(tracked(tmp_path), tmp_path), structure_validation=True)
    assert (len(graph), graph.number_of_edges()) == (18, 16)  # 18 objects in 4 tracks, 2 of them born
    assert metadata.track_node_props == {"tracklet": "track", "lineage": "family"}
    assert [axis.name for axis in metadata.axes] == ["t", "y", "x"]
    seen = {(node["t"], node["label"]): node for _, node in graph.nodes(data=True)}
    assert (seen[4, 2]["track"], seen[4, 2]["end_kind"], seen[3, 2]["end_kind"]) == (2, "division", "")
    assert (seen[7, 41]["family"], seen[7, 41]["track"]) == (2, 4)
    first = [(graph.nodes[a]["t"], graph.nodes[b]["t"]) for a, b in graph.edges if graph.nodes[b]["track"] == 1]
    assert sorted(first) == [(0, 1), (1, 2), (2, 4), (4, 5), (5, 6), (6, 7)]
    born = [(graph.nodes[a]["label"], graph.nodes[b]["label"]) for a, b in graph.edges if graph.nodes[b]["t"] == 5]
    assert sorted(born) == [(2, 30), (2, 41), (11, 11)]


@pytest.mark.parametrize("kind", ["geff", "parquet"])
def test_round_trip_on_the_masks_keeps_everything(tmp_path, kind):
    files = tracked(tmp_path)
    for name in ("detections", "tracks"):
        files[name] = files[name].rename(tmp_path / f"{name}.parquet")
    path = export(files, tmp_path) if kind == "geff" else files["tracks"]
    detections, tracks = read_back(path, tmp_path, files["labels"])
    pd.testing.assert_frame_equal(detections, read_table(files["detections"], DETECTIONS))
    columns = [*LINEAGE, "start_kind", "end_kind", "start_y_px", "end_x_px"]
    pd.testing.assert_frame_equal(tracks[columns], read_table(files["tracks"], TRACKS)[columns])


def test_round_trip_without_masks_keeps_the_lineage(tmp_path):
    files = tracked(tmp_path)
    detections, tracks = read_back(export(files, tmp_path), tmp_path, None)
    pd.testing.assert_frame_equal(tracks[LINEAGE], read_table(files["tracks"], TRACKS)[LINEAGE])
    assert sorted(detections["y_px"]) == sorted(read_table(files["detections"], DETECTIONS)["y_px"])


@pytest.mark.parametrize("masks", [True, False])
def test_a_death_that_the_movie_showed_survives_the_round_trip(tmp_path, masks):
    """The masks alone do not show this death: the cell shrinks too little, brightens, and its body has no mask."""
    others = [still(2 + i, 15 + 30 * (i // 4), 15 + 30 * (i % 4), 16) for i in range(12)]
    planes = together(fading(), *others)
    body = [[] if t <= 10 else [(1, 85, 60, 4.5)] for t in range(len(planes))]
    movie = movie_of(planes, tmp_path / "movie.ome.tif", {(t, 1): 3.0 for t in (9, 10)}, body)
    files = outputs(tmp_path)
    labels = stack_of(planes, tmp_path / "m.ome.tif")
    told = {"settings": track.Settings(field=FIELD)}
    track.main(labels=labels, movie=movie, **files, **told)
    before = read_table(files["tracks"], TRACKS).set_index("track_id")["end_kind"]
    assert before.value_counts().to_dict() == {"end_of_movie": 12, "death": 1}
    _, again = read_back(export(files, tmp_path), tmp_path, labels if masks else None)
    assert again.set_index("track_id")["end_kind"].to_dict() == before.to_dict()
    track.main(labels=labels, **files, **told)
    assert "death" not in read_table(files["tracks"], TRACKS)["end_kind"].tolist()


def test_a_death_from_which_links_go_on_is_none_and_is_counted(tmp_path):
    graph = nx.DiGraph()
    ends = {(0, 0): "", (0, 1): "death", (0, 2): "", (1, 0): "", (1, 1): "death"}
    for (cell, t), kind in ends.items():
        graph.add_node(10 * cell + t, t=float(t), y=10.0 * cell, x=5.0, end_kind=kind)
    graph.add_edges_from([(0, 1), (1, 2), (10, 11)])
    geff.write(graph, tmp_path / "g.geff", axis_names=["t", "y", "x"], axis_types=["time", "space", "space"])
    found = read_external(tmp_path / "g.geff", Track())
    assert found.deaths == {2}
    assert found.counts["deaths_that_are_linked_further"] == 1


def test_a_cell_seen_once_survives_the_round_trip(tmp_path):
    files = tracked(tmp_path)
    detections, tracks = (read_table(files[n], c) for n, c in (("detections", DETECTIONS), ("tracks", TRACKS)))
    first = detections[detections["frame"] == 0]
    once = tracks[tracks["start_frame"] == 0].assign(end_frame=0, frames=1, end_kind="lost")
    write_table(first, files["detections"], DETECTIONS)
    write_table(once, files["tracks"], TRACKS)
    _, again = read_back(export(files, tmp_path), tmp_path, None)
    assert again["track_id"].tolist() == ["s/f/1", "s/f/2"]


def test_a_field_without_objects_is_an_empty_graph(tmp_path):
    files = {"detections": tmp_path / "d.parquet", "tracks": tmp_path / "t.parquet"}
    write_table(empty(DETECTIONS), files["detections"], DETECTIONS)
    write_table(empty(TRACKS), files["tracks"], TRACKS)
    graph, _ = geff.read(export(files, tmp_path))
    assert len(graph) == 0
    with pytest.raises(UserError, match="the graph has no nodes"):
        read_back(tmp_path / "tracks.geff", tmp_path, None)


def test_an_export_replaces_an_old_one_whole(tmp_path):
    files = tracked(tmp_path)
    (export(files, tmp_path) / "left over").write_text("x")
    assert not (export(files, tmp_path) / "left over").exists()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 14), st.integers(1, 6)), max_size=25), st.permutations(range(20)))
def test_a_cut_graph_keeps_every_link_once(pairs, names):
    """Links within tracks and links between them are the links that were given, whatever splits and merges."""
    nodes = pd.DataFrame({"name": names, "frame": np.arange(20)})
    links = np.array([(names[a], names[a + d]) for a, d in pairs if a + d < 20], np.int64).reshape(-1, 2)
    found = tracks_of_graph(nodes, links, Path("x"))
    tracks = found.rows.groupby("track")["frame"]
    within = len(found.rows) - tracks.ngroups
    assert within + len(found.parents) == len(np.unique(links, axis=0))
    assert not found.rows.duplicated(["track", "frame"]).any()
    assert sorted(tracks.groups) == list(range(1, tracks.ngroups + 1))
    assert (found.parents["parent"].map(tracks.max()) < found.parents["track"].map(tracks.min())).all()
    assert len(found.rows) == 20
