"""The house is kept: layers, no cycles, one class per name, one rule per script; each break is seen."""

from pathlib import Path

import pytest
from count_house import counts, lines_naming, lines_of_a_table
from house import LAYERS, ROOT, House, numbers_written_by_hand, package_of, scripts_without_rule, unmatched_tests

HOUSE = House.read(package_of(ROOT))
TWO = (("ground",), ("first", "other"))


def built(folder: Path, **modules: str) -> House:
    """Return a house of a few modules: ``first__a="import ..."`` is ``first/a.py``."""
    for name, text in modules.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return House.read(folder)


def test_the_house_keeps_its_rules() -> None:
    assert HOUSE.faults() == []


def test_no_component_is_on_two_layers() -> None:
    components = [component for layer in LAYERS for component in layer]
    assert len(components) == len(set(components))


def test_every_script_is_run_by_one_rule() -> None:
    assert scripts_without_rule(ROOT / "scripts", ROOT / "rules") == []


def test_imports_to_lower_layers_are_no_fault(tmp_path: Path) -> None:
    house = built(tmp_path, ground="import os\nfrom numpy import ground", first__a="from cineseq.ground import b")
    assert house.edges == {("first", "ground"): 1}
    assert house.depths == {"ground": 1, "first": 2}
    assert house.faults(TWO) == []


@pytest.mark.parametrize(
    "text",
    [
        "from cineseq.first.a import b",
        "from cineseq import first",
        "import cineseq.first.a",
        "def late() -> None:\n    from cineseq.first import a",
        "if TYPE_CHECKING:\n    from cineseq.first import a",
        "from .first import a",
        "from . import first",
    ],
)
def test_an_upward_import_is_seen(tmp_path: Path, text: str) -> None:
    house = built(tmp_path, ground=text, first__a="b = 1")
    assert house.faults(TWO) == ["ground (layer 1) imports first (layer 2); imports lead to lower layers only"]


def test_an_import_within_a_layer_is_seen(tmp_path: Path) -> None:
    house = built(tmp_path, other="from ..cineseq import x", first__deep__a="from ...other import x")
    assert house.faults(TWO) == ["first (layer 2) imports other (layer 2); imports lead to lower layers only"]


def test_a_cycle_is_seen(tmp_path: Path) -> None:
    house = built(
        tmp_path, ground="import cineseq.first", first="import cineseq.other", other="from cineseq import ground"
    )
    assert house.mutual == []
    assert house.cycles == [["first", "ground", "other"]]
    assert "these import each other in a cycle: first, ground, other" in house.faults((("ground", "first", "other"),))


def test_two_components_that_import_each_other_are_seen(tmp_path: Path) -> None:
    house = built(tmp_path, ground="import cineseq.first", first="import cineseq.ground")
    assert house.mutual == [("first", "ground")]
    assert house.cycles == [["first", "ground"]]


def test_a_class_name_used_twice_is_seen(tmp_path: Path) -> None:
    house = built(tmp_path, ground="class Scene: pass", first__a="class Scene:\n    class Inner: pass")
    assert house.faults(TWO) == [
        "the class name Scene is used twice, in first.a and ground; give one of them another name"
    ]


def test_a_component_on_no_layer_is_seen(tmp_path: Path) -> None:
    assert built(tmp_path, attic="").faults(TWO) == ["attic is on no layer; add it to LAYERS in tools/house.py"]


def test_a_script_without_a_rule_is_seen(tmp_path: Path) -> None:
    for name in ("kept", "twice", "lonely"):
        (tmp_path / f"{name}.py").touch()
    named = ("kept", "twice", "twice", "gone")
    (tmp_path / "all.smk").write_text("\n".join(f'    script:\n        "../scripts/{name}.py"' for name in named))
    assert scripts_without_rule(tmp_path, tmp_path) == [
        "scripts/lonely.py is run by 0 rules; exactly one should run it",
        "scripts/twice.py is run by 2 rules; exactly one should run it",
        "scripts/gone.py is named by a rule but does not exist",
    ]


def test_tests_mirror_the_package() -> None:
    assert unmatched_tests(ROOT / "tests/unit") == []


def test_a_test_that_is_named_after_nothing_is_seen(tmp_path: Path) -> None:
    for name in ("tracking/test_packing", "tracking/test_tracking", "tracking/test_track", "tracking/test_links"):
        path = tmp_path / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    [found] = unmatched_tests(tmp_path)
    assert found == "tracking/test_links.py is named after no module of tracking/ and no program"


def test_numbers_are_written_by_one_module() -> None:
    assert numbers_written_by_hand(package_of(ROOT)) == []


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ('f"{x:.2f} px"', ".2f"),
        ('f"{x:.0%} of the cells"', ".0%"),
        ('f"{x:g}"', "g"),
        ('f"{x:,.1f}"', ",.1f"),
        ('f"{x:.{digits}f}"', ".0f"),
        ('"{share:.0%} of {all}".format(share=x, all=y)', ".0%"),
        ('logger.info("%s: %.1f px", name, x)', "%.1f"),
        ('"%g px" % x', "%g"),
        ('format(x, ".3g")', ".3g"),
    ],
)
def test_a_number_that_is_written_by_hand_is_seen(tmp_path: Path, text: str, spec: str) -> None:
    built(tmp_path, text=text, first__a=f"import os\n{text}")
    assert numbers_written_by_hand(tmp_path, ("text",)) == [
        f"first.a, line 2: a number is formatted by '{spec}'; use cineseq.text"
    ]


def test_a_number_in_a_template_is_seen(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text('<p style="width: 95%">\n{{ "%.2f"|format(x) }}</p>')
    assert numbers_written_by_hand(tmp_path) == ["page, line 2: a number is formatted by '%.2f'; use cineseq.text"]


@pytest.mark.parametrize(
    "text",
    [
        'f"{x:04d} {y:>10} {z!r} {number(x)}"',
        '"95 % for {each:name.of} and {c:cells.scaling}"',
        '"%s of %d, 100 %% free"',
    ],
)
def test_other_formats_are_no_fault(tmp_path: Path, text: str) -> None:
    built(tmp_path, first__a=text)
    assert numbers_written_by_hand(tmp_path) == []


def test_lines_of_a_table_are_counted_as_declared() -> None:
    text = '''"""Of fading."""
from cineseq.lineage.fading import fading_table
from cineseq.tables.lineage import CORRELATION_DECAY
CORRELATION_DECAY = Table(
    "kinship_fading",
)
FILES = ("fading.tsv",)  # fading
path = "<results>/lineage/fading.tsv"
def main(fading: Path) -> None:
    """:data:`CORRELATION_DECAY`."""
    write_table(decay, fading, CORRELATION_DECAY)
'''
    names = ("fading", "fading.tsv", "CORRELATION_DECAY", "kinship_fading")
    assert lines_naming(text, names) == {3, 4, 7, 8, 9, 11}


def test_the_counts_are_of_this_checkout() -> None:
    found = counts(ROOT)
    assert found["components"] == len(HOUSE.components)
    assert found["pairs of components that import each other"] == 0
    # The table that stands for all is still there, by the names that are looked for.
    assert any(name.startswith("src/cineseq/tables/") for name in lines_of_a_table(ROOT))
