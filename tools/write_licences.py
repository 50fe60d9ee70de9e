"""Write the table of licences: every direct dependency, and the models.

In: ``pyproject.toml`` and the metadata of the installed packages. Out: ``docs/licences.md``, tested to be current.
"""

import re
import tomllib
from email.message import Message
from importlib.metadata import metadata
from pathlib import Path
from typing import cast

from cineseq.files import write_text

ROOT = Path(__file__).resolve().parents[1]
NAME = re.compile(r"[A-Za-z0-9_.-]+")
SHORT = 40
"""A longer text in the field ``License`` of a package is the whole licence, not its name."""

# Licences from the licence files of packages whose metadata do not name it, or not uniquely.
READ = {
    "cellpose": "BSD-3-Clause",
    "igraph": "GPL-2.0-or-later",
    "illico": "Apache-2.0",
    "jinja2": "BSD-3-Clause",
    "loguru": "MIT",
    "matplotlib": "Matplotlib licence (like the Python Software Foundation's)",
    "mudata": "BSD-3-Clause",
    "numba": "BSD-2-Clause",
    "pandas": "BSD-3-Clause",
    "pydeseq2": "MIT",
    "safetensors": "Apache-2.0",
    "scikit-image": "BSD-3-Clause",
    "scipy": "BSD-3-Clause",
    "torchvision": "BSD-3-Clause",
    "traccuracy": "BSD-3-Clause",
}
PURPOSES = {
    "anndata": "counts and their annotation",
    "cellpose": "segmentation",
    "dask": "lazy arrays of large movies",
    "h5py": "HDF5 files",
    "geff": "exchange of tracks with other tools",
    "geff-spec": "exchange of tracks with other tools",
    "igraph": "clusters of the graph of cells",
    "imagecodecs": "compressed images",
    "jinja2": "the report's page",
    "joblib": "parallel folds",
    "loguru": "the log of the rank tests, which is switched off",
    "matplotlib": "figures",
    "mudata": "export of paired data",
    "natsort": "the order of file names",
    "numba": "compiled loops of scanpy",
    "numpy": "arrays",
    "pandas": "tables",
    "pillow": "pictures of the report",
    "psutil": "running processes and memory",
    "pulp": "linear programs of Snakemake's scheduler",
    "pyarrow": "Parquet files",
    "pydantic": "the configuration's models",
    "pydeseq2": "tests on counts summed by sample",
    "pynndescent": "nearest neighbours",
    "pyyaml": "YAML files",
    "safetensors": "weights of the embedder",
    "scanpy": "normalisation, clusters, cell cycle",
    "scikit-image": "image filters and region properties",
    "scikit-learn": "regression, scaling, cross-validation",
    "scipy": "statistics, sparse matrices, the integer programme of tracking (HiGHS)",
    "snakemake": "the workflow",
    "snakemake-executor-plugin-cluster-generic": "other queues",
    "snakemake-executor-plugin-slurm": "Slurm",
    "statsmodels": "false discovery rates and regression tables",
    "threadpoolctl": "threads of numerical libraries",
    "tifffile": "TIFF files",
    "timm": "vision transformers",
    "torch": "neural networks",
    "torchvision": "image operations of cellpose and timm",
    "traccuracy": "scores of tracking",
    "tqdm": "progress bars of libraries",
    "illico": "fast rank tests",
    "zarr": "Zarr movies",
}
MODELS = """## Models

Weights have their own terms, in addition to those of the code that runs them. Every report names its models and their
SHA-256.

| weights | terms | shipped here |
|---|---|---|
| `compact` segmenter (`resources/segmenter_compact.pt`) | BSD-3-Clause; trained on simulated images only | yes |
| `compact_phase` segmenter (`segmenter_compact_phase.pt`) | BSD-3-Clause; trained on simulated images only | yes |
| `compact` embedder (`resources/embedder_compact.safetensors`) | BSD-3-Clause; trained on simulated images only | yes |
| model of ends (`resources/ends_compact.json`) | BSD-3-Clause; trained with MitoCheck nuclei (CC BY 4.0) | yes |
| Cellpose-SAM (`cpsam`, `cpsam_v2`) | code BSD-3-Clause; weights trained on data under CC-BY-NC | no |
| DINOv2 (`vit_*_dinov2.*`) | Apache-2.0 | no |
"""


def direct_dependencies() -> list[str]:
    """Return the names in ``project.dependencies``, in order."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [found[0] for text in project["dependencies"] if (found := NAME.match(text))]


def licence(name: str, facts: Message) -> str:
    """Return the licence of a package: as read from its licence file, otherwise from its metadata.

    Raises
    ------
    ValueError
        When neither names it.
    """
    stated = [READ.get(name), facts.get("License-Expression"), facts.get("License")]
    found = next((text for text in stated if text), "")
    if not found or (len(found) > SHORT and found == facts.get("License")):
        msg = f"{name}: its metadata do not name its licence; read the licence file and add it to READ"
        raise ValueError(msg)
    return found


def licences_text() -> str:
    """Return the page as Markdown."""
    facts = {n: cast("Message", metadata(n)) for n in direct_dependencies()}
    rows = [f"| {n} | {licence(n, facts[n])} | {PURPOSES[n]} |" for n in facts]
    head = [
        "# Licences",
        "",
        "cineseq is under the BSD 3-Clause licence. It uses the packages below, which are installed, not "
        "copied; each has",
        "dependencies of its own (`envs/requirements.lock` lists all). The table is written from the metadata of the",
        "packages by `python tools/write_licences.py`. igraph is under the GPL: if you distribute an environment or a",
        "container that holds it, the terms of the GPL apply.",
        "",
        "| package | licence | purpose |",
        "|---|---|---|",
    ]
    return "\n".join([*head, *rows, "", MODELS])


def main() -> None:
    """Write the page into the repository."""
    write_text(licences_text(), ROOT / "docs/licences.md")


if __name__ == "__main__":
    main()
