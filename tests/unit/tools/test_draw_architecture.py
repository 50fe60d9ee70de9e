"""The drawing of the package is in step with its imports."""

import html
import json
import re
from pathlib import Path

from draw_architecture import PICTURE, draw, drawn, graph_of, places
from house import LAYERS, ROOT, House, package_of

GRAPH = graph_of(House.read(package_of(ROOT)))
AGAIN = "docs/images/architecture.svg is out of step; run `make config`"


def content_of(path: Path) -> tuple[dict[str, list[str]], set[str]]:
    """Return the graph that a drawing was made of, and the names in its boxes."""
    text = path.read_text(encoding="utf-8")
    said = re.search(r"<dc:description>(.*?)</dc:description>", text, re.DOTALL)
    return json.loads(html.unescape(said[1])), set(re.findall(r"<text [^>]*>(\w+)</text>", text))


def test_the_drawing_shows_the_components_and_imports_of_today() -> None:
    graph, names = content_of(PICTURE)
    assert graph == GRAPH, AGAIN
    assert names == set(GRAPH), AGAIN


def test_the_page_shows_the_drawing_and_names_every_component() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    assert "images/architecture.svg" in page
    assert [component for component in GRAPH if f"`{component}`" not in page] == []


def test_a_drawing_of_another_graph_is_another_drawing(tmp_path: Path) -> None:
    graph = {"report": ["lineage", "tracking"], "lineage": ["tracking"], "tracking": []}
    draw(graph, tmp_path / "a.svg")
    assert content_of(tmp_path / "a.svg") == (graph, set(graph))


def test_an_arrow_that_a_longer_way_replaces_is_left_out() -> None:
    graph = {"report": ["lineage", "tracking", "text"], "lineage": ["tracking"], "tracking": ["text"], "text": []}
    assert drawn(graph) == [("report", "lineage"), ("lineage", "tracking")]


def test_each_component_has_a_place_of_its_own_and_its_layer_s_height() -> None:
    where = places(GRAPH)
    assert sorted(where) == sorted(GRAPH)
    assert len(set(where.values())) == len(where)
    for layer in LAYERS:
        assert len({where[component][1] for component in layer if component in where}) <= 1
