"""What is known of a run: settings, versions, models and tables, from which the methods paragraph is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Run:
    """What is known of a run.

    Attributes
    ----------
    config
        The whole configuration, as nested dictionaries.
    versions
        Versions of packages, by name.
    models
        Models with ``name``, ``sha256`` and the ``steps`` that used them.
    tables
        Result tables by name; what is in none of them was not used.
    """

    config: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    models: list[dict[str, Any]] = field(default_factory=list)
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    def setting(self, name: str) -> Any:
        """Return the setting ``section.key``; None where it is unknown."""
        value: Any = self.config
        for part in name.split("."):
            if not isinstance(value, Mapping) or part not in value:
                return None
            value = value[part]
        return value

    def has(self, table: str, column: str = "", **rows: str) -> bool:
        """Whether a table has a row, of those that ``rows`` selects, with a value in a column."""
        found = self.tables.get(table)
        if found is None or not (set(rows) | ({column} - {""})) <= set(found):
            return False
        for name, value in rows.items():
            found = found[found[name] == value]
        return bool(found[column].notna().any()) if column else len(found) > 0
