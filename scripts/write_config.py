"""Write what is generated from the configuration's models.

Out: ``config/config.yaml``, ``config/config.schema.json`` and ``docs/configuration.md``; a test keeps them in step.
"""

from pathlib import Path

from cineseq.config.documents import as_schema, as_table, as_yaml
from cineseq.files import write_text

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = {"config/config.yaml": as_yaml, "config/config.schema.json": as_schema, "docs/configuration.md": as_table}


def main() -> None:
    """Write every generated document into the repository."""
    for name, text in DOCUMENTS.items():
        write_text(text(), ROOT / name)


if __name__ == "__main__":
    main()
