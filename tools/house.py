"""What the package is made of and what imports what, read from its source: nothing is imported.

A room is a package directly in ``cineseq``, or a module there that is no package: ``tracking/imports`` is in the room
``tracking``. Used by the test of the layers, by ``count_house.py`` and by ``draw_architecture.py``.
"""

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Ground floor up: a room imports from lower layers only.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("deprecation", "errors", "files", "progress", "statistics", "text"),
    ("config", "plotting", "tables"),
    ("io", "models", "simulate"),
    ("curation", "expression", "features", "preprocessing", "segmentation", "tracking", "workflow"),
    ("evaluation", "pairing", "prediction", "training"),
    ("crossmodal", "external", "lineage"),
    ("report",),
    ("api",),
)


@dataclass(frozen=True)
class Module:
    """One module: its dotted name below ``cineseq``, its lines, the names that it imports, its classes."""

    name: str
    lines: int
    imports: tuple[str, ...]
    classes: tuple[str, ...]

    @property
    def room(self) -> str:
        """The room that the module is in; the package's own ``__init__`` is in none."""
        return self.name.split(".")[0]


@dataclass(frozen=True)
class House:
    """The modules of a package."""

    modules: tuple[Module, ...]

    @classmethod
    def read(cls, package: Path) -> "House":
        """Parse every module of a package."""
        return cls(tuple(_module(path, package) for path in sorted(package.rglob("*.py"))))

    @cached_property
    def rooms(self) -> list[str]:
        """The rooms, in alphabetical order."""
        return sorted({module.room for module in self.modules} - {""})

    @cached_property
    def edges(self) -> Counter[tuple[str, str]]:
        """How many import statements lead from one room to another."""
        found: Counter[tuple[str, str]] = Counter()
        for module in self.modules:
            for name in module.imports:
                room = name.split(".")[0]
                if module.room and room in self.rooms and room != module.room:
                    found[module.room, room] += 1
        return found

    @property
    def mutual(self) -> list[tuple[str, str]]:
        """Pairs of rooms that import each other."""
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
        """Groups of rooms that can all be reached from each other."""
        reach = {room: self._reached(room) for room in self.rooms}
        groups = {tuple(sorted({a} | {b for b in reach[a] if a in reach[b]})) for a in self.rooms if a in reach[a]}
        return sorted(list(group) for group in groups)

    def _reached(self, room: str) -> set[str]:
        seen: set[str] = set()
        todo = [room]
        while todo:
            after = {b for a, b in self.edges if a == todo[-1]} - seen
            todo.pop()
            seen |= after
            todo += after
        return seen

    @property
    def depths(self) -> dict[str, int]:
        """The lowest layer on which each room can stand; rooms of one cycle stand together."""
        together = {room: set(group) for group in self.cycles for room in group}
        depth = dict.fromkeys(self.rooms, 1)
        for _ in self.rooms:
            for a, b in self.edges:
                for room in together.get(a, {a}) if b not in together.get(a, set()) else ():
                    depth[room] = max(depth[room], depth[b] + 1)
        return depth

    def faults(self, layers: Iterable[tuple[str, ...]] = LAYERS) -> list[str]:
        """Return one sentence per break of the rules of the house."""
        floor = {room: number for number, layer in enumerate(layers, 1) for room in layer}
        found = [
            f"{room} is on no layer; add it to LAYERS in tools/house.py" for room in self.rooms if room not in floor
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
    """Return one sentence per script that not exactly one rule runs, and per rule whose script is not there."""
    named = Counter(
        name
        for path in sorted(rules.glob("*.smk"))
        for name in re.findall(r'"[^"\n]*scripts/([\w]+\.py)"', path.read_text(encoding="utf-8"))
    )
    there = {path.name for path in scripts.glob("*.py")}
    found = [
        f"scripts/{name} is run by {named[name]} rules; it is to be run by one"
        for name in sorted(there)
        if named[name] != 1
    ]
    return found + [f"scripts/{name} is named by a rule and is not there" for name in sorted(named.keys() - there)]


def package_of(checkout: Path) -> Path:
    """Return the package's folder in a checkout: where it is, or where it was before it was installed."""
    return next(p for p in (checkout / "src/cineseq", checkout / "scripts/cineseq") if p.is_dir())
