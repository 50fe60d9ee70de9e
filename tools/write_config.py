"""Write the documents that are generated from the models of the configuration.

Out: ``config/config.yaml``, ``config/config.schema.json``, ``config/README.md``, ``docs/configuration.md`` and the
table of sections in ``README.md``; a test keeps them up to date.
"""

from pathlib import Path

from cineseq.config.documents import as_instructions, as_schema, as_table, as_yaml, with_sections
from cineseq.files import write_text

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = {
    "config/config.yaml": as_yaml,
    "config/config.schema.json": as_schema,
    "config/README.md": as_instructions,
    "docs/configuration.md": as_table,
}


def main() -> None:
    """Write every generated document into the repository."""
    for name, text in DOCUMENTS.items():
        write_text(text(), ROOT / name)
    readme = ROOT / "README.md"
    write_text(with_sections(readme.read_text(encoding="utf-8")), readme)


if __name__ == "__main__":
    main()
