"""A small study for the explorer: two fields with a family each, three genes, and film strips of discs."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from cineseq.io.paired import PairedData
from cineseq.io.stacks import MovieInfo, open_labels, open_movie, write_labels, write_movie
from cineseq.report.cell_strips import FieldImages, write_cell_strips
from cineseq.report.explorer.page import ExplorerInputs, write_explorer
from cineseq.tables.contract import empty, write_table
from cineseq.tables.imaging import TIMECOURSE

FRAMES, SIDE = 6, 80
INFO = MovieInfo(FRAMES, SIDE, SIDE, ("nuclear",), 0.65, 30.0)
PLAIN = {"sample": "s1", "gene": "PLIN2", "cluster": "adipocytes", "title": "small"}
HOSTILE = {
    "sample": '<img src=x onerror="window.hit=1">',
    "gene": "</script><script>window.hit=1</script>",
    "cluster": '"><svg onload=window.hit=1>{{7*7}}${window.hit=1}',
    "title": "</title><script>window.hit=1</script>'\"&",
}
"""Names that run or break something where they are taken for more than text."""


def cells_of(sample: str) -> pd.DataFrame:
    """Return a mother that divides after frame 2, two daughters and a lone cell, in each of two fields."""
    rows = []
    for fov in ("f1", "f2"):
        for number, parent, start, end, kind in (
            (1, None, 0, 2, "division"),
            (2, 1, 3, 5, "end_of_movie"),
            (3, 1, 3, 4, "death"),
            (4, None, 0, 5, "end_of_movie"),
        ):
            sister = {2: 3, 3: 2}.get(number)
            name = f"{sample}/{fov}/{{}}".format
            rows.append(
                {
                    "track_id": name(number),
                    "sample": sample,
                    "fov": fov,
                    "parent_id": name(parent) if parent else None,
                    "sister_id": name(sister) if sister else None,
                    "start_frame": start,
                    "end_frame": end,
                    "start_hours": start / 2,
                    "end_hours": end / 2,
                    "end_kind": kind,
                    "fate": "death" if kind == "death" else "unknown",
                    "function_lipid": float(number) if number < 4 else np.nan,
                }
            )
    return pd.DataFrame(rows)


def paired_of(cells: pd.DataFrame, gene: str) -> PairedData:
    """Return the counts of all cells but the mothers: the first gene rises with the number of the cell."""
    some = cells[cells["track_id"].str.split("/").str[-1] != "1"].set_index("track_id", drop=False)
    rank = np.arange(len(some))
    counts = sparse.csr_matrix(np.column_stack([rank, 9 - rank, np.full(len(some), 50)]).astype(float))
    obs = some[["sample", "fov"]].assign(
        family="x", condition="c", replicate="1", barcode=[f"ACGT{i}" for i in range(len(some))]
    )
    nothing = pd.DataFrame(index=some.index)
    return PairedData(obs, counts, pd.Index([gene, "ACTB", "GAPDH"]), nothing, nothing, nothing)


def film(folder: Path, cells: pd.DataFrame, most: int = 100) -> Path:
    """Write a movie of discs, one column per cell, and return its film strips."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    masks = np.zeros((FRAMES, SIDE, SIDE), np.uint16)
    for label, cell in enumerate(cells.to_dict("records"), 1):
        for frame in range(int(cell["start_frame"]), int(cell["end_frame"]) + 1):
            masks[frame, 30:44, 18 * label - 12 : 18 * label] = label
            found.append(
                {"track_id": cell["track_id"], "frame": frame, "label": label, "y_px": 37.0, "x_px": 18.0 * label - 6}
                | {"area_px": 168.0}
            )
    write_labels(iter(masks), folder / "masks.ome.tif", INFO)
    planes = (np.where(mask > 0, 1000 + mask, 100).astype(np.uint16) for mask in masks)
    write_movie(planes, folder / "movie.ome.tif", INFO)
    with open_labels(folder / "masks.ome.tif") as labels, open_movie(folder / "movie.ome.tif") as movie:
        images = FieldImages(labels, movie, "nuclear")
        write_cell_strips(folder / "cell_strips", cells, pd.DataFrame(found), images, most)
    return folder / "cell_strips"


def timecourse(folder: Path, cells: pd.DataFrame) -> Path:
    """Write function over time that rises by one in each frame."""
    rows = [
        {
            "sample": c["sample"],
            "fov": c["fov"],
            "track_id": c["track_id"],
            "frame": f,
            "hours": f / 2,
            "value": f + 0.5,
        }
        | {"channel": "lipid", "background": 1.0}
        for c in cells.to_dict("records")
        for f in range(c["start_frame"], c["end_frame"] + 1)
    ]
    frame = pd.DataFrame(rows)
    write_table(frame[[c for c in empty(TIMECOURSE) if c in frame]], folder / "timecourse.parquet", TIMECOURSE)
    return folder / "timecourse.parquet"


def example(folder: Path, names: dict[str, str] = PLAIN, parts: tuple[str, ...] = ("movies", "counts")) -> Path:
    """Write the explorer of the small study, with the parts that a run has, and return its page."""
    cells = cells_of(names["sample"])
    strips, curves = [], []
    if "movies" in parts:
        for number, (fov, part) in enumerate(cells.groupby("fov")):
            # A user's sample cannot hold a slash; the folder is that of the rule.
            place = folder / f"run{number}" / names["sample"].replace("/", "") / str(fov)
            strips.append(film(place, part))
            curves.append(timecourse(place, part))
    paired = paired_of(cells, names["gene"]) if "counts" in parts else None
    clusters = None
    if paired is not None:
        n = len(paired.obs)
        clusters = pd.DataFrame(
            {
                "track_id": paired.obs.index,
                "cluster": [names["cluster"]] * (n // 2) + ["others"] * (n - n // 2),
                "umap_1": np.arange(n, dtype=float),
                "umap_2": np.arange(n, dtype=float)[::-1],
            }
        )
    inputs = ExplorerInputs(
        title=names["title"],
        cells=None if parts == ("counts",) else cells,
        paired=paired,
        clusters=clusters,
        strips=strips,
        timecourses=curves,
    )
    page = folder / "report/explorer.html"
    write_explorer(inputs, page, folder / "report/explorer")
    return page
