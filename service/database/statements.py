"""Loads the SQL statements in service/database/sql.

A statement names its parameters: `:position`. A comment line of its file lists them in the order in which callers pass
them:

    -- parameters: log, position

PostgreSQL numbers parameters, so loading replaces each name by its place in that list. A statement that is made of
several files (`{placeholders}`) has the parameters of all of them, in the order of the text; a name that occurs twice
is one parameter. A file whose list and text do not agree cannot be loaded.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_DIRECTORY = Path(__file__).parent / "sql"
_LIST = re.compile(r"^-- parameters: (.+)$", re.MULTILINE)
_COMMENT = re.compile(r"--[^\n]*")
_NAME = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)\b")
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")

SCHEMA = "runfold"
"""The schema of the tables; a catalog that is being rebuilt is in another one until it is complete."""

CATALOG, LINEAGE = "catalog", "lineage"
"""The projections of the ledger: each has a cursor, and a table of events that are set aside. Most statements are about
the catalog."""


def load(name: str, **parts: str) -> str:
    """Return a statement for PostgreSQL.

    `parts` replace its placeholders: identifiers, conditions written in code, or results of `load_text`; never a text
    that a caller sent.

    Raises ValueError for a placeholder without a part, and where the list of parameters and the text differ.
    """
    text = load_text(name, **parts)
    lists = ",".join(_LIST.findall(text))
    parameters = list(dict.fromkeys(parameter.strip() for parameter in lists.split(",") if parameter))
    body = _COMMENT.sub("", text)
    if set(parameters) != set(_NAME.findall(body)):
        raise ValueError(f"the list of parameters of {name}.sql and its text differ: {sorted(parameters)}")
    numbers = {parameter: f"${number}" for number, parameter in enumerate(parameters, 1)}
    return _NAME.sub(lambda match: numbers[match[1]], body).strip()


def load_text(name: str, **parts: str) -> str:
    """Return the text of a file with its placeholders replaced, as a part of another statement. Raises ValueError."""
    text, parts = _read(name), {"schema": SCHEMA, "projection": CATALOG} | parts
    if missing := set(_PLACEHOLDER.findall(text)) - parts.keys():
        raise ValueError(f"{name}.sql has placeholders without a part: {sorted(missing)}")
    return _PLACEHOLDER.sub(lambda match: parts[match[1]], text).strip()


@cache
def _read(name: str) -> str:
    return (_DIRECTORY / f"{name}.sql").read_text(encoding="utf-8")
