"""Run the notebooks in ``examples/`` from the top folder on the demo's results, and fail on any error or warning.

Real data are used where they are present. With ``--write`` they are hidden and the outputs are stored in the notebooks:
what is committed shows the demo only.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from cineseq.files import write_json, write_text

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "examples"
DEMO = ROOT / "results/demo"
SECONDS_A_CELL = 300
HIDDEN = "no-real-data"
"""Value of ``CINESEQ_DATA`` that names no folder."""
QUIET = {"PYDEVD_DISABLE_FILE_VALIDATION": "1", "PYTHONWARNINGS": "ignore:IProgress not found"}
"""Nobody debugs these kernels, and progress bars need no widgets."""


def main() -> int:
    """Run the notebooks and return the exit status: 1 where one fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="store the outputs in the notebooks, without real data")
    parser.add_argument("notebooks", nargs="*", type=Path, help="notebooks to run; by default all in examples/")
    arguments = parser.parse_args()
    if not DEMO.is_dir():
        sys.stderr.write("There is no results/demo, which the notebooks read: run `make demo` first.\n")
        return 1
    failed = False
    for path in arguments.notebooks or sorted(FOLDER.glob("*.ipynb")):
        began = time.monotonic()
        book = nbformat.read(path, as_version=4)
        problem = run(book, ROOT, hidden=arguments.write)
        seconds = time.monotonic() - began
        sys.stdout.write(f"{path.name}: {problem or 'runs'} ({seconds:.0f} s)\n")
        sys.stdout.flush()
        failed = failed or bool(problem)
        if arguments.write and not problem:
            write_text(nbformat.writes(without_metadata(book)) + "\n", path)
    return int(failed)


def run(book: NotebookNode, folder: Path, *, hidden: bool) -> str:
    """Run a notebook in place, in a kernel of this Python; return what is wrong, or an empty text.

    Parameters
    ----------
    book
        The notebook; its outputs are replaced.
    folder
        Working folder of the kernel.
    hidden
        Whether real data are hidden from it.
    """
    with tempfile.TemporaryDirectory() as scratch:
        environment = os.environ | QUIET | {"IPYTHONDIR": scratch}
        if hidden:
            environment["CINESEQ_DATA"] = HIDDEN
        client = NotebookClient(
            book, timeout=SECONDS_A_CELL, km=kernel(Path(scratch)), record_timing=False, coalesce_streams=True
        )
        try:
            client.execute(cwd=str(folder), env=environment, cleanup_kc=True)
        except CellExecutionError as error:
            return str(error)
    return stderr_of(book)


def kernel(folder: Path) -> AsyncKernelManager:
    """Return a manager of the kernel ``python3`` that runs this Python, whatever kernels the machine has."""
    spec = folder / "kernels/python3/kernel.json"
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    write_json({"argv": command, "display_name": "Python 3", "language": "python"}, spec)
    specs = KernelSpecManager(kernel_dirs=[str(spec.parents[1])], ensure_native_kernel=False)
    connection = str(folder / "connection.json")
    return AsyncKernelManager(
        kernel_name="python3", kernel_spec_manager=specs, transport="ipc", connection_file=connection
    )


def stderr_of(book: NotebookNode) -> str:
    """Return what the cells of a notebook wrote to standard error, where warnings are."""
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    return "\n".join(output["text"].strip() for output in outputs if output.get("name") == "stderr")


def without_metadata(book: NotebookNode) -> NotebookNode:
    """Return a notebook without what differs between machines and versions, its cells named by their number."""
    book.metadata = NotebookNode(
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        language_info={"name": "python"},
    )
    for number, cell in enumerate(book.cells, start=1):
        cell.id, cell.metadata = f"cell-{number}", NotebookNode()
        for output in cell.get("outputs", []):
            if "metadata" in output:
                output["metadata"] = NotebookNode()
    return book


if __name__ == "__main__":
    sys.exit(main())
