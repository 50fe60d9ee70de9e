"""The notebooks in examples/ are committed with their outputs, on the demo only, and use functions that exist."""

import re
import sys
from pathlib import Path

import nbformat
import pytest
from house import ROOT
from nbformat import NotebookNode
from run_notebooks import run, stderr_of, without_metadata

import cineseq

PATHS = sorted((ROOT / "examples").glob("*.ipynb"))
ABSOLUTE = re.compile(r"(?<![\w.:/}\"])/(?:home|work|tmp|root|usr|opt|mnt|var)/|[A-Z]:\\")


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def code(book: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in book.cells if cell.cell_type == "code"]


def book_of(*sources: str) -> NotebookNode:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])


def unknown_names(book: NotebookNode) -> list[str]:
    """Return the names after ``cs.``, in code and in text, that cineseq does not export."""
    used = {name for cell in book.cells for name in re.findall(r"\bcs\.(\w+)", cell.source)}
    return sorted(used - set(cineseq.__all__))


def texts(book: NotebookNode) -> str:
    """Return all text of a notebook: sources, and outputs but for pictures."""
    outputs = [output for cell in code(book) for output in cell.outputs]
    shown = [text for output in outputs for kind, text in output.get("data", {}).items() if kind.startswith("text/")]
    return "\n".join([cell.source for cell in book.cells] + [output.get("text", "") for output in outputs] + shown)


def test_there_are_three() -> None:
    names = ["own_h5ad_to_prediction", "own_masks_to_lineage", "replace_the_tracker"]
    assert [path.stem for path in PATHS] == names


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_notebook_is_whole(path: Path) -> None:
    book = read(path)
    nbformat.validate(book)
    outputs = [output for cell in code(book) for output in cell.outputs]
    assert [cell.execution_count for cell in code(book)] == [*range(1, len(code(book)) + 1)]
    assert len(outputs) > 5
    assert [output for output in outputs if output.output_type == "error"] == []
    assert stderr_of(book) == ""
    assert unknown_names(book) == []
    assert ABSOLUTE.findall(texts(book)) == []
    assert re.findall(r"\w*Warning:", texts(book)) == []
    assert "Skipped: " in code(book)[-1].outputs[0].text  # real data were hidden
    assert without_metadata(read(path)) == book


def test_what_is_looked_for_is_found() -> None:
    assert unknown_names(book_of("cs.track(1)\ncs.tracking(2)")) == ["tracking"]
    assert ABSOLUTE.findall("read('/home/me/a.tif')")
    assert not ABSOLUTE.findall('ROOT / "results/demo" ../shared/data "/path/to/cineseq"')


def test_a_notebook_runs_in_this_python_and_folder(tmp_path: Path) -> None:
    book = book_of("import sys, os\nprint(sys.executable)\nprint(os.getcwd())\nprint(os.environ['CINESEQ_DATA'])")
    assert run(book, tmp_path, hidden=True) == ""
    executable, folder, data = book.cells[0].outputs[0].text.splitlines()
    assert Path(executable).parent == Path(sys.executable).parent
    assert folder == str(tmp_path)
    assert not Path(tmp_path, data).exists()


def test_errors_and_warnings_are_failures(tmp_path: Path) -> None:
    assert "ZeroDivisionError" in run(book_of("1 / 0"), tmp_path, hidden=True)
    assert "look out" in run(book_of("import warnings\nwarnings.warn('look out')"), tmp_path, hidden=True)


def test_what_differs_between_runs_is_not_stored() -> None:
    book = book_of("1")
    book.metadata["language_info"] = {"name": "python", "version": "3.11.2"}
    book.cells[0].metadata["execution"] = {"iopub.execute_input": "2020-01-01"}
    kept = without_metadata(book)
    assert kept.metadata["language_info"] == {"name": "python"}
    assert (kept.cells[0].id, dict(kept.cells[0].metadata)) == ("cell-1", {})
