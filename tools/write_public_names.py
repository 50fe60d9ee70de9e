"""Write every public name into ``docs/public-names.txt``; ``docs/compatibility.md`` states what is promised.

A name can be dropped only if it is in the table of old names of that page; otherwise nothing is written.
"""

import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

import cineseq
from cineseq.config.schema import Config, model_of
from cineseq.files import write_text
from cineseq.report.dictionary import every_table
from cineseq.workflow.sample_sheet import COLUMNS
from cineseq.workflow.study import open_study
from cineseq.workflow.targets import targets

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "docs/public-names.txt"
PAGE = ROOT / "docs/compatibility.md"


def public_names() -> dict[str, list[str]]:
    """Return the public names by kind."""
    return {
        "functions of cineseq": sorted(python_names(cineseq)),
        "keys of the configuration": sorted(config_keys(Config)),
        "columns of the sample sheet": sorted(COLUMNS),
        "columns of tables": sorted(
            f"{table.name}.{column.name}" for table in every_table() for column in table.columns
        ),
        "paths of results": sorted(result_paths()),
        "rules and targets": sorted(rules()),
    }


def python_names(module: Any) -> Iterator[str]:
    """Yield the names that a module exports, with the arguments of functions and the fields of classes."""
    for name in getattr(module, "__all__", ()):
        value = getattr(module, name)
        yield name
        if is_dataclass(value):
            yield from (f"{name}.{field.name}" for field in fields(value))
        elif inspect.isfunction(value):
            yield from (f"{name}({parameter})" for parameter in inspect.signature(value).parameters)


def config_keys(model: type[BaseModel], place: str = "") -> Iterator[str]:
    """Yield the dotted names of all keys below a model."""
    for name, info in model.model_fields.items():
        inner = model_of(info.annotation)
        # The run is a section, or its name alone.
        if inner is None or info.json_schema_extra:
            yield f"{place}{name}"
        if inner is not None:
            yield from config_keys(inner, f"{place}{name}.")


def result_paths() -> set[str]:
    """Return the result paths of the demo, which makes every result."""
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    study = open_study({**config, "samples": str(ROOT / config["samples"])}, [])
    files = [path for target in targets(study).values() for path in target.files]
    return {re.sub(r"/fov/[^/]+/[^/]+/", "/fov/{sample}/{fov}/", path).removeprefix("<results>/") for path in files}


def rules() -> set[str]:
    """Return the names of all rules, including targets."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "rules").glob("*.smk")]
    return {name for text in texts for name in re.findall(r"^ *rule (\w+):", text, re.MULTILINE)}


def as_text(names: dict[str, list[str]]) -> str:
    """Return the list as text: a heading per kind, a name per line."""
    head = "# Every public name; written by `make config`. docs/compatibility.md says what is promised of them.\n"
    return head + "".join(f"\n## {kind}\n" + "".join(f"{name}\n" for name in listed) for kind, listed in names.items())


def read_names(text: str) -> set[tuple[str, str]]:
    """Return each name in a list with its kind."""
    found, kind = set(), ""
    for line in text.splitlines():
        if line.startswith("## "):
            kind = line.removeprefix("## ")
        elif line and not line.startswith("#"):
            found.add((kind, line))
    return found


def old_names(page: str) -> list[str]:
    """Return the names in the first column of the table of old names."""
    table = page.partition("| old name |")[2]
    return re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)


def dropped(before: str, after: str, old: list[str]) -> list[str]:
    """Return the names that a new list lacks and that are not covered by the table of old names."""
    gone = sorted(name for _, name in read_names(before) - read_names(after))
    return [name for name in gone if not any(name == o or name.startswith((f"{o}.", f"{o}(")) for o in old)]


def main() -> int:
    """Write the list, or report the names that it would drop."""
    before = LIST.read_text(encoding="utf-8") if LIST.is_file() else ""
    after = as_text(public_names())
    gone = dropped(before, after, old_names(PAGE.read_text(encoding="utf-8")))
    if gone:
        sys.stderr.write(
            f"docs/public-names.txt would lose {', '.join(gone)}; keep the old names, deprecated, and add them to the "
            "table of old names in docs/compatibility.md.\n"
        )
        return 1
    write_text(after, LIST)
    return 0


if __name__ == "__main__":
    sys.exit(main())
