"""Pages that are generated when the site is built; a hook of mkdocs (``mkdocs.yml``).

README.md becomes the home page, and CONTRIBUTING.md and CHANGELOG.md become pages. Each component of the package has a
reference page, which mkdocstrings fills from the docstrings.
"""

import ast
import re
from pathlib import Path
from typing import Any

from house import LAYERS, ROOT, House, package_of

COPIED = {"index.md": "README.md", "contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}

ROLE = re.compile(r":\w+:`(~?)([\w.]+)`")


def site_text(text: str) -> str:
    """Return the text of a top-level page for the site, with links into ``docs/`` made relative."""
    text = re.sub(r"\]\(docs/", "](", text)
    for target, source in COPIED.items():
        text = text.replace(f"]({source})", f"]({target})")
    return text


def reference_pages(root: Path = ROOT) -> dict[str, str]:
    """Return the text of each reference page by its path, from the top layer down, components in alphabetical order."""
    package = package_of(root)
    house = House.read(package)
    components = [
        component for layer in reversed(LAYERS) for component in sorted(layer) if component in house.components
    ]
    pages = {}
    for component in components:
        file = package / component / "__init__.py" if (package / component).is_dir() else package / f"{component}.py"
        summary = (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").split("\n\n")[0]
        name = f"cineseq.{component}"
        pages[f"reference/{component}.md"] = f"# {name}\n\n::: {name}\n" if summary else f"# {name}\n"
    return pages


def with_unlisted(nav: list[dict[str, Any]], docs: Path) -> list[dict[str, Any]]:
    """Return the navigation with unlisted pages added under "Guides", and with the reference."""
    named = set(re.findall(r"[\w/-]+\.md", str(nav)))
    unlisted = sorted(path.name for path in docs.glob("*.md") if path.name not in named)
    added: dict[str, list[Any]] = {"Guides": unlisted, "Reference": list(reference_pages())}
    return [
        {title: part + added.get(title, []) if isinstance(part, list) else part}
        for e in nav
        for title, part in e.items()
    ]


def without_roles(text: str) -> str:
    """Return a docstring with its references, such as ``:class:`~a.B```, replaced by names."""
    return ROLE.sub(lambda m: f"`{m[2].rsplit('.', 1)[-1] if m[1] else m[2]}`", text)


def on_config(config: Any) -> Any:
    """Complete the navigation."""
    config.nav = with_unlisted(config.nav, Path(config.docs_dir))
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages."""
    from mkdocs.structure.files import File  # noqa: PLC0415 - tests read this module without mkdocs

    made = {name: site_text((ROOT / source).read_text(encoding="utf-8")) for name, source in COPIED.items()}
    for name, text in (made | reference_pages()).items():
        files.append(File.generated(config, name, content=text))
    return files
