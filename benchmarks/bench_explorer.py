"""Measure the explorer in Chromium: ``python benchmarks/bench_explorer.py [CELLS ...]``.

For each number of cells (400 and 20,000 unless given) a study with 2,000 genes, a movie with families and a time course
is generated, its explorer is written, and the page is opened from its files as a user does. One line is printed for
each measure, beside its limit: seconds to write, bytes that are loaded first, seconds until the page is ready, until a
cell is shown, until it is coloured by a gene, the largest file of a gene, and seconds to rank the genes of a lasso.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from chromium import Browser, find_chromium
from scipy import sparse

from cineseq.io.paired import PairedData
from cineseq.report.explorer.page import ExplorerInputs, write_explorer

GENES = 2000
FEATURES = 60
FIRST_BYTES, GENE_BYTES = 3_000_000, 30_000
OPEN_SECONDS, LASSO_SECONDS = 3.0, 10.0
FIELDS_OF = 200
"""Cells of a field."""


def generated(cells: int, seed: int = 0) -> ExplorerInputs:
    """Return a study with families of three in fields of 200, of which every cell has expression."""
    random = np.random.default_rng(seed)
    rows = np.arange(cells)
    names = np.array([f"s{row // FIELDS_OF % 8}/f{row // FIELDS_OF}/{row}" for row in rows])
    third = rows % 3
    parent = np.where(third > 0, names[np.maximum(rows - third, 0)], None)
    sister = np.where(third > 0, names[np.minimum(rows + np.where(third == 1, 1, -1), cells - 1)], None)
    table = pd.DataFrame({"track_id": names, "parent_id": parent, "sister_id": sister})
    table[["sample", "fov"]] = table["track_id"].str.split("/", expand=True)[[0, 1]]
    table["start_frame"] = np.where(third > 0, 15, 0)
    table["end_frame"] = np.where(third > 0, 27, 14)
    table["end_kind"] = np.where(third > 0, "end_of_movie", "division")
    table["fate"] = np.where(third > 0, "unknown", "division")
    table["function_lipid"] = random.normal(size=cells)
    features = pd.DataFrame(random.normal(size=(cells, FEATURES)), index=names).add_prefix("morphology_")
    expected = random.gamma(0.3, 2.0, GENES)
    counts = sparse.vstack(
        [sparse.csr_matrix(random.poisson(expected, (len(p), GENES))) for p in np.array_split(rows, 20)]
    )
    obs = table.set_index("track_id")[["sample", "fov"]].assign(barcode=[f"B{row:06d}" for row in rows])
    nothing = pd.DataFrame(index=obs.index)
    paired = PairedData(
        obs, counts.tocsr().astype(float), pd.Index([f"G{i}" for i in range(GENES)]), features, nothing, nothing
    )
    clusters = pd.DataFrame({"track_id": names, "cluster": random.integers(0, 8, cells).astype(str)})
    clusters[["umap_1", "umap_2"]] = random.normal(size=(cells, 2)) + random.integers(0, 4, (cells, 1)) * 4
    return ExplorerInputs("generated", table, paired, clusters)


def seconds(work: Callable[[], object]) -> float:
    """Return the seconds that a function takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(cells: int, program: str) -> list[tuple[str, float, float | None]]:
    """Return each measure with its limit, if it has one."""
    with tempfile.TemporaryDirectory() as name:
        page = Path(name) / "explorer.html"
        folder = Path(name) / "explorer"
        inputs = generated(cells)
        written = seconds(lambda: write_explorer(inputs, page, folder))
        largest = max(path.stat().st_size for path in folder.glob("genes_*.js"))
        with Browser(program) as browser:
            browser.open(page)
            ready = browser.wait("document.body && document.body.dataset.ready", 120)
            first = browser.run("cineseq.bytes")
            cell = seconds(lambda: (browser.run("cineseq.select(1)"), browser.wait("document.body.dataset.cell")))
            gene = seconds(lambda: browser.run("cineseq.colourBy('g:' + cineseq.core.genes.names[5])"))
            browser.run("cineseq.choose(cineseq.core.ids.map((_, row) => row).filter((row) => row % 5 === 0), 'all')")
            ranked = seconds(lambda: browser.run("cineseq.rank()"))
            errors = len(browser.errors)
    return [
        ("seconds to write", written, None),
        ("bytes loaded first", first, FIRST_BYTES),
        ("seconds until ready", float(ready) / 1000, OPEN_SECONDS),
        ("seconds until a cell is shown", cell, None),
        ("seconds until coloured by a gene", gene, None),
        ("bytes of the largest file of a gene", largest, GENE_BYTES),
        ("seconds to rank the genes of a lasso", ranked, LASSO_SECONDS),
        ("errors of the console", errors, 0),
    ]


def main() -> None:
    """Print one line for each measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells", type=int, nargs="*", default=[400, 20_000], help="numbers of cells")
    program = find_chromium()
    if program is None:
        parser.error("Chromium is not installed; install Debian's package chromium.")
    for cells in parser.parse_args().cells:
        for name, value, limit in measure(cells, program):
            told = "" if limit is None else f"   at most {limit:,g}: {'met' if value <= limit else 'NOT met'}"
            print(f"{cells:>7,} cells  {name:<38} {value:>12,.2f}{told}", flush=True)


if __name__ == "__main__":
    main()
