"""Loads the SQL statements that lie in service/database/sql."""

from __future__ import annotations

from pathlib import Path

_DIRECTORY = Path(__file__).parent / "sql"


def load(name: str, **names: str) -> str:
    """Return a statement of service/database/sql, its {placeholders} replaced by identifiers or by other statements."""
    text = (_DIRECTORY / f"{name}.sql").read_text(encoding="utf-8")
    for placeholder, value in names.items():
        text = text.replace("{" + placeholder + "}", value)
    return text
