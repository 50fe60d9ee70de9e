"""What re-runs after a change: ``python -m tests.workflow.reruns`` prints the table.

Nothing is computed. Empty files stand for the products of a study of two samples, ``snakemake --touch`` records them as
up to date, and a dry run after each change says which jobs would run. Code is changed in a copy of the checkout.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py

from cineseq.workflow.products import PRODUCTS

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("Snakefile", "profiles", "rules", "scripts", "src", "envs", "resources")
CAGES = "sample,fov,compartment_id,y_px,x_px,radius_px"
OLD = 1_600_000_000


@dataclass
class Study:
    """A checkout and, beside it, the working folder of a study, whose products stand."""

    place: Path

    @property
    def checkout(self) -> Path:
        """The folder of the Snakefile."""
        return self.place / "checkout"

    @property
    def folder(self) -> Path:
        """The working folder."""
        return self.place / "project"

    def snakemake(self, *arguments: str) -> str:
        """Run Snakemake and return what it printed.

        Raises
        ------
        RuntimeError
            When it fails; the message is its last words.
        """
        command = [sys.executable, "-m", "snakemake", "-s", str(self.checkout / "Snakefile"), "--cores", "1"]
        command += ["--configfile", "study.yaml", *arguments]
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
        return done.stdout + done.stderr

    def planned(self) -> dict[str, int]:
        """Return the jobs that would run, counted by rule."""
        said = self.snakemake("-n", "--quiet", "rules")
        found = re.findall(r"^(\w+) +(\d+)$", said, re.MULTILINE)
        return {rule: int(number) for rule, number in found if rule not in ("all", "total")}

    def edit(self, name: str, change: Callable[[str], str]) -> None:
        """Change the text of a file; a change that changes nothing is a mistake."""
        file = self.place / name
        before = file.read_text()
        after = change(before)
        assert after != before, name
        file.write_text(after)


def build(place: Path) -> Study:
    """Copy the checkout, write a study of two samples of one field, and let empty files stand for its products."""
    study = Study(place)
    study.checkout.mkdir(parents=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, study.checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, study.checkout / name)
    (study.folder / "raw").mkdir(parents=True)
    rows = ["sample\tfov\tcondition\timages\tcompartments\tbarcodes\tcounts"]
    for sample, condition in (("s", "control"), ("t", "drug")):
        (study.folder / f"raw/{sample}.tif").write_bytes(sample.encode() * 100_000)
        with h5py.File(study.folder / f"raw/{sample}.h5ad", "w") as file:
            file["X"] = [1]
        rows.append(f"{sample}\t1\t{condition}\traw/{sample}.tif\traw/cages.csv\traw/barcodes.csv\traw/{sample}.h5ad")
    (study.folder / "samples.tsv").write_text("\n".join(rows) + "\n")
    (study.folder / "raw/cages.csv").write_text(f"{CAGES}\ns,1,a,4,4,2\nt,1,a,4,4,2\n")
    (study.folder / "raw/barcodes.csv").write_text("sample,barcode,compartment_id\ns,AA,a\nt,CC,a\n")
    (study.folder / "study.yaml").write_text("samples: samples.tsv\n")
    _pass_for_old(study.place)
    _stand_in(study)
    study.snakemake("--touch", "--forceall", "--quiet", "all")
    return study


def _pass_for_old(folder: Path) -> None:
    for path in (path for path in folder.rglob("*") if path.is_file()):
        os.utime(path, (OLD, OLD))


def _stand_in(study: Study) -> None:
    """Write an empty file, or a folder with one, for every product of the study."""
    folders = tuple(product.path for product in PRODUCTS if product.is_folder)
    for line in study.snakemake("--summary").splitlines():
        name = line.split("\t")[0]
        if name.startswith("results/"):
            path = study.folder / name
            is_folder = name.endswith(folders)
            (path if is_folder else path.parent).mkdir(parents=True, exist_ok=True)
            (path / "part" if is_folder else path).touch()


# One change each.


def _line(text: str) -> Callable[[str], str]:
    return lambda before: f"{before}\n{text}\n"


def _swap(old: str, new: str) -> Callable[[str], str]:
    return lambda before: before.replace(old, new)


def _unused_lines(study: Study) -> None:
    study.edit("checkout/src/cineseq/errors.py", _line("\ndef nobody_calls_this() -> int:\n    return 1"))


def _version(study: Study) -> None:
    for name in ("checkout/src/cineseq/__init__.py", "checkout/Snakefile"):
        study.edit(name, _swap("0.1.0", "0.1.1"))


def _looks(study: Study) -> None:
    study.edit("checkout/src/cineseq/errors.py", _line("# A comment."))
    study.edit(
        "checkout/scripts/track.py", lambda text: text.replace('    """Track one', '    """Follow one') + "\n\n#\n"
    )


def _docs(study: Study) -> None:
    study.edit("checkout/rules/imaging.smk", _line("# A comment."))


def _function_of_step(study: Study) -> None:
    study.edit("checkout/src/cineseq/features/texture.py", _swap("\n    return ", "\n    print()\n    return "))


def _touched(study: Study) -> None:
    os.utime(study.checkout / "scripts/track.py")


def _condition(study: Study) -> None:
    study.edit("project/samples.tsv", _swap("drug", "medicine"))


def _group(study: Study) -> None:
    study.edit(
        "project/samples.tsv", lambda text: text.replace("counts\n", "counts\tplate\n").replace(".h5ad\n", ".h5ad\t1\n")
    )


def _appended(study: Study) -> None:
    study.edit("project/raw/cages.csv", _swap("t,1,a,4,4,2\n", "t,1,a,4,4,2\nu,1,a,4,4,2\n"))


def _own_cage(study: Study) -> None:
    study.edit("project/raw/cages.csv", _swap("t,1,a,4,4,2", "t,1,a,4,5,2"))


def _moved(study: Study) -> None:
    new = study.place.with_name("elsewhere")
    study.place.rename(new)
    study.place = new


def _archived(study: Study) -> None:
    (study.folder / "raw/t.tif").unlink()


def _older(study: Study) -> None:
    file = study.folder / "raw/t.tif"
    file.write_bytes(b"u" * 100_000)
    os.utime(file, (OLD - 1000, OLD - 1000))


def _setting(study: Study) -> None:
    study.edit("project/study.yaml", _line("track: {max_gap: 1}"))


def _report_setting(study: Study) -> None:
    study.edit("project/study.yaml", _line("report: {fields_shown: 3}"))


def _product(study: Study) -> None:
    (study.folder / "results/study/fov/t/1/tracks.parquet").unlink()


CHANGES: dict[str, Callable[[Study], None]] = {
    "nothing": lambda study: None,
    "three unused lines in errors.py": _unused_lines,
    "a version bump": _version,
    "comments, docstrings, empty lines": _looks,
    "a comment in rules/": _docs,
    "a script touched": _touched,
    "a function that morphology uses": _function_of_step,
    "a condition renamed": _condition,
    "a column of metadata added": _group,
    "a sample appended to the shared cages.csv": _appended,
    "a cage of one sample in the shared cages.csv": _own_cage,
    "project and checkout moved": _moved,
    "a raw movie archived": _archived,
    "a raw movie replaced by an older one": _older,
    "track.max_gap": _setting,
    "report.fields_shown": _report_setting,
    "tracks.parquet of one field lost": _product,
}


def rerun(study: Study, change: Callable[[Study], None]) -> dict[str, int] | str:
    """Return the jobs that a change re-runs, or the last line of the refusal; the study is put back afterwards."""
    place, kept = study.place, study.place.with_name("kept")
    shutil.copytree(place, kept)  # copies times as well
    try:
        change(study)
        return study.planned()
    except RuntimeError as error:
        return str(error).strip().splitlines()[-1]
    finally:
        shutil.rmtree(study.place)
        study.place = kept.rename(place)


def said(planned: dict[str, int] | str) -> str:
    """Return a line for the jobs of a plan."""
    if isinstance(planned, str):
        return f"refused: {planned}"
    jobs = ", ".join(rule if number == 1 else f"{rule} x {number}" for rule, number in planned.items())
    return f"{sum(planned.values())} jobs: {jobs}" if planned else "nothing"


def main() -> None:
    """Print one line per change."""
    with tempfile.TemporaryDirectory() as place:
        original = build(Path(place) / "built")
        print(f"{'(the whole study)':46} {len(original.snakemake('--summary').splitlines()) - 1} products")  # noqa: T201
        for name, change in CHANGES.items():
            if not sys.argv[1:] or any(word in name for word in sys.argv[1:]):
                print(f"{name:46} {said(rerun(original, change))}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
