"""The site holds every page of docs/ and every component of the package, and asks for nothing from elsewhere."""

import re
from pathlib import Path

import pytest
import yaml
from house import ROOT, House, package_of
from site_pages import COPIED, reference_pages, site_text, with_unlisted, without_roles

PAGES = sorted((ROOT / "docs").glob("*.md"))
CONFIG = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


def anchors(text: str) -> set[str]:
    """Return the anchors of the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def broken_links(path: Path) -> list[str]:
    """Return the links of a page to files, or headings of pages, that are not there."""
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        file, _, anchor = link.partition("#")
        target = path.parent / file if file else path
        if "://" in link or (target.exists() and (not anchor or anchor in anchors(target.read_text("utf-8")))):
            continue
        broken.append(link)
    return broken


@pytest.mark.parametrize("path", [*PAGES, *(ROOT / name for name in COPIED.values())], ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    assert broken_links(path) == []


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# One heading")
    page = tmp_path / "page.md"
    page.write_text("# Here\n[a](other.md#one-heading) [b](other.md#two) [c](none.md) [d](#here) [e](#there)")
    assert broken_links(page) == ["other.md#two", "none.md", "#there"]


def test_every_page_and_every_component_is_in_the_navigation() -> None:
    nav = str(with_unlisted(CONFIG["nav"], ROOT / "docs"))
    assert [path.name for path in PAGES if f"'{path.name}'" not in nav] == []
    assert [
        component for component in House.read(package_of(ROOT)).components if f"'reference/{component}.md'" not in nav
    ] == []


def test_a_page_that_the_navigation_does_not_name_is_a_guide(tmp_path: Path) -> None:
    for name in ("inputs.md", "new.md"):
        (tmp_path / name).touch()
    nav = with_unlisted([{"Home": "index.md"}, {"Guides": [{"Inputs": "inputs.md"}]}], tmp_path)
    assert nav == [{"Home": "index.md"}, {"Guides": [{"Inputs": "inputs.md"}, "new.md"]}]


def test_the_home_page_is_the_readme_with_links_of_the_site() -> None:
    text = "![a](docs/images/a.png) [b](docs/inputs.md) [c](CONTRIBUTING.md)"
    assert site_text(text) == "![a](images/a.png) [b](inputs.md) [c](contributing.md)"


def test_pages_of_reference_name_their_package() -> None:
    assert reference_pages()["reference/tracking.md"] == "# cineseq.tracking\n\n::: cineseq.tracking\n"


def test_nothing_is_fetched() -> None:
    assert CONFIG["theme"]["font"] is False
    assert [name if isinstance(name, str) else next(iter(name)) for name in CONFIG["plugins"]] == [
        "search",
        "mkdocstrings",
    ]
    assert CONFIG["plugins"][1]["mkdocstrings"]["handlers"]["python"]["inventories"] == []


def test_roles_become_code() -> None:
    text = ":class:`~cineseq.errors.UserError` of :data:`a.B` in ``code``"
    assert without_roles(text) == "`UserError` of `a.B` in ``code``"
