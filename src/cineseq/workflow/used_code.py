"""Follow the code that a script uses, definition by definition.

A definition is a statement at the top of a module that binds a name: a function, a class with all its methods, a
constant. It is used where its name occurs in another one that is used. What a module runs when it is imported, and
binds no name, is used wherever the module is imported.

Limits: what is reached through text only (``getattr`` with a name that is made up, a registry that fills itself by
decorators) is not seen, except for ``import_module`` with a package named in the same definition. A local variable with
the name of a definition counts as a use of it: too much is then followed, never too little.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

Chain = tuple[str, ...]
"""A dotted name in parts."""
NO_RESULT = frozenset({"__version__"})
"""Names whose value changes no result."""


@dataclass(frozen=True)
class Module:
    """The parts of one module.

    Attributes
    ----------
    names
        The statements that bind each name.
    always
        Statements that run on import and bind no name.
    imports
        What each name that an import binds, anywhere in the module, stands for.
    """

    names: dict[str, list[ast.stmt]] = field(default_factory=dict)
    always: list[ast.stmt] = field(default_factory=list)
    imports: dict[str, set[Chain]] = field(default_factory=dict)


@cache
def module_of(path: Path) -> Module:
    """Return the parts of the module in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    module = Module()
    for node in _statements(tree):
        _drop_texts(node)
        for name, target in _imported(node):
            module.imports.setdefault(name, set()).add(target)
    for statement in tree.body:
        bound = set(_bound(statement))
        for name in bound:
            module.names.setdefault(name, []).append(statement)
        if not bound and not _is_silent(statement):
            module.always.append(statement)
    return module


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and the statements in it at any depth; expressions hold neither imports nor docstrings."""
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        yield node
        for block in ("body", "orelse", "finalbody", "handlers", "cases"):
            found = getattr(node, block, ())
            todo.extend(found if isinstance(found, list) else ())


def _drop_texts(node: ast.AST) -> None:
    """Remove docstrings, also those below assignments, from the body of a node."""
    body = getattr(node, "body", None)
    if isinstance(body, list):
        kept = [s for s in body if not (isinstance(s, ast.Expr) and _is_text(s.value))]
        node.body = kept or ([] if isinstance(node, ast.Module) else [ast.Pass()])  # type: ignore[attr-defined]


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _imported(node: ast.AST) -> Iterator[tuple[str, Chain]]:
    """Yield the names that an import binds, and what they stand for."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            parts = tuple(alias.name.split("."))
            yield (alias.asname, parts) if alias.asname else (parts[0], parts[:1])
            yield "", parts  # imported, whatever it is called
    elif isinstance(node, ast.ImportFrom) and node.module:
        parts = tuple(node.module.split("."))
        for alias in node.names:
            yield alias.asname or alias.name, (*parts, alias.name)


def _bound(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement binds, other than by imports."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif not isinstance(statement, ast.Import | ast.ImportFrom):
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                yield node.name


def _is_silent(statement: ast.stmt) -> bool:
    """Whether a statement does nothing when a module is imported: imports are followed by their names."""
    is_typing = isinstance(statement, ast.If) and ast.unparse(statement.test).endswith("TYPE_CHECKING")
    return is_typing or isinstance(statement, ast.Import | ast.ImportFrom | ast.Pass)


Node = tuple[Path, str]
"""A module and a name in it; no name for what it runs on import, ``*`` for all of it."""


@dataclass(frozen=True)
class Package:
    """The package that is followed: the folder that contains it, and its name."""

    source: Path
    name: str

    def used_by(self, script: Path) -> dict[tuple[str, str], str]:
        """Return the text of each definition that a script uses, by the module and the name; the script is ``""``."""
        todo, seen = [(script, "*"), (script, "")], set()
        while todo:
            node = todo.pop()
            if node not in seen:
                seen.add(node)
                todo += self._parts(*node)[1]
        # Nothing tells the place of the folder, or what a script is called.
        inside = str(self.source / self.name)
        places = {node: str(node[0])[len(inside) :] if str(node[0]).startswith(inside) else "" for node in seen}
        found = {(places[node], node[1]): self._parts(*node)[0] for node in seen}
        return {place: text for place, text in found.items() if text}

    @cache  # noqa: B019 - few packages
    def _parts(self, path: Path, name: str) -> tuple[str, frozenset[Node]]:
        """Return the text of a node, and the nodes that it uses."""
        module = module_of(path)
        if name == "*":
            return "", frozenset((path, each) for each in module.names if each not in NO_RESULT)
        text, chains, texts = _followed(module.names[name] if name else module.always)
        nodes = {(path, "")}
        if not name:
            targets = {target for found in module.imports.values() for target in found}
            nodes |= {(file, "") for target in targets for file in self._files(target)}
        for chain in chains:
            found, others = self._meant(path, chain)
            nodes |= found
            text += others
        for package in texts if ("import_module",) in chains else ():
            nodes |= self._all_below(package)
        return text, frozenset(nodes)

    @cache  # noqa: B019 - few packages
    def _files(self, parts: Chain) -> tuple[Path, ...]:
        """Return the files of the packages and the module that a dotted name begins with."""
        found: list[Path] = []
        for end in range(1, len(parts) + 1) if parts[0] == self.name else ():
            base = self.source.joinpath(*parts[:end])
            file = next((p for p in (base / "__init__.py", base.with_suffix(".py")) if p.is_file()), None)
            if file is None:
                break
            found.append(file)
        return tuple(found)

    def _meant(self, path: Path, chain: Chain) -> tuple[set[Node], str]:
        """Return what a dotted name in a module stands for: nodes, and the names of what is in other packages."""
        module, name = module_of(path), chain[0]
        nodes, others = set(), []
        if name in module.names and name not in NO_RESULT:
            nodes.add((path, name))
        for target in sorted(module.imports.get(name, ())):
            full = (*target, *chain[1:])
            files = self._files(full)
            if not files:
                others.append(".".join(target))
                continue
            rest = full[len(files) :]
            more, far = self._within(files[-1], rest) if rest else ({(files[-1], "*")}, "")
            nodes |= {(files[-1], ""), *more}
            others.append(far)
        return nodes, " ".join(others)

    def _within(self, path: Path, rest: Chain) -> tuple[set[Node], str]:
        module = module_of(path)
        if rest[0] in module.names or rest[0] in module.imports:
            return self._meant(path, rest)
        return ({(path, "*")} if "__getattr__" in module.names else set()), ""

    def _all_below(self, package: str) -> set[Node]:
        """Return every module of a package that is named in a text."""
        parts = tuple(package.split("."))
        if len(parts) < 2 or len(self._files(parts)) < len(parts):
            return set()
        return {(path, "*") for path in self.source.joinpath(*parts).rglob("*.py")}


def _followed(statements: list[ast.stmt]) -> tuple[str, list[Chain], list[str]]:
    """Return the text of statements, the dotted names in them, and the texts in them that may be dotted names."""
    chains: set[Chain] = set()
    texts: set[str] = set()
    todo: list[ast.AST] = [*statements]
    while todo:
        node = todo.pop()
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if isinstance(node, ast.Name):
            chains.add((node.id, *reversed(parts)))
        elif isinstance(node, ast.Constant):
            texts |= {node.value.strip(".")} if isinstance(node.value, str) else set()
        else:
            todo.extend(ast.iter_child_nodes(node))
    return "".join(map(ast.dump, statements)), sorted(chains), sorted(texts)


def forget() -> None:
    """Read files again: a process that plans reads each once."""
    module_of.cache_clear()
    Package._parts.cache_clear()
    Package._files.cache_clear()
