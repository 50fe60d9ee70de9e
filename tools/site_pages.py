"""Pages of the site that are made when it is built; a hook of mkdocs (``mkdocs.yml``).

The home page is README.md, CONTRIBUTING.md and CHANGELOG.md are pages too, and each room of the package has a page of
reference, whose content mkdocstrings reads from its docstrings.
"""

import ast
import re
from pathlib import Path
from typing import Any

from house import LAYERS, ROOT, House, package_of

COPIED = {"index.md": "README.md", "contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}

ROLE = re.compile(r":\w+:`(~?)([\w.]+)`")


def site_text(text: str) -> str:
    """Return a page of the top level as one of the site: links into ``docs/`` lead to pages beside it."""
    text = re.sub(r"\]\(docs/", "](", text)
    for target, source in COPIED.items():
        text = text.replace(f"]({source})", f"]({target})")
    return text


def reference_pages(root: Path = ROOT) -> dict[str, str]:
    """Return the text of each page of the reference by its path, the layers from above, each room by its name."""
    package = package_of(root)
    house = House.read(package)
    rooms = [room for layer in reversed(LAYERS) for room in sorted(layer) if room in house.rooms]
    pages = {}
    for room in rooms:
        file = package / room / "__init__.py" if (package / room).is_dir() else package / f"{room}.py"
        summary = (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").split("\n\n")[0]
        name = f"cineseq.{room}"
        pages[f"reference/{room}.md"] = f"# {name}\n\n::: {name}\n" if summary else f"# {name}\n"
    return pages


def with_unlisted(nav: list[dict[str, Any]], docs: Path) -> list[dict[str, Any]]:
    """Return the navigation with the pages that it does not name under "Guides", and the reference."""
    named = set(re.findall(r"[\w/-]+\.md", str(nav)))
    unlisted = sorted(path.name for path in docs.glob("*.md") if path.name not in named)
    added: dict[str, list[Any]] = {"Guides": unlisted, "Reference": list(reference_pages())}
    return [
        {title: part + added.get(title, []) if isinstance(part, list) else part}
        for e in nav
        for title, part in e.items()
    ]


def without_roles(text: str) -> str:
    """Return a docstring whose references, such as ``:class:`~a.B```, are the names that they stand for."""
    return ROLE.sub(lambda m: f"`{m[2].rsplit('.', 1)[-1] if m[1] else m[2]}`", text)


def on_config(config: Any) -> Any:
    """Complete the navigation."""
    config.nav = with_unlisted(config.nav, Path(config.docs_dir))
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that are made."""
    from mkdocs.structure.files import File  # noqa: PLC0415 - tests read this module without mkdocs

    made = {name: site_text((ROOT / source).read_text(encoding="utf-8")) for name, source in COPIED.items()}
    for name, text in (made | reference_pages()).items():
        files.append(File.generated(config, name, content=text))
    return files
