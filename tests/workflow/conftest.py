"""A small study in a folder of its own, and Snakemake run on it."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import yaml

from cineseq.workflow.products import BESIDE, FOLDERS, PRODUCTS

ROOT = Path(__file__).resolve().parents[2]


def run_snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the repository's Snakefile in a folder."""
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "-d", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)


def planned_rules(said: str) -> set[str]:
    """Return the names of the rules in the table that a dry run prints."""
    lines = iter(said.splitlines())
    for line in lines:
        if line.startswith("job "):
            next(lines)
            break
    return {line.split()[0] for line in lines if line.strip() and line.split()[-1].isdigit()} - {"total"}


@dataclass(frozen=True)
class Project:
    """A working folder with a configuration and a sheet, on which the repository's Snakefile runs."""

    folder: Path
    settings: dict

    def configure(self, **changes: dict) -> None:
        """Write the configuration with some sections changed."""
        merged = {k: dict(v) if isinstance(v, dict) else v for k, v in self.settings.items()}
        for section, values in changes.items():
            merged[section] = {**merged.get(section, {}), **values} if isinstance(values, dict) else values
        (self.folder / "study.yaml").write_text(yaml.safe_dump(merged))

    def _run(self, *arguments: str) -> tuple[int, str]:
        settings = ("--configfile", str(self.folder / "study.yaml"), "--cores", "2")
        done = run_snakemake(self.folder, *settings, *arguments)
        return done.returncode, done.stdout + done.stderr

    def snakemake(self, *arguments: str) -> str:
        """Run Snakemake in the folder, which must succeed, and return what it printed."""
        status, said = self._run(*arguments)
        if status:
            pytest.fail(f"snakemake {' '.join(arguments)} ended with {status}:\n{said[-6000:]}")
        return said

    def complaint(self, *arguments: str) -> str:
        """Run Snakemake in the folder, which must fail by its exit status without a traceback; return what it said."""
        status, said = self._run(*arguments)
        assert status == 1, said[-6000:]
        assert "Traceback (most recent call last)" not in said
        assert not self.half_written()
        return said

    def half_written(self) -> list[Path]:
        """Return what steps left under temporary names."""
        return [path for path in (self.folder / "results").rglob(".*-*-*-*") if path.exists()]

    def planned(self, *arguments: str) -> set[str]:
        """Return the names of the rules that Snakemake would run."""
        return planned_rules(self.snakemake(*arguments, "-n", "--quiet", "rules"))


def write_small_movie(folder: Path, name: str, frames: int = 5) -> None:
    """Write four discs that drift: a movie with two channels, and its masks; they lie elsewhere by the name."""
    rows, columns = np.mgrid[:64, :64] - ord(name[-1]) % 4
    masks = np.zeros((frames, 64, 64), np.uint16)
    for t in range(frames):
        for label, (y, x) in enumerate([(16, 16), (16, 46), (46, 16), (46, 46)], start=1):
            masks[t][(rows - y - t * 0.5) ** 2 + (columns - x) ** 2 < 49] = label
    noise = np.random.default_rng(ord(name[-1])).integers(90, 110, (frames, 2, 64, 64))
    movie = (noise + 400 * (masks[:, None] > 0) * np.array([1, 0.5])[:, None, None]).astype(np.uint16)
    metadata = {
        "axes": "TCYX",
        "Channel": {"Name": ["nuclear", "reporter"]},
        "PhysicalSizeX": 0.5,
        "PhysicalSizeY": 0.5,
    }
    metadata |= {"TimeIncrement": 10.0, "TimeIncrementUnit": "min"}
    tifffile.imwrite(folder / f"{name}.ome.tif", movie, metadata=metadata, ome=True)
    tifffile.imwrite(folder / f"{name}_masks.tif", masks, metadata={"axes": "TYX"})


def write_sheet(folder: Path, rows: list[dict[str, str]]) -> None:
    """Write a sample sheet."""
    lines = ["\t".join(rows[0]), *("\t".join(row.values()) for row in rows)]
    (folder / "samples.tsv").write_text("\n".join(lines) + "\n")


@pytest.fixture
def small(tmp_path: Path) -> Project:
    """Return a study of two small fields with masks given."""
    rows = []
    for fov in ("a", "b"):
        write_small_movie(tmp_path, fov)
        rows.append(
            {"sample": "s", "fov": fov, "condition": "c", "images": f"{fov}.ome.tif", "masks": f"{fov}_masks.tif"}
        )
    write_sheet(tmp_path, rows)
    project = Project(
        tmp_path,
        {
            "run": {"name": "small"},
            "samples": "samples.tsv",
            "channels": {"function": ["reporter"]},
            "function": {"scores": [{"name": "reporter", "channel": "reporter"}]},
            "embed": {"model": None},
        },
    )
    project.configure()
    return project


@pytest.fixture
def alone(small: Project) -> Project:
    """Return a study of one field whose only input is a table of tracks: a mother and two daughters."""
    rows = [(t, 1, 5.0, 5.0, "") for t in range(3)] + [(t, n, 5.0, 4.0 * n, 1) for t in (3, 4) for n in (2, 3)]
    pd.DataFrame(rows, columns=["frame", "track", "y", "x", "parent"]).to_csv(small.folder / "t.csv", index=False)
    write_sheet(small.folder, [{"sample": "s", "fov": "a", "tracks": "t.csv"}])
    small.configure(function={"scores": []}, channels={"function": []})
    return small


def give_pairing(alone: Project, barcodes: list[str], sequenced: list[str]) -> None:
    """Give both daughters of tracks that come alone a compartment, and those one barcode each, with counts."""
    folder = alone.folder
    where = [("s", "a", "left", 4.0, 8.0, 2.0), ("s", "a", "right", 4.0, 12.0, 2.0)]
    columns = ["sample", "fov", "compartment_id", "y_px", "x_px", "radius_px"]
    pd.DataFrame(where, columns=columns).to_csv(folder / "w.csv", index=False)
    codes = {"barcode": barcodes, "compartment_id": ["left", "right"]}
    pd.DataFrame({"sample": "s", **codes}).to_csv(folder / "b.csv", index=False)
    counts = pd.DataFrame({"ACTB": [3, 5], "GAPDH": [1, 2]}, index=pd.Index(sequenced, name="cell_id"))
    counts.to_csv(folder / "c.csv")
    given = {"tracks": "t.csv", "compartments": "w.csv", "barcodes": "b.csv", "counts": "c.csv"}
    write_sheet(folder, [{"sample": "s", "fov": "a", **given}])


def undeclared(results: Path) -> list[str]:
    """Return the files of a folder of results that are neither products nor beside them."""
    paths = [FOLDERS[p.level] + p.path + ("/" if p.is_folder else "") for p in PRODUCTS]
    known = [re.escape(path).replace(r"\{sample\}", "[^/]+").replace(r"\{fov\}", "[^/]+") for path in (*paths, *BESIDE)]
    declared = re.compile("|".join(f"{path}.*" if path.endswith("/") else path for path in known))
    written = (path.relative_to(results).as_posix() for path in results.rglob("*") if path.is_file())
    return [path for path in written if not declared.fullmatch(path)]
