"""One small file or folder in each of 28 formats, and the function of the package that reads it."""

from __future__ import annotations

import gzip
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import anndata
import geff
import h5py
import mudata
import networkx as nx
import numpy as np
import pandas as pd
import tifffile
import torch
import zarr
from PIL import Image
from scipy import io, sparse
from zarr.core.buffer import Buffer
from zarr.storage import MemoryStore

from cineseq.api.imaging import read_movie
from cineseq.config.base import FieldOfView
from cineseq.config.external import External
from cineseq.config.features import Embed
from cineseq.config.tracking import Track
from cineseq.external.cells import cells_of_tables
from cineseq.external.lineages import read_families
from cineseq.external.paired import read_external_paired
from cineseq.features.embedder import load_embedder
from cineseq.files import resources
from cineseq.io.counts import read_counts
from cineseq.io.maps import read_barcode_tables
from cineseq.io.readers import ReadOptions, open_source
from cineseq.preprocessing.masks import survey
from cineseq.segmentation.cellpose import read_network
from cineseq.tables.contract import write_table
from cineseq.tables.imaging import DETECTIONS, TRACKS
from cineseq.tracking.end_model import read_model
from cineseq.tracking.imports import read_external
from cineseq.workflow.sample_sheet import read_sheet

FRAMES, CHANNELS, SIDE = 4, 2, 48
NAMES = ("nuclear", "lipid")
STEP = {"pixel_size_um": 0.65, "minutes": 10.0}
UUID = "00000000-0000-1000-8000-000000000000"
"""The identifier in OME-TIFF. A random one would make each file another one."""
CELLS, GENES = 30, 40
Parts = dict[str, bytes]
"""What was read, in named parts, so that a change can be named."""


@dataclass(frozen=True)
class Format:
    """A format of inputs.

    Attributes
    ----------
    name
        Such as ``ome_tiff``.
    write
        Writes an input into a folder and returns its path, a file or a folder.
    read
        Reads it with the package and returns the parts of what was read.
    """

    name: str
    write: Callable[[Path], Path]
    read: Callable[[Path], Parts]


def _movie() -> np.ndarray:
    """Return cells on noise, shape (frames, channels, rows, columns), uint16."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    discs = [(rows - y) ** 2 + (columns - x) ** 2 < 30 for y, x in ((12, 12), (12, 36), (36, 24))]
    noise = random.normal(500, 20, (FRAMES, CHANNELS, SIDE, SIDE))
    return (noise + 2_000 * np.any(discs, axis=0)).astype(np.uint16)


def _labels() -> np.ndarray:
    """Return three discs that are labelled 1, 2 and 3 in each frame, shape (frames, rows, columns), uint16."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    labels = np.zeros((FRAMES, SIDE, SIDE), np.uint16)
    for k, (y, x) in enumerate(((12, 12), (12, 36), (36, 24)), start=1):
        labels[:, (rows - y) ** 2 + (columns - x) ** 2 < 30] = k
    return labels


# Movies and masks


def _ome_tiff(folder: Path) -> Path:
    units = {"PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm", "TimeIncrementUnit": "min"}
    scales = {"PhysicalSizeX": 0.65, "PhysicalSizeY": 0.65, "TimeIncrement": 10.0}
    metadata = {"axes": "TCYX", "UUID": UUID, "Channel": {"Name": list(NAMES)}} | scales | units
    tifffile.imwrite(folder / "a.ome.tif", _movie(), photometric="minisblack", compression="zlib", metadata=metadata)
    return folder / "a.ome.tif"


def _tiled_tiff(folder: Path) -> Path:
    tiff = {"photometric": "minisblack", "tile": (16, 16), "compression": "lzw", "predictor": True, "bigtiff": True}
    tifffile.imwrite(folder / "tiled.ome.tif", _movie(), **tiff, metadata={"axes": "TCYX", "UUID": UUID})
    return folder / "tiled.ome.tif"


def _plain_tiff(folder: Path) -> Path:
    tifffile.imwrite(folder / "plain.tif", _movie()[:, 0], photometric="minisblack", metadata=None)
    return folder / "plain.tif"


def _imagej_tiff(folder: Path) -> Path:
    movie = _movie()[:, None, :, :, :]
    metadata = {"axes": "TZCYX", "finterval": 600.0, "tunit": "s", "unit": "um"}
    tifffile.imwrite(folder / "imagej.tif", movie, imagej=True, resolution=(1 / 0.65, 1 / 0.65), metadata=metadata)
    return folder / "imagej.tif"


def _png_series(folder: Path) -> Path:
    series = folder / "series"
    series.mkdir()
    for frame, plane in enumerate(_movie()[:, 0]):
        Image.fromarray(plane).save(series / f"t{frame:02d}.png")
    return series


def _ngff(group: Any, values: np.ndarray, version: str, **layout: Any) -> None:
    names = ["t", "c", "y", "x"] if values.ndim == 4 else ["t", "y", "x"]
    units = {"t": ("time", "minute", 10.0), "c": ("channel", None, 1.0)}
    axes, scale = [], []
    for name in names:
        kind, unit, step = units.get(name, ("space", "micrometer", 0.65))
        axes.append({"name": name, "type": kind} | ({"unit": unit} if unit else {}))
        scale.append(step)
    array = group.create_array("0", shape=values.shape, dtype=values.dtype, **layout)
    array[...] = values
    datasets = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}]
    image = {"multiscales": [{"version": version, "axes": axes, "datasets": datasets}]}
    if values.ndim == 4:
        image["omero"] = {"channels": [{"label": name} for name in NAMES]}
    group.attrs.update({"ome": image | {"version": version}} if version == "0.5" else image)


def _zarr_2(folder: Path) -> Path:
    group = zarr.open_group(folder / "two.zarr", mode="w", zarr_format=2)
    _ngff(group, _movie(), "0.4", chunks=(1, 1, 32, 32))
    return folder / "two.zarr"


def _zarr_3(folder: Path) -> Path:
    group = zarr.open_group(folder / "three.zarr", mode="w", zarr_format=3)
    _ngff(group, _movie(), "0.5", chunks=(1, 1, 24, 24), shards=(1, 1, 48, 48))
    return folder / "three.zarr"


def _zarr_zip(folder: Path) -> Path:
    members: dict[str, Buffer] = {}
    store = MemoryStore(members)
    _ngff(zarr.open_group(store, mode="w", zarr_format=3), _movie(), "0.5", chunks=(1, 1, 48, 48))
    with zipfile.ZipFile(folder / "zipped.zarr.zip", "w") as archive:
        for name, content in sorted(members.items()):
            # Members have the date of ZipInfo, which is always the same.
            archive.writestr(zipfile.ZipInfo(name), content.to_bytes())
    return folder / "zipped.zarr.zip"


def _mask_zarr(folder: Path) -> Path:
    group = zarr.open_group(folder / "masks.zarr", mode="w", zarr_format=2)
    _ngff(group, _labels(), "0.4", chunks=(1, 32, 32))
    return folder / "masks.zarr"


def _read_movie(path: Path) -> Parts:
    movie = read_movie(path)
    parts = {"shape": repr(movie.shape), "channels": repr(movie.channels)}
    parts |= {"pixel size": repr(movie.pixel_size_um), "frame interval": repr(movie.frame_interval_min)}
    found = {name: text.encode() for name, text in parts.items()}
    frames, channels = movie.shape[:2]
    planes = [movie.read(t, c) for t in range(frames) for c in range(channels)]
    return found | {"pixels": b"".join(plane.astype(float).tobytes() for plane in planes)}


def _read_masks(path: Path) -> Parts:
    with open_source([path], options=ReadOptions(masks=True)) as source:
        survey(source, range(source.info.frames))
        planes = [source.plane(frame, 0) for frame in range(source.info.frames)]
        info = repr((source.info.frames, source.info.height, source.info.width)).encode()
        scales = repr((source.info.pixel_size_um, source.info.frame_interval_min)).encode()
    return {"shape": info, "scales": scales, "pixels": b"".join(p.astype(float).tobytes() for p in planes)}


# Weights


def _shipped(name: str) -> Callable[[Path], Path]:
    return lambda folder: Path(shutil.copy(resources() / name, folder))


def _read_segmenter(path: Path) -> Parts:
    state = read_network(path, torch.device("cpu")).state_dict()
    return {"weights": b"".join(state[key].contiguous().numpy().tobytes() for key in sorted(state))}


def _read_embedder(path: Path) -> Parts:
    embedder = load_embedder(Embed(model=str(path)))
    state = embedder.network.state_dict()
    weights = b"".join(state[key].cpu().contiguous().numpy().tobytes() for key in sorted(state))
    return {"weights": weights, "settings": repr((embedder.image_px, embedder.mean, embedder.std)).encode()}


def _read_ends(path: Path) -> Parts:
    model = read_model(path)
    return {"trees": _bytes([model.with_images, model.from_masks])}


# Tracks: one cell that divides into two after frame 2, and one that does not

SPOTS = [(0, 1, 10.5, 10.5, 0), (1, 1, 11.5, 10.5, 0), (2, 2, 9.5, 9.5, 1), (2, 3, 13.5, 11.5, 1)]
SPOTS += [(3, 2, 8.5, 9.5, 1), (3, 3, 14.5, 11.5, 1), *((t, 4, 36.5, 24.5, 0) for t in range(4))]
"""Frame, track, y, x and parent of each object."""
LINKS = [(1, 2), (2, 3), (2, 4), (3, 5), (4, 6), (7, 8), (8, 9), (9, 10)]
"""Pairs of objects, numbered from 1 in the order of ``SPOTS``."""


def _trackmate(folder: Path) -> Path:
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<TrackMate version="7.11.1">']
    lines += ['<Model spatialunits="micron" timeunits="min">', f'<AllSpots nspots="{len(SPOTS)}">']
    for frame in range(FRAMES):
        lines.append(f'<SpotsInFrame frame="{frame}">')
        lines += [
            f'<Spot ID="{n}" name="ID{n}" POSITION_T="{t}.0" FRAME="{t}" POSITION_Y="{y}" POSITION_X="{x}" '
            'POSITION_Z="0.0" RADIUS="3.0"/>'
            for n, (t, _, y, x, _) in enumerate(SPOTS, 1)
            if t == frame
        ]
        lines.append("</SpotsInFrame>")
    lines += ["</AllSpots>", "<AllTracks>"]
    for track, links in ((0, LINKS[:5]), (1, LINKS[5:])):
        lines.append(f'<Track name="Track_{track}" TRACK_ID="{track}">')
        lines += [f'<Edge SPOT_SOURCE_ID="{a}" SPOT_TARGET_ID="{b}"/>' for a, b in links]
        lines.append("</Track>")
    lines += ["</AllTracks>", "<FilteredTracks>", '<TrackID TRACK_ID="0"/>', '<TrackID TRACK_ID="1"/>']
    lines += ["</FilteredTracks>", "</Model>", "<Settings>", '<ImageData width="48" height="48" nframes="4" ']
    lines += ['pixelwidth="0.5" pixelheight="0.5"/>', "</Settings>", "</TrackMate>"]
    (folder / "tracks.xml").write_text("\n".join(lines))
    return folder / "tracks.xml"


def _ctc(folder: Path) -> Path:
    (folder / "res_track.txt").write_text("1 0 1 0\n2 2 3 1\n3 2 3 1\n4 0 3 0\n")
    return folder / "res_track.txt"


def _geff(folder: Path) -> Path:
    graph = nx.DiGraph()
    for name, (t, _, y, x, _) in enumerate(SPOTS, 1):
        graph.add_node(name, t=float(t), y=y, x=x)
    graph.add_edges_from(LINKS)
    axes = {"axis_names": ["t", "y", "x"], "axis_types": ["time", "space", "space"]}
    geff.write(graph, folder / "tracks.geff", **axes, axis_units=[None] * 3)
    return folder / "tracks.geff"


def _btrack(folder: Path) -> Path:
    frame, track, y, x, _ = np.array(SPOTS).T
    order = np.argsort(track, kind="stable")
    size = np.bincount(track.astype(int))[1:]
    end = np.cumsum(size)
    with h5py.File(folder / "tracks.h5", "w") as file:
        coords = np.column_stack([frame, x, y, np.zeros(len(frame)), np.zeros(len(frame))]).astype(np.float32)
        file["objects/obj_type_1/coords"] = coords
        group = file.create_group("tracks/obj_type_1")
        group["tracks"] = order.astype(np.int32)
        group["map"] = np.column_stack([end - size, end]).astype(np.uint32)
        group["LBEPR"] = np.array(
            [[1, 0, 1, 0, 1, 0], [2, 2, 3, 1, 1, 1], [3, 2, 3, 1, 1, 1], [4, 0, 3, 0, 4, 0]], "i4"
        )
        group["fates"] = np.zeros(4, np.uint32)
    return folder / "tracks.h5"


def _cell_acdc(folder: Path) -> Path:
    rows = [
        {"frame_i": t, "Cell_ID": k, "y_centroid": y, "x_centroid": x, "parent_ID_tree": parent or -1}
        for t, k, y, x, parent in SPOTS
    ]
    table = pd.DataFrame(rows).assign(is_cell_dead=0, is_cell_excluded=0, generation_num_tree=1)
    table.to_csv(folder / "a_acdc_output.csv", index=False)
    return folder / "a_acdc_output.csv"


def _own_tracks(folder: Path) -> Path:
    own = folder / "own"
    own.mkdir()
    for name, contract in (("tracks", TRACKS), ("detections", DETECTIONS)):
        rows = [_row(contract, k) for k in range(2)]
        write_table(pd.DataFrame(rows), own / f"{name}.parquet", contract)
    return own / "tracks.parquet"


def _row(contract: Any, number: int) -> dict[str, Any]:
    """Return a row that a contract allows, with what the reader uses."""
    row: dict[str, Any] = {}
    for column in contract.columns:
        if column.is_family or column.optional:
            continue
        low = 0 if column.low is None else column.low
        usual = {"text": (column.values or ("a",))[0], "integer": int(low), "number": float(low), "truth": False}
        row[column.name] = usual.get(column.kind, False)
    said = {"track_id": f"0@{number}", "number": number + 1, "parent_id": None, "end_kind": "end_of_movie"}
    place = {"frame": number, "label": number + 1, "y_px": 5.0 + number, "x_px": 6.0}
    return row | {k: v for k, v in (said | place).items() if k in {c.name for c in contract.columns}}


def _read_tracks(path: Path) -> Parts:
    found = read_external(path, Track())
    parts = {"objects": found.rows, "parents": found.parents, "spans": found.spans}
    return {name: _bytes(table) for name, table in parts.items()} | {"deaths": repr(sorted(found.deaths)).encode()}


# Counts, cells and sheets


def _matrix() -> np.ndarray:
    return np.random.default_rng(1).poisson(2, (CELLS, GENES)).astype(np.int32)


def _adata() -> anndata.AnnData:
    obs = pd.DataFrame({"speed": np.linspace(1, 2, CELLS), "lane": ["x", "y"] * (CELLS // 2)}, index=_names("cell"))
    data = anndata.AnnData(sparse.csr_matrix(_matrix()), obs, pd.DataFrame(index=_names("gene")))
    data.layers["counts"] = data.X.copy()
    return data


def _names(what: str) -> list[str]:
    return [f"{what}{k:03d}" for k in range(CELLS if what == "cell" else GENES)]


def _h5ad(folder: Path) -> Path:
    _adata().write_h5ad(folder / "counts.h5ad", compression="gzip")
    return folder / "counts.h5ad"


def _counts_zarr(folder: Path) -> Path:
    _adata().write_zarr(folder / "counts.zarr")
    return folder / "counts.zarr"


def _tenx_h5(folder: Path) -> Path:
    matrix = sparse.csc_matrix(_matrix().T)
    with h5py.File(folder / "tenx.h5", "w") as file:
        group = file.create_group("matrix")
        for name, values in (("data", matrix.data), ("indices", matrix.indices), ("indptr", matrix.indptr)):
            group.create_dataset(name, data=values, compression="gzip")
        group["shape"], group["barcodes"] = np.array(matrix.shape), np.array(_names("cell"), "S")
        features = group.create_group("features")
        features["id"] = features["name"] = np.array(_names("gene"), "S")
        features["feature_type"] = features["genome"] = np.array(["Gene Expression"] * GENES, "S")
    return folder / "tenx.h5"


def _mtx(folder: Path) -> Path:
    tenx = folder / "mtx"
    tenx.mkdir()
    io.mmwrite(folder / "matrix.mtx", sparse.coo_matrix(_matrix().T))
    (tenx / "matrix.mtx.gz").write_bytes(gzip.compress((folder / "matrix.mtx").read_bytes(), mtime=0))
    (folder / "matrix.mtx").unlink()
    features = "\n".join(f"E{k}\t{name}\tGene Expression" for k, name in enumerate(_names("gene")))
    (tenx / "barcodes.tsv.gz").write_bytes(gzip.compress("\n".join(_names("cell")).encode(), mtime=0))
    (tenx / "features.tsv.gz").write_bytes(gzip.compress(features.encode(), mtime=0))
    return tenx


def _counts_csv_gz(folder: Path) -> Path:
    text = pd.DataFrame(_matrix(), _names("cell"), _names("gene")).to_csv(index_label="id")
    (folder / "counts.csv.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    return folder / "counts.csv.gz"


def _read_counts(path: Path) -> Parts:
    counts = read_counts(path)
    cells, genes = repr(list(counts.cells)).encode(), repr(list(counts.genes)).encode()
    return {"cells": cells, "genes": genes, "counts": counts.matrix.toarray().tobytes()}


def _h5mu(folder: Path) -> Path:
    rna = _adata()
    del rna.layers["counts"]
    shape = anndata.AnnData(np.arange(2.0 * CELLS).reshape(CELLS, 2), obs=pd.DataFrame(index=_names("cell")))
    shape.var_names = ["area", "length"]
    with mudata.set_options(pull_on_update=False):
        mudata.MuData({"rna": rna, "morphology": shape}).write(folder / "paired.h5mu")
    return folder / "paired.h5mu"


def _read_paired(path: Path) -> Parts:
    data = read_external_paired(path, External(function={"speed": "speed"}))
    counts = b"" if data.counts is None else data.counts.toarray().tobytes()
    tables = {"obs": data.obs, "function": data.function, "morphology": data.morphology}
    found = {name: _bytes(table) for name, table in tables.items()}
    return found | {"counts": counts, "genes": repr(list(data.genes)).encode()}


def _cells_csv(folder: Path) -> Path:
    table = pd.DataFrame({"id": _names("cell"), "function_speed": np.linspace(1, 2, CELLS)})
    table.assign(morphology_area=np.arange(CELLS) + 50, plate=["p1", "p2"] * (CELLS // 2)).to_csv(
        folder / "cells.csv", index=False
    )
    return folder / "cells.csv"


def _read_cells(path: Path) -> Parts:
    return {"cells": _bytes(cells_of_tables([path], [], External()))}


def _lineage_csv(folder: Path) -> Path:
    lines = ["id,parent,birth,end,fate", "m,,0,5,division", "d1,m,6,9,censored", "d2,m,6,8,death", "n,,0,9,censored"]
    (folder / "lineage.csv").write_text("\n".join(lines) + "\n")
    return folder / "lineage.csv"


def _read_lineage(path: Path) -> Parts:
    return {"cells": _bytes(read_families(path, FieldOfView(sample="A"), External()))}


def _barcodes_parquet(folder: Path) -> Path:
    table = pd.DataFrame({"sample": "A", "fov": "1", "barcode": _names("cell"), "compartment_id": _names("cell")})
    table.assign(y_px=np.arange(CELLS) * 1.0, x_px=5.0).to_parquet(folder / "barcodes.parquet")
    return folder / "barcodes.parquet"


def _read_barcodes(path: Path) -> Parts:
    return {"barcodes": _bytes(read_barcode_tables([path]))}


def _sheet(folder: Path) -> Path:
    lines = ["sample\tfov\tcondition\timages", "A\t1\tcontrol\tmovies/a1.ome.tif", "A\t2\tcontrol\tmovies/a2.ome.tif"]
    lines += ["B\t1\ttreated\t{data}/b1.ome.tif", "B\t2\ttreated\t{data}/{sample}_{fov}.ome.tif"]
    (folder / "samples.tsv").write_text("\n".join(lines) + "\n")
    return folder / "samples.tsv"


def _read_sheet(path: Path) -> Parts:
    return {"rows": _bytes(read_sheet(path, data="data", run="run"))}


def _bytes(value: Any) -> bytes:
    """Return any value of the readers as bytes that are equal if, and only if, it is."""
    if isinstance(value, pd.DataFrame):
        return value.to_csv().encode()
    if isinstance(value, np.ndarray):
        return repr((value.shape, str(value.dtype))).encode() + value.tobytes()
    if is_dataclass(value) and not isinstance(value, type):
        return b"".join(_bytes(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, dict):
        return b"".join(repr(key).encode() + _bytes(value[key]) for key in sorted(value))
    if isinstance(value, list | tuple):
        return b"".join(map(_bytes, value))
    return repr(value).encode()


FORMATS = (
    Format("ome_tiff", _ome_tiff, _read_movie),
    Format("tiled_tiff", _tiled_tiff, _read_movie),
    Format("plain_tiff", _plain_tiff, _read_movie),
    Format("imagej_tiff", _imagej_tiff, _read_movie),
    Format("png_series", _png_series, _read_movie),
    Format("zarr_2", _zarr_2, _read_movie),
    Format("zarr_3", _zarr_3, _read_movie),
    Format("zarr_zip", _zarr_zip, _read_movie),
    Format("mask_zarr", _mask_zarr, _read_masks),
    Format("segmenter_pt", _shipped("segmenter_compact.pt"), _read_segmenter),
    Format("embedder_safetensors", _shipped("embedder_compact.safetensors"), _read_embedder),
    Format("ends_json", _shipped("ends_compact.json"), _read_ends),
    Format("trackmate_xml", _trackmate, _read_tracks),
    Format("ctc_txt", _ctc, _read_tracks),
    Format("geff", _geff, _read_tracks),
    Format("btrack_h5", _btrack, _read_tracks),
    Format("cell_acdc_csv", _cell_acdc, _read_tracks),
    Format("own_tracks_parquet", _own_tracks, _read_tracks),
    Format("counts_h5ad", _h5ad, _read_counts),
    Format("counts_10x_h5", _tenx_h5, _read_counts),
    Format("counts_10x_mtx", _mtx, _read_counts),
    Format("counts_csv_gz", _counts_csv_gz, _read_counts),
    Format("counts_zarr", _counts_zarr, _read_counts),
    Format("paired_h5mu", _h5mu, _read_paired),
    Format("cells_csv", _cells_csv, _read_cells),
    Format("barcodes_parquet", _barcodes_parquet, _read_barcodes),
    Format("lineage_csv", _lineage_csv, _read_lineage),
    Format("sample_sheet", _sheet, _read_sheet),
)
