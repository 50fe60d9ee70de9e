"""Count modules, layers and imports of one or more checkouts: ``python tools/count_house.py [BEFORE] AFTER``.

Counts modules (an ``__init__`` only if it holds code), modules under 45 lines, components (packages and modules
directly in ``cineseq``), their layers and the imports between them, class names used twice, and the lines that a
result table costs: those that name ``lineage/fading.tsv``, its contract or its parameters in the package, scripts and
rules. The contract counts as one line; the module that computes the table and tests do not count.
"""

import argparse
import io
import re
import sys
import tokenize
from collections import Counter
from pathlib import Path

from house import ROOT, House, package_of

SHORT = 45
TABLE = ("fading", "fading.tsv", "CORRELATION_DECAY", "KINSHIP_FADING", "kinship_fading")  # new and former names
CODE_OF_THE_PACKAGE = 10  # an __init__ with fewer lines holds only a docstring


def counts(checkout: Path) -> dict[str, int]:
    """Return the counts of a checkout by name."""
    house = House.read(package_of(checkout))
    packages = {module.name.rsplit(".", 1)[0] for module in house.modules if "." in module.name} | {""}
    modules = [m for m in house.modules if m.name not in packages or m.lines >= CODE_OF_THE_PACKAGE]
    cost = lines_of_a_table(checkout)
    return {
        "modules": len(modules),
        f"modules under {SHORT} lines": sum(m.lines < SHORT for m in modules),
        "components": len(house.components),
        "layers": max(house.depths.values()),
        "pairs of components with imports": len(house.edges),
        "import statements between components": sum(house.edges.values()),
        "pairs of components that import each other": len(house.mutual),
        "class names used twice": len(house.class_names_used_twice),
        "lines that a result table costs": sum(cost.values()),
        "files that these lines are in": len(cost),
    }


def lines_of_a_table(checkout: Path) -> Counter[str]:
    """Return the number of lines in each file that name the example table."""
    package = package_of(checkout)
    paths = {*package.rglob("*.py"), *(checkout / "scripts").glob("*.py"), *(checkout / "rules").glob("*.smk")}
    found = {p.relative_to(checkout).as_posix(): len(lines_naming(p.read_text("utf-8"), TABLE)) for p in paths}
    return Counter({name: count for name, count in sorted(found.items()) if count})


def lines_naming(text: str, names: tuple[str, ...]) -> set[int]:
    """Return the lines of Python or of rules that contain one of the names, or a text that ends in one.

    Imports of modules, docstrings and comments do not count. The declaration of the contract counts once.
    """
    lines: set[int] = set()
    within = {n + 1 for n, line in enumerate(text.splitlines(), 1) if line.endswith("= Table(")}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        module = re.match(r"\s*(from \S*\.\w+ import|import) ", token.line) and token.string not in names[2:]
        text_of = token.string.strip("\"'").split("/")[-1] if token.type == tokenize.STRING else token.string
        names_it = token.type in (tokenize.NAME, tokenize.STRING) and text_of in names
        if names_it and not module and token.start[0] not in within:
            lines.add(token.start[0])
    return lines


def main() -> None:
    """Print the counts, one column per checkout, and the files with the lines of the example table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkouts", nargs="*", type=Path, default=[ROOT], help="folders; default: this checkout")
    checkouts = parser.parse_args().checkouts
    tables = [counts(checkout) for checkout in checkouts]
    for name in tables[0]:
        sys.stdout.write(f"{name:46}" + "".join(f"{table[name]:>8}" for table in tables) + "\n")
    for checkout in checkouts:
        files = ", ".join(f"{name} {count}" for name, count in lines_of_a_table(checkout).items())
        sys.stdout.write(f"lines of the table in {checkout}: {files}\n")


if __name__ == "__main__":
    main()
