"""Content fingerprints of the code that a rule runs.

Snakemake's own ``code`` trigger looks at times and does not see imported modules; this looks at content and does.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from cineseq.files import digest

SOURCE = Path(__file__).resolve().parents[2]
"""Folder that contains the package."""

PACKAGE = "cineseq"


def fingerprint(script: Path, templates: str | None = None) -> str:
    """Hash the syntax trees of a script and of every package module that it imports, directly or not.

    Comments, layout, docstrings and file times do not count.

    Parameters
    ----------
    script
        The file of the script.
    templates
        Folder of template files in the package, such as ``report/templates``; their content counts too.

    Returns
    -------
    str
        Twelve hexadecimal digits.
    """
    todo, seen = [script], set()
    while todo:
        path = todo.pop()
        if path not in seen:
            seen.add(path)
            todo.extend(_module(path)[1])
    content = [_module(path)[0].encode() for path in [script, *sorted(seen - {script})]]
    content += [path.read_bytes() for path in sorted((SOURCE / PACKAGE / templates).iterdir())] if templates else []
    return digest(b"".join(content))[:12]


@cache
def _module(path: Path) -> tuple[str, tuple[Path, ...]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imports: set[Path] = set()
    for node in _statements(tree):
        imports.update(_imported(node))
        _drop_docstring(node)
    return ast.dump(tree), tuple(sorted(imports))


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield a module and its statements at any depth.

    Expressions, which are most of the nodes, contain neither imports nor docstrings and are skipped for speed.
    """
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        yield node
        for block in ("body", "orelse", "finalbody", "handlers", "cases"):
            todo.extend(getattr(node, block, ()))


def _imported(node: ast.AST) -> list[Path]:
    names: list[str] = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module:
        names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    found = []
    for name in names:
        if name.split(".")[0] == PACKAGE:
            base = SOURCE / name.replace(".", "/")
            found += [p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()]
    return found


def _drop_docstring(node: ast.AST) -> None:
    body = getattr(node, "body", None)
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and body and isinstance(body[0], ast.Expr):
        value = body[0].value
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            node.body = body[1:] or [ast.Pass()]
