"""The components of the package and the imports between them, read from the source without importing it.

A component is a package or a module directly in ``cineseq``: ``tracking/imports`` belongs to ``tracking``.
Also the numbers that modules format by hand. Used by the test of the layers, ``count_house.py`` and
``draw_architecture.py``.
"""

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# From the bottom up: a component imports from lower layers only.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("deprecation", "errors", "files", "progress", "text"),
    ("config", "plotting", "statistics", "tables"),
    ("io", "models", "simulate"),
    ("curation", "expression", "features", "preprocessing", "segmentation", "tracking", "workflow"),
    ("evaluation", "pairing", "prediction", "training"),
    ("crossmodal", "external", "lineage"),
    ("generative",),
    ("report",),
    ("api",),
)


@dataclass(frozen=True)
class Module:
    """One module: its dotted name below ``cineseq``, its number of lines, the names that it imports, its classes."""

    name: str
    lines: int
    imports: tuple[str, ...]
    classes: tuple[str, ...]

    @property
    def component(self) -> str:
        """The component of the module; that of the ``__init__`` of ``cineseq`` is empty."""
        return self.name.split(".")[0]


@dataclass(frozen=True)
class House:
    """The modules of a package, with the imports between its components."""

    modules: tuple[Module, ...]

    @classmethod
    def read(cls, package: Path) -> "House":
        """Parse every module of a package."""
        return cls(tuple(_module(path, package) for path in sorted(package.rglob("*.py"))))

    @cached_property
    def components(self) -> list[str]:
        """The components, in alphabetical order."""
        return sorted({module.component for module in self.modules} - {""})

    @cached_property
    def edges(self) -> Counter[tuple[str, str]]:
        """The number of import statements from one component to another."""
        found: Counter[tuple[str, str]] = Counter()
        for module in self.modules:
            for name in module.imports:
                component = name.split(".")[0]
                if module.component and component in self.components and component != module.component:
                    found[module.component, component] += 1
        return found

    @property
    def mutual(self) -> list[tuple[str, str]]:
        """Pairs of components that import each other."""
        return sorted(pair for pair in self.edges if pair[0] < pair[1] and pair[::-1] in self.edges)

    @property
    def class_names_used_twice(self) -> dict[str, list[str]]:
        """The modules of every class name that more than one class has."""
        where = defaultdict(list)
        for module in self.modules:
            for name in module.classes:
                where[name].append(module.name)
        return {name: modules for name, modules in sorted(where.items()) if len(modules) > 1}

    @property
    def cycles(self) -> list[list[str]]:
        """Groups of components that can all be reached from each other."""
        reach = {component: self._reached(component) for component in self.components}
        groups = {tuple(sorted({a} | {b for b in reach[a] if a in reach[b]})) for a in self.components if a in reach[a]}
        return sorted(list(group) for group in groups)

    def _reached(self, component: str) -> set[str]:
        seen: set[str] = set()
        todo = [component]
        while todo:
            after = {b for a, b in self.edges if a == todo[-1]} - seen
            todo.pop()
            seen |= after
            todo += after
        return seen

    @property
    def depths(self) -> dict[str, int]:
        """The lowest possible layer of each component; components of a cycle are on the same layer."""
        together = {component: set(group) for group in self.cycles for component in group}
        depth = dict.fromkeys(self.components, 1)
        for _ in self.components:
            for a, b in self.edges:
                for component in together.get(a, {a}) if b not in together.get(a, set()) else ():
                    depth[component] = max(depth[component], depth[b] + 1)
        return depth

    def faults(self, layers: Iterable[tuple[str, ...]] = LAYERS) -> list[str]:
        """Return one sentence for each violation of the rules."""
        floor = {component: number for number, layer in enumerate(layers, 1) for component in layer}
        found = [
            f"{component} is on no layer; add it to LAYERS in tools/house.py"
            for component in self.components
            if component not in floor
        ]
        found += [
            f"{a} (layer {floor[a]}) imports {b} (layer {floor[b]}); imports lead to lower layers only"
            for a, b in sorted(self.edges)
            if floor.get(a, 0) and floor.get(b, 0) >= floor.get(a, 0)
        ]
        found += [f"these import each other in a cycle: {', '.join(group)}" for group in self.cycles]
        found += [
            f"the class name {name} is used twice, in {' and '.join(modules)}; give one of them another name"
            for name, modules in self.class_names_used_twice.items()
        ]
        return found


def _module(path: Path, package: Path) -> Module:
    parts = path.relative_to(package).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    name = ".".join(parts[:-1] if is_package else parts)
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    within = parts[:-1]  # the package that relative imports start from
    imports: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports += [a.name.removeprefix("cineseq.") for a in node.names if a.name.startswith("cineseq.")]
        elif isinstance(node, ast.ImportFrom):
            imports += _imported(node, within)
    classes = tuple(node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    return Module(name, len(text.splitlines()), tuple(imports), classes)


def _imported(node: ast.ImportFrom, within: tuple[str, ...]) -> list[str]:
    """Return what a ``from`` import names, below ``cineseq``: the module, or the names where it is the package."""
    named = node.module.split(".") if node.module else []
    if node.level:
        parts = [*within[: len(within) - node.level + 1], *named]
    elif named[:1] == ["cineseq"]:
        parts = named[1:]
    else:
        return []
    return [".".join(parts)] if parts else [alias.name for alias in node.names]


def scripts_without_rule(scripts: Path, rules: Path) -> list[str]:
    """Return one sentence for each script that not exactly one rule runs, and each rule whose script is missing."""
    named = Counter(
        name
        for path in sorted(rules.glob("*.smk"))
        for name in re.findall(r'"[^"\n]*scripts/([\w]+\.py)"', path.read_text(encoding="utf-8"))
    )
    there = {path.name for path in scripts.glob("*.py")}
    found = [
        f"scripts/{name} is run by {named[name]} rules; exactly one should run it"
        for name in sorted(there)
        if named[name] != 1
    ]
    return found + [f"scripts/{name} is named by a rule but does not exist" for name in sorted(named.keys() - there)]


def unmatched_tests(tests: Path, checkout: Path = ROOT) -> list[str]:
    """Return one sentence for each unit test that is named after nothing in the folder that it mirrors.

    A file ``test_x.py`` in ``tests/unit/package/`` is named after a module ``x`` of the package, after the package
    itself where it is about several modules, or after a program ``x`` of ``scripts/`` or ``tools/``. The folder
    ``repository`` holds tests of what is in no package: documents, installation, the wheel.
    """
    package = package_of(checkout)
    programs = {path.stem for folder in ("scripts", "tools") for path in (checkout / folder).glob("*.py")}
    found = []
    for path in sorted(tests.rglob("test_*.py")):
        folder, name = path.parent.relative_to(tests), path.stem.removeprefix("test_")
        if folder.parts[:1] == ("repository",):
            continue
        mirrored = package / folder if (package / folder).is_dir() else checkout / folder
        there = {entry.stem for entry in mirrored.iterdir() if entry.suffix == ".py" or entry.is_dir()}
        if name not in there | programs | {folder.name}:
            found.append(
                f"{(folder / path.name).as_posix()} is named after no module of {mirrored.name}/ and no program"
            )
    return found


# Modules that format numbers themselves: the one that does it for all, and the writer of tables for programs.
FORMATTERS = ("text", "tables.contract")
_SPEC = r"[<>=^+\- #0-9,_]*(?:\.\d+[eEfFgGn%]?|[eEfFgGn%])"
_IN_BRACES = re.compile(r"\{[^{}:]*:(" + _SPEC + r")\}")
_AFTER_PERCENT = re.compile(r"%[-+#0]*\d*(?:\.\d+)?[eEfFgG]\b")


def numbers_written_by_hand(package: Path, formatters: Iterable[str] = FORMATTERS) -> list[str]:
    """Return one sentence for each decimal or percentage that a module or template formats without ``cineseq.text``.

    It sees format specifications such as ``.2f``, ``g`` and ``.0%`` in f-strings, in ``format``, and in texts that are
    filled in later, by ``str.format``, by ``%`` or by logging.
    """
    found = []
    for path in sorted([*package.rglob("*.py"), *package.rglob("*.html")]):
        name = ".".join(path.relative_to(package).with_suffix("").parts)
        if name not in formatters:
            text = path.read_text(encoding="utf-8")
            specs = _specs_of_module(ast.parse(text)) if path.suffix == ".py" else _specs_of_text(text)
            found += [
                f"{name}, line {line}: a number is formatted by '{spec}'; use cineseq.text"
                for line, spec in sorted(set(specs))
            ]
    return found


def _specs_of_module(tree: ast.Module) -> Iterable[tuple[int, str]]:
    """Yield the line and the format specification of each number that a module formats."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FormattedValue) and isinstance(node.format_spec, ast.JoinedStr):
            parts = [v.value if isinstance(v, ast.Constant) else "0" for v in node.format_spec.values]
            spec = "".join(map(str, parts))
            if re.fullmatch(_SPEC, spec):
                yield node.lineno, spec
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from ((node.lineno + line - 1, spec) for line, spec in _specs_of_text(node.value))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "format":
            specs = [str(spec.value) for spec in node.args[1:] if isinstance(spec, ast.Constant)]
            yield from ((node.lineno, spec) for spec in specs if re.fullmatch(_SPEC, spec))


def _specs_of_text(text: str) -> Iterable[tuple[int, str]]:
    """Yield the line, from 1, and the specification of each number that is to be filled into a text."""
    for line, content in enumerate(text.splitlines(), 1):
        yield from ((line, match.group(1)) for match in _IN_BRACES.finditer(content))
        yield from ((line, match.group()) for match in _AFTER_PERCENT.finditer(content))


def package_of(checkout: Path) -> Path:
    """Return the folder of the package in a checkout, also in one with the former layout."""
    return next(p for p in (checkout / "src/cineseq", checkout / "scripts/cineseq") if p.is_dir())
