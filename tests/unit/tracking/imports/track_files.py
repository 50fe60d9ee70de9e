"""The drawn cells of ``given_examples`` as the files of other tools, and such files without anything in them."""

import re
import shutil
from pathlib import Path

import geff
import networkx as nx
import numpy as np
import pandas as pd
from tests.unit.tracking.imports.external_examples import FRAMES, table

from cineseq.tables.contract import empty, write_table
from cineseq.tables.imaging import DETECTIONS, TRACKS

FILES = Path(__file__).parents[3] / "data/tracks"
SPOTS = {n: (t, 34.5, 34.5) for n, t in zip((10, 11, 12), range(3), strict=True)}
SPOTS |= {20 + t: (t, 33.5, 25.5) for t in range(3, FRAMES)} | {30 + t: (t, 33.5, 45.5) for t in range(3, FRAMES)}
SPOTS |= {40 + t: (t, 7.5, 7.5) for t in range(FRAMES)}
LINKS = [(10, 11), (11, 12), (12, 23), (12, 33), (23, 24), (24, 25), (33, 34), (34, 35)]
LINKS += [(40 + t, 41 + t) for t in range(FRAMES - 1)]


def trackmate(folder: Path, *changes: tuple[str, str]) -> Path:
    """A copy of the file that pycellin wrote, changed."""
    text = (FILES / "division.xml").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "division.xml").write_text(text)
    return folder / "division.xml"


def saved_by_trackmate(folder: Path) -> Path:
    """The drawn cells in the form in which TrackMate 8 saves them: outlines, hidden spots, edges in no order."""
    spots = {t: [n for n, (frame, _, _) in SPOTS.items() if frame == t] for t in range(FRAMES)}
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<TrackMate version="8.0.0-SNAPSHOT">',
        "<Log>Found &amp; kept.</Log>",
        '<Model spatialunits="pixel" timeunits="sec"><FeatureDeclarations><SpotFeatures>',
        '<Feature feature="QUALITY" name="Quality" shortname="Quality" dimension="QUALITY" isint="false" />',
        f'</SpotFeatures></FeatureDeclarations><AllSpots nspots="{len(SPOTS) + 1}">',
    ]
    for t, names in spots.items():
        lines.append(f'<SpotsInFrame frame="{t}">')
        lines += [
            f'<Spot ID="{n}" name="ID{n}" STD_INTENSITY_CH1="NaN" QUALITY="0.5" POSITION_T="{t * 30.0}" FRAME="{t}" '
            f'RADIUS="4.2" VISIBILITY="1" POSITION_X="{SPOTS[n][2]}" POSITION_Y="{SPOTS[n][1]}" POSITION_Z="0.0" '
            'ROI_N_POINTS="3">-1.5 -1.5 1.5 -1.5 0.0 2.0</Spot>'
            for n in names
        ]
        if t == 2:
            hidden = 'POSITION_X="50.0" POSITION_Y="50.0" POSITION_Z="0.0" FRAME="2" VISIBILITY="0" RADIUS="9.0"'
            lines.append(f'<Spot ID="99" name="ID99" {hidden} />')
        lines.append("</SpotsInFrame>")
    lines.append("</AllSpots><AllTracks>")
    for number, mine in enumerate(([x for x in LINKS if x[0] < 40], [x for x in LINKS if x[0] >= 40])):
        lines.append(
            f'<Track name="Track_{50 + number}" TRACK_INDEX="{number}" TRACK_ID="{number}" TRACK_STD_SPEED="NaN">'
        )
        lines += [
            f'<Edge SPOT_SOURCE_ID="{a}" SPOT_TARGET_ID="{b}" LINK_COST="-1.0" DIRECTIONAL_CHANGE_RATE="NaN" />'
            for a, b in reversed(mine)
        ]
        lines.append("</Track>")
    lines.append(
        '</AllTracks><FilteredTracks><TrackID TRACK_ID="0" /><TrackID TRACK_ID="1" /></FilteredTracks></Model>'
    )
    lines.append('<Settings><ImageData filename="a.tif" nframes="6" pixelwidth="1.0" pixelheight="1.0" /></Settings>')
    lines.append('<GUIState state="ConfigureViews" /><DisplaySettings>{ "name": "x" }</DisplaySettings></TrackMate>')
    (folder / "saved.xml").write_text("\n".join(lines))
    return folder / "saved.xml"


def geff_folder(
    folder: Path, links: list[tuple[int, int]] = LINKS, units: tuple = (None, None), scale: float = 1
) -> Path:
    """The drawn cells as the geff library writes a networkx graph."""
    graph = nx.DiGraph()
    for name, (t, y, x) in SPOTS.items():
        graph.add_node(name, t=float(t), y=y * scale, x=x * scale)
    graph.add_edges_from(links)
    axes = {"axis_names": ["t", "y", "x"], "axis_types": ["time", "space", "space"]}
    geff.write(graph, folder / "external.geff", **axes, axis_units=[units[0], units[1], units[1]])
    return folder / "external.geff"


def btrack(folder: Path) -> Path:
    """A copy of the file that btrack wrote."""
    return Path(shutil.copy(FILES / "division.h5", folder))


def cell_acdc(folder: Path, **columns: object) -> Path:
    """The drawn cells with the columns that Cell-ACDC writes for cells that divide symmetrically."""
    rows = pd.read_csv(table(folder)).rename(columns={"frame": "frame_i", "label": "Cell_ID"}).drop(columns="track")
    rows["parent_ID_tree"] = rows.pop("parent").fillna(-1).astype(int)
    rows = rows.assign(is_cell_dead=0, is_cell_excluded=0, generation_num_tree=1, division_frame_i=-1, **columns)
    places = {1: (34, 34), 2: (33, 25), 3: (33, 45), 4: (7, 7)}
    rows["y_centroid"], rows["x_centroid"] = zip(*rows["Cell_ID"].map(places), strict=True)
    rows.to_csv(folder / "acdc_output.csv", index=False)
    return folder / "acdc_output.csv"


def joined_cell_acdc(folder: Path, positions: tuple[str, ...]) -> Path:
    """The drawn cells in the form in which Cell-ACDC joins positions of budding cells: no tree, words for 0 and 1."""
    rows = pd.read_csv(cell_acdc(folder)).drop(columns=["parent_ID_tree", "generation_num_tree"])
    words = dict.fromkeys(("is_cell_dead", "is_cell_excluded", "is_history_known"), "FALSE")
    rows = rows.assign(**words, cell_cycle_stage="S", generation_num=2, relationship="mother", relative_ID=-1)
    rows.loc[rows["Cell_ID"] == 3, "relationship"] = "bud"
    rows = rows.assign(editIDclicked_x=np.nan, emerg_frame_i=-1, cell_vol_fl=50.2)
    rows.loc[(rows["Cell_ID"] == 4) & (rows["frame_i"] == 5), "is_cell_dead"] = "TRUE"
    every = pd.concat([rows.assign(Position_n=name) for name in positions])
    every[["Position_n", *rows.columns]].to_csv(folder / "AllPos_acdc_output.csv", index=False)
    return folder / "AllPos_acdc_output.csv"


def trackmate_without_spots(folder: Path) -> Path:
    text = (FILES / "division.xml").read_text()
    spots = re.compile(r"<AllSpots.*</AllSpots>", re.DOTALL)
    (folder / "none.xml").write_text(spots.sub('<AllSpots nspots="0" />', text))
    return folder / "none.xml"


def header_of_cell_acdc(folder: Path) -> Path:
    path = cell_acdc(folder)
    path.write_text(path.read_text().splitlines()[0] + "\n")
    return path


def own_tables(folder: Path, *names: str) -> Path:
    """Our own tables, empty; ``names`` are written."""
    for name, contract in (("tracks", TRACKS), ("detections", DETECTIONS)):
        if name in names:
            write_table(empty(contract), folder / f"{name}.parquet", contract)
    return folder / "tracks.parquet"
