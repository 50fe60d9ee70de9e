"""Draw the components of the package on their layers, from its imports: ``docs/images/architecture.svg``.

To keep the drawing readable, it omits arrows to the two lowest layers, which all others use, and arrows that a longer
path replaces. The description of the image holds the whole graph; a test compares it with the package, whatever the
version of matplotlib.
"""

import json
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")

import matplotlib.pyplot as plt
from house import LAYERS, ROOT, House, package_of
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from cineseq.files import replacing

PICTURE = ROOT / "docs/images/architecture.svg"
WIDTH, HEIGHT, LAYER, STEP = 1.12, 0.42, 1.25, 1.5
USED_BY_ALL = {component for layer in LAYERS[:2] for component in layer}
SWEEPS = 8
COLOURS = ("#eceff4", "#dfe7f0", "#d2e0ec", "#c5d8e8", "#b8d0e3", "#abc8df", "#9ec0da", "#91b8d6", "#84b0d1")
Place = tuple[float, float]


def graph_of(house: House) -> dict[str, list[str]]:
    """Return the components that each component imports."""
    return {component: sorted(b for a, b in house.edges if a == component) for component in house.components}


def drawn(graph: dict[str, list[str]]) -> list[tuple[str, str]]:
    """Return the imports that no path through another component replaces (the transitive reduction)."""

    def below(component: str) -> set[str]:
        return set(graph[component]).union(*(below(other) for other in graph[component]))

    ways = [(a, b) for a in graph for b in graph[a] if not any(b in below(other) for other in graph[a])]
    return [(a, b) for a, b in ways if b not in USED_BY_ALL]


def places(graph: dict[str, list[str]]) -> dict[str, Place]:
    """Return the position of each component: layers from the bottom up, connected components near each other."""
    layers = [sorted(component for component in layer if component in graph) for layer in LAYERS]
    layers = [layer for layer in layers if layer]
    joined = drawn(graph)
    where = {component: place for floor, layer in enumerate(layers) for component, place in _row(layer, floor).items()}
    # Barycentre heuristic: each layer in turn is sorted by the mean position of the neighbours of its components.
    for sweep in range(SWEEPS):
        numbered = list(enumerate(layers))
        for floor, layer in numbered if sweep % 2 else reversed(numbered):
            layers[floor] = sorted(layer, key=lambda component: _mean_position(component, joined, where))
            where |= _row(layers[floor], floor)
    return where


def _row(components: list[str], floor: int) -> dict[str, Place]:
    return {
        component: (STEP * (number - (len(components) - 1) / 2), LAYER * floor)
        for number, component in enumerate(components)
    }


def _mean_position(component: str, joined: list[tuple[str, str]], where: dict[str, Place]) -> float:
    others = [where[b if a == component else a][0] for a, b in joined if component in (a, b)]
    return sum(others) / len(others) if others else where[component][0]


def draw(graph: dict[str, list[str]], path: Path) -> None:
    """Draw the boxes and arrows and write them as SVG, with the graph as its description."""
    where = places(graph)
    figure, axes = plt.subplots(figsize=(11, 8.4), layout="constrained")
    for above, below in drawn(graph):
        _arrow(axes, where[above], where[below])
    for component, place in where.items():
        _box(axes, component, place)
    axes.text(0, -0.62, "every layer uses the two lowest: those arrows are not drawn", ha="center", color="#40566b")
    axes.set_xlim(-5.4, 5.4)
    axes.set_ylim(-0.8, max(y for _, y in where.values()) + 0.5)
    axes.axis("off")
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "architecture"}), replacing(path) as temporary:
        figure.savefig(temporary, metadata={"Date": None, "Description": json.dumps(graph, sort_keys=True)})
    plt.close(figure)


def _box(axes: Axes, component: str, place: Place) -> None:
    floor = round(place[1] / LAYER)
    corner = (place[0] - WIDTH / 2, place[1] - HEIGHT / 2)
    style = "round,pad=0.06,rounding_size=0.08"
    axes.add_patch(FancyBboxPatch(corner, WIDTH, HEIGHT, boxstyle=style, facecolor=COLOURS[floor], edgecolor="#40566b"))
    axes.text(*place, component, ha="center", va="center", fontsize=11, family="sans-serif")


def _arrow(axes: Axes, above: Place, below: Place) -> None:
    start, end = (above[0], above[1] - HEIGHT / 2 - 0.06), (below[0], below[1] + HEIGHT / 2 + 0.08)
    style = {"arrowstyle": "-|>", "color": "#7b8ea1", "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops=style, zorder=0)


def main() -> None:
    """Draw the package of this checkout."""
    draw(graph_of(House.read(package_of(ROOT))), PICTURE)


if __name__ == "__main__":
    main()
