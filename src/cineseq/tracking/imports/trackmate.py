"""TrackMate: the XML file that its graphical interface saves (spots and edges; version 3 or newer), or its table."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pandas as pd

from cineseq.config.tracking import Track
from cineseq.errors import UserError, reading
from cineseq.io.xml_text import check_entities
from cineseq.tracking.imports import trackmate_table
from cineseq.tracking.imports.base import ExternalTracks, check_depth, check_not_empty, numbers, whole
from cineseq.tracking.imports.graph import forward, tracks_of_linked

NAME = "a TrackMate file (.xml, or its table of spots)"
PIXELS = ("pixel", "pixels", "px")


def recognises(path: Path) -> bool:
    """Return whether the path has the suffix of an XML file, or is a table with TrackMate's columns."""
    return path.suffix == ".xml" or trackmate_table.recognises(path)


def read(path: Path, settings: Track) -> ExternalTracks:
    """Read the spots and edges of the tracks that TrackMate's filters kept.

    A track of TrackMate is a whole lineage; it is cut at splits and merges. Positions are divided by the height and
    width of a pixel of the image, which the file states. Tracks that the filters removed are left out and counted, as
    are spots in no track. The end of a track is not a death, since TrackMate does not record deaths.

    Raises
    ------
    UserError
        When the file is not TrackMate XML, has no tracks or no pixel size, or is three-dimensional.
    """
    if path.suffix != ".xml":
        return trackmate_table.read(path, settings)
    root = _root(path)
    spots = _spots(root, path)
    kept = {track.get("TRACK_ID") for track in root.findall("./Model/FilteredTracks/TrackID")}
    families = root.findall("./Model/AllTracks/Track")
    edges = [edge for family in families if family.get("TRACK_ID") in kept for edge in family.findall("Edge")]
    check_not_empty(len(edges), path, "TrackMate kept no tracks in it")
    names = [edge.get(end) for edge in edges for end in ("SPOT_SOURCE_ID", "SPOT_TARGET_ID")]
    links = whole(pd.Series(names), path, "the spot of an edge").to_numpy().reshape(-1, 2)
    check_depth(spots.pop("z").to_numpy(), path)
    spots[["y_px", "x_px"]] /= settings.external_pixel_size or _pixel_size(root, path)
    tracks = tracks_of_linked(spots, forward(spots, links), path)
    tracks.counts["filtered_out_families"] = len(families) - len(kept)
    return tracks


def _root(path: Path) -> ET.Element:
    """Return the root of the XML file, checked to be TrackMate's."""
    with reading(path, "not a readable XML file", "save it again from TrackMate"):
        check_entities(path, path.read_bytes())
        root = ET.parse(path).getroot()  # noqa: S314 - the user's own file; expat limits the growth of entities
    if root.tag != "TrackMate" or root.find("./Model/AllSpots") is None:
        msg = (
            f"{path}: not a TrackMate file with a model (its root is '{root.tag}'); supply the file that the Save"
            " button of TrackMate writes, not an export of tracks."
        )
        raise UserError(msg)
    return root


def _spots(root: ET.Element, path: Path) -> pd.DataFrame:
    """Return the spots: name, frame and position, in the unit of the file."""
    names = {"ID": "name", "FRAME": "frame", "POSITION_Y": "y_px", "POSITION_X": "x_px", "POSITION_Z": "z"}
    spots = root.findall("./Model/AllSpots/SpotsInFrame/Spot")
    table = pd.DataFrame([[spot.get(name) for name in names] for spot in spots], columns=list(names))
    check_not_empty(len(table), path, "TrackMate found no spots in it")
    read_as = dict.fromkeys(("ID", "FRAME"), whole)
    columns = {new: read_as.get(old, numbers)(table[old], path, f"{old} of a spot") for old, new in names.items()}
    return pd.DataFrame(columns)


def _pixel_size(root: ET.Element, path: Path) -> tuple[float, float]:
    """Return height and width of a pixel, in the unit of the positions; without a height, pixels are square."""
    image = root.find("./Settings/ImageData")
    model = root.find("./Model")
    unit = str(None if model is None else model.get("spatialunits"))
    width = None if image is None else image.get("pixelwidth")
    if width is None and unit not in PIXELS:
        msg = (
            f"{path}: positions are in {unit} and the file states no pixel width; set track.external_pixel_size to the"
            f" size of a pixel in {unit}."
        )
        raise UserError(msg)
    height = None if image is None else image.get("pixelheight")
    return float(height or width or 1), float(width or 1)
